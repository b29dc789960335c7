"""The known findings that a run is held against, what is said of them after it, and their file brought up to date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import click

from harness.campaign.ask import Chosen
from harness.campaign.replay import Replays
from harness.campaign.select import selector
from harness.cli.output import check_writable, write
from harness.cli.subjects import excess
from harness.cli.text import clean
from harness.errors import UsageError
from harness.judge.baseline import Baseline, Entry, updated
from harness.layer import Case
from harness.records import Report


@dataclass(frozen=True, slots=True)
class KnownFindings:
    """The baseline of a run, and the file to be brought up to date, if that was asked."""

    baseline: Baseline
    file: Path | None = None

    @classmethod
    def of(cls, path: Path | None, *, update: bool) -> KnownFindings:
        """Read the file, or what comes with the distribution where none is named.

        Raises:
            UsageError: an update without a file or of one that could not be written, a file that is not there, or
                something wrong in it.
        """
        if path is None:
            if update:
                raise UsageError("--baseline-update: name the file with --baseline FILE; it is made if it is missing")
            return cls(Baseline.shipped())
        if update:
            check_writable("--baseline", path)
        if update and not path.exists():
            return cls(Baseline.empty(), path)
        return cls(Baseline.read(path), path if update else None)

    def told(self, report: Report) -> str:
        """Lines about entries that are expired, and about those that this run's targets did not show."""
        today = datetime.now(timezone.utc).date()
        seen = {finding.baseline_id for finding in report.findings}
        expired = [entry for entry in self.baseline.entries if entry.id in seen and entry.expired(today)]
        unseen = [entry for entry in self.baseline.entries if entry.id not in seen and _is_asked(entry, report)]
        lines = [f"expired: {entry.id}, whose last day was {entry.expires}: {entry.reason or '-'}" for entry in expired]
        if unseen:
            ids = ", ".join(entry.id for entry in unseen)
            lines.append(f"known but not observed in this run, which does not mean fixed: {ids}")
        return "".join(f"\n{clean(line)}" for line in lines)

    def update(self, report: Report, chosen: Sequence[Chosen]) -> None:
        """Add the unknown findings to the file, take out what a replay of its minimal case does not show any more.

        Nothing is taken out that could not be asked, or has no case; both are said on stderr. After an interruption
        nothing is asked any more.

        Raises:
            UsageError: the file cannot be written.
        """
        if self.file is None:
            return
        unknown = [finding for finding in report.findings if finding.status == "unknown"]
        seen = {finding.baseline_id for finding in report.findings}
        unseen = [entry for entry in self.baseline.entries if entry.id not in seen]
        fixed = [] if report.run.interrupted else self._fixed(unseen, chosen)
        text = ""
        if self.file.exists():
            with self.file.open(encoding="utf-8", newline="") as file:  # a person's line ends stay as they are
                text = file.read()
        write("--baseline", self.file, updated(text, add=unknown, remove=fixed))
        said = f"baseline: {self.file}: {len(unknown)} added, {len(fixed)} taken out"
        click.echo(said + (f" ({', '.join(map(clean, fixed))})" if fixed else ""), err=True)

    def _fixed(self, entries: Sequence[Entry], chosen: Sequence[Chosen]) -> list[str]:
        """Ids of the entries whose minimal case does not show them now; why others are kept is said on stderr."""
        fit = [entry for entry in entries if entry.case is not None and excess(Case.from_json(entry.case)) is None]
        apis = {entry.api for entry in fit}
        selectors = {selector(one.target.name) for one in chosen if one.missing is None and one.target.api in apis}
        shown: dict[str, bool | None] = {entry.id: None for entry in entries}
        if selectors:
            with Replays(sorted(selectors)) as replays:
                shown |= {entry.id: replays.shows(entry) for entry in fit}
        for name in (name for name, shows in shown.items() if shows is None):
            click.echo(f"baseline: {clean(name)} is kept: it has no minimal case that could be asked", err=True)
        return [name for name, shows in shown.items() if shows is False]


def _is_asked(entry: Entry, report: Report) -> bool:
    """Whether a target of the run is one that the entry speaks of."""
    targets = [info for info in report.targets if info.available and info.target.api == entry.api]
    return any(entry.speaks_of(info.target.mode, info.version) for info in targets)
