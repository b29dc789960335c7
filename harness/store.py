"""SQLite (WAL): runs, targets, cases, observations, findings. Each event is committed before the next is asked for.

A database is ours when its ``application_id`` says so; anything else is refused untouched. Whatever a killed run left
can be read, from a folder that cannot be written too.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.layer import Case
from harness.records import (
    CaseJudged,
    CasesPut,
    Coverage,
    Covered,
    Event,
    Finding,
    FindingChanged,
    FirstDifference,
    Observation,
    Report,
    Rule,
    Run,
    RunFinished,
    RunStarted,
    Support,
    Target,
    TargetInfo,
    TargetLost,
    TargetsGreeted,
    TargetTotals,
    WorkerUse,
)

APPLICATION_ID = 0x64636466
VERSION = 2

_OTHER = "name another database (fuzz --db FILE, report FILE)"

_TABLES = """
CREATE TABLE runs (id TEXT PRIMARY KEY, started TEXT NOT NULL, record TEXT NOT NULL);
CREATE TABLE targets (run TEXT NOT NULL, name TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (run, name));
CREATE TABLE cases (
  run TEXT NOT NULL, ordinal INTEGER NOT NULL, hash TEXT NOT NULL, ndim INTEGER NOT NULL, exact INTEGER NOT NULL,
  record TEXT NOT NULL, PRIMARY KEY (run, ordinal)
);
CREATE TABLE observations (
  run TEXT NOT NULL, ordinal INTEGER NOT NULL, target TEXT NOT NULL, outcome TEXT NOT NULL, shape TEXT, dtype TEXT,
  digest TEXT, input_digest TEXT, reason TEXT, error TEXT, exit TEXT, seconds REAL NOT NULL, agrees INTEGER,
  PRIMARY KEY (run, ordinal, target)
);
CREATE TABLE in_flight (run TEXT NOT NULL, ordinal INTEGER NOT NULL, record TEXT NOT NULL, PRIMARY KEY (run, ordinal));
CREATE TABLE findings (run TEXT NOT NULL, id TEXT NOT NULL, record TEXT NOT NULL, PRIMARY KEY (run, id));
"""

#: what stands in the place of a run where none has begun
NO_RUN = Run(id="", started="", seed=0, profile="", platform="", version="", command="")

#: a main file and what SQLite may have left beside it: what was committed and not yet moved, and what is to be undone
_BESIDE = ("-wal", "-journal")
_COPIES = 5

_KEEP_CASE = "INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?)"
_KEEP_OBSERVATION = "INSERT INTO observations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Store:
    """A database of runs. Raises ``UsageError`` where the file is not ours, not readable or not writable."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        if path.is_dir():
            raise UsageError(f"{path}: is a folder: {_OTHER}")
        if not create and not path.is_file():
            raise UsageError(f"{path}: there is no such database; 'deconvdiff fuzz --db {path}' makes one")
        with self._explained():
            if create:
                path.parent.mkdir(parents=True, exist_ok=True)
            _check_header(path)
            self._database = self._opened() if create else _readable(path)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def keep(self, event: Event) -> None:
        """Write an event down.

        Raises:
            UsageError: the database cannot be written any more (disk full, removed).
        """
        with self._explained(), self._transaction():
            match event:
                case RunStarted(run):
                    self._start(run)
                case TargetsGreeted(targets):
                    self._keep_targets(self._run, targets)
                case TargetLost(target, reason):
                    self._lose(target, reason)
                case RunFinished(run):
                    self._keep_run(run)
                case _:
                    self._keep_observed(event)

    def report(self, run_id: str | None = None) -> Report:
        """Everything that is known of a run; without an id, of the latest, and of ``NO_RUN`` where none has begun.

        Raises:
            UsageError: no such run, or a record that cannot be read.
        """
        with self._explained():
            where = "WHERE id = ?" if run_id else "ORDER BY started DESC, rowid DESC"
            row = self._rows(f"SELECT record FROM runs {where} LIMIT 1", *([run_id] if run_id else []))  # noqa: S608 # two texts of ours
            if not row and run_id:
                raise UsageError(f"{self.path}: run {run_id!r} is not in it")
            return self._report(_run(json.loads(row[0][0])) if row else NO_RUN)

    def unfinished(self, plan: str) -> Run | None:
        """The latest run of that plan that has not come to its end."""
        with self._explained():
            rows = self._rows("SELECT record FROM runs ORDER BY rowid DESC")
            runs = (_run(json.loads(record)) for (record,) in rows)
            return next((run for run in runs if run.coverage is not None and _has_rest(run.coverage, plan)), None)

    def judged(self, run_id: str) -> tuple[int, frozenset[str]]:
        """The last ordinal of a run, and the content hashes of its cases."""
        with self._explained():
            rows = self._rows("SELECT ordinal, hash FROM cases WHERE run = ?", run_id)
        return max((ordinal for ordinal, _ in rows), default=0), frozenset(identity for _, identity in rows)

    def earlier_findings(self, run: Run) -> set[str]:
        """Ids of the findings of every run in this database that started before."""
        with self._explained():
            rows = self._rows(
                "SELECT findings.id FROM findings JOIN runs ON run = runs.id "
                "WHERE runs.rowid < (SELECT rowid FROM runs WHERE id = ?)",
                run.id,
            )
        return {identity for (identity,) in rows}

    def finding(self, identity: str) -> Finding | None:
        """The latest run's finding of that id, None where no run has one."""
        with self._explained():
            rows = self._rows(
                "SELECT findings.record FROM findings JOIN runs ON run = runs.id WHERE findings.id = ? "
                "ORDER BY runs.rowid DESC LIMIT 1",
                identity,
            )
            return _finding(json.loads(rows[0][0])) if rows else None

    def cases(self, run_id: str) -> Iterator[Case]:
        """The cases of a run in the order in which they were drawn."""
        with self._explained():
            for (record,) in self._rows("SELECT record FROM cases WHERE run = ? ORDER BY ordinal", run_id):
                yield Case.from_json(record)

    def _report(self, run: Run) -> Report:
        targets = [
            _target_info(json.loads(r))
            for (r,) in self._rows("SELECT record FROM targets WHERE run = ? ORDER BY rowid", run.id)
        ]
        (cases,) = self._rows("SELECT count(*) FROM cases WHERE run = ?", run.id)[0]
        (seconds,) = self._rows("SELECT coalesce(sum(seconds), 0) FROM observations WHERE run = ?", run.id)[0]
        findings = [
            _finding(json.loads(r))
            for (r,) in self._rows("SELECT record FROM findings WHERE run = ? ORDER BY rowid", run.id)
        ]
        names = [info.target.name for info in targets]
        (in_flight,) = self._rows("SELECT count(*) FROM in_flight WHERE run = ?", run.id)[0]
        return Report(
            run=replace(run, in_flight=in_flight),
            targets=tuple(targets),
            cases=cases,
            seconds=_elapsed(run) or seconds,
            totals={name: self._totals(run.id, name) for name in names},
            pairs=self._pairs(run.id, names),
            findings=tuple(sorted(findings, key=lambda finding: finding.first_case)),
            skips=self._skips(run.id),
        )

    def _totals(self, run: str, target: str) -> TargetTotals:
        mine = (run, target)
        outcomes = dict(
            self._rows(
                "SELECT outcome, count(*) FROM observations WHERE run = ? AND target = ? GROUP BY outcome", *mine
            )
        )
        judged = dict(
            self._rows("SELECT agrees, count(*) FROM observations WHERE run = ? AND target = ? GROUP BY agrees", *mine)
        )
        by_ndim = self._rows(
            "SELECT ndim, count(*) FROM observations JOIN cases USING (run, ordinal) "
            "WHERE run = ? AND target = ? AND outcome = 'ok' GROUP BY ndim",
            *mine,
        )
        return TargetTotals(outcomes, dict(by_ndim), judged.get(1, 0), judged.get(0, 0))

    def _skips(self, run: str) -> dict[str, dict[str, int]]:
        skips: dict[str, dict[str, int]] = {}
        rows = self._rows(
            "SELECT target, reason, count(*) FROM observations WHERE run = ? AND outcome = 'skipped' "
            "GROUP BY target, reason ORDER BY count(*) DESC",
            run,
        )
        for target, reason, count in rows:
            skips.setdefault(target, {})[reason or ""] = count
        return skips

    def _pairs(self, run: str, names: list[str]) -> dict[tuple[str, str], tuple[int, int]]:
        """For each pair of targets: of n cases that both answered, the k in which they agree."""
        agreed: Counter[tuple[str, str]] = Counter()
        both: Counter[tuple[str, str]] = Counter()
        order = {name: i for i, name in enumerate(names)}
        for answers in self._answers(run):
            for one, other in combinations(sorted(answers, key=lambda a: order[a[0]]), 2):
                pair = (one[0], other[0])
                if (one[1] is None) != (other[1] is None):
                    continue  # an output and a gradient
                both[pair] += 1
                agreed[pair] += _agree(one, other)
        return {pair: (agreed[pair], count) for pair, count in both.items()}

    def _answers(self, run: str) -> Iterator[list[tuple[Any, ...]]]:
        rows = self._rows(
            "SELECT ordinal, target, shape, digest, agrees, exact FROM observations JOIN cases USING (run, ordinal) "
            "WHERE run = ? AND outcome = 'ok' ORDER BY ordinal",
            run,
        )
        case: list[tuple[Any, ...]] = []
        last = None
        for ordinal, *answer in rows:
            if ordinal != last and case:
                yield case
                case = []
            case.append(tuple(answer))
            last = ordinal
        if case:
            yield case

    def _keep_observed(self, event: CasesPut | CaseJudged | FindingChanged | Covered) -> None:
        match event:
            case CasesPut(cases):
                rows = [(self._run, ordinal, json.dumps(case.to_json())) for ordinal, case in cases.items()]
                self._database.executemany("INSERT INTO in_flight VALUES (?, ?, ?)", rows)
            case CaseJudged():
                self._keep_case(event)
            case FindingChanged(finding):
                record = json.dumps(asdict(self._with_earlier(finding)))
                upsert = "INSERT INTO findings VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET record = excluded.record"
                self._write(upsert, self._run, finding.id, record)
            case Covered(run, judged):
                self._keep_run(run)
                for one in judged:
                    self._keep_case(one)

    def _start(self, run: Run) -> None:
        """Begin a run, or go on with one that was killed or interrupted."""
        self._run = run.id
        self._write("DELETE FROM in_flight WHERE run = ?", run.id)
        rows = self._rows("SELECT record FROM findings WHERE run = ?", run.id)
        self._earlier = {one.id: one for one in (_finding(json.loads(record)) for (record,) in rows)}
        self._keep_run(run)

    def _with_earlier(self, finding: Finding) -> Finding:
        """A finding of the first part of a run that goes on is told as it was, and counted together."""
        old = self._earlier.get(finding.id)
        if old is None:
            return finding
        facets = {name: tuple(sorted({*old.facets.get(name, ()), *values})) for name, values in finding.facets.items()}
        targets = tuple(sorted({*old.targets, *finding.targets}))
        told = finding if old.minimal is None else old
        return replace(told, count=old.count + finding.count, first_case=old.first_case, facets=facets, targets=targets)

    def _keep_run(self, run: Run) -> None:
        upsert = "INSERT INTO runs VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET record = excluded.record"
        self._write(upsert, run.id, run.started, json.dumps(asdict(run)))

    def _keep_targets(self, run: str, targets: tuple[TargetInfo, ...]) -> None:
        for info in targets:
            upsert = "INSERT INTO targets VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET record = excluded.record"
            self._write(upsert, run, info.target.name, json.dumps(asdict(info)))

    def _keep_case(self, event: CaseJudged) -> None:
        case = event.case
        self._write("DELETE FROM in_flight WHERE run = ? AND ordinal = ?", self._run, event.ordinal)
        record = json.dumps(case.to_json())
        exact = case.values == "integers"
        self._write(_KEEP_CASE, self._run, event.ordinal, case.content_hash, case.ndim, exact, record)
        rows = [(self._run, event.ordinal, *_observation_row(seen, event.agrees)) for seen in event.observations]
        self._database.executemany(_KEEP_OBSERVATION, rows)

    def _lose(self, target: str, reason: str) -> None:
        (record,) = self._rows("SELECT record FROM targets WHERE run = ? AND name = ?", self._run, target)[0]
        lost = {**json.loads(record), "reason": reason}
        self._write("UPDATE targets SET record = ? WHERE run = ? AND name = ?", json.dumps(lost), self._run, target)

    def _opened(self) -> sqlite3.Connection:
        """The file with its tables, all made or none, and with the right to write."""
        database = _connected(self.path, "mode=rwc")
        try:
            if not _tables(database):
                marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
                database.executescript(f"BEGIN IMMEDIATE; {marks} {_TABLES} COMMIT")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
        except BaseException:
            database.close()
            raise
        return database

    def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._database.execute(statement, values).fetchall()

    def _write(self, statement: str, *values: Any) -> None:
        self._database.execute(statement, values)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise UsageError(f"{self.path}: cannot be used as a database ({error}); {_OTHER}") from error
        except (ValueError, TypeError, KeyError) as error:
            raise UsageError(f"{self.path}: holds a record that cannot be read ({error}); {_OTHER}") from error


def _readable(path: Path) -> sqlite3.Connection:
    """The database to be read: one whose run was killed before its tables were there is as one without a run."""
    database = _to_read(path)
    if _tables(database):
        return database
    database.close()
    blank = sqlite3.connect(":memory:", isolation_level=None)
    blank.executescript(_TABLES)
    return blank


def _to_read(path: Path) -> sqlite3.Connection:
    """As it stands; as a copy where SQLite would have to write beside it, or undo what a kill left half done.

    Source: read-only databases in https://www.sqlite.org/wal.html, section 9, and
    https://www.sqlite.org/lockingv3.html#hot_journals.
    """
    path = path.resolve()  # SQLite writes beside the file, not beside a link to it
    try:
        return _connected(path, "mode=ro")
    except sqlite3.OperationalError:
        if any(_size(f"{path}{suffix}") for suffix in _BESIDE):
            return _copied(path)
        if os.access(path.parent, os.W_OK):
            raise
        return _connected(path, "immutable=1")


def _copied(path: Path) -> sqlite3.Connection:
    """The database with all that belongs to it in memory, read whole from a folder of its own.

    A file that another process changes meanwhile is copied again.
    """
    with tempfile.TemporaryDirectory(prefix="deconvdiff-") as folder:
        copy = Path(folder) / "copy.sqlite"
        for _ in range(_COPIES):
            before = _state(path)
            for suffix in ("", *_BESIDE):
                if Path(f"{path}{suffix}").exists():
                    shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
            if _state(path) == before:
                break
        else:
            raise sqlite3.OperationalError("another process is writing to it; try again")
        source, memory = _connected(copy, "mode=rw"), sqlite3.connect(":memory:", isolation_level=None)
        try:
            source.backup(memory)
        finally:
            source.close()
        return memory


def _connected(path: Path, how: str) -> sqlite3.Connection:
    """A connection that has read the schema: SQLite opens a file when it is first asked something."""
    database = sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, isolation_level=None)
    try:
        _tables(database)
    except BaseException:
        database.close()
        raise
    return database


def _tables(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _state(path: Path) -> list[tuple[int, int] | None]:
    files = [Path(f"{path}{suffix}") for suffix in ("", *_BESIDE)]
    return [(file.stat().st_size, file.stat().st_mtime_ns) if file.exists() else None for file in files]


def _size(path: str) -> int:
    return Path(path).stat().st_size if Path(path).exists() else 0


def _check_header(path: Path) -> None:
    """Read the marks of an existing file as bytes: SQLite itself, once it has opened a file, may write to it.

    An empty file is what a kill leaves before the tables are there.

    Source: the database header of https://www.sqlite.org/fileformat.html, sections 1.3.14 and 1.3.15.
    """
    header = b""
    if path.exists():
        with path.open("rb") as file:
            header = file.read(100)
    if not header:
        return
    if not header.startswith(b"SQLite format 3\x00"):
        raise UsageError(f"{path}: is not a database of deconvdiff; nothing was changed: {_OTHER}")
    version, identity = (int.from_bytes(header[start : start + 4], "big") for start in (60, 68))
    if identity != APPLICATION_ID:
        raise UsageError(f"{path}: is an SQLite database of another program; nothing was changed: {_OTHER}")
    if version != VERSION:
        raise UsageError(f"{path}: has schema {version} of another version, this one reads {VERSION}: {_OTHER}")


def _agree(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Same shape; same numbers where both gave numbers and the case is exact; on reals both within the bound."""
    _, shape, digest, agrees, exact = one
    _, other_shape, other_digest, other_agrees, _ = other
    if shape != other_shape:
        return False
    if digest is None or other_digest is None:
        return True
    return bool(digest == other_digest or (not exact and agrees and other_agrees))


def _observation_row(seen: Observation, agrees: Mapping[str, bool]) -> tuple[Any, ...]:
    shape = None if seen.shape is None else str(list(seen.shape))  # as JSON has it
    verdict = agrees.get(seen.target)
    row = (seen.target, seen.outcome.value, shape, seen.dtype, seen.digest, seen.input_digest)
    return (*row, seen.reason, seen.error, seen.exit, seen.seconds, None if verdict is None else int(verdict))


def _target_info(record: dict[str, Any]) -> TargetInfo:
    return TargetInfo(**{**record, "target": Target(**record["target"])})


def _run(record: dict[str, Any]) -> Run:
    workers = tuple(WorkerUse(**use) for use in record.get("workers", ()))
    covered = record.get("coverage")
    return Run(**{**record, "workers": workers, "coverage": None if covered is None else Coverage(**covered)})


def _has_rest(coverage: Coverage, plan: str) -> bool:
    return coverage.plan == plan and coverage.done < coverage.total


def _finding(record: dict[str, Any]) -> Finding:
    for name in ("targets", "agreeing", "expected_size", "observed_size"):
        record[name] = None if record[name] is None else tuple(record[name])
    record["facets"] = {name: tuple(values) for name, values in record["facets"].items()}
    record["rule"] = Rule(**record["rule"]) if record["rule"] else None
    if record["support"]:
        record["support"] = Support(**record["support"])
    if first := record["first_difference"]:
        record["first_difference"] = FirstDifference(**{**first, "index": tuple(first["index"])})
    return Finding(**record)


def _elapsed(run: Run) -> float | None:
    if run.finished is None:
        return None
    return (datetime.fromisoformat(run.finished) - datetime.fromisoformat(run.started)).total_seconds()
