"""The atoms that conditions are made of: what a maintainer would write about one case, each with a cost.

The cost is how much there is to say: a threshold costs least where it is where a thing begins (``max(d) > 1``), more
for a derived name, an index, a remainder. Among conditions that say the same the cheapest is printed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.campaign.learning.rows import Columns, Rows, Truths, columns
from harness.layer import MAX_NDIM
from harness.values import DTYPES

Test: TypeAlias = "Callable[[Columns], Truths]"
Value: TypeAlias = "Callable[[Columns], Rows]"

_LEAST = {"k": 1, "s": 1, "d": 1, "n": 1, "m": 1, "e": 1, "p": 0, "a": 0}
#: in the order in which they are compared: ``a >= s`` rather than ``s <= a``
_NAME_COST = {"a": 0.0, "m": 0.2, "p": 0.0, "hi": 0.3, "n": 0.0, "d": 0.0, "s": 0.0, "k": 0.0, "e": 0.3}
_SINGLE_COST = {
    "g": 0.0,
    "batch": 0.0,
    "ndim": 0.0,
    "in_channels": 0.1,
    "out_channels": 0.1,
    "in_channels // g": 0.5,
    "out_channels // g": 0.5,
}
_FAR = (20, 24, 25, 31, 32, 33, 48, 49, 63, 64, 65, 96, 97, 127, 128, 129, 255, 256, 257)
_REMAINDERS = ((2, 0), (2, 1), (3, 0), (4, 0), (8, 0), (16, 0))


@dataclass(frozen=True, slots=True)
class Predicate:
    """A truth for each axis: how it is written (``{}`` for an index), what it costs, and its value (3, N).

    ``extremes`` are how any() and all() of it are written in words of max() and min(), where that reads better.
    """

    template: str
    cost: float
    test: Test
    extremes: tuple[str, str] | None = None
    indexed: bool = True

    @property
    def text(self) -> str:
        """Without an index."""
        return self.template.replace("{}", "")


@dataclass(frozen=True, slots=True)
class Atom:
    """A truth: its text and its cost; ``axis`` where it asks for an axis that is not always there."""

    text: str
    cost: float
    axis: int = 0


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Every predicate about axes and every one about the whole case; ``atoms`` in the order of ``evaluate``."""

    predicates: tuple[Predicate, ...]
    singles: tuple[tuple[Atom, Test], ...]
    atoms: tuple[Atom, ...]

    def evaluate(self, rows: Rows) -> tuple[Truths, Truths]:
        """The atoms (A, N), and the predicates axis by axis (3, P, N), false where there is no axis."""
        of = columns(rows)
        per_axis = np.empty((MAX_NDIM, len(self.predicates), len(rows)), dtype=bool)
        for at, predicate in enumerate(self.predicates):
            per_axis[:, at] = predicate.test(of)
        there = of.there[:, None, :]
        given = per_axis & there
        missing = per_axis | ~there
        last = np.where(there[2], given[2], np.where(there[1], given[1], given[0]))
        single = np.array([test(of) for _, test in self.singles], dtype=bool)
        indexed = [predicate.indexed for predicate in self.predicates]
        parts = (
            given[0] | given[1] | given[2],
            missing[0] & missing[1] & missing[2],
            given[0][indexed],
            last[indexed],
            given[1][indexed],
            given[2][indexed],
            single,
        )
        return np.concatenate(parts), given


def vocabulary(near: Rows) -> Vocabulary:
    """The vocabulary with the thresholds that are telling around some rows, the minimal case first of all.

    >>> words = vocabulary(np.array([[1, *[1] * 6, *[0] * 6, *[1] * 6, 1, 1, 1, 1, 0, 0]]))
    >>> {"max(d) > 1", "any(a >= s)", "k[0] % 2 == 0", "g > 1", "in_channels >= 16"} <= {a.text for a in words.atoms}
    True
    """
    of = columns(near)
    predicates = (*_thresholds(of), *_compared(), *_divided())
    singles = (*_single_thresholds(of), *_single_compared(), *_recipe(), *_unequal_axes())
    return Vocabulary(predicates, singles, (*_quantified(predicates), *(atom for atom, _ in singles)))


def _quantified(predicates: Sequence[Predicate]) -> Iterator[Atom]:
    for predicate in predicates:
        text = predicate.extremes[0] if predicate.extremes else f"any({predicate.text})"
        yield Atom(text, predicate.cost)
    for predicate in predicates:
        text = predicate.extremes[1] if predicate.extremes else f"all({predicate.text})"
        yield Atom(text, predicate.cost + 0.6)
    for index, cost in (("0", 0.5), ("-1", 0.5), ("1", 1.1), ("2", 1.1)):
        for predicate in predicates:
            if predicate.indexed:
                text = predicate.template.replace("{}", f"[{index}]")
                yield Atom(text, predicate.cost + cost, max(int(index), 0))


def _at_least(number: int) -> str:
    """``>= 16`` where that is the rounder number, otherwise ``> 2``."""
    return f">= {number}" if number >= 4 and number & (number - 1) == 0 else f"> {number - 1}"


def _below(number: int) -> str:
    return f"< {number}" if number < 4 or number & (number - 1) == 0 else f"<= {number - 1}"


def _numbers(least: int, most: int, near: Iterable[int]) -> list[int]:
    around = {value + step for value in near for step in (-1, 0, 1, 2)}
    return sorted(n for n in {*range(least, 18), *_FAR, *around} if least <= n <= most)


# Per axis ----------------------------------------------------------------------------------------------------------


def _thresholds(of: Columns) -> Iterator[Predicate]:
    for name, extra in _NAME_COST.items():
        near = set(of.axes[name][of.there].tolist())
        yield from _about(f"{name}{{}}", lambda c, n=name: c.axes[n], _LEAST.get(name, -4), near, extra, plain=True)
    for text, value, cost in _TERMS:
        near = set(value(of)[of.there].tolist())
        yield from _about(text, value, 1, near, cost, plain=False)


def _about(text: str, value: Value, least: int, near: set[int], extra: float, *, plain: bool) -> Iterator[Predicate]:
    """Everything said with a number about one term."""
    most = 64 if text[:1] in "kspad" else 300
    for number in _numbers(least + 1, most, near):
        least_of_all = number == least + 1 and least >= 0
        cost = 2.0 + extra + (0.0 if least_of_all or number in (0, 1) else 0.3)
        yield _threshold(text, _at_least(number), cost, lambda c, v=value, n=number: v(c) >= n, plain, ">")
        if not least_of_all:
            yield _threshold(text, _below(number), cost + 0.2, lambda c, v=value, n=number: v(c) < n, plain, "<")
    for number in sorted({*range(least, 9), *near}):
        cost = 2.6 + extra + 0.2 * (number != least)
        yield Predicate(f"{text} == {number}", cost, lambda c, v=value, n=number: v(c) == n, None, plain)
        if number != least or least < 0:
            yield Predicate(f"{text} != {number}", cost + 0.3, lambda c, v=value, n=number: v(c) != n, None, plain)


def _threshold(text: str, said: str, cost: float, test: Test, plain: bool, sign: str) -> Predicate:
    bare = text.replace("{}", "")
    extremes = None
    if plain and not said.endswith(" 0"):
        strongest, weakest = ("max", "min") if sign == ">" else ("min", "max")
        extremes = f"{strongest}({bare}) {said}", f"{weakest}({bare}) {said}"
    return Predicate(f"{text} {said}", cost, test, extremes, plain)


_TERMS: tuple[tuple[str, Value, float], ...] = (
    ("k * d", lambda c: c.axes["k"] * c.axes["d"], 1.0),
    ("k * s", lambda c: c.axes["k"] * c.axes["s"], 1.0),
    ("n * s", lambda c: c.axes["n"] * c.axes["s"], 1.0),
    ("n * k", lambda c: c.axes["n"] * c.axes["k"], 1.2),
    ("s * d", lambda c: c.axes["s"] * c.axes["d"], 1.0),
    ("p + a", lambda c: c.axes["p"] + c.axes["a"], 1.0),
    ("s + d", lambda c: c.axes["s"] + c.axes["d"], 1.2),
    ("k + s", lambda c: c.axes["k"] + c.axes["s"], 1.2),
    ("k + d", lambda c: c.axes["k"] + c.axes["d"], 1.2),
    ("e + s", lambda c: c.axes["e"] + c.axes["s"], 1.4),
    ("n + k", lambda c: c.axes["n"] + c.axes["k"], 1.4),
)

#: what is compared with what: both sides' texts, values and cost
_SIDES: dict[str, tuple[Value, float]] = {
    **{f"{n}{{}}": (lambda c, n=n: c.axes[n], cost) for n, cost in _NAME_COST.items()},
    "2 * p{}": (lambda c: 2 * c.axes["p"], 0.6),
    "2 * s{}": (lambda c: 2 * c.axes["s"], 0.8),
    "2 * n{}": (lambda c: 2 * c.axes["n"], 0.8),
    "n{} * s{}": (lambda c: c.axes["n"] * c.axes["s"], 0.6),
    "e{} - 1": (lambda c: c.axes["e"] - 1, 0.4),
    "k{} - 1": (lambda c: c.axes["k"] - 1, 0.4),
    "s{} - 1": (lambda c: c.axes["s"] - 1, 0.4),
    "p{} + a{}": (lambda c: c.axes["p"] + c.axes["a"], 0.6),
}


def _compared() -> Iterator[Predicate]:
    for (left, (of_left, one)), (right, (of_right, other)) in itertools.combinations(_SIDES.items(), 2):
        if (left[0], right[0]) in _SAME_NAME:
            continue
        cost = 2.4 + one + other
        equal_alone = right.endswith("- 1")
        for sign, extra, compare in _SIGNS:
            if equal_alone and extra == 0.0:
                continue

            def test(c: Columns, f: Value = of_left, g: Value = of_right, how: _Compare = compare) -> Truths:
                return how(f(c), g(c))

            yield Predicate(f"{left} {sign} {right}", cost + extra, test, indexed=cost < 3.0)


_Compare: TypeAlias = "Callable[[Rows, Rows], Truths]"
_SIGNS: tuple[tuple[str, float, _Compare], ...] = (
    (">", 0.0, np.greater),
    (">=", 0.0, np.greater_equal),
    ("<", 0.0, np.less),
    ("<=", 0.0, np.less_equal),
    ("==", 0.2, np.equal),
    ("!=", 0.3, np.not_equal),
)
#: a name and a multiple of itself have nothing to say to one another
_SAME_NAME = {("k", "k"), ("s", "s"), ("e", "e"), ("n", "n"), ("p", "p"), ("2", "2"), ("p", "2")} - {("p", "2")}

_DIVIDED = ("k", "n", "m", "s", "p", "a", "d", "e")
_BY_NAME: tuple[tuple[str, Value, str], ...] = (
    *((f"{n}{{}}", lambda c, n=n: c.axes[n], by) for n in ("k", "n", "m", "e", "p") for by in ("s", "d", "k", "n")),
    ("(k{} - 1)", lambda c: c.axes["k"] - 1, "s"),
    ("(e{} - 1)", lambda c: c.axes["e"] - 1, "s"),
    ("(n{} - 1)", lambda c: c.axes["n"] - 1, "s"),
    ("(m{} - 1)", lambda c: c.axes["m"] - 1, "s"),
    ("(p{} + a{})", lambda c: c.axes["p"] + c.axes["a"], "s"),
    ("a{}", lambda c: c.axes["a"], "s"),
    ("s{}", lambda c: c.axes["s"], "d"),
    ("d{}", lambda c: c.axes["d"], "s"),
    ("s{}", lambda c: c.axes["s"], "k"),
    ("k{} * d{}", lambda c: c.axes["k"] * c.axes["d"], "s"),
)


def _divided() -> Iterator[Predicate]:
    for name in _DIVIDED:
        for by, rest in _REMAINDERS[:-1]:
            yield from _remainder(f"{name}{{}}", lambda c, n=name: c.axes[n], by, rest, _NAME_COST[name])
    for text, value, by in _BY_NAME:
        if text == f"{by}{{}}":
            continue
        cost = 3.1 + 0.2 * text.count("-") + 0.1 * len(text.replace("{}", "")) / 2

        def zero(c: Columns, f: Value = value, n: str = by) -> Truths:
            return np.equal(f(c) % c.axes[n], 0)

        def other(c: Columns, f: Value = value, n: str = by) -> Truths:
            return np.not_equal(f(c) % c.axes[n], 0)

        yield Predicate(f"{text} % {by}{{}} == 0", cost, zero, indexed=False)
        yield Predicate(f"{text} % {by}{{}} != 0", cost + 0.1, other, indexed=False)


def _remainder(text: str, value: Value, by: int, rest: int, extra: float) -> Iterator[Predicate]:
    cost = 2.7 + extra + 0.1 * (by > 2)
    yield Predicate(f"{text} % {by} == {rest}", cost, lambda c: value(c) % by == rest)
    if by > 2:
        yield Predicate(f"{text} % {by} != {rest}", cost + 0.2, lambda c: value(c) % by != rest)


# Of the whole case -------------------------------------------------------------------------------------------------


def _single_thresholds(of: Columns) -> Iterator[tuple[Atom, Test]]:
    for name, extra in _SINGLE_COST.items():
        near = set(of.single[name].tolist())
        most = MAX_NDIM if name == "ndim" else 300
        for number in _numbers(2, most, near):
            cost = 2.0 + extra + (0.0 if number == 2 else 0.3)
            yield Atom(f"{name} {_at_least(number)}", cost), lambda c, n=name, v=number: c.single[n] >= v
            if number > 2:
                yield Atom(f"{name} {_below(number)}", cost + 0.2), lambda c, n=name, v=number: c.single[n] < v
        for number in sorted({*range(1, min(most, 8) + 1), *near}):
            cost = 2.2 + extra + 0.2 * (number > 3)
            yield Atom(f"{name} == {number}", cost), lambda c, n=name, v=number: c.single[n] == v
            if number > 1:
                yield Atom(f"{name} != {number}", cost + 0.4), lambda c, n=name, v=number: c.single[n] != v
        if name != "ndim":
            yield from _single_remainders(name, extra)


def _single_remainders(name: str, extra: float) -> Iterator[tuple[Atom, Test]]:
    for by, rest in _REMAINDERS:
        cost = 2.7 + extra + 0.1 * (by > 2)
        yield Atom(f"{name} % {by} == {rest}", cost), lambda c, b=by, r=rest: c.single[name] % b == r
        if by > 2:
            yield Atom(f"{name} % {by} != {rest}", cost + 0.2), lambda c, b=by, r=rest: c.single[name] % b != r


_SINGLE_PAIRS = (
    ("g", "in_channels"),
    ("g", "out_channels"),
    ("in_channels", "out_channels"),
    ("g", "in_channels // g"),
    ("g", "out_channels // g"),
    ("in_channels", "out_channels // g"),
    ("in_channels // g", "out_channels // g"),
    ("batch", "in_channels"),
    ("batch", "out_channels"),
    ("batch", "g"),
)


def _single_compared() -> Iterator[tuple[Atom, Test]]:
    for left, right in _SINGLE_PAIRS:
        cost = 2.4 + _SINGLE_COST[left] + _SINGLE_COST[right]
        for sign, extra, compare in _SIGNS:

            def test(c: Columns, x: str = left, y: str = right, how: _Compare = compare) -> Truths:
                return how(c.single[x], c.single[y])

            yield Atom(f"{left} {sign} {right}", cost + extra), test


def _recipe() -> Iterator[tuple[Atom, Test]]:
    yield Atom("bias", 1.9), lambda c: c.single["bias"] == 1
    yield Atom("not bias", 2.0), lambda c: c.single["bias"] == 0
    for number, name in enumerate(DTYPES):
        yield Atom(f'dtype == "{name}"', 2.0), lambda c, n=number: c.single["dtype"] == n
        yield Atom(f'dtype != "{name}"', 2.3), lambda c, n=number: c.single["dtype"] != n
    for one, other in itertools.combinations(range(len(DTYPES)), 2):
        text = f'dtype in ("{DTYPES[one]}", "{DTYPES[other]}")'
        yield Atom(text, 2.8), lambda c, n=(one, other): np.isin(c.single["dtype"], n)


def _unequal_axes() -> Iterator[tuple[Atom, Test]]:
    """Axes that differ from one another."""
    for name, extra in _NAME_COST.items():
        yield Atom(f"max({name}) != min({name})", 3.0 + extra), lambda c, n=name: ~_alike(c, n)
        yield Atom(f"max({name}) == min({name})", 3.1 + extra), lambda c, n=name: _alike(c, n)
        for one, other in ((0, -1), (0, 1), (1, 2), (1, -1)):
            for sign, more, compare in _SIGNS:

                def test(c: Columns, n: str = name, i: int = one, j: int = other, how: _Compare = compare) -> Truths:
                    there: Truths = c.there[max(i, j)]
                    return how(_axis(c, n, i), _axis(c, n, j)) & there

                cost = 2.9 + extra + (0.6 if (one, other) in ((1, 2), (1, -1)) else 0.0) - 0.4 * (sign == "!=")
                yield Atom(f"{name}[{one}] {sign} {name}[{other}]", cost + more, max(one, other)), test


def _axis(of: Columns, name: str, index: int) -> Rows:
    values = of.axes[name]
    if index >= 0:
        return values[index]
    last: NDArray[np.int64] = values[of.single["ndim"] - 1, np.arange(values.shape[1])]
    return last


def _alike(of: Columns, name: str) -> Truths:
    values, there = of.axes[name], of.there
    same: Truths = ((values == values[0]) | ~there).all(axis=0)
    return same
