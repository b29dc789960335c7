"""The files that a run's report is written to: HTML, JUnit XML, Markdown, JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.output import check_distinct, check_writable, write, write_json

if TYPE_CHECKING:
    from harness.layer import Case
    from harness.records import Report


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where each format goes; None where it is not wanted, ``-`` for JSON on stdout."""

    html: Path | None
    junit: Path | None
    summary: Path | None
    json: str | None

    def check(self, **inputs: Path | None) -> None:
        """Refuse what could not be written later, or would overwrite another file of the same command.

        Raises:
            UsageError: names the option and the file.
        """
        files = self._files()
        check_distinct(**inputs, **files)
        for option, path in files.items():
            check_writable(option, path)

    def write(self, report: Report, cases: Iterable[Case]) -> None:
        """Write every wanted file, each as a whole.

        Raises:
            UsageError: one cannot be written.
        """
        from harness.cli.tables import size_tables
        from reports import html, json, junit, markdown

        if self.html is not None:
            write("--html", self.html, html.render(report, size_tables(cases)))
        if self.junit is not None:
            write("--junit", self.junit, junit.render(report))
        if self.summary is not None:
            write("--summary", self.summary, markdown.render(report))
        if self.json is not None:
            write_json(self.json, json.render(report))

    def told(self) -> str:
        """Which files were written, a line each."""
        names = {"--html": "report", "--junit": "JUnit", "--summary": "summary", "--json": "JSON"}
        return "".join(f"\n{names[option] + ':':<9} {path}" for option, path in self._files().items())

    def _files(self) -> dict[str, Path]:
        json = None if self.json in (None, "-") else Path(str(self.json))
        named = {"--html": self.html, "--junit": self.junit, "--summary": self.summary, "--json": json}
        return {option: path for option, path in named.items() if path is not None}
