"""What deaths cost: a target that dies again and again is not asked any more."""

from __future__ import annotations

from collections import Counter, deque

from harness.records import Observation

#: seconds that a target may cost by its deaths, and among how many of its observations
MOST_LOST, AMONG = 120.0, 1_000


class Losses:
    """Time lost by target. ``benched`` names those that are not asked any more, with the reason."""

    def __init__(self) -> None:
        self.benched: dict[str, str] = {}
        self._answers: Counter[str] = Counter()
        self._deaths: Counter[str] = Counter()
        self._lost: dict[str, deque[tuple[int, float]]] = {}

    def answered(self, target: str) -> None:
        """One more observation of a target."""
        self._answers[target] += 1

    def waited(self, target: str, seconds: float) -> None:
        """What it took until its process, started again, gave an answer."""
        self._lost.setdefault(target, deque()).append((self._answers[target], seconds))

    def died(self, seen: Observation, seconds: float, *, sure: bool) -> bool:
        """A death after so many seconds without a sign of life; whether the target has now cost too much.

        One that is not ``sure`` is asked again, with three times the patience. The target is benched before one more
        death of the kind would bring its cost above ``MOST_LOST``.

        >>> from harness.records import Outcome
        >>> losses = Losses()
        >>> seen = Observation("mine", Outcome.TIMED_OUT, exit="no answer in 30 s")
        >>> [losses.died(seen, seconds, sure=sure) for seconds, sure in ((11, False), (31, True)) * 2]
        [False, False, False, True]
        >>> losses.benched["mine"]
        'ended or hung 4 times and cost 84 s: not asked any more (the last time: no answer in 30 s)'
        """
        target = seen.target
        self._deaths[target] += 1
        self.waited(target, seconds)
        costs = self._lost[target]
        while costs[0][0] < self._answers[target] - AMONG:
            costs.popleft()
        lost = sum(cost for _, cost in costs)
        if lost + seconds * (4 / 3 if sure else 3) > MOST_LOST:
            times = f"ended or hung {self._deaths[target]} times and cost {lost:.0f} s"
            self.benched[target] = f"{times}: not asked any more (the last time: {seen.exit})"
        return target in self.benched
