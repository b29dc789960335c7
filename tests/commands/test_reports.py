"""``--html``, ``--junit``, ``--summary`` and ``--json``, of a run and again from its database."""

from __future__ import annotations

import itertools
import json
import shutil
import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from command import PROGRAM, Finished, deconvdiff, one_after_the_other

from harness import Case, Layer
from harness.records import (
    CaseJudged,
    CasesPut,
    Event,
    Finding,
    FindingChanged,
    Observation,
    Outcome,
    Run,
    RunFinished,
    RunStarted,
    Support,
    Target,
    TargetInfo,
    TargetsGreeted,
    WorkerUse,
)
from harness.store import APPLICATION_ID, VERSION, Store

BIAS, RAISES, RIGHT = "harness.planted.channels:BiasMissing", "targets:Raises", "targets:Correct"

#: what is known of one of the two that are wrong
KNOWN = f"""\
schema = 1
[[known]]
id = "no bias"
oracle = "agreement"
api = "{BIAS}"
kind = "value"
reason = ""
"""

FORMATS = {"--html": "html", "--junit": "xml", "--summary": "md", "--json": "json"}
FUZZ = ("fuzz", f"--target={BIAS}", f"--target={RAISES}", f"--target={RIGHT}", "--seed=7", "--cases=10")


def named(stem: str, *options: str) -> tuple[str, ...]:
    """Options that write files of one name, by default all of them."""
    return tuple(f"{option}={stem}.{FORMATS[option]}" for option in options or FORMATS)


COMMANDS = {
    "fuzz": (*FUZZ, "--baseline=known.toml", *named("first")),
    "report": ("report", *named("again")),
    "report, some": ("report", ".deconvdiff/results.sqlite", *named("some", "--junit", "--summary")),
    "fuzz, stdout": (*FUZZ[:2], "--cases=1", "--db=other.sqlite", "--json=-", *named("other", "--junit", "--summary")),
}

#: pairs of options that name one file, files that cannot be written, and what the one line names
REFUSED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    **{
        f"{one} and {other}": ((f"{one}=same", f"{other}=./same"), (one, other, "same"))
        for one, other in itertools.combinations(("--db", *FORMATS), 2)
    },
    "the page that is written anyway": (("--summary=deconvdiff.html",), ("--html", "--summary", "deconvdiff.html")),
    **{f"{option} nowhere": ((f"{option}=no/r",), (f"{option} no/r", "writable folder")) for option in FORMATS},
    **{f"{option} below a file": ((f"{option}=text/r",), (f"{option} text/r", "writable")) for option in FORMATS},
    **{f"{option} a folder": ((f"{option}=folder",), (f"{option} folder", "name a file")) for option in FORMATS},
}


@dataclass(frozen=True, slots=True)
class Done:
    """The folder of the commands, and what each of them said."""

    folder: Path
    said: Mapping[str, Finished]

    def text(self, name: str) -> str:
        """A file that was written."""
        return (self.folder / name).read_text(encoding="utf-8")

    def findings(self) -> dict[str, dict[str, Any]]:
        """What was found, by status."""
        return {finding["status"]: finding for finding in json.loads(self.text("first.json"))["findings"]}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("reports")
    (folder / "known.toml").write_text(KNOWN, encoding="utf-8")
    return Done(folder, one_after_the_other(folder, COMMANDS))


def test_every_format_is_written_and_named_on_stdout(done: Done) -> None:
    """A run with all four at once: each path stands on a line of its own."""
    said = done.said["fuzz"]
    assert said.status == 1
    for label, name in {"report": "html", "JUnit": "xml", "summary": "md", "JSON": "json"}.items():
        assert [line.split() for line in said.stdout.splitlines()].count([f"{label}:", f"first.{name}"]) == 1
        assert done.text(f"first.{name}")


def test_junit_fails_for_what_is_unknown_alone(done: Done) -> None:
    """The file is XML with one failure, which has the sentence and the command; what is known is told, not failed."""
    found = done.findings()
    root = ET.fromstring(done.text("first.xml"))
    (suite,) = root.iter("testsuite")
    (failure,) = root.iter("failure")
    (output,) = root.iter("system-out")
    assert (suite.get("failures"), suite.get("errors")) == ("1", "0")
    assert found["unknown"]["sentence"].replace("\x1b", "\N{REPLACEMENT CHARACTER}") == failure.get("message")
    assert found["unknown"]["reproduce"] in (failure.text or "")
    assert found["known"]["id"] in (output.text or "")
    assert "baseline no bias" in (output.text or "")


def test_the_summary_is_markdown_with_the_findings(done: Done) -> None:
    """A heading, a table of targets, the unknown finding in a table, the known one folded; no markup of a target's."""
    text, found = done.text("first.md"), done.findings()
    assert text.startswith("## deconvdiff: ")
    assert all(f"| <code>{name.replace(':', '<span>:</span>')}+default</code> |" in text for name in (BIAS, RIGHT))
    unknown, _, known = text.partition("<summary>1 known finding</summary>")
    assert f"| <code>{found['unknown']['id']}</code> | limitation | unknown |" in unknown
    assert f"```sh\n{found['unknown']['reproduce']}\n```" in unknown
    assert f"| <code>{found['known']['id']}</code> | <code>no bias</code> |" in known
    assert found["known"]["id"] not in unknown
    assert "<b>stride</b>" not in text
    assert "\x1b" not in text


@pytest.mark.parametrize(("command", "stem"), [("report", "again"), ("report, some", "some")])
def test_a_database_gives_the_same_reports_again(command: str, stem: str, done: Done) -> None:
    """Byte for byte what the run itself wrote, in as many formats as are asked for; exit status 0."""
    written = [name for name in FORMATS.values() if (done.folder / f"{stem}.{name}").exists()]
    assert done.said[command].status == 0
    assert written == (["xml", "md"] if stem == "some" else list(FORMATS.values()))
    for name in written:
        assert done.text(f"{stem}.{name}") == done.text(f"first.{name}")
        assert f"{stem}.{name}" in done.said[command].stdout


def test_stdout_is_the_json_alone_beside_other_files(done: Done) -> None:
    """With ``--json -`` the paths of the others are said on stderr."""
    said = done.said["fuzz, stdout"]
    assert said.document["totals"]["cases"] == 1
    assert all(name in said.stderr for name in ("other.xml", "other.md", "other.sqlite"))
    assert ET.fromstring(done.text("other.xml")).tag == "testsuites"


# What a kill leaves ------------------------------------------------------------------------------------------------

RUN = Run("r1", "2026-01-04T03:15:02+00:00", 7, "default", "here", "0.1.0", "deconvdiff fuzz")
TARGET = Target("some.conv", "eager", environment="old")
CASE = Case(Layer(1, 1, 2, ndim=1), input_size=(3,))
HOSTILE = "<img src=x onerror=alert(1)> \x1b[31m"
FINDING = Finding(
    id="0123456789ab",
    oracle="agreement",
    kind="value",
    verdict="wrong-result",
    suspect=TARGET.name,
    targets=(TARGET.name,),
    facets={},
    agreeing=(),
    count=1,
    first_case=1,
    sentence=f"some.conv() {HOSTILE}",
    call="some.conv()",
    cause=None,
    case=CASE.to_json(),
    minimal=None,
    expected_size=None,
    observed_size=None,
    max_abs_error=None,
    bound_ratio=None,
    rule=None,
    first_difference=None,
    log_tail=None,
    reproduce="deconvdiff replay",
    condition="any(a >= s)",
    support=Support(412, 412, 1900, 1900),
)
SEEN = Observation(TARGET.name, Outcome.OK, shape=(1, 1, 4), dtype="float32", digest="d")
EVENTS: tuple[Event, ...] = (
    RunStarted(RUN),
    TargetsGreeted((TargetInfo(TARGET, HOSTILE, "1.0", True, settings={"XLA_FLAGS": HOSTILE}),)),
    CasesPut({1: CASE, 2: CASE.replace(seed=1), 3: CASE.replace(seed=2)}),
    CaseJudged(1, CASE, (SEEN,), {TARGET.name: False}, ()),
    FindingChanged(FINDING),
    FindingChanged(replace(FINDING, id="0123456789ab-2", condition="s > 1", support=None, baseline_id="b")),
    RunFinished(
        replace(
            RUN,
            finished="2026-01-04T03:15:12+00:00",
            interrupted=True,
            workers=(WorkerUse(HOSTILE, 10.0, 9.0, 2**29),),
        )
    ),
)

#: after how many events the run was killed, or what else is left, and what stdout says then
LEFT: dict[str, tuple[int, tuple[str, ...]]] = {
    "empty": (0, ("nothing was observed: no run has begun",)),
    "tables": (0, ("nothing was observed: no run has begun",)),
    "started": (1, ("seed 7: 0 cases in 0 s; the run has no end", "0 findings")),
    "greeted": (2, ("seed 7: 0 cases in 0 s; the run has no end", "not asked: no case came to it")),
    "put": (3, ("; the run has no end: 3 cases were in flight",)),
    "judged": (4, ("1 cases in 0 s; the run has no end: 2 cases were in flight", "1 ok")),
    "found": (5, ("where: `any(a >= s)`: fails 412 of 412, passes 1,900 of 1,900 outside",)),
    "found again": (6, ("where, by the baseline: `s > 1`", "same signature as 0123456789ab, kept apart")),
    "interrupted": (
        7,
        (
            "in 10 s, interrupted: 2 cases were in flight",
            "10.0 s, 90 % inside the framework, 512 MiB",
        ),
    ),
}


@pytest.fixture(scope="module")
def kills(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Databases with their -wal files as runs that were killed left them, and reports of them in every format."""
    folder = tmp_path_factory.mktemp("kills")
    store = Store(folder / "live.sqlite")
    kept = 0
    for name, (events, _) in LEFT.items():
        for event in EVENTS[kept:events]:
            store.keep(event)
        kept = events
        for suffix in ("", "-wal"):
            shutil.copy(f"{store.path}{suffix}", folder / f"{name}.sqlite{suffix}")
    store.close()
    (folder / "empty.sqlite").write_bytes(b"")
    (folder / "empty.sqlite-wal").unlink()
    return Done(folder, one_after_the_other(folder, {n: ("report", f"{n}.sqlite", *named(n)) for n in LEFT}))


@pytest.mark.parametrize("name", LEFT)
def test_whatever_a_kill_left_is_reported(name: str, kills: Done) -> None:
    """Exit status 0 at every moment, every format is there, and stdout says how far the run came."""
    said = kills.said[name]
    assert (said.status, said.stderr) == (0, "")
    assert [fact for fact in LEFT[name][1] if fact not in said.stdout] == []
    assert "\x1b" not in said.stdout
    assert (LEFT[name][0] in range(1, 7)) == ("the run has no end" in said.stdout)
    assert "<img" not in kills.text(f"{name}.html")
    assert kills.text(f"{name}.md").startswith("## deconvdiff: ")
    assert ET.fromstring(kills.text(f"{name}.xml")).tag == "testsuites"


def test_the_formats_say_that_no_run_began_or_that_it_has_no_end(kills: Done) -> None:
    """JSON has no run where there is none; the page and the summary say it in words."""
    assert json.loads(kills.text("tables.json"))["run"] is None
    assert json.loads(kills.text("put.json"))["run"]["in_flight"] == 3
    for name in ("tables", "empty"):
        assert "No run has begun in this database." in kills.text(f"{name}.html")
        assert "**Nothing was observed.** No run has begun in this database." in kills.text(f"{name}.md")
    for name, cases in (("put", 3), ("judged", 2)):
        assert f"killed or is still going on: {cases} cases were in flight." in kills.text(f"{name}.html")
        assert f"**The run has no end.** It was killed or is still going on: {cases} cases" in kills.text(f"{name}.md")


def test_a_database_of_an_older_schema_is_told_in_one_line(kills: Done) -> None:
    """Its schema, ours, and what to do; exit status 2."""
    path = kills.folder / "old.sqlite"
    database = sqlite3.connect(path)
    database.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1; CREATE TABLE runs (id)")
    database.close()
    done = deconvdiff(kills.folder, "report", path.name)
    assert (done.status, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert f"schema 1 of another version, this one reads {VERSION}" in line


KILLED = f"""
import os, signal
from harness.records import CaseJudged
from harness.store import Store

keep = Store.keep

def killed(store, event):
    keep(store, event)
    if isinstance(event, CaseJudged) and event.ordinal == 3:
        os.kill(os.getpid(), signal.SIGKILL)

Store.keep = killed
{PROGRAM}
"""


def test_a_run_that_was_killed_is_reported(tmp_path: Path) -> None:
    """SIGKILL after the third of ten cases: three were judged and what was put besides is counted."""
    assert deconvdiff(tmp_path, "fuzz", f"--target={RIGHT}", "--seed=7", "--cases=10", program=KILLED).status == -9
    assert (tmp_path / ".deconvdiff" / "results.sqlite-wal").stat().st_size
    done = deconvdiff(tmp_path, "report", "--json=-")
    run = done.document["run"]
    assert (done.status, done.document["totals"]["cases"], run["finished"]) == (0, 3, None)
    assert run["in_flight"] == 7


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("refusals")
    (folder / "folder").mkdir()
    (folder / "text").write_text("mine", encoding="utf-8")
    fuzz = ("fuzz", f"--target={RIGHT}", "--cases=1")
    return Done(folder, one_after_the_other(folder, {name: (*fuzz, *asked) for name, (asked, _) in REFUSED.items()}))


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_not_be_written_is_refused_before_the_run(name: str, refusals: Done) -> None:
    """Exit status 2 and one line with option, file and remedy; neither database nor report is begun."""
    said = refusals.said[name]
    assert (said.status, said.stdout) == (2, "")
    (line,) = said.stderr.splitlines()
    assert line.startswith("deconvdiff: error: ")
    assert [fact for fact in REFUSED[name][1] if fact not in line] == []
    assert sorted(path.name for path in refusals.folder.iterdir()) == ["folder", "text"]
    assert refusals.text("text") == "mine"
