"""What can be said of each axis: thresholds, equal numbers, comparisons between names, remainders."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from harness.campaign.learning.atoms import (
    SIGNS,
    Compare,
    Predicate,
    Value,
    at_least,
    below,
    holds,
    per_axis,
    remainders,
    rest,
    thresholds,
)
from harness.campaign.learning.rows import Columns, Rows

#: what a name adds to the cost, in the order in which names are compared: ``a >= s`` rather than ``s <= a``
NAMES = {"a": 0.0, "m": 0.2, "p": 0.0, "hi": 0.45, "n": 0.0, "d": 0.0, "s": 0.0, "k": 0.0, "e": 0.3}

_LEAST = {"k": 1, "s": 1, "d": 1, "n": 1, "m": 1, "e": 1, "p": 0, "a": 0, "hi": -4}


def predicates(of: Columns) -> Iterator[Predicate]:
    """Every predicate, with the thresholds that are telling around some rows."""
    for name, extra in NAMES.items():
        near = set(of.axes[name][of.there].tolist())
        yield from _said_with_numbers(f"{name}{{}}", per_axis(name), _LEAST[name], near, extra)
    for text, value, extra in _TERMS:
        yield from _said_with_numbers(text, value, 1, set(value(of)[of.there].tolist()), extra)
    yield from _compared()
    yield from _apart()
    yield from _unlike()
    for name, extra in NAMES.items():
        if name != "hi":
            yield from _divided_by_numbers(name, extra, set(of.axes[name][of.there].tolist()))
    yield from _divided_by_names()


def _said_with_numbers(text: str, value: Value, least: int, near: set[int], extra: float) -> Iterator[Predicate]:
    most = 64 if text[0] in "kspad" else 300
    named = "{}" in text
    for number in thresholds(least + 1, most, near):
        begins = number == least + 1 and least >= 0
        cost = 2.0 + extra + (0.0 if begins or number in (0, 1) else 0.3)
        yield _threshold(text, at_least(number), cost, value, np.greater_equal, number)
        if not begins:
            yield _threshold(text, below(number), cost + 0.2, value, np.less, number)
    for number in sorted({*range(least, 9), *near}):
        cost = 2.5 + (extra if named else 1.5 * extra) + 0.1 * (number != least)
        yield Predicate(f"{text} == {number}", cost, holds(value, np.equal, number), indexed=named)
        if number != least or least < 0:
            yield Predicate(f"{text} != {number}", cost + 0.3, holds(value, np.not_equal, number), indexed=named)


def _threshold(text: str, said: str, cost: float, value: Value, compare: Compare, number: int) -> Predicate:
    """``max(d) > 1`` says any(d > 1), and reads better but for presence: ``any(a > 0)``."""
    extremes = None
    if "{}" in text and not said.endswith(" 0"):
        strongest, weakest = ("max", "min") if said.startswith(">") else ("min", "max")
        name = text.replace("{}", "")
        extremes = f"{strongest}({name}) {said}", f"{weakest}({name}) {said}"
    return Predicate(f"{text} {said}", cost, holds(value, compare, number), extremes, indexed="{}" in text)


def _product(one: str, other: str, *, plus: int = 0) -> Value:
    def value(of: Columns) -> Rows:
        return (of.axes[one] + plus) * of.axes[other]

    return value


def _sum(one: str, other: str) -> Value:
    def value(of: Columns) -> Rows:
        return of.axes[one] + of.axes[other]

    return value


def _half(name: str) -> Value:
    def value(of: Columns) -> Rows:
        return of.axes[name] // 2

    return value


_TERMS: tuple[tuple[str, Value, float], ...] = (
    ("k * d", _product("k", "d"), 1.0),
    ("k * s", _product("k", "s"), 1.0),
    ("n * s", _product("n", "s"), 1.0),
    ("(n - 1) * s", _product("n", "s", plus=-1), 1.2),
    ("n * k", _product("n", "k"), 1.2),
    ("s * d", _product("s", "d"), 1.0),
    ("p + a", _sum("p", "a"), 1.0),
    ("s + d", _sum("s", "d"), 1.2),
    ("k + s", _sum("k", "s"), 1.2),
    ("k + d", _sum("k", "d"), 1.2),
    ("e + s", _sum("e", "s"), 1.4),
    ("n + k", _sum("n", "k"), 1.4),
)

#: what is compared with what: the text, the value and the cost of either side
_SIDES: tuple[tuple[str, Value, float], ...] = (
    ("2 * p{}", per_axis("p", times=2), 0.7),
    *((f"{name}{{}}", per_axis(name), cost) for name, cost in NAMES.items()),
    ("2 * s{}", per_axis("s", times=2), 0.8),
    ("2 * n{}", per_axis("n", times=2), 0.8),
    ("n{} * s{}", _product("n", "s"), 0.8),
    ("p{} + a{}", _sum("p", "a"), 0.6),
    ("e{} - 1", per_axis("e", plus=-1), 0.4),
    ("k{} - 1", per_axis("k", plus=-1), 0.5),
    ("s{} - 1", per_axis("s", plus=-1), 0.4),
    ("k{} // 2", _half("k"), 0.5),
    ("e{} // 2", _half("e"), 0.8),
)


def _compared() -> Iterator[Predicate]:
    for (left, of_left, one), (right, of_right, other) in itertools.combinations(_SIDES, 2):
        if left.replace("2 * ", "")[0] == right.replace("2 * ", "")[0]:
            continue  # a name and a multiple of itself have nothing to say to one another
        cost = 2.4 + one + other
        for sign, extra, compare in SIGNS:
            if extra or not right.endswith("- 1"):  # p > e - 1 is p >= e
                test = holds(of_left, compare, of_right)
                yield Predicate(f"{left} {sign} {right}", cost + extra, test, indexed=cost < 3.0)


def _apart() -> Iterator[Predicate]:
    """Names that are so much apart: ``a >= s - 1``, which no comparison without a number says."""
    for (left, one), (right, other) in itertools.combinations(NAMES.items(), 2):
        if {left, right} == {"p", "hi"}:
            continue  # their difference is a, of which everything is said
        for plus in (-3, -2, -1, 1, 2, 3):
            by = f"{'+' if plus > 0 else '-'} {abs(plus)}"
            cost = 2.9 + one + other + 0.2 * abs(plus)
            for sign, extra, compare in SIGNS:
                if sign in ((">", "<=") if plus < 0 else (">=", "<")):
                    continue  # a > s - 1 is a >= s
                test = holds(per_axis(left), compare, per_axis(right, plus=plus))
                yield Predicate(f"{left}{{}} {sign} {right}{{}} {by}", cost + extra, test, indexed=cost < 3.6)


def _unlike() -> Iterator[Predicate]:
    """Axes that have another number than the first or the last one."""
    for name, extra in NAMES.items():
        for index, at in (("0", 0), ("-1", -1)):
            test = holds(per_axis(name), np.not_equal, _of_axis(name, at))
            yield Predicate(f"{name} != {name}[{index}]", 2.7 + extra, test, indexed=False)


def _of_axis(name: str, index: int) -> Value:
    def value(of: Columns) -> Rows:
        place = of.single["ndim"] - 1 if index < 0 else np.zeros_like(of.single["ndim"])
        chosen: Rows = of.axes[name][place, np.arange(len(place))]
        return chosen

    return value


def _divided_by_numbers(name: str, extra: float, near: set[int]) -> Iterator[Predicate]:
    for by, left in remainders(near):
        cost = 2.7 + extra + 0.1 * (by > 2)
        value = rest(per_axis(name), by)
        yield Predicate(f"{name}{{}} % {by} == {left}", cost, holds(value, np.equal, left))
        if by > 2:
            yield Predicate(f"{name}{{}} % {by} != {left}", cost + 0.2, holds(value, np.not_equal, left))


_DIVIDED: tuple[tuple[str, Value, str], ...] = (
    *((name, per_axis(name), by) for name in ("k", "n", "m", "e", "p") for by in "sdkn" if name != by),
    *((f"({name} - 1)", per_axis(name, plus=-1), "s") for name in ("k", "e", "n", "m")),
    ("(p + a)", _sum("p", "a"), "s"),
    ("a", per_axis("a"), "s"),
    ("s", per_axis("s"), "d"),
    ("d", per_axis("d"), "s"),
    ("s", per_axis("s"), "k"),
    ("k * d", _product("k", "d"), "s"),
)


def _divided_by_names() -> Iterator[Predicate]:
    for text, value, by in _DIVIDED:
        value_left = rest(value, per_axis(by))
        cost = 3.1 + 0.05 * len(text) + 0.2 * ("-" in text)
        for sign, extra, compare in (("== 0", 0.0, np.equal), ("!= 0", 0.1, np.not_equal), ("== 1", 0.4, np.equal)):
            said = int(sign[-1])
            test = holds(value_left, compare, said)
            yield Predicate(f"{text} % {by} {sign}", cost + extra, test, indexed=False)
