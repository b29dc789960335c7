"""Planted faults, found by real workers: within their cases, told right, and nothing made up of a sound target."""

from __future__ import annotations

import pytest

from harness import Case, Layer
from harness.campaign.loop import seat
from harness.campaign.select import select
from harness.planted import FAULTS, SOUND
from harness.records import CaseJudged, Event, Outcome
from harness.sensitivity import Result, choose, measure
from harness.workers.lane import Patience, Request
from harness.workers.pool import Pool

SEED = 1

#: one or two of each kind
FOUND = (
    "too-long", "other-dtype", "not-a-number", "returns-none", "bias-per-group", "stride-above-kernel", "aborts",
    "says-out-of-memory", "buffer-not-cleared", "near-crop-off-by-one", "bias-gradient-missing",
    "inference-ignores-output-padding",
)  # fmt: skip


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    """What campaigns made of them."""
    return {one.fault.name: one for one in measure([FAULTS[name] for name in FOUND], seed=SEED)}


@pytest.mark.parametrize("name", FOUND)
def test_a_planted_fault_is_found_and_told_right(name: str, results: dict[str, Result]) -> None:
    """Within its cases, by its kind and cause, with a case that is no larger than the first one."""
    one = results[name]
    assert one.passed
    assert one.cases <= one.fault.cases
    assert (one.kind_right, one.cause_right) == (True, True)
    assert one.finding is not None
    assert one.finding.minimal is not None
    minimal, first = Case.from_json(one.finding.minimal), Case.from_json(one.finding.case)
    assert minimal.ndim <= first.ndim


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_found_of_a_sound_target(name: str) -> None:
    """However much it prints, and in all its modes."""
    seen: list[Event] = []
    (one,) = measure([SOUND[name]], seed=SEED, cases=60, watch=lambda _, event: seen.append(event))
    assert (one.passed, one.finding, one.cases) == (True, None, 60)
    modes = {o.target.partition("+")[2] for event in seen if isinstance(event, CaseJudged) for o in event.observations}
    assert modes == ({"default", "abstract", "gradient"} if name == "differentiable" else {"default"})


def test_what_is_rare_is_not_found_in_a_few_cases() -> None:
    """The number of cases that are asked is the number that was allowed."""
    (one,) = measure(choose(["wide-input"]), seed=SEED, cases=3)
    assert (one.passed, one.finding, one.cases) == (False, None, 3)


@pytest.mark.parametrize(
    ("name", "layer"), [("sleeps", Layer(2, 2, groups=2, ndim=1)), ("spins", Layer(stride=4, ndim=1))]
)
def test_what_stalls_is_observed_to_stall(name: str, layer: Layer) -> None:
    """In its corner alone. A campaign would wait for its whole patience, so the worker is asked by itself."""
    chosen = select([FAULTS[name].location + "+default"]).popitem()[1]
    with Pool([seat(one) for one in chosen], patience=Patience(first=2.0, again=3.0)) as pool:
        request = [Request(chosen[0].target.name)]
        outcomes = [
            pool.observe(Case(one, input_size=2), request)[chosen[0].target.name].outcome
            for one in (Layer(ndim=1), layer)
        ]
    assert outcomes == [Outcome.OK, Outcome.TIMED_OUT]
