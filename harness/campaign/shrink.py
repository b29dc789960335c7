"""Greedy reduction of a case: one step after the other as long as what was seen is still seen, until no step is left.

The result is 1-minimal on the lattice: no single step from it keeps the finding. Nothing is drawn, so the same case
and the same answers give the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import islice
from typing import TypeAlias

from harness.layer import Case

#: how many cases one reduction may ask; a usual one takes about a hundred
MOST_ASKED = 2000

#: cases that are asked together
TOGETHER = 64

#: asks cases, and gives for each what finds out whether it shows the finding: only those looked at need be judged
Shows: TypeAlias = "Callable[[Sequence[Case]], Sequence[Callable[[], bool]]]"


def shrink(
    case: Case,
    shows: Shows,
    steps: Callable[[Case], Iterable[Case]],
    *,
    limit: int = MOST_ASKED,
    together: int = TOGETHER,
) -> Case:
    """The 1-minimal case below ``case`` that still ``shows``; what is reached when ``limit`` cases were asked.

    All steps from a case are asked ``together``, so many at a time, and the first that shows is taken.

    >>> from harness.campaign.lattice import reductions
    >>> from harness.layer import Layer
    >>> big = Case(Layer(4, 4, (5, 3), 2, groups=2), batch=3, input_size=(6, 7))
    >>> small = shrink(big, lambda cases: [lambda c=c: max(c.layer.kernel_size) >= 3 for c in cases], reductions)
    >>> small.batch, small.input_size, small.layer.kernel_size, small.layer.stride, small.layer.groups
    (1, (1,), (3,), (1,), 1)
    """
    known: dict[str, Callable[[], bool]] = {case.content_hash: lambda: True}
    while (smaller := _first(steps(case), known, shows, limit, together)) is not None:
        case = smaller
    return case


def _first(
    candidates: Iterable[Case], known: dict[str, Callable[[], bool]], shows: Shows, limit: int, together: int
) -> Case | None:
    """The first candidate that shows; what is asked is written into ``known``."""
    rest = iter(candidates)
    while some := list(islice(rest, together)):
        new = {one.content_hash: one for one in some if one.content_hash not in known}
        new = dict(islice(new.items(), max(limit - len(known) + 1, 0)))
        answers = shows(list(new.values())) if new else ()
        known.update({key: cache(answer) for key, answer in zip(new, answers, strict=True)})
        found = next((one for one in some if one.content_hash in known and known[one.content_hash]()), None)
        if found is not None:
            return found
    return None
