"""The loop: draw a case, put it to every target, judge it, say so.

It yields events and knows nobody who consumes them.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import islice

from harness.campaign.ask import Chosen, is_shared_out, meaning
from harness.campaign.investigate import Investigation, Judged, Known, Posed
from harness.campaign.ledger import Ledger
from harness.campaign.run import now
from harness.judge.baseline import Baseline
from harness.judge.condition import Condition, Facts
from harness.layer import Case
from harness.records import (
    CaseJudged,
    CasesPut,
    Disagreement,
    Event,
    FindingChanged,
    Observation,
    Outcome,
    Run,
    RunFinished,
    RunStarted,
    TargetInfo,
    TargetLost,
    TargetsGreeted,
)
from harness.workers.pool import MEMORY_LIMIT, Pool, Put, Seat, Ticket
from harness.workers.process import ENVIRONMENT, Place
from harness.workers.protocol import Address, Hello

#: failures in a row after which a target is not asked any more
PATIENCE_WITH_FAILURES = 10

_FAILURES = (Outcome.CRASHED, Outcome.TIMED_OUT, Outcome.OUT_OF_MEMORY)

#: chunks of cases that are put before the first of them is judged
_AHEAD = 4

#: cases in a row that a condition may refuse before the run ends
DRAWN_IN_VAIN = 4_000


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to go on: a number of cases, or seconds from the first case; whichever ends first."""

    cases: int | None = None
    seconds: float | None = None
    extra_share: float = 0.1


@dataclass(frozen=True, slots=True)
class _Flight:
    """A chunk of cases that was put to the targets."""

    posed: Mapping[int, Posed]
    ticket: Ticket
    put: float


@dataclass(frozen=True, slots=True)
class _New:
    """A finding that opened, and the case that showed it."""

    ordinal: int
    case: Case
    disagreement: Disagreement
    known: Known


class _Pace:
    """How many cases are put together: few at first, and so many that they take a second or two."""

    _LEAST, _MOST, _SECONDS = 8, 128, 1.0

    def __init__(self) -> None:
        self.cases = self._LEAST

    def took(self, cases: int, seconds: float) -> None:
        """Follow what the last chunk took."""
        wanted = int(cases * self._SECONDS / max(seconds, 1e-3))
        self.cases = max(self._LEAST, min(wanted, 2 * self.cases, self._MOST))


class Campaign:
    """One run over chosen targets. ``events`` may be iterated once."""

    def __init__(
        self,
        run: Run,
        targets: Sequence[Chosen],
        stream: Iterable[Case],
        budget: Budget,
        *,
        baseline: Baseline,
        where: Condition | None = None,
        memory_limit: int = MEMORY_LIMIT,
    ) -> None:
        self._run = run
        self._targets = [chosen for chosen in targets if chosen.missing is None]
        self._absent = [chosen for chosen in targets if chosen.missing is not None]
        self._stream = stream
        self._budget = budget
        self._baseline = baseline
        self._where = where
        self._memory_limit = memory_limit
        self._versions: dict[str, str | None] = {}
        interpreters = {one.target.environment: one.interpreter for one in targets if one.interpreter is not None}
        self._ledger = Ledger(self._versions, datetime.now(timezone.utc).date(), interpreters)
        self._flights: deque[_Flight] = deque()
        self._recorded: list[_New] = []
        self._pace = _Pace()
        self._judged = 0
        self._last_collected = 0.0
        self._lost: set[str] = set()
        self._failures: dict[str, int] = {}

    @property
    def interrupted(self) -> bool:
        """Whether the run was interrupted so far."""
        return self._run.interrupted

    def events(self) -> Generator[Event, None, None]:
        """Run to the end of the budget. KeyboardInterrupt ends the run in order, with all that was observed."""
        with Pool([seat(chosen) for chosen in self._targets], memory_limit=self._memory_limit) as pool:
            investigation = Investigation(pool, self._baseline, self._versions, seed=self._run.seed)
            try:
                yield RunStarted(self._run)
                yield TargetsGreeted(self._greet(pool))
                yield from self._cases(investigation, pool)
                yield from self._look_into_recorded(investigation)
            except KeyboardInterrupt:
                self._run = replace(self._run, interrupted=True)
                pool.go_on()
                yield from self._observed(investigation)
            self._run = replace(self._run, workers=pool.use())
        yield RunFinished(replace(self._run, finished=now()))

    def _greet(self, pool: Pool) -> tuple[TargetInfo, ...]:
        hello = pool.hello()
        greeted = [(chosen, target_info(chosen, hello[chosen.target.name])) for chosen in self._targets]
        greeted = [(chosen, info) for chosen, info in greeted if info.available or not chosen.implied]
        self._versions.update({info.target.name: info.version for _, info in greeted})
        self._targets = [chosen for chosen, info in greeted if info.available]
        absent = [target_info(chosen, None) for chosen in self._absent if not chosen.implied]
        return (*(info for _, info in greeted), *absent)

    def _cases(self, investigation: Investigation, pool: Pool) -> Iterator[Event]:
        """Chunks of cases are put while others are out; what comes back is judged in the order of the stream."""
        cases = enumerate(islice(self._asked(), self._budget.cases), start=self._judged + 1)
        while True:
            while len(self._flights) < _AHEAD and (chunk := dict(islice(cases, self._pace.cases))):
                yield from self._put(investigation, pool, chunk)
            if not self._flights:
                return
            flight = self._flights[0]
            pool.collect(flight.ticket)
            self._pace.took(len(flight.posed), time.monotonic() - max(flight.put, self._last_collected))
            self._last_collected = time.monotonic()
            for place, (ordinal, posed) in enumerate(flight.posed.items()):
                if ordinal <= self._judged:
                    continue
                judged = investigation.judge(posed, flight.ticket.observations[place])
                yield from self._case(investigation, ordinal, judged)
                self._count_failures(pool, judged.observations)
                pool.go_on()
            yield from self._benched(pool)
            self._flights.popleft()

    def _put(
        self, investigation: Investigation, pool: Pool, chunk: Mapping[int, tuple[Case, Sequence[Chosen]]]
    ) -> Iterator[Event]:
        posed = {}
        for ordinal, (case, targets) in chunk.items():
            posed[ordinal] = investigation.pose(case, targets, share=self._budget.extra_share)
            pool.go_on()
        yield CasesPut({ordinal: each.case for ordinal, each in posed.items()})
        ticket = self._submit(pool, [(each.case, each.requests) for each in posed.values()])
        self._flights.append(_Flight(posed, ticket, time.monotonic()))

    def _submit(self, pool: Pool, put: Sequence[Put]) -> Ticket:
        return pool.submit(put)

    def _observed(self, investigation: Investigation) -> Iterator[Event]:
        """What was observed in full of the cases that were out when the run was interrupted."""
        for flight in self._flights:
            complete = zip(flight.posed.items(), flight.ticket.complete(), flight.ticket.observations, strict=True)
            for (ordinal, posed), is_complete, observations in complete:
                if is_complete and ordinal > self._judged:
                    judged = investigation.judge(posed, observations)
                    yield self._said(ordinal, judged, judged.verdict.disagreements)
                    for one in judged.verdict.disagreements:
                        known = investigation.known(judged.case, one)
                        agreeing = judged.agreeing(one)
                        yield FindingChanged(self._ledger.record(ordinal, judged.case, one, known, agreeing))

    def _asked(self) -> Iterator[tuple[Case, list[Chosen]]]:
        """The cases of the stream that the condition lets through, with the targets that they are asked of.

        They end with the time, with the last target, and where the condition lets nothing through.
        """
        started, in_vain = time.monotonic(), 0
        self._last_collected = started
        for case in self._stream if self._targets else ():
            if self._is_over(started):
                return
            targets = [chosen for chosen in self._targets if self._is_asked(chosen, case)]
            if self._where is None or targets:
                in_vain = 0
                yield case, targets
            elif (in_vain := in_vain + 1) >= DRAWN_IN_VAIN:
                return

    def _is_over(self, started: float) -> bool:
        seconds = self._budget.seconds
        return not self._targets or (seconds is not None and time.monotonic() - started >= seconds)

    def _case(self, investigation: Investigation, ordinal: int, judged: Judged) -> Iterator[Event]:
        case, targets = judged.case, self._targets
        found = tuple(investigation.attribute(case, one, targets) for one in judged.verdict.disagreements)
        yield self._said(ordinal, judged, found)
        yield from self._record(investigation, ordinal, judged, found)

    def _said(self, ordinal: int, judged: Judged, found: tuple[Disagreement, ...]) -> CaseJudged:
        self._judged = ordinal
        return CaseJudged(ordinal, judged.case, tuple(judged.observations.values()), judged.verdict.agrees, found)

    def _record(
        self, investigation: Investigation, ordinal: int, judged: Judged, found: Sequence[Disagreement]
    ) -> Iterator[Event]:
        """Each disagreement into its finding; a new one is reduced, what else its minimal case shows recorded."""
        for one in found:
            disagreement, known = investigation.made_sure(judged, one, self._ledger.has)
            is_new = not self._ledger.has(known)
            agreeing = judged.agreeing(disagreement)
            yield FindingChanged(self._ledger.record(ordinal, judged.case, disagreement, known, agreeing))
            if is_new:
                investigation.opened(known)
                new = _New(ordinal, judged.case, disagreement, known)
                if known.entry is not None and known.entry.case is not None:
                    self._recorded.append(new)
                else:
                    yield from self._look_into(investigation, new)

    def _look_into_recorded(self, investigation: Investigation) -> Iterator[Event]:
        """What the baseline has recorded of findings, put together when the stream is through: nothing waits for it."""
        while self._recorded:
            found, self._recorded = self._recorded, []
            recalled = investigation.recall([(new.disagreement, new.known) for new in found], self._targets)
            for new, judged in zip(found, recalled, strict=True):
                yield from self._look_into(investigation, new, judged)

    def _look_into(self, investigation: Investigation, new: _New, recalled: Judged | None = None) -> Iterator[Event]:
        """Reduce a new finding, learn where it shows, and record what else its minimal case shows."""
        known = new.known
        minimal, again = investigation.reduce(new.case, new.disagreement, known, self._targets, recalled)
        yield FindingChanged(self._ledger.reduced(known, minimal, again))
        learned = investigation.explain(minimal.case, again, known, self._targets)
        if learned is not None:
            yield FindingChanged(self._ledger.explained(known, learned.condition.text, learned.support))
        beside = [investigation.attribute(minimal.case, one, self._targets) for one in minimal.verdict.disagreements]
        others = [one for one in beside if not self._ledger.has(investigation.known(minimal.case, one))]
        yield from self._record(investigation, new.ordinal, minimal, others)

    def _is_asked(self, chosen: Chosen, case: Case) -> bool:
        """Whether the case falls into the share of a slow mode, and the condition holds for it on this target."""
        if not is_shared_out(chosen, case, self._budget.extra_share):
            return False
        if self._where is None:
            return True
        if case.spelling is not None and case.spelling.api != chosen.target.api:
            return False
        version = self._versions.get(chosen.target.name)
        return self._where.holds(Facts.of(case, meaning(case, chosen), mode=chosen.mode.name, version=version))

    def _count_failures(self, pool: Pool, observations: Mapping[str, Observation]) -> None:
        for name, observation in observations.items():
            if observation.outcome is Outcome.SKIPPED:
                continue
            failed = observation.outcome in _FAILURES
            self._failures[name] = self._failures.get(name, 0) + 1 if failed else 0
            if self._failures[name] >= PATIENCE_WITH_FAILURES:
                pool.bench(name, f"failed {PATIENCE_WITH_FAILURES} times in a row: not asked any more")

    def _benched(self, pool: Pool) -> Iterator[Event]:
        """Targets that the pool does not ask any more."""
        for name, reason in pool.benched.items():
            if name not in self._lost:
                self._lost.add(name)
                self._targets = [chosen for chosen in self._targets if chosen.target.name != name]
                yield TargetLost(name, reason)


def seat(chosen: Chosen) -> Seat:
    """A target's place: a process for each framework's file and environment, and for each third party's class."""
    name = chosen.target.name
    own = chosen.location.partition(":")[0] if chosen.api is not None else chosen.location
    settings = "".join(f" {key}={value}" for key, value in sorted(chosen.mode.environment.items()))
    at = f"@{chosen.target.environment}" if chosen.target.environment else ""
    place = Place(chosen.mode.environment, chosen.interpreter or sys.executable, _modules(chosen))
    return Seat(Address(name, chosen.location, chosen.mode.name), own + at + settings, place)


def _modules(chosen: Chosen) -> tuple[str, ...]:
    """The modules of a target's class and of those that it derives from; of a third party's only its own is known."""
    if chosen.api is None:
        return (chosen.location.partition(":")[0],)
    return tuple(dict.fromkeys(kind.__module__ for kind in type(chosen.api).__mro__))


def target_info(chosen: Chosen, hello: Hello | None) -> TargetInfo:
    """What a target said of itself, or why it said nothing."""
    settings = {**ENVIRONMENT, **chosen.mode.environment}
    if hello is None:
        return TargetInfo(chosen.target, chosen.framework, None, False, chosen.missing, settings)
    framework = hello.framework or chosen.framework
    return TargetInfo(chosen.target, framework, hello.version, hello.error is None, hello.error, settings)
