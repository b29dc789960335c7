"""JUnit XML: well-formed, one test case per oracle, API and area; only what is new fails."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
import report_examples as examples
from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.records import Finding, Kind, Report, Rule
from reports import junit

AGREEMENT = ["size", "value and gradient", "dtype", "rejection", "failure", "nondeterminism"]
CONTRACT = [
    *("size", "value and gradient", "dtype", "acceptance and rejection", "shape-inference", "failure"),
    "nondeterminism",
]


def read(report: Report) -> TestSuite:
    """The only suite, as junitparser reads it back."""
    (suite,) = JUnitXml.fromstring(junit.render(report).encode())
    return suite


def cases(report: Report) -> dict[tuple[str | None, str | None], TestCase]:
    """Every test case by class name and name; no two have both in common."""
    listed = list(read(report))
    found = {(case.classname, case.name): case for case in listed}
    assert len(found) == len(listed)
    return found


def failures(case: TestCase) -> list[Failure]:
    """The failures of a test case."""
    return [result for result in case.result if isinstance(result, Failure)]


def with_findings(*findings: Finding) -> Report:
    """The full example with other findings."""
    return replace(examples.full(), findings=findings)


def body(**changes: object) -> str:
    """The body of the one failure of the value finding, changed."""
    finding = replace(examples.findings()[2], **changes)  # type: ignore[arg-type]  # fields by name
    (failure,) = (f for case in cases(with_findings(finding)).values() for f in failures(case))
    return str(failure.text)


def test_every_answering_api_has_a_test_case_for_each_area_of_each_oracle() -> None:
    """Modes share their API's test cases; shape inference is the contract oracle's alone."""
    found = cases(examples.clear())
    for api in {target.api for target in examples.OBSERVED}:
        assert [name for classname, name in found if classname == f"deconvdiff.agreement.{api}"] == AGREEMENT
        assert [name for classname, name in found if classname == f"deconvdiff.contract.{api}"] == CONTRACT
    assert len(found) == 5 * len([*AGREEMENT, *CONTRACT]) + 1
    assert all(not case.result for (classname, _), case in found.items() if "paddle" not in str(classname))


def test_a_new_finding_fails_its_test_case_and_no_other() -> None:
    """The message is the sentence, the type the kind; whatever is not accepted by the baseline fails."""
    found = cases(examples.full())
    failed = {place: failures(case) for place, case in found.items() if failures(case)}
    assert {place: [f.type for f in many] for place, many in failed.items()} == {
        ("deconvdiff.agreement.jax.lax.conv_transpose", "value and gradient"): ["value"],
        ("deconvdiff.contract.tf.nn.conv_transpose", "failure"): ["crash"],
        ("deconvdiff.agreement.keras.layers.ConvTranspose", "size"): ["size"],
    }
    (failure,) = failed["deconvdiff.agreement.jax.lax.conv_transpose", "value and gradient"]
    assert failure.message == examples.findings()[2].sentence


def test_the_body_is_enough_to_begin_with() -> None:
    """Sentence, case, sizes, cause, rule with its address and the command stand in the failure's text."""
    finding = examples.findings()[2]
    lines = body().splitlines()
    assert lines[0] == "finding 3fa9c0de1b22 (unknown, wrong-result), 17 disagreements"
    assert finding.sentence in lines
    assert any(line.startswith("minimal case: ConvTranspose1d(1, 1, kernel_size=2, dilation=2)") for line in lines)
    assert "output size: expected 8 × 8, observed 8 × 8" in lines
    assert "cause: shifted by (1)" in lines
    assert "where: any(d > 1 and k > 1): fails 412 of 412, passes 1,900 of 1,900 outside" in lines
    assert any(line.startswith("rule: This module") and line.endswith("ConvTranspose2d.html") for line in lines)
    assert f"reproduce: {finding.reproduce}" in lines


def test_what_a_finding_has_not_is_not_named() -> None:
    """No line for sizes, cause and rule where there are none; the case is called minimal only where it is."""
    text = body(expected_size=None, observed_size=None, cause=None, rule=None, minimal=None, condition=None)
    assert [line.split(":")[0] for line in text.splitlines()[4:]] == ["case", "asked as", "reproduce"]
    assert "rule: only a text\n" in body(rule=Rule("only a text"))


def test_a_further_finding_of_a_signature_names_the_first() -> None:
    """And where the baseline has the finding, that is not called verified."""
    lines = body(id="3fa9c0de1b22-2", support=None, baseline_id="b", status="expired").splitlines()
    assert "same signature as: 3fa9c0de1b22" in lines
    assert "where, by the baseline: any(d > 1 and k > 1)" in lines
    assert "same signature" not in body()


def test_a_known_finding_is_output_and_no_failure() -> None:
    """Its test case passes and names the finding, the baseline's id and the sentence."""
    case = cases(examples.full())["deconvdiff.contract.torch.nn.ConvTranspose", "acceptance and rejection"]
    assert case.is_passed
    assert case.system_out == (
        "known finding b2c4d6e8f0a1 (baseline torch-output-padding; where, by the baseline: any(a >= s)): "
        "torch.nn.ConvTranspose accepts an output_padding that its forward convolution does not undo\n"
    )


def test_several_findings_in_one_test_case_are_several_failures() -> None:
    """None hides another, each says how many there are, and the suite counts the test case once."""
    report = examples.judged("unknown", "known", "expired", "unknown")
    case = cases(report)["deconvdiff.agreement.jax.lax.conv_transpose", "value and gradient"]
    heads = [str(failure.text).splitlines()[0] for failure in failures(case)]
    assert [head.split()[1] for head in heads] == ["000000000000", "000000000002", "000000000003"]
    assert heads[1].endswith("2 of 3 in this test case")
    assert str(case.system_out).startswith("known finding 000000000001 (baseline without an id; where: ")
    assert read(report).failures == 1


@pytest.mark.parametrize(
    ("kind", "area"),
    [
        *((Kind.VALUE, "value and gradient"), (Kind.GRADIENT, "value and gradient"), (Kind.SIZE, "size")),
        *((Kind.CRASH, "failure"), (Kind.HANG, "failure"), (Kind.MEMORY, "failure"), (Kind.DTYPE, "dtype")),
        *((Kind.ACCEPTANCE, "acceptance and rejection"), (Kind.REJECTION, "acceptance and rejection")),
        *((Kind.SHAPE_INFERENCE, "shape-inference"), (Kind.NONDETERMINISM, "nondeterminism")),
    ],
)
def test_every_kind_has_its_area(kind: Kind, area: str) -> None:
    """The contract oracle's areas are the kinds' families: no kind opens an area of its own."""
    report = with_findings(replace(examples.findings()[2], oracle="contract", kind=kind.value))
    assert [name for (_, name), case in cases(report).items() if failures(case)] == [area]
    assert len(cases(report)) == len(cases(examples.clear()))


@pytest.mark.parametrize(
    ("suspect", "api"),
    [
        ("torch.nn.ConvTranspose+eager@old", "torch.nn.ConvTranspose"),
        ("mypkg.ops:MyDeconv+default", "mypkg.ops:MyDeconv"),
        ("gone.api+jit@somewhere", "gone.api"),
    ],
)
def test_a_finding_is_never_lost(suspect: str, api: str) -> None:
    """It fails the test case of its suspect's API, also where that target is not among the run's."""
    report = with_findings(replace(examples.findings()[2], suspect=suspect))
    assert failures(cases(report)[f"deconvdiff.agreement.{api}", "value and gradient"])


def test_an_api_that_could_not_run_is_one_skipped_test_case() -> None:
    """The reason stands in it, and no area of that API passes."""
    found = {place: case for place, case in cases(examples.full()).items() if "paddle" in str(place[0])}
    ((place, case),) = found.items()
    assert place == ("deconvdiff.paddle.nn.ConvTranspose", "answered")
    (skipped,) = case.result
    assert isinstance(skipped, Skipped)
    assert skipped.message == "paddle.nn.ConvTranspose+eager: not installed: pip install x"


def test_an_api_that_only_skipped_passes_nothing() -> None:
    """Every case declined is not every case right: one skipped test case with the most frequent reason."""
    full = examples.full()
    name = examples.KERAS.name
    only_skipped = replace(full.totals[name], outcomes={"skipped": 300}, ok_by_ndim={}, agree=0, disagree=0)
    report = replace(
        full,
        findings=(),
        totals={**full.totals, name: only_skipped},
        skips={name: {"rare": 1, "groups > 1": 299}},
    )
    found = {place: case for place, case in cases(report).items() if "keras" in str(place[0])}
    assert [name for _, name in found] == ["answered"]
    (skipped,) = next(iter(found.values())).result
    assert skipped.message == f"{name}: every case was skipped, most often with: groups > 1"


def test_the_suite_says_what_ran() -> None:
    """Name, time, counts, seed, profile, run, version, platform and every target's version are attributes of it."""
    suite = read(examples.full())
    assert (suite.name, suite.timestamp, suite.time) == ("deconvdiff", "2026-01-04T03:15:02Z", 137.25)
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (len(list(suite)), 3, 0, 1)
    properties = _properties(examples.full())
    assert properties["seed"] == "20260104"
    assert properties["profile"] == "default"
    assert properties["run"] == "20260104-031502-8f2c"
    assert properties["version"] == "0.1.0"
    assert properties["platform"] == "Linux-6.1 x86_64, Python 3.11.7, NumPy 2.3.5"
    assert properties["target jax.lax.conv_transpose+jit"] == "jax 0.10.2"
    assert properties["target torch.nn.ConvTranspose+eager@old"].startswith("torch, not available: import failed")
    assert "interrupted" not in properties


def test_half_a_run_says_so() -> None:
    """An interrupted run is marked, and a time that is not finite is no time."""
    report = replace(examples.full(), run=examples.run(interrupted=True), seconds=float("inf"))
    assert _properties(report)["interrupted"] == "true"
    assert read(report).time == 0.0


def test_a_run_that_was_killed_says_so() -> None:
    """And how many cases were put and never judged."""
    properties = _properties(replace(examples.full(), run=examples.run(finished=None, in_flight=37)))
    assert properties["notice"].startswith("The run has no end. It was killed or is still going on: 37 cases were in")
    assert "notice" not in _properties(examples.full())


def test_settings_and_workers_are_properties() -> None:
    """What each target's process was started with, and what each worker used."""
    properties = _properties(examples.full())
    assert properties[f"settings {examples.JAX.name}"] == "OMP_NUM_THREADS=1 TF_CPP_MIN_LOG_LEVEL=2"
    assert properties["worker harness.frameworks.torch"] == "2 min 17 s, 87 % inside, 394 MiB"


def test_a_report_of_nothing_is_an_empty_suite() -> None:
    """No targets: no test cases, and nothing that could be read as passed."""
    suite = read(examples.empty())
    assert (suite.tests, list(suite)) == (0, [])


@pytest.mark.parametrize("text", examples.HOSTILE)
def test_no_text_breaks_the_file(text: str) -> None:
    """With hostile text in every field a strict parser finds the elements that plain words give, and no more."""
    written = junit.render(examples.hostile_everywhere(text)[0])
    plain = junit.render(examples.hostile_everywhere("plain")[0])
    assert tags(written) == tags(plain)
    raw = {char for char in written if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}}
    assert raw == {"\n"}


def test_hostile_text_is_still_there_to_read() -> None:
    """Shown by name or escaped, not deleted."""
    texts = " ".join(ET.fromstring(junit.render(examples.hostile_everywhere(examples.XML)[0])).itertext())
    assert "]]><!-- &#0; &nbsp; --><?php ‹U+FFFE›‹DEL›‹U+FFFF›" in texts


def test_thousands_of_findings_stay_bounded() -> None:
    """The file stays below ten megabytes, and what it leaves out of a test case it counts there."""
    long = replace(examples.findings()[2], sentence="word " * 1000, cause="x" * 9000, reproduce="y" * 9000)
    for report in (examples.many(5000), with_findings(*(replace(long, id=f"{i:012x}") for i in range(5000)))):
        assert len(junit.render(report).encode()) < 10_000_000
    case = cases(examples.many(5000))["deconvdiff.agreement.jax.lax.conv_transpose", "value and gradient"]
    assert len(failures(case)) == 51
    assert str(failures(case)[-1].message).startswith("1,200 more findings here, left out of this file")
    accepted = cases(examples.many(5000))["deconvdiff.contract.torch.nn.ConvTranspose", "acceptance and rejection"]
    assert str(accepted.system_out).endswith("\n1,200 more\n")


def _properties(report: Report) -> dict[str, str]:
    properties = ET.fromstring(junit.render(report)).iter("property")
    return {entry.attrib["name"]: entry.attrib["value"] for entry in properties}


def tags(written: str) -> list[tuple[str, tuple[str, ...]]]:
    """Every element with its attributes' names, in order."""
    return [(element.tag, tuple(element.attrib)) for element in ET.fromstring(written).iter()]
