"""The page of an audit: the layers of a model, what each becomes elsewhere, and the snippets that were run."""

from __future__ import annotations

from dataclasses import dataclass

from harness.ported import Audit, Portability, PortedLayer, Ran, TargetPort
from reports.html import whole
from reports.text import clean, clip

_NAMES, _LONG = 600, 2000


@dataclass(frozen=True, slots=True)
class Port:
    """A layer in one API, as it is shown. ``tone`` is the colour of its verdict, which is said in words, too."""

    api: str
    verdict: str
    tone: str
    copied: str
    copied_call: str
    reason: str
    call: str
    weight: str
    after: str
    holds: str
    others: tuple[str, ...]
    proof: str
    snippet: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A layer, as it is shown."""

    anchor: str
    names: str
    call: str
    sizes: str
    layer: str
    portable: bool
    notes: tuple[str, ...]
    ports: tuple[Port, ...]


def render(audit: Audit) -> str:
    """The audit as one self-contained page, which runs no script.

    >>> render(Audit("model.onnx", ())).startswith("<!doctype html>")
    True
    """
    layers = [_layer(number, layer) for number, layer in enumerate(audit.layers, 1)]
    done = sum(layer.portable for layer in layers)
    versions = ", ".join(f"{name} {version or 'not installed'}" for name, version in (audit.versions or {}).items())
    return whole(
        "audit.html.j2",
        source=clip(audit.source, _NAMES),
        verdict=f"{done} of {len(layers)} distinct layers ported and proved",
        is_clear=done == len(layers) and done > 0,
        versions=clean(versions),
        layers=layers,
        skipped=[(clip(name, _NAMES), clip(reason, _LONG)) for name, reason in audit.skipped],
    )


def _layer(number: int, layer: PortedLayer) -> Shown:
    usual = {name: value for name, value in layer.layer.to_json().items() if name != "bias"}
    return Shown(
        anchor=f"layer-{number}",
        names=clip(", ".join(layer.names), _NAMES),
        call=clip(layer.call, _LONG),
        sizes=f"{_size(layer.input_size)} to {_size(layer.output_size)}",
        layer=", ".join(f"{name} {value}" for name, value in usual.items()),
        portable=layer.is_portable,
        notes=tuple(clip(note, _LONG) for note in layer.notes),
        ports=tuple(map(_port, layer.targets)),
    )


def _port(target: TargetPort) -> Port:
    naive = target.naive
    verdict, tone = _verdict(target)
    return Port(
        api=target.api,
        verdict=verdict,
        tone=tone,
        copied="right" if naive.value_equal else clip(naive.reason or "wrong", _LONG),
        copied_call=clip(naive.call or "", _LONG),
        reason=clip(target.reason or "", _LONG),
        call=clip(target.call or "", _LONG),
        weight=clip(target.weight or "", _LONG),
        after=clip("; ".join(target.after), _LONG),
        holds=target.holds or "",
        others=tuple(clip(other, _LONG) for other in target.others),
        proof=_proof(target),
        snippet=clean(target.snippet or ""),
    )


def _verdict(target: TargetPort) -> tuple[str, str]:
    if target.verdict is Portability.CANNOT:
        return "cannot be expressed", "limitation"
    if not target.is_verified:
        return ("not run", "contract") if target.verified.integers is Ran.NOT_RUN else ("differs", "wrong-result")
    return ("portable" if target.verdict is Portability.PORTABLE else "portable, with a crop"), "proved"


def _proof(target: TargetPort) -> str:
    proof = target.verified
    integers = f"on integers: {proof.integers.value}{proof.where}"
    if proof.error is not None:
        return clip(f"{integers}. {proof.error}", _LONG)
    if proof.bound_ratio is None:
        return integers
    acceptable = "rounding explains it" if proof.bound_ratio <= 1 else "more than rounding explains"
    on_weights = f"on weights ({clip(proof.weights or '', _NAMES)}) error {proof.bound_ratio:.2g} of the bound"
    return f"{integers}; {on_weights}: {acceptable}"


def _size(size: tuple[int, ...]) -> str:
    return "×".join(map(str, size))
