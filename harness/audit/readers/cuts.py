"""The slice right after a layer, gathered from the operations that make it up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from harness.audit.found import Cut

#: axis (of N, C and the spatial ones), begin, end, step
Slice: TypeAlias = "tuple[int, int | None, int | None, int | None]"

#: what stands for "to the end" in files that have no None
_FAR = 2**31 - 1


class Cutting:
    """The cut of a layer's spatial axes so far; each axis can be cut once.

    >>> cutting = Cutting(2)
    >>> cutting.take(3, 1, -1), cutting.take(3, 2, None), cutting.take(1, 0, 8)
    (True, False, False)
    >>> cutting.cut
    ((0, None), (1, -1))
    """

    def __init__(self, ndim: int, *, channels_last: bool = False) -> None:
        self._axes: list[tuple[int, int | None]] = [(0, None)] * ndim
        self._first = 1 if channels_last else 2

    @property
    def cut(self) -> Cut:
        """What was taken; empty if that is nothing."""
        return tuple(self._axes) if any(axis != (0, None) for axis in self._axes) else ()

    def take(self, axis: int, begin: int | None, end: int | None, step: int | None = 1) -> bool:
        """Take a slice of one axis (of N, C and the spatial ones) into the cut; False if it cannot be."""
        rank = len(self._axes) + 2
        axis += rank if axis < 0 else 0
        begin, end = _told(begin, end)
        if (begin, end) == (0, None) and step in (None, 1):
            return True
        place = axis - self._first
        if step not in (None, 1) or not 0 <= place < len(self._axes) or self._axes[place] != (0, None):
            return False
        self._axes[place] = (begin, end)
        return True

    def take_all(self, slices: Iterable[Slice]) -> bool:
        """Take slices of several axes: all of them or none."""
        before = list(self._axes)
        if all(self.take(*one) for one in slices):
            return True
        self._axes = before
        return False


def int_or_none(value: Any) -> int | None:
    """A number that is one; None of a symbol for a size that is not known yet.

    >>> int_or_none(3), int_or_none("s0")
    (3, None)
    """
    return value if type(value) is int else None


def taken_away(pad: Iterable[Any], ndim: int) -> list[Slice] | None:
    """A padding of PyTorch's, (begin, end) pairs from the last axis on, as slices; None where it adds something.

    >>> taken_away((-1, 0, 0, -2), 2)
    [(3, 1, None, 1), (2, 0, -2, 1)]
    """
    numbers = [int_or_none(n) for n in pad]
    known = [n for n in numbers if n is not None]
    if len(known) != len(numbers) or len(known) % 2 or max(known, default=1) > 0:
        return None
    pairs = zip(known[::2], known[1::2], strict=True)
    return [(ndim + 1 - i, -begin, end or None, 1) for i, (begin, end) in enumerate(pairs)]


def _told(begin: int | None, end: int | None) -> tuple[int, int | None]:
    """The ends without the numbers that stand for "all"."""
    begin = 0 if begin is None or begin <= -_FAR else begin
    return begin, None if end is not None and end >= _FAR else end


def taken(what: str) -> str:
    """The note on a slice that is in the cut."""
    return f"{what} after it is taken into the crop"


def outside(what: str) -> str:
    """The note on a slice that is not."""
    return f"{what} after it is outside the layer"
