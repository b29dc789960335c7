"""Hypotheses about hyper-parameters: one axis's for all, another order of axes, ignored, multiplied, the crop's ends.

What changes the geometry is predicted twice: with the size that the changed layer has by itself, and cut or extended at
the far end to the right size.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from harness.errors import InvalidField
from harness.judge.causes.prediction import Cause, Hypothesis, Of, Subject
from harness.layer import Layer
from harness.records import Size
from harness.reference import Array

#: the per-axis hyper-parameters beside the kernel size, which is the weight's own
PER_AXIS = ("stride", "padding", "dilation", "output_padding")
NEUTRAL = {"stride": 1, "padding": 0, "dilation": 1, "output_padding": 0}


def one_axis_for_all(subject: Subject, field: str) -> Iterator[Hypothesis]:
    """The value of one axis used for all, for each axis."""
    name = f"one axis's {field} used for all axes"
    for axis, value in enumerate(getattr(subject.layer, field)):
        cause = Cause(name, f"the {field} of axis {axis} used for all axes")
        yield from _changed(subject, cause, **{field: (value,) * subject.layer.ndim})


def ignored(subject: Subject, field: str) -> Iterator[Hypothesis]:
    """The hyper-parameter at its neutral value on all axes, or on some of them."""
    values = getattr(subject.layer, field)
    for axes in subsets(subject.layer.ndim):
        cause = Cause(f"{field} ignored", f"{field} ignored{on_axes(axes, subject.layer.ndim)}")
        rest = tuple(NEUTRAL[field] if axis in axes else value for axis, value in enumerate(values))
        yield from _changed(subject, cause, **{field: rest})


def output_padding_multiplied(subject: Subject) -> Iterator[Hypothesis]:
    """Output padding in units of the stride."""
    name = "output_padding multiplied by stride"
    added = [a * s for a, s in zip(subject.layer.output_padding, subject.layer.stride, strict=True)]
    yield from _changed(subject, Cause(name, name), output_padding=added)


def crop_on_the_other_side(subject: Subject) -> Iterator[Hypothesis]:
    """What is to be cut at the near end is cut at the far end, and the other way round."""
    layer = subject.layer
    for axes in subsets(layer.ndim):
        cause = Cause("crop on the other side", f"near and far crop exchanged{on_axes(axes, subject.layer.ndim)}")
        crops = [(hi, lo) if axis in axes else (lo, hi) for axis, (lo, hi) in enumerate(layer.crops)]
        near, added = [lo for lo, _ in crops], [lo - hi for lo, hi in crops]
        yield from _changed(subject, cause, padding=near, output_padding=added)


def axes_swapped(subject: Subject) -> Iterator[Hypothesis]:
    """Hyper-parameters in another order of axes, one or all of them; then kernel, input or output transposed."""
    if subject.layer.ndim == 1:
        yield Cause("axes swapped", "one axis swapped"), None
    for order in itertools.permutations(range(subject.layer.ndim)):
        if order == tuple(range(subject.layer.ndim)):
            continue
        for fields in (*((field,) for field in PER_AXIS), PER_AXIS):
            named = fields[0] if len(fields) == 1 else "all hyper-parameters"
            cause = Cause("axes swapped", f"{named} taken in axis order {order}")
            yield from _changed(
                subject, cause, **{field: _permuted(getattr(subject.layer, field), order) for field in fields}
            )
        yield from _transposed(subject, order)


def subsets(ndim: int) -> Iterator[tuple[int, ...]]:
    """All axes, then one alone, then two.

    >>> list(subsets(2))
    [(0, 1), (0,), (1,)]
    """
    yield tuple(range(ndim))
    for count in range(1, ndim):
        yield from itertools.combinations(range(ndim), count)


def on_axes(axes: Sequence[int], ndim: int) -> str:
    """Which axes, in words; nothing is said where all are meant.

    >>> on_axes((1,), 2), on_axes((0, 2), 3), on_axes((0, 1), 2)
    (' on axis 1', ' on axes 0 and 2', '')
    """
    if len(axes) == ndim:
        return ""
    return f" on {'axis' if len(axes) == 1 else 'axes'} {' and '.join(map(str, axes))}"


def _changed(subject: Subject, cause: Cause, **changes: Sequence[int]) -> Iterator[Hypothesis]:
    """The layer with other hyper-parameters; nothing is predicted of a layer that there cannot be."""
    layer = replaced(subject.layer, **changes)
    if layer == subject.layer:
        yield cause, None
    elif layer is not None:
        yield from _in_both_sizes(subject, cause, layer)


def _transposed(subject: Subject, order: tuple[int, ...]) -> Iterator[Hypothesis]:
    """The spatial axes of the kernel, of the input or of the output in another order; or only where that fits."""

    def cause(what: str) -> Cause:
        return Cause("axes swapped", f"the {what}'s spatial axes taken in the order {order}")

    kernel_size, n, m = (_permuted(s, order) for s in (subject.layer.kernel_size, subject.input_size, subject.size))
    if (kernel_size, n, m) != (subject.layer.kernel_size, subject.input_size, subject.size):
        yield cause("array"), None
    layer = subject.layer.replace(kernel_size=kernel_size)
    yield from _in_both_sizes(subject, cause("kernel"), layer, of_kernel=order)
    yield from _in_both_sizes(subject, cause("input"), subject.layer, of_input=order)
    yield cause("output"), subject.predict(lambda run: _spatially(run.right, order), m)


def _in_both_sizes(
    subject: Subject,
    cause: Cause,
    layer: Layer,
    *,
    of_input: tuple[int, ...] | None = None,
    of_kernel: tuple[int, ...] | None = None,
) -> Iterator[Hypothesis]:
    """Another layer, with the axes of input and kernel in these orders."""
    n = _permuted(subject.input_size, of_input)
    natural, right = layer.output_size(n), subject.size
    if min(natural) >= 1:
        yield cause, subject.predict(_of(layer, n, of_input, of_kernel), natural)
    # Another output padding, mended at the far end, is the right layer again: no fault.
    if natural != right and _ending(layer, natural, right) != subject.layer:
        near = _reaching(layer, n, right)
        fitted = _ending(layer, layer.output_size(near), right)
        if fitted is not None:
            yield cause, subject.predict(_of(fitted, near, of_input, of_kernel))


def _reaching(layer: Layer, input_size: Size, size: Size) -> Size:
    """How many inputs from the near end on take part in an output of that size, one at least: ``i s < m + lo``."""
    axes = zip(input_size, size, layer.stride, layer.padding, strict=True)
    return tuple(min(n, max(-(-(m + lo) // s), 1)) for n, m, s, lo in axes)


def _of(layer: Layer, near: Size, of_input: tuple[int, ...] | None, of_kernel: tuple[int, ...] | None) -> Of:
    """The layer's output from the inputs at the near end that reach it: the others can take a lot of memory."""
    inputs: Any = (..., *(slice(i) for i in near))
    return lambda run: run(x=_spatially(run.x, of_input)[inputs], weight=_spatially(run.weight, of_kernel), layer=layer)


def _ending(layer: Layer, natural: Size, size: Size) -> Layer | None:
    """The layer, cut or extended at the far end from its natural output size to another."""
    added = [a + m - found for a, m, found in zip(layer.output_padding, size, natural, strict=True)]
    return replaced(layer, output_padding=added)


def replaced(layer: Layer, **changes: Sequence[int]) -> Layer | None:
    """The layer with other hyper-parameters, or None where there cannot be such a layer."""
    try:
        return layer.replace(**changes)
    except InvalidField:
        return None


def _permuted(values: Size, order: tuple[int, ...] | None) -> Size:
    return values if order is None else tuple(values[axis] for axis in order)


def _spatially(array: Array, order: tuple[int, ...] | None) -> Array:
    return array if order is None else array.transpose(0, 1, *(axis + 2 for axis in order))
