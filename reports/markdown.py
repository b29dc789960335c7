"""The summary for a forge's page, such as a GitHub step summary: Markdown and the little HTML that forges allow.

A framework's text is data here too. It is cleaned, written on one line, and every character that Markdown, HTML or a
forge's own links (mentions, issues, addresses, emoji, formulas) would act on is written so that they do not.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from harness.records import Report
from reports import overview
from reports.details import Article, Where, articles
from reports.text import NONE, clip, count

Entry = TypeVar("Entry")

LIMIT = 900_000  # bytes of UTF-8, at most: GitHub drops a step's summary above 1 MiB
_ROOMS = {"targets": 90_000, "missing": 60_000, "findings": 230_000, "details": 330_000, "known": 120_000}
_COLUMNS = overview.TOTALS_COLUMNS[:8]
_MARKUP = frozenset("&<>\\`*_[]|~")
_MARKS = r"[&<>\\`*\[\]|~]|(?<![a-z0-9])_|_(?![a-z0-9])"  # an underscore inside a word is one
_LINKS = r"[@#$]|:(?=[/a-z+-])|(?<=www)\.|(?<=GH)-"
_ACTIVE = re.compile(f"{_MARKS}|{_LINKS}", re.IGNORECASE)
_BRIEF = 400  # characters of a sentence in a table
_WHOLE = "<code>deconvdiff report --html FILE --json FILE</code> writes them all from the database"


def render(report: Report) -> str:
    """The summary of a run, always below ``LIMIT`` bytes; where it had to be cut it says how much is missing.

    >>> from harness.records import Run
    >>> run = Run("r", "2026-01-01T00:00:00Z", 0, "default", "Linux", "0.1", "deconvdiff fuzz")
    >>> render(Report(run, (), 0, 0.0, {}, {}, (), {})).splitlines()[0]
    '## deconvdiff: No case ran, so nothing was found and nothing is claimed'
    """
    shown = articles(report.findings)
    new, known = [a for a in shown if not a.known], [a for a in shown if a.known]
    blocks = [*_top(report), *_targets(report), *_missing(report), *_table(new), *_details(new), *_known(known)]
    return "\n\n".join(blocks) + "\n"


def _top(report: Report) -> list[str]:
    header = overview.header(report)
    notice = header.notice
    facts = [("Cases", f"{report.cases:,}", False), *((f.label, f.text, f.code) for f in header.facts)]
    facts.append(("Versions", _versions(report), False))
    lines = [f"- **{label}:** {as_code(text) if code else as_text(text)}" for label, text, code in facts if text]
    return [
        f"## deconvdiff: {as_text(header.verdict)}",
        *([f"**{notice.label}** {as_text(notice.text)}"] if notice else []),
        as_text(header.scope),
        "\n".join(lines),
    ]


def _versions(report: Report) -> str:
    named = dict.fromkeys(f"{info.framework} {info.version}" for info in report.targets if info.version)
    return clip(", ".join(named), 1000)


def _targets(report: Report) -> list[str]:
    totals = overview.totals(report)
    if not totals:
        return ["No target gave an observation."]
    kept, left_out = fitting(totals, _target, _ROOMS["targets"])
    head = [row_of(["target", "framework", *_COLUMNS]), row_of(["---", "---", *("--:" for _ in _COLUMNS)])]
    return ["### Targets", "\n".join([*head, *kept]), *_rest(left_out, "target")]


def _target(row: overview.TotalsRow) -> str:
    counts = (cell.text for cell in row.counts[: len(_COLUMNS)])
    return row_of([as_code(row.name.full), as_text(row.name.framework), *counts])


def _missing(report: Report) -> list[str]:
    missing = overview.unavailable(report)
    kept, left_out = fitting(missing, lambda m: f"- {as_code(m.name.full)}: {as_text(m.reason)}", _ROOMS["missing"])
    return ["Not observed:", "\n".join(kept), *_rest(left_out, "target")] if missing else []


def _table(findings: Sequence[Article]) -> list[str]:
    if not findings:
        return []
    columns = ["finding", "class", "status", "suspect", "count", "what is wrong"]
    return ["### Findings", *_list(columns, findings, _new_row, _ROOMS["findings"])]


def _new_row(f: Article) -> str:
    return row_of(
        [as_code(f.id), as_text(f.verdict.text), as_text(f.status.text), as_code(f.suspect), f.count, _brief(f)]
    )


def _details(findings: Sequence[Article]) -> list[str]:
    kept, left_out = fitting(findings, _detail, _ROOMS["details"])
    return [*kept, *_rest(left_out, "finding")]


def _known(findings: Sequence[Article]) -> list[str]:
    if not findings:
        return []
    columns = ["finding", "baseline", "where", "suspect", "count", "what is wrong"]
    table = _list(columns, findings, _known_row, _ROOMS["known"])
    return [f"<details><summary>{count(len(findings), 'known finding')}</summary>", *table, "</details>"]


def _known_row(f: Article) -> str:
    condition = as_code(f.where.condition) if f.where else NONE
    return row_of([as_code(f.id), as_code(f.baseline or NONE), condition, as_code(f.suspect), f.count, _brief(f)])


def _list(columns: Sequence[str], findings: Sequence[Article], row: Callable[[Article], str], room: int) -> list[str]:
    kept, left_out = fitting(findings, row, room)
    rules = ["--:" if column == "count" else "---" for column in columns]
    return ["\n".join([row_of(columns), row_of(rules), *kept]), *_rest(left_out, "finding")]


def _detail(finding: Article) -> str:
    compared = {finding.expected_size, finding.observed_size} != {NONE}
    wrong = finding.worst_error != NONE
    facts = [
        ("In full", as_text(finding.sentence) if len(finding.sentence) > _BRIEF else ""),
        ("Suspect", as_code(finding.suspect)),
        ("Agrees with the reference", ", ".join(map(as_code, finding.agreeing))),
        ("Cause", as_text(finding.cause)),
        _where(finding.where) if finding.where else ("", ""),
        ("Same signature as", as_code(finding.first.id) if finding.first else ""),
        (finding.case_label, as_code(finding.case_line)),
        ("Asked as", as_code(finding.call)),
        ("Output size", f"expected {finding.expected_size}, observed {finding.observed_size}" if compared else ""),
        ("Worst error", f"{finding.worst_error}; error / bound {finding.bound_ratio}" if wrong else ""),
        ("Rule", _rule(finding)),
        ("Baseline", as_code(finding.baseline)),
    ]
    said = f"<b>{as_text(finding.verdict.text)}</b>: {_brief(finding)} ({as_code(finding.id)})"
    lines = "\n".join(f"- **{label}:** {text}" for label, text in facts if text)
    return f"<details><summary>{said}</summary>\n\n{lines}\n\n{fenced(finding.reproduce)}\n\n</details>"


def _where(where: Where) -> tuple[str, str]:
    support = f": {as_text(where.support)}" if where.support else ""
    return f"{where.label[0].upper()}{where.label[1:]}", f"{as_code(where.condition)}{support}"


def _rule(finding: Article) -> str:
    said = as_text(finding.rule)
    if finding.rule_link:
        return f'{said} (<a href="{html.escape(finding.rule_link)}">documentation</a>)'
    return f"{said} ({as_text(finding.rule_url)})" if finding.rule_url else said


def _brief(finding: Article) -> str:
    return as_text(clip(finding.sentence, _BRIEF))


def row_of(cells: Sequence[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


def fitting(entries: Sequence[Entry], written: Callable[[Entry], str], room: int) -> tuple[list[str], int]:
    """The leading entries that fit into so many bytes, written, and how many are left out."""
    kept: list[str] = []
    for text in map(written, entries):
        room -= len(text.encode()) + 2
        if room < 0:
            break
        kept.append(text)
    return kept, len(entries) - len(kept)


def _rest(left_out: int, noun: str) -> list[str]:
    if not left_out:
        return []
    are = "is" if left_out == 1 else "are"
    return [f"{count(left_out, f'more {noun}')} {are} left out here: {_WHOLE}."]


def fenced(text: str, language: str = "sh") -> str:
    """A code block whose fence no run of backticks in the text can close.

    >>> fenced("deconvdiff replay").splitlines()
    ['```sh', 'deconvdiff replay', '```']
    """
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def as_code(text: str) -> str:
    """Code as HTML: unlike Markdown's it can hold backticks and bars, also in a table."""
    return f"<code>{as_text(text)}</code>" if text else ""


def as_text(text: str) -> str:
    """Text as text, on one line, in Markdown as in HTML.

    Forges make links of what stands in one piece of the finished page, however it was escaped: a span parts it.

    >>> as_text("<b>|`x`: @me #1 https://a.b")
    '&lt;b&gt;&#124;&#96;x&#96;: <span>@</span>me <span>#</span>1 https<span>:</span>//a.b'
    """
    return _ACTIVE.sub(_inert, " ".join(text.split()))


def _inert(match: re.Match[str]) -> str:
    char = match.group()
    if char in _MARKUP:
        return html.escape(char) if char in "&<>" else f"&#{ord(char)};"
    return f"<span>{char}</span>"
