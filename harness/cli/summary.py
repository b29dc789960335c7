"""What a run found, in a few lines of plain text."""

from __future__ import annotations

from collections.abc import Sequence

from harness.cli.text import clean
from harness.records import Finding, Report, Run
from reports.details import first_of, where
from reports.overview import in_flight, workers


def summary(report: Report) -> str:
    """Targets with their counts, workers, findings with their sentences and conditions: the unknown first."""
    if not report.run.id:
        return "nothing was observed: no run has begun in this database"
    lines = [f"seed {report.run.seed}: {report.cases} cases in {report.seconds:.0f} s" + _end(report.run)]
    lines += [*_targets(report), *_workers(report), _count(report.findings)]
    for finding in sorted(report.findings, key=lambda finding: finding.status == "known"):
        lines += _finding(finding)
    return "\n".join(map(clean, lines))


def _end(run: Run) -> str:
    """How the run ended, where it did not come to its end by itself."""
    lost = f": {in_flight(run)}" if run.in_flight else ""
    if run.interrupted:
        return f", interrupted{lost}"
    return f"; the run has no end{lost}" if run.finished is None or run.in_flight else ""


def _targets(report: Report) -> list[str]:
    width = max((len(info.target.name) for info in report.targets), default=0)
    lines = []
    for info in report.targets:
        totals = report.totals[info.target.name]
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(totals.outcomes.items()))
        said = counts or f"not asked: {info.reason or 'no case came to it'}"
        lines.append(f"  {info.target.name:<{width}}  {info.version or '-':<12} {said}")
    return lines


def _workers(report: Report) -> list[str]:
    shown = workers(report)
    if not shown:
        return []
    width = max(len(worker.process) for worker in shown)
    rows = (f"  {w.process:<{width}}  {w.wall}, {w.share} inside the framework, {w.memory}" for w in shown)
    return ["workers", *rows]


def _finding(finding: Finding) -> list[str]:
    status = f"{finding.status}{f' ({finding.baseline_id})' if finding.baseline_id else ''}"
    facts = f"{status}, {finding.verdict}, {finding.kind}, {finding.count} times"
    lines = [f"  {finding.id}  {facts}: {finding.sentence}"]
    if found := where(finding):
        lines.append(f"    {found.label}: `{found.condition}`{f': {found.support}' if found.support else ''}")
    if first := first_of(finding.id):
        lines.append(f"    same signature as {first}, kept apart by where it shows")
    return [*lines, f"    {finding.reproduce}"] if finding.status != "known" else lines


def _count(findings: Sequence[Finding]) -> str:
    said = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    known = sum(finding.status == "known" for finding in findings)
    return f"{said}, {known} of them known" if known else said
