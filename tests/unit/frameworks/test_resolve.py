"""What each API's documentation makes of its words, as literals worked by hand from the formulas of that API."""

from __future__ import annotations

from typing import Any

import pytest

from harness import Crop, Layer, Spelling
from harness.frameworks import keras, tensorflow, torch
from harness.frameworks.base import Api, Role
from harness.frameworks.flax import LinenConvTranspose, NnxConvTranspose
from harness.frameworks.jax import ConvGeneralDilated
from harness.frameworks.jax import ConvTranspose as JaxConvTranspose
from harness.records import Illegal, Orientation, Resolved, Unspecified

CHANNELS = (Role.IN_CHANNELS, Role.OUT_CHANNELS)


def resolve(api: Api, input_size: tuple[int, ...], **arguments: Any) -> Any:
    """Resolve a spelling with one channel."""
    channels = {parameter.name: 1 for parameter in api.parameters if parameter.role in CHANNELS}
    return api.resolve(Spelling(api.name, {**channels, **arguments}), input_size)


def crops(api: Api, input_size: tuple[int, ...], **arguments: Any) -> tuple[Crop, ...]:
    """The crop that a legal spelling resolves to."""
    answer = resolve(api, input_size, **arguments)
    assert isinstance(answer, Resolved), answer
    return answer.layer.crops


TORCH, TF, KERAS = torch.ConvTranspose(), tensorflow.ConvTranspose(), keras.ConvTranspose()
JAX, GENERAL = JaxConvTranspose(), ConvGeneralDilated()
LINEN, NNX = LinenConvTranspose(), NnxConvTranspose()
FLAX = pytest.mark.parametrize("api", [LINEN, NNX], ids=["linen", "nnx"])


def test_torch_padding_and_output_padding_are_the_coordinates() -> None:
    """Lo = p, hi = p - a, per axis."""
    assert crops(TORCH, (3, 3), kernel_size=3, stride=2, padding=(1, 2), output_padding=(1, 0)) == ((1, 0), (2, 2))


def test_torch_output_size_names_the_output_padding() -> None:
    """N = 3, k = 3, s = 2, p = 1 gives 5 or 6: asking for 6 is a = 1."""
    assert crops(TORCH, (3,), kernel_size=3, stride=2, padding=1, output_size=6) == ((1, 0),)
    assert crops(TORCH, (3,), kernel_size=3, stride=2, padding=1, output_size=5) == ((1, 1),)


@pytest.mark.parametrize(
    ("arguments", "code", "rule"),
    [
        (
            {"stride": 2, "output_size": 8, "padding": 1},
            "output_size outside the valid sizes",
            "sizes that output_padding < stride can reach",
        ),
        # the dilation would let output_padding = 2 = s pass
        (
            {"stride": 2, "dilation": 3, "output_size": 13},
            "output_size outside the valid sizes",
            "sizes that output_padding < stride can reach",
        ),
        (
            {"output_padding": 1},
            "output_padding not below stride or dilation",
            "smaller than either stride or dilation",
        ),
        ({"padding": 3}, "no output left", "at least 1 on every axis"),
        (
            {"stride": 0},
            "stride outside its domain",
            "stride must be an integer of at least 1, or one for each spatial axis; or left out",
        ),
        ({"padding": -1}, "padding outside its domain", "padding must be an integer of at least 0"),
        ({"groups": 2}, "groups do not divide the channels", "divisible by groups"),
    ],
)
def test_torch_says_what_is_illegal(arguments: dict[str, Any], code: str, rule: str) -> None:
    """Each rule of the documentation has a code of its own, its words and where they stand."""
    answer = resolve(TORCH, (3,), kernel_size=3, **arguments)
    assert isinstance(answer, Illegal)
    assert answer.code == code
    assert rule in answer.rule.text
    assert answer.rule.url == TORCH.documentation


def test_torchs_forward_twin_is_padded_on_both_sides() -> None:
    """P = 2 p, per axis, with the words that say so."""
    forward = resolve(TORCH, (5, 5), kernel_size=3, padding=(1, 2)).forward
    assert forward.total_padding == (2, 4)
    assert "inverses of each other" in forward.rule.text


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
    uneven = {"kernel_size": 3, "strides": 2, "padding": ((1, 0), (0, 2))}
    assert crops(TF, (3, 3), output_shape=(6, 5), **uneven) == ((1, 0), (0, 2))


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
    assert answer.rule.text.startswith(f"{padding}: the forward convolution's output size is ceil(")


def test_tensorflows_forward_twin_is_padded_by_the_word_or_the_pairs() -> None:
    """SAME has no total, VALID none at all, pairs their sum; the words that say so stand beside it."""
    call = {"kernel_size": 3, "strides": 2}
    same = resolve(TF, (3, 3), output_shape=6, padding="SAME", **call).forward
    valid = resolve(TF, (3, 3), output_shape=7, padding="VALID", **call).forward
    pairs = resolve(TF, (3, 3), output_shape=(6, 4), padding=((1, 0), (1, 2)), **call).forward
    assert [forward.total_padding for forward in (same, valid, pairs)] == [None, (0, 0), (1, 3)]
    assert same.rule.text.startswith("SAME")
    assert valid.rule.text.startswith("VALID")
    assert "explicit paddings" in pairs.rule.text


def test_tensorflow_pairs_are_for_two_axes() -> None:
    """conv1d_transpose and conv3d_transpose take words only."""
    answer = resolve(TF, (3,), kernel_size=3, strides=1, output_shape=5, padding=((0, 0),))
    assert isinstance(answer, Illegal)
    assert answer.code == "explicit padding outside 2-D"
    assert "is a string" in answer.rule.text


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
    ("arguments", "code", "rule"),
    [
        ({"output_padding": 2, "strides": 2}, "output_padding not below strides", "lower than the stride"),
        ({"output_padding": 5, "strides": 2}, "output_padding not below strides", "lower than the stride"),
        ({"strides": 2, "dilation_rate": 2}, "strides with dilation_rate", "`strides > 1` is incompatible"),
        ({"padding": "full"}, "padding outside its domain", "padding must be 'valid' or 'same'"),
    ],
)
def test_keras_says_what_is_illegal(arguments: dict[str, Any], code: str, rule: str) -> None:
    """The three documented prohibitions, in their words."""
    answer = resolve(KERAS, (3,), kernel_size=3, **arguments)
    assert isinstance(answer, Illegal)
    assert answer.code == code
    assert rule in answer.rule.text


def test_keras_fills_in_what_was_not_written() -> None:
    """Stride 1, valid, dilation 1 and a bias: N = 3 and k = 2 give 4."""
    answer = resolve(KERAS, (3,), kernel_size=2)
    assert answer.layer == Layer(kernel_size=(2,), bias=True)
    assert answer.layer.output_size((3,)) == (4,)


def test_keras_forward_twin_is_padded_by_the_word() -> None:
    """Same has no total, valid none at all; the words that say so stand beside it."""
    same, valid = (resolve(KERAS, (3, 3), kernel_size=3, padding=word).forward for word in ("same", "valid"))
    assert (same.total_padding, valid.total_padding) == (None, (0, 0))
    assert all("has the shape of its input" in forward.rule.text for forward in (same, valid))


def test_keras_says_nothing_of_negative_sizes_and_has_empty_ones() -> None:
    """N = 0: same infers n s = 0; with an integer, (n - 1) s + e - 2 q + a = -2 + 1 is no size."""
    assert crops(KERAS, (0,), kernel_size=1, strides=2, padding="same") == ((0, -1),)
    negative = resolve(KERAS, (0,), kernel_size=1, strides=2, padding="same", output_padding=0)
    assert negative == Unspecified("the inferred output size is negative")


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
    assert negative.rule.text.startswith("the padded, lhs-dilated input's size")
    assert negative.rule.text.endswith(": here it would be (-1,)")
    assert negative.rule.url == JAX.documentation
    general = resolve(GENERAL, (3,), kernel_size=2, lhs_dilation=1, padding=((-1, -2),))
    assert isinstance(general, Illegal)
    assert (general.code, general.rule.url) == ("negative output size", GENERAL.documentation)
    assert crops(JAX, (3,), kernel_size=2, strides=1, padding=((-1, -1),)) == ((2, 2),)


@FLAX
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "expected"),
    [
        (3, 2, ((0, 2),), (2, 0)),
        (4, 2, 1, (2, 2)),  # not PyTorch's (1, 1)
        (4, 2, (2,), (1, 1)),
        (3, 2, -1, (3, 3)),
        (3, 2, "SAME", (0, 1)),
        (3, 2, None, (0, 1)),
        (3, 2, "VALID", (0, 0)),
    ],
)
def test_flax_pads_the_zero_inserted_input(
    api: Api, kernel: int, stride: int, padding: object, expected: tuple[int, int]
) -> None:
    """Lo = e - 1 - pa, hi = e - 1 - pb; an integer is both; words are those of the function; left out is SAME."""
    assert crops(api, (3,), kernel_size=kernel, strides=stride, padding=padding) == (expected,)


@FLAX
def test_flax_takes_integers_and_pairs_side_by_side(api: Api) -> None:
    """A single integer in a sequence stands for the same padding on both sides, e = 3 and 5."""
    words = {"kernel_size": (3, 3), "strides": 2, "kernel_dilation": (1, 2)}
    assert crops(api, (5, 5), padding=(1, 2), **words) == ((1, 1), (2, 2))
    assert crops(api, (5, 5), padding=(1, (0, 2)), **words) == ((1, 1), (4, 2))


@FLAX
def test_flax_fills_in_what_was_not_written(api: Api) -> None:
    """Strides and dilation 1, SAME, a bias and a kernel that is correlated as it stands."""
    answer = resolve(api, (4,), kernel_size=3)
    assert answer.layer == Layer(kernel_size=(3,), padding=1, bias=True)
    assert answer.kernel is Orientation.CORRELATION
    assert resolve(api, (4,), kernel_size=3, transpose_kernel=True).kernel is Orientation.TRANSPOSED
    assert not resolve(api, (4,), kernel_size=3, use_bias=False).layer.bias


@FLAX
def test_flax_words_that_no_layer_says_are_not_judged(api: Api) -> None:
    """CIRCULAR wraps the output around; an integer kernel size makes every axis but one a batch dimension."""
    assert isinstance(resolve(api, (4,), kernel_size=3, padding="CIRCULAR"), Unspecified)
    assert isinstance(resolve(api, (4, 4), kernel_size=3), Unspecified)
    assert isinstance(resolve(api, (4, 4), kernel_size=(3, 3)), Resolved)


@FLAX
@pytest.mark.parametrize("padding", ["REFLECT", "same", ((0, 0), (0, 0)), (1, 1), ((0, 0, 0),)])
def test_flax_says_what_is_no_padding(api: Api, padding: object) -> None:
    """Words that it does not have, and another number of entries than axes."""
    answer = resolve(api, (4,), kernel_size=3, padding=padding)
    assert isinstance(answer, Illegal)
    assert answer.code == "padding outside its domain"
    assert answer.rule.url == api.documentation


def test_nnx_says_itself_what_valid_adds() -> None:
    """``dilation * (kernel_size - 1)`` on both sides is F = 3 for k = 1, s = 2; linen mirrors lax's n s = 4."""
    words = {"kernel_size": 1, "strides": 2, "padding": "VALID"}
    assert crops(NNX, (2,), **words) == ((0, 0),)
    assert crops(LINEN, (2,), **words) == ((0, -1),)
    assert resolve(NNX, (2,), **words).forward.rule.text.startswith("VALID adds dilation * (kernel_size - 1) padding")
    assert resolve(LINEN, (2,), **words).forward.rule.text.startswith("Behaviour mirrors of jax.lax.conv_transpose")


def test_nnx_is_asked_valid_only_where_its_meaning_is_certain() -> None:
    """For s > e the pairs say it; SAME and linen's VALID are as certain as ever."""
    wide, usual = Layer(kernel_size=1, stride=2, ndim=1), Layer(kernel_size=3, stride=2, ndim=1)
    assert [found["padding"] for found in NNX.candidates(wide, (2,))] == ["SAME", 0, ((0, 0),)]
    assert [found["padding"] for found in NNX.candidates(usual, (2,))] == ["SAME", "VALID", 2, ((2, 2),)]
    assert [found["padding"] for found in LINEN.candidates(wide, (2,))] == ["SAME", "VALID", 0, ((0, 0),)]
    assert NNX.default_spelling(wide, (2,)) is None


def test_nnx_describes_causal_for_one_axis_and_the_same_size() -> None:
    """Left-padded by e - 1 = 4: the last 4 of the full output are cut. Otherwise the size would be another one."""
    answer = resolve(NNX, (6,), kernel_size=3, kernel_dilation=2, padding="CAUSAL")
    assert answer.layer.crops == ((0, 4),)
    assert answer.layer.output_size((6,)) == (6,)
    assert answer.forward.valid_output_sizes(answer.layer, (6,)) == (range(6, 7),)
    assert isinstance(resolve(NNX, (6,), kernel_size=3, strides=2, padding="CAUSAL"), Unspecified)
    assert isinstance(resolve(NNX, (6, 6), kernel_size=(3, 3), padding="CAUSAL"), Unspecified)
    assert isinstance(resolve(LINEN, (6,), kernel_size=3, padding="CAUSAL"), Illegal)


def test_only_apis_with_a_forward_twin_have_a_forward_rule() -> None:
    """JAX's plain pairs have none, its words and consistent pairs do; so has Keras's inferred size."""
    plain = resolve(JAX, (3,), kernel_size=3, strides=2, padding=((1, 1),))
    consistent = resolve(JAX, (3,), kernel_size=3, strides=2, padding=((1, 1),), use_consistent_padding=True)
    assert plain.forward is None
    assert consistent.forward.valid_output_sizes(consistent.layer, (3,)) == (range(5, 7),)
    uneven = {"padding": ((1, 3), (0, 2)), "use_consistent_padding": True}
    assert resolve(JAX, (3, 3), kernel_size=3, strides=2, **uneven).forward.total_padding == (4, 2)
    assert "the gradient of conv" in consistent.forward.rule.text
    for word, total in (("SAME", None), ("VALID", (0, 0))):
        forward = resolve(JAX, (3, 3), kernel_size=3, strides=2, padding=word).forward
        assert forward.total_padding == total
        assert "padding of the corresponding forward conv" in forward.rule.text
    assert resolve(JAX, (3,), kernel_size=3, strides=2, padding="SAME").forward.total_padding is None
    assert resolve(KERAS, (3,), kernel_size=3, output_padding=0).forward is None
    assert resolve(KERAS, (3,), kernel_size=3).forward is not None


def test_documentation_is_silent_about_the_shape_of_arrays() -> None:
    """A kernel of size 0 in the weight's shape is neither legal nor forbidden."""
    answer = resolve(JAX, (3,), kernel_size=0, strides=1, padding="SAME")
    assert answer == Unspecified("kernel_size must be an integer of at least 1, or one for each spatial axis")


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
    general = {"in_channels": 4, "out_channels": 6, "kernel_size": 3, "lhs_dilation": 2, "padding": ((2, 2),)}
    answer = GENERAL.resolve(Spelling(GENERAL.name, {**general, "feature_group_count": 2}), (3,))
    assert isinstance(answer, Resolved)
    assert answer.layer == Layer(4, 6, (3,), (2,), groups=2, bias=False)


def test_calls_without_a_bias_resolve_to_layers_without_one() -> None:
    """TensorFlow's and JAX's functions have no word for it."""
    answers = (
        resolve(TF, (3,), kernel_size=3, strides=1, output_shape=5, padding="VALID"),
        resolve(JAX, (3,), kernel_size=3, strides=1, padding="VALID"),
        resolve(GENERAL, (3,), kernel_size=3, lhs_dilation=1, padding=((2, 2),)),
    )
    assert [answer.layer for answer in answers] == [Layer(kernel_size=(3,), bias=False)] * 3


@pytest.mark.parametrize("channels", [(4, 5), (5, 4)])
@pytest.mark.parametrize(
    ("api", "words"),
    [
        (TORCH, {"groups": 2}),
        (GENERAL, {"lhs_dilation": 1, "padding": ((0, 0),), "feature_group_count": 2}),
    ],
)
def test_groups_divide_the_channels(api: Api, words: dict[str, Any], channels: tuple[int, int]) -> None:
    """Of the input and of the output."""
    answer = resolve(api, (3,), kernel_size=1, in_channels=channels[0], out_channels=channels[1], **words)
    assert isinstance(answer, Illegal)
    assert answer.code == "groups do not divide the channels"
    assert "divi" in answer.rule.text
    assert "group" in answer.rule.text


@pytest.mark.parametrize(
    ("input_size", "size", "expected"),
    [(0, 2, (0, -2)), (1, 3, (0, 0)), (2, 6, (0, 0))],
)
def test_an_empty_axis_of_jax_has_no_holes(input_size: int, size: int, expected: tuple[int, int]) -> None:
    """K = s = 3, padded by 2 and 2: n = 0 is a row of 4 zeros, so 2 outputs where F = 0; from n = 1 on it is F."""
    for api, stride in ((JAX, "strides"), (GENERAL, "lhs_dilation"), (LINEN, "strides"), (NNX, "strides")):
        answer = resolve(api, (input_size,), kernel_size=3, padding=((2, 2),), **{stride: 3})
        assert answer.layer.crops == (expected,)
        assert answer.layer.output_size((input_size,)) == (size,)
        assert api.widest(answer.layer, (input_size,))["padding"] == ((2, 2),)


def test_an_empty_output_that_leads_back_is_not_judged() -> None:
    """With k = 4 and padding 3 and 3 the forward convolution takes size 0 to 3; with one padding less it does not."""
    words = {"kernel_size": 4, "strides": 1, "output_shape": (0, 4)}
    silent = Unspecified("an output of size 0, which the forward convolution may take back to the input's size")
    assert resolve(TF, (3, 5), padding=((3, 3), (0, 4)), **words) == silent
    assert isinstance(resolve(TF, (3, 5), padding=((3, 2), (0, 4)), **words), Illegal)


@pytest.mark.parametrize(
    "words",
    [
        {"kernel_size": 3, "strides": 2, "padding": ((2, 2), (2, 2))},  # (4 - 3) // 2 + 1 = 1
        {"kernel_size": 2, "strides": 1, "dilations": 2, "padding": ((2, 1), (2, 1))},  # e = 3: 3 - 3 + 1 = 1
    ],
)
def test_an_empty_output_leads_back_by_stride_and_dilation(words: dict[str, Any]) -> None:
    """The forward convolution of nothing but padding gives 1, and would give 2 without the stride or the dilation."""
    assert isinstance(resolve(TF, (1, 1), output_shape=(0, 0), **words), Unspecified)
    assert isinstance(resolve(TF, (2, 2), output_shape=(0, 0), **words), Illegal)


def test_an_empty_output_leads_back_by_its_own_axis() -> None:
    """Only the second axis is empty, and nothing of the first would take it to 1: e = 3 and P = 4 at stride 2."""
    words = {"kernel_size": (3, 2), "strides": (1, 2), "dilations": (1, 2), "padding": ((1, 4), (2, 2))}
    assert isinstance(resolve(TF, (5, 1), output_shape=(2, 0), **words), Unspecified)
    assert isinstance(resolve(TF, (5, 1), output_shape=(3, 0), **words), Illegal)


@pytest.mark.parametrize("turned", [False, True], ids=["second", "first"])
@pytest.mark.parametrize(
    ("api", "input_size", "arguments", "code"),
    [
        (TORCH, (3, 3), {"stride": 2, "output_size": (7, 9)}, "output_size outside the valid sizes"),
        (TORCH, (3, 3), {"output_padding": (0, 1)}, "output_padding not below stride or dilation"),
        (TORCH, (3, 3), {"padding": (1, 3)}, "no output left"),
        (KERAS, (3, 3), {"strides": 2, "output_padding": (0, 2)}, "output_padding not below strides"),
        (KERAS, (3, 3), {"strides": (1, 2), "dilation_rate": 2}, "strides with dilation_rate"),
        (KERAS, (3, 3), {"strides": 2, "dilation_rate": (1, 2)}, "strides with dilation_rate"),
        (JAX, (3, 3), {"strides": 1, "padding": ((0, 0), (-2, -2))}, "negative output size"),
        (GENERAL, (3, 3), {"lhs_dilation": 1, "padding": ((0, 0), (-2, -2))}, "negative output size"),
        (LINEN, (3, 3), {"kernel_size": (3, 3), "padding": (0, -2)}, "negative output size"),
        (NNX, (3, 3), {"kernel_size": (3, 3), "padding": ((0, 0), -2)}, "negative output size"),
        (
            TF,
            (3, 3),
            {"strides": 2, "padding": "VALID", "output_shape": (7, 9)},
            "output_shape outside the forward rule",
        ),
    ],
)
def test_one_axis_is_enough_to_break_a_rule(
    api: Api, input_size: tuple[int, ...], arguments: dict[str, Any], code: str, turned: bool
) -> None:
    """Either one: the other is legal by itself."""
    if turned:
        arguments = {name: v[::-1] if isinstance(v, tuple) else v for name, v in arguments.items()}
    answer = resolve(api, input_size, **{"kernel_size": 3, **arguments})
    assert isinstance(answer, Illegal)
    assert answer.code == code


def test_one_negative_axis_is_enough_for_keras_to_be_silent() -> None:
    """N = (0, 3) with k = 1 and s = 2: -1 and 5."""
    words = {"kernel_size": 1, "strides": 2, "padding": "same", "output_padding": 0}
    assert all(isinstance(resolve(KERAS, n, **words), Unspecified) for n in ((0, 3), (3, 0)))
