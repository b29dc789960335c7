"""What a statement is: a text with its source, a box of tuples that is its domain, and a check of each tuple.

A tuple is one spatial axis in the words n, k, s, p, a, d, m, e; many of them are columns of integers. What
is said of tuples (``within``, ``condition``) is an expression of the condition language about one axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness import sizes
from harness.frameworks.base import Api
from harness.judge.condition import Condition, Facts
from harness.layer import Case, Layer
from harness.records import Rule
from harness.sizes import Ints

Row: TypeAlias = Mapping[str, int]
Columns: TypeAlias = Mapping[str, Ints]
Truths: TypeAlias = NDArray[np.bool_]
#: canonical output of one call, None where it was rejected
Answer: TypeAlias = "NDArray[Any] | None"

#: what a coordinate is that a statement does not speak of
_USUAL = {"n": 1, "k": 1, "s": 1, "p": 0, "a": 0, "d": 1}


class Verdict(str, Enum):
    """What became of a statement on its domain.

    ``fails`` where it does not always hold and no condition says exactly where it does.
    """

    HOLDS = "holds"
    FAILS = "fails"
    CONDITIONAL = "conditional"


class Question(NamedTuple):
    """One call that a target is asked, and the layer that it means (None where it is not known to be legal)."""

    case: Case
    layer: Layer | None


Questions: TypeAlias = "tuple[Question, ...]"
Telling: TypeAlias = "Callable[[Row, Questions, Sequence[Answer]], bool | None]"


@dataclass(frozen=True, slots=True)
class Asking:
    """How a tuple is put to a target, and what the answers tell of the statement there.

    ``questions`` gives none where the API has no words for the tuple; ``tells`` gives None where the answers say
    nothing. ``apis`` are those that the statement speaks of, all if none are named. Usually the first mode of an API is
    asked; ``every_mode`` asks all that compute values.
    """

    questions: Callable[[Api | None, Row], Questions]
    tells: Telling
    apis: tuple[str, ...] = ()
    every_mode: bool = False


def _nothing(_: Columns) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with its source, domain and check.

    ``box`` has the values of each coordinate; ``given`` what follows from them; ``within`` leaves out what the
    statement does not speak of, ``domain`` says all that in words. ``holds`` checks every tuple of some columns.
    ``condition`` claims to say exactly where it holds. ``recorded`` is the verdict that is expected, ``observed`` that
    of targets (by name or API) on which another one is.
    """

    id: int
    text: str
    source: Rule
    domain: str
    box: Mapping[str, Sequence[int]]
    holds: Callable[[Columns], Truths]
    asking: Asking
    recorded: Verdict = Verdict.HOLDS
    condition: str | None = None
    within: str | None = None
    given: Callable[[Columns], Mapping[str, Any]] = _nothing
    observed: Mapping[str, Verdict] = field(default_factory=dict)

    def columns(self) -> Columns:
        """Every tuple of the box that is in the domain, the smallest first: by their sum, then in the box's order."""
        values = [np.asarray(each, dtype=np.int64) for each in self.box.values()]
        grid = np.stack([one.ravel() for one in np.meshgrid(*values, indexing="ij")])
        order = np.argsort(grid.sum(axis=0), kind="stable")
        return self.of(dict(zip(self.box, grid[:, order], strict=True)))

    def of(self, coordinates: Columns) -> Columns:
        """Tuples of these coordinates that are in the domain, with what follows from them."""
        count = len(next(iter(coordinates.values())))
        whole = {**{name: np.full(count, value) for name, value in _USUAL.items()}, **coordinates}
        whole |= self.given(whole)
        whole["e"] = sizes.effective_kernel_size(whole["k"], dilation=whole["d"])
        if self.within is None:
            return whole
        inside = truths(self.within, whole)
        return {name: column[inside] for name, column in whole.items()}

    @property
    def words(self) -> str:
        """The domain, with the box that is enumerated."""
        ranges = [f"{name} {_span(values)}" for name, values in self.box.items() if len(values) > 1]
        return f"{self.domain}; every {', '.join(ranges)}"


def truths(condition: str, columns: Columns) -> Truths:
    """Where a condition about one axis holds.

    Raises:
        UsageError: it is no condition, or asks for what the columns do not have.

    >>> truths("k % 2 == 1", {"k": np.array([1, 2, 3])}).tolist()
    [True, False, True]
    """
    read = Condition.parse(f"all({condition})")
    if missing := read.names - columns.keys():
        raise ValueError(f"condition {condition!r} asks for {', '.join(sorted(missing))}, which no tuple has")
    names = sorted(read.names)
    lines = zip(*(columns[name].tolist() for name in names), strict=True)
    return np.array([read.holds(Facts({n: (v,) for n, v in zip(names, line, strict=True)})) for line in lines], bool)


def count_of(columns: Columns) -> int:
    """How many tuples there are."""
    return len(columns["n"])


def row(columns: Columns, at: int) -> dict[str, int]:
    """One tuple."""
    return {name: int(column[at]) for name, column in columns.items()}


def verdict(held: Truths, condition: Truths | None) -> Verdict:
    """The verdict on tuples of which the statement held for some; a condition counts that says exactly for which.

    >>> some = np.array([True, False])
    >>> verdict(some, some).value, verdict(some, ~some).value, verdict(some | True, None).value
    ('conditional', 'fails', 'holds')
    """
    if held.all():
        return Verdict.HOLDS
    exact = condition is not None and held.any() and np.array_equal(held, condition)
    return Verdict.CONDITIONAL if exact else Verdict.FAILS


def _span(values: Sequence[int]) -> str:
    if list(values) == list(range(values[0], values[-1] + 1)):
        return f"{values[0]} to {values[-1]}"
    return f"in {', '.join(map(str, values))}"
