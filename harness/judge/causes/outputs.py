"""Hypotheses about places in the output: filled instead of computed, lost at the end, shifted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.judge.causes.geometry import on_axes, replaced, subsets
from harness.judge.causes.matching import shifts
from harness.judge.causes.prediction import Cause, Hypothesis, Subject, with_inputs
from harness.records import Size
from harness.reference import Array, Float64

#: how many elements a loop may take at once and forget the rest
_LANES = (4, 8, 16)


def output_padding_filled(subject: Subject) -> Iterator[Hypothesis]:
    """The last a elements zero, or the bias alone, on all axes where they are computed; on one; wherever a > 0."""
    name, layer = "output_padding filled with zeros", subject.layer
    axes = list(enumerate(zip(layer.padding, layer.output_padding, strict=True)))
    computed = tuple(axis for axis, (p, a) in axes if 0 < a <= p)
    partly = [(axis,) for axis, (p, a) in axes if min(p, a) > 0]
    if not computed:
        yield Cause(name, name), None
    anywhere = tuple(axis for axis, (_, a) in axes if a > 0) if partly else ()
    for chosen in dict.fromkeys((computed, *partly, anywhere)):
        ends = [max(m - a, 0) if axis in chosen else m for (axis, (_, a)), m in zip(axes, subject.size, strict=True)]
        if chosen:
            yield from _blanked(subject, name, f"the output_padding{on_axes(chosen, layer.ndim)}", ends)


def last_lane_lost(subject: Subject) -> Iterator[Hypothesis]:
    """The last elements along all axes or some zero, or the bias alone; then the last input element left out."""
    name = "last lane lost"
    for axes in subsets(subject.layer.ndim):
        where = on_axes(axes, subject.layer.ndim)
        yield from _blanked(subject, name, f"the last element{where}", _shortened(subject.size, axes, 1))
        for lanes in _LANES:
            what, ends = f"what is left over by {lanes} lanes{where}", _shortened(subject.size, axes, lanes)
            # Where there is not one full set of lanes, the loop may not be entered.
            if ends == subject.size or 0 in ends:
                yield Cause(name, what), None
            if ends != subject.size:
                yield from _blanked(subject, name, what, ends)
    for axes in subsets(subject.layer.ndim):
        taken = _box(subject.input_size, _shortened(subject.input_size, axes, 1))
        cause = Cause(name, f"the last input element{on_axes(axes, subject.layer.ndim)} does not take part")
        yield cause, subject.predict(with_inputs(taken))


def shifted(subject: Subject, observed: Array | None) -> Iterator[Hypothesis]:
    """Element j of the output is where element j - t should be, for the shifts t that the observation allows.

    What is uncovered comes from the full output, as in another crop; or it is zero or the bias alone, but then not more
    than half of any axis.
    """
    for shift in _shifts(subject, observed):
        yield from _another_crop(subject, shift)
        yield from _filled_up(subject, shift)


def _shifts(subject: Subject, observed: Array | None) -> list[Size]:
    if observed is None:
        axes = range(subject.layer.ndim)
        return [tuple(t if axis == moved else 0 for axis in axes) for moved in axes for t in (1, -1)]
    if not subject.is_searchable(observed):
        return []
    return shifts(observed, subject.numbers.right, subject.numbers.blank, subject.slack)


def _another_crop(subject: Subject, shift: Size) -> Iterator[Hypothesis]:
    near = [p - t for p, t in zip(subject.layer.padding, shift, strict=True)]
    added = [a - 2 * t for a, t in zip(subject.layer.output_padding, shift, strict=True)]
    layer = replaced(subject.layer, padding=near, output_padding=added)
    if layer is not None:
        yield Cause("shifted", f"shifted by {shift}"), subject.predict(lambda run: run(layer=layer))


def _filled_up(subject: Subject, shift: Size) -> Iterator[Hypothesis]:
    if any(abs(t) > max(m // 2, 1) for t, m in zip(shift, subject.size, strict=True)):
        return
    cause = Cause("shifted", f"shifted by {shift}, the rest zero")
    yield cause, subject.predict(lambda run: _moved(run.right, np.zeros_like(run.right), shift))
    if subject.has_bias:
        cause = Cause("shifted", f"shifted by {shift}, the rest the bias alone")
        yield cause, subject.predict(lambda run: _moved(run.right, run.blank, shift))


def _moved(output: Float64, rest: Float64, shift: Size) -> Float64:
    """The output moved by so much, over the rest."""
    moves = list(zip(shift, output.shape[2:], strict=True))
    target: Any = (..., *(slice(max(t, 0), max(m + min(t, 0), 0)) for t, m in moves))
    source: Any = (..., *(slice(max(-t, 0), max(m - max(t, 0), 0)) for t, m in moves))
    moved = rest.copy()
    moved[target] = output[source]
    return moved


def _blanked(subject: Subject, name: str, what: str, ends: Sequence[int]) -> Iterator[Hypothesis]:
    """Nothing computed from these ends on: zero there, or the bias alone."""
    computed = _box(subject.size, ends)
    yield Cause(name, f"{what} is zero"), subject.predict(lambda run: np.where(computed, run.right, 0.0))
    if subject.has_bias:
        cause = Cause(name, f"{what} is the bias alone")
        yield cause, subject.predict(lambda run: np.where(computed, run.right, run.blank))


def _shortened(size: Size, axes: Sequence[int], lanes: int) -> Size:
    """The last multiple of so many lanes along these axes; with one lane all but the last element."""
    return tuple(_whole(m, lanes) if axis in axes else m for axis, m in enumerate(size))


def _whole(length: int, lanes: int) -> int:
    return max(length - 1, 0) if lanes == 1 else length - length % lanes


def _box(size: Size, ends: Sequence[int]) -> NDArray[np.bool_]:
    """Which elements of an array of that size lie before these ends on every axis."""
    box = np.zeros(size, dtype=bool)
    box[tuple(slice(end) for end in ends)] = True
    return box
