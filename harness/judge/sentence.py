"""One sentence for each disagreement, in the API's own words.

It says what was called, what came out, what should have, and who agrees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite

from harness.judge.exceptions import last_words, without_decoration
from harness.judge.oracles import SPECIAL_PLACE
from harness.layer import Case
from harness.records import VIEW, Disagreement, Illegal, Kind, Oracle


def sentence(case: Case, disagreement: Disagreement, agreeing: Sequence[str]) -> str:
    """The sentence of a finding, for a maintainer of the framework that deviates."""
    said = _SENTENCES[disagreement.kind](disagreement)
    return f"{_called(case, disagreement)} {said}{_who_agrees(disagreement, agreeing)}."


def _called(case: Case, disagreement: Disagreement) -> str:
    asked = disagreement.asked
    batch = "" if case.batch == 1 else f", batch {case.batch}"
    x = f"{case.dtype} input of size {case.input_size}{batch}"
    return " ".join(part for part in (asked.call, f"on a {x}", asked.how) if part)


def _size(disagreement: Disagreement) -> str:
    due = "the asked layer's is" if disagreement.oracle is Oracle.AGREEMENT else "its documentation makes that"
    said = f"returns output shape {disagreement.observation.shape}; {due} size {disagreement.expected_size}"
    return said + _why(disagreement)


def _value(disagreement: Disagreement) -> str:
    return f"returns values that differ from the reference {_measured(disagreement)}{_why(disagreement)}"


def _gradient(disagreement: Disagreement) -> str:
    first = disagreement.first_difference
    if disagreement.contrast is not None:
        return f"returns {disagreement.contrast}"
    by = {"dx": "the input", "dweight": "the weight", "dbias": "the bias"}.get(
        first.array if first else "", "its inputs"
    )
    return f"returns a gradient by {by} that differs from the reference {_measured(disagreement)}"


def _measured(disagreement: Disagreement) -> str:
    first, ratio = disagreement.first_difference, disagreement.bound_ratio
    where = "" if first is None else f": element {first.index} is {first.observed:.9g} instead of {first.expected:.9g}"
    if ratio is not None:
        return f"by {ratio:.3g} times the rounding-error bound{where}"
    if first is not None and not (isfinite(first.expected) and isfinite(first.observed)):
        return f"in where NaN and infinities stand{where}"
    return f"on numbers that every order of summation adds exactly{where}"


def _why(disagreement: Disagreement) -> str:
    """The cause that explains every element; where values were compared and none does, that is said."""
    cause = disagreement.detail or disagreement.cause
    if cause == SPECIAL_PLACE:
        return ""
    if cause == VIEW:
        return f"; it {VIEW}, not numbers of its own"
    if cause is not None:
        return f"; every element is explained by: {cause}"
    return "" if disagreement.observation.values is None else "; no cause that we know explains it"


def _dtype(disagreement: Disagreement) -> str:
    return f"returns dtype {disagreement.observation.dtype}"


def _rejection(disagreement: Disagreement) -> str:
    raised = _clip(disagreement.observation.error)
    return f"raises {raised}, although nothing in its documentation excludes these arguments"


def _acceptance(disagreement: Disagreement) -> str:
    rule, size = disagreement.rule, disagreement.observation.size
    against = f"contrary to its documentation: {rule.text} ({rule.url})" if rule else "contrary to its documentation"
    why = f"; {disagreement.contrast}" if disagreement.contrast else ""
    return f"is accepted and gives output size {size}, {against}{why}"


def _shape_inference(disagreement: Disagreement) -> str:
    observation = disagreement.observation
    inferred = f"infers output size {observation.size}" if observation.shape else f"raises {_clip(observation.error)}"
    return f"{inferred}, but {_clip(disagreement.contrast)}"


def _failure(disagreement: Disagreement) -> str:
    words = last_words(disagreement.observation.log_tail)
    return f"ends the process: {disagreement.observation.exit}" + (f" ({words})" if words else "")


def _hang(disagreement: Disagreement) -> str:
    return f"gives {disagreement.observation.exit}"


def _memory(disagreement: Disagreement) -> str:
    return f"runs out of memory ({_clip(disagreement.observation.error)})"


def _nondeterminism(_: Disagreement) -> str:
    return "gave other numbers the second time"


_SENTENCES: dict[Kind, Callable[[Disagreement], str]] = {
    Kind.SIZE: _size,
    Kind.VALUE: _value,
    Kind.GRADIENT: _gradient,
    Kind.DTYPE: _dtype,
    Kind.REJECTION: _rejection,
    Kind.ACCEPTANCE: _acceptance,
    Kind.SHAPE_INFERENCE: _shape_inference,
    Kind.CRASH: _failure,
    Kind.HANG: _hang,
    Kind.MEMORY: _memory,
    Kind.NONDETERMINISM: _nondeterminism,
}


def _clip(text: str | None, limit: int = 240) -> str:
    text = without_decoration(text or "").rstrip(".: ")
    return text if len(text) <= limit else text[:limit].rpartition(" ")[0] + " ..."


def _who_agrees(disagreement: Disagreement, agreeing: Sequence[str]) -> str:
    """Where one mode is held against another, or a size against a rule, nobody else has a say."""
    answer = disagreement.asked.answer
    own_rule = disagreement.kind is Kind.ACCEPTANCE and not isinstance(answer, Illegal)
    if not agreeing or own_rule or disagreement.kind is Kind.SHAPE_INFERENCE:
        return ""
    shown = ", ".join(agreeing[:4]) + (f" and {len(agreeing) - 4} more" if len(agreeing) > 4 else "")
    one = len(agreeing) == 1
    if isinstance(answer, Illegal):
        return f"; {shown} {'rejects' if one else 'reject'} it"
    return f"; {shown} {'gives' if one else 'give'} the reference's answer"
