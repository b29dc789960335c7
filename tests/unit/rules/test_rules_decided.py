"""Every statement is decided by its box and beyond it, and a statement that is wrong about itself is noticed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from harness.errors import UsageError
from harness.rules.decide import Decision, decide
from harness.rules.statement import Statement, Truths, Verdict, truths, verdict
from harness.rules.statements import STATEMENTS, upto
from harness.sizes import Ints

BY_ID = {one.id: one for one in STATEMENTS}
CONDITIONAL = [one.id for one in STATEMENTS if one.condition is not None]


@pytest.fixture(scope="module")
def decided() -> Mapping[int, Decision]:
    return {one.id: decide(one, drawn=25) for one in STATEMENTS}


def holds(number: int, **coordinates: int) -> bool | None:
    """Whether a statement holds for one tuple; None where it does not speak of it."""
    statement = BY_ID[number]
    columns = statement.of({name: np.array([value]) for name, value in coordinates.items()})
    return bool(statement.holds(columns)[0]) if len(columns["n"]) else None


def test_the_numbers_of_the_statements_are_their_places() -> None:
    """People name rules by number: none is missing, none is there twice."""
    assert [one.id for one in STATEMENTS] == list(range(1, len(STATEMENTS) + 1))
    assert len(STATEMENTS) >= 15


@pytest.mark.parametrize("number", BY_ID)
def test_the_verdict_is_the_recorded_one_on_at_least_a_hundred_tuples(
    number: int, decided: Mapping[int, Decision]
) -> None:
    """Counts and verdict belong together, and a condition is reported where there is one to report."""
    statement, found = BY_ID[number], decided[number]
    assert (found.verdict, found.condition) == (statement.recorded, statement.condition)
    assert found.checked >= 100
    assert found.drawn > 0
    assert (found.verdict is Verdict.HOLDS) == (found.holds_on == found.checked) == (found.counterexample is None)
    assert found.deviation is None


@pytest.mark.parametrize("number", BY_ID)
def test_a_statement_names_its_source_and_domain(number: int) -> None:
    """An address that can be opened; the box stands in the domain's words."""
    statement = BY_ID[number]
    assert statement.source.url.startswith("https://")
    assert statement.source.text
    assert statement.words.startswith(statement.domain + "; every ")


#: worked out by hand
WORKED: list[tuple[int, dict[str, int], bool | None]] = [
    (1, {"n": 3, "k": 3, "s": 2, "p": 0, "d": 1}, True),  # 7 and 8
    (1, {"n": 3, "k": 3, "s": 1, "p": 0, "d": 1}, None),
    (2, {"n": 3, "k": 3, "s": 2, "p": 1}, True),  # 5 and 6
    (2, {"n": 3, "k": 4, "s": 2, "p": 1}, False),  # 6 and 7
    (3, {"n": 3, "k": 3, "s": 2, "p": 1, "a": 1, "d": 1}, True),
    (3, {"n": 3, "k": 3, "s": 2, "p": 1, "a": 1, "d": 2}, False),  # 8, not 6
    (3, {"n": 3, "k": 3, "s": 1, "p": 1, "a": 1, "d": 1}, None),
    (4, {"n": 3, "k": 3, "s": 2, "p": 1, "d": 1}, True),
    (4, {"n": 3, "k": 3, "s": 2, "p": 3, "d": 1}, None),
    (5, {"n": 4, "k": 3, "s": 2, "d": 1}, True),  # 8
    (5, {"n": 4, "k": 4, "s": 2, "d": 1}, False),  # 9
    (6, {"n": 4, "k": 4, "s": 2, "d": 1}, True),  # 8
    (6, {"n": 4, "k": 5, "s": 2, "d": 1}, False),  # 9
    (6, {"n": 4, "k": 1, "s": 2, "d": 1}, None),
    (7, {"n": 3, "k": 3, "s": 1, "p": 0, "a": 0, "d": 2}, True),
    (7, {"n": 3, "k": 3, "s": 1, "p": 0, "a": 1, "d": 2}, False),  # 8 convolves to 4
    (8, {"m": 6, "k": 3, "s": 2}, True),
    (8, {"m": 5, "k": 3, "s": 2}, False),  # 3, too
    (10, {"n": 3, "k": 3, "s": 2, "p": 1, "a": 1, "d": 1}, True),
    (10, {"n": 3, "k": 3, "s": 2, "p": 0, "a": 1, "d": 1}, False),
    (11, {"n": 3, "k": 4, "s": 2, "d": 1}, True),  # (1, 1)
    (11, {"n": 3, "k": 3, "s": 2, "d": 1}, False),  # (0, 1) and (1, 0)
    (11, {"n": 3, "k": 1, "s": 2, "d": 1}, None),
    (12, {"m": 7, "k": 3, "s": 2, "p": 0, "a": 0, "d": 1}, True),
    (12, {"m": 8, "k": 3, "s": 2, "p": 0, "a": 0, "d": 1}, False),  # 8 to 3 to 7
    (12, {"m": 8, "k": 3, "s": 2, "p": 0, "a": 1, "d": 1}, True),
    (14, {"n": 3, "k": 3, "s": 2, "a": 0}, True),  # 5
    (14, {"n": 3, "k": 2, "s": 2, "a": 0}, False),  # 4, from which SAME leads to 2
    (15, {"n": 3, "k": 3, "s": 2, "p": 1, "a": 0}, True),  # 5, (1, 1)
    (15, {"n": 3, "k": 3, "s": 2, "p": 1, "a": 1}, False),  # 6, (1, 0) and (0, 1)
    (16, {"n": 4, "k": 2, "s": 2, "d": 2}, True),  # p = 1: 8
    (16, {"n": 4, "k": 2, "s": 2, "d": 3}, False),  # p = 1: 9
    (18, {"n": 3, "k": 3, "s": 2, "d": 1}, True),
]


@pytest.mark.parametrize(("number", "coordinates", "due"), WORKED)
def test_tuples_that_were_worked_out_by_hand(number: int, coordinates: dict[str, int], due: bool | None) -> None:
    """Where a statement holds, where not, and of what it does not speak."""
    assert holds(number, **coordinates) is due


def test_rule_5_fails_exactly_for_even_kernels(decided: Mapping[int, Decision]) -> None:
    """On its whole domain, d = 1; the smallest kernel for which it fails is 2."""
    found = decided[5]
    assert set(found.columns["d"]) == {1}
    assert np.array_equal(found.held, found.columns["k"] % 2 == 1)
    assert found.condition == "k % 2 == 1"
    assert found.counterexample is not None
    assert (found.counterexample["k"], found.counterexample["n"], found.counterexample["s"]) == (2, 1, 1)


@pytest.mark.parametrize("number", CONDITIONAL)
def test_a_condition_that_is_wrong_is_noticed(number: int) -> None:
    """The opposite, one that is too wide, and none at all: none of them gives the recorded verdict."""
    statement = BY_ID[number]
    for wrong in (f"~({statement.condition})", f"({statement.condition}) | (n == 2)"):
        found = decide(replace(statement, condition=wrong), drawn=5)
        assert (found.verdict, found.condition) == (Verdict.FAILS, None)
        assert found.deviation is not None
    assert decide(replace(statement, condition=None), drawn=5).verdict is Verdict.FAILS


def test_a_condition_that_is_wrong_beyond_the_box_is_noticed() -> None:
    """Hypothesis draws larger tuples, and reduces the one that it finds to the simplest that it knows."""
    most = max(BY_ID[5].box["k"])
    found = decide(replace(BY_ID[5], condition=f"(k % 2 == 1) | (k > {most})"))
    assert found.verdict is Verdict.FAILS
    assert found.deviation is not None
    assert found.deviation["k"] > most
    assert found.deviation["k"] % 2 == 0


def test_what_holds_on_the_box_alone_does_not_hold() -> None:
    """A check that fails for large sizes only has its counterexample there."""

    def small(columns: Mapping[str, Ints]) -> Truths:
        found: Truths = columns["n"] < 13
        return found

    found = decide(replace(BY_ID[9], holds=small))
    assert (found.verdict, found.holds_on) == (Verdict.FAILS, found.checked)
    assert found.counterexample is not None
    assert found.counterexample["n"] == 13


def test_a_check_that_is_wrong_changes_the_verdict() -> None:
    """The verdict is computed: what is recorded beside the statement does not enter."""
    always = replace(BY_ID[5], holds=lambda columns: columns["n"] > 0)
    never = replace(BY_ID[9], holds=lambda columns: columns["n"] < 0)
    assert decide(always, drawn=5).verdict is Verdict.HOLDS
    assert decide(never, drawn=5).verdict is Verdict.FAILS
    assert decide(replace(BY_ID[5], recorded=Verdict.HOLDS), drawn=5).verdict is Verdict.CONDITIONAL


def test_the_smallest_tuple_stands_first() -> None:
    """By the sum of the coordinates, then in the box's order."""
    columns = replace(BY_ID[5], box={"n": upto(2), "k": upto(2), "s": (1,)}).columns()
    assert list(zip(columns["n"].tolist(), columns["k"].tolist(), strict=True)) == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_a_domain_leaves_tuples_out() -> None:
    """Of k >= s the rest is not looked at, and what follows from the coordinates is there."""
    columns = BY_ID[6].columns()
    assert (columns["k"] >= columns["s"]).all()
    assert np.array_equal(columns["p"], (columns["k"] - columns["s"]) // 2)
    assert np.array_equal(columns["e"], columns["k"])


def test_conditions_are_about_what_tuples_have() -> None:
    """What cannot be asked of an axis is an error, not false."""
    columns = {"k": np.array([1, 2])}
    assert truths("(k > 1) & (k % 2 == 0)", columns).tolist() == [False, True]
    with pytest.raises(ValueError, match="asks for s"):
        truths("k > s", columns)
    with pytest.raises(UsageError, match="'q' is not a name"):
        truths("k > q", columns)


@pytest.mark.parametrize(
    ("held", "condition", "due"),
    [
        ([True, True], [True, True], Verdict.HOLDS),
        ([True, True], [True, False], Verdict.HOLDS),
        ([False, False], [False, False], Verdict.FAILS),
        ([True, False], [True, False], Verdict.CONDITIONAL),
        ([True, False], [True, True], Verdict.FAILS),
        ([True, False], None, Verdict.FAILS),
    ],
)
def test_a_verdict_follows_from_counts_and_condition(
    held: list[bool], condition: list[bool] | None, due: Verdict
) -> None:
    """All, none, exactly where the condition says, or fails."""
    claimed = None if condition is None else np.array(condition)
    assert verdict(np.array(held), claimed) is due


def test_statements_are_plain_data() -> None:
    """A statement may be changed and decided again: nothing is kept between two decisions."""
    statement: Statement = replace(BY_ID[2], box={**BY_ID[2].box, "n": upto(5)})
    assert decide(statement, drawn=2).checked == 5
    assert decide(BY_ID[2], drawn=2).checked == 128
