"""What an adapter does to arrays around its call: channels moved, the weight in the API's own layout, crop and bias."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from harness import Crop, Layer, Spelling, reference
from harness.frameworks import keras, tensorflow, torch
from harness.frameworks.base import Answer, Api, Role, channels_first, channels_last
from harness.frameworks.flax import LinenConvTranspose, NnxConvTranspose
from harness.frameworks.jax import ConvGeneralDilated
from harness.frameworks.jax import ConvTranspose as JaxConvTranspose
from harness.records import Expression

Array: TypeAlias = NDArray[Any]

TORCH, TF, KERAS = torch.ConvTranspose(), tensorflow.ConvTranspose(), keras.ConvTranspose()
JAX, GENERAL = JaxConvTranspose(), ConvGeneralDilated()
LINEN, NNX = LinenConvTranspose(), NnxConvTranspose()


# Channels


def test_channels_go_last_by_hand() -> None:
    """N = 1, C = 2, size (2, 3): each pixel gets its two channels side by side, in memory too."""
    x = np.array([[[[1, 2, 3], [4, 5, 6]], [[10, 20, 30], [40, 50, 60]]]])
    moved = channels_last(x)
    assert moved.tolist() == [[[[1, 10], [2, 20], [3, 30]], [[4, 40], [5, 50], [6, 60]]]]
    assert moved.flags.c_contiguous


def test_channels_come_first_by_hand() -> None:
    """N = 1, size (2, 3), C = 2: each channel is an image again; the dtype's name stays."""
    output = np.array([[[[1, 10], [2, 20], [3, 30]], [[4, 40], [5, 50], [6, 60]]]])
    back = channels_first(Answer(output, "bfloat16"))
    assert back.values.tolist() == [[[[1, 2, 3], [4, 5, 6]], [[10, 20, 30], [40, 50, 60]]]]
    assert back.dtype == "bfloat16"


@pytest.mark.parametrize("size", [(5,), (4, 5), (3, 4, 5)])
def test_channels_keep_the_order_of_the_axes(size: tuple[int, ...]) -> None:
    """Entry (b, c, *i) stands at (b, *i, c), for one to three axes that cannot be confused, and comes back."""
    x = np.arange(2 * 6 * np.prod(size)).reshape(2, 6, *size)
    moved = channels_last(x)
    assert moved.shape == (2, *size, 6)
    for b, c, *i in np.ndindex(*x.shape):
        assert moved[(b, *i, c)] == x[(b, c, *i)]
    assert np.array_equal(channels_first(Answer(moved, "int64")).values, x)


# The weight


def _turned(t: tuple[int, ...], k: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size - 1 - position for position, size in zip(t, k, strict=True))


#: for each call, where weight[c, o, *t] of a kernel k stands in the API's own array; h is the group of c, ci and co
#: are the channels of one group
LAYOUTS: dict[str, tuple[Api, dict[str, Any], int, Callable[..., tuple[int, ...]]]] = {
    "torch": (TORCH, {}, 1, lambda c, o, t, k, ci, co: (c, o, *t)),
    "torch, groups": (TORCH, {"groups": 3}, 3, lambda c, o, t, k, ci, co: (c, o, *t)),
    "jax": (JAX, {}, 1, lambda c, o, t, k, ci, co: (*_turned(t, k), c, o)),
    "jax, transpose_kernel=False": (
        JAX,
        {"transpose_kernel": False},
        1,
        lambda c, o, t, k, ci, co: (*_turned(t, k), c, o),
    ),
    "jax, transpose_kernel": (JAX, {"transpose_kernel": True}, 1, lambda c, o, t, k, ci, co: (*t, o, c)),
    "linen": (LINEN, {}, 1, lambda c, o, t, k, ci, co: (*_turned(t, k), c, o)),
    "linen, transpose_kernel": (LINEN, {"transpose_kernel": True}, 1, lambda c, o, t, k, ci, co: (*t, o, c)),
    "nnx": (NNX, {}, 1, lambda c, o, t, k, ci, co: (*_turned(t, k), c, o)),
    "nnx, transpose_kernel": (NNX, {"transpose_kernel": True}, 1, lambda c, o, t, k, ci, co: (*t, o, c)),
    "jax general": (GENERAL, {}, 1, lambda c, o, t, k, ci, co: (*_turned(t, k), c, o)),
    "jax general, groups": (
        GENERAL,
        {"feature_group_count": 3},
        3,
        lambda c, o, t, k, ci, co: (*_turned(t, k), c % ci, c // ci * co + o),
    ),
    "tensorflow": (TF, {}, 1, lambda c, o, t, k, ci, co: (*t, o, c)),
    "keras": (KERAS, {}, 1, lambda c, o, t, k, ci, co: (*t, o, c)),
}
EACH = pytest.mark.parametrize(("api", "arguments", "groups", "place"), LAYOUTS.values(), ids=LAYOUTS)


def spelled(api: Api, kernel_size: object, channels: tuple[int, int], arguments: dict[str, Any]) -> Spelling:
    """A wording with these channels and no more than a layout depends on."""
    names = {parameter.role: parameter.name for parameter in api.parameters}
    words = {names[Role.IN_CHANNELS]: channels[0], names[Role.OUT_CHANNELS]: channels[1], "kernel_size": kernel_size}
    return Spelling(api.name, {**words, **arguments})


@EACH
@pytest.mark.parametrize("kernel", [(4,), (3, 4), (2, 3, 4)])
def test_each_entry_of_the_weight_has_its_place(
    api: Api, arguments: dict[str, Any], groups: int, place: Callable[..., tuple[int, ...]], kernel: tuple[int, ...]
) -> None:
    """One entry after the other, in loops that move no axis: flipped or not, channels exchanged or not, groups."""
    inputs, outputs = 2, 5
    weight = np.arange(groups * inputs * outputs * np.prod(kernel)).reshape(groups * inputs, outputs, *kernel)
    spelling = spelled(api, kernel, (groups * inputs, groups * outputs), arguments)
    native = api.native_weight(weight, spelling)
    expected = np.full(api.native_weight_shape(spelling, len(kernel)), -1)
    for c, o, *t in np.ndindex(*weight.shape):
        expected[place(c, o, tuple(t), kernel, inputs, outputs)] = weight[(c, o, *t)]
    assert expected.min() == 0
    assert native.tolist() == expected.tolist()


@EACH
def test_a_weights_shape_is_in_whole_numbers_for_each_axis(
    api: Api, arguments: dict[str, Any], groups: int, place: Callable[..., tuple[int, ...]]
) -> None:
    """An integer kernel size stands for every axis; channels of a group are counted in integers."""
    shape = api.native_weight_shape(spelled(api, 4, (groups * 2, groups * 5), arguments), 3)
    last = place(groups * 2 - 1, 4, (3, 3, 3), (4, 4, 4), 2, 5)
    first = place(0, 0, (0, 0, 0), (4, 4, 4), 2, 5)
    assert shape == tuple(max(ends) + 1 for ends in zip(last, first, strict=True))
    assert all(type(size) is int for size in shape)


def test_the_groups_of_xla_lie_side_by_side_in_the_output_channels() -> None:
    """C_in = 4, C_out = 2, g = 2, k = 2 by hand: (C_in / g, C_out) at each flipped position."""
    weight = np.array([[[1, 2]], [[3, 4]], [[5, 6]], [[7, 8]]])
    spelling = spelled(GENERAL, (2,), (4, 2), {"feature_group_count": 2})
    assert GENERAL.native_weight(weight, spelling).tolist() == [[[2, 6], [4, 8]], [[1, 5], [3, 7]]]


# Crop and bias after the call


def asked(*, bias: bool, crop: tuple[Crop, Crop]) -> tuple[Layer, Expression]:
    """A layer with a bias as a crop of PyTorch's full output, whose call has a bias or not."""
    layer = Layer(2, 6, (3, 2), (2, 1), groups=2, bias=True)
    spelling = next(TORCH.candidates(layer.replace(bias=bias), (3, 4)))
    wanted = layer.replace(padding=[lo for lo, _ in crop], output_padding=[lo - hi for lo, hi in crop])
    return wanted, Expression(spelling, crop)


class Torch(torch.ConvTranspose):
    """PyTorch's words, answered by the reference, which notes whether it was given the bias."""

    def __init__(self, as_dtype: str = "float32") -> None:
        self.as_dtype = as_dtype
        self.given: list[bool] = []

    def apply(self, x: Array, weight: Array, bias: Array | None, spelling: Spelling) -> Answer:
        """The output of the words alone."""
        self.given.append(bias is not None)
        arguments: dict[str, Any] = dict(spelling.arguments)
        layer = Layer(**{**arguments, "bias": bias is not None})
        values = reference.conv_transpose(x, weight, bias, layer)
        return Answer(values.astype("float16" if self.as_dtype == "float16" else "float32"), self.as_dtype)


@pytest.mark.parametrize(
    ("in_words", "crop", "early"),
    [
        (True, (Crop(0, 0), Crop(0, 0)), True),
        (True, (Crop(1, 2), Crop(0, 1)), True),
        (True, (Crop(0, 0), Crop(-1, 0)), False),
        (True, (Crop(2, -1), Crop(1, 0)), False),
        (False, (Crop(0, 0), Crop(0, 0)), False),
        (False, (Crop(1, 0), Crop(0, -2)), False),
    ],
)
@pytest.mark.parametrize("by_hand", [False, True], ids=["apply", "a stand-in for apply"])
def test_an_expression_is_the_layer(in_words: bool, crop: tuple[Crop, Crop], early: bool, by_hand: bool) -> None:
    """Whether the call bears the bias or our code adds it to what was cut or extended: once, and in its channel."""
    layer, expression = asked(bias=in_words, crop=crop)
    generator = np.random.default_rng(1)
    x, weight = (generator.integers(-4, 5, shape).astype("float32") for shape in ((2, 2, 3, 4), layer.weight_shape))
    bias = np.arange(1.0, 7.0)
    api, watched = Torch(), Torch()
    found = api.run_expression(x, weight, bias, expression, apply=watched.apply if by_hand else None)
    assert found.values.tolist() == reference.conv_transpose(x, weight, bias, layer).tolist()
    assert (found.dtype, found.values.dtype.name) == ("float32", "float32")
    assert (watched if by_hand else api).given == [early]
    assert (api if by_hand else watched).given == []


def test_an_expression_without_bias_gets_none() -> None:
    """Extended by zeros, which stay zeros."""
    layer, expression = asked(bias=False, crop=(Crop(-1, 0), Crop(0, -1)))
    x, weight = np.ones((1, 2, 3, 4), "float32"), np.ones(layer.weight_shape, "float32")
    api = Torch()
    found = api.run_expression(x, weight, None, expression)
    assert found.values.tolist() == reference.conv_transpose(x, weight, None, layer.replace(bias=False)).tolist()
    assert api.given == [False]


@pytest.mark.parametrize(("dtype", "expected"), [("float32", 257.0), ("bfloat16", 256.0), ("float16", 257.0)])
def test_a_late_bias_is_rounded_to_the_dtype_of_the_output(dtype: str, expected: float) -> None:
    """256 + 1 has no bfloat16 number, which travels as float32 and is rounded to even; the others hold it."""
    spelling = next(TORCH.candidates(Layer(kernel_size=(1,), bias=False), (1,)))
    expression = Expression(spelling, (Crop(0, 0),))
    x, one = np.array([[[256.0]]]), np.ones((1, 1, 1))
    found = Torch(dtype).run_expression(x, one, np.ones(1), expression)
    assert (found.values.tolist(), found.dtype) == ([[[expected]]], dtype)
    assert found.values.dtype.name == ("float16" if dtype == "float16" else "float32")
