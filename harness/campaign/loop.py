"""The loop: draw a case, put it to every target, judge it, say so.

It yields events and knows nobody who consumes them.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import islice

from harness.campaign.ask import Chosen, meaning
from harness.campaign.investigate import Investigation, Judged
from harness.campaign.ledger import Ledger
from harness.campaign.run import now
from harness.judge.baseline import Baseline
from harness.judge.condition import Condition, Facts
from harness.layer import Case
from harness.records import (
    CaseJudged,
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
from harness.workers.pool import Pool, Seat
from harness.workers.protocol import Address, Hello

#: failures in a row after which a target is not asked any more
PATIENCE_WITH_FAILURES = 10

#: cases in a row that a condition may refuse before the run ends
DRAWN_IN_VAIN = 4_000

_FAILURES = (Outcome.CRASHED, Outcome.TIMED_OUT, Outcome.OUT_OF_MEMORY)


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to go on: a number of cases, or seconds from the first case; whichever ends first."""

    cases: int | None = None
    seconds: float | None = None
    extra_share: float = 0.1


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
    ) -> None:
        self._run = run
        self._targets = [chosen for chosen in targets if chosen.missing is None]
        self._absent = [chosen for chosen in targets if chosen.missing is not None]
        self._stream = stream
        self._budget = budget
        self._baseline = baseline
        self._where = where
        self._versions: dict[str, str | None] = {}
        self._ledger = Ledger(self._versions, datetime.now(timezone.utc).date())
        self._failures: dict[str, int] = {}

    def events(self) -> Generator[Event, None, None]:
        """Run to the end of the budget. KeyboardInterrupt ends the run in order, with all that was observed."""
        run = self._run
        with Pool([seat(chosen) for chosen in self._targets]) as pool:
            try:
                yield RunStarted(run)
                yield TargetsGreeted(self._greet(pool))
                yield from self._cases(Investigation(pool, self._baseline, self._versions))
            except KeyboardInterrupt:
                run = replace(run, interrupted=True)
        yield RunFinished(replace(run, finished=now()))

    def _greet(self, pool: Pool) -> tuple[TargetInfo, ...]:
        hello = pool.hello()
        greeted = [(chosen, target_info(chosen, hello[chosen.target.name])) for chosen in self._targets]
        greeted = [(chosen, info) for chosen, info in greeted if info.available or not chosen.implied]
        self._versions.update({info.target.name: info.version for _, info in greeted})
        self._targets = [chosen for chosen, info in greeted if info.available]
        absent = [target_info(chosen, None) for chosen in self._absent if not chosen.implied]
        return (*(info for _, info in greeted), *absent)

    def _cases(self, investigation: Investigation) -> Iterator[Event]:
        for ordinal, (case, targets) in enumerate(islice(self._asked(), self._budget.cases), start=1):
            yield from self._case(investigation, ordinal, case, targets)

    def _asked(self) -> Iterator[tuple[Case, list[Chosen]]]:
        """The cases of the stream that the condition lets through, with the targets that they are asked of.

        They end with the time, with the last target, and where the condition lets nothing through.
        """
        started, in_vain = time.monotonic(), 0
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

    def _case(
        self, investigation: Investigation, ordinal: int, case: Case, targets: Sequence[Chosen]
    ) -> Iterator[Event]:
        judged = investigation.ask(case, targets)
        found = tuple(investigation.attribute(case, one, targets) for one in judged.verdict.disagreements)
        yield CaseJudged(ordinal, case, tuple(judged.observations.values()), judged.verdict.agrees, found)
        yield from self._record(investigation, ordinal, judged, found)
        yield from self._bench(judged.observations)

    def _record(
        self, investigation: Investigation, ordinal: int, judged: Judged, found: Sequence[Disagreement]
    ) -> Iterator[Event]:
        """Each disagreement into its finding; a new one is reduced, what else its minimal case shows recorded."""
        for disagreement in found:
            known = investigation.known(judged.case, disagreement)
            is_new = not self._ledger.has(known)
            agreeing = judged.agreeing(disagreement)
            yield FindingChanged(self._ledger.record(ordinal, judged.case, disagreement, known, agreeing))
            if is_new:
                minimal, again = investigation.reduce(judged.case, disagreement, known, self._targets)
                yield FindingChanged(self._ledger.reduced(known, minimal, again))
                beside = [
                    investigation.attribute(minimal.case, one, self._targets) for one in minimal.verdict.disagreements
                ]
                new = [one for one in beside if not self._ledger.has(investigation.known(minimal.case, one))]
                yield from self._record(investigation, ordinal, minimal, new)

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

    def _bench(self, observations: Mapping[str, Observation]) -> Iterator[Event]:
        for name, observation in observations.items():
            if observation.outcome is Outcome.SKIPPED:
                continue
            failed = observation.outcome in _FAILURES
            self._failures[name] = self._failures.get(name, 0) + 1 if failed else 0
            if self._failures[name] >= PATIENCE_WITH_FAILURES:
                self._targets = [chosen for chosen in self._targets if chosen.target.name != name]
                yield TargetLost(name, f"failed {PATIENCE_WITH_FAILURES} times in a row: not asked any more")


def is_shared_out(chosen: Chosen, case: Case, share: float) -> bool:
    """Whether a target is asked: always, or in slow modes of a share of the cases, chosen by their content."""
    return not chosen.mode.share or int(case.content_hash[:8], 16) < share * 2**32


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
