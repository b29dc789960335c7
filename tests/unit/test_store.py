"""What is kept is there: at once, after a kill, for a reader meanwhile; and nobody else's file is touched."""

from __future__ import annotations

import gc
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness import Case, Layer
from harness.errors import UsageError
from harness.layer import Spelling
from harness.records import (
    CaseJudged,
    CasesPut,
    Event,
    Finding,
    FindingChanged,
    FirstDifference,
    Observation,
    Outcome,
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
    WorkerUse,
)
from harness.store import APPLICATION_ID, NO_RUN, VERSION, Store

RUN = Run("r1", "2026-01-04T03:15:02+00:00", 2**64 - 1, "default", "here", "0.1.0", "deconvdiff fuzz")
FINISHED = replace(RUN, finished="2026-01-04T03:15:12+00:00", interrupted=True)
A, B, C, GONE = (Target(f"{name}.conv", "eager") for name in ("a", "b", "c", "gone"))
SHAPES = Target("a.conv", "abstract", device="cuda", environment="old")
TARGETS = (
    TargetInfo(A, "a", "1.0", True),
    TargetInfo(B, "b", "2.0", True),
    TargetInfo(C, "c", None, True),
    TargetInfo(SHAPES, "a", "1.0", True),
    TargetInfo(GONE, "gone", None, False, "is not installed: pip install gone"),
)
LINE = Case(Layer(1, 1, 2, ndim=1), input_size=(3,), seed=2**64 - 1)
PLANE = Case(Layer(1, 2, (2, 3), ndim=2), batch=2, input_size=(3, 4), values="normal")
WORDS = Case.spelled(Spelling("a.conv", {"padding": "SAME ü", "strides": (2, 1), "flag": None}), input_size=(3, 3))
FINDING = Finding(
    id="0123456789ab",
    oracle="agreement",
    kind="value",
    verdict="wrong-result",
    suspect=C.name,
    targets=(C.name,),
    facets={"modes": ("eager",), "devices": ("cpu",), "versions": (), "dtypes": ("float32",), "ndims": (1, 2)},
    agreeing=(A.name, B.name),
    count=1,
    first_case=2,
    sentence="c.conv() returns \x00 <b>values</b> that differ",
    call="c.conv()",
    cause=None,
    case=LINE.to_json(),
    minimal=None,
    expected_size=(4,),
    observed_size=None,
    max_abs_error=float("inf"),
    bound_ratio=None,
    rule=Rule("text", "https://example.org"),
    first_difference=FirstDifference((0, 0, 1), 1.0, 2.5, "[1.]", "[2.5]"),
    log_tail="the log",
    reproduce="deconvdiff replay",
)


def ok(target: Target, shape: tuple[int, ...] = (1, 1, 4), digest: str | None = "d" * 16) -> Observation:
    """An answer."""
    return Observation(target.name, Outcome.OK, shape=shape, dtype="float32", digest=digest, seconds=0.25)


def judged(ordinal: int, case: Case, *observations: Observation, wrong: Iterable[Target] = ()) -> CaseJudged:
    """A case on which all that were not skipped agree but these."""
    names = {target.name for target in wrong}
    agrees = {seen.target: seen.target not in names for seen in observations if seen.outcome is not Outcome.SKIPPED}
    return CaseJudged(ordinal, case, observations, agrees, ())


EVENTS: list[Event] = [
    RunStarted(RUN),
    TargetsGreeted(TARGETS),
    judged(1, LINE, ok(A), ok(B), ok(C), ok(SHAPES, digest=None)),
    judged(2, LINE.replace(seed=1), ok(A), ok(B), ok(C, digest="e" * 16), wrong=[C]),
    FindingChanged(FINDING),
    judged(
        3,
        PLANE,
        ok(A, (2, 2, 4, 6)),
        ok(B, (2, 2, 4, 6), "f" * 16),
        Observation(C.name, Outcome.CRASHED, exit="SIGABRT", seconds=1.5),
        wrong=[C],
    ),
    FindingChanged(replace(FINDING, id="ba9876543210", kind="crash", first_case=3)),
    FindingChanged(replace(FINDING, count=2, bound_ratio=2.5)),
    judged(4, WORDS, Observation(A.name, Outcome.REJECTED, error="ValueError: no")),
    judged(
        5,
        LINE.replace(seed=3),
        *(
            Observation(t.name, Outcome.SKIPPED, reason=why)
            for t, why in ((A, "no groups"), (B, "no groups"), (C, "no bias"))
        ),
    ),
    judged(
        6,
        LINE.replace(seed=4),
        Observation(A.name, Outcome.SKIPPED, reason="no bias"),
        Observation(B.name, Outcome.SKIPPED, reason="no groups"),
        Observation(C.name, Outcome.TIMED_OUT),
        wrong=[C],
    ),
    TargetLost(C.name, "failed 10 times in a row"),
    RunFinished(FINISHED),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder of its own" / "results.sqlite"


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without a run: to make one costs a dozen waits for the disk, to copy it none."""
    path = tmp_path_factory.mktemp("blank") / "results.sqlite"
    Store(path).close()
    return path


@pytest.fixture
def store(path: Path, blank: Path) -> Iterator[Store]:
    path.parent.mkdir()
    shutil.copy(blank, path)
    opened = Store(path)
    yield opened
    opened.close()


def keep(store: Store, events: Iterable[Event] = EVENTS) -> Store:
    """Keep events."""
    for event in events:
        store.keep(event)
    return store


def read(path: Path, run: str | None = None) -> Report:
    """What a reader that opens the file now finds."""
    reader = Store(path, create=False)
    try:
        return reader.report(run)
    finally:
        reader.close()


def test_the_report_of_a_run_is_what_was_kept(store: Store, path: Path) -> None:
    """Run, targets and findings come back equal; cases and outcomes are counted."""
    report = keep(store).report(RUN.id)
    assert report.run == FINISHED
    lost = replace(TARGETS[2], reason="failed 10 times in a row")
    assert report.targets == (*TARGETS[:2], lost, *TARGETS[3:])
    assert report.findings == (
        replace(FINDING, count=2, bound_ratio=2.5),
        replace(FINDING, id="ba9876543210", kind="crash", first_case=3),
    )
    assert (report.cases, report.seconds) == (6, 10.0)
    assert read(path) == report


def test_outcomes_are_counted_by_target(store: Store) -> None:
    """By outcome, by number of axes where it answered, and as judged; a target that was never asked has none."""
    totals = keep(store).report().totals
    assert list(totals) == [info.target.name for info in TARGETS]
    assert totals[A.name].outcomes == {"ok": 3, "rejected": 1, "skipped": 2}
    assert totals[C.name].outcomes == {"ok": 2, "crashed": 1, "skipped": 1, "timed_out": 1}
    assert (totals[A.name].ok_by_ndim, totals[SHAPES.name].ok_by_ndim) == ({1: 2, 2: 1}, {1: 1})
    assert (totals[A.name].agree, totals[A.name].disagree) == (4, 0)
    assert (totals[C.name].agree, totals[C.name].disagree) == (1, 3)
    assert totals[GONE.name].outcomes == {}


def test_the_sums_of_the_json_form_are_those_of_the_observations(store: Store) -> None:
    """What a machine reads is what was kept."""
    totals = keep(store).report().to_json()["totals"]
    kept = [seen for event in EVENTS if isinstance(event, CaseJudged) for seen in event.observations]
    assert totals["observations"] == len(kept)
    for outcome in Outcome:
        assert totals[outcome.value] == sum(seen.outcome is outcome for seen in kept)
    assert (totals["cases"], totals["agree"], totals["disagree"]) == (6, 4 + 3 + 1 + 1, 3)


def test_pairs_agree_by_numbers_where_they_are_exact_and_by_the_judge_where_not(store: Store) -> None:
    """Equal digests on integers; within the bound on reals; equal shapes where one gives no numbers."""
    pairs = keep(store).report().pairs
    assert pairs == {
        (A.name, B.name): (3, 3),
        (A.name, C.name): (1, 2),
        (B.name, C.name): (1, 2),
        (A.name, SHAPES.name): (1, 1),
        (B.name, SHAPES.name): (1, 1),
        (C.name, SHAPES.name): (1, 1),
    }


@pytest.mark.parametrize(
    ("case", "one", "other", "wrong", "agreed"),
    [
        (LINE, ok(A), ok(B, shape=(1, 1, 5)), [B], 0),
        (LINE, ok(A, digest="e" * 16), ok(B, digest="e" * 16), [A, B], 1),
        (LINE, ok(A, digest="e" * 16), ok(B, digest="f" * 16), [A, B], 0),
        (PLANE, ok(A), ok(B, digest="f" * 16), [B], 0),
        (LINE, ok(A), ok(B, shape=(1, 1, 5), digest=None), [B], 0),
    ],
    ids=[
        "another size",
        "the same wrong numbers",
        "other wrong numbers",
        "one beyond the bound",
        "another inferred size",
    ],
)
def test_a_pair_disagrees(
    case: Case, one: Observation, other: Observation, wrong: list[Target], agreed: int, store: Store
) -> None:
    """Two targets may be wrong alike: they agree with each other."""
    keep(store, [*EVENTS[:2], judged(1, case, one, other, wrong=wrong)])
    assert store.report().pairs == {(A.name, B.name): (agreed, 1)}


def test_reasons_for_skipping_are_counted(store: Store) -> None:
    """By target, the most frequent first."""
    assert keep(store).report().skips == {
        A.name: {"no groups": 1, "no bias": 1},
        B.name: {"no groups": 2},
        C.name: {"no bias": 1},
    }


def test_cases_come_back_in_order(store: Store) -> None:
    """Layers and spellings, with seeds of 64 bits, as they were drawn."""
    assert list(keep(store).cases(RUN.id)) == [event.case for event in EVENTS if isinstance(event, CaseJudged)]
    assert list(store.cases("another")) == []


def test_every_event_is_there_at_once_for_a_reader(store: Store, path: Path) -> None:
    """A reader that comes between two events finds all before and nothing after: each is committed by itself."""
    cases = 0
    for event in EVENTS:
        store.keep(event)
        report = read(path)
        cases += isinstance(event, CaseJudged)
        assert report.cases == cases
        assert report == store.report()
    assert report.run.interrupted


def test_a_run_that_was_not_finished_is_reported(store: Store, path: Path) -> None:
    """Without an end its time is that of its observations."""
    keep(store, EVENTS[:4])
    report = read(path)
    assert (report.run, report.cases) == (RUN, 2)
    assert report.seconds == pytest.approx(7 * 0.25)


def test_a_reader_stays_while_the_writer_goes_on(store: Store, path: Path) -> None:
    """Neither waits for the other, and the reader sees what was added."""
    keep(store, EVENTS[:3])
    reader = Store(path, create=False)
    try:
        assert reader.report().cases == 1
        keep(store, EVENTS[3:])
        assert reader.report() == store.report()
        assert reader.report().cases == 6
    finally:
        reader.close()


def test_the_journal_is_written_ahead(store: Store, path: Path) -> None:
    """WAL: a reader and a writer at the same time, and a kill that loses nothing committed."""
    keep(store, EVENTS[:3])
    assert Path(f"{path}-wal").stat().st_size > 0
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert other.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert other.execute("PRAGMA user_version").fetchone() == (VERSION,)
    other.close()


def test_a_closed_database_is_one_file(path: Path) -> None:
    """It can be copied or uploaded as it is."""
    keep(Store(path)).close()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


CHILD = """\
import sys
from pathlib import Path
from harness import Case, Layer
from harness.records import *
from harness.store import Store

store = Store(Path(sys.argv[1]))
store.keep(RunStarted(Run("r1", "2026-01-04T03:15:02+00:00", 1, "default", "here", "0", "fuzz")))
store.keep(TargetsGreeted((TargetInfo(Target("a.conv", "eager"), "a", "1.0", True),)))
ordinal = 0
while True:
    ordinal += 1
    seen = Observation("a.conv+eager", Outcome.OK, shape=(1, 1, 4), digest="d")
    case = Case(Layer(1, 1, 2, ndim=1), input_size=(3,), seed=ordinal)
    store.keep(CaseJudged(ordinal, case, (seen,), {seen.target: True}, ()))
    print(ordinal, flush=True)
"""


def test_a_killed_process_loses_nothing_that_it_kept(path: Path) -> None:
    """SIGKILL in the middle of writing: the report opens and has every case of which the process spoke."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout is not None
        said = [int(next(child.stdout)) for _ in range(25)]
        child.kill()
        said += map(int, child.stdout.read().split())
    report = read(path)
    assert said == list(range(1, len(said) + 1))
    assert report.cases in (len(said), len(said) + 1)
    assert report.totals["a.conv+eager"].outcomes == {"ok": report.cases}
    assert (report.run.finished, report.run.interrupted) == (None, False)
    keep(Store(path), [RunStarted(replace(RUN, id="r2"))]).close()
    assert read(path, "r1") == report


def test_what_was_in_flight_is_counted_until_it_is_judged(store: Store, path: Path) -> None:
    """Cases that were put and never judged, because nobody lived to judge them."""
    keep(store, [*EVENTS[:2], CasesPut({1: LINE, 2: PLANE, 3: WORDS})])
    assert read(path).run == replace(RUN, in_flight=3)
    keep(store, EVENTS[2:4])
    assert (read(path).run.in_flight, read(path).cases) == (1, 2)


def test_workers_conditions_and_settings_are_kept(store: Store, path: Path) -> None:
    """As they were said."""
    info = replace(TARGETS[0], settings={"XLA_FLAGS": "--a b", "N": "1"})
    finding = replace(FINDING, condition="any(a >= s)", support=Support(9, 9, 90, 90))
    finished = replace(FINISHED, workers=(WorkerUse("a", 10.0, 9.5, 2**30), WorkerUse("b", 0.0, 0.0, 0)))
    keep(store, [EVENTS[0], TargetsGreeted((info,)), FindingChanged(finding), RunFinished(finished)])
    report = read(path)
    assert (report.run, report.targets, report.findings) == (finished, (info,), (finding,))


# What a kill leaves ------------------------------------------------------------------------------------------------


def killed(path: Path, target: Path, *suffixes: str) -> Path:
    """What is left of a database whose writer is killed now, or of that so much as was copied."""
    for suffix in ("", *suffixes):
        shutil.copy(f"{path}{suffix}", f"{target}{suffix}")
    return target


@pytest.mark.parametrize("events", range(len(EVENTS)))
@pytest.mark.parametrize("suffixes", [("-wal",), ("-wal", "-shm")], ids=["copied", "as it stands"])
def test_a_kill_after_any_event_leaves_what_was_kept(
    events: int, suffixes: tuple[str, ...], store: Store, path: Path, tmp_path: Path
) -> None:
    """Nothing was moved out of the -wal file; reading moves nothing either."""
    keep(store, EVENTS[:events])
    left = killed(path, tmp_path / "left.sqlite", *suffixes)
    before = left.read_bytes(), Path(f"{left}-wal").read_bytes()
    assert read(left) == store.report()
    assert (left.read_bytes(), Path(f"{left}-wal").read_bytes()) == before


def test_an_empty_file_is_read_as_a_run_that_never_began(tmp_path: Path) -> None:
    """SQLite makes the file before it writes to it; reading leaves it empty."""
    path = tmp_path / "empty.sqlite"
    path.touch()
    assert read(path).run == NO_RUN
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b""


def hot(folder: Path, blank: Path, *, is_new: bool) -> Path:
    """A file with a rollback journal: its writer was killed while it made the tables, or wrote to them."""
    source, path = folder / "source.sqlite", folder / "hot.sqlite"
    if not is_new:
        shutil.copy(blank, source)
    database = sqlite3.connect(source, isolation_level=None)
    database.executescript("PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; BEGIN IMMEDIATE")
    if is_new:
        database.execute("CREATE TABLE runs (id TEXT, started TEXT, record TEXT)")
    for number in range(500):
        database.execute("INSERT INTO runs VALUES (?, '', ?)", [number, "half done" * 50])
    killed(source, path, "-journal")
    database.close()
    if is_new:
        path.write_bytes(blank.read_bytes()[:4096])
    return path


@pytest.mark.parametrize("is_new", [True, False], ids=["while the tables are made", "later"])
def test_what_a_kill_left_half_done_is_undone_for_the_reader(is_new: bool, blank: Path, tmp_path: Path) -> None:
    """In a copy: the files stay as they are for whoever writes next."""
    path = hot(tmp_path, blank, is_new=is_new)
    journal = Path(f"{path}-journal")
    before = path.read_bytes(), journal.read_bytes()
    assert read(path).run == NO_RUN
    assert (path.read_bytes(), journal.read_bytes()) == before
    keep(Store(path), EVENTS).close()
    assert read(path).cases == 6


READER = """\
import os, sys
from pathlib import Path
from harness.store import Store

path = Path(sys.argv[1])
assert not os.access(path.resolve().parent, os.W_OK)
store = Store(path, create=False)
report = store.report()
print(report.run.id, report.cases, report.findings[0].id)
"""

#: PR_CAPBSET_DROP of CAP_DAC_OVERRIDE: root, who may write anywhere, becomes like everybody else
AS_EVERYBODY = """\
import ctypes, os, sys
if os.geteuid() == 0:
    ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="root is made like everybody else by a call of Linux's")
@pytest.mark.parametrize("through", ["itself", "a link"])
@pytest.mark.parametrize("suffixes", [(), ("-wal",), ("-wal", "-shm")], ids=["closed", "copied", "killed"])
def test_a_folder_that_cannot_be_written_can_be_read(
    suffixes: tuple[str, ...], through: str, store: Store, path: Path, tmp_path: Path
) -> None:
    """SQLite wants to write beside a database in WAL mode: it need not, with or without a -wal file."""
    folder, link = tmp_path / "readable", tmp_path / "link.sqlite"
    folder.mkdir()
    keep(store, EVENTS[:6])
    if not suffixes:
        store.close()
    left = killed(path, folder / "results.sqlite", *suffixes)
    link.symlink_to(left)
    folder.chmod(0o555)
    try:
        asked = str(left if through == "itself" else link)
        command = [sys.executable, "-c", AS_EVERYBODY, READER, asked]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    finally:
        folder.chmod(0o755)
    assert (done.stdout.split(), done.stderr) == (["r1", "3", FINDING.id], "")
    assert len(list(folder.iterdir())) == 1 + len(suffixes)


def test_a_file_that_goes_on_changing_is_not_copied_half(
    blank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process writes to it all the time: that is said, and nothing torn is read."""
    path = hot(tmp_path, blank, is_new=False)
    copy = shutil.copyfile

    def busy(source: str, target: str) -> None:
        copy(source, target)
        with path.open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(shutil, "copyfile", busy)
    with pytest.raises(UsageError, match="another process is writing"):
        read(path)


# Several runs ------------------------------------------------------------------------------------------------------

LATER = replace(RUN, id="r2", started="2026-01-05T03:15:02+00:00")


def test_the_latest_run_is_reported_unless_another_is_named(store: Store, path: Path) -> None:
    """Each with its own cases, targets and findings."""
    keep(store)
    keep(store, [RunStarted(LATER), TargetsGreeted(TARGETS[:1]), judged(1, PLANE, ok(A))])
    assert store.report().run == LATER
    assert (store.report().cases, store.report().findings, len(store.report().targets)) == (1, (), 1)
    assert store.report("r1").cases == 6
    assert list(store.cases("r2")) == [PLANE]
    assert read(path, "r1") == store.report("r1")


def test_of_two_runs_that_started_in_one_second_the_later_is_the_latest(store: Store) -> None:
    """Times are kept to the second."""
    keep(store, [RunStarted(RUN), RunStarted(replace(RUN, id="r2")), RunFinished(replace(RUN, id="r2"))])
    assert store.report().run.id == "r2"


def test_findings_of_earlier_runs_are_known(store: Store) -> None:
    """Those of runs before this one alone."""
    keep(store)
    keep(store, [RunStarted(LATER), FindingChanged(replace(FINDING, id="f" * 12))])
    assert store.earlier_findings(RUN) == set()
    assert store.earlier_findings(LATER) == {FINDING.id, "ba9876543210"}


def test_two_writers_share_a_file(store: Store, path: Path) -> None:
    """Two runs at the same time, event by event."""
    other = Store(path)
    try:
        for mine, theirs in zip(EVENTS, [RunStarted(LATER), *EVENTS[1:-1], RunFinished(LATER)], strict=True):
            store.keep(mine)
            other.keep(theirs)
    finally:
        other.close()
    assert store.report("r1").cases == store.report("r2").cases == 6


# Files that are not what they should be ----------------------------------------------------------------------------


def test_an_unknown_run_is_refused(store: Store, path: Path) -> None:
    """Its id and the file are named."""
    keep(store)
    with pytest.raises(UsageError, match="'nope'") as refused:
        store.report("nope")
    assert str(path) in str(refused.value)


def test_a_database_without_a_run_has_a_report_of_none(store: Store, path: Path) -> None:
    """A kill between the tables and the run leaves it: nothing was observed, and no run is made up."""
    nothing = Report(NO_RUN, (), 0, 0.0, {}, {}, (), {})
    assert store.report() == read(path) == nothing
    with pytest.raises(UsageError, match="'r1' is not in it"):
        store.report("r1")


def test_a_database_that_is_not_there_says_how_to_make_one(path: Path) -> None:
    """Reading makes no file."""
    with pytest.raises(UsageError, match="deconvdiff fuzz --db") as refused:
        Store(path, create=False)
    assert str(path) in str(refused.value)
    assert not path.parent.exists()


@pytest.mark.parametrize("create", [True, False], ids=["to write", "to read"])
@pytest.mark.parametrize(
    "content", [b"not a database, but quite long a text " * 100, b"SQLite format 3\x00" + b"\xff" * 4096]
)
def test_a_corrupt_file_is_refused_untouched(content: bytes, create: bool, tmp_path: Path) -> None:
    """One line with the file's name and what to do."""
    path = tmp_path / "corrupt.sqlite"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="--db") as refused:
        Store(path, create=create)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_database_cut_in_half_is_refused(path: Path) -> None:
    """What a full disk or a broken download leaves."""
    keep(Store(path)).close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="--db"):
        read(path)


@pytest.mark.parametrize("create", [True, False], ids=["to write", "to read"])
@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE photos (name TEXT); INSERT INTO photos VALUES ('mine')",
        "CREATE TABLE runs (id TEXT); INSERT INTO runs VALUES ('mine')",
        "PRAGMA application_id = 7; PRAGMA user_version = 1",
        "PRAGMA journal_mode = WAL; CREATE TABLE photos (name TEXT)",
    ],
    ids=["tables", "a table of our name", "only an identity", "WAL"],
)
def test_a_database_of_another_program_stays_byte_for_byte(script: str, create: bool, tmp_path: Path) -> None:
    """``--db`` with a wrong name destroys nothing."""
    path = tmp_path / "photos.sqlite"
    other = sqlite3.connect(path)
    other.executescript(script)
    other.close()
    before = path.read_bytes()
    with pytest.raises(UsageError, match="another program") as refused:
        Store(path, create=create)
    assert str(path) in str(refused.value)
    del refused
    gc.collect()  # a connection that is still open would write when it is closed
    assert path.read_bytes() == before


@pytest.mark.parametrize("create", [True, False], ids=["to write", "to read"])
@pytest.mark.parametrize("version", [0, VERSION - 1, VERSION + 1])
def test_a_database_of_another_schema_is_refused_untouched(version: int, create: bool, path: Path) -> None:
    """Older and newer ones: both versions are named, and nothing is converted or lost."""
    keep(Store(path)).close()
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version = {version}")
    other.close()
    before = path.read_bytes()
    with pytest.raises(UsageError, match=f"schema {version}") as refused:
        Store(path, create=create)
    assert str(VERSION) in str(refused.value)
    assert "--db" in str(refused.value)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_ours_when_it_is_to_be_written(tmp_path: Path) -> None:
    """A temporary file made by a script holds nothing to lose."""
    path = tmp_path / "empty.sqlite"
    path.touch()
    keep(Store(path)).close()
    assert read(path).cases == 6


def test_a_record_that_cannot_be_read_is_said(store: Store, path: Path) -> None:
    """Somebody edited the file, or another version wrote more fields."""
    keep(store)
    other = sqlite3.connect(path)
    other.execute("UPDATE runs SET record = ?", [json.dumps({"id": "r1", "colour": "red"})])
    other.commit()
    other.close()
    with pytest.raises(UsageError, match="cannot be read"):
        store.report()


@pytest.mark.parametrize("create", [True, False], ids=["to write", "to read"])
def test_a_folder_is_no_database(create: bool, tmp_path: Path) -> None:
    """One line, not a traceback."""
    with pytest.raises(UsageError) as refused:
        Store(tmp_path, create=create)
    assert str(tmp_path) in str(refused.value)


@pytest.mark.parametrize("name", ["a b.sqlite", "50%.sqlite", "what?.sqlite", "#1.sqlite", "ü.sqlite"])
def test_any_file_name_will_do(name: str, tmp_path: Path) -> None:
    """Characters that mean something in an address are the file's own."""
    keep(Store(tmp_path / name)).close()
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208 # names, as the system has them
    assert read(tmp_path / name).cases == 6


def test_an_event_that_cannot_be_kept_leaves_nothing_of_itself(store: Store) -> None:
    """A case that is there already: neither its observations nor anything else is half written, and more can follow."""
    keep(store, EVENTS[:4])
    before = store.report()
    with pytest.raises(UsageError, match="--db"):
        store.keep(judged(2, PLANE, ok(A), ok(B)))
    twice = judged(3, PLANE, ok(A), ok(A))
    with pytest.raises(UsageError, match="--db"):
        store.keep(twice)
    assert store.report() == before
    keep(store, [judged(3, PLANE, ok(A))])
    assert store.report().cases == before.cases + 1
