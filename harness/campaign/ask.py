"""How a case is put to each target of a run, from the pure half of its API; and putting it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.frameworks.base import Api, Mode
from harness.judge.oracles import Question, right_digest
from harness.judge.tolerance import Expected
from harness.layer import Case, Crop, Layer
from harness.records import (
    Asked,
    Expression,
    Illegal,
    Resolved,
    Skipped,
    Target,
    Unspecified,
)
from harness.workers.lane import Request


@dataclass(frozen=True, slots=True)
class Chosen:
    """A target of a run. ``api`` is the pure half, or None for a third party's class, which only its worker loads.

    ``implied`` modes are asked if the class turns out to have them: nobody named them. ``interpreter`` is that of
    another environment than ours. A mode that was ``named`` is asked of every case.
    """

    target: Target
    mode: Mode
    location: str
    framework: str
    api: Api | None = None
    missing: str | None = None
    implied: bool = False
    interpreter: str | None = None
    named: bool = False


def question_for(case: Case, targets: Sequence[Chosen]) -> tuple[Question, tuple[Chosen, ...]]:
    """What the judge must know of the case, and the targets to which it is put.

    A spelled case is put to the targets of its API alone. Declared limits are left to the worker, which reports them.
    """
    asked: dict[str, Asked] = {}
    put: list[Chosen] = []
    wordings: dict[int, _Wording | None] = {}
    for chosen in targets:
        if case.spelling is not None and chosen.target.api != case.spelling.api:
            continue
        # The modes of one API are asked in the same words.
        if (key := id(chosen.api)) not in wordings:
            wordings[key] = _wording(case, chosen.api)
        one = _ask(case, chosen, wordings[key])
        if chosen.mode.gradient and one is not None and isinstance(one.answer, (Illegal, Unspecified)):
            continue
        put.append(chosen)
        if one is not None:
            asked[chosen.target.name] = one
    layer = case.layer or _resolved_layer(asked)
    return Question(asked, None if layer is None else Expected(case, layer)), tuple(put)


def is_shared_out(chosen: Chosen, case: Case, share: float) -> bool:
    """Whether a target is asked: always, or in slow modes of a share of the cases, chosen by their content."""
    return not chosen.mode.share or _in_share(case, share)


def is_worth_it(case: Case, chosen: Chosen, asked: Asked | None, share: float) -> bool:
    """Whether a call is asked: of those over which the framework takes long, a share, unless its mode was named."""
    spelling = None if asked is None else asked.expression.spelling
    if chosen.api is None or chosen.named or chosen.mode.abstract or spelling is None:
        return True
    chosen.api.dtype = case.dtype
    return not chosen.api.costly(spelling, case.input_size) or _in_share(case, share)


def is_alone(case: Case, chosen: Chosen, asked: Asked | None) -> bool:
    """Whether a call may end the framework's process, by what its API says: it is then made with no other."""
    spelling = None if asked is None or asked.abstract else asked.expression.spelling
    return chosen.api is not None and spelling is not None and chosen.api.alone(spelling, case.input_size)


def _in_share(case: Case, share: float) -> bool:
    return int(case.content_hash[:8], 16) < share * 2**32


def requests(question: Question, put: Sequence[Chosen], alone: Collection[str] = ()) -> list[Request]:
    """What is asked of each target: numbers where a bound must decide, and where its answer is not the right one.

    ``alone`` names targets whose process the case may end.
    """
    expected = question.expected
    inexact = expected is not None and expected.case.values != "integers"
    return [
        Request(name, inexact, right_digest(question, name), name in alone) for name in (one.target.name for one in put)
    ]


class _Wording(NamedTuple):
    """How a case is put in an API's own words, and what the documentation makes of them."""

    call: str
    expression: Expression
    answer: Resolved | Illegal | Unspecified


def ask(case: Case, chosen: Chosen) -> Asked | None:
    """How the case is put to one target; None where no spelling reaches the layer."""
    return _ask(case, chosen, _wording(case, chosen.api))


def _ask(case: Case, chosen: Chosen, wording: _Wording | None) -> Asked | None:
    mode = chosen.mode
    if chosen.api is None or not chosen.api.has_vocabulary:
        expression = Expression(None, (Crop(0, 0),) * case.ndim)
        call = f"{chosen.location} with {_words(case.layer)}"
        return Asked(chosen.target, call, expression, None, mode.abstract, mode.how, mode.gradient)
    return None if wording is None else Asked(chosen.target, *wording, mode.abstract, mode.how, mode.gradient)


def _wording(case: Case, api: Api | None) -> _Wording | None:
    """None where no spelling reaches the layer, or the API has no words."""
    if api is None or not api.has_vocabulary:
        return None
    if case.spelling is not None:
        expression = Expression(case.spelling, (Crop(0, 0),) * case.ndim)
        answer = api.resolve(case.spelling, case.input_size)
        return _Wording(api.snippet(case.spelling, case.input_size), expression, answer)
    assert case.layer is not None, "a case asks a layer or a spelling"  # noqa: S101 # for the type checker
    worded = api.worded(case.layer, case.input_size)
    if isinstance(worded, Skipped):
        return None
    expression, resolved = worded
    assert expression.spelling is not None, "an API with a vocabulary is asked in words"  # noqa: S101 # likewise
    call = api.snippet(expression.spelling, case.input_size) + _then(expression.crop)
    return _Wording(call, expression, resolved)


def meaning(case: Case, chosen: Chosen) -> Layer | None:
    """The layer that a case asks of a target, None where the documentation gives its words no meaning."""
    if case.spelling is None or chosen.api is None:
        return case.layer
    answer = chosen.api.resolve(case.spelling, case.input_size)
    return answer.layer if isinstance(answer, Resolved) else None


def _resolved_layer(asked: dict[str, Asked]) -> Layer | None:
    answers = [one.answer for one in asked.values()]
    return next((answer.layer for answer in answers if isinstance(answer, Resolved)), None)


def _words(layer: Layer | None) -> str:
    """The layer's fields as they would be written; what is the default is left out."""
    if layer is None:
        return ""
    usual = Layer(kernel_size=1, ndim=layer.ndim).to_json()
    named = {name: value for name, value in layer.to_json().items() if value != usual[name]}
    return ", ".join(f"{name}={_short(value)}" for name, value in {"kernel_size": layer.kernel_size, **named}.items())


def _short(value: Any) -> Any:
    """One number for axes that are all alike."""
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    return values[0] if len(set(values)) == 1 else values


def _then(crop: tuple[Crop, ...]) -> str:
    """The crop after the call, as it would be written."""
    if not any(map(any, crop)):
        return ""
    return " cropped by " + ", ".join(f"({lo}, {hi})" for lo, hi in crop)
