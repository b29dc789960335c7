"""The known findings: a TOML file whose entries say which disagreements are known, and why.

Reading checks everything and names file, entry, field, value, rule and remedy. Updating changes only the entries that
are added and removed: every other byte of the file stays, for a person wrote it.
"""

from __future__ import annotations

import bisect
import importlib.resources
import itertools
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import tomlkit
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from tomlkit.exceptions import ParseError, TOMLKitError
from tomlkit.items import AoT

from harness.errors import InvalidField, UsageError
from harness.judge.condition import Condition, ConditionError, Facts
from harness.layer import Case
from harness.records import Disagreement, Finding, Kind, Oracle

SCHEMA = 1

HEADER = """\
# Known findings of deconvdiff: what an entry covers does not fail a run. One [[known]] table for each:
#
#   id         the finding's id: the entry covers this signature alone; or a label of your own, which decides nothing
#   oracle     "agreement" or "contract"
#   api        the API that deviates, by its full name
#   kind       the finding's kind; acceptance covers rejection too, value gradient, crash hang and memory
#   reason     why it is known; "" until somebody has looked
# and, if it is not for all:
#   modes      a list of modes: ["eager", "jit"]
#   versions   of the framework, as in a requirement: ">=2.13,<2.14"
#   condition  of the case: "any((a >= s) & (a < d))"
#   expires    the last day on which it counts, without quotes: 2027-06-01
# and for people: upstream (an address), sentence (as it was found), case (as JSON, for deconvdiff replay --case).
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One known finding: what it covers, why it is known, and how it was found. Empty modes stand for every mode."""

    id: str
    oracle: Oracle
    api: str
    kind: Kind
    reason: str
    modes: tuple[str, ...] = ()
    versions: SpecifierSet | None = None
    condition: Condition | None = None
    upstream: str | None = None
    expires: date | None = None
    sentence: str | None = None
    case: Mapping[str, Any] | None = None

    @property
    def signature(self) -> str | None:
        """The signature that the id names, if it is a finding's and no label.

        >>> [Entry(id, Oracle.CONTRACT, "mine", Kind.SIZE, "").signature for id in ("a1b2c3d4e5f6-2", "odd sizes")]
        ['a1b2c3d4e5f6', None]
        """
        match = _SIGNATURE.fullmatch(self.id)
        return match["signature"] if match else None

    def expired(self, today: date) -> bool:
        """Whether the last day on which the entry counts is over.

        >>> entry = Entry("odd sizes", Oracle.CONTRACT, "mine", Kind.SIZE, "", expires=date(2027, 6, 1))
        >>> entry.expired(date(2027, 6, 1)), entry.expired(date(2027, 6, 2))
        (False, True)
        """
        return self.expires is not None and today > self.expires

    def covers(self, disagreement: Disagreement, facts: Facts) -> bool:
        """Whether the entry speaks of a disagreement on a case with these facts, expired or not.

        An unknown version lies in no range, and a condition that asks for what is unknown does not hold.
        """
        target = disagreement.asked.target
        return (
            (self.oracle, self.api, self.kind.family) == (disagreement.oracle, target.api, disagreement.kind.family)
            and self.signature in (None, disagreement.signature)
            and self._speaks_of(target.mode, facts.known.get("version"))
            and (self.condition is None or self.condition.holds(facts))
        )

    def speaks_of(self, mode: str, version: str | None) -> bool:
        """Whether a mode and a version of the framework are among those that the entry is about."""
        return self._speaks_of(mode, None if version is None else _version(version))

    def _speaks_of(self, mode: str, version: object) -> bool:
        if self.modes and mode not in self.modes:
            return False
        if self.versions is None:
            return True
        return isinstance(version, Version) and self.versions.contains(version, prereleases=True)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The known findings of one file, in its order, and the name of the file."""

    name: str
    entries: tuple[Entry, ...]

    @classmethod
    def read(cls, path: Path | str) -> Baseline:
        """Read a file.

        Raises:
            UsageError: the file cannot be read, or ``parse`` says what is wrong with its text.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: is not UTF-8 text (byte {error.start}): save it as UTF-8") from None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise UsageError(f"{path}: cannot be read ({why}): name a file of known findings") from None
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, name: str) -> Baseline:
        """Read the text of a file; ``name`` says in messages which. A text without anything in it has no entries.

        Raises:
            UsageError: not TOML, a newer schema, an unknown or missing field, a value that breaks a rule, an id twice.

        >>> Baseline.parse("schema = 2", "known.toml")
        Traceback (most recent call last):
        harness.errors.UsageError: known.toml: schema=2: this version reads schema 1; install a newer deconvdiff
        """
        tables = _tables(_document(text, name).unwrap(), name)
        entries = tuple(_entry(table, _where(name, number, table)) for number, table in enumerate(tables, 1))
        first: dict[str, int] = {}
        for number, entry in enumerate(entries, 1):
            if first.setdefault(entry.id, number) != number:
                rule = f"is the id of entry {first[entry.id]} too; append -2, or -3 and so on"
                raise _wrong(f"{name}: entry {number}", "id", entry.id, rule)
        return cls(name, entries)

    @classmethod
    def shipped(cls) -> Baseline:
        """The findings that are known to this version of deconvdiff.

        >>> Baseline.shipped().name
        'harness/judge/known.toml'
        """
        text = importlib.resources.files("harness.judge").joinpath("known.toml").read_text(encoding="utf-8")
        return cls.parse(text, "harness/judge/known.toml")

    @classmethod
    def empty(cls) -> Baseline:
        """Nothing is known."""
        return cls("", ())

    def match(self, disagreement: Disagreement, facts: Facts) -> Entry | None:
        """The first entry that covers a disagreement, expired or not."""
        return next((entry for entry in self.entries if entry.covers(disagreement, facts)), None)


def updated(
    text: str, *, add: Sequence[Finding] = (), remove: Collection[str] = (), pinned: Mapping[str, str] | None = None
) -> str:
    """The text of a file with entries added for findings and with the entries of some ids taken out.

    All else stays byte for byte. A removed entry takes the comment lines directly above it along. A new entry covers
    the modes and the range of versions in which its finding was seen; ``pinned`` gives another version by API. It gets
    the finding's id, or the next free -2, -3 ... of it. Ids to remove that are not in the file are not missed.

    Raises:
        UsageError: the text is no file of known findings, or its entries are not [[known]] tables.

    >>> updated("schema = 1  # mine", remove=["a1b2c3d4e5f6"])
    'schema = 1  # mine'
    """
    known = {entry.id for entry in Baseline.parse(text, "baseline").entries}
    kept = _without(text, known.intersection(remove))
    if not add:
        return kept
    taken = known.difference(remove)
    kept, end = _opened(kept)
    for finding in add:
        id_ = _free(finding.id, taken)
        taken.add(id_)
        kept += end + "".join(line + end for line in _lines(finding, id_, pinned or {}))
    return kept


_SIGNATURE = re.compile(r"(?P<signature>[0-9a-f]{12})(-[1-9][0-9]*)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BYTE_ORDER_MARK = "\ufeff"

_Choice = TypeVar("_Choice", Oracle, Kind)


def _document(text: str, name: str) -> tomlkit.TOMLDocument:
    text = text.removeprefix(_BYTE_ORDER_MARK)
    try:
        return tomlkit.parse(text)
    except ParseError as error:
        line, said = error.line, str(error).rpartition(" at line ")[0]
    except TOMLKitError as error:
        line, said = _line_of_fault(text), str(error)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name}: is not TOML ({error}); mend it or start with an empty file") from None
    raise UsageError(f"{name}: line {line}: is not TOML ({said.rstrip('.')}); mend this line")


def _line_of_fault(text: str) -> int:
    """The line of a fault that tomlkit gives no line for, like a key that stands twice in a table."""
    lines = text.split("\n")

    def faulty(count: int) -> bool:
        try:
            tomlkit.parse("\n".join(lines[:count]))
        except ParseError:
            return False
        except TOMLKitError:
            return True
        return False

    return bisect.bisect_left(range(len(lines)), True, key=faulty)


def _tables(data: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The entries as they are written, of a file of this schema."""
    if not data:
        return []
    schema = data.get("schema")
    if schema is None:
        raise UsageError(f"{name}: schema is missing: write schema = {SCHEMA} at the top")
    if type(schema) is not int or schema != SCHEMA:
        newer = type(schema) is int and schema > SCHEMA
        remedy = "install a newer deconvdiff" if newer else f"write schema = {SCHEMA}"
        raise _wrong(name, "schema", schema, f"this version reads schema {SCHEMA}; {remedy}")
    if unknown := [key for key in data if key not in ("schema", "known")]:
        raise _wrong(name, unknown[0], data[unknown[0]], "has no place here; there are schema and [[known]] tables")
    tables = data.get("known", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise _wrong(name, "known", tables, "must be [[known]] tables, one for each entry")
    return tables


def _where(name: str, number: int, table: Mapping[str, Any]) -> str:
    named = f" (id {table['id']!r:.60})" if isinstance(table.get("id"), str) else ""
    return f"{name}: entry {number}{named}"


def _entry(table: Mapping[str, Any], where: str) -> Entry:
    if unknown := [key for key in table if key not in _READ]:
        raise _wrong(where, unknown[0], table[unknown[0]], f"is not a field; known are {', '.join(_READ)}")
    if missing := [name for name in _REQUIRED if name not in table]:
        raise UsageError(f"{where}: {missing[0]} is missing: an entry has {', '.join(_REQUIRED)}")
    return Entry(**{name: _value(where, name, value) for name, value in table.items()})


def _value(where: str, field: str, value: object) -> Any:
    try:
        return _READ[field](value)
    except ConditionError as error:
        raise UsageError(f"{where}: {error}") from None
    except ValueError as error:
        raise _wrong(where, field, value, str(error)) from None


def _wrong(where: str, field: str, value: object, rule: str) -> UsageError:
    shown = field if field.isprintable() else repr(field)
    return UsageError(f"{where}: {InvalidField(shown, value, rule)}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text in quotes")
    return value


def _name(value: object) -> str:
    text = _text(value)
    if not text.strip() or not text.isprintable():
        raise ValueError("must be one line of text with something in it")
    return text


def _choice(choices: type[_Choice]) -> Callable[[object], _Choice]:
    def read(value: object) -> _Choice:
        if value not in [choice.value for choice in choices]:
            raise ValueError(f"must be one of {', '.join(choice.value for choice in choices)}")
        return choices(value)

    return read


def _modes(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError('must be a list of modes like ["eager", "jit"]; leave it out for every mode')
    return tuple(map(_name, value))


def _versions(value: object) -> SpecifierSet:
    text = _text(value)
    try:
        versions = SpecifierSet(text)
        # Some faults, like numbers of thousands of digits, show only when a version is compared.
        versions.contains("1", prereleases=True)
    except ValueError:
        versions = SpecifierSet()
    if not len(versions):
        raise ValueError('must be a range of versions by PEP 440 like ">=2.13,<2.14"; leave it out for every version')
    return versions


def _date(value: object) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError("must be a date without quotes, like 2027-06-01")
    return value


def _case(value: object) -> Mapping[str, Any]:
    text = _text(value)
    try:
        return Case.from_json(text).to_json()
    except (ValueError, RecursionError) as error:
        raise ValueError(f"holds no case ({error}); copy it from a report or leave it out") from None


_REQUIRED = ("id", "oracle", "api", "kind", "reason")
_READ: dict[str, Callable[[object], object]] = {
    "id": _name,
    "oracle": _choice(Oracle),
    "api": _name,
    "kind": _choice(Kind),
    "modes": _modes,
    "versions": _versions,
    "condition": lambda value: Condition.parse(_text(value)),
    "reason": _text,
    "upstream": _text,
    "expires": _date,
    "sentence": _text,
    "case": _case,
}


def _without(text: str, ids: Collection[str]) -> str:
    """The text without some entries, and without the blank lines that would be left in their places."""
    kept, cut = "", False
    for id_, piece in _pieces(text) if ids else [(None, text)]:
        if id_ in ids:
            cut = True
        elif not cut or _loose_end(kept).count("\n") < 2:
            kept, cut = kept + piece, False
        elif joined := _BLANK_LINES.sub("", piece):
            kept, cut = kept + joined, False
    if cut and (loose := _loose_end(kept)):
        kept = kept.removesuffix(loose) + loose[: loose.index("\n") + 1]
    return kept


_BLANK_LINES = re.compile(r"\A(?:[ \t]*\r?\n)+")


def _loose_end(text: str) -> str:
    return text[len(text.rstrip(" \t\r\n")) :]


def _pieces(text: str) -> Iterator[tuple[str | None, str]]:
    """The text in pieces: entries with their ids, each with the comment directly above it, and what is between."""
    done = 0
    for id_, header, end in reversed(list(_spans(text, _known(_document(text, "baseline"))))):
        start = header - len(_comment_above(text[done:header]))
        yield None, text[done:start]
        yield id_, text[start:end]
        done = end
    yield None, text[done:]


def _known(document: tomlkit.TOMLDocument) -> AoT:
    known = document.get("known", tomlkit.aot())
    if not isinstance(known, AoT):
        raise _wrong("baseline", "known", known.unwrap(), "to be updated, write each entry as a [[known]] table")
    return known


def _spans(text: str, known: AoT) -> Iterator[tuple[str, int, int]]:
    """From the last entry to the first: its id, where its header's line starts and where its last field ends.

    Nothing can follow [[known]] tables but more of them, so that each reaches to the next one or to the end.
    """
    end = len(text)
    for table in reversed(known.body):
        header = text.rfind("\n", 0, end - len(table.as_string()) - 1) + 1
        loose = itertools.takewhile(lambda pair: pair[0] is None, reversed(table.value.body))
        yield str(table["id"]), header, end - sum(len(item.as_string()) for _, item in loose)
        end = header


def _comment_above(text: str) -> str:
    """The comment lines that the text ends with."""
    lines = itertools.takewhile(lambda line: line.lstrip().startswith("#"), reversed(re.findall(r".*\n", text)))
    return "".join(reversed(list(lines)))


def _opened(text: str) -> tuple[str, str]:
    """The text, to which entries can be appended, and how its lines end."""
    end = "\r\n" if "\r\n" in text else "\n"
    if not text.strip().removeprefix(_BYTE_ORDER_MARK):
        return f"{text.strip()}{HEADER}schema = {SCHEMA}\n".replace("\n", end), end
    if not text.endswith("\n"):
        text += end
    document = _document(text, "baseline")
    _known(document)
    return text if "schema" in document else f"{text}schema = {SCHEMA}{end}", end


def _free(id_: str, taken: Collection[str]) -> str:
    if id_ not in taken:
        return id_
    match = _SIGNATURE.fullmatch(id_)
    stem = match["signature"] if match else id_
    return next(f"{stem}-{n}" for n in itertools.count(2) if f"{stem}-{n}" not in taken)


def _lines(finding: Finding, id_: str, pinned: Mapping[str, str]) -> Iterator[str]:
    """The lines of the entry of a finding."""
    # A target's name is API+MODE@ENV.
    api = re.split(r"[+@]", finding.suspect, maxsplit=1)[0]
    seen = (pinned[api],) if api in pinned else finding.facets.get("versions", ())
    case = finding.case if finding.minimal is None else finding.minimal
    values: dict[str, str | Sequence[str] | None] = {
        "id": id_,
        "oracle": finding.oracle,
        "api": api,
        "kind": finding.kind,
        "modes": list(finding.facets.get("modes", ())),
        "versions": _range(seen),
        "reason": "",
        "sentence": finding.sentence,
        "case": json.dumps(dict(case), separators=(",", ":")),
    }
    yield "[[known]]"
    for name, value in values.items():
        if value is not None and value != []:
            yield f"{name} = {_toml(value)}"


def _range(versions: Iterable[str]) -> str | None:
    """From the first of some versions to the last; None where none of them is a version by PEP 440.

    >>> _range(["2.13.0+cpu"]), _range(["2.9", "2.10", "2.11rc1"]), _range(["unknown"])
    ('==2.13.0', '>=2.9,<=2.11rc1', None)
    """
    # The local label says how a version was built, and the finding is not known of one build alone.
    known = sorted({Version(version.public) for version in map(_version, versions) if version})
    if not known:
        return None
    return f"=={known[0]}" if len(known) == 1 else f">={known[0]},<={known[-1]}"


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except ValueError:
        return None


def _toml(value: str | Sequence[str]) -> str:
    if not isinstance(value, str):
        return f"[{', '.join(map(_toml, value))}]"
    # TOML has no lone surrogates; in text from a dying process they stand for bytes that are no UTF-8.
    text = _SURROGATE.sub("\ufffd", value)
    literal = '"' in text and "'" not in text and text.isprintable()
    return tomlkit.string(text, literal=literal).as_string()
