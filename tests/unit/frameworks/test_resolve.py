"""What each API's documentation makes of its words, as literals worked by hand from the formulas of that API."""

from __future__ import annotations

from typing import Any

import pytest

from harness import Crop, Layer, Spelling
from harness.frameworks import keras, tensorflow, torch
from harness.frameworks.base import Api
from harness.frameworks.jax import ConvGeneralDilated
from harness.frameworks.jax import ConvTranspose as JaxConvTranspose
from harness.records import Illegal, Orientation, Resolved, Unspecified

CHANNELS = {"in_channels": 1, "out_channels": 1}


def resolve(api: Api, input_size: tuple[int, ...], **arguments: Any) -> Any:
    """Resolve a spelling with one channel."""
    channels = CHANNELS if "filters" not in [p.name for p in api.parameters] else {"in_channels": 1, "filters": 1}
    return api.resolve(Spelling(api.name, {**channels, **arguments}), input_size)


def crops(api: Api, input_size: tuple[int, ...], **arguments: Any) -> tuple[Crop, ...]:
    """The crop that a legal spelling resolves to."""
    answer = resolve(api, input_size, **arguments)
    assert isinstance(answer, Resolved), answer
    return answer.layer.crops


TORCH, TF, KERAS = torch.ConvTranspose(), tensorflow.ConvTranspose(), keras.ConvTranspose()
JAX, GENERAL = JaxConvTranspose(), ConvGeneralDilated()


def test_torch_padding_and_output_padding_are_the_coordinates() -> None:
    """Lo = p, hi = p - a, per axis."""
    assert crops(TORCH, (3, 3), kernel_size=3, stride=2, padding=(1, 2), output_padding=(1, 0)) == ((1, 0), (2, 2))


def test_torch_output_size_names_the_output_padding() -> None:
    """N = 3, k = 3, s = 2, p = 1 gives 5 or 6: asking for 6 is a = 1."""
    assert crops(TORCH, (3,), kernel_size=3, stride=2, padding=1, output_size=6) == ((1, 0),)
    assert crops(TORCH, (3,), kernel_size=3, stride=2, padding=1, output_size=5) == ((1, 1),)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"stride": 2, "output_size": 8, "padding": 1}, "output_size outside the valid sizes"),
        ({"output_padding": 1}, "output_padding not below stride or dilation"),
        ({"padding": 3}, "no output left"),
        ({"stride": 0}, "stride outside its domain"),
        ({"padding": -1}, "padding outside its domain"),
        ({"groups": 2}, "groups do not divide the channels"),
    ],
)
def test_torch_says_what_is_illegal(arguments: dict[str, Any], code: str) -> None:
    """Each rule of the documentation has a code of its own."""
    answer = resolve(TORCH, (3,), kernel_size=3, **arguments)
    assert isinstance(answer, Illegal)
    assert answer.code == code


def test_torch_accepts_output_padding_below_the_dilation() -> None:
    """A = 1, s = 1, d = 2 is legal, though the forward rule does not lead back from that size."""
    answer = resolve(TORCH, (3,), kernel_size=2, dilation=2, output_padding=1)
    assert isinstance(answer, Resolved)
    assert answer.forward is not None
    assert answer.forward.valid_output_sizes(answer.layer, (3,)) == (range(5, 6),)
    assert answer.layer.output_size((3,)) == (6,)


@pytest.mark.parametrize(
    ("size", "padding", "expected"),
    [
        (6, "SAME", (0, 1)),  # F = 7, T = 1: nothing in front
        (5, "SAME", (1, 1)),  # T = 2
        (7, "VALID", (0, 0)),
        (8, "VALID", (0, -1)),
    ],
)
def test_tensorflow_words(size: int, padding: str, expected: tuple[int, int]) -> None:
    """N = 3, k = 3, s = 2 (F = 7): lo = T // 2 for SAME, 0 for VALID; hi is what is left."""
    assert crops(TF, (3,), kernel_size=3, strides=2, output_shape=size, padding=padding) == (expected,)


def test_tensorflow_explicit_pairs() -> None:
    """The first number is the near crop; the second only bounds the size."""
    pairs = {"kernel_size": 3, "strides": 2, "padding": ((1, 0), (1, 1))}
    assert crops(TF, (3, 3), output_shape=(6, 5), **pairs) == ((1, 0), (1, 1))
    assert crops(TF, (3, 3), output_shape=(7, 6), **pairs) == ((1, -1), (1, 0))


@pytest.mark.parametrize(
    ("input_size", "size", "padding"),
    [
        ((3,), 4, "SAME"),
        ((3,), 7, "SAME"),
        ((3,), 6, "VALID"),
        ((3,), 9, "VALID"),
        ((1,), 1, "VALID"),
        ((3,), 0, "SAME"),
    ],
)
def test_tensorflow_sizes_outside_the_forward_rule_are_illegal(
    input_size: tuple[int, ...], size: int, padding: str
) -> None:
    """SAME: (n - 1) s < m <= n s; VALID: F <= m < F + s."""
    answer = resolve(TF, input_size, kernel_size=3, strides=2, output_shape=size, padding=padding)
    assert isinstance(answer, Illegal)
    assert answer.code == "output_shape outside the forward rule"


def test_tensorflow_pairs_are_for_two_axes() -> None:
    """conv1d_transpose and conv3d_transpose take words only."""
    answer = resolve(TF, (3,), kernel_size=3, strides=1, output_shape=5, padding=((0, 0),))
    assert isinstance(answer, Illegal)
    assert answer.code == "explicit padding outside 2-D"


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "added", "size", "expected"),
    [
        (3, 2, "same", None, 6, (0, 1)),
        (3, 2, "same", (0,), 5, (1, 1)),
        (3, 2, "valid", None, 7, (0, 0)),
        (1, 3, "valid", None, 9, (0, -2)),  # n s + max(e - s, 0), longer than F = 7
        (4, 2, "same", (1,), 5, (1, 2)),  # F = 8, q = 2, T = 3
        (3, 2, "valid", (1,), 8, (0, -1)),
    ],
)
def test_keras_words(
    kernel: int, stride: int, padding: str, added: tuple[int, ...] | None, size: int, expected: tuple[int, int]
) -> None:
    """N = 3: the inferred size, or (n - 1) s + e - 2 q + a; the near crop is T // 2 for same and 0 for valid."""
    arguments = {"kernel_size": kernel, "strides": stride, "padding": padding, "output_padding": added}
    answer = resolve(KERAS, (3,), **arguments)
    assert isinstance(answer, Resolved)
    assert (answer.layer.output_size((3,)), answer.layer.crops) == ((size,), (expected,))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"output_padding": 2, "strides": 2}, "output_padding not below strides"),
        ({"strides": 2, "dilation_rate": 2}, "strides with dilation_rate"),
        ({"padding": "full"}, "padding outside its domain"),
    ],
)
def test_keras_says_what_is_illegal(arguments: dict[str, Any], code: str) -> None:
    """The three documented prohibitions."""
    answer = resolve(KERAS, (3,), kernel_size=3, **arguments)
    assert isinstance(answer, Illegal)
    assert answer.code == code


@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "word", "expected"),
    [
        (3, 2, 1, "SAME", (0, 1)),  # T = 3, pa = 2
        (4, 2, 1, "SAME", (1, 1)),  # T = 4, pa = 2
        (2, 3, 1, "SAME", (0, -1)),  # s > e - 1: pa = e - 1 = 1, T = 3
        (3, 2, 1, "VALID", (0, 0)),
        (1, 3, 1, "VALID", (0, -2)),
        (2, 1, 3, "SAME", (1, 2)),  # e = 4, T = 3, pa = 2
    ],
)
def test_jax_words(kernel: int, stride: int, dilation: int, word: str, expected: tuple[int, int]) -> None:
    """JAX's padding of the zero-inserted input, as a crop of the full output."""
    arguments = {"kernel_size": kernel, "strides": stride, "rhs_dilation": dilation, "padding": word}
    assert crops(JAX, (3,), **arguments) == (expected,)


def test_jax_pairs_pad_the_zero_inserted_input_unless_consistent() -> None:
    """E = 3: (1, 1) is lo = hi = 1 either way; (0, 2) is (2, 0), or (0, 2) when consistent."""
    pairs = {"kernel_size": 3, "strides": 2}
    assert crops(JAX, (3,), padding=((1, 1),), **pairs) == ((1, 1),)
    assert crops(JAX, (3,), padding=((0, 2),), **pairs) == ((2, 0),)
    assert crops(JAX, (3,), padding=((0, 2),), use_consistent_padding=True, **pairs) == ((0, 2),)
    assert crops(GENERAL, (3,), padding=((0, 2),), kernel_size=3, lhs_dilation=2) == ((2, 0),)


def test_jax_kernel_orientation() -> None:
    """Correlation by default, PyTorch's with transpose_kernel=True, always correlation in conv_general_dilated."""
    call = {"kernel_size": 3, "strides": 2, "padding": "SAME"}
    assert resolve(JAX, (3,), **call).kernel is Orientation.CORRELATION
    assert resolve(JAX, (3,), transpose_kernel=True, **call).kernel is Orientation.TRANSPOSED
    assert resolve(GENERAL, (3,), kernel_size=3, lhs_dilation=2, padding=((0, 0),)).kernel is Orientation.CORRELATION


def test_jax_negative_sizes_are_illegal_and_empty_ones_are_not() -> None:
    """By JAX's own formula the size would be -1: no array has it. Size 0 is an array."""
    negative = resolve(JAX, (3,), kernel_size=2, strides=1, padding=((-1, -2),))
    assert isinstance(negative, Illegal)
    assert negative.code == "negative output size"
    assert crops(JAX, (3,), kernel_size=2, strides=1, padding=((-1, -1),)) == ((2, 2),)


def test_only_apis_with_a_forward_twin_have_a_forward_rule() -> None:
    """JAX's plain pairs have none, its words and consistent pairs do; so has Keras's inferred size."""
    plain = resolve(JAX, (3,), kernel_size=3, strides=2, padding=((1, 1),))
    consistent = resolve(JAX, (3,), kernel_size=3, strides=2, padding=((1, 1),), use_consistent_padding=True)
    assert plain.forward is None
    assert consistent.forward.valid_output_sizes(consistent.layer, (3,)) == (range(5, 7),)
    assert resolve(JAX, (3,), kernel_size=3, strides=2, padding="SAME").forward.total_padding is None
    assert resolve(KERAS, (3,), kernel_size=3, output_padding=0).forward is None
    assert resolve(KERAS, (3,), kernel_size=3).forward is not None


def test_documentation_is_silent_about_the_shape_of_arrays() -> None:
    """A kernel of size 0 in the weight's shape is neither legal nor forbidden."""
    assert isinstance(resolve(JAX, (3,), kernel_size=0, strides=1, padding="SAME"), Unspecified)


def test_resolved_layers_keep_channels_groups_and_bias() -> None:
    """What is not the crop passes through."""
    spelling = Spelling(
        TORCH.name, {"in_channels": 4, "out_channels": 6, "kernel_size": (3,), "groups": 2, "bias": False}
    )
    assert TORCH.resolve(spelling, (3,)) == Resolved(
        Layer(4, 6, (3,), groups=2, bias=False),
        forward=TORCH.resolve(spelling, (3,)).forward,  # type: ignore[union-attr] # legal
    )
    keras_spelling = Spelling(KERAS.name, {"in_channels": 2, "filters": 5, "kernel_size": 3, "use_bias": False})
    answer = KERAS.resolve(keras_spelling, (3,))
    assert isinstance(answer, Resolved)
    assert (answer.layer.in_channels, answer.layer.out_channels, answer.layer.bias) == (2, 5, False)


def test_an_empty_output_that_leads_back_is_not_judged() -> None:
    """With k = 4 and padding 3 and 3 the forward convolution takes size 0 to 3; with one padding less it does not."""
    words = {"kernel_size": 4, "strides": 1, "output_shape": (0, 4)}
    assert isinstance(resolve(TF, (3, 5), padding=((3, 3), (0, 4)), **words), Unspecified)
    assert isinstance(resolve(TF, (3, 5), padding=((3, 2), (0, 4)), **words), Illegal)
