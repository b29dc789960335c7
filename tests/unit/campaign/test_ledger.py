"""Disagreements become findings: one for each signature, told by its minimal case; known ones apart."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from harness import Case, Crop, Layer
from harness.campaign.investigate import Judged, Known
from harness.campaign.ledger import Ledger
from harness.judge.baseline import Entry
from harness.judge.oracles import Question, Verdict
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
    """Record one disagreement of a case that no baseline knows."""
    found = found or disagreement()
    return ledger.record(ordinal, case, found, Known(found.signature, None), agreeing)


def new_ledger() -> Ledger:
    """A ledger that knows the versions of the two targets."""
    return Ledger({EAGER.name: "1.0", XLA.name: "2.0"}, date(2026, 6, 1))


def entry(identity: str = "odd", expires: date | None = None) -> Entry:
    """An entry of a baseline."""
    return Entry(identity, Oracle.AGREEMENT, "some.conv", Kind.VALUE, "seen before", expires=expires)


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
    finding = record(new_ledger(), 4, LARGE, found, ("other+eager",))
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
    ledger = new_ledger()
    record(ledger, 1)
    record(ledger, 2, MIDDLE, disagreement(XLA))
    record(ledger, 2, MIDDLE, disagreement(kind=Kind.SIZE))
    record(ledger, 3, LARGE, disagreement(kind=Kind.GRADIENT))
    assert [(finding.kind, finding.count) for finding in ledger.findings] == [("value", 3), ("size", 1)]


def test_what_is_returned_is_the_present_form() -> None:
    """Events carry it, so that a reader needs no other source."""
    ledger = new_ledger()
    for ordinal in (1, 2, 3):
        finding = record(ledger, ordinal)
        assert ledger.findings == (finding,)
        assert finding.count == ordinal


def test_a_case_is_counted_once_however_many_targets_show_it() -> None:
    """Count is a number of cases."""
    ledger = new_ledger()
    for ordinal in (3, 5):
        record(ledger, ordinal)
        record(ledger, ordinal, SMALL, disagreement(XLA))
    (finding,) = ledger.findings
    assert finding.count == 2
    assert finding.targets == (EAGER.name, XLA.name)


def test_two_findings_of_one_case_are_counted_each_for_itself() -> None:
    """A case that shows two of them in turns is one case of each."""
    ledger = new_ledger()
    for found in (disagreement(), disagreement(kind=Kind.SIZE), disagreement(XLA), disagreement(XLA, Kind.SIZE)):
        record(ledger, 1, SMALL, found)
    assert [finding.count for finding in ledger.findings] == [1, 1]


def test_the_first_case_is_kept() -> None:
    """What is seen again adds to the count and to the targets, and tells nothing anew."""
    ledger = new_ledger()
    record(ledger, 11, LARGE, disagreement(XLA), ("one+eager",))
    finding = record(ledger, 12, SMALL, disagreement(EAGER), ("two+eager",))
    assert Case.from_json(finding.case) == LARGE
    assert (finding.suspect, finding.agreeing, finding.first_case) == (XLA.name, ("one+eager",), 11)
    assert "in xla mode" in finding.sentence


def judged(case: Case, *found: Disagreement) -> Judged:
    """The minimal case put to everybody: another target is right."""
    other = Asked(Target("other", "eager"), "other(x)", Expression(None, (Crop(0, 0),)))
    question = Question({"other+eager": other}, None)
    return Judged(case, question, Verdict({"other+eager": True}, found), {})


def test_a_reduced_finding_is_told_by_its_minimal_case() -> None:
    """Sentence, numbers, command and who agrees are the minimal case's; first case and count stay."""
    ledger, found = new_ledger(), disagreement(max_abs_error=9.0)
    record(ledger, 4, LARGE, found)
    again = disagreement(max_abs_error=1.0, detail="shifted by (1,)")
    finding = ledger.reduced(Known(found.signature, None), judged(SMALL, again), again)
    assert finding.minimal == SMALL.to_json()
    assert (finding.case, finding.first_case, finding.count) == (LARGE.to_json(), 4, 1)
    assert (finding.max_abs_error, finding.cause, finding.agreeing) == (1.0, "shifted by (1,)", ("other+eager",))
    assert str(SMALL.input_size) in finding.sentence
    assert json.dumps(SMALL.to_json(), separators=(",", ":")) in finding.reproduce
    assert ledger.findings == (finding,)


def test_whoever_deviates_on_the_minimal_case_is_added() -> None:
    """Slow modes are asked there, too; what deviates in another way is not of this finding."""
    ledger, found = new_ledger(), disagreement()
    record(ledger, 4, LARGE, found)
    beside = (found, disagreement(XLA), disagreement(Target("some.conv", "jit"), Kind.SIZE))
    finding = ledger.reduced(Known(found.signature, None), judged(SMALL, *beside), found)
    assert finding.targets == (EAGER.name, XLA.name)
    assert finding.facets["versions"] == ("1.0", "2.0")
    assert finding.count == 1


@pytest.mark.parametrize(
    ("expires", "status"), [(None, "known"), (date(2026, 6, 1), "known"), (date(2026, 5, 31), "expired")]
)
def test_what_the_baseline_covers_is_known_until_it_expires(expires: date | None, status: str) -> None:
    """The last day still counts."""
    known = Known(disagreement().signature, entry(expires=expires))
    finding = new_ledger().record(1, SMALL, disagreement(), known, ())
    assert (finding.status, finding.baseline_id) == (status, "odd")


def test_what_is_known_and_what_is_not_are_two_findings_of_one_signature() -> None:
    """The later one has a number behind the signature; each counts for itself."""
    ledger, found = new_ledger(), disagreement()
    unknown, known = Known(found.signature, None), Known(found.signature, entry())
    other = Known(found.signature, entry("even"))
    assert not ledger.has(unknown)
    ids = [ledger.record(1, SMALL, found, under, ()).id for under in (unknown, known, unknown, other)]
    assert ids == [found.signature, f"{found.signature}-2", found.signature, f"{found.signature}-3"]
    assert ledger.has(unknown)
    assert [finding.count for finding in ledger.findings] == [1, 1, 1]


def test_facets_are_collected_sorted_and_without_repetition() -> None:
    """Modes, devices, versions, dtypes and numbers of axes of everything that showed it, also of cases not kept."""
    ledger = new_ledger()
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
    finding = Ledger({EAGER.name: None}, date(2026, 6, 1)).record(
        1, SMALL, disagreement(), Known(disagreement().signature, None), ()
    )
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
    assert record(new_ledger(), 1, SMALL, disagreement(kind=kind)).verdict == verdict


def command(case: Case, target: Target, kind: Kind = Kind.VALUE) -> dict[str, str]:
    """The options of the command that reproduces a finding, as a shell would pass them."""
    words = shlex.split(record(new_ledger(), 1, case, disagreement(target, kind)).reproduce)
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
    assert command(LARGE, Target("pkg.ops:Mine", "fast"))["--target"] == "pkg.ops:Mine+fast"
