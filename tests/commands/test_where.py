"""``fuzz --where``: only the cases for which a condition holds, each of the targets for which it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from command import PROGRAM, Finished, deconvdiff, one_after_the_other

from harness import Case
from harness.store import Store

#: a target with every mode that a third party's methods imply, and a version
WHOLE = """
from harness import reference
from targets import Correct

class Whole(Correct):
    def version(self):
        return "1.5.0"

    def abstract(self, batch, input_size, layer):
        return (batch, layer.out_channels, *layer.output_size(input_size))

    def vjp(self, x, weight, bias, layer, cotangent):
        gradients = reference.vjp(x, weight, bias, layer, cotangent)
        return tuple(None if each is None else each.astype(x.dtype) for each in gradients)
"""

STRIDED = "any(s > 1)"
BY_MODE = 'version >= "1.5" and (mode == "gradient" and ndim == 2 or mode == "default" and ndim == 1)'
NEVER = "any(s > 1000)"

#: the command, which draws less long in vain: whole, it would draw for minutes
IMPATIENT = f"import harness.campaign.loop as loop\nloop.DRAWN_IN_VAIN = 300\n{PROGRAM}"


def fuzz(name: str, target: str, cases: int, *more: str) -> tuple[str, ...]:
    """A run with its own files."""
    files = (f"--db={name}.sqlite", f"--html={name}.html", f"--json={name}.json")
    return ("fuzz", "--seed=7", f"--target={target}", f"--cases={cases}", *files, *more)


RUNS = {
    "all": fuzz("all", "targets:Correct", 40),
    "strided": fuzz("strided", "targets:Correct", 12, f"--where={STRIDED}"),
    "by mode": fuzz("by mode", "whole:Whole", 15, "--extra-share=1", f"--where={BY_MODE}"),
    "faulty": fuzz("faulty", "harness.planted.geometry:StrideIgnored", 5, f"--where={STRIDED} and ndim == 1"),
}

#: conditions that cannot be read, the column that the line points at, and what it names there
WRONG: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "no expression": ("ndim > 1 and and bias", 14, ("expression",)),
    "nothing": ("", 1, ("empty", "any(a >= s)")),
    "unknown name": ("ndim > 1 and any(q > 1)", 18, ("'q'", "known are k, s, p")),
    "no single truth": ("ndim > 1 and s > 1", 14, ("'s > 1'", "any()")),
    "chain": ("any(1 < s < 3)", 5, ("parentheses", "&")),
    "unknown dtype": ('dtype == "float8"', 10, ("'float8'", "float16")),
    "no version": ('version < "new"', 11, ("'new'", "PEP 440")),
    "foreign function": ('__import__("os").getcwd() == "x"', 1, ("no function", "any, all")),
    "on two lines": ("ndim > 1\nand bias", 9, ("one line",)),
    "too long": ("ndim > 1 and " * 100 + "bias", 1001, ("too many", "1000")),
}


@dataclass(frozen=True, slots=True)
class Done:
    """The folder of the runs, and what each of them said."""

    folder: Path
    said: Mapping[str, Finished]

    def cases(self, name: str) -> list[Case]:
        """The cases of a run, from its database."""
        store = Store(self.folder / f"{name}.sqlite", create=False)
        try:
            return list(store.cases(store.report().run.id))
        finally:
            store.close()


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("where")
    (folder / "whole.py").write_text(WHOLE, encoding="utf-8")
    # A process for each of the two that are compared: what is loaded has a part in what Hypothesis draws.
    compared = {name: deconvdiff(folder, *RUNS[name]) for name in ("all", "strided")}
    others = {name: run for name, run in RUNS.items() if name not in compared}
    return Done(folder, {**compared, **one_after_the_other(folder, others)})


def test_only_cases_for_which_it_holds_are_asked(done: Done) -> None:
    """As many as ``--cases`` says, each with a stride above 1 on some axis."""
    strides = [case.layer.stride for case in done.cases("strided") if case.layer is not None]
    assert done.said["strided"].status == 0
    assert len(strides) == 12
    assert min(map(max, strides)) > 1


def test_it_picks_from_what_the_seed_draws_anyway(done: Done) -> None:
    """The same cases in the same order as without it, but for those that it leaves out."""
    drawn = [case for case in done.cases("all") if case.layer is not None and max(case.layer.stride) > 1]
    picked = done.cases("strided")
    shared = min(len(drawn), len(picked))
    assert len(done.cases("all")) == 40
    assert drawn[:shared] == picked[:shared]
    assert shared > 3


def test_it_may_ask_for_mode_and_version(done: Done) -> None:
    """Each target is asked of those cases for which the condition holds on it, and of no other."""
    store = Store(done.folder / "by mode.sqlite", create=False)
    totals = store.report().totals
    store.close()
    cases = done.cases("by mode")
    asked = {mode: sum(totals[f"whole:Whole+{mode}"].outcomes.values()) for mode in ("default", "gradient", "abstract")}
    count = {ndim: sum(case.ndim == ndim for case in cases) for ndim in (1, 2, 3)}
    assert done.said["by mode"].status == 0
    assert count[1] + count[2] == len(cases) == 15
    assert min(count[1], count[2]) > 0
    assert asked == {"default": count[1], "gradient": count[2], "abstract": 0}


def test_the_finding_is_reduced_beyond_the_condition(done: Done) -> None:
    """What is asked is the first case; the minimal one is as small as the fault allows."""
    (finding,) = json.loads((done.folder / "faulty.json").read_text(encoding="utf-8"))["findings"]
    assert done.said["faulty"].status == 1
    assert finding["cause"] == "stride ignored"
    assert max(finding["case"]["layer"]["stride"]) > 1
    assert finding["minimal"]["layer"]["stride"] == [2]


def test_a_condition_that_never_holds_ends_the_run(tmp_path: Path) -> None:
    """Exit status 3 and a line with the condition, not an endless search; the report is written and claims nothing."""
    said = deconvdiff(
        *(tmp_path, "fuzz", "--target=targets:Correct", "--seed=7", "--json=r.json", f"--where={NEVER}"),
        program=IMPATIENT,
    )
    assert said.status == 3
    assert f"deconvdiff: no case was drawn for which --where {NEVER!r} holds" in said.told
    assert "seed 7: 0 cases" in said.stdout
    assert "None" not in said.stdout + said.stderr
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["totals"]["cases"] == 0
    assert "nothing is claimed" in (tmp_path / "deconvdiff.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("wrong")
    commands = {name: fuzz("r", "targets:Correct", 1, f"--where={text}") for name, (text, _, _) in WRONG.items()}
    return Done(folder, one_after_the_other(folder, commands))


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_condition_is_refused_with_its_column(name: str, refusals: Done) -> None:
    """Exit status 2 in one line that points into the text and says what may stand there; nothing is begun."""
    said = refusals.said[name]
    _, column, facts = WRONG[name]
    assert (said.status, said.stdout) == (2, "")
    (line,) = said.stderr.splitlines()
    assert line.startswith("deconvdiff: error: condition ")
    assert f": column {column}: " in line
    assert [fact for fact in facts if fact not in line] == []
    assert list(refusals.folder.iterdir()) == []
