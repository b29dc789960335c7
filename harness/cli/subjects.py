"""What ``replay`` runs again: the cases of a finding's id, of a file (JSON or an HTML report), or of a text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from harness import effort
from harness.errors import InvalidField, UsageError
from harness.layer import Case, Layer
from harness.values import largest_magnitude

_ID = re.compile(r"[0-9a-f]{12}(-[0-9]+)?")
_LARGEST = 50_000_000


@dataclass(frozen=True, slots=True)
class Subject:
    """A case to be run again; of a finding also its id and the target that it accuses."""

    case: Case
    id: str | None = None
    suspect: str | None = None


def subjects(what: str | None, text: str | None, db: Path | None) -> tuple[Subject, ...]:
    """The cases that ``what`` (an id, else a file) or ``text`` (a case as JSON) names.

    Raises:
        UsageError: neither or both are given, an id that no run has, a file that cannot be read, a field of a case that
            breaks a rule, a case that is too large.
    """
    if (what is None) == (text is None):
        raise UsageError("replay: name an ID or a FILE, or write --case JSON, one of the three")
    if what is not None and _ID.fullmatch(what) and not Path(what).exists():
        return (_of_id(what, db or Path(".deconvdiff/results.sqlite")),)
    if db is not None:
        raise UsageError(f"--db {db}: is only read for the ID of a finding (12 hex digits), not for {what or '--case'}")
    where = "--case" if what is None else what
    content = str(text) if what is None else _read(Path(what))
    found = _of_html(content, where) if content.lstrip()[:1] == "<" else _of_json(content, where)
    return tuple(_bounded(subject) for subject in found)


def _of_id(identity: str, db: Path) -> Subject:
    from harness.store import Store

    store = Store(db, create=False)
    try:
        finding = store.finding(identity)
    finally:
        store.close()
    if finding is None:
        raise UsageError(f"{identity}: no run in {db} has a finding of this id; --db names another database")
    return _bounded(Subject(_case(finding.minimal or finding.case, identity), finding.id, finding.suspect))


def _of_json(content: str, where: str) -> tuple[Subject, ...]:
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{where}: is not JSON ({error}): expected a case, the output of 'fuzz --json' or an HTML report"
        ) from error
    if isinstance(data, dict) and isinstance(data.get("findings"), list) and data.get("schema", 1) == 1:
        return _of_records(data["findings"], where)
    return (Subject(_case(data, where)),)


def _of_records(records: Iterable[Any], where: str) -> tuple[Subject, ...]:
    return tuple(_of_record(record, f"{where}: finding {number}") for number, record in enumerate(records, 1))


def _of_record(record: Any, where: str) -> Subject:
    if not isinstance(record, Mapping):
        raise UsageError(f"{where}: must be an object, not {str(record)[:80]!r}")
    case = _case(record.get("minimal") or record.get("case") or {}, where)
    named = {name: value for name in ("id", "suspect") if isinstance(value := record.get(name), str)}
    return Subject(case, named.get("id"), named.get("suspect"))


def _case(data: Any, where: str) -> Case:
    try:
        return Case.from_json(data)
    except InvalidField as error:
        raise UsageError(f"{where}: {error}") from error


def _of_html(content: str, where: str) -> tuple[Subject, ...]:
    reader = _Findings()
    reader.feed(content)
    if not reader.is_report:
        raise UsageError(f"{where}: is HTML, but no report of deconvdiff")
    try:
        records = [json.loads(record) for record in reader.records]
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: holds a finding that is not JSON ({error})") from error
    return _of_records(records, where)


class _Findings(HTMLParser):
    """The findings that a report carries in the attributes of its articles."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[str] = []
        self.is_report = False

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        """Collect the finding of an article."""
        named = dict(attrs)
        self.is_report = self.is_report or named.get("id") == "section-findings"
        if tag == "article" and (record := named.get("data-finding")):
            self.records.append(record)


def _bounded(subject: Subject) -> Subject:
    if (why := excess(subject.case)) is not None:
        raise UsageError(f"replay: {subject.id or 'the case'} {why}")
    return subject


def excess(case: Case) -> str | None:
    """Why a case that somebody wrote is not run: it would take minutes or all of the memory, or no sum is exact.

    >>> excess(Case(Layer(kernel_size=1, ndim=1), batch=2**29, input_size=1))
    'has 536870912 multiply-adds and an array of 536870912 elements: at most 17179869184 and 268435456 fit'
    """
    layer = _meaning(case)
    if (why := effort.excess(layer, case.input_size, batch=case.batch)) is not None:
        return why
    products = 0 if layer is None else layer.products_per_output(case.input_size)
    if case.values != "normal" and not largest_magnitude(products, case.dtype):
        rule = f"{products} products are not exact in {case.dtype}: write values='normal' or a smaller case"
        return f"has values={case.values!r}: {rule}"
    return None


def _meaning(case: Case) -> Layer | None:
    """The layer that is asked, or that a known API's documentation makes of the call."""
    from harness.frameworks import registry
    from harness.records import Resolved

    if case.spelling is None:
        return case.layer
    api = next((api() for api in registry.apis() if api.name == case.spelling.api), None)
    answer = None if api is None else api.resolve(case.spelling, case.input_size)
    return answer.layer if isinstance(answer, Resolved) else None


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > _LARGEST:
            raise UsageError(f"{file}: is larger than {_LARGEST} bytes: not a case file")
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"{file}: cannot be read as text ({error}); a finding's id has 12 hex digits") from error
