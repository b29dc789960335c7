"""Which of several causes it is: further cases are asked until one cause is left that explains all of them.

A small case is often explained by several causes at once, or by one through chance. Other numbers in the same case
take chance away; other layers tell causes apart, for each cause says what it would do there. A wrong answer near by
that none of them explains refutes them all. A right answer says nothing: faults are seldom everywhere.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

from harness.errors import InvalidField
from harness.judge.causes import consistent, is_right
from harness.judge.causes.geometry import subsets
from harness.layer import Case, Layer
from harness.records import Size

#: what a target answers to a case, or None where it gives no numbers
Ask: TypeAlias = "Callable[[Case], NDArray[Any] | None]"

#: numbers with which the same case is asked again
_RESEEDED = 2

#: multiply-adds that a further case may have: what a drawn one has at most
_MOST_WORK = 2**24

#: an input that the padding below leaves something of, whatever the kernel
_LONG = (4, 5, 7)

#: per-axis values that differ between the axes; none is neutral, or that axis's for all would look like none at all
_RICH: dict[str, tuple[int, ...]] = {
    "kernel_size": (3, 2, 4),
    "stride": (2, 3, 4),
    "padding": (1, 2, 3),
    "output_padding": (1, 2, 3),
    "dilation": (2, 3, 4),
}


def attribute(case: Case, layer: Layer, names: Sequence[str], ask: Ask) -> str | None:
    """The first of the causes that explains the target's answers to further cases; None where none of them is it.

    ``layer`` is what the case means. Other numbers are put in the case's own words; other layers have none, and one
    that is far from it and that no cause explains shows something else and says nothing.
    """
    asked = case.replace(values="integers")
    left = list(names)
    for probe in _reseeded(asked):
        left = _consistent(left, probe, layer, ask, right_tells=True)
    for probe, other in _asking(asked, layer, _near(layer, asked)):
        if not left:
            return None
        left = _consistent(left, probe, other, ask)
    for probe, other in _asking(asked, layer, _far(layer)):
        if len(left) < 2:
            break
        left = _consistent(left, probe, other, ask) or left
    return left[0] if left else None


def _consistent(names: list[str], probe: Case, layer: Layer, ask: Ask, *, right_tells: bool = False) -> list[str]:
    """The causes that may have made the target's answer; all of them where it tells nothing."""
    try:
        probe.arrays(layer)
    except InvalidField:
        return names
    observed = ask(probe)
    if observed is None or (not right_tells and is_right(probe, layer, observed)):
        return names
    return [name for name in names if consistent(name, probe, layer, observed)]


def _reseeded(case: Case) -> Iterator[Case]:
    return (case.replace(seed=(case.seed + more) % 2**64) for more in range(1, _RESEEDED + 1))


def _asking(case: Case, layer: Layer, changes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Case, Layer]]:
    """Relatives of a layer that can be asked, each in a case that asks it."""
    for change in changes:
        fields = {name: value for name, value in change.items() if name not in ("batch", "input_size")}
        recipe = {name: value for name, value in change.items() if name in ("batch", "input_size")}
        try:
            other = layer.replace(**fields)
            asked = case.replace(layer=other, spelling=None, **recipe)
        except InvalidField:
            continue
        if other.multiply_adds(asked.input_size, batch=asked.batch) <= _MOST_WORK:
            yield asked, other


def _near(layer: Layer, case: Case) -> Iterator[dict[str, Any]]:
    """A little more of one thing: with what made the case wrong in it still, and nothing else to be wrong."""
    long = {"input_size": tuple(map(max, case.input_size, _LONG))}
    yield long
    yield {"batch": case.batch + 1}
    channels = {"in_channels": layer.in_channels, "out_channels": layer.out_channels}
    yield {name: count + layer.groups for name, count in channels.items()}
    for field, more in itertools.product(_RICH, (1, 2)):
        values = getattr(layer, field)
        for axes in subsets(layer.ndim):
            changed = tuple(value + more * (axis in axes) for axis, value in enumerate(values))
            yield {**long, **_taken(layer, {field: changed})}
    stride = tuple(s + 1 for s in layer.stride)
    added = tuple(a + s for a, s in zip(layer.output_padding, stride, strict=True))
    yield {**long, **_taken(layer, {"stride": stride, "output_padding": added})}


def _taken(layer: Layer, changed: dict[str, Size]) -> dict[str, Size]:
    """The changes, and where they are of output padding a dilation with which most APIs take it."""
    if "output_padding" not in changed:
        return changed
    least = (a + 1 for a in changed["output_padding"])
    return {**changed, "dilation": tuple(map(max, layer.dilation, least))}


def _far(layer: Layer) -> Iterator[dict[str, Any]]:
    """Larger, richer and plainer relatives of a layer."""
    ndim = layer.ndim
    long = {"input_size": _LONG[:ndim]}
    rich = {name: values[:ndim] for name, values in _RICH.items()}
    channels = {"in_channels": 3 * layer.groups, "out_channels": 2 * layer.groups}
    yield {"batch": 2, **long}
    yield {**long, **channels}
    yield from ({**long, name: values} for name, values in rich.items())
    yield {**long, "output_padding": 0}
    yield {**long, "padding": 0, "output_padding": 0}
    yield {**long, **rich, **channels, "batch": 2, "dilation": 1, "bias": True}
    yield {**long, **rich, "in_channels": 4, "out_channels": 6, "groups": 2, "dilation": 1, "bias": True}
    yield {**long, **rich, **channels, "stride": 1, "output_padding": 0, "bias": True}
    yield {**long, "kernel_size": 3, "stride": 1, "padding": 0, "output_padding": 0, "dilation": 1, "bias": False}
    yield {**long, "kernel_size": 1, "stride": 2, "padding": 0, "output_padding": 0, "dilation": 1, "bias": True}
