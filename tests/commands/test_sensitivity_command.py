"""``sensitivity`` as a person runs it: the table, the files, the exit status."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from command import Finished, one_after_the_other

from harness.planted import FAULTS, SOUND

COMMANDS: dict[str, tuple[str, ...]] = {
    "list": ("sensitivity", "--list"),
    "list, some": ("sensitivity", "--list", "--fault", "bias-*"),
    "found": ("sensitivity", "--fault", "too-long", "--fault", "correct", "--cases", "9", "--summary", "s.md"),
    "found, JSON": ("sensitivity", "--fault", "too-long", "--cases", "9", "--json", "-"),
    "missed": ("sensitivity", "--fault", "wide-input", "--cases", "1", "--json", "missed.json"),
    "unknown": ("sensitivity", "--fault", "kernel-fliped"),
    "one file": ("sensitivity", "--list", "--json", "r", "--summary", "r"),
    "no folder": ("sensitivity", "--list", "--json", "nowhere/r.json"),
    "no cases": ("sensitivity", "--cases", "0"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sensitivity")


@pytest.fixture(scope="module")
def done(folder: Path) -> Mapping[str, Finished]:
    return one_after_the_other(folder, COMMANDS)


def test_the_list_has_every_fault_with_its_condition(done: Mapping[str, Finished]) -> None:
    """What is run without a choice, and where it shows; nothing is run."""
    said = done["list"]
    assert (said.status, said.stderr) == (0, "")
    assert all(name in said.stdout for name in ("kernel-flipped", "max(k) > 1", "correct", *SOUND))
    assert sum(line.startswith("│ bias") for line in done["list, some"].stdout.splitlines()) == sum(
        name.startswith("bias-") for name in FAULTS
    )


def test_what_is_found_is_shown_and_the_status_is_0(done: Mapping[str, Finished], folder: Path) -> None:
    """The table and the figures on stdout, progress on stderr, the summary in its file."""
    said = done["found"]
    assert said.status == 0
    assert "Planted faults: found 1 of 1, kind right 1, cause right 1." in said.stdout
    assert "Nothing was found of 1 of 1 targets without a fault." in said.stdout
    assert "too-long: in case " in said.stderr
    assert (folder / "s.md").read_text(encoding="utf-8").startswith("**Planted faults: found 1 of 1**")


def test_json_on_stdout_is_alone_there(done: Mapping[str, Finished]) -> None:
    """And has what the table has."""
    document = done["found, JSON"].document
    (entry,) = document["faults"]
    assert (entry["name"], entry["passed"], entry["found"]["kind"]) == ("too-long", True, "size")
    assert document["totals"]["found"] == 1


def test_what_is_missed_makes_the_status_1(done: Mapping[str, Finished], folder: Path) -> None:
    """The files are written all the same."""
    said = done["missed"]
    assert said.status == 1
    assert "not in 1 cases" in said.stdout
    (entry,) = json.loads((folder / "missed.json").read_text(encoding="utf-8"))["faults"]
    assert (entry["passed"], entry["found"]) == (False, None)


@pytest.mark.parametrize(
    ("name", "told"),
    [("unknown", "kernel-flipped"), ("one file", "a file of its own"), ("no folder", "nowhere"), ("no cases", "0")],
)
def test_bad_input_is_refused_before_anything_runs(name: str, told: str, done: Mapping[str, Finished]) -> None:
    """Status 2, and what to write instead."""
    said = done[name]
    assert said.status == 2
    assert told in said.stderr
    assert said.stdout == ""
