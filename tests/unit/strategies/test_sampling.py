"""Straight draws: the same weights as through Hypothesis, from the seed alone."""

from __future__ import annotations

from collections import Counter

import pytest
from helpers import Toy, sample, sample_straight
from hypothesis.errors import InvalidArgument
from hypothesis.strategies import DrawFn, SearchStrategy, just

from harness.layer import Layer
from strategies import (
    invalid_cases,
    layer_cases,
    layers,
    published_layers,
    spelled_cases,
    spellings,
    values,
)
from strategies.sampling import Sampler, choose, drawn, number, one_of
from strategies.weights import Table

STRATEGIES: dict[str, SearchStrategy[object]] = {
    "layers": layers(),
    "layer_cases": layer_cases(),
    "values": values(),
    "published_layers": published_layers(),
    "spellings": spellings(Toy()),
    "spelled_cases": spelled_cases([Toy()]),
    "invalid_cases": invalid_cases([Toy()]),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_can_be_sampled(name: str) -> None:
    """One seed gives one sequence of values, many of them different."""
    drawn = sample_straight(STRATEGIES[name], 50)
    assert drawn == sample_straight(STRATEGIES[name], 50)
    assert len({repr(value) for value in drawn}) > 15


def test_a_table_keeps_its_weights() -> None:
    """Each option comes as often as its weight says, to within five standard deviations."""
    weights = {"rare": 1, "usual": 9, "mostly": 30}
    counts = Counter(sample_straight(Table("how often", weights).at(), 8000))
    for option, weight in weights.items():
        share = weight / 40
        assert abs(counts[option] - 8000 * share) < 5 * (8000 * share * (1 - share)) ** 0.5


def test_both_ways_have_the_same_weights() -> None:
    """Of what Hypothesis draws and of what is drawn straight, the same shares have so many axes and groups."""
    ways = [Counter((layer.ndim, layer.groups > 1) for layer in way(layers(), 1500)) for way in (sample, straight)]
    for kind in ways[0] | ways[1]:
        assert abs(ways[0][kind] - ways[1][kind]) < 110, kind


def straight(strategy: SearchStrategy[Layer], count: int) -> list[Layer]:
    """Typed for a list of two ways."""
    return sample_straight(strategy, count)


def test_numbers_and_options_reach_both_ends() -> None:
    """The first and the last one are drawn, and nothing beyond."""
    assert set(sample_straight(number(3), 100)) == {0, 1, 2}
    assert set(sample_straight(one_of("ab"), 100)) == {"a", "b"}


def test_what_is_known_only_while_drawing() -> None:
    """``choose`` draws from a list that another draw has made, both ways."""

    @drawn
    def below(draw: DrawFn) -> tuple[int, int]:
        most = draw(number(4)) + 1
        return most, choose(draw, range(most))

    for way in (sample, sample_straight):
        assert all(value < most for most, value in way(below, 60))


def test_another_strategy_is_refused() -> None:
    """Its values are Hypothesis's business: there is nothing beside it to draw from."""
    with pytest.raises(InvalidArgument, match=r"just\(3\).*cannot be sampled"):
        Sampler(0)(just(3))
