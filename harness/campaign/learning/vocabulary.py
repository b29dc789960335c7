"""The atoms that conditions are made of: what a maintainer would write about one case, each with a cost.

The cost is how much there is to say: a threshold costs least where it is where a thing begins (``max(d) > 1``), more
for a derived name, an index, a remainder. Among conditions that say the same the cheapest is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.campaign.learning.atoms import Atom, Predicate, Test
from harness.campaign.learning.axes import predicates
from harness.campaign.learning.rows import Rows, Truths, columns
from harness.campaign.learning.whole import whole
from harness.layer import MAX_NDIM


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
    of_axes, of_cases = tuple(predicates(of)), tuple(whole(of))
    return Vocabulary(of_axes, of_cases, (*_quantified(of_axes), *(atom for atom, _ in of_cases)))


def _quantified(of_axes: Sequence[Predicate]) -> Iterator[Atom]:
    for predicate in of_axes:
        text = predicate.extremes[0] if predicate.extremes else f"any({predicate.text})"
        yield Atom(text, predicate.cost)
    for predicate in of_axes:
        text = predicate.extremes[1] if predicate.extremes else f"all({predicate.text})"
        yield Atom(text, predicate.cost + 0.6)
    for index, cost in (("0", 0.5), ("-1", 0.5), ("1", 1.1), ("2", 1.1)):
        for predicate in of_axes:
            if predicate.indexed:
                text = predicate.template.replace("{}", f"[{index}]")
                yield Atom(text, predicate.cost + cost, max(int(index), 0))
