"""A bounded box of layers with their inputs, every tuple of it in a fixed order that is cheap to index.

What one axis may be (n, k, s, p, a, d, without those that PyTorch's rule ``a < max(s, d)`` forbids and those that leave
no output) stands in a table, and so do the channels. With one axis every row of the first meets every row of the
second. With more, every row on the first axis meets ``cross`` of the combinations of rows on the others and channels,
all of them if there are no more. No combination is met twice, and whatever ``cross`` is, every row is met on each axis.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness import sizes
from harness.errors import UsageError
from harness.layer import Case, Layer
from strategies.bounds import fits

Indices: TypeAlias = NDArray[np.int64]

#: least and most of each coordinate; ``c`` are channels per group, ``cross`` the meetings of a row of the first axis
LIMITS = {
    "ndim": (1, 3),
    "n": (1, 32),
    "k": (1, 32),
    "s": (1, 16),
    "p": (0, 32),
    "a": (0, 15),
    "d": (1, 16),
    "g": (1, 8),
    "c": (1, 8),
    "bias": (0, 1),
    "cross": (1, 100_000),
}
DEFAULT = "ndim<=2,n<=5,k<=4,s<=3,p<=3,d<=2,g<=2,c<=2,cross<=64"

MAX_ROWS = 100_000
MAX_TUPLES = 4_000_000

_ALL, _COARSE = -1, 0b11111

_BOUND = re.compile(r"(?P<name>[a-z]+)\s*(?P<relation><=|>=|==)\s*(?P<value>\d{1,9})")
_AXIS = ("n", "k", "s", "p", "a", "d")
_FORM = f"write bounds like k<=4,s>=2,d==1 of {', '.join(LIMITS)}"


@dataclass(frozen=True)
class Box:
    """The bounds (least, most) of each coordinate, and what follows from them. ``seed`` is that of its arrays.

    Raises:
        UsageError: (from ``parse`` and ``check``) with the value, the rule and what to do.

    >>> box = Box.parse("ndim==1,n<=2,k<=2,s==2,p==0,d==1,g==1,c==1,bias==0")
    >>> len(box), box.case(3).layer.kernel_size, box.case(3).input_size
    (8, (2,), (1,))
    >>> [case.layer.output_padding for case in box.cases(range(4))]
    [(0,), (1,), (0,), (1,)]
    """

    bounds: Mapping[str, tuple[int, int]]
    seed: int = field(default=0, kw_only=True)

    @classmethod
    def parse(cls, text: str) -> Box:
        """The box of bounds like ``k<=4,s>=2,d==1``; what is not said is as in ``DEFAULT``."""
        bounds = _read(DEFAULT, dict(LIMITS))
        box = cls(_read(text, bounds))
        box.check()
        return box

    def check(self) -> None:
        """Refuse a box that is empty, larger than can be enumerated, or holds a case beyond the work bound."""
        extents = [self.bounds[name] for name in _AXIS]
        rows = math.prod(most - least + 1 for least, most in extents)
        if rows > 100 * MAX_ROWS or len(self.rows) > MAX_ROWS:
            count = rows if rows > 100 * MAX_ROWS else len(self.rows)
            raise UsageError(f"--box {self}: {count:,} tuples for one axis, more than {MAX_ROWS:,}: lower n, k, s or p")
        if not len(self.rows):
            raise UsageError(f"--box {self}: no tuple with a < max(s, d) leaves an output: lower p, or raise n or k")
        if len(self) > MAX_TUPLES:
            raise UsageError(f"--box {self}: {len(self):,} tuples, more than {MAX_TUPLES:,}: lower a bound, or cross")
        if not fits(*self._largest):
            raise UsageError(f"--box {self}: its largest case is beyond the work bound: lower ndim, n, k, s, d, g or c")

    def __str__(self) -> str:
        """The bounds as ``parse`` reads them.

        >>> Box.parse(str(Box.parse("k==3,n<=2"))) == Box.parse("n<=2,k==3")
        True
        """
        return ",".join(
            f"{name}=={least}"
            if least == most
            else f"{name}<={most}"
            if least == low
            else f"{name}>={least},{name}<={most}"
            for (name, (least, most)), (low, _) in zip(self.bounds.items(), LIMITS.values(), strict=True)
        )

    def __len__(self) -> int:
        """How many tuples it has."""
        return sum(part.count for part in self._parts)

    @cached_property
    def rows(self) -> Indices:
        """What one axis may be: a row (n, k, s, p, a, d) for each."""
        ranges = [np.arange(least, most + 1) for least, most in (self.bounds[name] for name in _AXIS)]
        rows = np.stack([grid.ravel() for grid in np.meshgrid(*ranges, indexing="ij")], axis=1)
        *_, s, _, a, d = rows.T
        return np.ascontiguousarray(rows[(a < np.maximum(s, d)) & (_output_sizes(rows) >= 1)])

    @cached_property
    def channels(self) -> Indices:
        """Groups, channels in and out, bias: a row for each."""
        groups, per_group, bias = (range(least, most + 1) for least, most in map(self.bounds.get, ("g", "c", "bias")))  # type: ignore[misc]  # every coordinate has bounds
        return np.array([(g, g * i, g * o, b) for g, i, o, b in product(groups, per_group, per_group, bias)])

    def block(self, start: int, count: int) -> range:
        """So many ordinals from ``start`` on, all of one number of axes."""
        part = self._part(start)
        return range(start, min(start + count, part.start + part.count))

    def indices(self, ordinals: Sequence[int]) -> tuple[Indices, Indices]:
        """Rows per axis (one line each) and of the channels, of ordinals of one number of axes."""
        part = self._part(ordinals[0])
        return part.indices(np.asarray(ordinals, dtype=np.int64) - part.start)

    def shapes(self, ordinals: Sequence[int]) -> Indices:
        """The predicted output shape (1, C_out, *m) of each, ordinals of one number of axes."""
        axes, channels = self.indices(ordinals)
        ones = np.ones(len(channels), dtype=np.int64)
        return np.stack([ones, self.channels[channels, 2], *self._row_sizes[axes]], axis=1)

    def beyond_stride(self, ordinals: Sequence[int]) -> NDArray[np.bool_]:
        """Where ``a >= s`` on some axis: the forward convolution may not lead back from the output size."""
        axes, _ = self.indices(ordinals)
        found: NDArray[np.bool_] = (self.rows[axes, 4] >= self.rows[axes, 2]).any(axis=0)
        return found

    def cases(self, ordinals: Sequence[int]) -> list[Case]:
        """The cases of ordinals of one number of axes: exact float32 integers, batch 1."""
        axes, channels = self.indices(ordinals)
        rows = self.rows[axes].transpose(1, 2, 0).tolist()
        return [self._case(row, *chosen) for row, chosen in zip(rows, self.channels[channels].tolist(), strict=True)]

    def case(self, ordinal: int) -> Case:
        """The case of one ordinal."""
        return self.cases([ordinal])[0]

    def sample(self, each: int) -> NDArray[np.bool_]:
        """Whether each ordinal is in a sample: of every stratum ``each`` tuples, chosen by what they are.

        A stratum has the same relations on its axes, in whatever order, and is grouped or not; with more than one axis
        only the first few relations count, or nearly every tuple would be a stratum of its own.
        """
        chosen = [self._sampled(part, each) for part in self._parts]
        return np.concatenate(chosen)

    def _sampled(self, part: _Part, each: int) -> NDArray[np.bool_]:
        axes, channels = part.indices(np.arange(part.count))
        marks = relations(self.rows) & (_ALL if part.ndim == 1 else _COARSE)
        strata = np.unique(marks, return_inverse=True)[1].astype(np.int64)
        count = int(strata.max()) + 1
        key = (self.channels[channels, 0] > 1).astype(np.int64)
        mixed = _mix(self.channels[channels].T)
        for place in np.sort(strata[axes], axis=0):
            key = key * count + place
        for place in axes:
            mixed = _mix([mixed, _mix(self.rows.T)[place]])
        order = np.lexsort((mixed, key))
        ordered = key[order]
        first = np.searchsorted(ordered, ordered, side="left")
        chosen = np.zeros(part.count, dtype=np.bool_)
        chosen[order[np.arange(part.count) - first < each]] = True
        return chosen

    @cached_property
    def _row_sizes(self) -> Indices:
        return _output_sizes(self.rows)

    @cached_property
    def _parts(self) -> tuple[_Part, ...]:
        """One for each number of axes, in this order."""
        return tuple(self._make_parts())

    def _make_parts(self) -> Iterator[_Part]:
        least, most = self.bounds["ndim"]
        start = 0
        for ndim in range(least, most + 1):
            combinations = len(self.rows) ** (ndim - 1) * len(self.channels)
            met = combinations if ndim == 1 else min(self.bounds["cross"][1], combinations)
            yield (part := _Part(start, ndim, len(self.rows), len(self.channels), met))
            start += part.count

    def _part(self, ordinal: int) -> _Part:
        return next(part for part in reversed(self._parts) if part.start <= ordinal)

    def _case(self, row: list[list[int]], groups: int, inputs: int, outputs: int, bias: int) -> Case:
        n, k, s, p, a, d = row
        return Case(Layer(inputs, outputs, k, s, p, a, d, groups, bool(bias)), input_size=n, seed=self.seed)

    @property
    def _largest(self) -> tuple[Layer, tuple[int, ...]]:
        most = {name: high for name, (_, high) in self.bounds.items()}
        channels = most["g"] * most["c"]
        layer = Layer(channels, channels, most["k"], most["s"], 0, 0, most["d"], most["g"], ndim=most["ndim"])
        return layer, (most["n"],) * most["ndim"]


@dataclass(frozen=True)
class _Part:
    """The tuples of one number of axes: their first ordinal, the rows of an axis and of the channels, the meetings."""

    start: int
    ndim: int
    rows: int
    channels: int
    met: int

    @property
    def count(self) -> int:
        """How many there are."""
        return self.rows * self.met

    def indices(self, ordinals: Indices) -> tuple[Indices, Indices]:
        """The rows of ordinals that count from 0: the first axis runs fastest.

        In each meeting every axis runs through every row once, from another one and in other steps.
        """
        meeting, first = np.divmod(ordinals, self.rows)
        combinations = self.rows ** (self.ndim - 1) * self.channels
        # A step without a common divisor meets every combination once before it meets one again.
        rest, channel = np.divmod(meeting * _coprime(combinations, 0.618034) % combinations, self.channels)
        axes = [first]
        for axis in range(1, self.ndim):
            rest, start = np.divmod(rest, self.rows)
            axes.append((first * _coprime(self.rows, 0.381966 / axis) + start) % self.rows)
        return np.stack(axes), (first + channel) % self.channels


def _coprime(count: int, share: float) -> int:
    """About this share of a count, without a common divisor."""
    step = max(1, round(count * share))
    while math.gcd(step, count) > 1:
        step += 1
    return step


def relations(rows: Indices) -> Indices:
    """The relations of every row (n, k, s, p, a, d) that decide how an axis behaves, a bit for each.

    >>> longer, other = relations(np.array([[3, 3, 2, 1, 1, 1], [4, 3, 2, 1, 1, 1], [1, 3, 2, 0, 1, 1]]))[1:]
    >>> bool(longer == relations(np.array([[3, 3, 2, 1, 1, 1]]))[0]), bool(longer == other)
    (True, False)
    """
    n, k, s, p, a, d = rows.T
    e = sizes.effective_kernel_size(k, dilation=d)
    coarse = (k < s, a >= s, p == 0, p >= e, d > 1)
    fine = (n == 1, a == s - 1, a == 0, a > p, 2 * p == e - 1, s > 1, k == s, k % s == 0, k == 1, np.gcd(s, d) > 1)
    marks = [mark.astype(np.int64) << place for place, mark in enumerate((*coarse, *fine))]
    found: Indices = np.sum(marks, axis=0, dtype=np.int64)
    return found


def _output_sizes(rows: Indices) -> Indices:
    n, k, s, p, a, d = rows.T
    found: Indices = sizes.output_size(n, kernel_size=k, stride=s, padding=p, output_padding=a, dilation=d)
    return found


def _mix(columns: Any) -> NDArray[np.uint64]:
    """A hash of each column's entries: SplitMix64 (Steele, Lea and Flood 2014) over one after the other."""
    mixed = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        mixed = mixed + np.asarray(column).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
    return mixed


def _read(text: str, bounds: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """The bounds, with what the text says of them in place of what they were."""
    said: dict[str, tuple[int, int]] = {}
    for one in text.split(",") if text.strip() else ():
        match = _BOUND.fullmatch(one.strip())
        if match is None or match["name"] not in LIMITS:
            raise UsageError(f"--box {text!r}: {one.strip()!r} is not a bound of a coordinate: {_FORM}")
        name, value = match["name"], int(match["value"])
        low, high = LIMITS[name]
        if not low <= value <= high:
            raise UsageError(f"--box {text!r}: {name} is from {low} to {high}, not {value}: write a bound in between")
        least, most = said.get(
            name, LIMITS[name] if match["relation"] == ">=" and value > bounds[name][1] else bounds[name]
        )
        least = value if match["relation"] in (">=", "==") else least
        most = value if match["relation"] in ("<=", "==") else most
        said[name] = (least, most)
    for name, (least, most) in said.items():
        if least > most:
            raise UsageError(f"--box {text!r}: no {name} is at least {least} and at most {most}: change one of the two")
    return {**bounds, **said}
