"""How often the learned condition of a finding says the same as the condition that was planted, and at what cost.

Each planted condition is a target's fault: the first case of the stream that shows it is reduced as a campaign does,
and the condition is learned from there by asking. Both are then compared on cases of the stream and on others around
the minimal case, as far as a third party's target answers them. With ``--noise`` that share of the cases where the
planted condition holds passes by chance, with ``--stubborn`` of the layers, whatever the numbers are.

Run it from the top of the repository: ``python benchmarks/conditions.py --noise 0.01``.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import process_time
from typing import NamedTuple

import numpy as np

from harness.campaign.draw import stream
from harness.campaign.lattice import reductions
from harness.campaign.learning import Learned, learn
from harness.campaign.learning.neighbours import bounds_around, neighbours
from harness.campaign.learning.rows import case_of, row_of
from harness.campaign.shrink import shrink
from harness.frameworks.base import Api
from harness.judge.condition import Condition, Facts
from harness.layer import Case

PLANTED = """
any(a >= s)
any(a > 0)
any(a > p)
any((a > 0) & (a <= p))
max(d) > 1
any((s > 1) & (d > 1))
max(s) > 1 and max(d) > 1
any(s > k)
any(s > e)
any(k % 2 == 0)
any(k % s != 0)
any((e - 1) % s == 0)
any(p >= e)
any(p > e - 1)
s[0] != s[-1]
ndim > 1 and k[0] != k[1]
ndim == 3
ndim == 3 and d[2] > 1
k[-1] == 1
g > 1
g > 1 and in_channels // g > 1
g == in_channels
g > 1 and g == in_channels
out_channels // g >= 16
in_channels >= 16
out_channels > 8 and batch > 1
batch > 1
bias
not bias
bias and any(a > 0)
max(k) >= 7
max(k) > 4 and max(s) > 2
max(s) >= 4
max(n) >= 8
any(n == 1)
min(n) == 1 and g > 1
max(m) > 32
any(m % 8 != 0)
any(m == n)
any(n > k)
max(p) > 2 and max(d) > 1
any(k * d > 8)
max(s) > 1 and max(d) > 1 and g > 1
g > 1 or max(d) > 1
any(a > 0) or ndim == 3
max(s) == 2
d[0] > 1
s[-1] > 1
any((k == 3) & (s == 2))
any((k == 1) & (s > 1))
any((k % 2 == 0) & (s > 1))
all(k == 1)
all(s == 1) and max(d) > 1
bias and g > 1
any(2 * p > e)
any(hi < 0)
any(lo > hi)
any((hi < 0) & (d > 1))
in_channels == out_channels and g > 1
out_channels > in_channels
out_channels % 4 == 0
in_channels % 2 == 1 and ndim == 2
batch > 1 and any(a > 0)
any(e > 8)
any((p > 0) & (a > 0))
max(p) > 0 and max(a) > 0 and max(d) > 1
max(d) > 2
any(d == 3)
ndim == 2 and s[0] > s[1]
k[0] > 3 and s[-1] > 1
any((d > 1) & (k > 2))
any((d > s) & (a > 0))
any(m > 2 * n)
batch > 2 or any(p >= k)
max(s) > 4 or max(d) > 3
g > 1 and max(d) > 1 or ndim == 3 and bias
any(n % 2 == 1) and any(a > 0)
all(p > 0)
min(m) == 1
all(d > 1)
any(n < k) and max(s) > 1
any((n - 1) % s == 1)
any((k > 1) & (s > 1) & (p > 0))
any((d > 1) & (k > 1) & (n > 1))
any((s != s[0]) & (n > 1))
any((d != d[0]) & (k > 1))
max(k) > max(s)
min(n) > max(k)
max(n) < max(k)
batch * in_channels > 12
batch * out_channels >= 16
in_channels * out_channels > 20
in_channels + out_channels > 9
in_channels // g * k[0] > 8
out_channels // g * max(k) > 12
k[0] * k[-1] > 9
out_channels // g > 4 and max(s) > 1
ndim == 2 and any(p > 0)
ndim == 2 and any((s > 1) & (k > 2))
any(a > s - 2)
any(p > k - 2)
any(d * (k - 1) >= n)
any(n > k + 1)
any((p > k - 2) & (s > 1))
s[0] != s[-1] and (n[0] > 1 or n[-1] > 1)
min(p) > 0 and max(k) > 2
max(k) > 1 and any(p > 0)
max(k) > 1 and g > 1
max(k) > 2 and max(s) > 1 and bias
m[-1] % 4 != 0
m[-1] > 8 and m[-1] % 8 != 0
n[-1] > 64
""".strip().splitlines()

#: cases of the stream that learning may draw, beside those on which the conditions are compared
FRESH = 600


class ThirdParty(Api):
    """What a third party's class is asked of by default."""

    name = "third party"


class Outcome(NamedTuple):
    """What was learned of one planted condition, on how many cases it differs, and the processor's seconds."""

    planted: str
    learned: Learned | None
    different: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Fault:
    """A planted condition, and the share of the cases on which it holds, or of their layers, that passes by chance."""

    condition: Condition
    noise: float
    stubborn: bool

    def holds(self, case: Case) -> bool:
        """Whether the planted condition holds."""
        return self.condition.holds(facts(case))

    def shows(self, case: Case) -> bool:
        """Whether the fault shows, which depends on the case alone."""
        drawn = replace(case, seed=0) if self.stubborn else case
        by_chance = int(drawn.content_hash[:8], 16) < self.noise * 2**32
        return is_answered(case) and self.holds(case) and not by_chance

    def answers(self, cases: Sequence[Case]) -> list[bool | None]:
        """What a campaign sees."""
        return [self.shows(case) if is_answered(case) else None for case in cases]


def facts(case: Case) -> Facts:
    """The facts of a case that asks a layer."""
    return Facts.of(case, case.layer)


def is_answered(case: Case) -> bool:
    """Whether a third party's target is asked at all."""
    return ThirdParty().limit(case) is None


def around(bases: Sequence[Case], minimal: Case, count: int, seed: int) -> Iterator[Case]:
    """Cases that differ from others in one to five coordinates."""
    random = np.random.default_rng(seed)
    places = random.integers(0, len(bases), 2 * count)
    rows = np.array([row_of(bases[at]) for at in places])
    made = neighbours(rows, random, bounds_around(np.array(row_of(minimal))), changes=random.integers(1, 6, len(rows)))
    cases = (case_of(row, values="integers", seed=0) for row in random.permutation(made))
    yield from itertools.islice((case for case in cases if case is not None and is_answered(case)), count)


def measure(fault: Fault, cases: Sequence[Case], fresh: Sequence[Case], number: int) -> Outcome:
    """Learn the condition of a fault, compare it with the planted one.

    Raises:
        LookupError: no case shows the fault.
    """
    planted = fault.condition.text
    start = next((case for case in cases[97 * number % len(cases) :] if fault.shows(case)), None)
    start = start or next((case for case in cases if fault.shows(case)), None)
    if start is None:
        raise LookupError(f"no case of the stream shows {planted!r}: draw more with --cases")
    minimal = shrink(start, lambda some: [partial(fault.shows, case) for case in some], reductions)
    began = process_time()
    learned = learn(minimal, facts=facts, ask=fault.answers, fresh=fresh, seed=number)
    seconds = process_time() - began
    others = [*around([minimal], minimal, 1000, number), *around(cases, minimal, 1000, number)]
    return Outcome(planted, learned, _different(fault.holds, learned, [*cases, *others]), seconds)


def _different(planted: Callable[[Case], bool], learned: Learned | None, cases: Sequence[Case]) -> int:
    if learned is None:
        return len(cases)
    return sum(learned.condition.holds(facts(case)) != planted(case) for case in cases)


def _line(outcome: Outcome) -> str:
    learned = outcome.learned
    if learned is None:
        return f"none       {outcome.planted}: no condition was verified ({outcome.seconds:.1f} s)"
    same = "same" if not outcome.different else f"{outcome.different} differ"
    cost = f"{learned.asked} asked in {learned.rounds} batches, {outcome.seconds:.1f} s"
    return f"{same:10} {outcome.planted} -> {learned} ({cost})"


def _summary(outcomes: Sequence[Outcome]) -> str:
    same = sum(outcome.different == 0 for outcome in outcomes)
    asked = [outcome.learned.asked for outcome in outcomes if outcome.learned]
    rounds = [outcome.learned.rounds for outcome in outcomes if outcome.learned]
    seconds = [outcome.seconds for outcome in outcomes]
    parts = [f"{same} of {len(outcomes)} equivalent ({100 * same / len(outcomes):.1f} %)"]
    for name, values in ("asked", asked), ("batches", rounds), ("CPU seconds", seconds):
        if values:
            parts.append(f"{name} mean {np.mean(values):.1f}, most {max(values):.1f}")
    return "; ".join(parts)


def main() -> None:
    """Print one line for each planted condition, then a summary."""
    assert __doc__ is not None  # noqa: S101 # it stands above
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conditions", nargs="*", help="planted conditions; without any, the list in this file")
    parser.add_argument("--noise", type=float, default=0.0, help="share of failing cases that pass by chance")
    parser.add_argument("--stubborn", action="store_true", help="what passes by chance does so with every seed")
    parser.add_argument("--cases", type=int, default=5000, help="cases of the stream that conditions are compared on")
    parser.add_argument("--seed", type=int, default=0, help="of the stream")
    options = parser.parse_args()
    drawn = (case for case in stream(options.seed) if case.layer is not None and is_answered(case))
    fresh = list(itertools.islice(drawn, FRESH))
    cases = list(itertools.islice(drawn, options.cases))
    outcomes: list[Outcome] = []
    for number, planted in enumerate(options.conditions or PLANTED):
        fault = Fault(Condition.parse(planted), options.noise, options.stubborn)
        outcomes.append(measure(fault, cases, fresh, number))
        sys.stdout.write(_line(outcomes[-1]) + "\n")
        sys.stdout.flush()
    sys.stdout.write(_summary(outcomes) + "\n")


if __name__ == "__main__":
    main()
