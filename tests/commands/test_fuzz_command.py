"""``deconvdiff fuzz`` from end to end: what it says, what it leaves, what it exits with, and how it can be stopped."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from command import INTERRUPTED, PROGRAM, Finished, deconvdiff, finish, start, wait_for

CI = ("fuzz", "--target=targets:Correct", "--profile=ci", "--json=r.json")

Runs: TypeAlias = "Mapping[str, Future[tuple[Path, Finished]]]"

#: the schema of ``fuzz --json``: additions are allowed, renames are not
DOCUMENT = {"schema", "run", "targets", "totals", "findings"}
RUN = {"id", "started", "finished", "seed", "profile", "shard", "interrupted", "platform", "version"}
TARGET = {"name", "framework", "version", "api", "mode", "device", "environment", "available", "reason"}
OUTCOMES = {"ok", "skipped", "rejected", "crashed", "timed_out", "out_of_memory"}
TOTALS = OUTCOMES | {"cases", "observations", "agree", "disagree", "seconds"}
FINDING = {
    *("id", "oracle", "kind", "class", "suspect", "targets", "facets", "agreeing", "status", "baseline_id", "change"),
    *("count", "first_case", "sentence", "condition", "condition_support", "cause", "case", "minimal"),
    *("expected_size", "observed_size", "max_abs_error", "bound_ratio", "rule", "reproduce"),
}
FACETS = {"modes", "devices", "versions", "dtypes", "ndims"}

#: targets in the current folder: one takes its time, one answers three cases and is then busy for an hour
SLEEPERS = """
import os, time
from pathlib import Path
from targets import Correct

class Slow(Correct):
    def run(self, *arrays):
        time.sleep(0.2)
        return super().run(*arrays)

class Stuck(Correct):
    answered = 0

    def run(self, *arrays):
        if self.answered == 3:
            Path("draft").write_text(str(os.getpid()))
            Path("draft").rename("busy")
            time.sleep(3600)
        self.answered += 1
        time.sleep(0.02)  # so that it is answered, and does not wait for company
        return super().run(*arrays)
"""


def fuzz(folder: Path, *arguments: str, targets: tuple[str, ...] = ("Correct",), program: str = PROGRAM) -> Finished:
    """The command on classes of ``tests/faults/targets.py`` (or, with their module, of the folder); seed 7."""
    named = [f"--target={name if ':' in name else f'targets:{name}'}" for name in targets]
    return deconvdiff(folder, "fuzz", *named, "--seed", "7", *arguments, program=program)


#: not far from the smallest case, to which each step of a crash costs a process
SMALL = "dtype == 'float32' and batch < 3 and max(n) < 4 and max(k) < 4 and in_channels < 3"


def right(folder: Path) -> Finished:
    return fuzz(folder, "--cases", "30", "--json", "-")


def faulty_twice(folder: Path) -> Finished:
    """The second of two runs into one database; the first one's output is left in ``first.txt``."""
    faulty, few = ("Aborts", "FlippedKernel"), ("--cases", "8", "--where", SMALL)
    first = fuzz(folder, *few, "--json", "first.json", targets=faulty)
    (folder / "first.txt").write_text(f"{first.status}\n{first.stdout}", encoding="utf-8")
    return fuzz(folder, *few, "--json", "second.json", "--fail-on", "appeared", targets=faulty)


def forgiven(folder: Path) -> Finished:
    files = ("--html", "other.html", "--db", "below/other.sqlite", "--json", "other.json")
    return fuzz(folder, "--cases", "2", "--fail-on", "never", *files, targets=("OtherDtype",))


def absent(folder: Path) -> Finished:
    return fuzz(folder, "--cases", "2", targets=("no_such_module:Thing",))


def broken(folder: Path) -> Finished:
    return fuzz(folder, "--cases", "2", "--json", "-", targets=("BreaksOnLoad", "Correct"))


def timed(folder: Path) -> Finished:
    (folder / "sleepers.py").write_text(SLEEPERS, encoding="utf-8")
    return fuzz(folder, "--time", "4s", "--json", "-", targets=("sleepers:Slow",))


def stopped(number: signal.Signals) -> Callable[[Path], Finished]:
    """A run that gets the signal while its target is busy with the fourth case."""

    def run(folder: Path) -> Finished:
        (folder / "sleepers.py").write_text(SLEEPERS, encoding="utf-8")
        process = start(folder, "fuzz", "--target", "sleepers:Stuck", "--seed", "7", "--json", "r.json")
        wait_for(folder / "busy", process)
        process.send_signal(number)
        return finish(process)

    return run


RUNS: dict[str, Callable[[Path], Finished]] = {
    "faulty": faulty_twice,
    "timed": timed,
    "right": right,
    "SIGINT": stopped(signal.SIGINT),
    "SIGTERM": stopped(signal.SIGTERM),
    "forgiven": forgiven,
    "absent": absent,
    "broken": broken,
    "profile": lambda folder: deconvdiff(folder, *CI, "--cases=3"),
    "profile, seed": lambda folder: deconvdiff(folder, *CI, "--cases=1", "--seed=5"),
    "interrupted": lambda folder: fuzz(folder, "--cases", "5", "--json", "r.json", program=INTERRUPTED),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Every run of this module with its folder, a few of them at the same time."""

    def conduct(name: str, folder: Path) -> tuple[Path, Finished]:
        return folder, RUNS[name](folder)

    with ThreadPoolExecutor(3) as threads:
        yield {name: threads.submit(conduct, name, tmp_path_factory.mktemp(name)) for name in RUNS}


def load(path: Path) -> Any:
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def select(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    """Rows of the database in its usual place."""
    database = sqlite3.connect(folder / ".deconvdiff" / "results.sqlite")
    try:
        return database.execute(statement).fetchall()
    finally:
        database.close()


def test_a_right_target_passes_and_stdout_is_the_json_alone(runs: Runs) -> None:
    """Exit status 0; stdout parses as one document, and its totals add up."""
    done = runs["right"].result()[1]
    totals = done.document["totals"]
    assert done.status == 0
    assert done.document["findings"] == []
    assert (totals["cases"], totals["observations"], totals["disagree"]) == (30, 30, 0)
    assert totals["agree"] == totals["ok"] > 0
    assert sum(totals[outcome] for outcome in OUTCOMES) == 30


def test_the_report_and_the_database_are_where_stderr_says(runs: Runs) -> None:
    """With ``--json -`` both paths are printed on stderr; both files are there and hold the run."""
    folder, done = runs["right"].result()
    assert "deconvdiff.html" in done.stderr
    assert str(Path(".deconvdiff", "results.sqlite")) in done.stderr
    assert "targets:Correct" in (folder / "deconvdiff.html").read_text(encoding="utf-8")
    assert select(folder, "SELECT count(*) FROM cases") == [(30,)]
    assert select(folder, "SELECT id FROM runs") == [(done.document["run"]["id"],)]


def test_progress_is_plain_lines_where_there_is_no_terminal(runs: Runs) -> None:
    """No escape code and no carriage return reaches a log file; the seed is said, so that the run can be repeated."""
    done = runs["right"].result()[1]
    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr
    assert "seed 7" in done.stderr


def test_the_json_has_every_key_of_the_schema(runs: Runs) -> None:
    """Additions are allowed, renames are not."""
    document = load(runs["faulty"].result()[0] / "first.json")
    assert document["schema"] == 1
    assert document.keys() >= DOCUMENT
    assert document["run"].keys() >= RUN
    assert document["totals"].keys() >= TOTALS
    assert all(target.keys() >= TARGET for target in document["targets"])
    for finding in document["findings"]:
        assert finding.keys() >= FINDING
        assert finding["facets"].keys() >= FACETS
        assert finding["case"]["schema"] == finding["minimal"]["schema"] == 1
    assert document["run"]["interrupted"] is False
    assert document["run"]["seed"] == 7


def test_findings_fail_the_run_and_are_named_on_stdout(runs: Runs) -> None:
    """Exit status 1; stdout has the sentence, the id and the command that shows it again, and both paths."""
    folder, _ = runs["faulty"].result()
    status, _, said = (folder / "first.txt").read_text(encoding="utf-8").partition("\n")
    findings = load(folder / "first.json")["findings"]
    assert status == "1"
    assert {finding["suspect"] for finding in findings} == {"targets:Aborts+default", "targets:FlippedKernel+default"}
    for finding in findings:
        for part in ("id", "sentence", "reproduce"):
            assert finding[part] in said
    assert "deconvdiff.html" in said
    assert "results.sqlite" in said


def test_a_finding_is_said_when_it_comes_and_when_it_is_reduced(runs: Runs) -> None:
    """A line with the id and the case in which it came; below it the sentence of its minimal case, as in the result."""
    folder, done = runs["faulty"].result()
    lines = done.stderr.splitlines()
    for finding in load(folder / "second.json")["findings"]:
        (place,) = (i for i, line in enumerate(lines) if line.startswith(f"finding {finding['id']} in case "))
        assert f"in case {finding['first_case']}: {finding['suspect'].split('+')[0]} with" in lines[place]
        assert lines[place + 1] == f"  reduced: {finding['sentence']}"


def test_the_minimal_case_is_smaller_and_is_what_is_told(runs: Runs) -> None:
    """One input element, one channel; the sentence and the command to copy are about it, not about the first case."""
    for finding in load(runs["faulty"].result()[0] / "first.json")["findings"]:
        minimal = finding["minimal"]
        assert (minimal["batch"], {*minimal["input_size"]}, minimal["layer"]["in_channels"]) == (1, {1}, 1)
        assert minimal != finding["case"]
        assert f"input of size {tuple(minimal['input_size'])}" in finding["sentence"]
        assert json.dumps(minimal, separators=(",", ":")) in finding["reproduce"]


def test_a_crash_is_a_finding_and_does_not_end_the_run(runs: Runs) -> None:
    """After its process died the target is asked again, and its neighbour is asked of every case."""
    folder, _ = runs["faulty"].result()
    document = load(folder / "first.json")
    totals = {target["api"]: target["totals"] for target in document["targets"]}
    (crash,) = (finding for finding in document["findings"] if finding["suspect"] == "targets:Aborts+default")
    assert (crash["kind"], crash["class"], crash["count"]) == ("crash", "crash", totals["targets:Aborts"]["crashed"])
    last_crash, last_answer = (
        select(folder, f"SELECT max(ordinal) FROM observations WHERE target LIKE '%Aborts%' AND outcome = '{outcome}'")
        for outcome in ("crashed", "ok")
    )
    first_crash = select(folder, "SELECT min(ordinal) FROM observations WHERE outcome = 'crashed'")
    assert first_crash[0] < max(last_crash[0], last_answer[0])
    assert document["totals"]["observations"] == 2 * document["totals"]["cases"] == 16


def test_the_same_seed_gives_the_same_cases_and_the_same_findings(runs: Runs) -> None:
    """Everything but the run's own id and times is alike in two runs, and so are the cases that were drawn."""
    folder, _ = runs["faulty"].result()
    first, second = (load(folder / name) for name in ("first.json", "second.json"))
    assert first["run"]["id"] != second["run"]["id"]
    assert second["findings"] == first["findings"] != []
    assert [target["totals"] for target in second["targets"]] == [target["totals"] for target in first["targets"]]
    (once, again) = (
        select(folder, f"SELECT ordinal, record FROM cases WHERE run = '{document['run']['id']}' ORDER BY ordinal")
        for document in (first, second)
    )
    assert again == once


def test_fail_on_appeared_forgives_what_an_earlier_run_has(runs: Runs) -> None:
    """The second run into the same database has the same findings, none of them new: exit status 0."""
    assert runs["faulty"].result()[1].status == 0


def test_fail_on_never_forgives_everything_and_files_go_where_they_are_told(runs: Runs) -> None:
    """Exit status 0 with a finding; nothing is written in the usual places; the database's folder is made."""
    folder, done = runs["forgiven"].result()
    assert done.status == 0
    assert [finding["kind"] for finding in load(folder / "other.json")["findings"]] == ["dtype"]
    assert (folder / "other.html").is_file()
    assert (folder / "below" / "other.sqlite").is_file()
    assert not (folder / "deconvdiff.html").exists()
    assert not (folder / ".deconvdiff").exists()


@pytest.mark.parametrize(("name", "seed", "cases"), [("profile", 0, 3), ("profile, seed", 5, 1)])
def test_a_profile_says_what_nobody_else_says(name: str, seed: int, cases: int, runs: Runs) -> None:
    """``ci`` draws the cases of seed 0; options come before it, and the result says which profile it was."""
    folder, done = runs[name].result()
    run = load(folder / "r.json")["run"]
    assert done.status == 0
    assert done.stderr.startswith(f"seed {seed}; ")
    assert done.stdout.startswith(f"seed {seed}: {cases} case")
    assert (run["profile"], run["seed"]) == ("ci", seed)


def test_a_time_budget_ends_the_run(runs: Runs) -> None:
    """Without ``--cases`` the run ends by itself, uninterrupted; that it asked nothing would be status 3."""
    done = runs["timed"].result()[1]
    assert done.document["run"]["interrupted"] is False
    assert done.document["run"]["finished"] is not None
    assert done.status == (0 if done.document["totals"]["cases"] else 3)


def test_a_target_whose_module_is_missing_is_status_3_with_the_remedy(runs: Runs) -> None:
    """One line names the target and what to do; no traceback."""
    done = runs["absent"].result()[1]
    assert done.status == 3
    (line,) = done.told
    assert "no_such_module:Thing" in line
    assert "PYTHONPATH" in line
    assert "Traceback" not in done.stderr


def test_a_target_that_breaks_on_load_is_status_3_and_the_others_are_asked(runs: Runs) -> None:
    """One line has the reason; the JSON has it too, and the neighbour's observations."""
    done = runs["broken"].result()[1]
    assert done.status == 3
    (line,) = done.told
    assert "targets:BreaksOnLoad" in line
    assert "libmine.so.3" in line
    broken, correct = done.document["targets"]
    assert (broken["available"], "libmine.so.3" in broken["reason"]) == (False, True)
    assert (correct["available"], correct["reason"]) == (True, None)
    assert done.document["totals"]["observations"] == done.document["totals"]["cases"] == 2


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_run_in_order(name: str, runs: Runs) -> None:
    """Exit status 130; report, JSON and database have everything observed until then, and say so."""
    folder, done = runs[name].result()
    document = load(folder / "r.json")
    ((record,),) = select(folder, "SELECT record FROM runs")
    page = (folder / "deconvdiff.html").read_text(encoding="utf-8")
    assert (done.status, "Traceback" in done.stderr) == (130, False)
    assert document["run"]["interrupted"] is json.loads(record)["interrupted"] is True
    assert document["run"]["finished"] is not None
    assert "interrupted" in done.stdout
    assert "Interrupted" in page
    assert document["totals"]["ok"] == document["totals"]["agree"] == 3
    assert select(folder, "SELECT count(*) FROM observations WHERE agrees") == [(3,)]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_leaves_no_process_behind(name: str, runs: Runs) -> None:
    """The worker that was busy when the signal came is gone."""
    folder, _ = runs[name].result()
    worker = int((folder / "busy").read_text(encoding="utf-8"))
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_a_signal_during_writing_loses_nothing_either(runs: Runs) -> None:
    """Whatever the command is doing when the signal comes, the report is written and says so."""
    folder, done = runs["interrupted"].result()
    assert done.status == 130
    assert load(folder / "r.json")["run"]["interrupted"] is True
