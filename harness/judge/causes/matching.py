"""Which order of channels and which shifts an observation allows: the search that keeps the lists of hypotheses short.

What is found here is proposed, not proved: every element is compared afterwards, like any other prediction's.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.records import Size
from harness.reference import Array

#: how many comparisons the search for an order may take, how many shifts are looked at, tried, and told from how much
_COMPARISONS = 2**20
_SHIFTS = 2**16
_TRIED = 32
_PROBES = 48


def order_of(observed: Array, right: Array, slack: float) -> tuple[int, ...] | None:
    """The order, other than their own, in which the rows of ``right`` stand in ``observed``; None where there is none.

    Equal rows stay where they are, unless it is only they that can change places.

    >>> right = np.array([[1, 2], [3, 4], [3, 4]])
    >>> order_of(right[[1, 0, 2]], right, 0.0), order_of(right, right, 0.0), order_of(right[:2], right[:2], 0.0)
    ((1, 0, 2), (0, 2, 1), None)
    """
    if (count := len(right)) == 1:
        return None
    seen = _spread(right.shape[1], max(_COMPARISONS // count**2, 1))
    alike = (np.abs(observed[:, None, seen] - right[None, :, seen]) <= slack).all(axis=2)
    order = {row: row for row in range(count) if alike[row, row]}
    if len(order) == count:
        return _twins_exchanged(alike)
    free = [row for row in range(count) if row not in order]
    for row in list(free):
        found = next((other for other in free if alike[row, other]), None)
        if found is None:
            return None
        free.remove(found)
        order[row] = found
    return tuple(order[row] for row in range(count))


def orders(count: int) -> Iterator[tuple[int, ...]]:
    """Orders worth trying: all but the usual one where there are few, otherwise reversed and rolled by one.

    >>> list(orders(2)), len(list(orders(4))), len(list(orders(9)))
    ([(1, 0)], 23, 3)
    """
    same = tuple(range(count))
    usual = (same[::-1], same[1:] + same[:1], same[-1:] + same[:-1])
    tried = itertools.chain(usual, itertools.permutations(same) if count <= 4 else ())
    yield from (order for order in dict.fromkeys(tried) if order != same)


def interleaved(groups: int, per_group: int) -> Iterator[tuple[int, ...]]:
    """Group-major channels read as group-minor ones, and the other way round.

    >>> list(interleaved(2, 3))
    [(0, 3, 1, 4, 2, 5), (0, 2, 4, 1, 3, 5)]
    """
    channels = np.arange(groups * per_group)
    for rows in (groups, per_group):
        yield tuple(channels.reshape(rows, -1).T.ravel().tolist())


def shifts(observed: Array, right: Array, blank: Array, slack: float) -> list[Size]:
    """Shifts t, the smallest first, with which element j of ``observed`` may be element j - t of ``right``.

    Where j - t is outside, anything may stand. Far shifts of large outputs are not looked at.

    >>> right = np.arange(1.0, 6.0).reshape(1, 1, 5)
    >>> shifts(np.array([[[0.0, 0.0, 1.0, 2.0, 3.0]]]), right, np.zeros((1, 1, 5)), 0.0)[0]
    (2,)
    """
    size = right.shape[2:]
    limit = (round(_SHIFTS ** (1 / len(size))) - 1) // 2
    reach = [min(max(m - 1, 1), limit) for m in size]
    possible = np.ones([2 * r + 1 for r in reach], dtype=bool)
    for probe in _telling(observed, blank, slack):
        value, plane = observed[probe], right[probe[:2]]
        for_shifts, of_plane = _seen_by(probe[2:], reach, size)
        possible[for_shifts] &= np.abs(plane[of_plane] - value) <= slack
    found = np.argwhere(possible) - reach
    nearest = found[np.abs(found).sum(axis=1).argsort(kind="stable")[: _TRIED + 1]]
    return [shift for shift in map(tuple, nearest.tolist()) if any(shift)]


def _twins_exchanged(alike: NDArray[np.bool_]) -> tuple[int, ...] | None:
    """Two rows that are each like the other, exchanged."""
    pairs = np.argwhere(np.triu(alike & alike.T, 1))
    if not len(pairs):
        return None
    order = list(range(len(alike)))
    first, second = pairs[0]
    order[first], order[second] = int(second), int(first)
    return tuple(order)


def _telling(observed: Array, blank: Array, slack: float) -> Iterator[tuple[int, ...]]:
    """Places spread over the observation, where it is not blank if there are such."""
    places = np.flatnonzero(~(np.abs(observed - blank) <= slack))
    if not places.size:
        places = np.arange(observed.size)
    for place in places[_spread(places.size, _PROBES)]:
        yield tuple(int(i) for i in np.unravel_index(place, observed.shape))


def _seen_by(place: Sequence[int], reach: Sequence[int], size: Size) -> tuple[Any, Any]:
    """The shifts that bring some element of the right answer to a place, and these elements in the same order."""
    of_shifts, of_plane = [], []
    for j, r, m in zip(place, reach, size, strict=True):
        first, last = max(j - m + 1, -r), min(j, r)
        of_shifts.append(slice(first + r, last + r + 1))
        of_plane.append(slice(j - first, j - last - 1 if j > last else None, -1))
    return tuple(of_shifts), tuple(of_plane)


def _spread(count: int, most: int) -> NDArray[np.intp]:
    """At most so many indices below ``count``, evenly spread, first and last among them."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.intp)
