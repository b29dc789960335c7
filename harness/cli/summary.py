"""What a run found, in a few lines of plain text."""

from __future__ import annotations

from pathlib import Path

from harness.cli.text import clean
from harness.records import Report


def summary(report: Report, html: Path | None = None, db: Path | None = None) -> str:
    """Targets with their counts, findings with their sentences, and where the report and the database are."""
    lines = [f"seed {report.run.seed}: {report.cases} cases in {report.seconds:.0f} s" + _interrupted(report)]
    width = max((len(info.target.name) for info in report.targets), default=0)
    for info in report.targets:
        totals = report.totals[info.target.name]
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(totals.outcomes.items()))
        said = counts or f"not asked: {info.reason}"
        lines.append(f"  {info.target.name:<{width}}  {info.version or '-':<12} {said}")
    lines.append("1 finding" if len(report.findings) == 1 else f"{len(report.findings)} findings")
    for finding in report.findings:
        lines.append(
            f"  {finding.id}  {finding.verdict}, {finding.kind}, {finding.count} times: {clean(finding.sentence)}"
        )
        lines.append(f"    {finding.reproduce}")
    lines += [f"report:   {html}"] if html else []
    lines += [f"database: {db}"] if db else []
    return "\n".join(lines)


def _interrupted(report: Report) -> str:
    return ", interrupted" if report.run.interrupted else ""
