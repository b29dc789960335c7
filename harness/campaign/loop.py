"""The loop: draw a case, put it to every target, judge it, say so.

It yields events and knows nobody who consumes them.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import islice

from harness.campaign.ask import Chosen, question_for
from harness.campaign.ledger import Ledger
from harness.judge.oracles import Question, judge, wants_values
from harness.layer import Case
from harness.records import (
    CaseJudged,
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
from harness.workers.pool import Pool, Request, Seat
from harness.workers.protocol import Address, Hello

#: failures in a row after which a target is not asked any more
PATIENCE_WITH_FAILURES = 10

_FAILURES = (Outcome.CRASHED, Outcome.TIMED_OUT, Outcome.OUT_OF_MEMORY)


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to go on: a number of cases, or seconds from the first case; whichever ends first."""

    cases: int | None = None
    seconds: float | None = None
    extra_share: float = 0.1


class Campaign:
    """One run over chosen targets. ``events`` may be iterated once."""

    def __init__(self, run: Run, targets: Sequence[Chosen], stream: Iterable[Case], budget: Budget) -> None:
        self._run = run
        self._targets = [chosen for chosen in targets if chosen.missing is None]
        self._absent = [chosen for chosen in targets if chosen.missing is not None]
        self._stream = stream
        self._budget = budget
        self._ledger = Ledger()
        self._versions: dict[str, str | None] = {}
        self._failures: dict[str, int] = {}

    def events(self) -> Generator[Event, None, None]:
        """Run to the end of the budget. KeyboardInterrupt ends the run in order, with all that was observed."""
        run = self._run
        with Pool([seat(chosen) for chosen in self._targets]) as pool:
            try:
                yield RunStarted(run)
                yield TargetsGreeted(self._greet(pool))
                yield from self._cases(pool)
            except KeyboardInterrupt:
                run = replace(run, interrupted=True)
        yield RunFinished(replace(run, finished=now()))

    def _greet(self, pool: Pool) -> tuple[TargetInfo, ...]:
        hello = pool.hello()
        infos = [target_info(chosen, hello[chosen.target.name]) for chosen in self._targets]
        self._versions = {info.target.name: info.version for info in infos}
        self._targets = [c for c, info in zip(self._targets, infos, strict=True) if info.available]
        absent = [target_info(chosen, None) for chosen in self._absent]
        return (*infos, *absent)

    def _cases(self, pool: Pool) -> Iterator[Event]:
        started = None
        for ordinal, case in enumerate(islice(self._stream, self._budget.cases), start=1):
            started = time.monotonic() if started is None else started
            spent = time.monotonic() - started
            if not self._targets or (self._budget.seconds is not None and spent >= self._budget.seconds):
                return
            yield from self._case(pool, ordinal, case)

    def _case(self, pool: Pool, ordinal: int, case: Case) -> Iterator[Event]:
        question, put = question_for(case, [c for c in self._targets if self._is_asked(c, case)])
        observations, unstable = ask_all(pool, case, question, put)
        verdict = judge(question, observations, unstable)
        yield CaseJudged(ordinal, case, tuple(observations.values()), verdict.agrees, verdict.disagreements)
        agreeing = [name for name, agrees in verdict.agrees.items() if agrees and not question.asked[name].abstract]
        for disagreement in verdict.disagreements:
            yield FindingChanged(self._ledger.record(ordinal, case, disagreement, agreeing, self._versions))
        yield from self._bench(observations)

    def _is_asked(self, chosen: Chosen, case: Case) -> bool:
        """Slow modes are asked of a share of the cases, chosen by their content."""
        return not chosen.mode.share or int(case.content_hash[:8], 16) < self._budget.extra_share * 2**32

    def _bench(self, observations: Mapping[str, Observation]) -> Iterator[Event]:
        for name, observation in observations.items():
            if observation.outcome is Outcome.SKIPPED:
                continue
            failed = observation.outcome in _FAILURES
            self._failures[name] = self._failures.get(name, 0) + 1 if failed else 0
            if self._failures[name] >= PATIENCE_WITH_FAILURES:
                self._targets = [chosen for chosen in self._targets if chosen.target.name != name]
                yield TargetLost(name, f"failed {PATIENCE_WITH_FAILURES} times in a row: not asked any more")


def ask_all(
    pool: Pool, case: Case, question: Question, put: Sequence[Chosen]
) -> tuple[dict[str, Observation], frozenset[str]]:
    """Put the case to the targets; where a digest is not the reference's, ask again for the numbers.

    The second part names the targets that gave other numbers the second time.
    """
    real = case.values == "normal"
    observations = pool.observe(case, [Request(chosen.target.name, values=real) for chosen in put])
    again = [name for name, seen in observations.items() if wants_values(question, seen)]
    second = pool.observe(case, [Request(name, values=True) for name in again]) if again else {}
    answered = {name: seen for name, seen in second.items() if seen.outcome is Outcome.OK}
    unstable = frozenset(name for name, seen in answered.items() if seen.digest != observations[name].digest)
    observations.update(second)
    return {chosen.target.name: observations[chosen.target.name] for chosen in put}, unstable


def seat(chosen: Chosen) -> Seat:
    """A target's place: a process for each framework's file and environment, and for each third party's class."""
    name = chosen.target.name
    own = chosen.location if chosen.api is None else type(chosen.api).__module__
    process = own + "".join(f" {key}={value}" for key, value in sorted(chosen.mode.environment.items()))
    return Seat(Address(name, chosen.location, chosen.mode.name), process, chosen.mode.environment)


def target_info(chosen: Chosen, hello: Hello | None) -> TargetInfo:
    """What a target said of itself, or why it said nothing."""
    if hello is None:
        return TargetInfo(chosen.target, chosen.framework, None, False, chosen.missing)
    framework = hello.framework or chosen.framework
    return TargetInfo(chosen.target, framework, hello.version, hello.error is None, hello.error)


def now() -> str:
    """The present moment in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
