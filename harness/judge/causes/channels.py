"""Hypotheses about channels, groups and batch, and about the order of the kernel's elements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.judge.causes.geometry import on_axes, subsets
from harness.judge.causes.matching import interleaved, order_of, orders
from harness.judge.causes.prediction import Cause, Hypothesis, Of, Subject, with_inputs
from harness.reference import Array, Float64

#: so few channels are often handled apart from the loop that forgets the last one
_FEW = 2
_BIAS_STAYS = ", before the bias is added"


def kernel_flipped(subject: Subject) -> Iterator[Hypothesis]:
    """The kernel correlated as it stands, along all axes or some."""
    for axes in subsets(subject.layer.ndim):
        cause = Cause("kernel flipped", f"kernel flipped{on_axes(axes, subject.layer.ndim)}")
        yield cause, subject.predict(_flipped(axes))


def channels_permuted(subject: Subject, observed: Array | None) -> Iterator[Hypothesis]:
    """Output channels in another order, then input channels, then both exchanged in the weight."""
    layer = subject.layer
    if 1 in (layer.in_channels, layer.out_channels, layer.groups):
        yield Cause("channels permuted", "where there is more than one channel, or group, to permute"), None
    cause = Cause("channels permuted", "output channels in the order")
    yield from _output_blocks(subject, observed, layer.out_channels, cause)
    for order in _input_orders(subject):
        cause = Cause("channels permuted", f"input channels in the order {shown(order)}")
        yield cause, subject.predict(_inputs_in_order(order))
    yield from _weight_exchanged(subject)
    if layer.groups > 1:
        for order in interleaved(layer.groups, layer.in_channels // layer.groups):
            cause = Cause("channels permuted", f"input channels of the weight in the order {shown(order)}")
            yield cause, subject.predict(_kernels_in_order(order))


def groups_permuted(subject: Subject, observed: Array | None) -> Iterator[Hypothesis]:
    """Groups' outputs in another order, or interleaved; groups that meet other groups' inputs or kernels."""
    layer = subject.layer
    if layer.groups == 1:
        yield Cause("groups permuted", "one group in another order"), None
        return
    yield from _output_blocks(subject, observed, layer.groups, Cause("groups permuted", "groups' outputs in the order"))
    for order in interleaved(layer.groups, layer.out_channels // layer.groups):
        cause = Cause("groups permuted", f"output channels interleaved by groups: {shown(order)}")
        yield from _outputs_in_order(subject, cause, order)
    for order in orders(layer.groups):
        yield from _met_by_other_groups(subject, order)


def last_channel_lost(subject: Subject) -> Iterator[Hypothesis]:
    """The last output channel zero, or its bias alone; the last input channel, of all or of each group, not summed."""
    layer, per_group = subject.layer, subject.layer.in_channels // subject.layer.groups
    name = "last channel lost"
    if min(layer.out_channels, per_group) <= _FEW:
        yield Cause(name, "the last channel lost where there are more"), None
    last: NDArray[np.bool_] = np.arange(layer.out_channels) == layer.out_channels - 1
    lost = last.reshape(-1, *[1] * layer.ndim)
    yield Cause(name, "the last output channel is zero"), subject.predict(lambda run: np.where(lost, 0.0, run.right))
    if subject.has_bias:
        cause = Cause(name, "the last output channel is the bias alone")
        yield cause, subject.predict(lambda run: np.where(lost, run.blank, run.right))
    inputs = np.arange(layer.in_channels)
    for which, kept in (("", inputs < layer.in_channels - 1), (" of each group", inputs % per_group < per_group - 1)):
        cause = Cause(name, f"the last input channel{which} is not summed")
        yield cause, subject.predict(with_inputs(kept.reshape(-1, *[1] * layer.ndim)))


def batch_broadcast(subject: Subject) -> Iterator[Hypothesis]:
    """The first batch element's result for all."""
    cause = Cause("batch broadcast", "the first batch element's result for all")
    if subject.shape[0] > 1:
        yield cause, subject.predict(lambda run: np.broadcast_to(run.right[:1], run.right.shape))
    else:
        yield cause, None


def shown(order: Sequence[int]) -> str:
    """An order for people to read, without its middle where it is long.

    >>> shown((2, 1, 0)), shown(range(64))
    ('(2, 1, 0)', '(0, 1, 2, 3, 4, 5, …)')
    """
    start = ", ".join(map(str, order[:6]))
    return f"({start}, …)" if len(order) > 8 else f"({', '.join(map(str, order))})"


def _output_blocks(subject: Subject, observed: Array | None, count: int, cause: Cause) -> Iterator[Hypothesis]:
    """Equal blocks of output channels in another order: the one that fits, found apart with the bias and without."""
    channels = np.arange(subject.layer.out_channels).reshape(count, -1)
    for bias_moves in (True, False) if subject.has_bias else (True,):
        for order in orders(count) if observed is None else _fitting(subject, observed, count, bias_moves):
            named = Cause(cause.name, f"{cause.text} {shown(order)}{'' if bias_moves else _BIAS_STAYS}")
            yield _in_order(subject, named, channels[list(order)].ravel(), bias_moves)


def _outputs_in_order(subject: Subject, cause: Cause, order: Sequence[int]) -> Iterator[Hypothesis]:
    yield _in_order(subject, cause, np.array(order), True)
    if subject.has_bias:
        yield _in_order(subject, Cause(cause.name, cause.text + _BIAS_STAYS), np.array(order), False)


def _in_order(subject: Subject, cause: Cause, channels: NDArray[np.intp], bias_moves: bool) -> Hypothesis:
    if bias_moves:
        return cause, subject.predict(lambda run: run.right[:, channels])
    return cause, subject.predict(lambda run: run.bare[:, channels] + run.blank)


def _fitting(subject: Subject, observed: Array, count: int, bias_moves: bool) -> Iterator[tuple[int, ...]]:
    """The order in which the observation may have the blocks, if there is one."""
    if not subject.is_searchable(observed):
        return
    numbers = subject.numbers
    right = numbers.right if bias_moves else numbers.bare
    seen = observed if bias_moves else observed - numbers.blank
    order = order_of(_rows(seen, count), _rows(right, count), subject.slack)
    if order is not None:
        yield order


def _rows(output: Array, count: int) -> Float64:
    """(N, C, *m) as one row for each of so many blocks of channels."""
    blocks = output.reshape(len(output), count, -1)
    return blocks.swapaxes(0, 1).reshape(count, -1)


def _input_orders(subject: Subject) -> Iterator[tuple[int, ...]]:
    """Orders of all input channels, then the same order within each group, then interleaved by groups."""
    groups, per_group = subject.layer.groups, subject.layer.in_channels // subject.layer.groups
    tried = list(orders(subject.layer.in_channels))
    if groups > 1:
        starts = range(0, subject.layer.in_channels, per_group)
        tried += [tuple(start + channel for start in starts for channel in order) for order in orders(per_group)]
        tried += interleaved(groups, per_group)
    yield from dict.fromkeys(tried)


def _weight_exchanged(subject: Subject) -> Iterator[Hypothesis]:
    """Input and output channels of the weight exchanged, in each group or in all of it, where that leaves its shape."""
    layer, shape = subject.layer, subject.layer.weight_shape
    inputs, outputs = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    cause = Cause("channels permuted", "input and output channels of the weight exchanged")
    if inputs == outputs:
        grouped = (layer.groups, inputs, *shape[1:])
        yield (
            cause,
            subject.predict(lambda run: run(weight=run.weight.reshape(grouped).swapaxes(1, 2).reshape(shape))),
        )
    elif layer.in_channels == outputs:
        yield cause, subject.predict(lambda run: run(weight=run.weight.swapaxes(0, 1)))
    else:
        yield cause, None


def _met_by_other_groups(subject: Subject, order: tuple[int, ...]) -> Iterator[Hypothesis]:
    channels = np.arange(subject.layer.in_channels).reshape(len(order), -1)[list(order)].ravel().tolist()
    cause = Cause("groups permuted", f"groups meet the inputs of the groups {shown(order)}")
    yield cause, subject.predict(_inputs_in_order(channels))
    cause = Cause("groups permuted", f"groups meet the kernels of the groups {shown(order)}")
    yield cause, subject.predict(_kernels_in_order(channels))


def _flipped(axes: Sequence[int]) -> Of:
    where = tuple(axis + 2 for axis in axes)
    return lambda run: run(weight=np.flip(run.weight, where))


def _inputs_in_order(order: Sequence[int]) -> Of:
    return lambda run: run(x=run.x[:, list(order)])


def _kernels_in_order(order: Sequence[int]) -> Of:
    return lambda run: run(weight=run.weight[list(order)])
