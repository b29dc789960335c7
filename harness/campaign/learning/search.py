"""The cheapest conditions that separate the failing rows from the passing ones: conjunctions, then disjunctions of two.

A condition holds on every failing row, always. Passing rows on which it holds are exceptions, each at a price, for a
fault may fail to show by chance: few of them are borne, and only where nothing without exceptions is about as simple.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.campaign.learning.rows import Truths
from harness.campaign.learning.vocabulary import Atom, Predicate, Vocabulary

#: of the rows on which a condition holds, the share that may pass
TOLERATED = 0.02

_AND, _SAME_AXIS, _OR = 0.4, 0.3, 0.9
_KEPT = 150
_TRIPLED = 110
_PAIRED = 170
_COVERING = 400
_RESTS = 16
_SAME_AXIS_PAIRS = 800


#: an atom of the vocabulary by its number, or two predicates that hold on one axis by theirs
Place: TypeAlias = "tuple[int, ...]"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A condition: its text, its cost with what its exceptions cost, and on which rows of the pool it holds.

    ``places`` are the atoms of its conjunctions, one of which must hold.
    """

    text: str
    cost: float
    holds: Truths
    places: tuple[tuple[Place, ...], ...]
    axis: int = 0

    @property
    def key(self) -> tuple[float, int, str]:
        """The order in which conditions are preferred: the shortest text among equals."""
        return round(self.cost, 6), len(self.text), self.text


@dataclass(frozen=True, slots=True)
class Pool:
    """All rows with their atoms: which fail, which pass, and what an exception on each passing row costs."""

    words: Vocabulary
    atoms: Truths
    per_axis: Truths
    failing: NDArray[np.intp]
    passing: NDArray[np.intp]
    price: NDArray[np.float32]
    usable: NDArray[np.intp]
    minimal: int


@dataclass(frozen=True, slots=True)
class _Part:
    """Candidates for one conjunction: atoms and pairs on one axis, each different from the others on the pool."""

    atoms: tuple[Atom, ...]
    places: tuple[Place, ...]
    holds: Truths


def evaluate(places: tuple[tuple[Place, ...], ...], atoms: Truths, per_axis: Truths) -> Truths:
    """Where a hypothesis holds, on rows whose atoms and predicates these are."""
    held: Truths = np.zeros(atoms.shape[1], dtype=bool)
    for conjunction in places:
        held |= np.array([_place(place, atoms, per_axis) for place in conjunction]).all(axis=0)
    return held


def _place(place: Place, atoms: Truths, per_axis: Truths) -> Truths:
    if len(place) == 1:
        single: Truths = atoms[place[0]]
        return single
    both: Truths = per_axis[:, list(place)].all(axis=1).any(axis=0)
    return both


def hypotheses(pool: Pool, *, enough: float = 5.2) -> list[Hypothesis]:
    """The cheapest conditions, the best first; disjunctions only where no conjunction is as cheap as ``enough``."""
    found = _conjunctions(pool, pool.failing)
    if not found or found[0].cost > enough:
        found += _disjunctions(pool, found[0].cost if found else np.inf)
    return _distinct(found, pool.usable)[:_KEPT]


def _distinct(found: Iterable[Hypothesis], usable: NDArray[np.intp]) -> list[Hypothesis]:
    """The cheapest of those that hold on the same rows."""
    kept: dict[bytes, Hypothesis] = {}
    for one in sorted(found, key=lambda h: h.key):
        kept.setdefault(np.packbits(one.holds[usable]).tobytes(), one)
    return list(kept.values())


def _conjunctions(
    pool: Pool, failing: NDArray[np.intp], *, most: int = _KEPT, same_axis: bool = True, triples: bool = True
) -> list[Hypothesis]:
    """Conjunctions of one to three atoms that hold on all of these failing rows."""
    part = _part(pool, failing, same_axis)
    if not part.atoms:
        return []
    inside = part.holds[:, pool.passing]
    costs = np.array([atom.cost for atom in part.atoms], dtype=np.float32)
    borne = int(TOLERATED * len(failing))
    chosen: list[tuple[float, tuple[int, ...]]] = [
        *_singles(inside, costs, pool.price, borne),
        *_pairs(inside, costs, pool.price, borne),
    ]
    if triples and (not chosen or min(cost for cost, _ in chosen) > 6.0):
        chosen += _triples(inside, costs, pool.price, borne)
    chosen.sort(key=lambda one: one[0])
    return [_joined(part, cost, members) for cost, members in chosen[:most]]


def _part(pool: Pool, failing: NDArray[np.intp], same_axis: bool) -> _Part:
    covering = np.flatnonzero(pool.atoms[:, failing].all(axis=1))
    telling = covering[~pool.atoms[np.ix_(covering, pool.passing)].all(axis=1)]
    atoms, places, holds = [pool.words.atoms[at] for at in telling], [(int(at),) for at in telling], pool.atoms[telling]
    if same_axis:
        paired, pairs, both = _on_one_axis(pool, failing)
        atoms, places, holds = [*atoms, *paired], [*places, *pairs], np.concatenate([holds, both])
    return _cheapest(atoms, places, holds, pool.usable)


def _cheapest(atoms: Sequence[Atom], places: Sequence[Place], holds: Truths, usable: NDArray[np.intp]) -> _Part:
    order = sorted(range(len(atoms)), key=lambda at: (atoms[at].cost, len(atoms[at].text), atoms[at].text))
    packed = np.packbits(holds[:, usable], axis=1)
    first: dict[bytes, int] = {}
    for at in order:
        first.setdefault(packed[at].tobytes(), at)
    kept = list(first.values())[:_COVERING]
    return _Part(tuple(atoms[at] for at in kept), tuple(places[at] for at in kept), holds[kept])


def _on_one_axis(pool: Pool, failing: NDArray[np.intp]) -> tuple[list[Atom], list[Place], Truths]:
    """Pairs of predicates that hold on one and the same axis of every failing row, and say more than either alone."""
    predicates = pool.words.predicates
    somewhere = pool.per_axis[:, :, failing].any(axis=0).all(axis=1)
    simple = np.array([predicate.cost < 3.6 for predicate in predicates])
    which = _cheapest_predicates(pool, np.flatnonzero(somewhere & simple))
    fails, passes = pool.per_axis[:, which][:, :, failing], pool.per_axis[:, which][:, :, pool.passing]
    alone = passes.any(axis=0).sum(axis=1)
    found: list[tuple[int, int]] = []
    for at in range(len(which) - 1):
        after = np.arange(at + 1, len(which))
        covers = after[(fails[:, at, None] & fails[:, after]).any(axis=0).all(axis=1)]
        left = (passes[:, at, None] & passes[:, covers]).any(axis=0).sum(axis=1)
        found += [(at, int(other)) for other in covers[left < np.minimum(alone[at], alone[covers])]]
    ends = np.array(found, dtype=np.intp).reshape(-1, 2)
    costs = np.array([predicate.cost for predicate in predicates])[which][ends].sum(axis=1)
    places = which[ends[np.argsort(costs, kind="stable")[:_SAME_AXIS_PAIRS]]]
    both = (pool.per_axis[:, places[:, 0]] & pool.per_axis[:, places[:, 1]]).any(axis=0)
    return [_both(predicates[i], predicates[j]) for i, j in places], [(int(i), int(j)) for i, j in places], both


def _both(first: Predicate, second: Predicate) -> Atom:
    return Atom(f"any(({first.text}) & ({second.text}))", first.cost + second.cost + _SAME_AXIS)


def _cheapest_predicates(pool: Pool, which: NDArray[np.intp]) -> NDArray[np.intp]:
    """The cheapest of those that are the same on every axis, without what always holds."""
    predicates = pool.words.predicates
    seen: dict[bytes, int] = {}
    for at in sorted(which, key=lambda at: (predicates[at].cost, len(predicates[at].text))):
        seen.setdefault(np.packbits(pool.per_axis[:, at][:, pool.usable]).tobytes(), int(at))
    always = pool.per_axis.any(axis=1) if len(pool.words.predicates) else np.empty((3, 0), bool)
    useful = [at for at in seen.values() if (pool.per_axis[:, at] != always).any()]
    return np.array(useful[:_PAIRED], dtype=np.intp)


def _singles(
    inside: Truths, costs: NDArray[np.float32], price: NDArray[np.float32], borne: int
) -> Iterator[tuple[float, tuple[int, ...]]]:
    counts = inside.sum(axis=1)
    for at in np.flatnonzero(counts <= borne):
        yield float(costs[at] + inside[at] @ price), (int(at),)


def _pairs(
    inside: Truths, costs: NDArray[np.float32], price: NDArray[np.float32], borne: int
) -> list[tuple[float, tuple[int, ...]]]:
    dense = inside.astype(np.float32)
    counts = dense @ dense.T
    total = (dense * price) @ dense.T + costs[:, None] + costs[None] + np.float32(_AND)
    alone = dense.sum(axis=1)
    more = counts < np.minimum(alone[:, None], alone[None])
    left, right = np.nonzero(np.triu((counts <= borne) & more, 1))
    order = np.argsort(total[left, right], kind="stable")[: 2 * _KEPT]
    return [(float(total[left[at], right[at]]), (int(left[at]), int(right[at]))) for at in order]


def _triples(
    inside: Truths, costs: NDArray[np.float32], price: NDArray[np.float32], borne: int
) -> list[tuple[float, tuple[int, ...]]]:
    """Triples of the cheaper atoms; the passing rows inside the first are all that matter to the other two."""
    found: list[tuple[float, tuple[int, ...]]] = []
    several = min(_TRIPLED, len(inside))
    for at in range(several - 2):
        rows = inside[at]
        rest = inside[at + 1 : several, rows]
        pairs = _pairs(rest, costs[at + 1 : several], price[rows], borne)
        found += [(float(costs[at]) + _AND + cost, (at, i + at + 1, j + at + 1)) for cost, (i, j) in pairs[:_KEPT]]
        found = sorted(found)[:_KEPT]
    return found


def _joined(part: _Part, cost: float, members: tuple[int, ...]) -> Hypothesis:
    atoms = [part.atoms[at] for at in members]
    holds: Truths = part.holds[list(members)].all(axis=0)
    places = tuple(part.places[at] for at in members)
    return Hypothesis(" and ".join(atom.text for atom in atoms), cost, holds, (places,), max(atom.axis for atom in atoms))


def _disjunctions(pool: Pool, best: float) -> list[Hypothesis]:
    """Two conditions of which one holds; the first on the minimal case, the second wherever the first does not."""
    found: list[Hypothesis] = []
    rests: dict[bytes, list[Hypothesis]] = {}
    for first in _pure(pool):
        if first.cost + 2.0 + _OR >= best:
            continue
        rest = pool.failing[~first.holds[pool.failing]]
        if not len(rest):
            continue
        key = rest.tobytes()
        if key not in rests:
            if len(rests) >= _RESTS:
                continue
            rests[key] = _conjunctions(pool, rest, most=12, same_axis=len(rests) < 3, triples=False)
        found += [_either(first, second) for second in rests[key] if not (first.axis and second.axis)]
        best = min([best, *(one.cost + 2.0 for one in found)])
    return found


def _either(first: Hypothesis, second: Hypothesis) -> Hypothesis:
    """An axis that may not be there is asked for last, for nothing is asked after it."""
    shorter, longer = sorted((first, second), key=lambda one: (one.axis, *one.key))
    cost = first.cost + second.cost + _OR
    text, holds = f"{shorter.text} or {longer.text}", first.holds | second.holds
    return Hypothesis(text, cost, holds, (*shorter.places, *longer.places), longer.axis)


def _pure(pool: Pool) -> list[Hypothesis]:
    """Conditions that hold on the minimal case and hardly on a passing one, those that explain most for their cost."""
    here = np.flatnonzero(pool.atoms[:, pool.minimal])
    here = here[pool.atoms[np.ix_(here, pool.failing)].sum(axis=1) > 1]
    atoms, places = [pool.words.atoms[at] for at in here], [(int(at),) for at in here]
    part = _cheapest(atoms, places, pool.atoms[here], pool.usable)
    inside = part.holds[:, pool.passing]
    costs = np.array([atom.cost for atom in part.atoms], dtype=np.float32)
    fails = part.holds[:, pool.failing]
    borne = int(TOLERATED * len(pool.failing) / 2)
    chosen = [*_singles(inside, costs, pool.price, borne), *_pairs(inside, costs, pool.price, borne)]
    explained = [int(fails[list(members)].all(axis=0).sum()) for _, members in chosen]
    worth = sorted(
        zip(chosen, explained, strict=True), key=lambda one: one[0][0] - 3.0 * np.log2(one[1] / len(pool.failing))
    )
    return [_joined(part, cost, members) for (cost, members), _ in worth[:60]]
