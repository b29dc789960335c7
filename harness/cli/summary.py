"""What a run found, in a few lines of plain text."""

from __future__ import annotations

from collections.abc import Sequence

from harness.cli.text import clean
from harness.records import Finding, Report


def summary(report: Report) -> str:
    """Targets with their counts, findings with their sentences: the unknown first."""
    lines = [f"seed {report.run.seed}: {report.cases} cases in {report.seconds:.0f} s" + _interrupted(report)]
    width = max((len(info.target.name) for info in report.targets), default=0)
    for info in report.targets:
        totals = report.totals[info.target.name]
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(totals.outcomes.items()))
        said = counts or f"not asked: {info.reason or 'no case came to it'}"
        lines.append(f"  {info.target.name:<{width}}  {info.version or '-':<12} {said}")
    lines.append(_count(report.findings))
    for finding in sorted(report.findings, key=lambda finding: finding.status == "known"):
        status = f"{finding.status}{f' ({finding.baseline_id})' if finding.baseline_id else ''}"
        facts = f"{status}, {finding.verdict}, {finding.kind}, {finding.count} times"
        lines.append(f"  {finding.id}  {facts}: {clean(finding.sentence)}")
        if finding.status != "known":
            lines.append(f"    {finding.reproduce}")
    return "\n".join(lines)


def _count(findings: Sequence[Finding]) -> str:
    said = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    known = sum(finding.status == "known" for finding in findings)
    return f"{said}, {known} of them known" if known else said


def _interrupted(report: Report) -> str:
    return ", interrupted" if report.run.interrupted else ""
