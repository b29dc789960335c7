"""How strategies draw: nothing filtered, nothing rejected, no draw copied over another."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from helpers import EVERY_CHECK, Toy, Worded
from hypothesis import Phase, given, seed, settings
from hypothesis.strategies import DataObject, SearchStrategy, data

import strategies
from harness.layer import Case
from strategies import cases, invalid_cases, layer_cases, spelled_cases
from strategies.weights import Table

SOURCES = sorted(Path(strategies.__file__).parent.glob("*.py"))
APIS = (Toy(), Worded())


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_nothing_is_filtered_or_assumed(source: Path) -> None:
    """No strategy throws a draw away."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"filter", "assume", "reject"}


@pytest.mark.parametrize("strategy", [layer_cases(), cases(apis=APIS), spelled_cases(APIS), invalid_cases(APIS)])
def test_every_attempt_is_a_case(strategy: SearchStrategy[Case]) -> None:
    """Of 150 attempts none fails to give a case."""
    begun: list[int] = []
    finished: list[Case] = []

    @seed(7)
    @settings(
        max_examples=150, database=None, phases=[Phase.generate], deadline=None, suppress_health_check=EVERY_CHECK
    )
    @given(data())
    def attempt(source: DataObject) -> None:
        begun.append(1)
        finished.append(source.draw(strategy))

    attempt()
    assert len(begun) == len(finished) >= 150


def test_places_have_labels_of_their_own() -> None:
    """Hypothesis copies draws of one label over each other: two places of one table have two."""
    table = Table("kernel_size", {1: 1, 2: 1})
    assert table.at(0).label != table.at(1).label
    assert table.at(0).label != Table("stride", {1: 1, 2: 1}).at(0).label
    assert table.at(0) is table.at(0)
