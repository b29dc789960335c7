"""What can be said of a whole case: channels, groups, batch, bias, dtype, the number of axes, unequal axes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from harness.campaign.learning.atoms import (
    SIGNS,
    Atom,
    Compare,
    Test,
    Value,
    at_least,
    below,
    holds,
    remainders,
    rest,
    single,
)
from harness.campaign.learning.atoms import thresholds as numbers
from harness.campaign.learning.axes import NAMES
from harness.campaign.learning.rows import Columns, Rows, Truths
from harness.layer import MAX_NDIM
from harness.values import DTYPES

_COST = {
    "g": 0.0,
    "batch": 0.0,
    "ndim": 0.0,
    "in_channels": 0.1,
    "out_channels": 0.1,
    "in_channels // g": 0.5,
    "out_channels // g": 0.5,
}
_COMPARED = (
    ("g", "in_channels"),
    ("g", "out_channels"),
    ("out_channels", "in_channels"),
    ("g", "in_channels // g"),
    ("g", "out_channels // g"),
    ("in_channels", "out_channels // g"),
    ("in_channels // g", "out_channels // g"),
    ("batch", "in_channels"),
    ("batch", "out_channels"),
    ("batch", "g"),
)


def whole(of: Columns) -> Iterator[tuple[Atom, Test]]:
    """Every such atom, with the thresholds that are telling around some rows."""
    for name, extra in _COST.items():
        yield from _said_with_numbers(name, extra, set(of.single[name].tolist()))
        if name != "ndim":
            yield from _divided(name, extra, set(of.single[name].tolist()))
    for left, right in _COMPARED:
        divides = left == "g" and "//" not in right
        for sign, extra, compare in SIGNS[4:] if divides else SIGNS:
            cost = 2.4 + _COST[left] + _COST[right] + extra
            yield Atom(f"{left} {sign} {right}", cost), holds(single(left), compare, single(right))
    yield from _calculated(of)
    yield from _largest()
    yield from _recipe()
    for name, extra in NAMES.items():
        yield from _unequal(name, extra)
        yield from _extremes(of, name, extra)


def _said_with_numbers(name: str, extra: float, near: set[int]) -> Iterator[tuple[Atom, Test]]:
    most = MAX_NDIM if name == "ndim" else 300
    value = single(name)
    for number in numbers(2, most, near):
        cost = 2.0 + extra + 0.3 * (number > 2)
        yield Atom(f"{name} {at_least(number)}", cost), holds(value, np.greater_equal, number)
        if number > 2:
            yield Atom(f"{name} {below(number)}", cost + 0.2), holds(value, np.less, number)
    for number in sorted({*range(1, min(most, 8) + 1), *near}):
        cost = 2.2 + extra + 0.2 * (number > 3)
        yield Atom(f"{name} == {number}", cost), holds(value, np.equal, number)
        if number > 1:
            yield Atom(f"{name} != {number}", cost + 0.4), holds(value, np.not_equal, number)


def _calculated(of: Columns) -> Iterator[tuple[Atom, Test]]:
    """Products and sums that pass a number, which is not far below what they are in the given rows."""
    for text, value, extra in _terms():
        for most in sorted(set(value(of).tolist())):
            for number in sorted({*range(max(3, most // 2), min(most, 300) + 2), most}):
                cost = 2.6 + extra
                yield Atom(f"{text} {at_least(number)}", cost), holds(value, np.greater_equal, number)
                yield Atom(f"{text} {below(number)}", cost + 0.2), holds(value, np.less, number)


def _terms() -> Iterator[tuple[str, Value, float]]:
    counts = ("batch", "in_channels", "out_channels", "in_channels // g", "out_channels // g")
    for one, other in itertools.combinations(counts, 2):
        yield f"{one} * {other}", _product(single(one), single(other)), _COST[one] + _COST[other]
    yield "in_channels + out_channels", _sum(single("in_channels"), single("out_channels")), 0.2
    for count, name in itertools.product(counts, "knms"):
        for said, value in _of_axes(name):
            yield f"{count} * {said}", _product(single(count), value), 0.6 + _COST[count]
    for name in "knms":
        yield f"{name}[0] * {name}[-1]", _product(_at(name, 0), _at(name, -1)), 0.6


def _of_axes(name: str) -> Iterator[tuple[str, Value]]:
    yield f"{name}[0]", _at(name, 0)
    yield f"{name}[-1]", _at(name, -1)
    yield f"max({name})", _extreme(name, -1)


def _product(one: Value | int, other: Value) -> Value:
    return lambda of: (one if isinstance(one, int) else one(of)) * other(of)


def _sum(one: Value, other: Value) -> Value:
    return lambda of: one(of) + other(of)


def _at(name: str, index: int) -> Value:
    return lambda of: _axis(of, name, index)


def _largest() -> Iterator[tuple[Atom, Test]]:
    """The largest or the smallest of one name beside that of another: ``max(k) > max(s)``."""
    for (left, one), (right, other) in itertools.combinations(NAMES.items(), 2):
        for (first, at), (second, to) in itertools.product((("max", -1), ("min", 1)), repeat=2):
            cost = 3.0 + one + other + 0.3 * (first != second)
            for sign, extra, compare in SIGNS:
                test = holds(_extreme(left, at), compare, _extreme(right, to))
                yield Atom(f"{first}({left}) {sign} {second}({right})", cost + extra), test


def _divided(name: str, extra: float, near: set[int]) -> Iterator[tuple[Atom, Test]]:
    for by, left in remainders(near):
        cost = 2.7 + extra + 0.1 * (by > 2)
        value = rest(single(name), by)
        yield Atom(f"{name} % {by} == {left}", cost), holds(value, np.equal, left)
        if by > 2:
            yield Atom(f"{name} % {by} != {left}", cost + 0.2), holds(value, np.not_equal, left)


def _recipe() -> Iterator[tuple[Atom, Test]]:
    yield Atom("bias", 1.9), holds(single("bias"), np.equal, 1)
    yield Atom("not bias", 2.0), holds(single("bias"), np.equal, 0)
    for number, name in enumerate(DTYPES):
        yield Atom(f'dtype == "{name}"', 2.0), holds(single("dtype"), np.equal, number)
        yield Atom(f'dtype != "{name}"', 2.3), holds(single("dtype"), np.not_equal, number)
    for one, other in itertools.combinations(range(len(DTYPES)), 2):
        yield Atom(f'dtype in ("{DTYPES[one]}", "{DTYPES[other]}")', 2.8), _among(one, other)


def _among(*numbers: int) -> Test:
    def test(of: Columns) -> Truths:
        return np.isin(of.single["dtype"], numbers)

    return test


def _unequal(name: str, extra: float) -> Iterator[tuple[Atom, Test]]:
    """Axes that differ from one another in one name."""
    yield Atom(f"max({name}) != min({name})", 3.0 + extra), _alike(name, np.False_)
    yield Atom(f"max({name}) == min({name})", 3.1 + extra), _alike(name, np.True_)
    twice = holds(_extreme(name, -1), np.greater, _product(2, _extreme(name, 1)))
    yield Atom(f"max({name}) > 2 * min({name})", 3.4 + extra), twice
    for one, other in ((0, -1), (0, 1), (1, 2), (1, -1)):
        for sign, more, compare in SIGNS:
            cost = 2.9 + extra + more + 0.6 * (one == 1) - 0.4 * (sign == "!=")
            text = f"{name}[{one}] {sign} {name}[{other}]"
            yield Atom(text, cost, max(one, other)), _between(name, one, other, compare)


def _extremes(of: Columns, name: str, extra: float) -> Iterator[tuple[Atom, Test]]:
    """The largest and the smallest of all axes, as exactly one number."""
    near = set(of.axes[name][of.there].tolist())
    for number in sorted({*range(9), *near}):
        yield Atom(f"max({name}) == {number}", 3.0 + extra), holds(_extreme(name, -1), np.equal, number)
        yield Atom(f"min({name}) == {number}", 3.0 + extra), holds(_extreme(name, 1), np.equal, number)


def _extreme(name: str, sign: int) -> Value:
    """The smallest (1) or the largest (-1)."""

    def value(of: Columns) -> Rows:
        values = np.where(of.there, sign * of.axes[name], np.iinfo(np.int64).max)
        smallest: Rows = sign * values.min(axis=0)
        return smallest

    return value


def _alike(name: str, wanted: np.bool_) -> Test:
    def test(of: Columns) -> Truths:
        values = of.axes[name]
        same: Truths = ((values == values[0]) | ~of.there).all(axis=0) == wanted
        return same

    return test


def _between(name: str, one: int, other: int, compare: Compare) -> Test:
    def test(of: Columns) -> Truths:
        held: Truths = compare(_axis(of, name, one), _axis(of, name, other)) & of.there[max(one, other)]
        return held

    return test


def _axis(of: Columns, name: str, index: int) -> Rows:
    values = of.axes[name]
    place = of.single["ndim"] - 1 if index < 0 else np.full(values.shape[1], index)
    chosen: Rows = values[place, np.arange(values.shape[1])]
    return chosen
