"""The loop: what is asked of whom, what is said of it and when it ends, with real workers and with made-up ones."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, cycle, islice
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import pytest

from harness import Case, Layer
from harness.campaign import draw, loop
from harness.campaign.ask import Chosen, question_for
from harness.campaign.investigate import Investigation, Judged, Known
from harness.campaign.loop import PATIENCE_WITH_FAILURES, Budget, Campaign, seat
from harness.campaign.select import select
from harness.frameworks.base import Mode
from harness.frameworks.torch import ConvTranspose
from harness.judge.baseline import Baseline, Entry
from harness.judge.condition import Condition
from harness.judge.oracles import Verdict
from harness.judge.tolerance import Expected
from harness.layer import Spelling
from harness.records import (
    CaseJudged,
    CasesPut,
    Disagreement,
    Event,
    Finding,
    FindingChanged,
    Kind,
    Observation,
    Oracle,
    Outcome,
    Run,
    RunFinished,
    RunStarted,
    Target,
    TargetLost,
    TargetsGreeted,
    WorkerUse,
)
from harness.workers.lane import Request
from harness.workers.pool import Put, Seat, Ticket
from harness.workers.protocol import Hello, WorkerFault

E = TypeVar("E")

RUN = Run("r1", "2026-01-04T03:15:02+00:00", 5, "default", "here", "0.1.0", "deconvdiff fuzz")
LAYER = Layer(2, 3, 3, 2, 1, 1, ndim=1)
CASES = [Case(LAYER, batch=2, input_size=(4,), seed=seed) for seed in range(40)]


def classes(*names: str) -> tuple[Chosen, ...]:
    """Targets that are classes of ``tests/faults/targets.py``."""
    return tuple(chosen for many in select([f"targets:{name}" for name in names]).values() for chosen in many)


def events_of(
    chosen: Sequence[Chosen], cases: Iterable[Case] = CASES, budget: Budget | None = None
) -> Generator[Event, None, None]:
    """The events of a campaign on these cases; without a budget, on all of them."""
    events = Campaign(RUN, chosen, cases, budget or Budget(), baseline=Baseline.empty()).events()
    assert isinstance(events, Generator)
    return events


def of(kind: type[E], events: Iterable[Event]) -> list[E]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def findings(events: Iterable[Event]) -> dict[str, Finding]:
    """The last form of every finding."""
    return {event.finding.id: event.finding for event in of(FindingChanged, events)}


def asked(events: Iterable[Event]) -> list[set[str]]:
    """Of which targets there is an observation, case by case."""
    return [{seen.target for seen in event.observations} for event in of(CaseJudged, events)]


# With real workers -------------------------------------------------------------------------------------------------

CHECKED, WITHIN = 90, 60
FAULTS = {
    "WrongStrideAxis": {"value"},
    "FlippedKernel": {"value"},
    "ShiftedCrop": {"value"},
    "TooLong": {"size"},
    "OtherDtype": {"dtype"},
    "Unstable": {"value", "nondeterminism"},
}


@pytest.fixture(scope="module")
def worker_path() -> Iterator[None]:
    """Workers find the faulty targets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "faults"))
        yield


@pytest.fixture(scope="module")
def drawn() -> list[Case]:
    """The beginning of a stream."""
    return list(islice(draw.stream(RUN.seed), CHECKED))


@pytest.fixture(scope="module")
def observed(worker_path: None, drawn: list[Case]) -> list[Event]:  # noqa: ARG001 # wanted for what it sets
    """A run over a target that is right and over those whose answers are wrong."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Investigation, "explain", lambda *_: None)  # conditions take their time, and are tested elsewhere
        return list(events_of(classes("Correct", *FAULTS), drawn[:WITHIN]))


@pytest.mark.usefixtures("worker_path")
def test_a_right_target_draws_no_finding(observed: list[Event], drawn: list[Case]) -> None:
    """90 cases, most of them answered, and not one objection: no false alarm. The last of them it is asked alone."""
    name = "targets:Correct+default"
    events = [*observed, *events_of(classes("Correct"), drawn[WITHIN:])]
    seen = [one for event in of(CaseJudged, events) for one in event.observations if one.target == name]
    assert len(seen) == CHECKED
    assert {one.outcome for one in seen} <= {Outcome.OK, Outcome.SKIPPED}
    assert sum(one.outcome is Outcome.OK for one in seen) > CHECKED / 2
    assert not [finding for finding in findings(events).values() if name in finding.targets]
    assert all(event.agrees.get(name, True) for event in of(CaseJudged, events))


@pytest.mark.parametrize("fault", FAULTS)
def test_every_wrong_answer_is_found_soon(fault: str, observed: list[Event]) -> None:
    """Within the run's 60 cases, as what it is and as nothing else, and blamed on nobody else."""
    name = f"targets:{fault}+default"
    mine = [finding for finding in findings(observed).values() if name in finding.targets]
    assert {finding.kind for finding in mine} <= FAULTS[fault]
    assert mine
    assert all(finding.targets == (name,) == (finding.suspect,) for finding in mine)
    assert all(Case.from_json(finding.case).layer is not None for finding in mine)


def test_instability_is_told_from_a_wrong_value(observed: list[Event]) -> None:
    """Other numbers a second time are a finding of their own."""
    name = "targets:Unstable+default"
    assert "nondeterminism" in {one.kind for one in findings(observed).values() if one.suspect == name}


def test_those_who_agree_are_named(observed: list[Event]) -> None:
    """The target that is right stands beside every wrong value."""
    wrong = [finding for finding in findings(observed).values() if finding.kind in ("value", "size")]
    assert wrong
    assert all("targets:Correct+default" in finding.agreeing for finding in wrong)


@pytest.mark.usefixtures("worker_path")
def test_a_crash_is_found_soon_and_the_neighbour_goes_on(drawn: list[Case]) -> None:
    """SIGABRT within 60 cases: a finding with the last words; the right target answers the same case."""
    events = events_of(classes("Aborts", "Correct"), drawn, Budget(cases=WITHIN))
    seen: list[Event] = []
    for event in events:
        seen.append(event)
        if isinstance(event, FindingChanged):
            break
    events.close()
    (finding,) = findings(seen).values()
    assert (finding.kind, finding.verdict, finding.suspect) == ("crash", "crash", "targets:Aborts+default")
    assert "SIGABRT" in finding.sentence
    assert "Check failed: ndim != 2" in (finding.log_tail or "")
    assert finding.agreeing == ("targets:Correct+default",)


@pytest.mark.usefixtures("worker_path")
def test_a_target_that_always_fails_is_benched_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real processes die, a few times in a row (ten are tested below): then it is not asked any more."""
    monkeypatch.setattr(loop, "PATIENCE_WITH_FAILURES", 4)
    events = list(events_of(classes("Exits", "Correct"), cycle(CASES), Budget(cases=60)))
    (lost,) = of(TargetLost, events)
    assert lost.target == "targets:Exits+default"
    names = asked(events)
    assert names[0] == {"targets:Exits+default", "targets:Correct+default"}
    assert names[-1] == {"targets:Correct+default"}
    (finding,) = findings(events).values()
    assert (finding.kind, finding.count >= 4) == ("crash", True)
    assert "exit status 7" in finding.sentence


@pytest.mark.usefixtures("worker_path")
def test_targets_that_cannot_be_loaded_are_reported_and_the_others_go_on() -> None:
    """A missing library, something that is no API, a name that is not there, a package that is not installed."""
    chosen = (
        *classes("BreaksOnLoad", "Correct", "NOT_AN_API", "Nowhere"),
        *select(["no_such_package:Thing"]).popitem()[1],
    )
    events = list(events_of(chosen, CASES[:2]))
    (greeted,) = of(TargetsGreeted, events)
    reasons = {info.target.name: (info.available, info.reason or "") for info in greeted.targets}
    for name, reason in (
        ("targets:BreaksOnLoad+default", "libmine.so.3"),
        ("targets:NOT_AN_API+default", "harness.frameworks.Api"),
        ("targets:Nowhere+default", "Nowhere"),
        ("no_such_package:Thing+default", "no_such_package"),
    ):
        assert not reasons[name][0]
        assert reason in reasons[name][1]
    assert reasons["targets:Correct+default"] == (True, "")
    assert asked(events) == [{"targets:Correct+default"}] * 2


# With made-up ones -------------------------------------------------------------------------------------------------


def right(name: str, case: Case, *, values: bool = False) -> Observation:
    """What a target that is right does with a case that asks a layer."""
    assert case.layer is not None
    expected = Expected(case, case.layer)
    numbers = expected.values if values else None
    return Observation(name, Outcome.OK, shape=expected.shape, dtype=case.dtype, digest=expected.digest, values=numbers)


Behaviour = Callable[[Case, Request], Observation]


@dataclass
class FakePool:
    """Stands in for the workers: a behaviour for each target, or else the right answer."""

    behaviour: Mapping[str, Behaviour]
    hellos: Mapping[str, Hello] = field(default_factory=dict)
    seats: Sequence[Seat] = ()
    asked: list[Request] = field(default_factory=list)
    closed: bool = False

    def __call__(self, seats: Sequence[Seat], *, memory_limit: int) -> FakePool:
        """The loop makes its pool of the seats."""
        self.seats = seats
        return self

    def __enter__(self) -> FakePool:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    benched: dict[str, str] = field(default_factory=dict)

    def hello(self) -> dict[str, Hello]:
        """Every target is there in version 1.0."""
        names = [one.address.target for one in self.seats]
        return {name: self.hellos.get(name, Hello("made up", "1.0", None)) for name in names}

    def observe(self, case: Case, requests: Sequence[Request]) -> dict[str, Observation]:
        """What each does."""
        return self.observe_all([(case, requests)])[0]

    def observe_all(self, put: Sequence[Put]) -> list[dict[str, Observation]]:
        """The same of many."""
        return self.collect(self.submit(put))

    def submit(self, put: Sequence[Put]) -> Ticket:
        """Everybody answers at once."""
        ticket = Ticket(put)
        for place, (case, requests) in enumerate(put):
            self.asked += requests
            for request in requests:
                ticket.answer(place, self._one(case, request))
        return ticket

    def collect(self, ticket: Ticket) -> list[dict[str, Observation]]:
        """Nothing is to be waited for."""
        return ticket.observations

    def bench(self, target: str, reason: str) -> None:
        """It is not asked any more."""
        self.benched.setdefault(target, reason)

    def go_on(self) -> None:
        """Nobody is at work."""

    def use(self) -> tuple[WorkerUse, ...]:
        """Nothing was used."""
        return ()

    def _one(self, case: Case, request: Request) -> Observation:
        """As a worker: what is not expected is asked a second time."""
        behaviour = self.behaviour.get(request.target)
        if behaviour is None:
            return right(request.target, case, values=request.values)
        first = behaviour(case, request)
        if request.expects is None or first.digest in (None, request.expects):
            return first
        second = behaviour(case, replace(request, values=True))
        return replace(second, unstable=second.digest not in (None, first.digest))


def made_up(name: str, *, share: bool = False) -> Chosen:
    """A third party's target that no worker will load."""
    return Chosen(Target(name, "default"), Mode("default", share=share), f"{name}:Class", name)


ONE, TWO = made_up("one"), made_up("two")
FIRST, SECOND = ONE.target.name, TWO.target.name


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakePool:
    """The loop's pool, for a test to give behaviours to. No finding is reduced: what is asked is the stream alone."""
    pool = FakePool({})
    monkeypatch.setattr(loop, "Pool", pool)
    monkeypatch.setattr(Investigation, "reduce", as_it_is)
    monkeypatch.setattr(Investigation, "explain", lambda *_: None)
    return pool


def as_it_is(
    _: Investigation, case: Case, disagreement: Disagreement, __: Known, targets: Sequence[Chosen], *___: object
) -> tuple[Judged, Disagreement]:
    """A case that is minimal already, on which nobody else is asked."""
    question = question_for(case, targets)[0]
    agrees = {name: name != disagreement.asked.target.name for name in question.asked}
    return Judged(case, question, Verdict(agrees, (disagreement,)), {}), disagreement


def failing(outcome: Outcome = Outcome.CRASHED) -> Behaviour:
    """A target that ends its process."""
    return lambda _, request: Observation(request.target, outcome, exit="SIGSEGV")


def in_turns(*behaviours: Behaviour | None) -> Behaviour:
    """Another behaviour with each request, the same again where one is made sure of; None is right."""
    turns, last = iter(behaviours), None

    def behave(case: Case, request: Request) -> Observation:
        nonlocal last
        behaviour = last = last if request.fresh else next(turns)
        return right(request.target, case, values=request.values) if behaviour is None else behaviour(case, request)

    return behave


def off_by(amount: float) -> Behaviour:
    """Right but for one number."""

    def behave(case: Case, request: Request) -> Observation:
        assert case.layer is not None
        values = Expected(case, case.layer).values + amount
        seen = right(request.target, case)
        return replace(seen, digest=f"{amount:016}", values=values if request.values else None)

    return behave


def test_events_come_in_order(fake: FakePool) -> None:
    """Started, greeted, then each case before the findings that it changed, finished at the end."""
    fake.behaviour = {FIRST: lambda case, request: replace(right(request.target, case), dtype="float64")}
    events = list(events_of([ONE, TWO], CASES[:2]))
    kinds = [type(event) for event in events]
    found = [FindingChanged, FindingChanged]  # opened, and told by its minimal case
    again = [CaseJudged, FindingChanged]
    assert kinds == [RunStarted, TargetsGreeted, CasesPut, CaseJudged, *found, *again, RunFinished]
    assert of(CasesPut, events) == [CasesPut({1: CASES[0], 2: CASES[1]})]
    assert [event.ordinal for event in of(CaseJudged, events)] == [1, 2]
    assert [event.finding.count for event in of(FindingChanged, events)] == [1, 1, 2]
    assert [event.finding.minimal for event in of(FindingChanged, events)] == [None, *[CASES[0].to_json()] * 2]
    assert of(RunStarted, events) == [RunStarted(RUN)]
    (finished,) = of(RunFinished, events)
    assert finished.run.finished is not None
    assert replace(finished.run, finished=None) == RUN
    assert fake.closed


@pytest.mark.parametrize(("afresh", "kind"), [(True, "value"), (False, "nondeterminism")])
def test_wrong_numbers_are_asked_of_a_fresh_interpreter_before_they_count(
    fake: FakePool, afresh: bool, kind: str
) -> None:
    """What a fresh one does not show depends on what ran before, and is said to."""
    wrong = off_by(1.0)

    def behave(case: Case, request: Request) -> Observation:
        right_there = request.fresh and not afresh
        return right(request.target, case, values=True) if right_there else wrong(case, request)

    fake.behaviour = {FIRST: behave}
    (found,) = findings(events_of([ONE, TWO], CASES[:3])).values()
    assert (found.kind, found.count) == (kind, 3)
    assert [request.fresh for request in fake.asked].count(True) == (1 if afresh else 3)


def rejecting(_: Case, request: Request) -> Observation:
    """A target that raises."""
    return Observation(request.target, Outcome.REJECTED, error="ValueError: no")


@pytest.mark.parametrize("behaviour", [failing(), rejecting], ids=["death", "rejection"])
def test_a_failure_that_a_fresh_interpreter_does_not_show_depends_on_what_ran_before(
    fake: FakePool, behaviour: Behaviour
) -> None:
    """It is no crash and no rejection of the case that was asked when it came."""

    def behave(case: Case, request: Request) -> Observation:
        return right(request.target, case, values=True) if request.fresh else behaviour(case, request)

    fake.behaviour = {FIRST: behave}
    (found,) = findings(events_of([ONE, TWO], CASES[:2])).values()
    assert (found.kind, found.count) == ("nondeterminism", 2)


@pytest.mark.parametrize("afresh", [True, False])
def test_a_minimal_case_is_one_that_a_fresh_interpreter_shows(monkeypatch: pytest.MonkeyPatch, afresh: bool) -> None:
    """What became small by what ran before shows nobody anything: the case that was made sure of stays."""
    small = CASES[0].replace(input_size=(1,))

    def behave(case: Case, request: Request) -> Observation:
        right_there = request.fresh and case == small and not afresh
        return right(request.target, case, values=True) if right_there else off_by(1.0)(case, request)

    monkeypatch.setattr(loop, "Pool", FakePool({FIRST: behave}))
    monkeypatch.setattr(Investigation, "_shrunk", lambda *_: small)
    monkeypatch.setattr(Investigation, "explain", lambda *_: None)
    (found,) = findings(events_of([ONE, TWO], CASES[:1])).values()
    assert found.kind == "value"
    assert found.minimal == (small if afresh else CASES[0]).to_json()


def test_what_the_baseline_has_recorded_is_asked_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the stream, and of no slow mode: nothing waits for what is known already."""
    slow = made_up("slow", share=True)
    wrong = {FIRST: lambda case, request: replace(right(request.target, case), dtype="float64")}
    pool = FakePool(wrong)
    monkeypatch.setattr(loop, "Pool", pool)
    recorded = CASES[7]
    entry = Entry("odd dtypes", Oracle.AGREEMENT, "one", Kind.DTYPE, "it is so", case=recorded.to_json())
    campaign = Campaign(RUN, [ONE, TWO, slow], CASES[:3], Budget(extra_share=0.0), baseline=Baseline("", (entry,)))
    events = list(campaign.events())
    changed = of(FindingChanged, events)
    assert [event.finding.minimal for event in changed] == [None] * 3 + [recorded.to_json()]
    assert changed[-1].finding.status == "known"
    assert changed[-1].finding.count == 3
    assert [request.target for request in pool.asked] == [FIRST, SECOND] * 4


def test_nothing_is_asked_before_it_is_wanted(fake: FakePool) -> None:
    """The first case is drawn after the greeting was consumed: a consumer keeps one event before the next is made."""
    drawn: list[int] = []

    def cases() -> Iterator[Case]:
        for i, case in enumerate(CASES):
            drawn.append(i)
            yield case

    events = events_of([ONE], cases())
    assert [type(event) for event in islice(events, 2)] == [RunStarted, TargetsGreeted]
    assert not drawn
    assert not fake.asked
    put = next(events)
    assert isinstance(put, CasesPut)
    assert drawn == list(range(len(put.cases)))
    assert not fake.asked, "what is in flight is written down before it is sent"
    assert isinstance(next(events), CasesPut)
    assert len(fake.asked) == len(put.cases)


def test_the_workers_are_ended_when_nobody_wants_more(fake: FakePool) -> None:
    """A consumer that fails leaves no process behind."""
    events = events_of([ONE])
    assert len(list(islice(events, 4))) == 4
    assert not fake.closed
    events.close()
    assert fake.closed


def test_a_budget_of_cases_is_kept(fake: FakePool) -> None:
    """So many and not one more, of a stream without end."""
    events = list(events_of([ONE], CASES, Budget(cases=7)))
    assert [event.case for event in of(CaseJudged, events)] == CASES[:7]
    assert len(fake.asked) == 7


@pytest.mark.parametrize(
    ("budget", "least", "most"),
    [(Budget(seconds=4.5), 5, 12), (Budget(cases=3, seconds=4.5), 3, 3), (Budget(cases=90, seconds=4.5), 5, 12)],
)
def test_a_budget_of_seconds_is_kept(
    budget: Budget, least: int, most: int, fake: FakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a clock that goes on by one second with each case; whichever budget ends first ends the run.

    What has been put by then is still waited for.
    """
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: float(len(fake.asked))))
    events = list(events_of([ONE], CASES, budget))
    assert least <= len(of(CaseJudged, events)) <= most
    assert isinstance(events[-1], RunFinished)
    assert not events[-1].run.interrupted


@pytest.mark.usefixtures("fake")
def test_the_time_ends_a_run_whose_condition_lets_nothing_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that goes on by one second with each look: drawing in vain takes time, too."""
    ticks, drawn = count(), count()
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    cases = (case for case in cycle(CASES) if next(drawn) >= 0)
    where = Condition.parse("ndim > 3")
    events = Campaign(RUN, [ONE], cases, Budget(seconds=9.5), baseline=Baseline.empty(), where=where).events()
    assert not of(CaseJudged, events)
    assert next(drawn) == 10


def test_loading_does_not_count_against_the_seconds(fake: FakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock starts with the first case: a slow import must not eat the whole budget."""
    clock = [0.0]
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    hello = fake.hello

    def slowly() -> dict[str, Hello]:
        clock[0] += 1000
        return hello()

    monkeypatch.setattr(fake, "hello", slowly)
    assert len(of(CaseJudged, events_of([ONE], CASES[:3], Budget(seconds=1)))) == 3


def test_a_run_ends_with_its_stream(fake: FakePool) -> None:
    """A replay has one case and no budget."""
    assert len(of(CaseJudged, events_of([ONE], CASES[:1]))) == 1
    assert fake.closed


def test_without_a_target_that_answers_nothing_is_drawn(fake: FakePool) -> None:
    """The run ends in order and says why each is missing."""
    fake.hellos = {FIRST: Hello(None, None, "no such library")}
    absent = replace(TWO, missing="not installed")
    events = list(events_of([ONE, absent]))
    assert [type(event) for event in events] == [RunStarted, TargetsGreeted, RunFinished]
    (greeted,) = of(TargetsGreeted, events)
    assert {info.target.name: (info.available, info.reason) for info in greeted.targets} == {
        FIRST: (False, "no such library"),
        SECOND: (False, "not installed"),
    }
    assert [one.address.target for one in fake.seats] == [FIRST]
    assert fake.asked == []


def test_a_target_says_what_it_is(fake: FakePool) -> None:
    """Framework and version of the greeting go into the record, the version into the facets."""
    fake.hellos = {FIRST: Hello("mine", "7.1", None)}
    fake.behaviour = {FIRST: failing()}
    events = list(events_of([ONE], CASES[:1]))
    (info,) = of(TargetsGreeted, events)[0].targets
    assert (info.framework, info.version, info.available) == ("mine", "7.1", True)
    (finding,) = findings(events).values()
    assert finding.facets["versions"] == ("7.1",)


@pytest.mark.parametrize("outcome", [Outcome.CRASHED, Outcome.TIMED_OUT, Outcome.OUT_OF_MEMORY])
def test_ten_failures_in_a_row_bench_a_target(outcome: Outcome, fake: FakePool) -> None:
    """Of whatever kind; what was put before is still judged, and the loss is said after it."""
    fake.behaviour = {FIRST: failing(outcome)}
    events = list(events_of([ONE, TWO], cycle(CASES), Budget(cases=200)))
    (lost,) = of(TargetLost, events)
    assert (lost.target, "10" in lost.reason) == (FIRST, True)
    assert PATIENCE_WITH_FAILURES == 10 <= len(of(CaseJudged, events[: events.index(lost)]))
    names = asked(events)
    until = names.index({SECOND})
    assert names == [{FIRST, SECOND}] * until + [{SECOND}] * (200 - until)


def test_an_answer_in_between_keeps_a_target_in_the_run(fake: FakePool) -> None:
    """Nine failures, an answer, nine failures: ten in a row never were."""
    fake.behaviour = {FIRST: in_turns(*[failing()] * 9, None, *[failing()] * 9, None)}
    events = list(events_of([ONE], CASES[:20]))
    assert of(TargetLost, events) == []
    assert len(of(CaseJudged, events)) == 20


def test_what_is_declined_in_between_is_no_answer(fake: FakePool) -> None:
    """Nine failures, a skip, one failure: still ten in a row, or a target that always dies would never be benched."""
    fake.behaviour = {FIRST: in_turns(*[failing()] * 9, failing(Outcome.SKIPPED), *[failing()] * 50)}
    (lost,) = of(TargetLost, events_of([ONE], CASES))
    assert lost.target == FIRST


def test_what_the_pool_benches_is_lost(fake: FakePool) -> None:
    """With the pool's reason, once."""
    fake.benched = {FIRST: "it cost 90 s"}
    assert of(TargetLost, events_of([ONE, TWO])) == [TargetLost(FIRST, "it cost 90 s")]


def test_a_run_ends_when_its_last_target_is_lost(fake: FakePool) -> None:
    """Nothing is drawn for nobody."""
    fake.behaviour = {FIRST: failing()}
    events = list(events_of([ONE], cycle(CASES)))
    assert PATIENCE_WITH_FAILURES <= len(of(CaseJudged, events)) < 50
    assert isinstance(events[-1], RunFinished)


def test_rejections_do_not_bench(fake: FakePool) -> None:
    """To refuse is an answer."""
    fake.behaviour = {FIRST: rejecting}
    assert asked(events_of([ONE], CASES[:15])) == [{FIRST}] * 15


def interrupting(cases: Sequence[Case]) -> Iterator[Case]:
    """A stream in which somebody presses Ctrl-C after these cases."""
    yield from cases
    signal.raise_signal(signal.SIGINT)


def test_an_interrupt_between_cases_ends_the_run_in_order(fake: FakePool) -> None:
    """What was observed stays observed, judged or not; the workers are ended; the run says that it was interrupted."""
    events = list(events_of([ONE], interrupting(CASES[:30])))
    judged = [event.ordinal for event in of(CaseJudged, events)]
    assert judged == list(range(1, len(fake.asked) + 1))
    assert isinstance(events[-1], RunFinished)
    assert events[-1].run.interrupted
    assert events[-1].run.finished is not None
    assert fake.closed


def test_an_interrupt_within_a_case_ends_the_run_in_order(fake: FakePool) -> None:
    """The case that was under way is not in the run; what had been observed is, with its findings."""

    def interrupted(case: Case, request: Request) -> Observation:
        signal.raise_signal(signal.SIGINT)
        return right(request.target, case)

    fake.behaviour = {FIRST: in_turns(*[off_by(1.0)] * 20, interrupted)}  # each is asked twice, eight cases at first
    events = list(events_of([ONE]))
    assert [event.ordinal for event in of(CaseJudged, events)] == list(range(1, 9))
    assert [finding.count for finding in findings(events).values()] == [8]
    assert of(RunFinished, events)[0].run.interrupted
    assert fake.closed


def test_an_interrupt_while_loading_ends_the_run_in_order(fake: FakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports take their time: people do not always wait."""
    monkeypatch.setattr(fake, "hello", lambda: signal.raise_signal(signal.SIGINT))
    events = list(events_of([ONE]))
    assert [type(event) for event in events] == [RunStarted, RunFinished]
    assert of(RunFinished, events)[0].run.interrupted


@pytest.mark.usefixtures("worker_path")
def test_an_interrupt_ends_real_workers() -> None:
    """With a process at work behind it."""
    events = list(events_of(classes("Correct"), interrupting(CASES[:20])))
    assert all(names == {"targets:Correct+default"} for names in asked(events))
    assert of(RunFinished, events)[0].run.interrupted


def test_a_fault_of_ours_is_not_hidden(fake: FakePool) -> None:
    """It passes through, and the workers are ended all the same."""

    def broken(_: Case, request: Request) -> Observation:
        raise WorkerFault(f"a trace of {request.target}")

    fake.behaviour = {FIRST: broken}
    with pytest.raises(WorkerFault, match="a trace"):
        list(events_of([ONE]))
    assert fake.closed


def test_a_worker_is_told_what_is_right(fake: FakePool) -> None:
    """It makes another answer twice and sends its numbers; the difference is then known."""
    fake.behaviour = {FIRST: off_by(2.0)}
    events = list(events_of([ONE, TWO], CASES[:1]))
    expects = Expected(CASES[0], LAYER).digest
    assert fake.asked[:2] == [Request(FIRST, expects=expects), Request(SECOND, expects=expects)]
    assert fake.asked[2:] == [Request(FIRST, values=True, fresh=True)]
    (finding,) = findings(events).values()
    assert (finding.kind, finding.max_abs_error, finding.agreeing) == ("value", 2.0, (SECOND,))


def test_numbers_of_reals_are_asked_for_at_once(fake: FakePool) -> None:
    """A digest cannot tell a rounding error from a wrong value."""
    events = list(events_of([ONE], [CASES[0].replace(values="normal")]))
    assert fake.asked == [Request(FIRST, values=True)]
    assert of(CaseJudged, events)[0].agrees == {FIRST: True}


def test_other_numbers_a_second_time_are_nondeterminism(fake: FakePool) -> None:
    """And nothing else: of a target that answers now so and now so, no value can be called wrong."""
    fake.behaviour = {FIRST: in_turns(off_by(1.0), off_by(2.0))}
    events = list(events_of([ONE], CASES[:1]))
    assert {finding.kind for finding in findings(events).values()} == {"nondeterminism"}


def test_wrong_numbers_that_are_right_the_second_time_do_not_agree(fake: FakePool) -> None:
    """The target is not listed among those who give the reference's answer, least of all beside its own finding."""
    fake.behaviour = {FIRST: in_turns(off_by(1.0), None)}
    events = list(events_of([ONE, TWO], CASES[:1]))
    (finding,) = findings(events).values()
    assert (finding.kind, finding.agreeing) == ("nondeterminism", (SECOND,))


def test_a_crash_at_the_second_request_is_a_crash_alone(fake: FakePool) -> None:
    """No numbers came, so none are other numbers."""
    fake.behaviour = {FIRST: in_turns(off_by(1.0), failing())}
    assert {finding.kind for finding in findings(events_of([ONE], CASES[:1])).values()} == {"crash"}


def test_the_same_wrong_numbers_a_second_time_are_wrong_alone(fake: FakePool) -> None:
    """Nothing is unstable about them."""
    fake.behaviour = {FIRST: off_by(1.0)}
    assert {finding.kind for finding in findings(events_of([ONE], CASES[:1])).values()} == {"value"}


def test_slow_modes_are_asked_of_a_share_chosen_by_content(fake: FakePool) -> None:
    """None, all, or some of the cases; and of the same ones in another run and in another order."""
    slow = made_up("slow", share=True)

    def cases_of(share: float, cases: Sequence[Case] = CASES) -> set[int]:
        events = list(events_of([ONE, slow], cases, Budget(extra_share=share)))
        assert all(FIRST in names for names in asked(events))
        judged = of(CaseJudged, events)
        return {one.case.seed for one in judged if slow.target.name in {seen.target for seen in one.observations}}

    assert cases_of(0.0) == set()
    assert cases_of(1.0) == {case.seed for case in CASES}
    some = cases_of(0.5)
    assert 5 < len(some) < 35
    assert cases_of(0.2) < some
    assert cases_of(0.5, CASES[::-1]) == some
    assert fake.closed


TORCH = ConvTranspose()
EAGER, ABSTRACT = (
    Chosen(Target(TORCH.name, mode.name), mode, "harness.frameworks.torch:ConvTranspose", "torch", TORCH)
    for mode in ConvTranspose.modes
    if mode.name in ("eager", "abstract")
)


def shape_only(case: Case, request: Request) -> Observation:
    """What a right abstract mode gives."""
    return replace(right(request.target, case), dtype=None, digest=None)


def test_those_who_infer_shapes_alone_do_not_count_as_agreeing(fake: FakePool) -> None:
    """They have no values to agree with; yet their own observation is judged."""
    fake.behaviour = {FIRST: off_by(1.0), ABSTRACT.target.name: shape_only}
    events = list(events_of([ONE, EAGER, ABSTRACT], CASES[:1]))
    (judged,) = of(CaseJudged, events)
    assert judged.agrees == {FIRST: False, EAGER.target.name: True, ABSTRACT.target.name: True}
    (finding,) = findings(events).values()
    assert finding.agreeing == (EAGER.target.name,)


def test_a_spelled_case_is_put_to_its_api_alone(fake: FakePool) -> None:
    """In its own words, and judged by what its documentation makes of them."""
    words = Spelling(TORCH.name, {"in_channels": 1, "out_channels": 1, "kernel_size": 3, "stride": 0})
    fake.behaviour = {
        EAGER.target.name: lambda _, request: Observation(request.target, Outcome.OK, shape=(1, 1, 3), dtype="float32"),
        ABSTRACT.target.name: rejecting,
    }
    events = list(events_of([ONE, EAGER, ABSTRACT], [Case.spelled(words, input_size=(3,))]))
    assert asked(events) == [{EAGER.target.name, ABSTRACT.target.name}]
    (finding,) = findings(events).values()
    assert (finding.oracle, finding.kind, finding.suspect) == ("contract", "acceptance", EAGER.target.name)
    assert "stride=0" in finding.call


def test_what_a_target_declines_is_kept_and_not_judged(fake: FakePool) -> None:
    """A skip has its reason."""

    def declining(_: Case, request: Request) -> Observation:
        return Observation(request.target, Outcome.SKIPPED, reason="no groups")

    fake.behaviour = {FIRST: declining}
    (judged,) = of(CaseJudged, events_of([ONE, TWO], CASES[:1]))
    assert [seen.reason for seen in judged.observations] == ["no groups", None]
    assert judged.agrees == {SECOND: True}


def test_one_process_for_each_frameworks_file_and_environment() -> None:
    """Modes of one framework share it, unless their environment differs; every third party's class has its own."""
    in_torch = {seat(chosen).process for chosen in (EAGER, ABSTRACT)}
    assert len(in_torch) == 1
    keras = [seat(chosen) for chosen in select(["keras"])["keras"]]
    assert (
        len({one.process for one in keras}) == len({tuple(sorted(one.place.environment.items())) for one in keras}) > 1
    )
    assert len({seat(chosen).process for chosen in classes("Correct", "Aborts")} | in_torch) == 3
    assert [seat(chosen).address.target for chosen in (EAGER, ONE)] == [EAGER.target.name, FIRST]
