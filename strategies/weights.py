"""Weighted choices, each with a label of its own for every place that it is drawn at.

Hypothesis follows each fresh example with up to five in which one draw is copied over another of the same label. That
finds bugs that need equal values; here it would be five sixths of all cases, alike among themselves, with ranks and
corners far from their weights. Where no two draws of a case share a label, every example is a fresh one.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from operator import itemgetter
from typing import Generic, TypeVar

from hypothesis.errors import InvalidArgument
from hypothesis.strategies import SearchStrategy, sampled_from

from strategies.sampling import sampled

T = TypeVar("T")

#: Hypothesis draws integers evenly up to here, and smaller ones more often beyond it
_EVEN = 256


class Table(Generic[T]):
    """Options and how often each is drawn; the simplest one stands first, for draws shrink towards it.

    Raises:
        ValueError: the weights' sum is beyond what Hypothesis draws evenly.

    >>> from hypothesis import find
    >>> find(Table("stride", {1: 3, 2: 1}).at(0), lambda stride: stride > 1)
    2
    """

    def __init__(self, name: str, weights: Mapping[T, int]) -> None:
        if sum(weights.values()) > _EVEN:
            raise ValueError(
                f"the weights of {name} sum up to {sum(weights.values())}: at most {_EVEN} are drawn evenly"
            )
        self.name = name
        self.weights = weights
        self._places: dict[Hashable, SearchStrategy[T]] = {}

    def at(self, place: Hashable = 0) -> SearchStrategy[T]:
        """The strategy of one place, such as an axis; no two draws of a case should be made at the same one."""
        if place not in self._places:
            slots = [(self.name, place, option) for option, weight in self.weights.items() for _ in range(weight)]
            options = [option for _, _, option in slots]
            of_slots = sampled_from(slots).map(itemgetter(2))
            self._places[place] = sampled(of_slots, lambda sampler: options[sampler.below(len(options))])
        return self._places[place]


def among(name: str, options: Iterable[T]) -> Table[T]:
    """A table of equal weights."""
    return Table(name, dict.fromkeys(options, 1))


def up_to(table: Table[int], maximum: int) -> Table[int]:
    """The table's integers that are at most ``maximum``, or ``maximum`` itself where all of them are above it.

    >>> up_to(Table("stride", {1: 1, 2: 1, 4: 1}), 3).weights
    {1: 1, 2: 1}
    """
    weights = {value: weight for value, weight in table.weights.items() if value <= maximum}
    return Table(table.name, weights or {maximum: 1})


def check_between(name: str, value: object, least: int, most: int) -> None:
    """Refuse an option that is no integer from ``least`` to ``most``.

    Raises:
        InvalidArgument: names the option, the value and the range.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidArgument(f"{name}={value!r}: must be an integer from {least} to {most}")


def check_strategy(name: str, value: object) -> None:
    """Refuse anything but a strategy.

    Raises:
        InvalidArgument: names the option and the value.
    """
    if not isinstance(value, SearchStrategy):
        raise InvalidArgument(f"{name}={value!r}: must be a Hypothesis strategy")


def check_flag(name: str, value: object) -> None:
    """Refuse anything but True and False.

    Raises:
        InvalidArgument: names the option and the value.
    """
    if not isinstance(value, bool):
        raise InvalidArgument(f"{name}={value!r}: must be True or False")
