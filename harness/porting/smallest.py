"""The smallest call of a source whose naive port has a part wrong: 1-minimal on the lattice of calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from harness.audit.naive import Taken
from harness.campaign.lattice import reductions
from harness.campaign.shrink import shrink
from harness.frameworks.base import Api
from harness.layer import Case
from harness.porting.foretold import Call, call_of, foretell, is_right


def smallest(source: Api, target: Api, calls: Iterable[Call], part: str) -> Call | None:
    """The smallest of these calls with the part wrong, reduced as far as it stays so; None where there is none.

    A crop is wrong in the way that nobody sees, at the same size, if any call has it so.
    """
    wrong = [call for call in calls if _is_wrong(source, target, call, part)]
    if part == "crop":
        wrong = [call for call in wrong if _is_hidden(source, target, call)] or wrong
    if not wrong:
        return None
    least = min(wrong, key=lambda call: call.magnitude)
    hidden = part == "crop" and _is_hidden(source, target, least)

    def keeps(case: Case) -> bool:
        call = _call(source, case)
        if call is None or not _is_wrong(source, target, call, part):
            return False
        return not hidden or _is_hidden(source, target, call)

    def shows(cases: Sequence[Case]) -> list[Callable[[], bool]]:
        return [partial(keeps, case) for case in cases]

    start = Case.spelled(least.spelling, input_size=least.input_size)
    return _call(source, shrink(start, shows, lambda at: reductions(at, source.parameters)))


def _call(source: Api, case: Case) -> Call | None:
    assert case.spelling is not None, "a spelled case has smaller spelled ones"  # noqa: S101 # for the type checker
    return call_of(source, case.spelling, case.input_size)


def _is_wrong(source: Api, target: Api, call: Call, part: str) -> bool:
    """Refusals count where the documentation forbids the call, or it cannot be written; outputs if there are any."""
    naive = foretell(source, call, target)
    empty = naive.layer is not None and min(naive.layer.output_size(call.input_size)) < 1
    return is_right(naive, part) is False and naive.taken is not Taken.UNSAID and not empty


def _is_hidden(source: Api, target: Api, call: Call) -> bool:
    return is_right(foretell(source, call, target), "size") is True
