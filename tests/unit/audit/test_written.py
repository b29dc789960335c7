"""Layers as people write them: every API's words, where axes stand, and what is refused in one line."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.audit.written import parse_layer, read_layer
from harness.errors import UsageError
from harness.frameworks.base import Api
from harness.frameworks.registry import apis
from harness.layer import Case
from strategies.spelled import spelled_cases

JAX = "jax.lax.conv_general_dilated(x, {}, (1, 1), [(1, 1), (2, 2)], lhs_dilation=(2, 2){})"
TF = "tf.nn.conv2d_transpose(x, (3, 5, 8, 4), {}, {}, 'SAME'{})"

#: a text, whose words it is in, and what it must say
SAYS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "positional": ("nn.ConvTranspose2d(4, 8, 3, 2)", "torch", {"kernel_size": 3, "stride": 2}),
    "lists are tuples": ("ConvTranspose2d(4, 8, [3, 4])", "torch", {"kernel_size": (3, 4)}),
    "an API's name": ("ConvTranspose1d(4, 8, 3)", "torch.nn.ConvTranspose", {"in_channels": 4}),
    "the call's output size": ("ConvTranspose2d(4, 8, 3)(x, [7, 8])", "torch", {"output_size": (7, 8)}),
    "by forward": ("ConvTranspose2d(4, 8, 3).forward(x, output_size=(7, 8))", "torch", {"output_size": (7, 8)}),
    "another method's argument": ("ConvTranspose1d(4, 8, 3).to('cpu', torch.half)", "torch", {"output_size": None}),
    "with batch and channels": ("ConvTranspose2d(4, 8, 3)(x, (1, 8, 5, 6))", "torch", {"output_size": (5, 6)}),
    "a shape for a weight": (
        "jax.lax.conv_transpose(x, (3, 5, 4, 8), (2, 2), 'SAME')",
        "jax",
        {"kernel_size": (3, 5), "in_channels": 4, "out_channels": 8},
    ),
    "transposed": (
        "jax.lax.conv_transpose(x, (3, 4, 8), (2,), 'SAME', transpose_kernel=True)",
        "jax",
        {"kernel_size": (3,), "in_channels": 8, "out_channels": 4},
    ),
    "its axes told": (
        "jax.lax.conv_transpose(x, (8, 4, 3, 5), (2, 2), 'SAME', dimension_numbers=('NCHW', 'OIHW', 'NCHW'))",
        "jax",
        {"kernel_size": (3, 5), "in_channels": 4, "out_channels": 8},
    ),
    "OIHW where nothing is told": (
        JAX.format("(8, 2, 3, 5)", ", feature_group_count=2"),
        "jax",
        {"kernel_size": (3, 5), "in_channels": 4, "out_channels": 8},
    ),
    "HWIO where it is told": (
        JAX.format("(3, 5, 4, 8)", ", dimension_numbers=('NHWC', 'HWIO', 'NHWC')"),
        "jax",
        {"kernel_size": (3, 5), "in_channels": 4, "out_channels": 8},
    ),
    "channels last": (
        TF.format("[1, 9, 7, 8]", "[1, 2, 3, 1]", ""),
        "tensorflow",
        {"output_shape": (9, 7), "strides": (2, 3), "in_channels": 4, "out_channels": 8, "kernel_size": (3, 5)},
    ),
    "channels first": (
        TF.format("[1, 8, 9, 7]", "[1, 1, 2, 3]", ", data_format='NCHW'"),
        "tensorflow",
        {"output_shape": (9, 7), "strides": (2, 3)},
    ),
    "explicit pairs": (
        "tf.nn.conv2d_transpose(x, (3, 5, 8, 4), (9, 7), 2, [[0, 0], [1, 0], [0, 1], [0, 0]])",
        "tensorflow",
        {"padding": ((1, 0), (0, 1))},
    ),
    "Keras": ("tf.keras.layers.Conv2DTranspose(8, 3, padding='same')", "keras", {"filters": 8, "padding": "same"}),
    "linen": ("nn.ConvTranspose(8, (3,), padding='CIRCULAR')", "flax", {"features": 8, "padding": "CIRCULAR"}),
    "nnx": ("nnx.ConvTranspose(4, 8, (3,), rngs=nnx.Rngs(0))", "flax", {"in_features": 4, "out_features": 8}),
}


@pytest.mark.parametrize("name", SAYS)
def test_words_are_read(name: str) -> None:
    """In the order and the form in which their API takes them."""
    text, source, said = SAYS[name]
    spelling, _ = parse_layer(text, source)
    assert {word: spelling.get(word) for word in said} == said


REFUSED = {
    "": ("torch", "is not a call in Python's syntax"),
    "(" * 500: ("torch", "is not a call in Python's syntax"),
    "1 + 1": ("torch", "must be a call"),
    "Conv2d(1, 1, 3)": ("torch", "column 1: Conv2d is no call of torch: known are ConvTranspose1d"),
    "Conv2DTranspose(1, 3)": ("torch", "it is one of keras, say --from"),
    "ConvTranspose2d(1, 1, k)": ("torch", "column 23: kernel_size must be a number"),
    "ConvTranspose2d(1, 1, 3.0)": ("torch", "kernel_size must be integers"),
    "ConvTranspose2d(*a)": ("torch", "must be a number"),
    "ConvTranspose2d(**a)": ("torch", "** is not read"),
    "ConvTranspose2d(1, 1, 3, kernel_size=3)": ("torch", "kernel_size is given twice"),
    "ConvTranspose2d(1, 1, 3, kernel=3)": ("torch", "has no argument 'kernel': known are in_channels"),
    "ConvTranspose2d(1, 1, 3, padding_mode='circular')": ("torch", "is not part of the operator"),
    "ConvTranspose2d(1, 1)": ("torch", "says no kernel_size"),
    "ConvTranspose2d(kernel_size=3)": ("torch", "says no in_channels"),
    "ConvTranspose2d(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)": ("torch", "takes at most"),
    f"ConvTranspose2d({'1, ' * 999})": ("torch", "has 3014 characters"),
    "__import__('os').system('exit')": ("torch", "is no call of torch"),
    "nn.ConvTranspose(8, 3)": ("flax", "says nowhere how many spatial axes"),
    "lax.conv_transpose(x, w, (2,), 'SAME')": ("jax", "write kernel_size=..., or the weight as its shape"),
    "lax.conv_transpose(x, (3, 4), (2,), 'SAME')": ("jax", "its shape with 3 integers"),
    "lax.conv_transpose(x, (3, 4, 8), (2,), 'SAME', dimension_numbers=1)": ("jax", "must be three texts"),
    "lax.conv_transpose(x, (3, 4, 8), (2,), 'SAME', dimension_numbers=('NHC', 'HI', 'NHC'))": ("jax", "have I and O"),
    "lax.conv_transpose(x, (3, 4, 8), (2,), 'SAME', dimension_numbers=('NC', 'HIO', 'NHC'))": ("jax", "in one order"),
    "lax.conv_general_dilated(x, (3, 4, 8), (2,), [(1, 1)], lhs_dilation=(2,))": ("jax", "leave it out"),
    "ConvTranspose1d(1, 1, 1)": ("nonsense", "--from nonsense: is no framework and no API"),
}


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_layer_is_refused(text: str) -> None:
    """In one line that says what is wrong; nothing of the text is evaluated."""
    source, said = REFUSED[text]
    with pytest.raises(UsageError) as raised:
        parse_layer(text, source)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_stands_outside_of_the_layer_is_noted() -> None:
    """An activation, and channels that nothing says; a linear activation is nothing."""
    assert read_layer("Conv1DTranspose(8, 3, activation=keras.activations.relu, in_channels=2)", "keras").notes == (
        "its activation=keras.activations.relu is outside the layer",
    )
    assert read_layer("Conv1DTranspose(8, 3, activation='linear')", "keras").notes == (
        "in_channels is not said: 1 is taken",
    )
    assert read_layer("ConvTranspose1d(2, 8, 3)", "torch").notes == ()


def is_call(text: str) -> bool:
    """Whether it is Python with a kernel in it; TensorFlow's has words behind, and JAX's leaves the arrays out."""
    try:
        return isinstance(ast.parse(text, mode="eval").body, ast.Call)
    except SyntaxError:
        return False


WHOLE: list[Api] = [kind() for kind in apis() if kind.signature is not None and not kind.signature.arrays]


@given(spelled_cases(WHOLE), st.data())
@settings(deadline=None)
def test_what_an_api_writes_is_read_back(case: Case, data: st.DataObject) -> None:
    """The call that a report shows says the spelling, but for what no call says and what was left out."""
    assert case.spelling is not None
    api = next(api for api in WHOLE if api.name == case.spelling.api)
    text = api.snippet(case.spelling, case.input_size)
    assert is_call(text)
    spelling, ndim = parse_layer(text, data.draw(st.sampled_from((api.framework, api.name))) or "", ndim=case.ndim)
    said = {name: value for name, value in case.spelling.arguments if value is not None}
    carried = {parameter.name for parameter in api.parameters if parameter.carried}
    assert ndim == case.ndim
    assert {k: v for k, v in spelling.arguments if k not in carried} == {
        k: v for k, v in said.items() if k not in carried
    }
