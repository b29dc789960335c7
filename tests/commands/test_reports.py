"""``--html``, ``--junit``, ``--summary`` and ``--json``, of a run and again from its database."""

from __future__ import annotations

import itertools
import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command import Finished, one_after_the_other

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
