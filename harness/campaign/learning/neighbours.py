"""Rows around other rows: one to a few coordinates changed at random, as legal as those they come from.

Every row leaves an output and keeps the work bound. What PyTorch's rule forbids is drawn now and then, unless
nobody answers that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.campaign.learning.rows import (
    BATCH,
    BIAS,
    DTYPE,
    GROUPS,
    INPUTS,
    LEAST,
    NDIM,
    OUTPUTS,
    PER_AXIS,
    Rows,
    beyond,
    multiply_adds,
    output_elements,
    output_size,
)
from harness.layer import MAX_NDIM
from harness.values import DTYPES

Random: TypeAlias = np.random.Generator

MAX_MULTIPLY_ADDS = 2**20
MAX_ELEMENTS = 2**18

_SMALL = {
    "k": (1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16),
    "s": (1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6, 8),
    "d": (1, 1, 1, 2, 2, 3, 3, 4, 5),
    "n": (1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 17, 33),
    "p": (0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 8),
    "a": (0, 0, 1, 1, 2, 3, 4),
}
_COUNTS = {
    GROUPS: (1, 1, 1, 2, 2, 3, 4, 5, 6, 8, 16),
    INPUTS: (1, 1, 1, 2, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 32, 33),
    OUTPUTS: (1, 1, 1, 2, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 32, 33),
    BATCH: (1, 1, 2, 2, 3, 4, 5, 8),
    BIAS: (0, 1),
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What drawn rows keep: the dtype, most multiply-adds, and which kinds beyond PyTorch's rule are drawn."""

    dtype: int
    work: int = MAX_MULTIPLY_ADDS
    declined: frozenset[int] = frozenset()


def bounds_around(row: Rows) -> Bounds:
    """The bounds that a row keeps itself."""
    return Bounds(int(row[DTYPE]), max(MAX_MULTIPLY_ADDS, int(4 * multiply_adds(row[None])[0])))


def neighbours(bases: Rows, random: Random, bounds: Bounds, *, changes: NDArray[np.int64] | int) -> Rows:
    """One row for each base with so many changes, where that is legal; each row once.

    >>> base = np.array([[1, *[1] * 6, *[0] * 6, *[1] * 6, 1, 1, 1, 1, 0, 0]])
    >>> rows = neighbours(np.repeat(base, 50, axis=0), np.random.default_rng(0), bounds_around(base[0]), changes=2)
    >>> len(rows) > 20, int((rows != base).any(axis=1).sum()) > 20
    (True, True)
    """
    rows = bases.copy()
    counts = np.broadcast_to(np.asarray(changes), len(rows))
    for turn in range(int(counts.max(initial=0))):
        which = random.integers(0, len(_CHANGES), len(rows))
        for number, change in enumerate(_CHANGES):
            at = np.flatnonzero((which == number) & (turn < counts))
            if len(at):
                rows[at] = change(rows[at], random)
    rows = _legal(rows, random)
    return np.unique(rows[_keeps(rows, bounds)], axis=0)


def _keeps(rows: Rows, bounds: Bounds) -> NDArray[np.bool_]:
    axes = {name: rows[:, place] for name, place in PER_AXIS.items()}
    some_output = (output_size(axes) >= 1).all(axis=1)
    small = (multiply_adds(rows) <= bounds.work) & (output_elements(rows) <= max(MAX_ELEMENTS, bounds.work // 4))
    kinds = beyond(rows, bounds.dtype)
    answered = ~np.isin(kinds, list(bounds.declined))
    keeps: NDArray[np.bool_] = some_output & small & answered
    return keeps


def _legal(rows: Rows, random: Random) -> Rows:
    """The least values where there is no axis, enough input for some output, most often 0 <= a < max(s, d)."""
    absent = np.arange(MAX_NDIM) >= rows[:, NDIM, None]
    for name, place in PER_AXIS.items():
        rows[:, place][absent] = LEAST[name]
    a, s, d = (rows[:, PER_AXIS[name]] for name in "asd")
    usual = random.random(len(rows))[:, None] < 0.95
    clipped = np.clip(a, 0, np.maximum(s, d) - 1)
    rows[:, PER_AXIS["a"]] = np.where(usual, clipped, a)
    missing = 1 - output_size({name: rows[:, place] for name, place in PER_AXIS.items()})
    rows[:, PER_AXIS["n"]] += np.maximum(-(-missing // s), 0)
    return rows


def _axis(rows: Rows, random: Random) -> NDArray[np.int64]:
    return (random.random(len(rows)) * rows[:, NDIM]).astype(np.int64)


def _put(rows: Rows, name: str, axis: NDArray[np.int64], value: NDArray[np.int64]) -> Rows:
    rows[np.arange(len(rows)), PER_AXIS[name].start + axis] = value
    return rows


def _drawn(name: str) -> Callable[[Rows, Random], Rows]:
    def change(rows: Rows, random: Random) -> Rows:
        return _put(rows, name, _axis(rows, random), random.choice(_SMALL[name], len(rows)))

    return change


def _step(rows: Rows, random: Random) -> Rows:
    """One entry one up or down."""
    name = "kspadn"[int(random.integers(6))]
    axis = _axis(rows, random)
    value = rows[np.arange(len(rows)), PER_AXIS[name].start + axis] + random.choice((-1, 1, 1, 2), len(rows))
    beyond_least = -2 if name in "pa" and random.random() < 0.1 else LEAST[name]
    return _put(rows, name, axis, np.maximum(value, beyond_least))


def _padding(rows: Rows, random: Random) -> Rows:
    """A padding or an output padding that is telling for its kernel, stride and dilation."""
    axis = _axis(rows, random)
    k, s, p, d = (rows[np.arange(len(rows)), PER_AXIS[name].start + axis] for name in "kspd")
    reach = d * (k - 1)
    if random.random() < 0.5:
        paddings = reach // 2, (reach + 1) // 2, reach - 1, reach, reach + 1, np.maximum(k - s, 0), s
        return _put(rows, "p", axis, np.maximum(random.choice(np.array(paddings)), 0))
    most = np.maximum(s, d) - 1
    return _put(
        rows, "a", axis, random.choice(np.array((s - 1, most, np.minimum(p, s - 1), np.minimum(p + 1, most), s)))
    )


def _alike(rows: Rows, random: Random) -> Rows:
    """One field the same on every axis."""
    name = "kspadn"[int(random.integers(6))]
    rows[:, PER_AXIS[name]] = rows[np.arange(len(rows)), PER_AXIS[name].start + _axis(rows, random)][:, None]
    return rows


def _rank(rows: Rows, random: Random) -> Rows:
    """Another number of axes; a new one is plain, or drawn."""
    before = rows[:, NDIM].copy()
    rows[:, NDIM] = random.integers(1, MAX_NDIM + 1, len(rows))
    if random.random() < 0.7:
        for axis in range(1, MAX_NDIM):
            at = np.flatnonzero((before <= axis) & (axis < rows[:, NDIM]))
            for name in ("k", "s", "n", "d"):
                rows[at, PER_AXIS[name].start + axis] = random.choice(_SMALL[name][:9], len(at))
    return rows


def _turned(rows: Rows, random: Random) -> Rows:
    """The axes in another order."""
    order = np.argsort(random.random((len(rows), MAX_NDIM)) + (np.arange(MAX_NDIM) >= rows[:, NDIM, None]), axis=1)
    for place in PER_AXIS.values():
        rows[:, place] = np.take_along_axis(rows[:, place], order, axis=1)
    return rows


def _count(place: int) -> Callable[[Rows, Random], Rows]:
    def change(rows: Rows, random: Random) -> Rows:
        rows[:, place] = random.choice(_COUNTS[place], len(rows))
        return rows

    return change


def _channels(rows: Rows, random: Random) -> Rows:
    """Depthwise, one channel more in each group, or without groups."""
    kind = random.integers(3)
    if kind == 0:
        rows[:, INPUTS] = 1
        rows[:, GROUPS] = random.choice(_COUNTS[GROUPS], len(rows))
    elif kind == 1:
        rows[:, int(random.choice((INPUTS, OUTPUTS)))] += 1
    else:
        rows[:, INPUTS] *= rows[:, GROUPS]
        rows[:, OUTPUTS] *= rows[:, GROUPS]
        rows[:, GROUPS] = 1
    return rows


def _dtype(rows: Rows, random: Random) -> Rows:
    seldom = random.random(len(rows)) < 0.4
    rows[seldom, DTYPE] = random.integers(0, len(DTYPES), int(seldom.sum()))
    return rows


_PER_AXIS: Mapping[str, int] = {"k": 2, "s": 2, "d": 2, "n": 2, "p": 1, "a": 2}
_CHANGES: tuple[Callable[[Rows, Random], Rows], ...] = (
    *(_drawn(name) for name, often in _PER_AXIS.items() for _ in range(often)),
    *(_count(place) for place in _COUNTS),
    _count(GROUPS),
    _step,
    _step,
    _step,
    _padding,
    _padding,
    _alike,
    _rank,
    _rank,
    _turned,
    _channels,
    _dtype,
)
