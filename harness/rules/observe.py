"""Confirming a statement on targets: a sample of its box is put to each of them, and the answers checked.

What was submitted for several statements is answered in whatever order the workers like.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.frameworks.base import Api
from harness.layer import Case
from harness.records import Observation, Outcome
from harness.rules.checks import CHANNELS
from harness.rules.decide import Decision, shown
from harness.rules.statement import Answer, Questions, Row, Statement, Verdict, row, truths, verdict
from harness.workers.pool import Pool, Request, Ticket

#: tuples that a target is asked of those where the statement holds, and of those where it does not
SAMPLE = 12

#: tuples that are looked at for as many that an API has words for
_TRIES = 40 * SAMPLE

#: what tells nothing of a statement
_SILENT = {Outcome.SKIPPED, Outcome.CRASHED, Outcome.TIMED_OUT, Outcome.OUT_OF_MEMORY}


class Seated(NamedTuple):
    """A target that can be asked: its name, its API and that one's pure half; ``usual`` is asked every statement."""

    name: str
    api_name: str
    api: Api | None
    usual: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """What became of a statement on a target: of so many tuples it held for so many."""

    target: str
    verdict: Verdict
    checked: int
    holds_on: int
    counterexample: Row | None


@dataclass(frozen=True, slots=True)
class Submitted:
    """A statement that was put to targets."""

    statement: Statement
    decision: Decision
    _of: Sequence[_Sampled]
    _ticket: Ticket

    def collect(self, pool: Pool) -> tuple[Observed, ...]:
        """Wait for the answers; a target is left out whose answers tell nothing."""
        observations = iter(pool.collect(self._ticket))
        found = [_told(self, one, observations) for one in self._of]
        return tuple(one for one in found if one is not None)


class _Sampled(NamedTuple):
    """The tuples that are put to one target, by their place in the box, and how."""

    target: str
    places: tuple[int, ...]
    questions: tuple[Questions, ...]


def submit(statement: Statement, decision: Decision, targets: Sequence[Seated], pool: Pool) -> Submitted:
    """Put a sample of the box to every target that the statement speaks of; do not wait."""
    sampled = [_sampled(statement, decision, target) for target in targets if is_asked(statement, target)]
    put: list[tuple[Case, Sequence[Request]]] = []
    for target, one in zip([each for each in targets if is_asked(statement, each)], sampled, strict=True):
        put += [(q.case, [_request(target, q.case)]) for questions in one.questions for q in questions]
    return Submitted(statement, decision, sampled, pool.submit(put))


def is_asked(statement: Statement, target: Seated) -> bool:
    """Whether a statement speaks of a target."""
    asking = statement.asking
    return (not asking.apis or target.api_name in asking.apis) and (target.usual or asking.every_mode)


def _request(target: Seated, case: Case) -> Request:
    alone = target.api is not None and case.spelling is not None and target.api.alone(case.spelling, case.input_size)
    return Request(target.name, values=True, alone=alone)


def _sampled(statement: Statement, decision: Decision, target: Seated) -> _Sampled:
    chosen: dict[int, Questions] = {}
    for kind in (decision.held, ~decision.held):
        asked: dict[int, Questions] = {}
        for place in _spread(np.flatnonzero(kind).tolist()):
            questions = statement.asking.questions(target.api, row(decision.columns, place))
            if questions:
                asked[place] = questions
            if len(asked) == SAMPLE:
                break
        chosen |= asked
    return _Sampled(target.name, tuple(chosen), tuple(chosen.values()))


def _spread(places: Sequence[int]) -> Iterator[int]:
    """The smallest first, then from all over."""
    step = max(1, round(len(places) * 0.618034))
    while np.gcd(step, len(places)) > 1:
        step += 1
    return (places[at * step % len(places)] for at in range(min(len(places), _TRIES)))


def _told(submitted: Submitted, one: _Sampled, observations: Iterator[dict[str, Observation]]) -> Observed | None:
    statement, decision = submitted.statement, submitted.decision
    held: dict[int, bool] = {}
    for place, questions in zip(one.places, one.questions, strict=True):
        seen = [next(observations)[one.target] for _ in questions]
        if any(each.outcome in _SILENT for each in seen):
            continue
        told = statement.asking.tells(row(decision.columns, place), questions, [_answer(each) for each in seen])
        if told is not None:
            held[place] = told
    if not held:
        return None
    columns = {name: column[list(held)] for name, column in decision.columns.items()}
    answers = np.array(list(held.values()), bool)
    claimed = None if statement.condition is None else truths(statement.condition, columns)
    contrary = min((place for place, told in held.items() if not told), default=None)
    smallest = None if contrary is None else shown(statement, decision.columns, contrary)
    return Observed(one.target, verdict(answers, claimed), len(held), int(answers.sum()), smallest)


def _answer(seen: Observation) -> Answer:
    """The output; what has not the canonical shape is none."""
    canonical = seen.shape is not None and len(seen.shape) == 3 and seen.shape[:2] == (1, CHANNELS)
    return seen.values if seen.outcome is Outcome.OK and canonical else None
