"""What is found is held against what was planted: results, figures, conditions, the choice of faults."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness import Case, Layer
from harness.errors import UsageError
from harness.planted import FAULTS, SOUND, Fault
from harness.records import Finding
from harness.sensitivity import (
    HEAD,
    Counts,
    Result,
    agreement,
    cells,
    choose,
    document,
    figures,
    summary,
    verdict,
)

CASE = Case(Layer(kernel_size=2, ndim=1), input_size=2)
FLIPPED, PUZZLING, RIGHT = FAULTS["kernel-flipped"], FAULTS["puzzling"], SOUND["correct"]


def finding(kind: str = "value", cause: str | None = None, condition: str | None = None) -> Finding:
    """A finding of a planted target."""
    return Finding(
        id="0123456789ab",
        oracle="agreement",
        kind=kind,
        verdict="wrong-result",
        suspect="harness.planted.channels:KernelFlipped+default",
        targets=(),
        facets={},
        agreeing=(),
        count=1,
        first_case=3,
        sentence="It differs.",
        call="call",
        cause=cause,
        case=CASE.to_json(),
        minimal=CASE.to_json(),
        expected_size=(3,),
        observed_size=(3,),
        max_abs_error=1.0,
        bound_ratio=None,
        rule=None,
        first_difference=None,
        log_tail=None,
        reproduce="deconvdiff replay",
        condition=condition,
    )


def result(fault: Fault, found: Finding | None, share: float | None = None) -> Result:
    """What came of a fault in its third case, or in 400 of them."""
    return Result(fault, found, 400 if found is None else 3, 1.0, share)


def test_a_named_cause_may_have_more_to_it() -> None:
    """What is shown of a cause begins with its name."""
    assert result(FLIPPED, finding(cause="kernel flipped on axis 1")).cause_right is True
    assert result(FLIPPED, finding(cause="shifted by (1,)")).cause_right is False
    assert result(FLIPPED, finding()).cause_right is False
    assert result(FLIPPED, None).cause_right is None


def test_where_nothing_explains_the_fault_no_cause_is_right() -> None:
    """A made up name is as wrong as a wrong one."""
    assert result(PUZZLING, finding()).cause_right is True
    assert result(PUZZLING, finding(cause="shifted by (1,)")).cause_right is False


def test_the_kind_is_the_planted_one() -> None:
    """A crash is no wrong value."""
    assert result(FLIPPED, finding()).kind_right is True
    assert result(FLIPPED, finding(kind="crash")).kind_right is False


def test_a_finding_of_a_sound_target_is_a_failure() -> None:
    """And none is what should be."""
    assert result(RIGHT, None).passed
    assert not result(RIGHT, finding()).passed
    assert result(FLIPPED, finding()).passed
    assert not result(FLIPPED, None).passed


def test_a_condition_is_judged_where_there_is_one_to_be_had() -> None:
    """Not of a fault that shows everywhere, nor of what costs all patience each time; missing, it is wrong."""
    assert result(FLIPPED, replace(finding(condition=None), kind="hang")).condition_right is None
    assert result(FLIPPED, None).condition_right is None
    assert result(PUZZLING, finding(condition="max(k) > 1"), None).condition_right is None
    assert result(FLIPPED, finding(condition=None)).condition_right is False
    assert result(FLIPPED, finding(condition="max(k) > 1"), 1.0).condition_right is True
    assert result(FLIPPED, finding(condition="max(k) > 2"), 0.9).condition_right is False


def test_conditions_agree_on_what_the_target_takes() -> None:
    """A case that it declines says nothing."""
    cases = [CASE, CASE.replace(dtype="float64"), CASE.replace(layer=Layer(kernel_size=1, ndim=1))]
    assert agreement("max(k) > 1", 'max(k) > 1 or dtype == "float64"', cases, RIGHT) == 1.0
    assert agreement("max(k) > 1", "True", cases, RIGHT) == 0.5
    assert agreement("max(k) > 1", "True", [cases[1]], RIGHT) is None
    assert agreement("max(k) > 1", 'max(k) > 1 and mode == "gradient"', cases, RIGHT, "gradient") == 1.0


def test_faults_are_chosen_by_name_and_pattern() -> None:
    """In the order in which they are written, each once."""
    assert [one.name for one in choose(["first-*", "first-stride"])] == [
        name for name in FAULTS if name.startswith("first-")
    ]
    everything = [one.name for one in choose([])]
    assert everything == [*SOUND, *FAULTS]
    assert [one.name for one in choose(["*"])] == everything
    assert [one.name for one in choose(["spins"])] == ["spins"]


@pytest.mark.parametrize("name", ["kernel-fliped", "x*", ""])
def test_an_unknown_name_is_refused(name: str) -> None:
    """With the names that there are."""
    with pytest.raises(UsageError, match="kernel-flipped"):
        choose(["bias-*", name])


RESULTS = [
    result(RIGHT, None),
    result(FLIPPED, finding(cause="kernel flipped", condition="max(k) > 1"), 1.0),
    result(PUZZLING, finding(kind="crash", cause="shifted by (1,)", condition="max(k) > 1")),
    result(FAULTS["bias-missing"], None),
]


def test_the_figures_count_faults_and_sound_targets_apart() -> None:
    """So that "found x of y" can be said of the faults."""
    assert Counts.of(RESULTS) == Counts(3, 2, 1, 1, 1, 1, 1, 1)
    assert figures(RESULTS) == [
        "Planted faults: found 2 of 3, kind right 1, cause right 1, condition right 1 of 1.",
        "Nothing was found of 1 of 1 targets without a fault.",
    ]


def test_the_summary_shows_what_is_not_right() -> None:
    """With what was planted beside what was found; a table cell is never split by what stands in it."""
    lines = summary(RESULTS).splitlines()
    assert lines[0] == "**Planted faults: found 2 of 3**, kind right 1, cause right 1, condition right 1 of 1."
    assert lines[3] == "| " + " | ".join(HEAD) + " |"
    assert [line.split(" | ")[0] for line in lines[5:]] == ["| puzzling", "| bias-missing"]
    assert "crash (planted: value)" in lines[5]
    assert "shifted by (1,) (planted: none)" in lines[5]
    made_up = replace(RESULTS[2], finding=finding(cause="a | b"))
    assert "a \\| b" in summary([made_up])


def test_a_row_has_a_cell_for_each_column() -> None:
    """Of what was found and of what was not."""
    assert all(len(cells(one)) == len(HEAD) for one in RESULTS)
    assert [verdict(one) for one in RESULTS] == ["nothing in 400 cases", "in case 3", "in case 3", "not in 400 cases"]


def test_the_document_is_plain_data() -> None:
    """Everything that the table has, the minimal case and the sentence."""
    written = json.loads(json.dumps(document(RESULTS, 7)))
    assert (written["schema"], written["seed"]) == (1, 7)
    assert written["totals"]["found"] == 2
    assert [entry["name"] for entry in written["sound"]] == ["correct"]
    flipped, puzzling, missing = written["faults"]
    assert flipped["found"]["minimal"] == CASE.to_json()
    assert flipped["condition_right"] is True
    assert (puzzling["kind_right"], puzzling["cause_right"], puzzling["condition_right"]) == (False, False, None)
    assert (missing["found"], missing["passed"], missing["kind_right"]) == (None, False, None)
