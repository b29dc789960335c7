"""Every layer asked of every API in its own words: the words and the crop after them are that layer again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Crop, Layer
from harness.frameworks import registry
from harness.frameworks.base import Api, crop_output
from harness.records import Expression, Resolved, Skipped

APIS = [api() for api in registry.apis()]
NAMES = [api.name for api in APIS]


@st.composite
def small_layers(draw: st.DrawFn) -> tuple[Layer, tuple[int, ...]]:
    """A layer with any crop that leaves an output, and an input size."""
    ndim = draw(st.integers(1, 3))

    def axes(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.lists(st.integers(low, high), min_size=ndim, max_size=ndim)))

    n, k, s, d = axes(1, 4), axes(1, 4), axes(1, 3), axes(1, 3)
    full = [(i - 1) * t + e * (j - 1) + 1 for i, j, t, e in zip(n, k, s, d, strict=True)]
    lo = [draw(st.integers(-2, f - 1)) for f in full]
    hi = [draw(st.integers(-2, f - 1 - max(low, 0))) for f, low in zip(full, lo, strict=True)]
    groups = draw(st.sampled_from([1, 1, 2]))
    added = [low - high for low, high in zip(lo, hi, strict=True)]
    return Layer(2, 2, k, s, lo, added, d, groups, draw(st.booleans())), n


@pytest.mark.parametrize("api", APIS, ids=NAMES)
@settings(deadline=None, max_examples=80)
@given(drawn=small_layers())
def test_words_and_crop_are_the_layer(api: Api, drawn: tuple[Layer, tuple[int, ...]]) -> None:
    """resolve(spelling).crops + expression.crop == layer.crops on every axis, and nothing else changes."""
    layer, n = drawn
    found = api.express(layer, n)
    if isinstance(found, Skipped):
        assert layer.groups > 1 or (max(layer.stride) > 1 and max(layer.dilation) > 1)
        return
    assert found.spelling is not None
    answer = api.resolve(found.spelling, n)
    assert isinstance(answer, Resolved)
    total = tuple(Crop(a.lo + b.lo, a.hi + b.hi) for a, b in zip(answer.layer.crops, found.crop, strict=True))
    assert total == layer.crops
    uncropped = answer.layer.replace(padding=layer.padding, output_padding=layer.output_padding, bias=layer.bias)
    assert uncropped == layer
    extends = any(end < 0 for crop in found.crop for end in crop)
    assert not (extends and layer.bias and answer.layer.bias and api.name.startswith(("torch", "keras")))


@pytest.mark.parametrize("api", APIS, ids=NAMES)
def test_words_come_first(api: Api) -> None:
    """A layer that the API has words for is asked without a crop: n = 3, k = 3, s = 2 and full."""
    found = api.express(Layer(kernel_size=3, stride=2, bias=False, ndim=1), (3,))
    assert isinstance(found, Expression)
    assert found.crop == (Crop(0, 0),)


@pytest.mark.parametrize("api", APIS, ids=NAMES)
def test_native_weights_have_the_declared_shape(api: Api) -> None:
    """The layout change and the shape for abstract calls are two statements of one thing."""
    for kernel, groups in itertools.product([(3,), (2, 3), (2, 3, 4)], (1, 2)):
        layer = Layer(4, 6, kernel, groups=groups)
        found = api.express(layer, (3,) * len(kernel))
        if isinstance(found, Expression) and found.spelling is not None and groups == 1:
            weight = np.arange(np.prod(layer.weight_shape)).reshape(layer.weight_shape)
            native = api.native_weight(weight, found.spelling)
            assert native.shape == api.native_weight_shape(found.spelling, len(kernel))
            assert sorted(native.ravel()) == list(range(weight.size))


@pytest.mark.parametrize("api", APIS, ids=NAMES)
def test_snippets_are_one_line_and_name_the_call(api: Api) -> None:
    """A snippet is what a person would write."""
    found = api.express(Layer(kernel_size=3, stride=2, ndim=2), (3, 3))
    assert isinstance(found, Expression)
    assert found.spelling is not None
    text = api.snippet(found.spelling, (3, 3))
    assert "\n" not in text
    assert "(" in text


def test_crop_output_cuts_and_extends() -> None:
    """Positive ends cut, negative ones extend with zeros, and a crop past the far end leaves nothing."""
    row = np.array([[[1.0, 2.0, 3.0]]])
    assert crop_output(row, (Crop(1, 0),)).tolist() == [[[2.0, 3.0]]]
    assert crop_output(row, (Crop(0, 1),)).tolist() == [[[1.0, 2.0]]]
    assert crop_output(row, (Crop(-1, 2),)).tolist() == [[[0.0, 1.0]]]
    assert crop_output(row, (Crop(2, -2),)).tolist() == [[[3.0, 0.0, 0.0]]]
    assert crop_output(row, (Crop(4, -3),)).shape == (1, 1, 2)
