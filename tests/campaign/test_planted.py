"""Targets with one planted fault each, fuzzed by real workers: one finding, its right cause, a 1-minimal case."""

from __future__ import annotations

from itertools import islice

import pytest
from elementary import CAUSES, PLANTED

from harness import Case
from harness.campaign.draw import stream
from harness.campaign.investigate import Investigation
from harness.campaign.lattice import reductions
from harness.campaign.loop import Budget, Campaign, seat
from harness.campaign.run import new_run
from harness.campaign.select import select
from harness.judge.baseline import Baseline
from harness.records import Finding, FindingChanged
from harness.workers.pool import Pool

CASES, SEED = 100, 1
PUZZLING = "Puzzling"
NAMES = (*CAUSES, PUZZLING)


@pytest.fixture(scope="module")
def findings() -> dict[str, list[Finding]]:
    """The findings of one run over all of them, by the class that deviates."""
    chosen = [one for many in select([PLANTED[name].location for name in NAMES]).values() for one in many]
    run = new_run(seed=SEED, profile="ci", command=["pytest"])
    cases = islice(stream(SEED), CASES)
    last: dict[str, Finding] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Investigation, "explain", lambda *_: None)  # conditions take their time, and are tested elsewhere
        for event in Campaign(run, chosen, cases, Budget(), baseline=Baseline.empty()).events():
            if isinstance(event, FindingChanged):
                last[event.finding.id] = event.finding
    by_class: dict[str, list[Finding]] = {name: [] for name in NAMES}
    for finding in last.values():
        by_class[finding.suspect.partition(":")[2].removesuffix("+default")].append(finding)
    return by_class


@pytest.mark.parametrize("fault", CAUSES)
def test_a_planted_fault_is_one_finding_with_its_cause(fault: str, findings: dict[str, list[Finding]]) -> None:
    """Every disagreement of the target is explained by what was planted, and by nothing else."""
    (finding,) = findings[fault]
    assert finding.kind in ("value", "size")
    assert (finding.cause or "").startswith(CAUSES[fault])
    assert f"every element is explained by: {CAUSES[fault]}" in finding.sentence


def test_what_no_cause_explains_is_said_to_be_unexplained(findings: dict[str, list[Finding]]) -> None:
    """No name is given to what has none."""
    (finding,) = findings[PUZZLING]
    assert finding.cause is None
    assert "no cause that we know explains it" in finding.sentence


@pytest.mark.parametrize("fault", NAMES)
def test_its_case_is_1_minimal(fault: str, findings: dict[str, list[Finding]]) -> None:
    """The minimal case shows the finding, and no single step below it does."""
    (finding,) = findings[fault]
    assert finding.minimal is not None
    minimal = Case.from_json(finding.minimal)
    chosen = select([PLANTED[fault].location + "+default"]).popitem()[1]
    with Pool([seat(one) for one in chosen]) as pool:
        investigation = Investigation(pool, Baseline.empty(), {})

        def shows(case: Case) -> bool:
            found = investigation.ask(case, chosen).verdict.disagreements
            return finding.id in {each.signature for one in found for each in one.attributed()}

        assert shows(minimal)
        assert not [smaller for smaller in reductions(minimal) if shows(smaller)]
