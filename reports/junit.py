"""JUnit XML for continuous integration: one suite per run, one test case per oracle, API and area.

What the baseline does not accept is a failure; a known finding is written to its test case's output and fails nothing.
An API that answered no case is one skipped test case: nothing about it passed.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from harness.records import Finding, Kind, Oracle, Report, TargetInfo
from reports import overview
from reports.details import case_line, first_of, where
from reports.text import clip, count, size

_SHARED = {"size": "size", "value-gradient": "value and gradient", "dtype": "dtype"}
_LAST = {"failure": "failure", "nondeterminism": "nondeterminism"}
#: per oracle, the kind families of which it can speak, and the names that their test cases have
_AREAS: Mapping[str, Mapping[str, str]] = {
    Oracle.AGREEMENT.value: {**_SHARED, "acceptance-rejection": "rejection", **_LAST},
    Oracle.CONTRACT.value: {
        **_SHARED,
        "acceptance-rejection": "acceptance and rejection",
        "shape-inference": "shape-inference",
        **_LAST,
    },
}
_NAME = 200  # characters of a name or a property, at most
_MOST = 50  # failures of one test case, and lines of its output, at most
_ALL_BODIES = 3_000_000  # characters of all bodies together, about: readers refuse files of tens of megabytes


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a finding belongs: its oracle, the suspect's API, and the area."""

    oracle: str
    api: str
    area: str


def render(report: Report) -> str:
    """The report as JUnit XML, to be written as UTF-8; well-formed whatever a framework's text has in it.

    ``failures`` counts the test cases that failed; one with several findings has a failure element for each.

    >>> from harness.records import Run
    >>> run = Run("r", "2026-01-01T00:00:00Z", 0, "default", "Linux", "0.1", "deconvdiff fuzz")
    >>> JUnitXml.fromstring(render(Report(run, (), 0, 0.0, {}, {}, (), {})).encode()).tests
    0
    """
    suite = _suite(report)
    xml = JUnitXml("deconvdiff")
    xml.add_testsuite(suite)
    xml.tests, xml.failures, xml.errors, xml.skipped = suite.tests, suite.failures, suite.errors, suite.skipped
    xml.time = suite.time
    buffer = io.BytesIO()
    xml.write(buffer)
    return buffer.getvalue().decode() + "\n"


def _suite(report: Report) -> TestSuite:
    suite = TestSuite("deconvdiff")
    suite.timestamp = _line(report.run.started)
    for name, value in _properties(report):
        suite.add_property(name, value)
    limit = max(600, min(2000, _ALL_BODIES // max(1, 6 * len(report.findings))))
    judged = [_judged(place, findings, limit) for place, findings in _places(report).items()]
    cases = [*judged, *(_silent(api, reason) for api, reason in _reasons(report).items())]
    suite.add_testcases(cases)
    suite.failures = sum(any(isinstance(result, Failure) for result in case.result) for case in cases)
    suite.time = round(report.seconds, 3) if math.isfinite(report.seconds) else 0.0
    return suite


def _properties(report: Report) -> list[tuple[str, str]]:
    run = report.run
    told = {"seed": str(run.seed), "profile": run.profile, "run": run.id, "shard": run.shard, "version": run.version}
    told |= {"platform": run.platform, "command": run.command, "cases": str(report.cases)}
    told |= {"interrupted": "true"} if run.interrupted else {}
    notice = overview.notice(run)
    told |= {"notice": f"{notice.label} {notice.text}"} if notice else {}
    told |= {
        f"worker {use.process}": f"{use.wall}, {use.share} inside, {use.memory}" for use in overview.workers(report)
    }
    told |= {f"target {info.target.name}": _version(info) for info in report.targets}
    told |= {f"settings {info.target.name}": _settings(info) for info in report.targets if info.available}
    return [(_line(name), _line(value, 1000)) for name, value in told.items() if value]


def _version(info: TargetInfo) -> str:
    version = f"{info.framework} {info.version or ''}".strip()
    return version if info.available else f"{version}, not available: {info.reason or 'no reason was given'}"


def _settings(info: TargetInfo) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(info.settings.items()))


def _places(report: Report) -> dict[_Place, list[Finding]]:
    """Every test case with its findings: those of the APIs that answered, and wherever else a finding belongs."""
    places: dict[_Place, list[Finding]] = {
        _Place(oracle, api, area): []
        for api in _answering(report)
        for oracle, areas in _AREAS.items()
        for area in areas.values()
    }
    apis = {info.target.name: info.target.api for info in report.targets}
    for finding in report.findings:
        api = apis.get(finding.suspect) or finding.suspect.split("+", 1)[0]
        places.setdefault(_Place(finding.oracle, api, _area(finding)), []).append(finding)
    return places


def _answering(report: Report) -> list[str]:
    answering = (info.target for info in report.targets if overview.answered(report, info.target.name))
    return list(dict.fromkeys(target.api for target in answering))


def _area(finding: Finding) -> str:
    try:
        family = Kind(finding.kind).family
    except ValueError:  # of a later version
        family = finding.kind
    return _AREAS.get(finding.oracle, {}).get(family, family)


def _reasons(report: Report) -> dict[str, str]:
    """The APIs that answered no case, with the reasons of their targets."""
    answering = _answering(report)
    silent: dict[str, list[str]] = {}
    for info in report.targets:
        if info.target.api not in answering:
            silent.setdefault(info.target.api, []).append(f"{info.target.name}: {_why(report, info)}")
    return {api: "; ".join(reasons) for api, reasons in silent.items()}


def _why(report: Report, info: TargetInfo) -> str:
    skips = report.skips.get(info.target.name)
    if not skips:
        return overview.why(info)
    return f"every case was skipped, most often with: {max(skips, key=lambda reason: skips[reason])}"


def _silent(api: str, reason: str) -> TestCase:
    case = TestCase("answered", f"deconvdiff.{_line(api)}")
    case.result = [Skipped(_line(reason, 2000))]
    return case


def _judged(place: _Place, findings: Sequence[Finding], limit: int) -> TestCase:
    case = TestCase(_line(place.area), f"deconvdiff.{_line(place.oracle)}.{_line(place.api)}")
    new = [finding for finding in findings if not overview.is_known(finding)]
    known = [finding for finding in findings if overview.is_known(finding)]
    case.result = [*_failures(new, limit)]
    if known:
        case.system_out = _output(known)
    return case


def _failures(findings: Sequence[Finding], limit: int) -> list[Failure]:
    failures = [_failure(finding, i, len(findings), limit) for i, finding in enumerate(findings[:_MOST], start=1)]
    if more := findings[_MOST:]:
        said = f"{count(len(more), 'more finding')} here, left out of this file: see the HTML or the JSON report"
        failures.append(Failure(said, _line(more[0].kind)))
    return failures


def _failure(finding: Finding, i: int, n: int, limit: int) -> Failure:
    failure = Failure(_line(finding.sentence, limit), _line(finding.kind))
    head = f"finding {_line(finding.id)} ({_line(finding.status)}, {_line(finding.verdict)})"
    which = f", {i} of {n} in this test case" if n > 1 else ""
    lines = [f"{head}, {count(finding.count, 'disagreement')}{which}", "", clip(finding.sentence, limit), ""]
    lines += [f"{label}: {text}" for label, text in _facts(finding, limit) if text]
    failure.text = "\n".join(lines) + "\n"
    return failure


def _facts(finding: Finding, limit: int) -> tuple[tuple[str, str], ...]:
    rule, sizes = finding.rule, (finding.expected_size, finding.observed_size)
    compared = f"expected {size(sizes[0])}, observed {size(sizes[1])}" if any(s is not None for s in sizes) else ""
    return (
        ("baseline", clip(finding.baseline_id or "", _NAME)),
        ("case" if finding.minimal is None else "minimal case", case_line(_case(finding))),
        ("asked as", clip(finding.call, limit)),
        ("output size", compared),
        ("cause", clip(finding.cause or "", limit)),
        _where(finding),
        ("same signature as", first_of(finding.id) or ""),
        ("rule", clip(" ".join(filter(None, (rule.text, rule.url))), limit) if rule else ""),
        ("reproduce", clip(finding.reproduce, limit)),
    )


def _where(finding: Finding) -> tuple[str, str]:
    found = where(finding)
    if found is None:
        return "where", ""
    return found.label, f"{found.condition}{f': {found.support}' if found.support else ''}"


def _case(finding: Finding) -> Mapping[str, object]:
    return finding.case if finding.minimal is None else finding.minimal


def _output(findings: Sequence[Finding]) -> str:
    lines = [_known(finding) for finding in findings[:_MOST]]
    return "\n".join([*lines, f"{len(findings) - _MOST:,} more"] if len(findings) > _MOST else lines) + "\n"


def _known(finding: Finding) -> str:
    label, condition = _where(finding)
    said = f"; {label}: {_line(condition, 700)}" if condition else ""
    known = f"known finding {_line(finding.id)} (baseline {_line(finding.baseline_id or 'without an id')}{said})"
    return f"{known}: {_line(finding.sentence, 500)}"


def _line(text: str, limit: int = _NAME) -> str:
    """On one line: readers take an attribute's line breaks for spaces, or do not."""
    return " ".join(clip(text, limit).split())
