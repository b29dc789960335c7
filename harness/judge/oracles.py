"""The agreement and contract oracles: one case, what was asked, what was observed, and what they object to.

Agreement: a layer's answer against the reference. Contract: a spelled call against what its documentation makes of
it; an abstract mode against the concrete one; an output size against the API's own forward rule.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from numpy.typing import NDArray

from harness.judge.causes import Cause, explain
from harness.judge.exceptions import last_words, normalise
from harness.judge.tolerance import Expected, Gradient
from harness.records import (
    VIEW,
    Asked,
    Disagreement,
    Illegal,
    Kind,
    Observation,
    Oracle,
    Outcome,
    Resolved,
    Rule,
    Unspecified,
)

#: a mistake of its own: on ordinary numbers the same computation is right
SPECIAL_PLACE = "NaN or infinity in another place"
GRADIENT_SHAPE = "a gradient has not the shape of its array"
OUTSIDE_FORWARD_RULE = "output size outside the forward rule"

_FAILURES = {Outcome.CRASHED: Kind.CRASH, Outcome.TIMED_OUT: Kind.HANG, Outcome.OUT_OF_MEMORY: Kind.MEMORY}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judge's word: which observations agree with what should be, and the objections."""

    agrees: Mapping[str, bool]
    disagreements: tuple[Disagreement, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A case as the judge sees it: how each target was asked, and the right answer if the case has one.

    ``likely`` are causes by API that were made sure of on other cases: they are tried first, and no others are unless
    the judge is to be ``thorough``.
    """

    asked: Mapping[str, Asked]
    expected: Expected | None
    likely: Mapping[str, Collection[str]] = field(default_factory=dict)
    thorough: bool = True

    @property
    def oracle(self) -> Oracle:
        """A layer's case asks for agreement, a spelled one for the contract."""
        layered = self.expected is not None and self.expected.case.layer is not None
        return Oracle.AGREEMENT if layered else Oracle.CONTRACT


def right_digest(question: Question, target: str) -> str | None:
    """The digest of the only right answer of a target; None where a bound decides, or nothing is right."""
    expected = question.expected
    if expected is None or expected.case.values != "integers":
        return None
    asked = question.asked.get(target)
    if asked is None or asked.abstract:
        return None
    return expected.gradient.digest if asked.gradient else expected.digest


def judge(question: Question, observations: Mapping[str, Observation]) -> Verdict:
    """Judge what every target did with one case."""
    agrees: dict[str, bool] = {}
    objections: list[Disagreement] = []
    for target, observation in observations.items():
        asked = question.asked.get(target)
        if asked is None or observation.outcome is Outcome.SKIPPED:
            continue
        if observation.unstable:
            found = [Disagreement(question.oracle, Kind.NONDETERMINISM, asked, observation)]
        else:
            found = list(_judge_one(question, asked, observation, _concrete_twin(question, asked, observations)))
        objections += found
        if found or not isinstance(asked.answer, Unspecified):
            agrees[target] = not found
    return Verdict(agrees, tuple(_one_fault(objections)))


def _one_fault(objections: Sequence[Disagreement]) -> Iterator[Disagreement]:
    """A wrong gradient beside wrong values of the same API has their cause: it is one fault."""
    causes = {one.asked.target.api: one for one in objections if one.kind is Kind.VALUE}
    for one in objections:
        value = causes.get(one.asked.target.api)
        if one.kind is Kind.GRADIENT and value is not None:
            yield replace(one, cause=value.cause, detail=value.detail, other_causes=value.other_causes)
        else:
            yield one


def _concrete_twin(
    question: Question, asked: Asked, observations: Mapping[str, Observation]
) -> tuple[Asked, Observation] | None:
    """For an abstract target: how a concrete mode of the same API was asked, and what it did."""
    if not asked.abstract:
        return None
    for target, observation in observations.items():
        other = question.asked.get(target)
        if (
            other is None
            or other.abstract
            or other.gradient
            or observation.outcome not in (Outcome.OK, Outcome.REJECTED)
        ):
            continue
        if (other.target.api, other.target.environment) == (asked.target.api, asked.target.environment):
            return other, observation
    return None


def _judge_one(
    question: Question, asked: Asked, observation: Observation, twin: tuple[Asked, Observation] | None
) -> Iterator[Disagreement]:
    if observation.outcome in _FAILURES:
        yield _failure(question, asked, observation)
    elif observation.outcome is Outcome.REJECTED:
        yield from _rejection(question, asked, observation, twin)
    elif isinstance(asked.answer, Illegal):
        yield _acceptance(asked, asked.answer, observation, twin)
    elif isinstance(asked.answer, Unspecified):
        yield from _against_twin(asked, observation, twin)
    elif question.expected is not None:
        yield from _wrong_result(question, question.expected, asked, observation, twin)
        yield from _outside_forward_rule(question.expected, asked, observation)


def _failure(question: Question, asked: Asked, observation: Observation) -> Disagreement:
    reason = normalise(f"{observation.exit}: {last_words(observation.log_tail)}")
    kind = _FAILURES[observation.outcome]
    exception = reason if kind is Kind.CRASH else None
    return Disagreement(question.oracle, kind, asked, observation, _expected_size(question), exception=exception)


def _rejection(
    question: Question, asked: Asked, observation: Observation, twin: tuple[Asked, Observation] | None
) -> Iterator[Disagreement]:
    """A rejection of what is documented; where only shape inference rejects, that is what is wrong."""
    if isinstance(asked.answer, (Illegal, Unspecified)):
        return
    exception = normalise(observation.error)
    if twin is not None and twin[1].outcome is Outcome.OK:
        contrast = _what_happened(*twin)
        yield Disagreement(
            Oracle.CONTRACT,
            Kind.SHAPE_INFERENCE,
            asked,
            observation,
            twin[1].size,
            exception=exception,
            contrast=contrast,
        )
        return
    rule = asked.answer.forward.rule if isinstance(asked.answer, Resolved) and asked.answer.forward else None
    size = _expected_size(question)
    yield Disagreement(question.oracle, Kind.REJECTION, asked, observation, size, exception=exception, rule=rule)


def _acceptance(
    asked: Asked, illegal: Illegal, observation: Observation, twin: tuple[Asked, Observation] | None
) -> Disagreement:
    if twin is not None and twin[1].outcome is Outcome.REJECTED:
        contrast = _what_happened(*twin)
        return Disagreement(
            Oracle.CONTRACT,
            Kind.SHAPE_INFERENCE,
            asked,
            observation,
            cause=illegal.code,
            rule=illegal.rule,
            contrast=contrast,
        )
    return Disagreement(Oracle.CONTRACT, Kind.ACCEPTANCE, asked, observation, cause=illegal.code, rule=illegal.rule)


def _against_twin(
    asked: Asked, observation: Observation, twin: tuple[Asked, Observation] | None
) -> Iterator[Disagreement]:
    if twin is not None and twin[1].shape is not None and twin[1].shape != observation.shape:
        contrast = _what_happened(*twin)
        yield Disagreement(Oracle.CONTRACT, Kind.SHAPE_INFERENCE, asked, observation, twin[1].size, contrast=contrast)


def _wrong_result(
    question: Question,
    expected: Expected,
    asked: Asked,
    observation: Observation,
    twin: tuple[Asked, Observation] | None,
) -> Iterator[Disagreement]:
    if asked.gradient:
        yield from _wrong_dtype(question, expected, asked, observation)
        yield from _wrong_gradient(question, expected.gradient, asked, observation)
        return
    if observation.shape != expected.shape:
        if twin is not None and twin[1].shape == expected.shape:
            yield from _against_twin(asked, observation, twin)
        else:
            size = Disagreement(question.oracle, Kind.SIZE, asked, observation, expected.size, rule=_rule(asked))
            yield _explained(question, size, expected, observation)
        return
    if asked.abstract:
        return
    yield from _wrong_dtype(question, expected, asked, observation)
    yield from _wrong_values(question, expected, asked, observation)


def _wrong_dtype(
    question: Question, expected: Expected, asked: Asked, observation: Observation
) -> Iterator[Disagreement]:
    if observation.dtype != expected.case.dtype:
        yield Disagreement(question.oracle, Kind.DTYPE, asked, observation, expected.size)


def _wrong_values(
    question: Question, expected: Expected, asked: Asked, observation: Observation
) -> Iterator[Disagreement]:
    if observation.digest == expected.digest:
        return
    comparison = expected.compare(_values(asked, observation))
    if comparison is None or comparison.agrees:
        return
    disagreement = Disagreement(
        question.oracle,
        Kind.VALUE,
        asked,
        observation,
        expected.size,
        max_abs_error=comparison.max_abs_error,
        bound_ratio=comparison.bound_ratio,
        first_difference=comparison.first_difference,
    )
    yield _explained(question, disagreement, expected, observation)


def _wrong_gradient(
    question: Question, expected: Gradient, asked: Asked, observation: Observation
) -> Iterator[Disagreement]:
    if observation.reason is not None:
        yield Disagreement(
            question.oracle, Kind.GRADIENT, asked, observation, cause=GRADIENT_SHAPE, contrast=observation.reason
        )
        return
    if observation.digest == expected.digest:
        return
    comparison = expected.compare(_values(asked, observation))
    if comparison is None or comparison.agrees:
        return
    first = comparison.first_difference
    yield Disagreement(
        question.oracle,
        Kind.GRADIENT,
        asked,
        observation,
        cause=None if first is None else f"{first.array} differs",
        max_abs_error=comparison.max_abs_error,
        bound_ratio=comparison.bound_ratio,
        first_difference=first,
    )


def _values(asked: Asked, observation: Observation) -> NDArray[Any]:
    if observation.values is None:
        raise ValueError(f"the values of {asked.target.name} were not asked for")
    return observation.values


def _explained(
    question: Question, disagreement: Disagreement, expected: Expected, observation: Observation
) -> Disagreement:
    """The disagreement with the causes that explain every element, the most specific one first.

    Without elements of the input there is nothing that could tell one cause from another.
    """
    if 0 in (expected.case.batch, *expected.case.input_size):
        return disagreement
    if observation.reason == VIEW:
        return replace(disagreement, cause=VIEW)
    where = disagreement.first_difference
    if where is not None and not (isfinite(where.expected) and isfinite(where.observed)):
        return replace(disagreement, cause=SPECIAL_PLACE)
    likely = question.likely.get(disagreement.asked.target.api, ())
    found: tuple[Cause, ...] = (
        () if observation.values is None else explain(expected, observation.values, likely, thorough=question.thorough)
    )
    if not found:
        return disagreement
    first, *others = found
    rest = tuple((cause.name, cause.shown) for cause in others)
    return replace(disagreement, cause=first.name, detail=first.shown, other_causes=rest)


def _outside_forward_rule(expected: Expected, asked: Asked, observation: Observation) -> Iterator[Disagreement]:
    """A size that the API accepts in its own words, though its own forward convolution does not lead back.

    Nothing is asked of an empty output: a valid output size is at least 1.
    """
    answer = asked.answer
    if not isinstance(answer, Resolved) or answer.forward is None or any(map(any, asked.expression.crop)):
        return
    size = observation.size
    if size is None or min(size) < 1 or size != expected.size:
        return
    valid = answer.forward.valid_output_sizes(expected.layer, expected.case.input_size)
    if all(m in sizes for m, sizes in zip(size, valid, strict=True)):
        return
    shown = " x ".join("{" + ", ".join(map(str, sizes)) + "}" for sizes in valid)
    yield Disagreement(
        Oracle.CONTRACT,
        Kind.ACCEPTANCE,
        asked,
        observation,
        cause=OUTSIDE_FORWARD_RULE,
        rule=answer.forward.rule,
        contrast=f"the forward convolution of the same arguments leads back only from sizes in {shown}",
    )


def _rule(asked: Asked) -> Rule | None:
    return asked.answer.forward.rule if isinstance(asked.answer, Resolved) and asked.answer.forward else None


def _expected_size(question: Question) -> tuple[int, ...] | None:
    return question.expected.size if question.expected else None


def _what_happened(asked: Asked, observation: Observation) -> str:
    if observation.outcome is Outcome.OK:
        return f"{asked.how} the same call returns output size {observation.size}"
    return f"{asked.how} the same call raises {observation.error}"
