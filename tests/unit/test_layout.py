"""Layouts of weights: every conversion, as an array and as text, against the definition by single elements."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from harness.layer import Layer
from harness.layout import CANONICAL, Layout, conversion, convert

ORDERS = ["".join(order) for order in itertools.permutations("IO*")]
LAYOUTS = [Layout(order, flipped, divided) for order in ORDERS for flipped in (False, True) for divided in ("I", "O")]
LAYERS = [
    Layer(4, 6, kernel_size=(2, 3), groups=1, ndim=2),
    Layer(4, 6, kernel_size=(2, 3), groups=2, ndim=2),
    Layer(3, 3, kernel_size=2, groups=3, ndim=1),
    Layer(2, 4, kernel_size=(1, 2, 3), groups=2, ndim=3),
]


def element(layout: Layout, layer: Layer, group: int, i: int, o: int, tap: tuple[int, ...]) -> tuple[int, ...]:
    """Where the weight between two channels of a group stands for one tap, as the layout is defined."""
    inputs, outputs = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    whole = {"I": group * inputs + i, "O": group * outputs + o}
    whole[layout.divided] = {"I": i, "O": o}[layout.divided]
    if layout.flipped:
        tap = tuple(k - 1 - t for k, t in zip(layer.kernel_size, tap, strict=True))
    return tuple(place for axis in layout.order for place in (tap if axis == "*" else (whole[axis],)))


def made(layout: Layout, layer: Layer) -> np.ndarray:
    """A weight all of whose elements differ, element by element; ones that no group has would be zero."""
    shape = layout.shape(layer.in_channels, layer.out_channels, layer.kernel_size, groups=layer.groups)
    weight = np.zeros(shape)
    inputs, outputs = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    places = itertools.product(range(layer.groups), range(inputs), range(outputs), np.ndindex(*layer.kernel_size))
    for number, (group, i, o, tap) in enumerate(places, 1):
        weight[element(layout, layer, group, i, o, tap)] = number
    assert weight.all()
    return weight


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: f"{layer.ndim}-D, {layer.groups} groups")
@pytest.mark.parametrize("start", LAYOUTS, ids=str)
def test_every_conversion_moves_every_element(start: Layout, layer: Layer) -> None:
    """From each layout to each other one: as an array, and as the text that is shown."""
    weight = made(start, layer)
    for to in LAYOUTS:
        expected = made(to, layer)
        np.testing.assert_array_equal(convert(weight, start, to, groups=layer.groups), expected)
        text = conversion("weight", start, to, layer)
        np.testing.assert_array_equal(eval(text, {"np": np, "weight": weight}), expected)


def test_nothing_is_written_where_nothing_is_done() -> None:
    """A weight that stays as it is is named, not transposed."""
    assert conversion("w", CANONICAL, CANONICAL, LAYERS[1]) == "w"
