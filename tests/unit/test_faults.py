"""The planted targets are what they say: the sound ones right, the faulty ones wrong where their condition holds."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import pytest

from harness import Case, reference
from harness.campaign.draw import stream
from harness.judge.causes import FAMILIES
from harness.judge.condition import Condition, Facts
from harness.judge.oracles import GRADIENT_SHAPE, SPECIAL_PLACE
from harness.planted import FAULTS, SOUND, Fault, failures
from harness.planted.fault import FEW, MANY
from harness.records import VIEW, Kind

SEED, DRAWN = 2, 500

#: what a wrong gradient is called, and what no hypothesis explains but has a name
OTHER_CAUSES = {"dx differs", "dweight differs", "dbias differs", GRADIENT_SHAPE, SPECIAL_PLACE, VIEW}

#: faults that show in the output of one call, which is there
IN_OUTPUTS = [fault for fault in FAULTS.values() if fault.kind in (Kind.VALUE, Kind.SIZE, Kind.DTYPE)]
WITH_CONDITION = [fault for fault in IN_OUTPUTS if fault.condition is not None]


@cache
def drawn() -> tuple[Case, ...]:
    """The first cases of a seed."""
    return tuple(islice(stream(SEED), DRAWN))


@cache
def right(case: Case) -> Any:
    """What the sound target answers."""
    return answer(SOUND["correct"], case)


def answer(fault: Fault, case: Case) -> Any:
    """What a planted target makes of a case, None where it declines it."""
    api = fault.api()
    assert case.layer is not None
    return None if api.limit(case) is not None else np.asarray(api.run(*case.arrays(), case.layer))


def is_wrong(fault: Fault, case: Case) -> bool | None:
    """Whether the target deviates from the sound one, None where one of them declines the case."""
    seen, should = answer(fault, case), right(case)
    if seen is None or should is None:
        return None
    return seen.dtype != should.dtype or not np.array_equal(seen, should)


def test_there_are_as_many_faults_as_were_asked_for() -> None:
    """Of every kind of finding that a target without a vocabulary can draw, each with a sentence of its own."""
    assert len(FAULTS) >= 40
    assert {fault.kind for fault in FAULTS.values()} == set(Kind) - {Kind.ACCEPTANCE}
    assert len({fault.text for fault in FAULTS.values()}) == len(FAULTS)


@pytest.mark.parametrize("fault", [*FAULTS.values(), *SOUND.values()], ids=lambda fault: fault.name)
def test_what_is_said_of_a_fault_can_be_held_against_a_finding(fault: Fault) -> None:
    """A cause that the judge has, a condition in its language, one sentence, a number of cases, a class by its name."""
    assert fault.cause is None or fault.cause in FAMILIES or fault.cause in OTHER_CAUSES
    assert fault.condition is None or Condition.parse(fault.condition).names
    assert fault.text.endswith(".")
    assert "\n" not in fault.text
    assert fault.cases in (FEW, MANY)
    module, _, name = fault.location.partition(":")
    assert getattr(sys.modules[module], name) is fault.api
    assert fault.api.name == fault.name


def test_every_cause_of_the_judge_is_planted() -> None:
    """None goes unmeasured."""
    assert {fault.cause for fault in FAULTS.values()} >= set(FAMILIES)


def test_the_sound_target_agrees_with_the_reference() -> None:
    """Element by element on integers."""
    asked = [case for case in drawn() if case.values == "integers" and right(case) is not None]
    assert len(asked) > DRAWN / 2
    for case in asked:
        assert case.layer is not None
        assert np.array_equal(right(case), reference.conv_transpose(*case.arrays(), case.layer))


def test_the_sound_gradients_agree_with_the_reference() -> None:
    """All three of them, where they are exact."""
    api: Any = SOUND["differentiable"].api()
    asked = [case for case in drawn() if api.limit(case) is None and case.layer and case.has_exact_gradients()][:150]
    assert len(asked) > 50
    for case in asked:
        assert case.layer is not None
        arrays, cotangent = case.arrays(), case.cotangent()
        seen = api.vjp(*arrays, case.layer, cotangent)
        should = reference.vjp(*arrays, case.layer, cotangent)
        for one, other in zip(seen, should, strict=True):
            assert (one is None) is (other is None)
            assert one is None or other is None or np.array_equal(one, other)


@pytest.mark.parametrize("fault", WITH_CONDITION, ids=lambda fault: fault.name)
def test_a_fault_shows_under_its_condition_and_nowhere_else(fault: Fault) -> None:
    """It may hide there behind equal numbers, but not often."""
    condition = Condition.parse(fault.condition or "")
    seen = Counter((condition.holds(Facts.of(case, case.layer)), is_wrong(fault, case)) for case in drawn())
    assert seen[False, True] == 0
    assert seen[True, False] <= seen[True, True] / 4 + 2


@pytest.mark.parametrize("fault", [f for f in IN_OUTPUTS if f.condition is None], ids=lambda fault: fault.name)
def test_a_fault_without_a_condition_shows_somewhere(fault: Fault) -> None:
    """That nobody can say where does not make it sound."""
    assert sum(is_wrong(fault, case) is True for case in drawn()) >= 5


def test_a_worker_needs_nothing_but_numpy_and_the_lower_floors() -> None:
    """Importing them loads no judge, no campaign, no strategy and nothing that is installed besides NumPy."""
    source = "import sys, harness.planted; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60)
    loaded = said.stdout.split()
    ours = {name.split(".")[1] for name in loaded if name.startswith("harness.")}
    assert ours <= {
        "errors",
        "layer",
        "layout",
        "sizes",
        "values",
        "reference",
        "records",
        "frameworks",
        "planted",
        "writing",
    }
    assert {name for name in loaded if name.startswith("harness.frameworks.")} == {"harness.frameworks.base"}
    assert {"hypothesis", "click", "rich", "packaging", "strategies", "reports"}.isdisjoint(loaded)


_EATEN = """
import resource
from harness import Case, Layer
from harness.planted import FAULTS

resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
case = Case(Layer(kernel_size=5, ndim=1), input_size=2)
try:
    FAULTS["eats-memory"].api().run(*case.arrays(), case.layer)
except MemoryError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**10)
"""


def test_a_memory_eater_takes_what_it_can_get() -> None:
    """Of two gigabytes more than one, and it writes to it; where nobody limits it, it stops by itself."""
    said = subprocess.run([sys.executable, "-c", _EATEN], capture_output=True, text=True, check=True, timeout=60)
    assert int(said.stdout) > 1024
    assert failures.MOST_BYTES == 16 * 2**30
