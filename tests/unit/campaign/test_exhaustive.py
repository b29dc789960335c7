"""The run over a box, with made-up workers: who is asked what, what is judged, and that a run goes on where it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from test_loop import RUN, FakePool, as_it_is, failing, findings, made_up, of, right

from harness import Case
from harness.campaign import exhaustive, loop
from harness.campaign.ask import Chosen
from harness.campaign.exhaustive import Earlier, Exhaustive, plan
from harness.campaign.investigate import Investigation
from harness.campaign.loop import Budget
from harness.frameworks.base import Mode
from harness.judge.baseline import Baseline
from harness.judge.condition import Condition
from harness.layer import Layer
from harness.records import CaseJudged, Coverage, Covered, Event, Observation, Outcome, Target, TargetLost
from harness.store import Store
from harness.workers.lane import Request
from harness.workers.pool import Put, Ticket
from strategies.box import Box

BOX = Box.parse("n<=3,k<=3,s<=2,p<=1,d<=2,g==1,c==1,bias==0,cross<=2")
VALUES = made_up("one")
SIZES = Chosen(Target("one", "abstract"), Mode("abstract", abstract=True), "one:Class", "one")
SAMPLED = [BOX.case(ordinal).content_hash for ordinal, chosen in enumerate(BOX.sample(exhaustive.VALUES)) if chosen]


class Workers(FakePool):
    """Workers that can be given something first."""

    def submit(self, put: Sequence[Put], *, first: bool = False) -> Ticket:
        """Everybody answers at once, so that nothing is before anything."""
        return super().submit(put)


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    """The campaign's pool; blocks are small."""
    pool = Workers({})
    monkeypatch.setattr(loop, "Pool", pool)
    monkeypatch.setattr(exhaustive, "_BLOCK", 32)
    monkeypatch.setattr(Investigation, "reduce", as_it_is)
    monkeypatch.setattr(Investigation, "explain", lambda *_: None)
    return pool


def over(
    budget: Budget | None = None,
    targets: Sequence[Chosen] = (VALUES, SIZES),
    where: str | None = None,
    done: int = 0,
    earlier: Earlier | None = None,
) -> Iterable[Event]:
    """The events of a run over ``BOX``, from so many tuples on."""
    run = replace(RUN, coverage=Coverage(plan(BOX, targets), done, len(BOX)))
    condition = None if where is None else Condition.parse(where)
    return Exhaustive(
        run, targets, BOX, budget or Budget(), baseline=Baseline.empty(), where=condition, earlier=earlier
    ).events()


def judged(events: Iterable[Event]) -> list[CaseJudged]:
    """Every case, judged by itself or settled with its block."""
    found: list[CaseJudged] = []
    for event in events:
        found += event.cases if isinstance(event, Covered) else [event] if isinstance(event, CaseJudged) else []
    return found


def with_values(cases: Iterable[CaseJudged]) -> set[str]:
    """Hashes of the cases of which the concrete mode was asked."""
    return {one.case.content_hash for one in cases if VALUES.target.name in {seen.target for seen in one.observations}}


def layer_of(case: Case) -> Layer:
    """The layer that a case asks."""
    assert case.layer is not None
    return case.layer


@pytest.mark.usefixtures("workers")
def test_every_tuple_is_asked_its_size_and_the_sample_its_values() -> None:
    """Each once, with an ordinal of its own; at the end all of the box is covered."""
    events = list(over())
    cases = judged(events)
    assert {one.case.content_hash for one in cases} == {case.content_hash for case in map(BOX.case, range(len(BOX)))}
    assert len(cases) == len({one.ordinal for one in cases}) == len(BOX)
    assert with_values(cases) == set(SAMPLED)
    assert all(SIZES.target.name in one.agrees for one in cases)
    assert [event.run.coverage.done for event in of(Covered, events) if event.run.coverage][-1] == len(BOX)


@pytest.mark.usefixtures("workers")
def test_a_right_target_draws_no_finding() -> None:
    """A made-up target has no forward rule that a size could be outside of."""
    assert not findings(over())


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.REJECTED])
def test_what_is_inferred_otherwise_than_predicted_is_put_to_every_mode(workers: Workers, outcome: Outcome) -> None:
    """A wrong size, or a rejection, of kernels of 3 with a stride: wrong shape inference, in all those cases."""

    def is_wrong(case: Case) -> bool:
        return max(layer_of(case).kernel_size) == 3 and max(layer_of(case).stride) > 1

    def infer(case: Case, request: Request) -> Observation:
        seen = right(request.target, case)
        wrong = (*(seen.shape or ())[:-1], 99) if outcome is Outcome.OK else None
        error = None if wrong else "ValueError: no"
        return replace(seen, outcome=outcome, shape=wrong, error=error) if is_wrong(case) else seen

    workers.behaviour = {SIZES.target.name: infer}
    events = list(over())
    (finding,) = findings(events).values()
    wrong = {case.content_hash for case in map(BOX.case, range(len(BOX))) if is_wrong(case)}
    assert (finding.kind, finding.count) == ("shape-inference", len(wrong))
    assert with_values(judged(events)) == wrong | set(SAMPLED)


@pytest.mark.usefixtures("workers")
def test_where_nobody_infers_sizes_every_tuple_is_asked_its_values() -> None:
    """A target that can only be run would otherwise be asked next to nothing."""
    assert len(with_values(judged(over(targets=(VALUES,))))) == len(BOX)


@pytest.mark.usefixtures("workers")
def test_a_condition_and_a_budget_hold_here_too() -> None:
    """Only cases for which it holds, and so many tuples."""
    cases = judged(over(where="max(k) == 2"))
    hashes = [case.content_hash for case in map(BOX.case, range(len(BOX))) if max(layer_of(case).kernel_size) == 2]
    assert {one.case.content_hash for one in cases} == set(hashes)
    assert len(judged(over(Budget(cases=50)))) == 50
    assert not judged(over(Budget(seconds=0.0)))


def test_a_target_that_always_fails_is_not_asked_any_more(workers: Workers) -> None:
    """The others are asked to the end."""
    workers.behaviour = {SIZES.target.name: failing()}
    events = list(over())
    assert [lost.target for lost in of(TargetLost, events)] == [SIZES.target.name]
    assert {one.case.content_hash for one in judged(events)} == {BOX.case(at).content_hash for at in range(len(BOX))}


@pytest.mark.parametrize("kept", [12, 57, 150])
def test_a_run_that_was_killed_goes_on_with_exactly_the_rest(workers: Workers, tmp_path: Path, kept: int) -> None:
    """Killed after any event: the second part asks what the first had not judged, and the findings count both."""

    def wrong_value(case: Case, request: Request) -> Observation:
        seen = right(request.target, case, values=request.values)
        return replace(seen, dtype="float16") if layer_of(case).dilation[0] == 2 else seen

    workers.behaviour = {VALUES.target.name: wrong_value}
    whole = findings(over())
    store = Store(tmp_path / "results.sqlite")
    for number, event in enumerate(over()):
        if number == kept:
            break
        store.keep(event)
    run = store.unfinished(plan(BOX, (VALUES, SIZES)))
    assert run is not None
    assert run.coverage is not None
    before = {case.content_hash for case in store.cases(run.id)}
    ordinal, hashes = store.judged(run.id)
    second = list(over(done=run.coverage.done, earlier=Earlier(ordinal, hashes)))
    for event in second:
        store.keep(event)
    after = {one.case.content_hash for one in judged(second)}
    assert not after & before
    assert after | before == {BOX.case(at).content_hash for at in range(len(BOX))}
    report = store.report(run.id)
    assert (report.cases, report.run.in_flight) == (len(BOX), 0)
    # What was killed between a case and its finding is missing from the count, at most one case.
    assert [one.id for one in report.findings] == list(whole)
    assert report.findings[0].count >= whole[report.findings[0].id].count - 1
    assert store.unfinished(plan(BOX, (VALUES, SIZES))) is None
    store.close()


def test_a_run_over_another_box_or_of_others_is_not_gone_on_with(tmp_path: Path, workers: Workers) -> None:
    """The plan names the box, the targets and the condition."""
    assert workers.benched == {}
    store = Store(tmp_path / "results.sqlite")
    for event in over(Budget(cases=40)):
        store.keep(event)
    assert store.unfinished(plan(BOX, (VALUES, SIZES))) is not None
    assert store.unfinished(plan(Box.parse("n<=2"), (VALUES, SIZES))) is None
    assert store.unfinished(plan(BOX, (VALUES,))) is None
    assert store.unfinished(plan(BOX, (VALUES, SIZES), Condition.parse("ndim == 1"))) is None
    store.close()
