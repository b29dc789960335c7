"""The cheapest conditions that separate the failing rows from the passing ones: conjunctions, then disjunctions of two.

A condition holds on every failing row, always. Passing rows on which it holds are exceptions, each at a price, for a
fault may fail to show by chance: of them no more are borne than the pool says, and only where nothing without
exceptions is about as simple.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.campaign.learning.atoms import Atom, Predicate
from harness.campaign.learning.conjunctions import RIVALS, Bearing, Table, quadruples, short, singles, triples
from harness.campaign.learning.rows import Truths
from harness.campaign.learning.vocabulary import Vocabulary

_SAME_AXIS = 0.3
_KEPT = 150
_PAIRED = 200
_COVERING = 400
#: how many are kept that hold on few passing rows, whatever else is promising
_TELLING = 60
_RESTS = 12
_SAME_AXIS_PAIRS = 400
_THIRDS = 60


#: an atom of the vocabulary by its number, or predicates that hold on one axis by theirs
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
    """All rows with their atoms: which fail, which pass, how much an exception on each passing row weighs.

    ``usable`` rows are answered or may be, ``there`` says which axes there are, ``bearing`` how exceptions are borne,
    ``minimal`` which row it is.
    """

    words: Vocabulary
    atoms: Truths
    per_axis: Truths
    failing: NDArray[np.intp]
    passing: NDArray[np.intp]
    weight: NDArray[np.float32]
    usable: Truths
    there: Truths
    bearing: Bearing
    minimal: int = 0

    def table(self, inside: Truths, costs: NDArray[np.float32], failing: int) -> Table:
        """Candidates for a conjunction that holds on so many failing rows."""
        return Table(inside, costs, self.weight, self.bearing, self.bearing.most(failing))


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
    both: Truths = np.logical_or.reduce(np.logical_and.reduce(per_axis[:, list(place)], axis=1))
    return both


def hypotheses(pool: Pool, *, enough: float = 6.0) -> list[Hypothesis]:
    """The cheapest conditions, the best first; disjunctions only where no conjunction is as cheap as ``enough``."""
    found = _conjunctions(pool, pool.failing)
    if not found or found[0].cost > enough:
        found += _disjunctions(pool, found[0].cost if found else np.inf)
    return _distinct(found, pool.usable)[:_KEPT]


def _distinct(found: Iterable[Hypothesis], usable: Truths) -> list[Hypothesis]:
    """The cheapest of those that hold on the same rows."""
    kept: dict[bytes, Hypothesis] = {}
    for one in sorted(found, key=lambda h: h.key):
        kept.setdefault(np.packbits(one.holds & usable).tobytes(), one)
    return list(kept.values())


def _conjunctions(pool: Pool, failing: NDArray[np.intp]) -> list[Hypothesis]:
    """Conjunctions of one to three atoms that hold on all of these failing rows; of four where there are none."""
    part = _part(pool, failing)
    if not part.atoms:
        return []
    inside = part.holds[:, pool.passing]
    costs = np.array([atom.cost for atom in part.atoms], dtype=np.float32)
    table = pool.table(inside, costs, len(failing))
    chosen = short(table)
    best = min((cost for cost, _ in chosen), default=np.inf)
    if best > 6.0:
        chosen += triples(table, best + RIVALS)
    if not chosen and not pool.bearing.by_ratio:
        chosen = quadruples(table)
    chosen.sort(key=lambda one: one[0])
    return [_joined(part, cost, members) for cost, members in chosen[:_KEPT]]


def _part(pool: Pool, failing: NDArray[np.intp]) -> _Part:
    covering = np.flatnonzero(pool.atoms[:, failing].all(axis=1))
    counts = pool.atoms[covering][:, pool.passing].sum(axis=1)
    telling, counts = covering[counts < len(pool.passing)], counts[counts < len(pool.passing)]
    promise = _promise([pool.words.atoms[at].cost for at in telling], counts)
    telling = telling[np.argsort(promise, kind="stable")[: 2 * _COVERING]]
    atoms, places, holds = [pool.words.atoms[at] for at in telling], [(int(at),) for at in telling], pool.atoms[telling]
    paired, pairs, both = _on_one_axis(pool, failing, covering)
    return _different(pool, [*atoms, *paired], [*places, *pairs], np.concatenate([holds, both]))


def _promise(
    costs: Sequence[float] | NDArray[np.float32], passing: NDArray[np.int64], *, weight: float = 0.4
) -> NDArray[np.float64]:
    """The order in which candidates are kept: cheap ones, and those that leave little to be ruled out by others."""
    promise: NDArray[np.float64] = np.array(costs, dtype=np.float64) + weight * np.log2(1.0 + passing)
    return promise


def _different(pool: Pool, atoms: Sequence[Atom], places: Sequence[Place], holds: Truths) -> _Part:
    """The most promising of those that differ on the pool, and some that say nearly all; of the same the cheapest."""
    packed = np.packbits(holds & pool.usable, axis=1)
    first: dict[bytes, int] = {}
    for at in sorted(range(len(atoms)), key=lambda at: (atoms[at].cost, len(atoms[at].text), atoms[at].text)):
        first.setdefault(packed[at].tobytes(), at)
    kept = np.array(list(first.values()), dtype=np.intp)
    costs, passing = [atoms[at].cost for at in kept], holds[kept][:, pool.passing].sum(axis=1)
    promising = np.argsort(_promise(costs, passing), kind="stable")[:_COVERING]
    telling = np.argsort(_promise(costs, passing, weight=1.5), kind="stable")[:_TELLING]
    kept = kept[list(dict.fromkeys([*promising, *telling]))]
    return _Part(tuple(atoms[at] for at in kept), tuple(places[at] for at in kept), holds[kept])


def _on_one_axis(
    pool: Pool, failing: NDArray[np.intp], covering: NDArray[np.intp]
) -> tuple[list[Atom], list[Place], Truths]:
    """Two or three predicates that hold on one and the same axis of every failing row, and say more than fewer do.

    The first atoms are any() of the predicates, so ``covering`` has those that hold on some axis of every such row.
    """
    predicates = pool.words.predicates
    which = _cheapest_predicates(pool, [at for at in covering if at < len(predicates) and predicates[at].cost < 3.6])
    places, counts = _telling_pairs(pool, which, failing)
    promise = _promise([predicates[i].cost + predicates[j].cost for i, j in places], counts)
    pairs = [(int(i), int(j)) for i, j in places[np.argsort(promise, kind="stable")[:_SAME_AXIS_PAIRS]]]
    together: list[Place] = [*pairs, *_telling_threes(pool, pairs[:_THIRDS], which, failing)]
    held = [np.logical_or.reduce(np.logical_and.reduce(pool.per_axis[:, list(place)], axis=1)) for place in together]
    return (
        [_together(predicates, place) for place in together],
        together,
        np.array(held, dtype=bool).reshape(-1, len(pool.usable)),
    )


def _telling_threes(
    pool: Pool, pairs: Sequence[tuple[int, int]], which: NDArray[np.intp], failing: NDArray[np.intp]
) -> list[Place]:
    """A pair and a third, which hold on an axis of every failing row and on fewer passing rows than the pair."""
    fails, passes = (pool.per_axis[:, which][:, :, rows] for rows in (failing, pool.passing))
    found: dict[Place, float] = {}
    for pair in pairs:
        both = pool.per_axis[:, pair[0]] & pool.per_axis[:, pair[1]]
        covers = np.logical_or.reduce(both[:, None, failing] & fails).all(axis=1)
        thirds = which[covers]
        left = np.logical_or.reduce(both[:, None, pool.passing] & passes[:, covers]).sum(axis=1)
        fewer = left < both[:, pool.passing].any(axis=0).sum()
        for third, passing in zip(thirds[fewer].tolist(), left[fewer].tolist(), strict=True):
            place = tuple(sorted((*pair, third)))
            found[place] = sum(pool.words.predicates[at].cost for at in place) + 0.4 * np.log2(1.0 + passing)
    return sorted(found, key=lambda place: found[place])[:_SAME_AXIS_PAIRS]


def _telling_pairs(
    pool: Pool, which: NDArray[np.intp], failing: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Pairs of these predicates that hold on an axis of every failing row, and on fewer passing rows than either.

    Beside them the numbers of these passing rows.
    """
    of_rows = pool.per_axis[:, which]
    fails, passes = (np.packbits(of_rows[:, :, rows], axis=2) for rows in (failing, pool.passing))
    every = np.packbits(np.ones(len(failing), dtype=bool))
    alone = _counts(passes)
    found: list[NDArray[np.intp]] = [np.empty((0, 2), dtype=np.intp)]
    counts: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    for at in range(len(which) - 1):
        together = np.bitwise_or.reduce(fails[:, at, None] & fails[:, at + 1 :])
        covers = at + 1 + np.flatnonzero((together == every).all(axis=1))
        left = _counts(passes[:, at, None] & passes[:, covers])
        fewer = left < np.minimum(alone[at], alone[covers])
        others = which[covers[fewer]]
        found.append(np.stack([np.full(len(others), which[at]), others], axis=1))
        counts.append(left[fewer])
    return np.concatenate(found), np.concatenate(counts)


_ONES = np.array([number.bit_count() for number in range(256)], dtype=np.int64)


def _counts(packed: NDArray[np.uint8]) -> NDArray[np.int64]:
    """On how many rows something packed (3, P, bytes) holds on some axis."""
    counts: NDArray[np.int64] = _ONES[np.bitwise_or.reduce(packed)].sum(axis=1)
    return counts


def _together(predicates: Sequence[Predicate], place: Place) -> Atom:
    said = [predicates[at] for at in sorted(place)]  # the same words whatever was found first
    text = " & ".join(f"({one.text})" for one in said)
    return Atom(f"any({text})", sum(one.cost for one in said) + _SAME_AXIS * (len(place) - 1))


def _cheapest_predicates(pool: Pool, which: Sequence[int]) -> NDArray[np.intp]:
    """The most promising of those that are the same on every axis: cheap ones, and those that seldom hold."""
    predicates = pool.words.predicates
    seen: dict[bytes, int] = {}
    for at in sorted(which, key=lambda at: (predicates[at].cost, len(predicates[at].text))):
        seen.setdefault(np.packbits(pool.per_axis[:, at] & pool.usable).tobytes(), int(at))
    seen.pop(np.packbits(pool.there & pool.usable).tobytes(), None)
    different = np.array(list(seen.values()), dtype=np.intp)
    if not seen:
        return different
    often = _ONES[np.frombuffer(b"".join(seen), dtype=np.uint8).reshape(len(seen), -1)].sum(axis=1)
    promise = np.array([predicates[at].cost for at in different]) + np.log2(1.0 + often)
    chosen: NDArray[np.intp] = different[np.argsort(promise, kind="stable")[:_PAIRED]]
    return chosen


def _joined(part: _Part, cost: float, members: tuple[int, ...]) -> Hypothesis:
    members = tuple(sorted(members, key=lambda at: (part.atoms[at].cost, part.atoms[at].text)))
    atoms = [part.atoms[at] for at in members]
    holds: Truths = np.logical_and.reduce(part.holds[list(members)])
    places = tuple(part.places[at] for at in members)
    return Hypothesis(
        " and ".join(atom.text for atom in atoms), cost, holds, (places,), max(atom.axis for atom in atoms)
    )


def _disjunctions(pool: Pool, best: float) -> list[Hypothesis]:
    """Two conditions of which one holds; the first on the minimal case, the second wherever the first does not."""
    view = _view(pool)
    found: list[tuple[float, _Choice, _Choice]] = []
    rests: dict[bytes, list[_Choice]] = {}
    for first, fails in _pure(pool, view):
        if first.cost + 1.9 + pool.bearing.either >= best or fails.all():
            continue
        key = fails.tobytes()
        if key not in rests and len(rests) < _RESTS:
            rests[key] = _second(pool, view, ~fails, same_axis=len(rests) < 2)
        found += [(first.cost + second.cost + pool.bearing.either, first, second) for second in rests.get(key, ())]
        best = min([best, *(cost + 2.0 for cost, _, _ in found)])
    found.sort(key=lambda one: one[0])
    return [_either(pool, cost, first, second) for cost, first, second in found[:_KEPT] if not first.axis * second.axis]


@dataclass(frozen=True, slots=True)
class _Choice:
    """One conjunction, not yet evaluated on the pool."""

    atoms: tuple[Atom, ...]
    places: tuple[Place, ...]
    cost: float

    @property
    def axis(self) -> int:
        """An axis that may not be there."""
        return max(atom.axis for atom in self.atoms)

    @property
    def text(self) -> str:
        """As it is written."""
        return " and ".join(atom.text for atom in self.atoms)

    @property
    def order(self) -> tuple[int, float, str]:
        """Where it stands in a disjunction, whatever its exceptions."""
        return self.axis, sum(atom.cost for atom in self.atoms), self.text


@dataclass(frozen=True, slots=True)
class _View:
    """The atoms on the failing and on the passing rows, the cheapest first and none twice."""

    numbers: NDArray[np.intp]
    costs: NDArray[np.float32]
    fails: Truths
    passes: Truths


def _view(pool: Pool) -> _View:
    atoms = pool.words.atoms
    fails, passes = pool.atoms[:, pool.failing], pool.atoms[:, pool.passing]
    useful = np.flatnonzero(fails.any(axis=1) & ~passes.all(axis=1))
    packed = np.packbits(np.concatenate([fails[useful], passes[useful]], axis=1), axis=1)
    first: dict[bytes, int] = {}
    for at in sorted(range(len(useful)), key=lambda at: (atoms[useful[at]].cost, len(atoms[useful[at]].text))):
        first.setdefault(packed[at].tobytes(), int(useful[at]))
    numbers = np.array(list(first.values()), dtype=np.intp)
    costs = np.array([atoms[at].cost for at in numbers], dtype=np.float32)
    return _View(numbers, costs, fails[numbers], passes[numbers])


def _pure(pool: Pool, view: _View) -> list[tuple[_Choice, Truths]]:
    """What holds on the minimal case and hardly on a passing one, those that explain most for their cost."""
    here = np.flatnonzero(pool.atoms[view.numbers, pool.minimal])
    here = here[view.fails[here].sum(axis=1) > 1]
    here = here[np.argsort(_promise(view.costs[here], view.passes[here].sum(axis=1)), kind="stable")[:_COVERING]]
    inside, fails, costs = view.passes[here], view.fails[here], view.costs[here]
    chosen = short(pool.table(inside, costs, len(pool.failing) // 2))
    explained = [fails[list(members)].all(axis=0) for _, members in chosen]
    worth = [
        cost - 3.0 * np.log2(which.sum() / len(pool.failing))
        for (cost, _), which in zip(chosen, explained, strict=True)
    ]
    best = np.argsort(worth, kind="stable")[:60]
    return [(_choice(pool, view.numbers[here], *chosen[at]), explained[at]) for at in best]


def _choice(pool: Pool, numbers: NDArray[np.intp], cost: float, members: tuple[int, ...]) -> _Choice:
    atoms = pool.words.atoms
    places = sorted((int(numbers[at]) for at in members), key=lambda at: (atoms[at].cost, atoms[at].text))
    return _Choice(tuple(pool.words.atoms[at] for at in places), tuple((at,) for at in places), cost)


def _second(pool: Pool, view: _View, rest: Truths, *, same_axis: bool) -> list[_Choice]:
    """The cheapest conjunctions that hold on the rest of the failing rows."""
    every = np.flatnonzero(view.fails[:, rest].all(axis=1))
    covering = every[np.argsort(_promise(view.costs[every], view.passes[every].sum(axis=1)), kind="stable")]
    covering = covering[: _COVERING // 2]
    chosen = short(pool.table(view.passes[covering], view.costs[covering], int(rest.sum())))
    found = [_choice(pool, view.numbers[covering], *one) for one in sorted(chosen)[:12]]
    if not same_axis:
        return found
    atoms, places, both = _on_one_axis(pool, pool.failing[rest], view.numbers[every])
    costs = np.array([atom.cost for atom in atoms], dtype=np.float32)
    pairs = sorted(singles(pool.table(both[:, pool.passing], costs, int(rest.sum()))))[:8]
    return found + [_Choice((atoms[at],), (places[at],), cost) for cost, (at,) in pairs]


def _either(pool: Pool, cost: float, first: _Choice, second: _Choice) -> Hypothesis:
    """An axis that may not be there is asked for last, for nothing is asked after it."""
    one, other = sorted((first, second), key=lambda choice: choice.order)
    places = (one.places, other.places)
    held = evaluate(places, pool.atoms, pool.per_axis)
    return Hypothesis(f"{one.text} or {other.text}", cost, held, places, other.axis)
