"""What a found layer means at an input size: the layer that a port must give, with the slice after it in its crop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any

from harness.audit.found import Cut, FoundLayer
from harness.audit.trials import beyond, is_cheap, shortened
from harness.errors import InvalidField, UsageError
from harness.frameworks.base import Api, Integers, Role, admits, per_axis
from harness.layer import Layer, Spelling
from harness.layout import Layout
from harness.records import Illegal, Resolved, Rule, Size

#: input sizes that are looked at where nobody says one
RANGE = 24

#: input sizes of one axis that are tried for a named output size, and of all axes together that are kept
_FARTHEST, _MOST = 4096, 64


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """A layer to be ported: where it was found, the API whose words it is in, and what it means.

    ``meanings`` are the layers at the input sizes at which it means one, all axes alike where the model says no size;
    ``fixed`` says that it says one. ``smaller`` are those at smaller sizes, where running at the shown one is dear.
    """

    found: FoundLayer
    source: Api
    meanings: Mapping[Size, Layer]
    fixed: bool
    smaller: Mapping[Size, Layer]

    @property
    def layer(self) -> Layer:
        """The layer at the size that is shown."""
        return self.meanings[self.input_size]

    @property
    def input_size(self) -> Size:
        """The size that is shown and run: the model's own, else a small one that leaves some output."""
        sizes = list(self.meanings)
        return next((size for size in sizes if min(size) >= 3), sizes[-1])

    @property
    def layout(self) -> Layout:
        """The layout of the weight in the source."""
        return self.source.layout(self.found.spelling)

    @property
    def call(self) -> str:
        """The layer as its source writes it."""
        return self.source.snippet(self.found.spelling, self.input_size)


def together(all_wanted: Sequence[Wanted]) -> Wanted:
    """Layers with the same words as one, which is wanted at the sizes of each."""
    meanings = {size: layer for one in all_wanted for size, layer in one.meanings.items()}
    smaller = {size: layer for one in all_wanted for size, layer in one.smaller.items()}
    return replace(all_wanted[0], meanings=meanings, smaller=smaller)


def want(found: FoundLayer, source: Api, input_size: Size | None = None) -> Wanted | str:
    """What a found layer means at its own input size, or at ``input_size``, or at each of a range; or why nothing.

    Where no size is said but the words name the output's, they are the input sizes from which it is reached.

    Raises:
        UsageError: the size has not an entry for each axis, the documentation forbids the words, or the layer is too
            large to be run.

    >>> from harness.frameworks.torch import ConvTranspose
    >>> from harness.audit.written import parse_layer
    >>> found = FoundLayer("up", *parse_layer("ConvTranspose1d(1, 1, 3, stride=2, padding=1)", "torch"))
    >>> want(found, ConvTranspose(), (3,)).layer.output_size((3,))
    (5,)
    """
    said = found.input_size or input_size
    if said is not None and len(said) == 1 and found.ndim > 1:
        said *= found.ndim
    if said is not None and (len(said) != found.ndim or min(said) < 1):
        raise UsageError(f"an input of size {said}: must be {found.ndim} integers of at least 1, one per spatial axis")
    meanings = {size: meaning(found, source, size) for size in ([said] if said else _sizes(found, source))}
    layers = {size: layer for size, layer in meanings.items() if isinstance(layer, Layer)}
    if layers:
        return _bounded(Wanted(found, source, layers, said is not None, _smaller(found, source, layers)))
    wrong = list(meanings.values())[-1]
    if isinstance(wrong, Illegal):
        told = "" if said or not _names_output(found, source) else "; say what it is by --input-size"
        raise UsageError(f"{source.snippet(found.spelling, list(meanings)[-1])}: {wrong.rule.text}{told}")
    return str(wrong)


def _smaller(found: FoundLayer, source: Api, layers: Mapping[Size, Layer]) -> dict[Size, Layer]:
    """The layers at shorter sizes, where none of the given ones is cheap to run."""
    if any(is_cheap(layer, size) for size, layer in layers.items()):
        return {}
    meanings = {short: meaning(found, source, short) for size in layers for short in shortened(size)}
    return {size: layer for size, layer in meanings.items() if isinstance(layer, Layer)}


def _bounded(wanted: Wanted) -> Wanted:
    everywhere = {**wanted.meanings, **wanted.smaller}
    reasons = [beyond(layer, size) for size, layer in everywhere.items()]
    if None not in reasons:
        raise UsageError(f"{wanted.call} {reasons[0]}")
    return wanted


def meaning(found: FoundLayer, source: Api, input_size: Size) -> Layer | Illegal | str:
    """The layer that the words mean at an input size, with the slice after it in its crop; or why there is none."""
    try:
        resolved = source.resolve(found.spelling, input_size)
        if not isinstance(resolved, Resolved):
            return resolved if isinstance(resolved, Illegal) else resolved.reason
        layer = _cut(resolved.layer, found.cut, input_size)
        size = layer.output_size(input_size)
    except InvalidField as error:
        return Illegal(error.field, Rule(str(error), source.documentation))
    if min(size) < 1:
        return f"an input of size {input_size} leaves an output of size {size}"
    return layer.replace(bias=layer.bias or found.bias is not None)


def _sizes(found: FoundLayer, source: Api) -> list[Size]:
    """The input sizes that are looked at where none is said: all axes alike, or those of a named output."""
    alike = [(n,) * found.ndim for n in range(1, RANGE + 1)]
    name = _names_output(found, source)
    if not name:
        return alike
    largest = min(max(per_axis(found.spelling[name], found.ndim)), _FARTHEST)
    reached = [_reaching(found, source, axis, largest) for axis in range(found.ndim)]
    return [*islice(product(*reached), _MOST)] or alike[-1:]


def _names_output(found: FoundLayer, source: Api) -> str:
    """The argument that names the output's size, where it is written as numbers."""
    for parameter in source.parameters:
        value = found.spelling.get(parameter.name)
        if parameter.role is Role.OUTPUT_SIZE and any(
            isinstance(domain, Integers) and admits(domain, value, found.ndim) for domain in parameter.domains
        ):
            return parameter.name
    return ""


def _reaching(found: FoundLayer, source: Api, axis: int, largest: int) -> list[int]:
    """The input sizes of an axis from which its output size is reached: asked of a layer with all axes like this one.

    The axes are independent, and so what holds of one alone holds of it among others.
    """
    words = {name: _alike(value, axis, found.ndim) for name, value in found.spelling.arguments}
    alike = replace(found, spelling=Spelling(source.name, words), cut=())
    return [n for n in range(1, largest + 1) if isinstance(meaning(alike, source, (n,) * found.ndim), Layer)]


def _alike(value: Any, axis: int, ndim: int) -> Any:
    return (value[axis],) * ndim if isinstance(value, tuple) and len(value) == ndim else value


def _cut(layer: Layer, cut: Cut, input_size: Size) -> Layer:
    """The layer with a slice of its output taken into its crop."""
    if not cut:
        return layer
    crops = []
    for (lo, hi), m, ends in zip(layer.crops, layer.output_size(input_size), cut, strict=True):
        start, stop, _ = slice(*ends).indices(m)
        crops.append((lo + start, hi + m - max(stop, start)))
    return layer.replace(padding=[lo for lo, _ in crops], output_padding=[lo - hi for lo, hi in crops])
