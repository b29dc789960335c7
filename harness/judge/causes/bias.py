"""Hypotheses about the bias; without one they make no sense."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from harness.judge.causes.prediction import Cause, Hypothesis, Of, Subject
from harness.reference import Array


def bias_missing(subject: Subject) -> Iterator[Hypothesis]:
    """No bias."""
    yield Cause("bias missing", "bias missing"), subject.predict(lambda run: run.bare) if subject.has_bias else None


def bias_doubled(subject: Subject) -> Iterator[Hypothesis]:
    """The bias added twice."""
    bias = subject.numbers.bias
    yield Cause("bias doubled", "bias added twice"), None if bias is None else subject.predict(_with_bias(2 * bias))


def bias_per_group(subject: Subject) -> Iterator[Hypothesis]:
    """The bias of another channel: taken by the place within the group, or by the group's number."""
    bias, groups = subject.numbers.bias, subject.layer.groups
    if bias is None or groups == 1:
        yield Cause("bias per group", "bias per group"), None
        return
    per_group = len(bias) // groups
    within, number = np.tile(bias[:per_group], groups), np.repeat(bias[:groups], per_group)
    for other, how in ((within, "place within the group"), (number, "group's number")):
        cause = Cause("bias per group", f"bias taken by the {how}")
        yield cause, subject.predict(_with_bias(other))


def bias_not_in_extension(subject: Subject) -> Iterator[Hypothesis]:
    """Zeros instead of bias where the output reaches beyond the full output: at both ends, or at one of them."""
    if not subject.has_bias:
        yield Cause("bias not in the extension", "bias not in the extension"), None
        return
    near, far = _beyond(subject)
    ends = (("beyond the full output", near | far), ("beyond its far end", far), ("before its near end", near))
    for where, outside in ends:
        cause = Cause("bias not in the extension", f"no bias {where}")
        if outside.any():
            yield cause, subject.predict(_zero_where(outside))
        else:
            yield cause, None


def _with_bias(other: Array) -> Of:
    return lambda run: run(bias=other)


def _zero_where(outside: NDArray[np.bool_]) -> Of:
    return lambda run: np.where(outside, 0.0, run.right)


def _beyond(subject: Subject) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which elements of the output lie before the full output, and which behind it, along any axis."""
    near, far = np.zeros(subject.size, dtype=bool), np.zeros(subject.size, dtype=bool)
    places = np.indices(subject.size, sparse=True)
    full = subject.layer.full_size(subject.input_size)
    for place, extent, (lo, _) in zip(places, full, subject.layer.crops, strict=True):
        near |= place + lo < 0
        far |= place + lo >= max(extent, 0)
    return near, far
