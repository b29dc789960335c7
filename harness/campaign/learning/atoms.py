"""The words of atoms: what is said of an axis and of a whole case, with its cost, and how numbers are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from harness.campaign.learning.rows import Columns, Rows, Truths

Test: TypeAlias = "Callable[[Columns], Truths]"
Value: TypeAlias = "Callable[[Columns], Rows]"
Compare: TypeAlias = "Callable[[Rows, Rows | int], Truths]"

#: how two values are compared, and what that adds to the cost
SIGNS: tuple[tuple[str, float, Compare], ...] = (
    (">", 0.0, np.greater),
    (">=", 0.0, np.greater_equal),
    ("<", 0.0, np.less),
    ("<=", 0.0, np.less_equal),
    ("==", 0.2, np.equal),
    ("!=", 0.3, np.not_equal),
)
#: by what a number is divided
_DIVISORS = (2, 3, 4, 8, 16)

_FAR = (48, 49, 63, 64, 65, 96, 97, 127, 128, 129, 255, 256, 257)


@dataclass(frozen=True, slots=True)
class Predicate:
    """A truth for each axis: how it is written (``{}`` for an index), what it costs, and its value (3, N).

    ``extremes`` are how any() and all() of it are written in words of max() and min(), where that reads better.
    """

    template: str
    cost: float
    test: Test
    extremes: tuple[str, str] | None = None
    indexed: bool = True

    @property
    def text(self) -> str:
        """Without an index."""
        return self.template.replace("{}", "")


@dataclass(frozen=True, slots=True)
class Atom:
    """A truth: its text and its cost; ``axis`` where it asks for an axis that is not always there."""

    text: str
    cost: float
    axis: int = 0


def per_axis(name: str, *, times: int = 1, plus: int = 0) -> Value:
    """A per-axis name, or a multiple of it and more."""

    def value(of: Columns) -> Rows:
        return of.axes[name] * times + plus

    return value


def single(name: str) -> Value:
    """A name of the whole case."""

    def value(of: Columns) -> Rows:
        return of.single[name]

    return value


def holds(left: Value, compare: Compare, right: Value | int) -> Test:
    """The comparison of a value with another or with a number."""

    def test(of: Columns) -> Truths:
        return compare(left(of), right if isinstance(right, int) else right(of))

    return test


def rest(value: Value, by: Value | int) -> Value:
    """The remainder of a division."""

    def remainder(of: Columns) -> Rows:
        return np.remainder(value(of), by if isinstance(by, int) else by(of))

    return remainder


def remainders(near: Iterable[int]) -> list[tuple[int, int]]:
    """By what a number is divided and the rest that is told: none, one, and those of the given numbers.

    >>> remainders([7])
    [(2, 0), (2, 1), (3, 0), (3, 1), (4, 0), (4, 3), (8, 0), (8, 7), (16, 0), (16, 7)]
    """
    told = {(by, number % by) for by in _DIVISORS for number in near}
    return sorted({(2, 1), *((by, 0) for by in _DIVISORS), *told})


def at_least(number: int) -> str:
    """``>= 16`` where that is the rounder number, otherwise ``> 2``.

    >>> at_least(16), at_least(3), at_least(0)
    ('>= 16', '> 2', '>= 0')
    """
    return f">= {number}" if _is_round(number) else f"> {number - 1}"


def below(number: int) -> str:
    """``< 16`` where that is the rounder number, otherwise ``<= 6``.

    >>> below(16), below(7), below(2)
    ('< 16', '<= 6', '< 2')
    """
    return f"< {number}" if number < 4 or _is_round(number) else f"<= {number - 1}"


def _is_round(number: int) -> bool:
    return number == 0 or (number >= 4 and number & (number - 1) == 0)


def thresholds(least: int, most: int, near: Iterable[int]) -> list[int]:
    """Numbers at which something may begin: small ones, round ones, and those around the given ones.

    >>> thresholds(60, 70, [68])
    [63, 64, 65, 67, 68, 69, 70]
    """
    around = {value + step for value in near for step in (-1, 0, 1, 2)}
    return sorted(n for n in {*range(least, 42), *_FAR, *around} if least <= n <= most)
