"""What a found layer means at an input size: the layer that a port must give, with the slice after it in its crop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from harness.audit.found import Cut, FoundLayer
from harness.frameworks.base import Api
from harness.layer import Layer
from harness.layout import CANONICAL, Layout, convert
from harness.records import Illegal, Resolved, Size

#: input sizes that are looked at where nobody says one
RANGE = 24


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """A layer to be ported: where it was found, the API whose words it is in, and what it means.

    ``meanings`` are the layers at the input sizes at which it means one, all axes alike where the model says no size;
    ``fixed`` says that it says one.
    """

    found: FoundLayer
    source: Api
    meanings: dict[Size, Layer]
    fixed: bool

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
    def weight(self) -> NDArray[Any] | None:
        """The weight in the canonical layout."""
        weight = self.found.weight
        return None if weight is None else convert(weight, self.layout, CANONICAL, groups=self.layer.groups)

    @property
    def call(self) -> str:
        """The layer as its source writes it."""
        return self.source.snippet(self.found.spelling, self.input_size)


def want(found: FoundLayer, source: Api, input_size: Size | None) -> Wanted | str:
    """What is to be ported, or why it means nothing. ``input_size`` stands for what the model does not say.

    >>> from harness.frameworks.torch import ConvTranspose
    >>> from harness.audit.written import parse_layer
    >>> found = FoundLayer("up", *parse_layer("ConvTranspose1d(1, 1, 3, stride=2, padding=1)", "torch"))
    >>> want(found, ConvTranspose(), (3,)).layer.output_size((3,))
    (5,)
    """
    said = found.input_size or input_size
    if said is not None and len(said) == 1 and found.ndim > 1:
        said *= found.ndim
    sizes = [said] if said is not None else [(n,) * found.ndim for n in range(1, RANGE + 1)]
    meanings = {size: _meaning(found, source, size) for size in sizes}
    layers = {size: layer for size, layer in meanings.items() if isinstance(layer, Layer)}
    if not layers:
        return str(meanings[sizes[-1]])
    return Wanted(found, source, layers, said is not None)


def _meaning(found: FoundLayer, source: Api, input_size: Size) -> Layer | str:
    if len(input_size) != found.ndim:
        return f"an input size of {len(input_size)} entries for {found.ndim} axes: {input_size}"
    resolved = source.resolve(found.spelling, input_size)
    if not isinstance(resolved, Resolved):
        return resolved.rule.text if isinstance(resolved, Illegal) else resolved.reason
    layer = _cut(resolved.layer, found.cut, input_size)
    layer = layer.replace(bias=layer.bias or found.bias is not None)
    size = layer.output_size(input_size)
    return layer if min(size) >= 1 else f"an input of size {input_size} leaves an output of size {size}"


def _cut(layer: Layer, cut: Cut, input_size: Size) -> Layer:
    """The layer with a slice of its output taken into its crop."""
    if not cut:
        return layer
    crops = []
    for (lo, hi), m, ends in zip(layer.crops, layer.output_size(input_size), cut, strict=True):
        start, stop, _ = slice(*ends).indices(m)
        crops.append((lo + start, hi + m - max(stop, start)))
    return layer.replace(padding=[lo for lo, _ in crops], output_padding=[lo - hi for lo, hi in crops])
