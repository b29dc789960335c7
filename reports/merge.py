"""Several runs shown as one: those of the processes that a test session was spread over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, TypeVar

from harness.records import Finding, Report, TargetInfo, TargetTotals

Key = TypeVar("Key")
Value = TypeVar("Value")


def merged(reports: Sequence[Report]) -> Report:
    """One report of all: counts added up, findings of one id counted together and told as the first one tells them.

    A finding's condition, with its support, is that of the first report that has one; the workers are those of all.

    >>> from harness.records import Run
    >>> run = Run("r", "2026-01-01T00:00:00Z", 0, "default", "Linux", "0.1", "pytest")
    >>> one, other = (Report(run, (), cases, 0.0, {}, {}, (), {}) for cases in (3, 4))
    >>> merged([one, other]).cases
    7
    """
    return reduce(_merged, [report for report in reports if report.run.id] or reports)


def _merged(one: Report, other: Report) -> Report:
    targets = _joined(_by_name(one), _by_name(other), lambda info, _: info)
    finished = max(one.run.finished or "", other.run.finished or "") or None
    return Report(
        run=replace(
            one.run,
            finished=finished,
            interrupted=one.run.interrupted or other.run.interrupted,
            workers=(*one.run.workers, *other.run.workers),
            in_flight=one.run.in_flight + other.run.in_flight,
        ),
        targets=tuple(targets.values()),
        cases=one.cases + other.cases,
        seconds=max(one.seconds, other.seconds),
        totals=_joined(one.totals, other.totals, _totals),
        pairs=_joined(one.pairs, other.pairs, lambda a, b: (a[0] + b[0], a[1] + b[1])),
        findings=_findings((*one.findings, *other.findings)),
        skips=_joined(one.skips, other.skips, _counts),
    )


def _by_name(report: Report) -> dict[str, TargetInfo]:
    return {info.target.name: info for info in report.targets}


def _joined(
    one: Mapping[Key, Value], other: Mapping[Key, Value], join: Callable[[Value, Value], Value]
) -> dict[Key, Value]:
    both = {key: join(one[key], other[key]) for key in one if key in other}
    return {**one, **other, **both}


def _counts(one: Mapping[Any, int], other: Mapping[Any, int]) -> dict[Any, int]:
    return dict(Counter(one) + Counter(other))


def _totals(one: TargetTotals, other: TargetTotals) -> TargetTotals:
    return TargetTotals(
        outcomes=_counts(one.outcomes, other.outcomes),
        ok_by_ndim=_counts(one.ok_by_ndim, other.ok_by_ndim),
        agree=one.agree + other.agree,
        disagree=one.disagree + other.disagree,
    )


def _findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    found: dict[str, Finding] = {}
    for finding in findings:
        first = found.get(finding.id)
        found[finding.id] = finding if first is None else _together(first, finding)
    return tuple(found.values())


def _together(one: Finding, other: Finding) -> Finding:
    facets = _joined(one.facets, other.facets, lambda a, b: tuple(sorted({*a, *b})))
    targets = tuple(sorted({*one.targets, *other.targets}))
    told = one if one.condition is not None else other
    return replace(
        one,
        count=one.count + other.count,
        targets=targets,
        facets=facets,
        condition=told.condition,
        support=told.support,
    )
