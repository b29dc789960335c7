"""What a person gets wrong costs one line that says what to do: never a traceback, never a file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest
from command import Finished, one_after_the_other

from harness import Case, Layer
from harness.store import APPLICATION_ID

CASE = Case(Layer(kernel_size=3, stride=2, ndim=1), input_size=3).to_json()
FUZZ = ("fuzz", "--target", "targets:Correct", "--cases", "1")
SIZES = ("sizes", "--input-size", "3", "--kernel-size", "3")
ID = "0123456789ab"

#: what somebody may take for a result, a report or a case
FILES: dict[str, str] = {
    "empty": "",
    "page": "<!doctype html><title>News</title><article data-finding='{}'></article>",
    "tag": "<",
    "torn report": "<!doctype html><section id='section-findings'><article data-finding='{\"id\": '></article>",
    "deep report": f"<!doctype html><section id='section-findings'><article data-finding='{'[' * 100_000}'></article>",
    "report of lists": "<!doctype html><section id='section-findings'><article data-finding='[]'></article>",
    "targets": '{"schema": 1, "targets": []}',
    "second finding": json.dumps({"schema": 1, "findings": [{"case": CASE}, {"case": {**CASE, "batch": -1}}]}),
    "digits": f'{{"batch": {"9" * 5000}}}',
    "huge": " " * 50_000_001,
}


def replay(**changes: object) -> tuple[str, ...]:
    """The command that replays a case with some fields changed."""
    return ("replay", "--target", "targets:Correct", "--case", json.dumps({**CASE, **changes}))


def sized(layer: str, *options: str, at: str = "3") -> tuple[str, ...]:
    """The command that asks a layer in words at an input size."""
    return ("sizes", "--input-size", at, "--layer", layer, *options)


def layer(**changes: object) -> dict[str, object]:
    """The layer of a case with some fields changed."""
    return {**CASE["layer"], **changes}


def spelled(**arguments: object) -> dict[str, object]:
    """The fields of a case that asks PyTorch in its own words."""
    words = {"in_channels": 1, "out_channels": 1, "kernel_size": [3], "stride": [1], "padding": [0], **arguments}
    words = {"output_padding": [0], "groups": 1, "bias": False, "dilation": [1], **words}
    return {"layer": None, "spelling": {"api": "torch.nn.ConvTranspose", "arguments": words}}


#: what is asked, and what the one line names: the offending value, and what to do where that is not the value itself
REFUSED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "unknown framework": (("fuzz", "--target", "pytorch"), ("'pytorch'", "torch.nn.ConvTranspose", "jax", "keras")),
    "unknown mode": (("fuzz", "--target", "torch+fast"), ("'torch+fast'", "modes eager", "xla")),
    "unknown environment": (("fuzz", "--target", "torch@old"), ("'old'", "--env old=")),
    "no target at all": (("fuzz", "--target", ""), ("--target", "package.module:Class")),
    "report into a folder": ((*FUZZ, "--html", "folder"), ("--html folder", "name a file")),
    "report below a file": ((*FUZZ, "--html", "text/r.html"), ("--html text/r.html", "writable folder")),
    "JSON into a missing folder": ((*FUZZ, "--json", "nowhere/r.json"), ("--json nowhere/r.json", "writable folder")),
    "folder as database": ((*FUZZ, "--db", "folder"), ("folder", "--db")),
    "text as database": ((*FUZZ, "--db", "text"), ("text", "--db")),
    "database below a file": ((*FUZZ, "--db", "text/results.sqlite"), ("text/results.sqlite", "--db")),
    "corrupt database": ((*FUZZ, "--db", "corrupt"), ("corrupt", "--db")),
    "foreign database": ((*FUZZ, "--db", "foreign"), ("foreign", "SQLite", "--db")),
    "database of the future": ((*FUZZ, "--db", "future"), ("future", "99", "--db")),
    "report of nothing": (("report",), (".deconvdiff/results.sqlite", "deconvdiff fuzz")),
    "report of a folder": (("report", "folder"), ("folder",)),
    "report of text": (("report", "text"), ("text",)),
    "report of a corrupt database": (("report", "corrupt"), ("corrupt",)),
    "report of a foreign database": (("report", "foreign"), ("foreign", "SQLite")),
    "report of the future": (("report", "future"), ("future", "99")),
    "replay of nothing": (("replay",), ("FILE", "--case")),
    "replay of both": (("replay", "text", "--case", "{}"), ("FILE", "--case")),
    "replay of an id and a case": (("replay", ID, "--case", "{}"), ("ID", "FILE", "--case")),
    "replay of an id without a database": (("replay", ID), (".deconvdiff/results.sqlite", "deconvdiff fuzz")),
    "replay of an id in text": (("replay", ID, "--db", "text"), ("text", "not a database")),
    "replay of an id in a folder": (("replay", ID, "--db", "folder"), ("folder",)),
    "replay of half an id": (("replay", ID[:6]), (ID[:6], "12 hex digits")),
    "replay of a file with a database": (("replay", "text", "--db", "ours"), ("--db ours", "ID", "text")),
    "replay of a case with a database": (("replay", "--case", "{}", "--db", "ours"), ("--db ours", "ID", "--case")),
    "replay of an empty file": (("replay", "empty"), ("empty", "JSON", "fuzz --json", "HTML")),
    "replay of another page": (("replay", "page"), ("page", "no report")),
    "replay of a tag": (("replay", "tag"), ("tag", "no report")),
    "replay of a torn report": (("replay", "torn report"), ("torn report", "not JSON")),
    "replay of a bottomless report": (("replay", "deep report"), ("deep report", "not JSON", "recursion")),
    "replay of a report of lists": (("replay", "report of lists"), ("report of lists: finding 1", "object", "[]")),
    "replay of other JSON": (("replay", "targets"), ("targets: ", "'targets'", "input_size")),
    "replay of a wrong finding": (("replay", "second finding"), ("second finding: finding 2: ", "batch=-1")),
    "replay of too many digits": (("replay", "digits"), ("digits", "not JSON")),
    "replay of a huge file": (("replay", "huge"), ("huge", "50000000")),
    "replay of a missing file": (("replay", "nowhere.json"), ("nowhere.json",)),
    "replay of a folder": (("replay", "folder"), ("folder",)),
    "replay of bytes": (("replay", "bytes"), ("bytes",)),
    "replay of text": (("replay", "text"), ("text", "JSON", "fuzz --json")),
    "malformed case": (("replay", "--case", "{"), ("--case", "JSON")),
    "case in no object": (("replay", "--case", "[]"), ("object",)),
    "bottomless case": (("replay", "--case", "[" * 100_000), ("--case", "JSON")),
    "case of the future": (replay(schema=2), ("schema=2", "schema 1")),
    "unknown field": (replay(kernel=3), ("'kernel'", "input_size")),
    "unknown dtype": (replay(dtype="float8"), ("'float8'", "float16")),
    "no output left": (replay(layer=Layer(padding=2, ndim=1).to_json()), ("input_size=(3,)", "(-1,)")),
    "no stride": ((*SIZES, "--stride", "0"), ("stride=0", "at least 1")),
    "four axes": (("sizes", "--input-size", "3", "--kernel-size", "1,2,3,4"), ("4", "1 to 3")),
    "findings that are no objects": (("replay", "--case", '{"findings": [1]}'), ("--case: finding 1", "object", "'1'")),
    "findings without a case": (("replay", "--case", '{"findings": [{}]}'), ("--case: finding 1", "input_size=None")),
    "too few input sizes": (("sizes", "--input-size", "7,9", "--kernel-size", "3,4,5"), ("(7, 9)", "3 entries")),
    "input size below 0": (("sizes", "--input-size=-1", "--kernel-size", "3"), ("input_size=-1", "at least 0")),
    "one file for two": ((*FUZZ, "--db", "same", "--html", "same"), ("--db", "--html", "same")),
    "report over its database": (("report", "ours", "--html", "ours"), ("database", "--html", "ours")),
    "report to one file for two": (("report", "--junit", "new", "--summary", "new"), ("--junit", "--summary", "new")),
    "replay of a giant": (replay(batch=10**9), ("multiply-adds", "at most")),
    "replay of a giant extension": (replay(layer=layer(padding=[-(10**9)])), ("2000000007", "at most")),
    "replay of a giant weight": (replay(batch=0, layer=layer(kernel_size=[10**9])), ("1000000000", "at most")),
    "replay of a giant in words": (replay(**spelled(kernel_size=[10**9])), ("1000000002", "at most")),
    "replay beyond all numbers": (replay(layer=layer(stride=[10**30])), ("stride", "2**31")),
    "replay of infinity": (replay(batch=float("inf")), ("batch=inf", "integer")),
    "replay of what is never exact": (
        replay(dtype="bfloat16", layer=layer(in_channels=300)), ("'integers'", "600 products", "values='normal'")
    ),
    "a million sizes": ((*SIZES, "--stride", "1000000"), ("1000000", "at most 1000")),
    "sizes to read for days": (sized("ConvTranspose1d(1, 1, 3, 11)", at="1..100"), ("1100 in all", "at most 1000")),
    "size in words": (("sizes", "--input-size", "3,x", "--kernel-size", "3"), ("'x'", "1..12")),
    "range without an end": (("sizes", "--input-size", "1..", "--kernel-size", "3"), ("'1..'", "1..12")),
    "range that goes down": (("sizes", "--input-size", "5..1", "--kernel-size", "3"), ("5..1", "smaller size first")),
    "endless range": (("sizes", "--input-size", "0..99999999", "--kernel-size", "3"), ("0..99999999", "at most 100")),
    "endless number": (("sizes", "--input-size", "9" * 5000, "--kernel-size", "3"), ("'999", "1..12")),
    "size beyond all": (("sizes", "--input-size", str(2**31), "--kernel-size", "3"), (str(2**31), "at most 2**31")),
    "kernel beyond all": (("sizes", "--input-size", "3", "--kernel-size", str(2**31)), ("kernel_size", "below 2**31")),
    "neither kernel nor layer": (("sizes", "--input-size", "3"), ("--kernel-size", "--layer")),
    "layer and kernel": (sized("ConvTranspose1d(1, 1, 3)", "--kernel-size", "3"), ("--layer", "--kernel-size")),
    "layer and stride": (sized("ConvTranspose1d(1, 1, 3)", "--stride", "1"), ("--layer", "--stride")),
    "words of nobody": (sized("ConvTranspose1d(1, 1, 3)", "--from", "pytorch"), ("pytorch", "torch.nn")),
    "words without a layer": ((*SIZES, "--from", "torch"), ("--from torch", "--layer")),
    "half a layer": (sized("ConvTranspose1d(1, 1"), ("'ConvTranspose1d(1, 1'", "syntax")),
    "another layer": (sized("Linear(1, 1)"), ("Linear", "ConvTranspose1d")),
    "no output in words": (sized("ConvTranspose1d(1, 1, 3, padding=9)"), ("input of size 3", "at least 1")),
    "no output in a range": (sized("ConvTranspose1d(1, 1, 3, padding=9)", at="1..4"), ("size 1", "at least 1")),
    "too much output padding": (sized("ConvTranspose1d(1, 1, 3, output_padding=2)"), ("size 3", "output padding")),
    "shape of another size": (
        sized("tf.nn.conv1d_transpose(x, (3, 8, 4), [2, 9, 8], 2, 'SAME')", "--from", "tensorflow"), ("size 3", "SAME")
    ),
    "what no crop says": (
        sized("ConvTranspose(1, (3,), padding='CIRCULAR')", "--from", "flax.linen.ConvTranspose"), ("CIRCULAR",)
    ),
    "layer with a million sizes": (sized("ConvTranspose1d(1, 1, 3, 1000000)"), ("stride 1000000", "at most 1000")),
    "layer of other axes": (sized("ConvTranspose1d(1, 1, 3)", at="3,4"), ("2 axes", "the layer 1")),
    "picture too wide": (
        ("sizes", "--input-size", "1..100", "--kernel-size", "3", "--stride", "3", "--html", "new.html"),
        ("--html new.html", "300 output sizes", "at most 200"),
    ),
    "picture into a folder": ((*SIZES, "--html", "folder"), ("--html folder", "name a file")),
    "picture over its JSON": ((*SIZES, "--html", "same", "--json", "same"), ("--html", "--json", "same")),
    "no such rule": (("rules", "--id", "99"), ("--id 99", "1 to ")),
    "rules of nobody": (("rules", "--id", "5", "--target", "pytorch"), ("'pytorch'", "torch.nn.ConvTranspose")),
    "rules run and not": (("rules", "--no-run", "--target", "torch"), ("--no-run", "--target")),
    "rules into a missing folder": (("rules", "--no-run", "--json", "nowhere/r.json"), ("--json nowhere/r.json",)),
    "findings of the future": (("replay", "--case", '{"schema": 2, "findings": []}'), ("schema=2", "schema 1")),
    "axes at odds": ((*SIZES, "--stride", "1,2", "--dilation", "1,2,3"), ("(1, 2)", "3 entries")),
}  # fmt: skip

#: what click itself refuses, below the lines that say how the command is used
MISUSED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "no cases": (("fuzz", "--cases", "0"), ("--cases", "0")),
    "no such time": (("fuzz", "--time", "10min"), ("'10min'", "10m")),
    "seed below 0": (("fuzz", "--seed", "-1"), ("--seed", "-1")),
    "no such profile": (("fuzz", "--profile", "weekly"), ("'weekly'", "ci", "default", "nightly")),
    "no such choice": (("fuzz", "--fail-on", "all"), ("'all'", "unknown", "appeared", "any", "never")),
    "kernel in words": (("sizes", "--input-size", "3", "--kernel-size", "3,x"), ("'3,x'", "3,5")),
    "no such command": (("fuz",), ("'fuz'",)),
}


def fill(folder: Path) -> None:
    """The files that a careless person names."""
    (folder / "folder").mkdir()
    (folder / "text").write_text("not a database, not JSON", encoding="utf-8")
    (folder / "bytes").write_bytes(b"\xff\xfe\x00")
    for name, content in FILES.items():
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "corrupt").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 32)
    for name, statements in {
        "foreign": "PRAGMA application_id = 7; CREATE TABLE mine (x); INSERT INTO mine VALUES (1)",
        "future": f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 99; CREATE TABLE runs (id)",
    }.items():
        database = sqlite3.connect(folder / name)
        database.executescript(statements)
        database.close()


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@pytest.fixture(scope="module")
def careless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("careless")
    fill(folder)
    return folder


@pytest.fixture(scope="module")
def answers(careless: Path) -> Mapping[str, Finished]:
    return one_after_the_other(careless, {name: asked for name, (asked, _) in {**REFUSED, **MISUSED}.items()})


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_refused_in_one_line(name: str, answers: Mapping[str, Finished]) -> None:
    """Exit status 2, nothing on stdout, and one line on stderr with the offending value and what to do."""
    done = answers[name]
    assert (done.status, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("deconvdiff: error: ")
    for fact in REFUSED[name][1]:
        assert fact in line


@pytest.mark.parametrize("name", MISUSED)
def test_misuse_is_answered_with_how_the_command_is_used(name: str, answers: Mapping[str, Finished]) -> None:
    """Exit status 2, nothing on stdout, and on stderr the usage and one line with the offending value."""
    done = answers[name]
    assert (done.status, done.stdout) == (2, "")
    usage, *_, line = done.stderr.splitlines()
    assert usage.startswith("Usage: deconvdiff ")
    assert line.startswith("Error: ")
    for fact in MISUSED[name][1]:
        assert fact in line


def test_a_refusal_changes_no_file_and_makes_none(
    careless: Path, answers: Mapping[str, Finished], tmp_path: Path
) -> None:
    """Somebody else's database and every other file are byte for byte what they were, and there is no other."""
    assert answers
    fill(tmp_path)
    assert contents(careless) == contents(tmp_path)
