"""An audit: the distinct layers of a model, what each becomes in other APIs, and the proof of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.audit.copied import Copied, copied, observed
from harness.audit.found import FoundLayer, Model
from harness.audit.names import identifier
from harness.audit.proof import Claim, prove
from harness.audit.readers.onnx_words import OnnxConvTranspose
from harness.audit.recipe import Recipe, alternatives, recipes
from harness.audit.text import Port, call_text, first_mode, port
from harness.audit.trials import beyond
from harness.audit.wanted import Wanted, together, want
from harness.errors import UsageError
from harness.frameworks import registry
from harness.frameworks.base import Api
from harness.layer import Spelling
from harness.ported import Audit, Portability, PortedLayer, Proof, TargetPort
from harness.records import Size, Skipped


@dataclass(frozen=True, slots=True)
class _Distinct:
    """The found layers that ask for the same thing, with what they mean."""

    found: tuple[FoundLayer, ...]
    wanted: Wanted
    name: str


@dataclass(slots=True)
class _Planned:
    """A layer in one API: what is claimed of it, and what of that has been run."""

    target: TargetPort
    environment: Mapping[str, str]
    words: Copied
    claim: Claim | None = None
    others: Iterator[Recipe] = field(default_factory=lambda: iter(()))


def audit(
    model: Model,
    targets: Sequence[Api],
    *,
    input_size: Size | None = None,
    missing: Mapping[str, str] | None = None,
    said: Callable[[str], None] = lambda _: None,
) -> tuple[Audit, tuple[Port, ...]]:
    """What every layer of a model becomes in the targets, proved by running it; beside it a proved port of each.

    ``input_size`` stands for what the model does not say. ``missing`` are frameworks that are not installed, with the
    reason: nothing of them is run. ``said`` is told what is being done.
    """
    distinct, skipped = _distinct(model, targets, input_size)
    plans = {one.name: [_plan(one, api) for api in targets] for one in distinct}
    _run([(one, plan) for one in distinct for plan in plans[one.name]], missing or {}, said)
    layers = tuple(_ported(one, plans[one.name]) for one in distinct)
    proved = [_first_proved(plans[one.name]) for one in distinct]
    passed_over = tuple((one.name, one.reason) for one in model.skipped) + tuple(skipped)
    return Audit(model.source, layers, passed_over, _versions(targets)), tuple(one for one in proved if one)


def _first_proved(plans: Sequence[_Planned]) -> Port | None:
    return next((plan.claim.port for plan in plans if plan.claim is not None and plan.target.is_verified), None)


def _versions(targets: Iterable[Api]) -> dict[str, str | None]:
    return {str(api.framework): registry.installed_version(type(api)) for api in targets}


def _distinct(
    model: Model, targets: Sequence[Api], input_size: Size | None
) -> tuple[list[_Distinct], list[tuple[str, str]]]:
    """The distinct layers in the order of the model, and those that mean nothing."""
    alike: dict[Any, dict[Size | None, list[FoundLayer]]] = {}
    for one in model.layers:
        words = (one.spelling, one.ndim, one.cut, one.bias is None)
        alike.setdefault(words, {}).setdefault(one.input_size, []).append(one)
    distinct, skipped, taken = [], [], set[str]()
    for by_size in alike.values():
        wanted = {size: _meant(found[0], input_size) for size, found in by_size.items()}
        skipped += [(one.name, said) for size, said in wanted.items() if isinstance(said, str) for one in by_size[size]]
        meant = [(by_size[size], one) for size, one in wanted.items() if isinstance(one, Wanted)]
        for found, whole in _merged(meant, targets):
            distinct.append(_Distinct(tuple(found), whole, identifier(found[0].name, taken)))
    return distinct, skipped


def _meant(found: FoundLayer, input_size: Size | None) -> Wanted | str:
    try:
        wanted = want(found, source_of(found), input_size)
    except UsageError as error:
        wanted = str(error)
    return wanted if isinstance(wanted, Wanted) else f"means no layer: {wanted}"


def _merged(
    meant: list[tuple[list[FoundLayer], Wanted]], targets: Sequence[Api]
) -> list[tuple[list[FoundLayer], Wanted]]:
    """Layers with the same words at several sizes are one, where one recipe holds for all of them in every target."""
    if len(meant) < 2 or not all(wanted.fixed for _, wanted in meant):
        return meant
    whole = together([wanted for _, wanted in meant])
    answers = [recipes(whole, api) for api in targets]
    one_each = all(isinstance(answer, Skipped) or answer[0].sizes == tuple(whole.meanings) for answer in answers)
    return [([one for found, _ in meant for one in found], whole)] if one_each else meant


def source_of(found: FoundLayer) -> Api:
    """The API in whose words a layer was found."""
    known: list[Api] = [api() for api in registry.apis()]
    return next(api for api in (*known, OnnxConvTranspose()) if api.name == found.spelling.api)


def _plan(distinct: _Distinct, api: Api) -> _Planned:
    wanted = distinct.wanted
    words = copied(wanted, api)
    found = recipes(wanted, api)
    target = TargetPort(api.name, api.framework, words.naive, Portability.CANNOT)
    planned = _Planned(target, first_mode(api).environment, words)
    if isinstance(found, Skipped):
        planned.target = replace(target, reason=found.reason)
        return planned
    recipe, *others = found
    planned.others = alternatives(wanted, api)
    _claim(planned, distinct, recipe, others)
    return planned


def _claim(planned: _Planned, distinct: _Distinct, recipe: Recipe, others: Sequence[Recipe] = ()) -> None:
    """State a recipe, which is then to be proved."""
    text = port(distinct.name, distinct.wanted, recipe)
    verdict = Portability.WITH_CROP if recipe.is_cropped else Portability.PORTABLE
    planned.target = replace(
        planned.target,
        verdict=verdict,
        arguments=_arguments(recipe.spelling),
        call=call_text(recipe, text.lines),
        crop=tuple((lo, hi) for lo, hi in recipe.expression.crop) if recipe.is_cropped else (),
        after=text.after,
        weight=text.convert,
        holds=recipe.holds,
        others=tuple(_other(one) for one in others),
        snippet=text.snippet() if recipe.trials else None,
    )
    if recipe.trials:
        planned.claim = Claim(text, distinct.wanted, distinct.found)
    else:
        planned.claim, planned.target = None, replace(planned.target, verified=_too_much(recipe))


def _too_much(recipe: Recipe) -> Proof:
    """Said of a recipe that holds at no size at which it can be run."""
    return Proof(error=f"an input of size {recipe.input_size} {beyond(recipe.layer, recipe.input_size)}")


def _other(recipe: Recipe) -> str:
    call = recipe.api.snippet(recipe.spelling, recipe.input_size)
    crop = f" cropped by {[tuple(crop) for crop in recipe.expression.crop]}" if recipe.is_cropped else ""
    return f"for {recipe.holds}: {call}{crop}"


def _arguments(spelling: Spelling) -> dict[str, Any]:
    arguments: dict[str, Any] = spelling.to_json()["arguments"]
    return arguments


def _run(plans: Sequence[tuple[_Distinct, _Planned]], missing: Mapping[str, str], said: Callable[[str], None]) -> None:
    """Prove what is claimed, framework by framework."""
    for framework in dict.fromkeys(str(plan.target.framework) for _, plan in plans):
        mine = [(one, plan) for one, plan in plans if plan.target.framework == framework and plan.claim is not None]
        if framework in missing:
            for _, plan in mine:
                plan.target = replace(plan.target, verified=Proof(error=missing[framework]), snippet=None)
            continue
        _copy([plan for _, plan in plans if plan.target.framework == framework])
        while mine:
            said(f"{framework}: {len(mine)} to be run")
            _prove([plan for _, plan in mine])
            mine = [(one, plan) for one, plan in mine if not plan.target.verified.holds and _goes_on(one, plan)]


def _copy(plans: Sequence[_Planned]) -> None:
    """See what comes of copying the words, in the APIs of one framework."""
    for plan, naive in zip(plans, observed([plan.words for plan in plans], plans[0].environment), strict=True):
        plan.target = replace(plan.target, naive=naive)


def _prove(plans: Sequence[_Planned]) -> None:
    """Prove the claims of one framework, all of whose APIs are run in the same way."""
    claims = [plan.claim for plan in plans if plan.claim is not None]
    for plan, proof in zip(plans, prove(claims, plans[0].environment), strict=True):
        plan.target = replace(plan.target, verified=proof)


def _goes_on(distinct: _Distinct, plan: _Planned) -> bool:
    """Claim the next recipe where one has failed; what fails in every wording cannot be had."""
    proof = plan.target.verified
    why = proof.error or f"on the weights of {proof.weights} its error is {proof.bound_ratio:.2g} times the bound"
    reason = plan.target.reason or f"{plan.target.call} fails when it is run: {why}"
    if (recipe := next(plan.others, None)) is not None:
        _claim(plan, distinct, recipe)
        plan.target = replace(plan.target, reason=reason)
        return True
    plan.target = replace(plan.target, verdict=Portability.CANNOT, reason=reason, snippet=None)
    return False


def _ported(distinct: _Distinct, plans: Sequence[_Planned]) -> PortedLayer:
    wanted = distinct.wanted
    notes = dict.fromkeys(note for one in distinct.found for note in one.notes)
    return PortedLayer(
        names=tuple(one.name for one in distinct.found),
        source=wanted.source.name,
        arguments=_arguments(wanted.found.spelling),
        call=wanted.call,
        input_size=wanted.input_size,
        output_size=wanted.layer.output_size(wanted.input_size),
        layer=wanted.layer,
        targets=tuple(plan.target for plan in plans),
        notes=tuple(notes),
        input_sizes=tuple(one.input_size for one in distinct.found),
    )
