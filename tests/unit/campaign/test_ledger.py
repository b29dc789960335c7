"""Disagreements become findings: one for each signature, with the simplest case that showed it."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest

from harness import Case, Crop, Layer
from harness.campaign.ledger import Ledger
from harness.layer import Spelling
from harness.records import (
    Asked,
    Disagreement,
    Expression,
    Finding,
    FirstDifference,
    Kind,
    Observation,
    Oracle,
    Outcome,
    Rule,
    Target,
)

EAGER = Target("some.conv", "eager")
XLA = Target("some.conv", "xla", device="cuda")
SMALL = Case(Layer(1, 1, 2, bias=False, ndim=1), input_size=(2,))
MIDDLE = Case(Layer(1, 1, 2, 2, bias=False, ndim=1), input_size=(2,))
LARGE = Case(Layer(2, 3, 3, 2, 1, 1, ndim=2), batch=2, input_size=(4, 5), dtype="float64", seed=8)


def disagreement(target: Target = EAGER, kind: Kind = Kind.VALUE, **changes: Any) -> Disagreement:
    """One objection to a target."""
    asked = Asked(target, f"{target.api}(x)", Expression(None, (Crop(0, 0),)), how=f"in {target.mode} mode")
    observation = Observation(target.name, Outcome.OK, shape=(1, 1, 9), log_tail="the log")
    return replace(Disagreement(Oracle.AGREEMENT, kind, asked, observation), **changes)


def record(
    ledger: Ledger, ordinal: int, case: Case = SMALL, found: Disagreement | None = None, agreeing: tuple[str, ...] = ()
) -> Finding:
    """Record one disagreement of a case, with the versions of the two targets."""
    versions: dict[str, str | None] = {EAGER.name: "1.0", XLA.name: "2.0"}
    return ledger.record(ordinal, case, found or disagreement(), agreeing, versions)


def test_a_disagreement_opens_a_finding_that_has_its_signature_as_id() -> None:
    """With everything that the judge said, and the case as plain data."""
    found = disagreement(
        max_abs_error=2.0,
        bound_ratio=3.5,
        cause="no groups",
        expected_size=(7,),
        rule=Rule("text", "https://example.org"),
        first_difference=FirstDifference((0, 0, 1), 1.0, 3.0, "[1.]", "[3.]"),
    )
    finding = record(Ledger(), 4, LARGE, found, ("other+eager",))
    assert finding.id == found.signature
    assert (finding.oracle, finding.kind, finding.cause) == ("agreement", "value", "no groups")
    assert (finding.suspect, finding.targets) == (EAGER.name, (EAGER.name,))
    assert (finding.count, finding.first_case) == (1, 4)
    assert (finding.expected_size, finding.observed_size) == ((7,), (9,))
    assert (finding.max_abs_error, finding.bound_ratio) == (2.0, 3.5)
    assert (finding.rule, finding.first_difference, finding.log_tail) == (found.rule, found.first_difference, "the log")
    assert (finding.agreeing, finding.status) == (("other+eager",), "unknown")
    assert Case.from_json(finding.case) == LARGE
    assert (finding.call, finding.minimal) == ("some.conv(x) in eager mode", None)


def test_one_signature_is_one_finding() -> None:
    """Other cases, modes and versions of it are added; another signature opens another, in order."""
    ledger = Ledger()
    record(ledger, 1)
    record(ledger, 2, MIDDLE, disagreement(XLA))
    record(ledger, 2, MIDDLE, disagreement(kind=Kind.SIZE))
    record(ledger, 3, LARGE, disagreement(kind=Kind.GRADIENT))
    assert [(finding.kind, finding.count) for finding in ledger.findings] == [("value", 3), ("size", 1)]


def test_what_is_returned_is_the_present_form() -> None:
    """Events carry it, so that a reader needs no other source."""
    ledger = Ledger()
    for ordinal in (1, 2, 3):
        finding = record(ledger, ordinal)
        assert ledger.findings == (finding,)
        assert finding.count == ordinal


def test_a_case_is_counted_once_however_many_targets_show_it() -> None:
    """Count is a number of cases."""
    ledger = Ledger()
    for ordinal in (3, 5):
        record(ledger, ordinal)
        record(ledger, ordinal, SMALL, disagreement(XLA))
    (finding,) = ledger.findings
    assert finding.count == 2
    assert finding.targets == (EAGER.name, XLA.name)


def test_two_findings_of_one_case_are_counted_each_for_itself() -> None:
    """A case that shows two of them in turns is one case of each."""
    ledger = Ledger()
    for found in (disagreement(), disagreement(kind=Kind.SIZE), disagreement(XLA), disagreement(XLA, Kind.SIZE)):
        record(ledger, 1, SMALL, found)
    assert [finding.count for finding in ledger.findings] == [1, 1]


@pytest.mark.parametrize("order", [(SMALL, LARGE), (LARGE, SMALL)], ids=["simple first", "simple last"])
def test_the_simplest_case_is_kept_and_the_first_is_remembered(order: tuple[Case, ...]) -> None:
    """Whichever comes first: what is shown is the simple one, what is counted from is the first one."""
    ledger = Ledger()
    for ordinal, case in enumerate(order, start=11):
        record(ledger, ordinal, case, disagreement(max_abs_error=float(case.ndim)))
    (finding,) = ledger.findings
    assert Case.from_json(finding.case) == SMALL
    assert finding.max_abs_error == 1.0
    assert str(SMALL.input_size) in finding.sentence
    assert (finding.first_case, finding.count) == (11, 2)


@pytest.mark.parametrize(
    ("simple", "other"),
    [
        (LARGE.replace(layer=Layer(4, 4, 9, ndim=1), input_size=(9,)), LARGE),
        (SMALL, SMALL.replace(input_size=(3,))),
        (SMALL, SMALL.replace(batch=2)),
        (SMALL, MIDDLE),
        (SMALL, SMALL.replace(layer=Layer(1, 1, 2, padding=1, output_padding=1, bias=False, ndim=1))),
        (SMALL, SMALL.replace(layer=Layer(1, 1, 2, padding=-1, bias=False, ndim=1))),
        (SMALL, SMALL.replace(layer=Layer(1, 1, 2, bias=True, ndim=1))),
    ],
    ids=["fewer axes", "smaller input", "smaller batch", "stride", "padding", "negative padding", "no bias"],
)
def test_simple_is_what_is_easy_to_look_at(simple: Case, other: Case) -> None:
    """Fewer axes first, then less work, then smaller hyper-parameters in either sign."""
    for pair in ((simple, other), (other, simple)):
        ledger = Ledger()
        for ordinal, case in enumerate(pair):
            record(ledger, ordinal, case)
        assert Case.from_json(ledger.findings[0].case) == simple


def test_the_simplest_call_is_kept_of_spelled_cases() -> None:
    """They have no layer to weigh: fewer axes, a smaller input, fewer and smaller arguments."""
    simple = Case.spelled(Spelling("some.conv", {"stride": 2}), input_size=(2,))
    others = [
        Case.spelled(Spelling("some.conv", {"stride": 2}), input_size=(2, 2)),
        Case.spelled(Spelling("some.conv", {"stride": 2}), input_size=(3,)),
        Case.spelled(Spelling("some.conv", {"stride": 2, "padding": 1}), input_size=(2,)),
        Case.spelled(Spelling("some.conv", {"stride": 7}), input_size=(2,)),
    ]
    for other in others:
        for pair in ((simple, other), (other, simple)):
            ledger = Ledger()
            for ordinal, case in enumerate(pair):
                record(ledger, ordinal, case)
            assert Case.from_json(ledger.findings[0].case) == simple


def test_a_simpler_case_brings_its_suspect_and_its_sentence() -> None:
    """The parts of a finding that speak of one observation all speak of the same one."""
    ledger = Ledger()
    record(ledger, 1, LARGE, disagreement(XLA), ("one+eager",))
    finding = record(ledger, 2, SMALL, disagreement(EAGER), ("two+eager",))
    assert (finding.suspect, finding.agreeing) == (EAGER.name, ("two+eager",))
    assert "in eager mode" in finding.sentence
    assert EAGER.name in finding.reproduce


def test_facets_are_collected_sorted_and_without_repetition() -> None:
    """Modes, devices, versions, dtypes and numbers of axes of everything that showed it, also of cases not kept."""
    ledger = Ledger()
    record(ledger, 1, LARGE, disagreement(XLA))
    record(ledger, 2, SMALL)
    finding = record(ledger, 3, SMALL)
    assert finding.facets == {
        "modes": ("eager", "xla"),
        "devices": ("cpu", "cuda"),
        "versions": ("1.0", "2.0"),
        "dtypes": ("float32", "float64"),
        "ndims": (1, 2),
    }


def test_a_target_without_a_version_has_none_in_the_facets() -> None:
    """A third party need not say one."""
    finding = Ledger().record(1, SMALL, disagreement(), (), {EAGER.name: None})
    assert finding.facets["versions"] == ()


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        (Kind.SIZE, "wrong-result"),
        (Kind.VALUE, "wrong-result"),
        (Kind.DTYPE, "wrong-result"),
        (Kind.NONDETERMINISM, "wrong-result"),
        (Kind.CRASH, "crash"),
        (Kind.HANG, "crash"),
        (Kind.MEMORY, "crash"),
        (Kind.ACCEPTANCE, "contract"),
        (Kind.SHAPE_INFERENCE, "contract"),
        (Kind.REJECTION, "limitation"),
    ],
)
def test_every_kind_has_its_class(kind: Kind, verdict: str) -> None:
    """The four classes of the JSON output."""
    assert record(Ledger(), 1, SMALL, disagreement(kind=kind)).verdict == verdict


def command(case: Case, target: Target, kind: Kind = Kind.VALUE) -> dict[str, str]:
    """The options of the command that reproduces a finding, as a shell would pass them."""
    words = shlex.split(record(Ledger(), 1, case, disagreement(target, kind)).reproduce)
    assert words[:2] == ["deconvdiff", "replay"]
    return dict(zip(words[2::2], words[3::2], strict=True))


@pytest.mark.parametrize("text", ["it's", 'a "quoted" $HOME `id` \\', "new\nline; rm -rf *", "ü"])
def test_the_command_to_reproduce_is_quoted_for_a_shell(text: str) -> None:
    """Whatever a case holds, the shell passes it on as it is, and it reads back as the case."""
    case = Case.spelled(Spelling("some.conv", {"padding": text}), input_size=(2,))
    options = command(case, EAGER)
    assert Case.from_json(options["--case"]) == case
    assert options["--target"] == EAGER.name
    assert json.loads(options["--case"]) == case.to_json()


def test_the_command_to_reproduce_names_what_is_needed_to_see_it_again() -> None:
    """The suspect alone; the whole API where two modes are held against each other; a class by its location."""
    assert command(LARGE, XLA)["--target"] == XLA.name
    assert command(LARGE, XLA, Kind.SHAPE_INFERENCE)["--target"] == "some.conv"
    assert command(LARGE, Target("pkg.ops:Mine", "default"))["--target"] == "pkg.ops:Mine"
