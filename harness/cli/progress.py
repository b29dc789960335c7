"""Progress on stderr: a bar where it is a terminal, a line for each target and each new finding where it is not."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from harness.campaign.loop import Budget
from harness.cli.text import clean
from harness.records import (
    CaseJudged,
    Coverage,
    Covered,
    Event,
    Finding,
    FindingChanged,
    Run,
    TargetLost,
    TargetsGreeted,
)


class Progress:
    """Shows events. Everything a framework said is shown as plain text."""

    def __init__(self, run: Run, budget: Budget) -> None:
        self._console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
        )
        self._bar = Bar(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._budget = budget
        self._started = time.monotonic()
        self._findings: set[str] = set()
        self._reduced: set[str] = set()
        self._covered = run.coverage
        self._said_at = 0.0
        total = budget.cases if budget.cases is not None else budget.seconds
        if run.coverage is not None:
            total = run.coverage.total
            self._say(f"{run.coverage.total:,} tuples: {run.coverage.plan}")
        self._task = self._bar.add_task("loading", total=total, note="")
        self._say(f"seed {run.seed}; loading the targets, each framework in a process of its own")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bar away; what is said afterwards stands on lines of its own."""
        self._bar.stop()

    def show(self, event: Event) -> None:
        """Show one event."""
        match event:
            case TargetsGreeted(targets):
                ready = [f"{info.target.name} {info.version or ''}".strip() for info in targets if info.available]
                self._say("asking " + ", ".join(ready) if ready else "no target can be asked")
                for info in targets:
                    if not info.available:
                        self._say(f"without {info.target.name}: {info.reason}")
                self._started = time.monotonic()
            case CaseJudged(ordinal):
                self._advance(ordinal)
            case Covered(run) if run.coverage is not None:
                self._cover(run.coverage)
            case FindingChanged(finding):
                self._tell(finding)
            case TargetLost(target, reason):
                self._say(f"{target}: {reason}")

    def _tell(self, finding: Finding) -> None:
        """A finding when it is opened, and when it is reduced."""
        if finding.id not in self._findings:
            self._findings.add(finding.id)
            known = "" if finding.baseline_id is None else f" ({finding.status}: {finding.baseline_id})"
            self._say(f"finding {finding.id}{known} in case {finding.first_case}: {finding.sentence}")
            self._bar.update(self._task, description="reducing")
        elif finding.minimal is not None and finding.id not in self._reduced:
            self._reduced.add(finding.id)
            self._say(f"  reduced: {finding.sentence}")

    def _cover(self, coverage: Coverage) -> None:
        """Move the bar; where there is none, say a line after each half minute."""
        self._covered = coverage
        self._bar.update(self._task, completed=coverage.done)
        now = time.monotonic()
        if not self._console.is_terminal and (now - self._said_at > 30 or coverage.done == coverage.total):
            self._said_at = now
            self._say(f"{coverage.done:,} of {coverage.total:,} tuples, {now - self._started:.0f} s")

    def _advance(self, ordinal: int) -> None:
        if self._covered is not None:
            note = f"{self._covered.done:,} of {self._covered.total:,} tuples, {len(self._findings)} findings"
            self._bar.update(self._task, completed=self._covered.done, description="enumerating", note=note)
            return
        done = ordinal if self._budget.cases is not None else time.monotonic() - self._started
        note = f"{ordinal} cases, {len(self._findings)} findings"
        self._bar.update(self._task, completed=done, description="fuzzing", note=note)

    def _say(self, text: str) -> None:
        self._console.print(Text(clean(text)), soft_wrap=True, highlight=False)
