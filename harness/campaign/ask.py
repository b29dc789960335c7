"""How a case is put to each target of a run, from the pure half of its API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.frameworks.base import Api, Mode
from harness.judge.oracles import Question
from harness.judge.tolerance import Expected
from harness.layer import Case, Crop, Layer
from harness.records import Asked, Expression, Resolved, Skipped, Target


@dataclass(frozen=True, slots=True)
class Chosen:
    """A target of a run. ``api`` is the pure half, or None for a third party's class, which only its worker loads."""

    target: Target
    mode: Mode
    location: str
    framework: str
    api: Api | None = None
    missing: str | None = None


def question_for(case: Case, targets: Sequence[Chosen]) -> tuple[Question, tuple[Chosen, ...]]:
    """What the judge must know of the case, and the targets to which it is put.

    A spelled case is put to the targets of its API alone. Declared limits are left to the worker, which reports them.
    """
    asked: dict[str, Asked] = {}
    put: list[Chosen] = []
    for chosen in targets:
        if case.spelling is not None and chosen.target.api != case.spelling.api:
            continue
        put.append(chosen)
        if (one := ask(case, chosen)) is not None:
            asked[chosen.target.name] = one
    layer = case.layer or _resolved_layer(asked)
    return Question(asked, None if layer is None else Expected(case, layer)), tuple(put)


def ask(case: Case, chosen: Chosen) -> Asked | None:
    """How the case is put to one target; None where no spelling reaches the layer."""
    api = chosen.api
    if api is None or not api.has_vocabulary:
        expression = Expression(None, (Crop(0, 0),) * case.ndim)
        return Asked(chosen.target, f"{chosen.location} with {_words(case.layer)}", expression)
    if case.layer is not None:
        found = api.express(case.layer, case.input_size)
        if isinstance(found, Skipped) or found.spelling is None:
            return None
        expression = found
    else:
        expression = Expression(case.spelling, (Crop(0, 0),) * case.ndim)
    spelling = expression.spelling
    assert spelling is not None, "an API with a vocabulary is asked in words"  # noqa: S101 # for the type checker
    call = api.snippet(spelling, case.input_size) + _then(expression.crop)
    answer = api.resolve(spelling, case.input_size)
    return Asked(chosen.target, call, expression, answer, chosen.mode.abstract, chosen.mode.how)


def _resolved_layer(asked: dict[str, Asked]) -> Layer | None:
    answers = [one.answer for one in asked.values()]
    return next((answer.layer for answer in answers if isinstance(answer, Resolved)), None)


def _words(layer: Layer | None) -> str:
    return "" if layer is None else ", ".join(f"{name}={value}" for name, value in layer.to_json().items())


def _then(crop: tuple[Crop, ...]) -> str:
    """The crop after the call, as it would be written."""
    if not any(map(any, crop)):
        return ""
    return " cropped by " + ", ".join(f"({lo}, {hi})" for lo, hi in crop)
