"""The batch and the input size of a case: small ones, wide ones, a single element, none at all."""

from __future__ import annotations

from enum import Enum

from hypothesis.strategies import DrawFn

from harness.layer import Layer
from harness.records import Size
from strategies.bounds import least_input_size
from strategies.weights import Table, among


class Extent(Enum):
    """What is out of the ordinary about an input size, if anything is."""

    PLAIN = "plain"
    LONG = "mostly longer than a kernel"
    WIDE = "an axis wider than 32"
    EMPTY = "an axis without elements"


# Real layers' inputs are longer than their kernels; XLA takes thirty times as long over those that are shorter.
EXTENTS = Table("extent", {Extent.PLAIN: 42, Extent.LONG: 145, Extent.WIDE: 10, Extent.EMPTY: 3})
SOME_EXTENTS = Table("extent", {Extent.PLAIN: 4, Extent.LONG: 15, Extent.WIDE: 1})
BATCHES = Table("batch", {1: 128, 2: 48, 3: 14, 4: 4, 5: 3, 0: 3})
SOME_BATCHES = Table("batch", {1: 8, 2: 3, 3: 1})

#: by number of axes: what a cube holds, each axis pays for
_SIZES = {
    1: Table(
        "input_size", {1: 10, 2: 10, 3: 12, 4: 12, 5: 12, 6: 8, 7: 8, 8: 6, 9: 5, 12: 5, 16: 4, 19: 2, 31: 1, 32: 1}
    ),
    2: Table("input_size", {1: 18, 2: 14, 3: 18, 4: 16, 5: 12, 6: 8, 7: 6, 8: 4, 11: 2}),
    3: Table("input_size", {1: 20, 2: 30, 3: 28, 4: 16, 5: 6}),
}
_LONG = {
    1: Table("long input_size", {1: 4, 3: 5, 4: 12, 5: 14, 6: 12, 7: 10, 8: 10, 9: 8, 12: 7, 16: 6, 19: 4}),
    2: Table("long input_size", {1: 4, 3: 10, 4: 18, 5: 20, 6: 16, 7: 12, 8: 8, 11: 4}),
    3: Table("long input_size", {1: 5, 3: 22, 4: 30, 5: 26, 6: 12}),
}
_WIDE = {
    1: Table("wide input_size", {33: 5, 40: 3, 48: 2, 63: 2, 64: 3, 65: 2, 100: 2, 128: 1, 129: 1, 257: 1, 1000: 1}),
    2: Table("wide input_size", {33: 5, 40: 3, 48: 2, 63: 1, 64: 2, 65: 1, 129: 1}),
    3: Table("wide input_size", {33: 5, 40: 2, 48: 1, 65: 1}),
}
_AXIS = {ndim: among("wide axis", range(ndim)) for ndim in _SIZES}


def draw_input_size(draw: DrawFn, layer: Layer, extents: Table[Extent]) -> Size:
    """An input size that leaves the layer at least one output element per axis."""
    extent = draw(extents.at())
    least = least_input_size(layer)
    table = (_LONG if extent is Extent.LONG else _SIZES)[layer.ndim]
    size = [max(n, draw(table.at(axis))) for axis, n in enumerate(least)]
    if extent is Extent.WIDE:
        axis = draw(_AXIS[layer.ndim].at())
        size[axis] = max(least[axis], draw(_WIDE[layer.ndim].at()))
    if extent is Extent.EMPTY and (empty := least_input_size(layer, least=0)).count(0):
        size[empty.index(0)] = 0
    return tuple(size)
