"""The shipped baseline knows everything that these versions do: what is fixed cases show, and what a run finds."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from harness.campaign.draw import stream
from harness.campaign.loop import Budget, Campaign
from harness.campaign.run import new_run
from harness.campaign.select import select
from harness.frameworks import registry
from harness.judge.baseline import Baseline
from harness.layer import Case
from harness.records import Finding, FindingChanged, TargetsGreeted
from harness.testing import Options

CASES = json.loads((Path(__file__).parent / "known_cases.json").read_text(encoding="utf-8"))

#: whose versions the shipped baseline knows
FRAMEWORKS = (*registry.DEFAULT, "flax")

#: cases of the stream that are asked behind the fixed ones
DRAWN = {"default": 100, "ci": 150, "nightly": 3000}


@pytest.fixture(scope="module")
def findings() -> tuple[Finding, ...]:
    """What the fixed cases show in every mode, and a part of the stream in the usual share of the slow ones."""
    options = Options.current()
    baseline = Baseline.shipped() if options.baseline is None else Baseline.read(options.baseline)
    chosen = [one for many in select(FRAMEWORKS).values() for one in many]
    if missing := [one.missing for one in chosen if one.missing is not None]:
        pytest.skip(missing[0])
    apis = list(dict.fromkeys(one.api for one in chosen if one.api is not None))
    seed = options.seed or 0
    fixed = [Case.from_json(case) for case in CASES]
    drawn = islice(stream(seed, apis), DRAWN[options.profile_name])
    found: dict[str, Finding] = {}
    for cases, share in ((fixed, 1.0), (drawn, 0.1)):
        run = new_run(seed=seed, profile=options.profile_name, command=["pytest"])
        for event in Campaign(run, chosen, cases, Budget(extra_share=share), baseline=baseline).events():
            if isinstance(event, TargetsGreeted):
                assert all(info.available for info in event.targets), event.targets
            if isinstance(event, FindingChanged):
                found[event.finding.id] = event.finding
    return tuple(found.values())


@pytest.mark.differential
def test_nothing_is_found_that_the_baseline_does_not_know(findings: tuple[Finding, ...]) -> None:
    """Every finding of the run is known; an entry that is taken out of the baseline shows here."""
    unknown = [
        f"{finding.id}: {finding.sentence}\n  {finding.reproduce}" for finding in findings if not _known(finding)
    ]
    assert not unknown, "\n".join(["not in the baseline:", *unknown])


@pytest.mark.differential
def test_every_entry_of_the_baseline_is_shown_by_a_fixed_case(findings: tuple[Finding, ...]) -> None:
    """No entry stands in the shipped file that nothing shows.

    But those of what a kernel finds in memory that is not its own, which no case shows for sure: they bear a label. And
    those of some processors, whose reason says so.
    """
    seen = {finding.baseline_id for finding in findings}
    everywhere = [entry for entry in Baseline.shipped().entries if "only on processors" not in entry.reason]
    assert {entry.id for entry in everywhere if entry.signature is not None} <= seen


def _known(finding: Finding) -> bool:
    return finding.status == "known"
