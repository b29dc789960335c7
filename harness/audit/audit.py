"""An audit: the distinct layers of a model, what each becomes in other APIs, and the proof of it."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.audit.found import FoundLayer, Model
from harness.audit.naive import NaivePort, naive_port
from harness.audit.proof import Claim, prove
from harness.audit.readers.onnx_words import OnnxConvTranspose
from harness.audit.recipe import Recipe, recipes
from harness.audit.text import Port, port
from harness.audit.wanted import Wanted, want
from harness.frameworks import registry
from harness.frameworks.base import Api
from harness.layer import Spelling
from harness.ported import Audit, Naive, Portability, PortedLayer, TargetPort
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
    claim: Claim | None = None


def audit(
    model: Model,
    targets: Sequence[Api],
    *,
    input_size: Size | None = None,
    missing: Mapping[str, str] | None = None,
    said: Callable[[str], None] = lambda _: None,
) -> tuple[Audit, tuple[Port, ...]]:
    """What every layer of a model becomes in the targets, proved by running it.

    Beside it the first port of each layer that was proved.

    ``input_size`` stands for what the model does not say. ``missing`` are frameworks that are not installed, with the
    reason: nothing of them is run. ``said`` is told what is being done.
    """
    distinct, skipped = _distinct(model, input_size)
    plans = {one.name: [_plan(one, api) for api in targets] for one in distinct}
    _run([plan for many in plans.values() for plan in many], missing or {}, said)
    layers = tuple(_ported(one, plans[one.name]) for one in distinct)
    proved = [_first_proved(plans[one.name]) for one in distinct]
    passed_over = tuple((one.name, one.reason) for one in model.skipped) + tuple(skipped)
    return Audit(model.source, layers, passed_over, _versions(targets)), tuple(one for one in proved if one)


def _first_proved(plans: Sequence[_Planned]) -> Port | None:
    return next((plan.claim.port for plan in plans if plan.claim is not None and plan.target.is_verified), None)


def _versions(targets: Iterable[Api]) -> dict[str, str | None]:
    return {str(api.framework): registry.installed_version(type(api)) for api in targets}


def _distinct(model: Model, input_size: Size | None) -> tuple[list[_Distinct], list[tuple[str, str]]]:
    """The distinct layers in the order of the model, and those that mean nothing."""
    alike: dict[Any, list[FoundLayer]] = {}
    for one in model.layers:
        alike.setdefault((one.spelling, one.ndim, one.input_size, one.cut, one.bias is None), []).append(one)
    apis = _sources()
    distinct, skipped, taken = [], [], set[str]()
    for found in alike.values():
        wanted = want(found[0], apis[found[0].spelling.api], input_size)
        if isinstance(wanted, str):
            skipped += [(one.name, f"means no layer: {wanted}") for one in found]
            continue
        distinct.append(_Distinct(tuple(found), wanted, _identifier(found[0].name, taken)))
    return distinct, skipped


def _sources() -> dict[str, Api]:
    """The APIs in whose words a layer may be found."""
    known: list[Api] = [api() for api in registry.apis()]
    return {api.name: api for api in (*known, OnnxConvTranspose())}


def _identifier(name: str, taken: set[str]) -> str:
    """A function's name for a layer's."""
    text = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:60].lower() or "layer"
    text = f"layer_{text}" if text[0].isdigit() or keyword.iskeyword(text) else text
    unique, number = text, 2
    while unique in taken:
        unique, number = f"{text}_{number}", number + 1
    taken.add(unique)
    return unique


def _plan(distinct: _Distinct, api: Api) -> _Planned:
    wanted = distinct.wanted
    spelling = wanted.found.spelling
    copied = naive_port(wanted.source, spelling, api, wanted.input_size)
    found = recipes(wanted, api)
    target = TargetPort(api.name, api.framework, _naive(copied, api, wanted.input_size), Portability.CANNOT)
    if isinstance(found, Skipped):
        return _Planned(replace(target, reason=found.reason))
    recipe, *others = found
    text = port(distinct.name, wanted, recipe)
    verdict = Portability.WITH_CROP if recipe.is_cropped else Portability.PORTABLE
    target = replace(
        target,
        verdict=verdict,
        arguments=_arguments(recipe.spelling),
        call=api.snippet(recipe.spelling, recipe.input_size),
        crop=tuple((lo, hi) for lo, hi in recipe.expression.crop) if recipe.is_cropped else (),
        weight=text.convert,
        holds=recipe.holds,
        others=tuple(_other(one) for one in others),
        snippet=text.snippet(),
    )
    return _Planned(target, Claim(text, wanted, distinct.found))


def _naive(copied: NaivePort, api: Api, input_size: Size) -> Naive:
    call = None if copied.spelling is None else api.snippet(copied.spelling, input_size)
    return Naive(copied.size_equal, copied.value_equal, copied.reason, call)


def _other(recipe: Recipe) -> str:
    call = recipe.api.snippet(recipe.spelling, recipe.input_size)
    crop = f" cropped by {[tuple(crop) for crop in recipe.expression.crop]}" if recipe.is_cropped else ""
    return f"for {recipe.holds}: {call}{crop}"


def _arguments(spelling: Spelling) -> dict[str, Any]:
    arguments: dict[str, Any] = spelling.to_json()["arguments"]
    return arguments


def _run(plans: Sequence[_Planned], missing: Mapping[str, str], said: Callable[[str], None]) -> None:
    """Prove what is claimed, framework by framework."""
    for framework in dict.fromkeys(str(plan.target.framework) for plan in plans):
        mine = [(plan, plan.claim) for plan in plans if plan.target.framework == framework and plan.claim is not None]
        if framework in missing:
            for plan, _ in mine:
                plan.target = replace(plan.target, verified=replace(plan.target.verified, error=missing[framework]))
            continue
        said(f"{framework}: running {len(mine)} ports")
        proofs, _ = prove([claim for _, claim in mine])
        for (plan, _), proof in zip(mine, proofs, strict=True):
            plan.target = replace(plan.target, verified=proof)


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
    )
