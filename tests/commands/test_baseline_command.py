"""``fuzz --baseline``: what is known fails no run, and ``--baseline-update`` keeps the file without harming it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command import INTERRUPTED, Finished, deconvdiff, one_after_the_other

from harness import Case, Layer
from harness.judge.baseline import HEADER, Baseline

BIAS, SIZE, RIGHT = (
    "harness.planted.channels:BiasMissing",
    "harness.planted.geometry:OutputPaddingIgnored",
    "targets:Correct",
)

#: few cases that show both faults, on one axis and on more
ASKED = ("fuzz", "--seed=7", "--cases=8", "--where=dtype == 'float32' and bias and any(a > 0)")
BOTH = (*ASKED, f"--target={BIAS}", f"--target={SIZE}")
ALL = (*BOTH, f"--target={RIGHT}")

CASE = json.dumps(Case(Layer(kernel_size=1, ndim=1), input_size=1).to_json())

#: what a person keeps: fixed and not, with a case and without, of whom is asked and of whom is not
WRITTEN = f"""\
# Ours. Ask Ada before you change anything.
schema   =   1   # the only one so far

# Mended last week, and nobody took it out.
[[known]]
id = "mended"
oracle = "agreement"
api = "{RIGHT}"
kind = "value"
reason = 'was odd'
case = '{CASE}'   # as small as it gets

# Of a machine that is not here.
[[known]]
id    = "elsewhere"
oracle = "agreement"
api = "nowhere:Thing"
kind = "value"
reason = ""
case = '{CASE}'

\t# Nobody wrote a case down.
[[known]]
oracle = "contract"
kind = "size"
api = "{RIGHT}"
id = "no case"
reason = \"\"\"
long
story\"\"\"

# What is missing there
# on one axis:
[[known]]
id = "no bias"
oracle = "agreement"
api = "{BIAS}"
kind = "value"
reason = "waits for the next release"   # says Bob

# The end."""

MENDED = WRITTEN[WRITTEN.index("# Mended") : WRITTEN.index("# Of a machine")]

#: some entries of one fault, which cover it or not
ENTRY = 'schema = 1\n[[known]]\noracle = "agreement"\nreason = "sits in the tracker"\n'
VARIANTS = {
    "expired": f'{ENTRY}id = "old"\napi = "{BIAS}"\nkind = "value"\nexpires = 2020-02-29\n',
    "narrow": f'{ENTRY}id = "line"\napi = "{BIAS}"\nkind = "value"\ncondition = "ndim == 1"\n',
    "modes": f'{ENTRY}id = "other mode"\napi = "{BIAS}"\nkind = "value"\nmodes = ["jit", "eager"]\n',
    "unseen": f'{ENTRY}id = "quiet"\napi = "{RIGHT}"\nkind = "size"\n',
}

#: what is wrong with a file, and what the one line names besides the file
BAD: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "not UTF-8": (b'schema = 1 # \xff"', ("UTF-8",)),
    "not TOML": (b"schema = 1\n[[known]\n", ("line 2", "TOML")),
    "twice in a table": (b"schema = 1\nschema = 1\n", ("line 2", "schema")),
    "no schema": (b"known = []\n", ("schema = 1",)),
    "schema of the future": (b"schema = 2\n", ("schema=2", "newer deconvdiff")),
    "schema in words": (b'schema = "1"\n', ("schema='1'", "schema = 1")),
    "unknown key": (b"schema = 1\nfindings = 3\n", ("findings=3", "[[known]]")),
    "no tables": (b"schema = 1\nknown = 3\n", ("known=3", "[[known]]")),
    "no id": (b'schema = 1\n[[known]]\noracle = "contract"\n', ("entry 1", "id is missing")),
    "unknown field": (b'schema = 1\n[[known]]\nid = "x"\nseverity = 3\n', ("entry 1", "'x'", "severity=3", "upstream")),
    "unknown oracle": (VARIANTS["unseen"].replace("agreement", "delphi").encode(), ("'delphi'", "contract")),
    "unknown kind": (VARIANTS["unseen"].replace("size", "odd").encode(), ("'odd'", "nondeterminism")),
    "number for a text": (VARIANTS["unseen"].replace('"sits in the tracker"', "7").encode(), ("reason=7", "quotes")),
    "twice the same id": (b"schema = 1\n" + 2 * VARIANTS["unseen"].encode()[11:], ("entry 2", "'quiet'", "append -2")),
    "condition": (VARIANTS["narrow"].replace("ndim ==", "ndim = =").encode(), ("condition", "column")),
    "condition of unknowns": (VARIANTS["narrow"].replace("ndim", "rank").encode(), ("column 1", "'rank'", "ndim")),
    "no modes": (VARIANTS["modes"].replace('["jit", "eager"]', "[]").encode(), ("modes=[]", "leave it out")),
    "versions": ((VARIANTS["unseen"] + 'versions = "new"\n').encode(), ("versions='new'", "PEP 440")),
    "date in quotes": (VARIANTS["expired"].replace("2020-02-29", '"2020-02-29"').encode(), ("expires", "quotes")),
    "no such day": (VARIANTS["expired"].replace("2020-02-29", "2021-02-29").encode(), ("TOML", "line")),
    "case": ((VARIANTS["unseen"] + "case = '{}'\n").encode(), ("case='{}'", "holds no case")),
}  # fmt: skip

#: what is refused before anything is begun, and what the one line names
REFUSED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "update of nothing": (("--baseline-update",), ("--baseline-update", "--baseline FILE")),
    "no such file": (("--baseline=nowhere.toml",), ("nowhere.toml", "cannot be read")),
    "folder": (("--baseline=folder",), ("folder", "cannot be read")),
    "update of a folder": (("--baseline=folder", "--baseline-update"), ("--baseline folder", "name a file")),
    "update nowhere": (("--baseline=no/known.toml", "--baseline-update"), ("no/known.toml", "writable folder")),
    "report over it": (("--baseline=same.toml", "--junit=same.toml"), ("same.toml", "--baseline", "--junit")),
    **{name: ((f"--baseline={name}.toml",), (f"{name}.toml: ", *facts)) for name, (_, facts) in BAD.items()},
    **{
        f"update, {name}": ((f"--baseline={name}.toml", "--baseline-update"), (f"{name}.toml: ", *facts))
        for name, (_, facts) in BAD.items()
    },
}


@dataclass(frozen=True, slots=True)
class Runs:
    """The folder of the runs, and what each of them said."""

    folder: Path
    said: Mapping[str, Finished]

    def findings(self, name: str) -> dict[str, list[dict[str, Any]]]:
        """What a run found, by the class that it accuses."""
        found: dict[str, list[dict[str, Any]]] = {BIAS: [], SIZE: [], RIGHT: []}
        for finding in json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))["findings"]:
            found[finding["suspect"].removesuffix("+default")].append(finding)
        return found

    def read(self, name: str) -> str:
        """A file, with its line ends as they are."""
        return (self.folder / name).read_bytes().decode()


def against(name: str, *more: str, asked: tuple[str, ...] = BOTH) -> tuple[str, ...]:
    """A run that is held against a file, with its result in a file of the same name."""
    return (*asked, f"--baseline={name}.toml", f"--json={name}.json", *more)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("baseline")
    (folder / "written.toml").write_text(WRITTEN, encoding="utf-8")
    (folder / "windows.toml").write_bytes(WRITTEN.replace("\n", "\r\n").encode())
    for name, text in VARIANTS.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    first = one_after_the_other(folder, {"made": against("made", "--baseline-update")})
    made = (folder / "made.toml").read_bytes()
    (folder / "again.toml").write_bytes(made)
    (folder / "removed.toml").write_text(without(made.decode(), BIAS), encoding="utf-8")
    second = {
        "again": against("again", "--baseline-update"),
        "removed": against("removed"),
        "written": against("written", "--baseline-update", asked=ALL),
        "windows": against("windows", "--baseline-update", asked=ALL),
        "expired": against("expired"),
        "narrow": against("narrow", "--baseline-update"),
        "narrow again": (*BOTH, "--baseline=narrow.toml", "--json=narrow again.json"),
        "modes": against("modes", asked=(*ASKED, f"--target={BIAS}")),
        "unseen": against("unseen", asked=(*ASKED, f"--target={RIGHT}")),
        "unseen, not asked": against("unseen", "--fail-on=never", asked=(*ASKED, f"--target={BIAS}")),
    }
    (folder / "interrupted.toml").write_text(WRITTEN, encoding="utf-8")
    interrupted = deconvdiff(folder, *against("interrupted", "--baseline-update", asked=ALL), program=INTERRUPTED)
    return Runs(folder, {**first, **one_after_the_other(folder, second), "interrupted": interrupted})


def without(text: str, api: str) -> str:
    """The text of a file without the entries of an API."""
    head, *entries = re.split(r"^(?=\[\[known\]\])", text, flags=re.MULTILINE)
    return head + "".join(entry for entry in entries if f'api = "{api}"' not in entry)


def test_an_update_makes_the_file_with_what_was_found(runs: Runs) -> None:
    """The findings fail this run still; each stands in the file with its sentence and its minimal case."""
    said, found = runs.said["made"], runs.findings("made")
    entries = Baseline.read(runs.folder / "made.toml").entries
    assert said.status == 1
    assert "baseline: made.toml: 2 added, 0 taken out" in said.stderr
    assert runs.read("made.toml").startswith(HEADER)
    for entry in entries:
        (finding,) = found[entry.api]
        assert (entry.id, entry.sentence, entry.case) == (finding["id"], finding["sentence"], finding["minimal"])
        assert (entry.oracle.value, entry.kind.value, entry.modes) == (finding["oracle"], finding["kind"], ("default",))
        assert (finding["status"], finding["baseline_id"]) == ("unknown", None)
    assert [entry.api for entry in entries] == [name for name, findings in found.items() for _ in findings]


def test_what_the_file_knows_does_not_fail_the_next_run(runs: Runs) -> None:
    """Exit status 0; stdout, stderr and the JSON say which entry knows each finding; the file stays as it is."""
    said, found = runs.said["again"], runs.findings("again")
    assert said.status == 0
    assert "2 findings, 2 of them known" in said.stdout
    for finding in (*found[BIAS], *found[SIZE]):
        assert (finding["status"], finding["baseline_id"]) == ("known", finding["id"])
        assert f"{finding['id']}  known ({finding['id']})" in said.stdout
        assert f"finding {finding['id']} (known: {finding['id']})" in said.stderr
    assert "deconvdiff replay" not in said.stdout
    assert "baseline: again.toml: 0 added, 0 taken out" in said.stderr
    assert runs.read("again.toml") == runs.read("made.toml")


def test_a_removed_entry_makes_its_finding_fail_again(runs: Runs) -> None:
    """Exit status 1 for that one alone, which stands first; without an update the file is only read."""
    said, found = runs.said["removed"], runs.findings("removed")
    assert said.status == 1
    assert [finding["status"] for finding in found[BIAS]] == ["unknown"]
    assert [finding["status"] for finding in found[SIZE]] == ["known"]
    assert said.stdout.index(found[BIAS][0]["id"]) < said.stdout.index(found[SIZE][0]["id"])
    assert runs.read("removed.toml") == without(runs.read("made.toml"), BIAS)


@pytest.mark.parametrize(("name", "end"), [("written", "\n"), ("windows", "\r\n")])
def test_an_update_keeps_every_byte_that_a_person_wrote(name: str, end: str, runs: Runs) -> None:
    """Comments, order, spacing and line ends; the mended entry goes with its comment, a new one comes at the end."""
    (finding,) = runs.findings(name)[SIZE]
    text = runs.read(f"{name}.toml")
    kept = WRITTEN.replace(MENDED, "").replace("\n", end)
    assert text.startswith(kept)
    added = text.removeprefix(kept)
    assert added.startswith(f'{end}{end}[[known]]{end}id = "{finding["id"]}"{end}')
    assert added.count("[[known]]") == 1
    assert added.count("\n") == added.count(end)
    assert [entry.id for entry in Baseline.read(runs.folder / f"{name}.toml").entries] == [
        *("elsewhere", "no case", "no bias", finding["id"])
    ]


def test_what_an_update_takes_out_and_what_it_cannot_ask_is_said(runs: Runs) -> None:
    """A replay of the minimal case decides; an entry without one, or of nobody who is asked, is kept."""
    said = runs.said["written"].stderr.splitlines()
    assert "baseline: written.toml: 1 added, 1 taken out (mended)" in said
    kept = [line for line in said if "is kept" in line]
    assert [line.split()[1:3] for line in kept] == [["elsewhere", "is"], ["no", "case"]]
    assert all("no minimal case that could be asked" in line for line in kept)


def test_an_interrupted_run_takes_nothing_out(runs: Runs) -> None:
    """Who wants to stop does not wait for replays: what was found is added, everything else stays."""
    said = runs.said["interrupted"]
    (finding,) = runs.findings("interrupted")[SIZE]
    assert said.status == 130
    assert "baseline: interrupted.toml: 1 added, 0 taken out" in said.stderr
    assert runs.read("interrupted.toml").startswith(WRITTEN)
    assert f'id = "{finding["id"]}"' in runs.read("interrupted.toml")


def test_a_label_knows_a_finding_as_well_as_an_id(runs: Runs) -> None:
    """The JSON names the entry by what a person called it."""
    (finding,) = runs.findings("written")[BIAS]
    assert (finding["status"], finding["baseline_id"]) == ("known", "no bias")


def test_an_expired_entry_does_not_count_any_more(runs: Runs) -> None:
    """Exit status 1; the JSON says expired, and stdout since when and for which reason."""
    said = runs.said["expired"]
    (finding,) = runs.findings("expired")[BIAS]
    assert said.status == 1
    assert (finding["status"], finding["baseline_id"]) == ("expired", "old")
    (line,) = (line for line in said.stdout.splitlines() if line.startswith("expired: "))
    assert all(fact in line for fact in ("old", "2020-02-29", "sits in the tracker"))


def test_what_lies_outside_an_entry_is_a_finding_of_its_own(runs: Runs) -> None:
    """One signature, two findings: the second id has -2, and the minimal case of each lies on its side of the line."""
    said, found = runs.said["narrow"], runs.findings("narrow")[BIAS]
    by_status = {finding["status"]: finding for finding in found}
    assert said.status == 1
    assert by_status.keys() == {"known", "unknown"}
    assert sorted(finding["id"] for finding in found) == sorted((stem := found[0]["id"][:12], f"{stem}-2"))
    assert [by_status[status]["baseline_id"] for status in ("known", "unknown")] == ["line", None]
    assert len(by_status["known"]["minimal"]["input_size"]) == 1 < len(by_status["unknown"]["minimal"]["input_size"])
    assert runs.said["narrow again"].status == 0
    again = runs.findings("narrow again")[BIAS]
    assert {finding["status"] for finding in again} == {"known"}
    assert {finding["baseline_id"] for finding in again} == {"line", by_status["unknown"]["id"]}


def test_an_entry_of_other_modes_covers_nothing_here(runs: Runs) -> None:
    """Exit status 1; an entry that does not speak of the run's targets is not said to be unobserved."""
    said = runs.said["modes"]
    assert said.status == 1
    assert [finding["status"] for finding in runs.findings("modes")[BIAS]] == ["unknown"]
    assert "not observed" not in said.stdout


def test_what_was_not_observed_is_said_and_not_called_fixed(runs: Runs) -> None:
    """Exit status 0 and a line, where its target was asked; nothing where it was not."""
    said = runs.said["unseen"]
    assert said.status == 0
    (line,) = (line for line in said.stdout.splitlines() if "quiet" in line)
    assert "known but not observed" in line
    assert "does not mean fixed" in line
    assert "quiet" not in runs.said["unseen, not asked"].stdout
    assert runs.read("unseen.toml") == VARIANTS["unseen"]


def fill(folder: Path) -> None:
    """The files that are wrong."""
    (folder / "folder").mkdir()
    (folder / "same.toml").write_text(VARIANTS["unseen"], encoding="utf-8")
    for name, (content, _) in BAD.items():
        (folder / f"{name}.toml").write_bytes(content)


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("bad")
    fill(folder)
    asked = ("fuzz", f"--target={RIGHT}", "--cases=1")
    return Runs(folder, one_after_the_other(folder, {name: (*asked, *args) for name, (args, _) in REFUSED.items()}))


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_wrong_costs_one_line(name: str, refusals: Runs) -> None:
    """Exit status 2, nothing on stdout; the line names file, place, value and rule. An update changes nothing in it."""
    said = refusals.said[name]
    assert (said.status, said.stdout) == (2, "")
    (line,) = said.stderr.splitlines()
    assert line.startswith("deconvdiff: error: ")
    assert [fact for fact in REFUSED[name][1] if fact not in line] == []


def test_a_refusal_loses_nothing_and_begins_nothing(refusals: Runs, tmp_path: Path) -> None:
    """Every file is byte for byte what it was; neither database nor report is there."""
    assert refusals.said
    fill(tmp_path)

    def contents(folder: Path) -> dict[str, bytes | None]:
        return {path.name: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}

    assert contents(refusals.folder) == contents(tmp_path)
