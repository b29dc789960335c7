"""Batches: what one case does to a process is that case's alone, whatever was asked with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from enduring import MARK
from targets import scatter

from harness import Case, Layer
from harness.campaign.ask import Chosen
from harness.campaign.loop import seat
from harness.campaign.select import all_targets
from harness.judge.tolerance import Expected
from harness.records import VIEW, Observation, Outcome
from harness.values import digest
from harness.workers.lane import Patience, Request
from harness.workers.lent import FILES, folder
from harness.workers.losses import MOST_LOST
from harness.workers.pool import MEMORY_LIMIT, Pool, Seat
from harness.workers.process import Place
from harness.workers.protocol import Address

pytestmark = pytest.mark.usefixtures("faults")

CASES = [Case(Layer(1 + number, 2, 3, 2, 1, 1, ndim=1), batch=2, input_size=(4,), seed=number) for number in range(12)]
MARKED = [place for place, case in enumerate(CASES) if case.layer is not None and case.layer.in_channels == MARK]
SHORT = Patience(first=1.0, again=1.5, stretch=1.0)


@contextmanager
def pool_of(
    *names: str,
    patience: Patience | None = None,
    memory_limit: int = MEMORY_LIMIT,
    interpreter: str = sys.executable,
    module: str = "enduring",
) -> Iterator[Pool]:
    """A pool with one process for each of the classes of ``tests/faults/enduring.py``."""
    place = Place({}, interpreter, (module,))
    seats = [Seat(Address(name, f"{module}:{name}", "default"), name, place) for name in names]
    with Pool(seats, patience=patience, memory_limit=memory_limit) as pool:
        yield pool


def seen(pool: Pool, name: str, cases: Sequence[Case] = CASES) -> list[Observation]:
    """What one target does with cases that are put together."""
    return [found[name] for found in pool.observe_all([(case, [Request(name)]) for case in cases])]


def is_right(observation: Observation, case: Case) -> bool:
    """Whether the answer is that of our own arrays."""
    assert case.layer is not None
    return observation.digest == digest(scatter(*case.arrays(), case.layer))


@pytest.mark.parametrize(
    ("name", "outcome", "end"),
    [
        ("AbortsOnMark", Outcome.CRASHED, "SIGABRT"),
        ("HangsOnMark", Outcome.TIMED_OUT, "no answer in 1.5 s"),
        ("GrowsOnMark", Outcome.OUT_OF_MEMORY, "GiB of resident memory, above the limit of 0.5 GiB"),
    ],
)
def test_a_death_is_its_own_cases_alone(name: str, outcome: Outcome, end: str) -> None:
    """The others of the batch are answered, before and behind it; the culprit has what ended it."""
    patience = SHORT if outcome is Outcome.TIMED_OUT else None
    with pool_of(name, patience=patience, memory_limit=2**29) as pool:
        answers = seen(pool, name)
    assert [place for place, one in enumerate(answers) if one.outcome is outcome] == MARKED
    assert all(end in (answers[place].exit or "") for place in MARKED)
    assert all(
        is_right(one, case) for place, (one, case) in enumerate(zip(answers, CASES, strict=True)) if place not in MARKED
    )


def test_the_last_words_of_a_culprit_are_kept() -> None:
    """The end of the log is that of the process that died of it."""
    with pool_of("AbortsOnMark") as pool:
        (place,) = MARKED
        assert "Check failed: a marked case" in (seen(pool, "AbortsOnMark")[place].log_tail or "")


def test_what_hangs_once_is_no_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine: asked again alone, it answers, and that is its observation."""
    monkeypatch.setenv("SLOW_ONCE", str(tmp_path / "seen"))
    with pool_of("SlowOnce", patience=Patience(first=1.0, again=60.0)) as pool:
        answers = seen(pool, "SlowOnce")
        assert pool.benched == {}
    assert all(is_right(one, case) for one, case in zip(answers, CASES, strict=True))


def test_neighbours_are_not_held_up() -> None:
    """While one hangs, the other process answers all of its own."""
    with pool_of("HangsOnMark", "AbortsOnMark", patience=SHORT) as pool:
        put = [(case, [Request("HangsOnMark"), Request("AbortsOnMark")]) for case in CASES]
        answers = pool.observe_all(put)
    assert [one["AbortsOnMark"].outcome is Outcome.CRASHED for one in answers].count(True) == 1
    assert [one["HangsOnMark"].outcome is Outcome.TIMED_OUT for one in answers].count(True) == 1


def test_several_batches_may_be_out() -> None:
    """They are answered whatever happens to one of them, and can be collected in any order."""
    with pool_of("AbortsOnMark") as pool:
        tickets = [pool.submit([(case, [Request("AbortsOnMark")]) for case in CASES]) for _ in range(3)]
        for ticket in reversed(tickets):
            outcomes = [found["AbortsOnMark"].outcome for found in pool.collect(ticket)]
            assert outcomes.count(Outcome.CRASHED) == 1
            assert outcomes.count(Outcome.OK) == len(CASES) - 1


def test_a_target_that_costs_too_much_is_benched() -> None:
    """Its later cases are skipped with the reason, and it never costs two minutes."""
    started = time.monotonic()
    patience = Patience(first=6.0, again=18.0, stretch=1.0)
    with pool_of("HangsOnMark", patience=patience) as pool:
        marked = [CASES[MARKED[0]].replace(seed=seed) for seed in range(40)]
        answers = seen(pool, "HangsOnMark", marked)
        (reason,) = pool.benched.values()
    assert time.monotonic() - started < MOST_LOST
    assert "not asked any more" in reason
    outcomes = [one.outcome for one in answers]
    assert outcomes.count(Outcome.TIMED_OUT) >= 2
    assert {one.reason for one in answers if one.outcome is Outcome.SKIPPED} == {reason}


def test_what_is_to_be_seen_afresh_is_seen_where_nothing_ran() -> None:
    """Whatever was asked before and is asked with it: each in an interpreter of its own."""
    case = CASES[0]
    with pool_of("CountsItsCalls", module="harness.planted.failures") as pool:
        first, second = (pool.observe(case, [Request("CountsItsCalls")])["CountsItsCalls"] for _ in range(2))
        put = [(case, [Request("CountsItsCalls", fresh=fresh)]) for fresh in (True, False, True)]
        afresh, third, again = (found["CountsItsCalls"] for found in pool.observe_all(put))
    assert len({first.digest, second.digest, third.digest}) == 3
    assert first.digest == afresh.digest == again.digest


def test_a_view_of_the_input_is_remarked_on() -> None:
    """It is an answer, right or wrong, and said to be what it is."""
    with pool_of("ReturnsInput") as pool:
        (one,) = seen(pool, "ReturnsInput", CASES[:1])
    assert (one.outcome, one.reason) == (Outcome.OK, VIEW)


def test_an_input_cannot_be_made_writeable() -> None:
    """What a target tries of the kind raises in it."""
    with pool_of("Unlocks") as pool:
        (one,) = seen(pool, "Unlocks", CASES[:1])
    assert one.outcome is Outcome.REJECTED
    assert "ValueError: cannot set WRITEABLE flag" in (one.error or "")


def test_what_is_printed_is_kept_with_its_case() -> None:
    """And a process with a thread serves by itself: it is the one that loaded the target."""
    with pool_of("StartsThread") as pool:
        process = pool.hello()["StartsThread"].version
        first, second = seen(pool, "StartsThread", CASES[:2])
    assert first.log_tail == second.log_tail == f"served by {process}\n"


def test_an_answer_that_is_not_expected_comes_twice_and_with_its_numbers() -> None:
    """The right one comes once, without."""
    case = CASES[0]
    assert case.layer is not None
    right = Expected(case, case.layer).digest
    with pool_of("AbortsOnMark", "ReturnsInput") as pool:
        asked = [Request(name, expects=right) for name in ("AbortsOnMark", "ReturnsInput")]
        found = pool.observe(case, asked)
    assert (found["AbortsOnMark"].values, found["AbortsOnMark"].digest) == (None, right)
    assert found["ReturnsInput"].values is not None
    assert not found["ReturnsInput"].unstable


@pytest.fixture(scope="module")
def other_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment that has NumPy and nothing else."""
    folder = tmp_path_factory.mktemp("other") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    paths = sysconfig.get_paths("venv", vars={"base": str(folder), "platbase": str(folder)})
    for package in Path(np.__file__).parents[1].glob("numpy*"):
        (Path(paths["purelib"]) / package.name).symlink_to(package)
    return str(folder / "bin" / "python")


def test_another_environment_is_lent_what_a_worker_needs_and_no_more(other_python: str) -> None:
    """It runs there, loads none of our modules but the lent ones, and our site-packages are not to be had."""
    with pool_of("Surroundings", interpreter=other_python, module="elsewhere") as pool:
        where, modules, hypothesis = str(pool.hello()["Surroundings"].version).split("; ")
        assert is_right(seen(pool, "Surroundings", CASES[:1])[0], CASES[0])
    assert where == str(Path(other_python).parents[1])
    assert hypothesis == "hypothesis False"
    assert set(modules.split()) <= {
        file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in FILES
    }


@pytest.mark.parametrize("chosen", [one for one in all_targets() if one.mode.abstract], ids=lambda one: one.target.api)
def test_a_worker_is_lent_every_file_that_its_class_is_made_of(chosen: Chosen, tmp_path: Path) -> None:
    """The class is there where nothing of ours is but what is lent; no framework is needed for that."""
    module, _, name = chosen.location.partition(":")
    lent = folder(seat(chosen).place.modules)
    try:
        program = f"import {module} as module; print(module.{name}.name, module.__file__)"
        ran = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(lent)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        shutil.rmtree(lent)
    assert ran.stdout.split() == [chosen.target.api, str(lent / f"{module.replace('.', '/')}.py")]


def test_an_interpreter_that_is_not_there_is_said(tmp_path: Path) -> None:
    """The greeting has the reason."""
    with pool_of("Surroundings", interpreter=str(tmp_path / "python"), module="elsewhere") as pool:
        assert "No such file" in (pool.hello()["Surroundings"].error or "")


_PARENT = """
import sys
from harness import Case, Layer
from harness.workers.lane import Request
from harness.workers.pool import Pool, Seat
from harness.workers.process import Place
from harness.workers.protocol import Address
names = sys.argv[1:]
pool = Pool([Seat(Address(name, f"enduring:{name}", "default"), name, Place({})) for name in names])
pool.hello()
marked = Case(Layer(5, 2, 3, ndim=1), input_size=(4,))
pool.submit([(marked, [Request(name) for name in names])])
print("put", flush=True)
while True:
    pool.go_on()
"""


@pytest.mark.parametrize("names", [["HangsOnMark", "AbortsOnMark"], ["StartsThread"]])
def test_nobody_outlives_a_parent_that_is_killed(names: list[str]) -> None:
    """Neither one that is idle nor one that hangs in C: within three seconds they are gone."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, *names], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "put\n"
    time.sleep(0.5)
    left = psutil.Process(parent.pid).children(recursive=True)
    assert len(left) >= len(names) + 1
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    _, alive = psutil.wait_procs(left, timeout=3.0)
    assert alive == []
