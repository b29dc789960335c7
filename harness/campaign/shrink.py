"""Greedy reduction of a case: one step after the other as long as what was seen is still seen, until no step is left.

The result is 1-minimal on the lattice: no single step from it keeps the finding. Nothing is drawn, so the same case
and the same answers give the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness.layer import Case

#: how many cases one reduction may ask; a usual one takes about a hundred
MOST_ASKED = 2000


def shrink(
    case: Case, shows: Callable[[Case], bool], steps: Callable[[Case], Iterable[Case]], *, limit: int = MOST_ASKED
) -> Case:
    """The 1-minimal case below ``case`` that still ``shows``; what is reached when ``limit`` cases were asked.

    >>> from harness.campaign.lattice import reductions
    >>> from harness.layer import Layer
    >>> big = Case(Layer(4, 4, (5, 3), 2, groups=2), batch=3, input_size=(6, 7))
    >>> small = shrink(big, lambda c: max(c.layer.kernel_size) >= 3, reductions)
    >>> small.batch, small.input_size, small.layer.kernel_size, small.layer.stride, small.layer.groups
    (1, (1,), (3,), (1,), 1)
    """
    known: dict[str, bool] = {case.content_hash: True}

    def still(candidate: Case) -> bool:
        key = candidate.content_hash
        if key not in known:
            if len(known) > limit:
                return False
            known[key] = shows(candidate)
        return known[key]

    while (smaller := next(filter(still, steps(case)), None)) is not None:
        case = smaller
    return case
