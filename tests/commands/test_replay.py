"""``deconvdiff replay``: what became of findings, by id, by file, by report and by case; and their scripts."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from command import FAULTS, Finished, deconvdiff, finish, one_after_the_other, start, wait_for

from harness import Case, Layer
from harness.campaign.script import LONGEST

#: two targets in the current folder, each in the state that the file of its name has: faulty, mended or gone
MENDING = """
from pathlib import Path
import numpy as np
from targets import Correct

class Mending(Correct):
    def state(self):
        return Path(__file__).with_name(type(self).__name__).read_text()

    def load(self):
        if self.state() == "gone":
            raise OSError("libmine.so.3: cannot open shared object file")

    def run(self, *arrays):
        y = super().run(*arrays)
        return y if self.state() == "mended" else self.spoiled(y)

class Larger(Mending):
    def spoiled(self, y):
        return y + 100

class Longer(Mending):
    def spoiled(self, y):
        return np.concatenate([y, y[..., :1]], axis=-1)
"""

#: a target that is busy for an hour
STUCK = """
import os, time
from pathlib import Path
from targets import Correct

class Stuck(Correct):
    def run(self, *arrays):
        Path("draft").write_text(str(os.getpid()))
        Path("draft").rename("busy")
        time.sleep(3600)
"""

#: a target whose last words ring a terminal's bell
RINGS = """
import os
from targets import Correct

class Rings(Correct):
    def run(self, *arrays):
        os.write(2, b"core\\x07 dumped\\n")
        os._exit(134)
"""

#: of one signature what is on one axis is known, so that what is on more is a finding of its own
PARTLY = """\
schema = 1
[[known]]
id = "on one axis"
oracle = "agreement"
api = "harness.planted.channels:BiasMissing"
kind = "value"
condition = "ndim == 1"
reason = ""
"""

STRIDED = Case(Layer(kernel_size=1, stride=2, ndim=1), input_size=1).to_json()
FAULTY = ("harness.planted.geometry:OutputPaddingIgnored", "targets:Aborts", "mending:Larger", "mending:Longer")
MISSING = "0123456789ab"


@dataclass(frozen=True, slots=True)
class Done:
    """The findings of the runs, and what every replay said before and after two targets were touched."""

    folder: Path
    findings: list[dict[str, Any]]
    older: list[dict[str, Any]]
    parts: list[dict[str, Any]]
    said: Mapping[str, Finished]

    def of(self, api: str) -> dict[str, Any]:
        """The finding of a class."""
        (finding,) = (finding for finding in self.findings if finding["suspect"].startswith(f"{api}+"))
        return finding

    def second(self) -> dict[str, Any]:
        """The finding of a signature that has another one."""
        (finding,) = (part for part in self.parts if part["id"].endswith("-2"))
        return finding


def fuzz(*targets: str, cases: int, where: str, more: tuple[str, ...]) -> tuple[str, ...]:
    """The command that looks for faults of some classes among few cases that show them."""
    asked = ("--seed=7", f"--cases={cases}", f"--where=dtype == 'float32' and {where}")
    return ("fuzz", *(f"--target={target}" for target in targets), *asked, *more)


def findings(folder: Path, name: str) -> list[dict[str, Any]]:
    """What a run found."""
    found: list[dict[str, Any]] = json.loads((folder / name).read_text(encoding="utf-8"))["findings"]
    return found


def before(done: Done) -> dict[str, tuple[str, ...]]:
    """What is replayed while every fault is there."""
    size, crash, older = done.of(FAULTY[0]), done.of(FAULTY[1]), done.older[0]
    return {
        "id": ("replay", size["id"]),
        "older id": ("replay", older["id"]),
        "second id": ("replay", done.second()["id"], "--db", "partly.sqlite"),
        "unknown id": ("replay", MISSING),
        "unknown second": ("replay", f"{size['id']}-2"),
        "no database": ("replay", size["id"], "--db", "nowhere.sqlite"),
        "JSON": ("replay", "now.json"),
        "HTML": ("replay", "alone/report.html"),
        "marked": ("replay", "marked.json", "--target=targets:Correct"),
        "none": ("replay", "none.json"),
        "stranger": ("replay", "stranger.json"),
        "strangers": ("replay", "strangers.json"),
        "case": ("replay", "--case", json.dumps(size["minimal"]), f"--target={FAULTY[0]}"),
        "other target": ("replay", size["id"], "--target=targets:Correct"),
        "one of two": ("replay", size["id"], "--target=targets:Correct", "--target=targets:BreaksOnLoad"),
        "script of a size": ("replay", size["id"], "--script"),
        "script of values": ("replay", older["id"], "--script"),
        "script of a crash": ("replay", crash["id"], "--script"),
        "script of a case": ("replay", "--case", json.dumps(size["minimal"]), f"--target={FAULTY[0]}", "--script"),
        "script of nothing": ("replay", size["id"], "--script", "--target=targets:Correct"),
        "scripts": ("replay", "now.json", "--script"),
        "issue of a size": ("replay", size["id"], "--issue"),
        "issue of a crash": ("replay", crash["id"], "--issue"),
        "issue of hostile words": ("replay", "--case", json.dumps(STRIDED), "--target=targets:Raises", "--issue"),
        "issue of hostile last words": ("replay", "--case", json.dumps(STRIDED), "--target=rings:Rings", "--issue"),
        "issue of nothing": ("replay", size["id"], "--issue", "--target=targets:Correct"),
        "issues": ("replay", "now.json", "--issue"),
        **{f"reproduce {one['suspect']}": tuple(shlex.split(one["reproduce"]))[1:] for one in done.findings},
    }


def after(done: Done) -> dict[str, tuple[str, ...]]:
    """What is replayed when Larger is mended and Longer is gone."""
    return {
        "mended": ("replay", done.of("mending:Larger")["id"]),
        "gone": ("replay", done.of("mending:Longer")["id"]),
        "mended and gone": ("replay", "two.json"),
        "mended and faulty": ("replay", "others.json"),
        "everything": ("replay", "now.json"),
        "script of what is gone": ("replay", done.of("mending:Longer")["id"], "--script"),
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("replay")
    (folder / "mending.py").write_text(MENDING, encoding="utf-8")
    (folder / "rings.py").write_text(RINGS, encoding="utf-8")
    (folder / "partly.toml").write_text(PARTLY, encoding="utf-8")
    for name in ("Larger", "Longer"):
        (folder / name).write_text("faulty", encoding="utf-8")
    partly = ("--db=partly.sqlite", "--html=partly.html", "--json=partly.json", "--baseline=partly.toml")
    runs = {
        "older": fuzz(
            "harness.planted.channels:KernelFlipped", cases=3, where="max(k) > 2", more=("--json=older.json",)
        ),
        "partly": fuzz("harness.planted.channels:BiasMissing", cases=12, where="bias", more=partly),
        "now": fuzz(*FAULTY, cases=2, where="ndim == 2 and any(a > 0) and max(n) < 4", more=("--json=now.json",)),
    }
    said = one_after_the_other(folder, runs)
    assert {name: ran.status for name, ran in said.items()} == dict.fromkeys(runs, 1), said
    now, older, parts = (findings(folder, name) for name in ("now.json", "older.json", "partly.json"))
    done = Done(folder, now, older, parts, {})
    write_files(done)
    replayed = one_after_the_other(folder, before(done))
    (folder / "Larger").write_text("mended", encoding="utf-8")
    (folder / "Longer").write_text("gone", encoding="utf-8")
    return replace(done, said={**replayed, **one_after_the_other(folder, after(done))})


def write_files(done: Done) -> None:
    """Files that hold some of the findings, and a report without its database."""
    (done.folder / "alone").mkdir()
    shutil.copy(done.folder / "partly.html", done.folder / "alone" / "report.html")
    marked = "\ufeff" + json.dumps(done.of(FAULTY[0])["minimal"])
    (done.folder / "marked.json").write_text(marked, encoding="utf-8")
    first = done.of(FAULTY[0])
    stranger = {**first, "id": MISSING, "suspect": "gone.conv+eager"}
    (done.folder / "stranger.json").write_text(json.dumps({"schema": 1, "findings": [stranger, first]}))
    (done.folder / "strangers.json").write_text(json.dumps({"schema": 1, "findings": [stranger]}))
    kept: dict[str, Callable[[str], bool]] = {
        "none": lambda suspect: False,
        "two": lambda suspect: suspect.startswith("mending:"),
        "others": lambda suspect: not suspect.startswith("mending:Longer"),
    }
    for name, keeps in kept.items():
        document = {"schema": 1, "findings": [one for one in done.findings if keeps(one["suspect"])]}
        (done.folder / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


def verdicts(said: Finished) -> list[str]:
    """The first words of what is said of each finding: status and id."""
    return [line.split(":")[0] for line in said.stdout.splitlines() if not line.startswith(" ")]


def test_a_finding_is_run_again_by_its_id(done: Done) -> None:
    """FAILS and exit status 1; its minimal case is asked of the target that it accuses, and the sentence is said."""
    finding, said = done.of(FAULTY[0]), done.said["id"]
    head, answer, sentence = said.stdout.splitlines()
    assert (said.status, said.stderr) == (1, "")
    assert head.split(":")[0] == f"FAILS {finding['id']}"
    assert f"input size {tuple(finding['minimal']['input_size'])}" in head
    assert answer.split()[0] == finding["suspect"]
    assert sentence.strip().rstrip(".") in finding["sentence"]


def test_a_finding_of_an_older_run_has_its_id_still(done: Done) -> None:
    """The latest run in the database knows nothing of it."""
    (finding,) = done.older
    assert finding["id"] not in [other["id"] for other in done.findings]
    assert done.said["older id"].status == 1
    assert verdicts(done.said["older id"]) == [f"FAILS {finding['id']}"]


def test_the_second_finding_of_a_signature_has_a_case_of_its_own(done: Done) -> None:
    """An id with a number behind it, from a database with another name."""
    finding, said = done.second(), done.said["second id"]
    assert (said.status, verdicts(said)) == (1, [f"FAILS {finding['id']}"])
    assert f"input size {tuple(finding['minimal']['input_size'])}" in said.stdout
    assert {one["id"] for one in done.parts} == {finding["id"], finding["id"][:-2]}
    assert sorted((one["minimal"]["layer"]["kernel_size"] == [1], one["status"]) for one in done.parts) == [
        (False, "unknown"),
        (True, "known"),
    ]


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("unknown id", (MISSING, "results.sqlite", "--db")),
        ("unknown second", ("-2", "results.sqlite", "--db")),
        ("no database", ("nowhere.sqlite", "deconvdiff fuzz --db nowhere.sqlite")),
        ("scripts", ("--script", "now.json", "4 findings", "ID", "--case")),
        ("issues", ("--issue", "now.json", "4 findings", "ID", "--case")),
    ],
)
def test_an_id_that_leads_nowhere_costs_one_line(name: str, facts: tuple[str, ...], done: Done) -> None:
    """Exit status 2, and the line says what was looked for, where, and what to do; no database is made."""
    said = done.said[name]
    assert (said.status, said.stdout) == (2, "")
    (line,) = said.stderr.splitlines()
    assert line.startswith("deconvdiff: error: ")
    assert [fact for fact in facts if fact not in line] == []
    assert not (done.folder / "nowhere.sqlite").exists()


def test_a_result_file_has_all_of_its_findings_run_again(done: Done) -> None:
    """One verdict for each, in the file's order."""
    said = done.said["JSON"]
    assert (said.status, verdicts(said)) == (1, [f"FAILS {finding['id']}" for finding in done.findings])
    assert len(done.findings) == len(FAULTY)


def test_a_report_is_enough_by_itself(done: Done) -> None:
    """The page alone, in a folder without a database, has its findings run again, known or not."""
    said = done.said["HTML"]
    assert said.status == 1
    assert sorted(verdicts(said)) == sorted(f"FAILS {finding['id']}" for finding in done.parts)


def test_a_file_may_begin_with_a_byte_order_mark(done: Done) -> None:
    """As editors of some systems write one."""
    said = done.said["marked"]
    assert said.status == 0
    assert verdicts(said)[0].startswith("FIXED case ")


def test_a_run_that_found_nothing_has_nothing_to_run_again(done: Done) -> None:
    """Exit status 0 and a line that says so; no framework is started for it."""
    said = done.said["none"]
    assert (said.status, said.stdout) == (0, "")
    assert said.told == ["deconvdiff: none.json has no findings: there is nothing to run again"]


def test_a_case_is_run_again_by_its_text(done: Done) -> None:
    """The objection has the finding's sentence."""
    said = done.said["case"]
    assert said.status == 1
    assert said.stdout.startswith("FAILS case ")
    assert "output_padding ignored" in said.stdout


def test_the_command_of_every_finding_shows_it(done: Done) -> None:
    """What the report tells a reader to copy ends with exit status 1 and an objection."""
    for finding in done.findings:
        said = done.said[f"reproduce {finding['suspect']}"]
        assert said.status == 1, finding
        assert "objection" in said.stdout


def test_another_target_may_be_asked_instead(done: Done) -> None:
    """``--target`` takes the place of the target that the finding accuses; a right one is as good as mended."""
    said = done.said["other target"]
    assert (said.status, verdicts(said)) == (0, [f"FIXED {done.of(FAULTY[0])['id']}"])
    assert "targets:Correct" in said.stdout
    assert FAULTY[0] not in said.stdout


def test_a_named_target_that_cannot_be_asked_is_status_3(done: Done) -> None:
    """Though the other one answers as it should: nothing is known of what was named."""
    said = done.said["one of two"]
    assert (said.status, verdicts(said)) == (3, [f"FIXED {done.of(FAULTY[0])['id']}"])
    assert "libmine.so.3" in said.stderr


def test_what_was_mended_is_fixed(done: Done) -> None:
    """Exit status 0."""
    said = done.said["mended"]
    assert (said.status, verdicts(said)) == (0, [f"FIXED {done.of('mending:Larger')['id']}"])
    assert "as it should be" in said.stdout


def test_what_cannot_be_loaded_any_more_is_an_error(done: Done) -> None:
    """Neither fixed nor failing: exit status 3, with the reason beside the finding's id."""
    said = done.said["gone"]
    assert (said.status, verdicts(said)) == (3, [f"ERROR {done.of('mending:Longer')['id']}"])
    assert "libmine.so.3" in said.stdout
    assert "Traceback" not in said.stderr


def test_an_unknown_suspect_is_an_error_of_its_own_finding(done: Done) -> None:
    """The others are run again; where nobody else is accused, the name is a mistake of the caller's."""
    said = done.said["stranger"]
    assert (said.status, verdicts(said)) == (3, [f"ERROR {MISSING}", f"FAILS {done.of(FAULTY[0])['id']}"])
    assert "gone.conv+eager is no target here" in said.stdout
    assert done.said["strangers"].status == 2
    assert "'gone.conv' is unknown" in done.said["strangers"].stderr


def test_an_error_outweighs_what_fails_and_that_what_is_fixed(done: Done) -> None:
    """FIXED and ERROR give 3, FIXED and FAILS give 1, all three give 3; each finding has its own verdict."""
    status = {"mending:Larger": "FIXED", "mending:Longer": "ERROR"}
    told = [f"{status.get(one['suspect'].split('+')[0], 'FAILS')} {one['id']}" for one in done.findings]
    mended_and_gone = [each for each in told if not each.startswith("FAILS")]
    mended_and_faulty = [each for each in told if not each.startswith("ERROR")]
    assert (done.said["mended and gone"].status, verdicts(done.said["mended and gone"])) == (3, mended_and_gone)
    assert (done.said["mended and faulty"].status, verdicts(done.said["mended and faulty"])) == (1, mended_and_faulty)
    assert (done.said["everything"].status, verdicts(done.said["everything"])) == (3, told)


def run_script(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The script in an empty folder, as somebody runs it to whom it was sent."""
    script = folder / "bug.py"
    script.write_text(text, encoding="utf-8")
    empty = folder / "empty"
    empty.mkdir()
    return subprocess.run(
        [sys.executable, str(script)],
        cwd=empty,
        env={"PYTHONPATH": str(FAULTS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("name", ["script of a size", "script of values", "script of a case"])
def test_a_script_shows_the_finding_by_assertion(name: str, done: Done, tmp_path: Path) -> None:
    """Stdout is the script alone, of at most 25 lines; run in an empty folder it fails by its own assertion."""
    said = done.said[name]
    assert (said.status, said.stderr) == (1, "")
    assert len(said.stdout.splitlines()) <= LONGEST
    ran = run_script(said.stdout, tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith("AssertionError: ")


def test_a_script_of_a_crash_crashes(done: Done, tmp_path: Path) -> None:
    """It ends by the signal that was observed, and says in a comment which."""
    said = done.said["script of a crash"]
    assert (said.status, said.stderr) == (1, "")
    assert len(said.stdout.splitlines()) <= LONGEST
    assert "# What was observed here: SIGABRT." in said.stdout
    assert run_script(said.stdout, tmp_path).returncode == -6


@pytest.mark.parametrize(
    ("name", "title", "end"),
    [
        ("issue of a size", f"{FAULTY[0]}: size", "exit status 1: AssertionError: shape [1, 1, 1]"),
        ("issue of a crash", f"{FAULTY[1]}: crash", "SIGABRT: Check failed: ndim != 2 (2 vs. 2)"),
        ("issue of hostile words", "targets:Raises: rejection", "exit status 1: AssertionError: raises ValueError"),
    ],
)
def test_an_issue_has_the_script_and_how_it_ended(name: str, title: str, end: str, done: Done) -> None:
    """Title, sentence, version, the script between fences, and the last words of its run; all of it on stdout alone."""
    said = done.said[name]
    paragraphs = said.stdout.rstrip().split("\n\n")
    assert (said.status, said.stderr, len(paragraphs)) == (1, "", 5)
    assert paragraphs[0] == title
    assert "on a float32 input of size" in paragraphs[1]
    assert paragraphs[2].startswith("Version unknown, Python ")
    assert paragraphs[3].startswith("```python\n# ")
    assert paragraphs[3].endswith("\n```")
    assert len(paragraphs[3].splitlines()) <= LONGEST + 2
    assert paragraphs[4] == f"This script was run and ended with {end}"


def test_no_control_character_of_a_target_gets_into_an_issue(done: Done) -> None:
    """Neither from an exception nor from the last line of a process that died."""
    for name in ("issue of hostile words", "issue of hostile last words"):
        assert [c for c in done.said[name].stdout if not c.isprintable() and c != "\n"] == []
    assert "ended with exit status 134: core\\x07 dumped" in done.said["issue of hostile last words"].stdout


@pytest.mark.parametrize(
    ("name", "status", "verdict"),
    [("script of nothing", 0, "FIXED"), ("issue of nothing", 0, "FIXED"), ("script of what is gone", 3, "ERROR")],
)
def test_what_does_not_fail_has_no_script(name: str, status: int, verdict: str, done: Done) -> None:
    """Nothing on stdout, so that a file it is written to is no script that passes; stderr says why."""
    said = done.said[name]
    assert (said.status, said.stdout) == (status, "")
    assert f"deconvdiff: {verdict} " in said.told[-1]


def test_a_signal_ends_a_replay_at_once(tmp_path: Path) -> None:
    """Exit status 130, a line that says so, and no worker is left behind."""
    (tmp_path / "stuck.py").write_text(STUCK, encoding="utf-8")
    case = json.dumps(Case(Layer(kernel_size=1, ndim=1), input_size=1).to_json())
    process = start(tmp_path, "replay", "--case", case, "--target=stuck:Stuck")
    wait_for(tmp_path / "busy", process)
    process.send_signal(signal.SIGINT)
    said = finish(process)
    assert (said.status, said.stdout, said.told) == (130, "", ["deconvdiff: interrupted"])
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "busy").read_text(encoding="utf-8")), 0)


def test_a_third_partys_own_mode_is_run_again(tmp_path: Path) -> None:
    """A finding accuses the mode that was asked for by name: that one is asked, and its API's default is not."""
    source = "from harness.frameworks.base import Mode\nfrom targets import TooLong\n\n\n"
    source += "class Fast(TooLong):\n    modes = (Mode('fast'),)\n"
    (tmp_path / "modes.py").write_text(source, encoding="utf-8")
    ran = deconvdiff(tmp_path, *fuzz("modes:Fast+fast", cases=3, where="ndim == 1", more=("--json=r.json",)))
    (finding,) = findings(tmp_path, "r.json")
    said = deconvdiff(tmp_path, "replay", finding["id"])
    assert (ran.status, said.status, verdicts(said)) == (1, 1, [f"FAILS {finding['id']}"])
    assert said.stderr == ""
    assert "modes:Fast+fast" in said.stdout
