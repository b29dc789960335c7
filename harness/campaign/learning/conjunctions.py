"""Atoms joined by ``and``, up to four, and what it costs that passing rows are inside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.campaign.learning.rows import Truths

#: conditions that cost so much more than the best are no rivals
RIVALS = 4.0

#: what it is worth to halve the exceptions, where they are many
_HALVED = 1.5
_AND = 0.4
_KEPT = 150
_TRIPLED, _QUADRUPLED = 110, 40

#: a conjunction: what it costs, and its atoms by their number among the candidates
Members: TypeAlias = "tuple[float, tuple[int, ...]]"


@dataclass(frozen=True, slots=True)
class Bearing:
    """How exceptions are borne: passing rows on which a condition holds.

    ``share`` of the rows on which it holds may pass. One that may be chance weighs ``soft``, one that passed with every
    seed ``hard``. Where exceptions are many (``by_ratio``), words are worth what they make them fewer by, in ratio: so
    the price does not depend on how many rows were asked. ``either`` is the price of an ``or``.
    """

    share: float
    soft: float
    hard: float
    either: float
    by_ratio: bool = False

    def most(self, failing: int) -> int:
        """The most exceptions beside so many failing rows; a few always, which are asked again before they count."""
        return 3 + int(self.share / (1 - self.share) * failing)

    def price(self, weight: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """What exceptions of such weights cost together."""
        return _HALVED * np.log2(1 + weight) if self.by_ratio else weight


#: hardly an exception
STRICT = Bearing(0.02, 0.3, 4.0, 0.9)
#: many, where nothing is found otherwise: a fault does not show where numbers coincide
LENIENT = Bearing(0.25, 0.1, 1.0, 5.0, by_ratio=True)


@dataclass(frozen=True, slots=True)
class Table:
    """Candidates on the passing rows: where they hold, what they cost, what each row weighs, how many are borne."""

    inside: Truths
    costs: NDArray[np.float32]
    weight: NDArray[np.float32]
    bearing: Bearing
    borne: int

    def within(self, at: int, several: int) -> Table:
        """Those after a candidate, on the rows on which that holds."""
        rows = self.inside[at]
        others = slice(at + 1, several)
        return replace(self, inside=self.inside[others, rows], costs=self.costs[others], weight=self.weight[rows])


def short(table: Table) -> list[Members]:
    """Single atoms and pairs, with what they cost."""
    alone = list(singles(table))
    best = min((cost for cost, _ in alone), default=np.inf)
    return [*alone, *_pairs(table, best + RIVALS)]


def singles(table: Table) -> Iterator[Members]:
    """Single atoms, with what they cost."""
    total = table.costs + table.bearing.price(table.inside @ table.weight)
    for at in np.flatnonzero(table.inside.sum(axis=1) <= table.borne):
        yield float(total[at]), (int(at),)


def _pairs(table: Table, most: float) -> list[Members]:
    """Pairs that say more than either atom and cost no more than ``most``."""
    inside, costs = table.inside, table.costs
    alone = inside.sum(axis=1)
    cost = costs[:, None] + costs[None] + np.float32(_AND)
    dense = inside.astype(np.float32)
    counts = dense @ dense.T
    few = np.triu((counts <= table.borne) & (cost <= most) & (counts < np.minimum(alone[:, None], alone[None])), 1)
    left, right = np.nonzero(few)
    if not len(left):
        return []
    total = cost[left, right] + table.bearing.price(((dense * table.weight) @ dense.T)[left, right])
    order = np.argsort(total, kind="stable")[: 2 * _KEPT]
    return [(float(total[at]), (int(left[at]), int(right[at]))) for at in order]


def triples(table: Table, most: float) -> list[Members]:
    """Triples of the cheaper atoms; the passing rows inside the first are all that matter to the other two."""
    found: list[Members] = []
    several = min(_TRIPLED, len(table.inside))
    for at in range(several - 2):
        first = float(table.costs[at]) + _AND
        others = table.within(at, several)
        if first + 2 * float(others.costs.min()) + _AND > most:
            continue
        pairs = _pairs(others, most - first)
        found += [(first + cost, (at, i + at + 1, j + at + 1)) for cost, (i, j) in pairs[:_KEPT]]
        found = sorted(found)[:_KEPT]
    return found


def quadruples(table: Table) -> list[Members]:
    """Quadruples of the cheapest atoms."""
    found: list[Members] = []
    several = min(_QUADRUPLED, len(table.inside))
    for at in range(several - 3):
        first = float(table.costs[at]) + _AND
        found += [
            (first + cost, (at, *(other + at + 1 for other in members)))
            for cost, members in triples(table.within(at, several), np.inf)
        ]
    return sorted(found)[:_KEPT]
