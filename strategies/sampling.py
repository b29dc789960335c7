"""Draws straight from the weights, without Hypothesis's book-keeping: for who will not shrink what was drawn.

The strategies of this package are written once, as functions of ``draw``. ``drawn`` makes a Hypothesis strategy of such
a function and keeps the function beside it; a ``Sampler`` stands in for ``draw`` and makes the same choices with the
same weights from a seed alone. ``python benchmarks/parent.py`` says what that saves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from hypothesis.errors import InvalidArgument
from hypothesis.strategies import DrawFn, SearchStrategy, composite, integers, sampled_from

T = TypeVar("T")

_SAMPLED: WeakKeyDictionary[SearchStrategy[object], Callable[[Sampler], object]] = WeakKeyDictionary()


class Sampler:
    """Hypothesis's ``draw`` for the strategies of this package, a function of its seed alone.

    Only ``random.Random.random`` is used, the one method whose numbers Python promises to keep between versions.

    Raises:
        InvalidArgument: when it draws from a strategy that this package did not make.

    >>> from strategies import layers
    >>> one, other = Sampler(7), Sampler(7)
    >>> one(layers()) == other(layers())
    True
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed).random  # noqa: S311 # nothing here is secret

    def __call__(self, strategy: SearchStrategy[T], label: object = None) -> T:
        """A value of the strategy."""
        sample = _SAMPLED.get(strategy)
        if sample is None:
            raise InvalidArgument(f"{strategy!r}: cannot be sampled, it is no strategy of this package")
        return sample(self)  # type: ignore[return-value]  # kept beside the strategy of this type

    def below(self, count: int) -> int:
        """One of the integers from 0 to ``count - 1``, each as often as any other; at most 2**53 of them."""
        return int(self._random() * count)


def sampled(strategy: SearchStrategy[T], sample: Callable[[Sampler], T]) -> SearchStrategy[T]:
    """The strategy, of which a sampler makes the values in its own way."""
    _SAMPLED[strategy] = sample
    return strategy


def drawn(definition: Callable[[DrawFn], T]) -> SearchStrategy[T]:
    """The strategy of a function of ``draw``: decorates it.

    >>> from hypothesis.strategies import DrawFn
    >>> @drawn
    ... def pair(draw: DrawFn) -> tuple[int, int]:
    ...     first = draw(number(10))
    ...     return first, draw(number(10)) + first
    >>> first, second = Sampler(0)(pair)
    >>> first <= second
    True
    """
    stands_in: Any = definition  # for Hypothesis's DrawFn has a signature besides, which nothing asks for
    return sampled(composite(definition)(), stands_in)


def one_of(options: Sequence[T]) -> SearchStrategy[T]:
    """Any of the options, each as often as any other; it shrinks to the first."""
    return sampled(sampled_from(options), lambda sampler: options[sampler.below(len(options))])


def number(count: int) -> SearchStrategy[int]:
    """An integer from 0 to ``count - 1``."""
    return sampled(integers(0, count - 1), lambda sampler: sampler.below(count))


def choose(draw: DrawFn, options: Sequence[T]) -> T:
    """One of options that are known only while a value is drawn."""
    if isinstance(draw, Sampler):
        return options[draw.below(len(options))]
    return draw(sampled_from(options))
