"""The smallest condition that separates failing from passing cases around a finding's minimal case.

Learning is active: of all cheap conditions that agree with what was seen, those are told apart that disagree somewhere,
by asking there; then the one that is left is put to the test on cases that had no part in choosing it. A
counterexample goes back to what was seen. A passing case where the condition holds is asked again with other numbers,
for a fault may fail to show by chance. Hardly any are borne that pass with all numbers, unless chance was seen or
nothing is found otherwise: then up to a quarter, as long as everything outside passes, and simple words are preferred.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.campaign.learning.conjunctions import LENIENT, RIVALS, STRICT, Bearing
from harness.campaign.learning.neighbours import Bounds, bounds_around, neighbours
from harness.campaign.learning.rows import DTYPE, NDIM, Rows, Truths, beyond, case_of, row_of
from harness.campaign.learning.search import Hypothesis, Pool, evaluate, hypotheses
from harness.campaign.learning.vocabulary import Vocabulary, vocabulary
from harness.judge.condition import Condition, Facts
from harness.layer import MAX_NDIM, Case
from harness.records import Support

Ask: TypeAlias = "Callable[[Sequence[Case]], Sequence[bool | None]]"

_BATCH = 128
#: fewer doubtful cases are no batch by themselves
_FEW = 24
#: a condition stands when so many cases that had no part in its choice bear it out on either side
_FRESH = 250
_UNKNOWN, _PASSES, _FAILS, _SILENT = -1, 0, 1, 2
_SEEDS = 3
#: what a condition may cost more than the best without another being put to the test in its place
_WORSE = 0.5
#: how often more is asked where nothing agrees with what was seen
_PATIENCE = 4


@dataclass(frozen=True, slots=True)
class Budget:
    """The most cases that are asked, in the most batches; and how many of the fresh ones are drawn from the stream."""

    asked: int = 2500
    rounds: int = 25
    drawn: int = 500


@dataclass(frozen=True, slots=True)
class Learned:
    """A condition that was verified.

    ``fresh`` counts the cases that were asked after the condition was chosen, ``support`` everything that was seen;
    ``asked`` cases were asked in ``rounds`` batches.
    """

    condition: Condition
    support: Support
    fresh: Support
    asked: int
    rounds: int

    def __str__(self) -> str:
        return f"{self.condition.text}: {self.support}"


def learn(
    minimal: Case,
    *,
    facts: Callable[[Case], Facts],
    ask: Ask,
    fresh: Iterable[Case],
    seen: Sequence[tuple[Case, bool]] = (),
    seed: int = 0,
    budget: Budget | None = None,
) -> Learned | None:
    """The condition under which cases show what ``minimal`` shows; None where none could be verified.

    ``ask`` says of each case whether it shows the finding (None: nothing can be said), ``fresh`` are random cases, and
    ``seen`` are cases whose answers are known. A minimal case in an API's own words has no condition yet.

    >>> from harness.layer import Layer
    >>> def dilated(cases):
    ...     return [max(case.layer.dilation) > 1 for case in cases]
    >>> minimal = Case(Layer(kernel_size=2, dilation=2, bias=False, ndim=1), input_size=1)
    >>> learned = learn(minimal, facts=lambda case: Facts.of(case, case.layer), ask=dilated, fresh=[])
    >>> learned.condition.text, learned.support.failing == learned.support.inside
    ('max(d) > 1', True)
    """
    row = row_of(minimal)
    if row is None:
        return None
    learner = _Learner(np.array(row, dtype=np.int64), minimal, ask, budget or Budget(), seed)
    learner.take_in(seen, minimal)
    learner.draw(fresh)
    return learner.run(facts)


def _kept(found: Sequence[Hypothesis], standing: Hypothesis | None) -> Hypothesis:
    """The best one; the one that is put to the test already while it is hardly worse."""
    hardly = (one for one in found if standing is not None and one.text == standing.text)
    return next((one for one in hardly if one.cost <= found[0].cost + _WORSE), found[0])


@dataclass(slots=True)
class _Seen:
    """What is known of a row: the answer so far, how often it was asked, and its first answer."""

    label: NDArray[np.int8]
    times: NDArray[np.int8]
    first: NDArray[np.int8]

    @classmethod
    def nothing(cls, count: int) -> _Seen:
        return cls(np.full(count, _UNKNOWN, np.int8), np.zeros(count, np.int8), np.full(count, _UNKNOWN, np.int8))

    def grow(self, count: int) -> None:
        more = _Seen.nothing(count)
        self.label = np.concatenate([self.label, more.label])
        self.times = np.concatenate([self.times, more.times])
        self.first = np.concatenate([self.first, more.first])

    def add(self, at: int, answer: bool | None) -> None:
        """One failing answer is enough: passing may be chance, failing is not."""
        code = _SILENT if answer is None else _FAILS if answer else _PASSES
        if self.first[at] == _UNKNOWN:
            self.first[at] = code
        self.times[at] += 1
        if self.label[at] in (_UNKNOWN, _PASSES) and not (code == _SILENT and self.label[at] == _PASSES):
            self.label[at] = code


class _Learner:
    """The state of one learning: the rows, their atoms, their answers, and what may still be asked."""

    def __init__(self, row: Rows, minimal: Case, ask: Ask, budget: Budget, seed: int) -> None:
        self._row, self._minimal, self._ask, self._budget = row, minimal, ask, budget
        self._random = np.random.default_rng(seed)
        self._bounds: Bounds = bounds_around(row)
        self._words: Vocabulary = vocabulary(row[None])
        self._places: dict[bytes, int] = {}
        self._rows: Rows = np.empty((0, len(row)), np.int64)
        self._atoms, self._per_axis = self._words.evaluate(self._rows)
        self._seen = _Seen.nothing(0)
        self._drawn: list[int] = []
        self._fresh: Iterator[tuple[int, ...]] = iter(())
        self._chance = False
        self.asked = 0
        self.rounds = 0

    # Rows ----------------------------------------------------------------------------------------------------------

    def take_in(self, seen: Sequence[tuple[Case, bool]], minimal: Case) -> None:
        """The minimal case, and what was seen before of cases with such values."""
        known = [(row, answer) for case, answer in seen if case.values == minimal.values and (row := row_of(case))]
        rows = np.array([tuple(self._row), *(row for row, _ in known)], dtype=np.int64)
        places = self._add(rows)
        for place, (_, answer) in zip(places[1:], known, strict=True):
            self._seen.add(place, answer)

    def draw(self, fresh: Iterable[Case]) -> None:
        """Rows of the stream, as far as the budget says."""
        self._fresh = (row for case in fresh if (row := row_of(case)) is not None)
        self._draw(self._budget.drawn * 2 // 3)

    def _draw(self, count: int) -> list[int]:
        rows = [row for row, _ in zip(self._fresh, range(count), strict=False)]
        places = self._add(np.array(rows, dtype=np.int64).reshape(-1, len(self._row)))
        self._drawn += places
        return places

    def _add(self, rows: Rows) -> list[int]:
        """The rows' places in the pool, new ones at its end."""
        new: list[Rows] = []
        places: list[int] = []
        for row in rows:
            key = row.tobytes()
            if key not in self._places:
                self._places[key] = len(self._rows) + len(new)
                new.append(row)
            places.append(self._places[key])
        if new:
            added = np.array(new)
            atoms, per_axis = self._words.evaluate(added)
            self._rows = np.concatenate([self._rows, added])
            self._atoms = np.concatenate([self._atoms, atoms], axis=1)
            self._per_axis = np.concatenate([self._per_axis, per_axis], axis=2)
            self._seen.grow(len(new))
        return places

    def _around(self, count: int, changes: NDArray[np.int64], *, wide: bool = False) -> list[int]:
        """New rows around the minimal case; where ``wide``, also around others that fail or pass."""
        bases = np.repeat(self._row[None], count, axis=0)
        lot = self._random.random(count)
        for label, others in ((_FAILS, lot < 0.5), (_PASSES, lot > 0.8)):
            places = np.flatnonzero(self._seen.label == label)
            if wide and len(places):
                bases[others] = self._rows[self._random.choice(places, int(others.sum()))]
        return self._add(neighbours(bases, self._random, self._bounds, changes=changes))

    # Asking --------------------------------------------------------------------------------------------------------

    @property
    def _left(self) -> int:
        spent = self.rounds >= self._budget.rounds
        return 0 if spent else self._budget.asked - self.asked

    def _put(self, places: Iterable[int]) -> list[int]:
        """Ask the rows at these places, in one batch, each with new numbers."""
        batch: list[tuple[int, Case]] = []
        for place in dict.fromkeys(places):
            number = int(self._random.integers(2**32))
            case = case_of(self._rows[place], values=self._minimal.values, seed=number)
            if case is None:
                self._seen.label[place] = _SILENT
            elif len(batch) < self._left:
                batch.append((place, case))
        if not batch:
            return []
        self.rounds += 1
        self.asked += len(batch)
        answers = self._ask([case for _, case in batch])
        for (place, _), answer in zip(batch, answers, strict=True):
            self._seen.add(place, answer)
        self._give_up_silent()
        self._chance |= bool(((self._seen.first == _PASSES) & (self._seen.label == _FAILS)).any())
        return [place for place, _ in batch]

    def _give_up_silent(self) -> None:
        """Kinds of rows that nobody answers are asked no more."""
        kinds = beyond(self._rows, int(self._row[DTYPE]))
        silent, asked = self._seen.label == _SILENT, self._seen.times > 0
        for kind in np.unique(kinds[silent]):
            if kind and silent[(kinds == kind) & asked].all() and (silent & (kinds == kind)).sum() >= 4:
                self._bounds = Bounds(
                    self._bounds.dtype, self._bounds.work, self._bounds.declined | self._including(int(kind))
                )
        never = np.isin(kinds, list(self._bounds.declined)) & (self._seen.label == _UNKNOWN)
        self._seen.label[never] = _SILENT

    @staticmethod
    def _including(kind: int) -> set[int]:
        """Every kind that has this one in it."""
        return {other for other in range(16) if other & kind == kind}

    # Learning ------------------------------------------------------------------------------------------------------

    def run(self, facts: Callable[[Case], Facts]) -> Learned | None:
        """Ask, choose, tell apart, verify, until a condition has stood the test or the budget is spent."""
        if not self._shows_again():
            return None
        self._start()
        standing: Hypothesis | None = None
        tested: list[int] = []
        without = 0
        while True:
            found, bearing = self._found()
            if not found:
                without += 1
                if without > _PATIENCE or not self._explore():
                    return None
                continue
            before, standing = standing, _kept(found, standing)
            if before is None or standing.text != before.text:
                tested = []
            again, telling = self._exceptions(found), self._telling(found)
            enough = self._is_enough(standing, tested)
            if self._left <= 0 or (enough and not telling and len(again) < _FEW):
                return self._learned(standing, tested, facts, bearing)
            doubtful = [*again, *telling[: _BATCH - len(again)]]
            fresh = [] if enough or len(doubtful) >= _FEW else self._fresh_for(standing, doubtful)
            tested += self._test(doubtful, fresh)

    def _found(self) -> tuple[list[Hypothesis], Bearing]:
        """What agrees with what was seen but for very few rows; for more where chance was seen or nothing does."""
        if not self._chance:
            found = self._hypotheses(STRICT)
            if found:
                return found, STRICT
            self._chance = True
        return self._hypotheses(LENIENT), LENIENT

    def _shows_again(self) -> bool:
        """Whether the minimal case itself still shows the finding, with its own numbers."""
        self.rounds += 1
        self.asked += 1
        (answer,) = self._ask([self._minimal])
        self._seen.add(0, answer)
        return answer is True

    def _start(self) -> None:
        self._around(1200, self._random.integers(1, 5, 1200))
        near = self._unknown(range(len(self._rows)))
        drawn = [place for place in self._drawn if self._seen.label[place] == _UNKNOWN]
        self._put([*self._some(near, _BATCH), *self._some(drawn, _BATCH)])
        self._around(1200, self._random.integers(1, 4, 1200), wide=True)
        self._around(500, self._random.integers(5, 14, 500), wide=True)

    def _unknown(self, places: Iterable[int]) -> list[int]:
        return [place for place in places if self._seen.label[place] == _UNKNOWN]

    def _some(self, places: Sequence[int], count: int) -> list[int]:
        if len(places) <= count:
            return list(places)
        return [int(at) for at in self._random.choice(np.array(places), count, replace=False)]

    def _hypotheses(self, bearing: Bearing) -> list[Hypothesis]:
        """What agrees with what was seen, on the rows that are or may be answered."""
        label = self._seen.label
        passing = np.flatnonzero(label == _PASSES)
        weight = np.where(self._seen.times[passing] < _SEEDS, bearing.soft, bearing.hard).astype(np.float32)
        there = np.arange(MAX_NDIM)[:, None] < self._rows[:, NDIM]
        failing = np.flatnonzero(label == _FAILS)
        pool = Pool(
            self._words, self._atoms, self._per_axis, failing, passing, weight, label != _SILENT, there, bearing
        )
        return hypotheses(pool)

    def _explore(self) -> bool:
        """More of everything, where nothing simple agrees; False where nothing is left to ask."""
        places = self._around(400, self._random.integers(1, 5, 400), wide=True)
        return bool(self._put(self._some(self._unknown(places), _BATCH)))

    def _exceptions(self, found: Sequence[Hypothesis]) -> list[int]:
        """The best ones' exceptions that may be chance, as many as are asked again at once."""
        best = [one.holds for one in found[:3] if one.cost <= found[0].cost + RIVALS]
        inside = np.array(best).any(axis=0)
        again = np.flatnonzero(inside & (self._seen.label == _PASSES) & (self._seen.times < _SEEDS))
        return self._some(again.tolist(), _BATCH // 2)

    def _telling(self, found: Sequence[Hypothesis]) -> list[int]:
        """Rows on which the rivals disagree most evenly, some for each way in which they can."""
        rivals = [one for one in found if one.cost <= found[0].cost + RIVALS][:100]
        holds = np.array([one.holds for one in rivals])
        weights = 0.7 ** np.array([one.cost - rivals[0].cost for one in rivals])
        unknown = np.flatnonzero(self._seen.label == _UNKNOWN)
        votes = (weights / weights.sum()) @ holds[:, unknown]
        evenness = np.minimum(votes, 1 - votes)
        ways: dict[bytes, list[int]] = {}
        for at in np.argsort(-evenness, kind="stable")[: int((evenness > 1e-9).sum())]:
            place = int(unknown[at])
            ways.setdefault(np.packbits(holds[:, place]).tobytes(), []).append(place)
        turns = itertools.zip_longest(*(same[:4] for same in ways.values()))
        return [place for turn in turns for place in turn if place is not None][:_BATCH]

    def _test(self, doubtful: Sequence[int], fresh: Sequence[int]) -> list[int]:
        """Ask all of these; given back are those that had no part in the choice and were answered."""
        asked = set(self._put([*doubtful, *fresh]))
        if doubtful:
            self._around(300, self._random.integers(1, 4, 300), wide=True)
        return [place for place in fresh if place in asked and self._seen.label[place] in (_PASSES, _FAILS)]

    def _fresh_for(self, standing: Hypothesis, doubtful: Sequence[int]) -> list[int]:
        """Rows that nobody asked for: of the stream, and around failing rows inside and outside."""
        drawn = self._draw(64)
        around = self._unknown(self._around(900, self._random.integers(1, 6, 900), wide=True))
        holds = evaluate(standing.places, self._atoms, self._per_axis)
        inside, outside = [at for at in around if holds[at]], [at for at in around if not holds[at]]
        fresh = [*self._unknown(drawn), *self._some(inside, _BATCH), *self._some(outside, _BATCH)]
        return [place for place in dict.fromkeys(fresh) if place not in doubtful]

    def _is_enough(self, standing: Hypothesis, tested: Sequence[int]) -> bool:
        fresh = self._support(standing.holds, tested)
        return min(fresh.inside, fresh.outside) >= _FRESH and fresh.inside + fresh.outside >= 3 * _FRESH

    def _support(self, holds: Truths, places: Sequence[int] | NDArray[np.intp]) -> Support:
        at = np.array(places, dtype=np.intp)
        inside, fails, passes = holds[at], self._seen.first[at] == _FAILS, self._seen.first[at] == _PASSES
        counts = (inside & fails, inside & (fails | passes), ~inside & passes, ~inside & (fails | passes))
        return Support(*(int(count.sum()) for count in counts))

    def _learned(
        self, standing: Hypothesis, tested: Sequence[int], facts: Callable[[Case], Facts], bearing: Bearing
    ) -> Learned | None:
        fresh = self._support(standing.holds, tested)
        known = np.flatnonzero((self._seen.label == _PASSES) | (self._seen.label == _FAILS))
        support = self._support(standing.holds, known)
        if fresh.inside < 10 or fresh.outside < 10 or not self._is_borne(standing, support, bearing):
            return None
        condition = Condition.parse(standing.text)
        for place in known:
            case = case_of(self._rows[place], values=self._minimal.values, seed=0)
            if case is not None and condition.holds(facts(case)) != standing.holds[place]:
                return None
        return Learned(condition, support, fresh, self.asked, self.rounds)

    def _is_borne(self, standing: Hypothesis, support: Support, bearing: Bearing) -> bool:
        """Whether all outside passes, and few enough inside whatever the numbers are."""
        exceptions = int((standing.holds & (self._seen.label == _PASSES)).sum())
        return exceptions <= bearing.most(support.inside - exceptions) and support.passing == support.outside
