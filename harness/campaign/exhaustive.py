"""Every tuple of a box: sizes of all of them by shape inference, values of a stratified sample.

The abstract modes are asked of every tuple, a block of them at a time, and what they infer is compared with the sizes
that were predicted for the block. What differs is put to every mode and judged like any case, and so is the sample,
from the start. A block is done when all of it is judged: a run that goes on begins with the next one.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.campaign.ask import Chosen
from harness.campaign.investigate import Investigation
from harness.campaign.loop import Budget, Campaign
from harness.judge.baseline import Baseline
from harness.judge.condition import Condition
from harness.layer import Case
from harness.records import CaseJudged, Coverage, Covered, Event, Observation, Outcome, Run
from harness.workers.lane import Request
from harness.workers.pool import MEMORY_LIMIT, Pool, Put, Ticket
from strategies.box import Box

#: tuples of each stratum of which values are asked
VALUES = 4

#: tuples whose sizes are compared at once, and blocks that are asked before the first of them is compared
_BLOCK, _AHEAD = 256, 3


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier part of the run has judged: its last ordinal, and the content hashes of its cases."""

    ordinal: int = 0
    hashes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of tuples: those of the sample, and those whose sizes were asked."""

    ordinals: range
    sampled: Sequence[Case]
    asked: Sequence[tuple[int, Case, Sequence[Chosen]]]
    ticket: Ticket


class Exhaustive(Campaign):
    """One run over a box, from where its coverage says on. ``events`` may be iterated once."""

    def __init__(
        self,
        run: Run,
        targets: Sequence[Chosen],
        box: Box,
        budget: Budget,
        *,
        baseline: Baseline,
        where: Condition | None = None,
        memory_limit: int = MEMORY_LIMIT,
        earlier: Earlier | None = None,
    ) -> None:
        super().__init__(run, targets, (), budget, baseline=baseline, where=where, memory_limit=memory_limit)
        self._box = box
        self._sample = box.sample(VALUES)
        self._earlier = earlier or Earlier()
        self._judged = self._earlier.ordinal
        self._coverage = run.coverage or Coverage(plan(box, targets, where), 0, len(box))

    def _cases(self, investigation: Investigation, pool: Pool) -> Iterator[Event]:
        """Blocks are asked while others are out; each is compared, and what is left of it judged."""
        started, blocks = time.monotonic(), self._blocks()
        ahead: deque[_Block] = deque()
        while self._targets:
            while len(ahead) < _AHEAD and not self._is_over(started) and (ordinals := next(blocks, None)) is not None:
                ahead.append(self._ask(pool, ordinals))
            if not ahead:
                return
            yield from self._finish(investigation, pool, ahead.popleft())

    def _blocks(self) -> Iterator[range]:
        start = self._coverage.done
        end = len(self._box) if self._budget.cases is None else min(start + self._budget.cases, len(self._box))
        while start < end:
            block = self._box.block(start, min(_BLOCK, end - start))
            yield block
            start = block.stop

    def _ask(self, pool: Pool, ordinals: range) -> _Block:
        """Ask the sizes of the tuples that are not in the sample; where no target infers sizes, everything is."""
        abstract = [chosen for chosen in self._targets if chosen.mode.abstract]
        sampled, asked = [], []
        for ordinal, case in zip(ordinals, self._box.cases(ordinals), strict=True):
            if self._sample[ordinal] or not abstract:
                sampled.append(case)
            elif targets := [chosen for chosen in abstract if self._where is None or self._is_asked(chosen, case)]:
                asked.append((ordinal, case, targets))
        put = [(case, [Request(chosen.target.name) for chosen in targets]) for _, case, targets in asked]
        return _Block(ordinals, sampled, asked, pool.submit(put))

    def _finish(self, investigation: Investigation, pool: Pool, block: _Block) -> Iterator[Event]:
        seen = pool.collect(block.ticket)
        right = self._as_predicted(block, seen)
        beyond = self._box.beyond_stride(block.ordinals)
        wrong, settled = [], []
        for place, (ordinal, case, targets) in enumerate(block.asked):
            if not right[place]:
                wrong.append(case)
            elif beyond[ordinal - block.ordinals.start]:
                yield from self._judge(investigation, case, targets, seen[place])
            else:
                settled.append(self._settled(case, seen[place]))
        self._stream = [case for case in (*block.sampled, *wrong) if not self._was_judged(case)]
        yield from super()._cases(investigation, pool)
        self._coverage = replace(self._coverage, done=block.ordinals.stop)
        self._run = replace(self._run, coverage=self._coverage)
        yield Covered(self._run, tuple(settled))
        yield from self._benched(pool)

    def _as_predicted(self, block: _Block, seen: Sequence[dict[str, Observation]]) -> NDArray[np.bool_]:
        """For each tuple whose sizes were asked, whether everybody who answers infers the predicted shape."""
        places = [ordinal - block.ordinals.start for ordinal, _, _ in block.asked]
        shapes = self._box.shapes(block.ordinals)[places]
        right = np.ones(len(places), dtype=np.bool_)
        for target in {name for observations in seen for name in observations}:
            mine = [(place, one[target]) for place, one in enumerate(seen) if _is_answer(one.get(target))]
            told = shapes.copy()
            told[[place for place, _ in mine]] = [_shape(one, shapes.shape[1]) for _, one in mine] or 0
            right &= (told == shapes).all(axis=1)
        return right

    def _settled(self, case: Case, seen: dict[str, Observation]) -> CaseJudged:
        """A case with which nothing is wrong."""
        self._judged += 1
        agrees = {name: True for name, one in seen.items() if one.outcome is Outcome.OK}
        return CaseJudged(self._judged, case, tuple(seen.values()), agrees, ())

    def _judge(
        self, investigation: Investigation, case: Case, targets: Sequence[Chosen], seen: dict[str, Observation]
    ) -> Iterator[Event]:
        """What was inferred has the predicted size, but whether the call may ask for that size is to be judged."""
        if not self._was_judged(case):
            judged = investigation.judge(investigation.pose(case, targets), seen)
            yield from self._case(investigation, self._judged + 1, judged)

    def _was_judged(self, case: Case) -> bool:
        return bool(self._earlier.hashes) and case.content_hash in self._earlier.hashes

    def _submit(self, pool: Pool, put: Sequence[Put]) -> Ticket:
        """What is to be judged goes before the blocks that are asked ahead."""
        return pool.submit(put, first=True)


def plan(box: Box, targets: Sequence[Chosen], where: Condition | None = None, seed: int | None = None) -> str:
    """What a run over a box is about: one that was interrupted goes on only with the same. ``seed`` if it was named.

    >>> plan(Box.parse("ndim==1,k==3"), ())
    'ndim==1,n<=5,k==3,s<=3,p<=3,a<=15,d<=2,g<=2,c<=2,bias<=1,cross<=64; values of 4 of each stratum; of nobody'
    """
    whom = ", ".join(f"{one.target.name}{_installed(one)}" for one in targets if one.missing is None) or "nobody"
    asked = "" if where is None else f"; where {where.text}"
    seeded = "" if seed is None else f"; seed {seed}"
    return f"{box}; values of {VALUES} of each stratum{asked}{seeded}; of {whom}"


def _installed(chosen: Chosen) -> str:
    """The version of what our own environment has installed behind a target."""
    for name in () if chosen.api is None or chosen.interpreter else chosen.api.distributions:
        with suppress(importlib.metadata.PackageNotFoundError):
            return f" {importlib.metadata.version(name)}"
    return ""


def _is_answer(observation: Observation | None) -> bool:
    return observation is not None and observation.outcome is not Outcome.SKIPPED


def _shape(observation: Observation, extents: int) -> Sequence[int]:
    """What was inferred, or no shape at all where that is not one of so many extents."""
    shape = observation.shape
    return shape if shape is not None and len(shape) == extents else (-1,) * extents
