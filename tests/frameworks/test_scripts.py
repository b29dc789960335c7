"""Scripts that are run: how ``execute`` says what happened, and scripts of every API and mode on what is installed.

A script of a right answer passes; with a wrong expectation it fails by assertion. Scripts of one framework and
environment run side by side in one interpreter; those of real findings each in its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness import Case, Layer, Spelling, reference
from harness.campaign.ask import Chosen, ask
from harness.campaign.execute import End, execute
from harness.campaign.investigate import Investigation
from harness.campaign.loop import seat
from harness.campaign.script import script
from harness.campaign.select import all_targets, select
from harness.judge.baseline import Baseline
from harness.judge.tolerance import Expected
from harness.records import Disagreement, FirstDifference, Illegal, Kind, Observation, Oracle, Outcome, Rule
from harness.workers.pool import Pool
from strategies.trouble import TROUBLES

frameworks = pytest.mark.frameworks

ENDS = {
    "assert [1] == [2], 'no'": (End.FAILS, "exit status 1", "AssertionError: no"),
    "assert 0": (End.FAILS, "exit status 1", "AssertionError"),
    "try:\n    1 / 0\nexcept Exception as e:\n    raise AssertionError('raises') from e": (
        End.FAILS,
        "exit status 1",
        "AssertionError: raises",
    ),
    "import sys\nsys.stderr.write('noise\\nmore')": (End.PASSES, "exit status 0", "more"),
    "": (End.PASSES, "exit status 0", ""),
    "1 / 0": (End.ERROR, "exit status 1", "ZeroDivisionError: division by zero"),
    "import sys\nsys.exit(7)": (End.DIES, "exit status 7", ""),
    "import sys\nsys.exit(1)": (End.ERROR, "exit status 1", ""),
    "import os\nos.abort()": (End.DIES, "SIGABRT", ""),
    "import sys\nassert sys.stdin.read() == ''": (End.PASSES, "exit status 0", ""),
    "import os\nassert os.listdir() == ['finding.py']": (End.PASSES, "exit status 0", ""),
    "import os\nassert os.environ['GIVEN'] + os.environ['OMP_NUM_THREADS'] == '51'": (
        End.PASSES,
        "exit status 0",
        "",
    ),
    "import os\nos.write(1, bytes(range(256)) * 9000)\nassert 0, 'x' * 9000": (
        End.FAILS,
        "exit status 1",
        "AssertionError: " + "x" * 484,
    ),
}


@pytest.mark.parametrize("text", ENDS)
def test_what_happened_is_said_in_one_word(text: str) -> None:
    """With the exit and the last line of the script's own end; nothing is read from the terminal, output is bounded."""
    ended = execute(text, {"GIVEN": "5"}, 60.0)
    assert (ended.end, ended.exit, ended.last_line) == ENDS[text]


def test_an_assertion_of_the_framework_is_no_answer() -> None:
    """Only the script's own assertion says that the finding is there."""
    ended = execute("import unittest\nunittest.TestCase().assertEqual(1, 2)", {}, 60.0)
    assert (ended.end, ended.last_line) == (End.ERROR, "AssertionError: 1 != 2")


def test_a_script_that_does_not_end_is_ended() -> None:
    """After the given time."""
    ended = execute("while True: pass", {}, 1.0)
    assert (ended.end, ended.exit) == (End.ERROR, "no answer in 1 s")


def test_the_callers_folder_is_looked_in_last(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third party's class may stand there, but nothing in it shadows an installed module."""
    (tmp_path / "mine.py").write_text("x = 1")
    (tmp_path / "numpy.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    assert execute("import mine, numpy, harness", {}, 60.0).end is End.PASSES


THIRD = {
    "FlippedKernel": (End.FAILS, "exit status 1"),
    "TooLong": (End.FAILS, "exit status 1"),
    "OtherDtype": (End.FAILS, "exit status 1"),
    "Raises": (End.FAILS, "exit status 1"),
    "Unstable": (End.FAILS, "exit status 1"),
    "Aborts": (End.DIES, "SIGABRT"),
    "Exits": (End.DIES, "exit status 7"),
}


@pytest.mark.usefixtures("faults")
def test_scripts_of_third_parties_end_as_the_finding_did() -> None:
    """Of faulty classes, from what the judge objected to."""
    case = Case(Layer(2, 2, (3, 2), (2, 1), ndim=2), input_size=(3, 4))
    chosen = [one for name in THIRD for one in select([f"targets:{name}+default"]).popitem()[1]]
    scripts = written(case, chosen)
    assert set(scripts) == {one.target.name for one in chosen}
    for name, (text, _) in scripts.items():
        ended = execute(text, {}, 60.0)
        assert (ended.end, ended.exit) == THIRD[name.removeprefix("targets:").removesuffix("+default")]


def written(case: Case, chosen: list[Chosen]) -> dict[str, tuple[str, Disagreement]]:
    """The script of what the judge objects to, by target."""
    with Pool([seat(one) for one in chosen]) as pool:
        hello = pool.hello()
        verdict = Investigation(pool, Baseline.empty(), {}).ask(case, chosen).verdict
    by_name = {one.target.name: one for one in chosen}
    scripts = {}
    for told in verdict.disagreements:
        name = told.asked.target.name
        version = hello[name].version
        scripts[name] = script(case, told, by_name[name].api, mode=by_name[name].mode, version=version), told
    return scripts


# On the frameworks -------------------------------------------------------------------------------------------------

ONE = Layer(2, 3, 3, 2, 1, 1, ndim=1)
CASES = {
    "integers": Case(ONE, batch=2, input_size=(4,)),
    "reals": Case(ONE, batch=2, input_size=(4,), values="normal"),
    "special values": Case(ONE, batch=2, input_size=(4,), values="special"),
    "float64": Case(ONE, input_size=(4,), dtype="float64", values="normal"),
    "float16": Case(ONE, input_size=(4,), dtype="float16", values="normal"),
    "bfloat16": Case(ONE, input_size=(4,), dtype="bfloat16", values="normal"),
    "extended and cut": Case(Layer(2, 1, (2, 3), 2, (-1, 2), (-1, 1)), input_size=(2, 3)),
    "extended in bfloat16": Case(Layer(1, 2, 2, 3, 0, 4, ndim=1), input_size=(3,), dtype="bfloat16"),
    "3-D": Case(Layer(2, 2, (1, 2, 3), (1, 2, 3), (0, 0, 1), 0), input_size=(2, 3, 2)),
}


def environments() -> dict[str, list[Chosen]]:
    """The targets of every framework, by what must be set before it is imported."""
    groups: dict[str, list[Chosen]] = {}
    for chosen in all_targets():
        key = " ".join([chosen.framework, *(f"{k}={v}" for k, v in sorted(chosen.mode.environment.items()))])
        groups.setdefault(key, []).append(chosen)
    return groups


GROUPS = environments()


def told(case: Case, chosen: Chosen, kind: Kind, **changes: Any) -> Disagreement:
    """A disagreement of this kind about a right answer."""
    asked = ask(case, chosen)
    assert asked is not None
    assert case.layer is not None
    expected = Expected(case, case.layer)
    seen = Observation(chosen.target.name, Outcome.OK, shape=expected.shape, error="E: no", exit="SIGABRT")
    index = (0,) * (case.ndim + 2)
    value = float(expected.values[index])
    first = FirstDifference(index, value, value, "", "", "dx" if chosen.mode.gradient else "y")
    whole = Disagreement(Oracle.AGREEMENT, kind, asked, seen, expected.size, first_difference=first, contrast="it is")
    return replace(whole, **changes)


def kinds(chosen: Chosen, name: str) -> dict[Kind, bool]:
    """What a case's script can be about, and whether it fails on what is right; everything of one case."""
    numbers = Kind.GRADIENT if chosen.mode.gradient else Kind.SIZE if chosen.mode.abstract else Kind.VALUE
    if name != "integers":
        return {} if chosen.mode.gradient and name == "special values" else {numbers: False}
    able = {numbers: False, Kind.REJECTION: False, Kind.CRASH: False}
    if chosen.mode.abstract:
        return {**able, Kind.SHAPE_INFERENCE: False, Kind.ACCEPTANCE: True}
    able |= {Kind.DTYPE: False, Kind.NONDETERMINISM: False}
    return able if chosen.mode.gradient else {**able, Kind.SIZE: False, Kind.ACCEPTANCE: True}


def write(case: Case, chosen: Chosen, kind: Kind, **changes: Any) -> str:
    """The script of a disagreement about a right answer."""
    illegal = Illegal("nothing", Rule("nothing is forbidden"))
    found = told(case, chosen, kind, **changes)
    if kind is Kind.ACCEPTANCE:
        found = replace(found, asked=replace(found.asked, answer=illegal), rule=illegal.rule)
    return script(case, found, chosen.api, mode=chosen.mode, version=None)


def right(group: list[Chosen]) -> Iterator[tuple[str, str, bool]]:
    """A name, a script and whether it fails, for everything that can be told of right answers."""
    for name, case in CASES.items():
        for chosen in group:
            for kind, fails in kinds(chosen, name).items():
                yield f"{chosen.target.name} {kind.value} {name}", write(case, chosen, kind), fails


#: what a script asserts, made wrong in its text
SPOILT = {
    Kind.DTYPE: ("== 'float32'", "== 'int8'"),
    Kind.SHAPE_INFERENCE: ("returned = list(y.shape)", "returned = [0]"),
}


def wrong(group: list[Chosen], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str, bool]]:
    """Scripts that expect what is wrong: another last number, another size, another dtype, another shape."""
    output, vjp = reference.conv_transpose, reference.vjp
    monkeypatch.setattr(reference, "conv_transpose", lambda *arrays: larger(output(*arrays)))
    monkeypatch.setattr(reference, "vjp", lambda *arrays: tuple(None if a is None else larger(a) for a in vjp(*arrays)))
    for name, case in CASES.items():
        size = tuple(m + 1 for m in case.layer.output_size(case.input_size)) if case.layer else ()
        told_of = {Kind.SIZE, Kind.VALUE, Kind.GRADIENT, *SPOILT} - (
            {Kind.VALUE} if name == "special values" else set()
        )
        for chosen in group:
            for kind in told_of & set(kinds(chosen, name)):
                text = write(case, chosen, kind, expected_size=size).replace(*SPOILT.get(kind, ("", "")))
                yield f"{chosen.target.name} {kind.value} {name}", text, True
    monkeypatch.undo()


def larger(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array with its last number a half and one larger."""
    changed = array.copy()
    changed[(-1,) * array.ndim] = 1.5 * changed[(-1,) * array.ndim] + 1
    return changed


DRIVER = """\
import traceback
wrong = []
for name, text, fails in SCRIPTS:
    try:
        exec(compile(text, name, 'exec'), {'__name__': '__main__'})
        failed = False
    except AssertionError:
        failed = True
    except BaseException:
        failed = traceback.format_exc()[-300:]
    if failed is not fails:
        wrong.append((name, failed))
assert not wrong, f'{len(wrong)} of {len(SCRIPTS)}: {wrong}'
"""


def run_together(scripts: list[tuple[str, str, bool]], environment: Mapping[str, str]) -> None:
    """Run the scripts in one interpreter, each in names of its own."""
    ended = execute(f"SCRIPTS = {scripts!r}\n{DRIVER}", environment, 600.0)
    assert ended.end is End.PASSES, ended.last_line


@frameworks
@pytest.mark.parametrize("key", GROUPS)
def test_scripts_pass_on_right_answers_and_fail_on_wrong_expectations(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every mode, for numbers of every dtype, cut, extended and with a bias added after the call."""
    group = GROUPS[key]
    if group[0].missing:
        pytest.skip(group[0].missing)
    run_together([*right(group), *wrong(group, monkeypatch)], group[0].mode.environment)


def installed(selector: str) -> list[Chosen]:
    """The targets of a selector, or a skip."""
    (chosen,) = select([selector]).values()
    if chosen[0].missing:
        pytest.skip(chosen[0].missing)
    return list(chosen)


FINDINGS = {
    "torch.nn.ConvTranspose": (0, {"eager": End.FAILS, "abstract": End.FAILS}),
    "keras.layers.ConvTranspose+tensorflow": (1, {"tensorflow": End.FAILS}),
    "jax.lax.conv_transpose+jit": (2, {"jit": End.DIES}),
}


@frameworks
@pytest.mark.parametrize("selector", FINDINGS)
def test_the_scripts_of_a_real_finding_end_as_it_was_observed(selector: str) -> None:
    """Known trouble of the pinned versions; where it is mended, so is what is expected here."""
    number, ends = FINDINGS[selector]
    trouble = TROUBLES[number]
    scripts = written(Case(trouble.layer, input_size=trouble.input_size), installed(selector))
    assert {name.partition("+")[2] for name in scripts} == set(ends)
    for name, (text, found) in scripts.items():
        ended = execute(text, {}, 120.0)
        assert ended.end is ends[name.partition("+")[2]], ended
        assert ended.exit == (found.observation.exit or "exit status 1")


@frameworks
def test_the_script_of_an_illegal_call_passes_where_it_is_rejected() -> None:
    """Torch rejects a stride of 0: a script about its acceptance would pass."""
    words = {"in_channels": 2, "out_channels": 3, "kernel_size": (2,), "stride": (0,)}
    case = Case.spelled(Spelling("torch.nn.ConvTranspose", words), input_size=(4,))
    (chosen,) = installed("torch.nn.ConvTranspose+eager")
    asked = ask(case, chosen)
    assert asked is not None
    assert isinstance(asked.answer, Illegal)
    seen = Observation(chosen.target.name, Outcome.OK, shape=(1, 3, 4))
    found = Disagreement(Oracle.CONTRACT, Kind.ACCEPTANCE, asked, seen, rule=asked.answer.rule)
    assert execute(script(case, found, chosen.api, mode=chosen.mode, version=None), {}, 60.0).end is End.PASSES
