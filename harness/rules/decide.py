"""Deciding a statement by arithmetic: every tuple of its box, then what Hypothesis draws beyond it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.strategies import DrawFn, composite, integers

from harness.rules.statement import Columns, Row, Statement, Truths, Verdict, count_of, row, truths, verdict
from strategies.axis import BIG_KERNEL_SIZES, BIG_STRIDES, DILATIONS, AxisTables, draw_axis

#: tuples that Hypothesis draws beyond a box
DRAWN = 150

_TABLES = AxisTables(BIG_KERNEL_SIZES, BIG_STRIDES, DILATIONS)
#: how many times the box's largest n and m are drawn up to
_BEYOND = 8


@dataclass(frozen=True, slots=True)
class Decision:
    """What arithmetic makes of a statement.

    ``checked`` and ``holds_on`` count the box; ``drawn`` is how many tuples beyond it were looked at. ``condition`` is
    exact on all of them, ``counterexample`` the smallest one; ``deviation`` is the smallest tuple of which the
    statement's condition is wrong. ``columns`` and ``held`` are the box, tuple by tuple.
    """

    verdict: Verdict
    checked: int
    holds_on: int
    drawn: int
    condition: str | None
    counterexample: Row | None
    deviation: Row | None
    columns: Columns = field(repr=False, compare=False)
    held: Truths = field(repr=False, compare=False)


def decide(statement: Statement, *, drawn: int = DRAWN) -> Decision:
    """Check the box, and draw tuples beyond it that would make the verdict another one.

    Raises:
        UsageError: the condition is none, or asks for what no tuple has.
    """
    columns = statement.columns()
    held = statement.holds(columns)
    claimed = None if statement.condition is None else truths(statement.condition, columns)
    found = verdict(held, claimed)
    seen, other = _beyond(statement, found, drawn) if found is not Verdict.FAILS else (0, None)
    if other is not None:
        found = Verdict.FAILS
    deviations = None if claimed is None else held != claimed
    return Decision(
        found,
        count_of(columns),
        int(held.sum()),
        seen,
        statement.condition if found is Verdict.CONDITIONAL else None,
        _first(statement, columns, ~held) or (other if found is Verdict.FAILS else None),
        None if deviations is None else _first(statement, columns, deviations) or other,
        columns,
        held,
    )


def shown(statement: Statement, columns: Columns, at: int) -> Row:
    """A tuple with what the statement speaks of: its coordinates and what follows from them."""
    said = {*statement.box, *statement.given(columns)}
    return {name: value for name, value in row(columns, at).items() if name in said}


def _first(statement: Statement, columns: Columns, where: Truths) -> Row | None:
    return shown(statement, columns, int(where.argmax())) if where.any() else None


def _beyond(statement: Statement, found: Verdict, drawn: int) -> tuple[int, Row | None]:
    """How many tuples of the domain were drawn, and the simplest one that contradicts the verdict."""
    condition = statement.condition if found is Verdict.CONDITIONAL else None
    seen = 0
    last: Row = {}

    @seed(0)
    @settings(
        max_examples=drawn,
        phases=[Phase.generate, Phase.shrink],
        backend="hypothesis",
        database=None,
        deadline=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(coordinates=_tuples(statement))
    def check(coordinates: Mapping[str, int]) -> None:
        nonlocal seen, last
        columns = statement.of({name: np.array([value], dtype=np.int64) for name, value in coordinates.items()})
        if not count_of(columns):
            return
        seen += 1
        expected = True if condition is None else bool(truths(condition, columns)[0])
        if bool(statement.holds(columns)[0]) != expected:
            last = shown(statement, columns, 0)
            raise _Contradicted

    try:
        check()
    except _Contradicted:
        return seen, last
    return seen, None


class _Contradicted(Exception):
    """A tuple beyond the box of which the verdict is wrong."""


@composite
def _tuples(draw: DrawFn, statement: Statement) -> Mapping[str, int]:
    """Larger coordinates than the box's, where it has more than one: an axis as layers have it, and sizes."""
    axis = draw_axis(draw, _TABLES, 0)
    letters: dict[str, Callable[[], int]] = {
        "k": lambda: axis.kernel_size,
        "s": lambda: axis.stride,
        "d": lambda: axis.dilation,
        "p": lambda: axis.padding,
        "a": lambda: axis.output_padding,
    }
    for name in ("n", "m"):
        if name in statement.box:
            most = _BEYOND * max(statement.box[name])
            letters[name] = lambda name=name, most=most: draw(integers(1, most), label=name)  # type: ignore[misc]
    return {name: values[0] if len(values) == 1 else letters[name]() for name, values in statement.box.items()}
