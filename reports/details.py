"""What a report shows of each finding: the summary table's row and the article."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import InvalidField
from harness.layer import Case, Layer
from harness.records import Finding, FirstDifference
from reports.overview import is_known
from reports.text import NONE, clip, clip_start, count, link, number, size

_CLASS_ORDER = ("wrong-result", "crash", "contract", "limitation")
_STATUSES = ("known", "unknown", "expired")
_DETAIL = 6000  # characters of a log, at most
_ALL_DETAILS = 300_000  # characters of all logs together: a report of hundreds of findings stays small


@dataclass(frozen=True, slots=True)
class Badge:
    """A word and the colour that stands beside it; the tone is a word of the style sheet."""

    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Sides:
    """The expected and the observed values around the first difference."""

    place: str
    expected: str
    observed: str


@dataclass(frozen=True, slots=True)
class Where:
    """The condition under which a finding shows: verified, with its support, or what the baseline says."""

    label: str
    condition: str
    support: str


@dataclass(frozen=True, slots=True)
class First:
    """The finding that has a further one's signature; ``anchor`` is None where the page does not show it."""

    id: str
    anchor: str | None


@dataclass(frozen=True, slots=True)
class Article:
    """One finding, ready to be shown. ``rule_link`` is None where the address must not become a link.

    ``data`` is JSON for programs, complete: the id, the suspect and the case that is shown.
    """

    anchor: str
    id: str
    sentence: str
    call: str
    suspect: str
    verdict: Badge
    kind: str
    oracle: str
    status: Badge
    known: bool
    baseline: str
    count: str
    cases: str
    first_case: str
    deviating: tuple[str, ...]
    agreeing: tuple[str, ...]
    cause: str
    where: Where | None
    first: First | None
    facets: tuple[tuple[str, str], ...]
    rule: str
    rule_url: str
    rule_link: str | None
    case_label: str
    case_line: str
    case_json: str
    found_json: str
    expected_size: str
    observed_size: str
    worst_error: str
    bound_ratio: str
    sides: Sides | None
    log: str
    reproduce: str
    data: str


def articles(findings: Sequence[Finding]) -> tuple[Article, ...]:
    """Every finding, the gravest class first, otherwise in the order given.

    ``articles(report.findings)[0].anchor`` is "3fa9c0de1b22".
    """
    detail = max(400, min(_DETAIL, _ALL_DETAILS // max(1, len(findings))))
    ordered = sorted(findings, key=lambda finding: _rank(finding.verdict))
    ids = {finding.id for finding in findings}
    return tuple(_article(finding, detail, ids) for finding in ordered)


def where(finding: Finding) -> Where | None:
    """The condition of a finding, as it is shown; None where none is known.

    ``where(finding).support`` is "fails 412 of 412, passes 1,900 of 1,900 outside".
    """
    if finding.condition is None:
        return None
    label = "where" if finding.support is not None or finding.baseline_id is None else "where, by the baseline"
    return Where(label, clip(finding.condition, 600), "" if finding.support is None else str(finding.support))


def first_of(finding_id: str) -> str | None:
    """The id of the first finding of a further one's signature, which has a number behind it.

    >>> first_of("3fa9c0de1b22-2"), first_of("3fa9c0de1b22")
    ('3fa9c0de1b22', None)
    """
    further = re.fullmatch(r"([0-9a-f]{12})-[0-9]{1,9}", finding_id)
    return further[1] if further else None


def case_line(data: Mapping[str, Any]) -> str:
    """A case on one line, in PyTorch's words or the API's own; defaults are left out.

    >>> case_line(Case(Layer(kernel_size=3, stride=2, ndim=1), input_size=(3,)).to_json())
    'ConvTranspose1d(1, 1, kernel_size=3, stride=2), input 3, batch 1, float32, integers, seed 0'
    """
    try:
        case = Case.from_json(data)
    except (InvalidField, KeyError, TypeError, ValueError):
        return clip(_compact(data), 400)
    question = layer_line(case.layer) if case.layer else _spelling_line(case)
    recipe = f"input {size(case.input_size)}, batch {case.batch}, {case.dtype}, {case.values}, seed {case.seed}"
    return clip(f"{question}, {recipe}", 600)


def layer_line(layer: Layer) -> str:
    """A layer as PyTorch's constructor call; equal axes are one number and defaults are left out.

    >>> layer_line(Layer(2, 3, kernel_size=(3, 5), stride=2, padding=1))
    'ConvTranspose2d(2, 3, kernel_size=(3, 5), stride=2, padding=1)'
    """
    per_axis = ("kernel_size", 0), ("stride", 1), ("padding", 0), ("output_padding", 0), ("dilation", 1)
    words = [f"{name}={_axes(value)}" for name, usual in per_axis if set(value := getattr(layer, name)) != {usual}]
    words += [f"groups={layer.groups}"] if layer.groups != 1 else []
    words += [] if layer.bias else ["bias=False"]
    return f"ConvTranspose{layer.ndim}d({', '.join([str(layer.in_channels), str(layer.out_channels), *words])})"


def _article(finding: Finding, detail: int, ids: Container[str]) -> Article:
    rule = finding.rule
    shown = finding.case if finding.minimal is None else finding.minimal
    return Article(
        anchor=_anchor(finding.id),
        id=clip(finding.id, 40),
        sentence=clip(finding.sentence, 1500),
        call=clip(finding.call, 600),
        suspect=clip(finding.suspect, 200),
        verdict=_class(finding.verdict),
        kind=clip(finding.kind, 40),
        oracle=clip(finding.oracle, 40),
        status=_status(finding.status),
        known=is_known(finding),
        baseline=clip(finding.baseline_id or "", 80),
        count=f"{finding.count:,}",
        cases=count(finding.count, "disagreement"),
        first_case=f"{finding.first_case:,}",
        deviating=_names(finding.targets),
        agreeing=_names(finding.agreeing),
        cause=clip(finding.cause or "", 300),
        where=where(finding),
        first=_first(finding.id, ids),
        facets=_facets(finding.facets),
        rule=clip(rule.text, 600) if rule else "",
        rule_url=clip(rule.url, 300) if rule else "",
        rule_link=_link(rule.url) if rule else None,
        case_label="Case" if finding.minimal is None else "Minimal case",
        case_line=case_line(shown),
        case_json=clip(_pretty(shown), 3000),
        found_json=clip(_compact(finding.case), 1200) if finding.minimal not in (None, finding.case) else "",
        expected_size=size(finding.expected_size),
        observed_size=size(finding.observed_size),
        worst_error=number(finding.max_abs_error),
        bound_ratio=number(finding.bound_ratio),
        sides=_sides(finding.first_difference, min(detail, 2000)) if finding.first_difference else None,
        log=clip_start(finding.log_tail or "", detail),
        reproduce=clip(finding.reproduce, 2000),
        data=_data(finding.id, finding.suspect, shown),
    )


def _first(finding_id: str, ids: Container[str]) -> First | None:
    first = first_of(finding_id)
    return None if first is None else First(first, _anchor(first) if first in ids else None)


def _rank(verdict: str) -> int:
    return _CLASS_ORDER.index(verdict) if verdict in _CLASS_ORDER else len(_CLASS_ORDER)


def _class(verdict: str) -> Badge:
    return Badge(clip(verdict.replace("-", " "), 40), verdict if verdict in _CLASS_ORDER else "other")


def _status(status: str) -> Badge:
    return Badge(clip(status, 40), status if status in _STATUSES else "other")


def _anchor(finding_id: str) -> str:
    """The id itself where it is what ids are (hex digits, perhaps -2); nothing else may pass as it stands."""
    return re.sub(r"[^A-Za-z0-9-]", "_", finding_id)[:60] or "_"


def _link(url: str) -> str | None:
    return link(url) if len(url) <= 300 else None


def _names(targets: Sequence[str]) -> tuple[str, ...]:
    shown = tuple(clip(name, 200) for name in targets[:40])
    return (*shown, f"{len(targets) - 40} more") if len(targets) > 40 else shown


def _facets(facets: Mapping[str, Sequence[Any]]) -> tuple[tuple[str, str], ...]:
    return tuple((clip(name, 40), _values(values)) for name, values in list(facets.items())[:12] if values)


def _values(values: Sequence[Any]) -> str:
    shown = [clip(str(value), 80) for value in values[:12]]
    return ", ".join([*shown, f"{len(values) - 12} more"] if len(values) > 12 else shown)


def _sides(difference: FirstDifference, limit: int) -> Sides:
    place = f"first at {list(difference.index)}: expected {number(difference.expected)}, "
    return Sides(
        place=place + f"observed {number(difference.observed)}",
        expected=clip(difference.expected_values, limit),
        observed=clip(difference.observed_values, limit),
    )


def _axes(values: tuple[int, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else f"({', '.join(map(str, values))})"


def _spelling_line(case: Case) -> str:
    spelling = case.spelling
    arguments = ", ".join(f"{name}={value!r}" for name, value in spelling.arguments) if spelling else NONE
    return f"{spelling.api if spelling else NONE}({clip(arguments, 400)})"


def _compact(data: object) -> str:
    return json.dumps(data, default=str, ensure_ascii=False)


def _data(finding_id: str, suspect: str, case: Mapping[str, Any]) -> str:
    """JSON in printable ASCII: cleaning, which is for people's eyes, finds nothing in it to change."""
    return json.dumps({"id": finding_id, "suspect": suspect, "case": dict(case)}, default=str, separators=(",", ":"))


def _pretty(data: Mapping[str, Any], indent: str = "") -> str:
    """JSON with one field per line and lists of numbers on that line."""
    inner = indent + "  "
    fields = (f"{inner}{_compact(name)}: {_field(value, inner)}" for name, value in data.items())
    return "{\n" + ",\n".join(fields) + f"\n{indent}}}" if data else "{}"


def _field(value: object, indent: str) -> str:
    return _pretty(value, indent) if isinstance(value, Mapping) and len(indent) < 8 else _compact(value)
