"""The references against each other, against their definitions, and against answers that others published."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness import Case, Layer
from harness.errors import InvalidField
from harness.reference import (
    LARGEST,
    SMALLEST_NORMAL,
    UNIT_ROUNDOFF,
    conv_transpose,
    error_bound,
    forward_conv,
    gradient_bounds,
    magnitudes,
    matrix,
    vjp,
    zero_insertion,
)
from harness.values import DTYPES, round_to_bfloat16

Array: TypeAlias = NDArray[Any]
Question: TypeAlias = "tuple[Array, Array, Array | None, Layer]"
Asked: TypeAlias = "tuple[Layer, tuple[int, ...]]"
Reference: TypeAlias = "Callable[[Array, Array, Array | None, Layer], Array]"

REFERENCES: dict[str, Reference] = {"scatter": conv_transpose, "zero_insertion": zero_insertion, "matrix": matrix}
EACH = pytest.mark.parametrize("reference", REFERENCES.values(), ids=REFERENCES)


def integers(seed: int, *shape: int, largest: int = 4) -> Array:
    """Integers from -largest to largest, as floats."""
    return np.random.default_rng(seed).integers(-largest, largest, size=shape, endpoint=True).astype(np.float64)


def question(layer: Layer, input_size: tuple[int, ...], *, batch: int = 1, seed: int = 0) -> Question:
    """Integer arrays for a layer."""
    x = integers(seed, batch, layer.in_channels, *input_size)
    weight = integers(seed + 1, *layer.weight_shape)
    return x, weight, integers(seed + 2, layer.out_channels) if layer.bias else None, layer


@st.composite
def layers(draw: st.DrawFn, *, largest: int = 6, least: int = 0) -> Asked:
    """Layers of one to three axes with an input size: any near crop, and any output size from the least on."""
    ndim = draw(st.integers(1, 3))
    top = min(largest, {1: 6, 2: 4, 3: 3}[ndim])

    def axes(least: int, most: int) -> tuple[int, ...]:
        return draw(st.tuples(*[st.integers(least, most)] * ndim))

    groups = draw(st.integers(1, 3))
    free = Layer(
        groups * draw(st.integers(1, 2)),
        groups * draw(st.integers(1, 2)),
        axes(1, top),
        axes(1, 3),
        axes(-3, 5),
        0,
        axes(1, 3),
        groups,
        bias=draw(st.booleans()),
    )
    input_size = axes(least, top)
    output_size = zip(axes(least, 7 if ndim < 3 else 5), free.output_size(input_size), strict=True)
    missing = [wanted - given for wanted, given in output_size]
    return free.replace(output_padding=missing), input_size


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Integer arrays for a drawn layer, empty batches among them."""
    layer, input_size = draw(layers())
    return question(layer, input_size, batch=draw(st.integers(0, 3)), seed=draw(st.integers(0, 999)))


def by_definition(
    x: Array, weight: Array, bias: Array | None, layer: Layer, rounded: Callable[[Any], Any] = float
) -> Array:
    """One product after the other in plain loops, each product and each sum rounded; the bias is the last summand."""
    n, m = x.shape[2:], layer.output_size(x.shape[2:])
    inputs, outputs = (channels // layer.groups for channels in (layer.in_channels, layer.out_channels))
    y = np.zeros((len(x), layer.out_channels, *m))
    for b, c, o in itertools.product(range(len(x)), range(layer.in_channels), range(outputs)):
        for i, t in itertools.product(np.ndindex(*n), np.ndindex(*layer.kernel_size)):
            places = zip(i, t, layer.stride, layer.dilation, layer.padding, strict=True)
            j = tuple(position * s + tap * d - p for position, tap, s, d, p in places)
            if all(0 <= place < size for place, size in zip(j, m, strict=True)):
                at = (b, c // inputs * outputs + o, *j)
                y[at] = rounded(rounded(y[at]) + rounded(x[(b, c, *i)] * weight[(c, o, *t)]))
    if bias is not None:
        for at in np.ndindex(*y.shape):
            y[at] = rounded(rounded(y[at]) + rounded(bias[at[1]]))
    return y


# Agreement


@settings(deadline=None, max_examples=100)
@given(questions())
def test_the_three_derivations_agree_exactly_on_integers(asked: Question) -> None:
    """Any crop, stride, dilation, groups, empty batches, empty inputs and empty outputs, one to three axes."""
    x, _, _, layer = asked
    scattered = conv_transpose(*asked)
    assert scattered.shape == (len(x), layer.out_channels, *layer.output_size(x.shape[2:]))
    assert scattered.dtype == np.float64
    for reference in (zero_insertion, matrix):
        other = reference(*asked)
        assert other.shape == scattered.shape
        assert np.array_equal(other, scattered), reference.__name__


BY_HAND = [
    (Layer(1, 1, 3, 2, 1, 1, ndim=1), (4,), 2),
    (Layer(4, 6, (2,), (3,), (-2,), (1,), (2,), 2), (3,), 1),
    (Layer(2, 2, 3, 1, 4, 6, 3, bias=False, ndim=1), (5,), 1),
    (Layer(1, 1, 2, 3, -3, 2, ndim=1), (0,), 2),
    (Layer(1, 1, 1, 3, -2, 0, ndim=1), (0,), 1),
    (Layer(2, 3, (3, 2), (1, 2), (-1, 1), (0, 1), (2, 1)), (2, 3), 2),
    (Layer(4, 4, (2, 3), (2, 1), (2, -1), (2, -1), (1, 2), 4, bias=False), (3, 3), 1),
    (Layer(2, 2, (2, 1, 2), (1, 2, 3), (0, -1, 1), (1, 0, -1), (2, 1, 1), 2), (2, 2, 2), 1),
]


@EACH
@pytest.mark.parametrize(("layer", "input_size", "batch"), BY_HAND)
def test_each_derivation_is_the_definition(
    reference: Reference, layer: Layer, input_size: tuple[int, ...], batch: int
) -> None:
    """full[i s + t d] += x[i] w[t], y[j] = full[j + lo] + bias, in loops that know nothing else."""
    asked = question(layer, input_size, batch=batch, seed=3)
    assert np.array_equal(reference(*asked), by_definition(*asked))


@EACH
def test_an_output_beyond_the_full_output_is_the_bias(reference: Reference) -> None:
    """A negative crop extends with zeros, before the bias: two places in front and one behind."""
    layer = Layer(1, 2, (2,), padding=(-2,), output_padding=(-1,))
    x, weight = np.array([[[1.0, 2.0]]]), np.array([[[3.0, 4.0], [0.0, 5.0]]])
    expected = [[10.0, 10.0, 13.0, 20.0, 18.0, 10.0], [20.0, 20.0, 20.0, 25.0, 30.0, 20.0]]
    assert reference(x, weight, np.array([10.0, 20.0]), layer).tolist() == [expected]


@EACH
def test_arrays_of_any_float_dtype_are_computed_in_float64(reference: Reference) -> None:
    """2048 + 1 + 2 is lost in half precision, wherever it is added; the inputs are not written to."""
    layer = Layer(2, 1, 1, ndim=1)
    x, weight, bias = (np.array(values, dtype=np.float16) for values in ([[[2048], [1]]], [[[1]], [[1]]], [2]))
    for array in (x, weight, bias):
        array.flags.writeable = False
    answer = reference(x, weight, bias, layer)
    assert answer.dtype == np.float64
    assert answer.tolist() == [[[2051.0]]]


# Published answers


@EACH
@pytest.mark.parametrize(
    ("stride", "expected"),
    [
        (1, [[0, 0, 1], [0, 4, 6], [4, 12, 9]]),
        (2, [[0, 0, 0, 1], [0, 0, 2, 3], [0, 2, 0, 3], [4, 6, 6, 9]]),
    ],
)
def test_the_worked_examples_of_dive_into_deep_learning(
    reference: Reference, stride: int, expected: list[list[int]]
) -> None:
    """X = K = [[0, 1], [2, 3]] of https://d2l.ai/chapter_computer-vision/transposed-conv.html."""
    x = np.array([[[[0.0, 1.0], [2.0, 3.0]]]])
    assert reference(x, x, None, Layer(1, 1, 2, stride, bias=False, ndim=2)).tolist() == [[expected]]


def scipy_layer(mode: str, n: tuple[int, ...], k: tuple[int, ...]) -> Layer:
    """The crop of SciPy's words: nothing; the middle n of F = n + k - 1; where the shorter is inside the longer."""
    if mode == "full":
        lo = hi = tuple(0 for _ in k)
    elif mode == "same":
        lo = tuple((size - 1) // 2 for size in k)
        hi = tuple(size // 2 for size in k)
    else:
        lo = hi = tuple(min(sizes) - 1 for sizes in zip(n, k, strict=True))
    added = tuple(near - far for near, far in zip(lo, hi, strict=True))
    return Layer(1, 1, k, padding=lo, output_padding=added, bias=False)


@EACH
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_scipy_convolves_alike(reference: Reference, mode: str) -> None:
    """scipy.signal.convolve at stride 1 with one channel, 1-D and 2-D, odd and even sizes, either one the longer."""
    from scipy.signal import convolve

    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((n,), (k,)) for n in range(1, 7) for k in range(1, 7)]
    square = list(itertools.product((1, 2, 5), (1, 4)))
    shapes += [
        (n, k) for n in square for k in itertools.product((1, 2, 3), (1, 3)) if is_inside(n, k) or mode != "valid"
    ]
    for n, k in shapes:
        x, weight, _, layer = question(scipy_layer(mode, n, k), n)
        expected = convolve(x[0, 0], weight[0, 0], mode=mode, method="direct")
        assert np.array_equal(reference(x, weight, None, layer)[0, 0], expected), (n, k)


def is_inside(n: tuple[int, ...], k: tuple[int, ...]) -> bool:
    """SciPy's valid mode needs one array to fit into the other on every axis."""
    return all(map(int.__ge__, n, k)) or all(map(int.__le__, n, k))


def onnx_layer(attributes: dict[str, Any], x: Array, weight: Array, *, bias: bool) -> Layer:
    """What ONNX's attributes mean: lo = pb, hi = pe - a, or the total of an output shape in two halves."""
    ndim = x.ndim - 2
    groups, added = attributes.get("group", 1), attributes.get("output_padding", [0] * ndim)
    assert list(attributes.get("kernel_shape", weight.shape[2:])) == list(weight.shape[2:])
    layer = Layer(
        weight.shape[0],
        weight.shape[1] * groups,
        weight.shape[2:],
        attributes.get("strides", 1),
        dilation=attributes.get("dilations", 1),
        groups=groups,
        bias=bias,
    )
    word = attributes.get("auto_pad", b"NOTSET").decode()
    shape = attributes.get("output_shape")
    if word.startswith("SAME"):
        shape = [n * s for n, s in zip(x.shape[2:], layer.stride, strict=True)]
    if shape is None:
        near, far = np.reshape(attributes.get("pads", [0] * 2 * ndim), (2, ndim)).tolist()
    else:
        totals = [f + a - m for f, a, m in zip(layer.full_size(x.shape[2:]), added, shape, strict=True)]
        assert min(totals) >= 0, "not specified"
        halves = [total // 2 for total in totals]
        rest = [total - half for total, half in zip(totals, halves, strict=True)]
        near, far = (halves, rest) if word == "SAME_UPPER" else (rest, halves)
    hi = [pe - a for pe, a in zip(far, added, strict=True)]
    return layer.replace(padding=near, output_padding=[lo - h for lo, h in zip(near, hi, strict=True)])


#: the standard does not say what a size beyond F + a means (T < 0)
ONNX_UNSPECIFIED = {"test_convtranspose_output_shape"}
ONNX_AT_LEAST = {
    "test_convtranspose",
    "test_convtranspose_1d",
    "test_convtranspose_3d",
    "test_convtranspose_autopad_same",
    "test_convtranspose_dilations",
    "test_convtranspose_kernel_shape",
    "test_convtranspose_output_shape",
    "test_convtranspose_pad",
    "test_convtranspose_pads",
}


def onnx_cases(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Any, list[Array], Array]]:
    """ONNX's node tests by name: the attributes, the inputs and the output, from the code that writes its test data."""
    from onnx.backend.test.case.node import convtranspose
    from onnx.helper import get_attribute_value

    found: dict[str, tuple[Any, list[Array], Array]] = {}

    def keep(node: Any, inputs: list[Array], outputs: list[Array], name: str) -> None:
        attributes = {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}
        found[name] = (attributes, list(inputs), outputs[0])

    monkeypatch.setattr(convtranspose, "expect", keep)
    for name, export in vars(convtranspose.ConvTranspose).items():
        if name.startswith("export"):
            export.__func__()
    return found


@EACH
def test_the_node_tests_of_onnx(reference: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every ConvTranspose of ONNX's own node tests, bit for bit, but for the one whose meaning is not specified."""
    found = onnx_cases(monkeypatch)
    assert found.keys() >= ONNX_AT_LEAST
    for name, (attributes, (x, weight), expected) in found.items():
        if name not in ONNX_UNSPECIFIED:
            layer = onnx_layer(attributes, x, weight, bias=False)
            assert np.array_equal(reference(x, weight, None, layer), expected), name


def test_the_node_test_of_onnx_that_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for (10, 8) where F = (9, 7): the mapping refuses it, and its published answer is a far extension."""
    cases = onnx_cases(monkeypatch)
    for name in ONNX_UNSPECIFIED:
        attributes, (x, weight), expected = cases[name]
        with pytest.raises(AssertionError, match="not specified"):
            onnx_layer(attributes, x, weight, bias=False)
        layer = Layer(1, 2, (3, 3), (3, 2), 0, 1, bias=False)
        assert np.array_equal(conv_transpose(x, weight, None, layer), expected)


def onnx_files(folder: str) -> tuple[Any, list[Array], Array]:
    """A model of one node, its input and its output, from the files in the installed package."""
    import onnx
    from onnx.backend.test.loader import DATA_DIR
    from onnx.numpy_helper import to_array

    def read(name: str) -> Array:
        tensor = onnx.TensorProto()
        tensor.ParseFromString((path / "test_data_set_0" / name).read_bytes())
        return np.asarray(to_array(tensor))

    path = Path(DATA_DIR) / folder
    graph = onnx.load(path / "model.onnx").graph
    (node,) = graph.node
    assert node.op_type == "ConvTranspose"
    weights = {tensor.name: np.asarray(to_array(tensor)) for tensor in graph.initializer}
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    return attributes, [read("input_0.pb"), *(weights[name] for name in node.input[1:])], read("output_0.pb")


@EACH
@pytest.mark.parametrize(
    "folder",
    [
        "pytorch-converted/test_ConvTranspose2d",
        "pytorch-converted/test_ConvTranspose2d_no_bias",
        "pytorch-operator/test_operator_convtranspose",
    ],
)
def test_the_models_that_pytorch_exported_to_onnx(reference: Reference, folder: str) -> None:
    """Real numbers, channels, anisotropic strides, padding and output padding: within the bound of float32."""
    attributes, (x, weight, *rest), expected = onnx_files(folder)
    bias = rest[0] if rest else None
    layer = onnx_layer(attributes, x, weight, bias=bias is not None)
    bound = error_bound(x, weight, bias, layer, "float32")
    assert bound is not None
    answer = reference(x, weight, bias, layer)
    assert answer.shape == expected.shape
    assert np.all(np.abs(answer - expected) <= bound)


# The adjoint and the gradients


@settings(deadline=None, max_examples=60)
@given(questions(), st.integers(0, 999))
def test_the_adjoint_identity_holds_exactly_on_integers(asked: Question, seed: int) -> None:
    """⟨conv_transpose(x), y⟩ = ⟨x, forward_conv(y)⟩ without the bias, for every crop and for empty arrays."""
    x, weight, _, layer = asked
    output = conv_transpose(x, weight, None, layer.replace(bias=False))
    y = integers(seed, *output.shape)
    back = forward_conv(y, weight, layer, x.shape[2:])
    assert back.shape == x.shape
    assert back.dtype == np.float64
    assert np.sum(output * y) == np.sum(x * back)


@pytest.mark.parametrize(("layer", "input_size", "batch"), BY_HAND)
def test_the_adjoint_is_the_forward_convolution(layer: Layer, input_size: tuple[int, ...], batch: int) -> None:
    """Worked as a convolution of y with its (lo, hi) of zeros around it, or cut, in loops that know no scatter."""
    y = integers(5, batch, layer.out_channels, *layer.output_size(input_size))
    weight = integers(6, *layer.weight_shape)
    padded = np.pad(y, [(0, 0), (0, 0), *((max(lo, 0), max(hi, 0)) for lo, hi in layer.crops)])
    ends = zip(layer.crops, padded.shape[2:], strict=True)
    cuts: list[Any] = [slice(max(-lo, 0), size - max(-hi, 0)) for (lo, hi), size in ends]
    padded = padded[(..., *cuts)]
    outputs, inputs = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    expected = np.zeros((batch, layer.in_channels, *input_size))
    for b, c, *i in np.ndindex(*expected.shape):
        for o, *t in np.ndindex(outputs, *layer.kernel_size):
            at = [p * s + q * d for p, q, s, d in zip(i, t, layer.stride, layer.dilation, strict=True)]
            expected[(b, c, *i)] += padded[(b, c // inputs * outputs + o, *at)] * weight[(c, o, *t)]
    assert np.array_equal(forward_conv(y, weight, layer, input_size), expected)


@settings(deadline=None, max_examples=40)
@given(layers(largest=3), st.integers(0, 2), st.integers(0, 999))
def test_gradients_are_the_responses_to_unit_arrays(drawn: Asked, batch: int, seed: int) -> None:
    """By bilinearity each entry is ⟨y, conv_transpose⟩ of the array that is 1 there and 0 elsewhere, exactly."""
    layer, input_size = drawn
    x, weight, bias, _ = question(layer, input_size, batch=batch, seed=seed)
    plain = layer.replace(bias=False)
    cotangent = integers(seed + 3, batch, layer.out_channels, *layer.output_size(input_size))
    dx, dweight, dbias = vjp(x, weight, bias, layer, cotangent)

    inputs, outputs = math.prod(x.shape[1:]), math.prod(cotangent.shape[1:])
    units = np.eye(inputs).reshape(inputs, *x.shape[1:])
    responses = conv_transpose(units, weight, None, plain).reshape(inputs, outputs)
    assert np.array_equal(dx, (cotangent.reshape(batch, outputs) @ responses.T).reshape(x.shape))
    assert dweight.shape == weight.shape
    for at in np.ndindex(*weight.shape):
        unit = np.zeros(weight.shape)
        unit[at] = 1
        assert dweight[at] == np.sum(cotangent * conv_transpose(x, unit, None, plain))
    if bias is None:
        assert dbias is None
    else:
        sums = [cotangent[:, channel].sum() for channel in range(layer.out_channels)]
        assert dbias is not None
        assert dbias.tolist() == sums


def test_gradients_are_computed_in_float64() -> None:
    """Sums of half precision arrays beyond 2048 stay exact."""
    layer = Layer(1, 1, 1, ndim=1)
    ones = np.ones((1, 1, 2049), dtype=np.float16)
    dx, dweight, dbias = vjp(ones, np.ones((1, 1, 1), dtype=np.float16), np.zeros(1, dtype=np.float16), layer, ones)
    assert dbias is not None
    assert [array.dtype for array in (dx, dweight, dbias)] == [np.float64] * 3
    assert (dweight.item(), dbias.item()) == (2049.0, 2049.0)


@settings(deadline=None, max_examples=50)
@given(layers(least=1), st.integers(1, 3))
def test_gradient_products_count_what_meets(drawn: Asked, batch: int) -> None:
    """Ones in every array count the products: the largest entry of each gradient of the full output."""
    layer, input_size = drawn
    layer = layer.replace(padding=0, output_padding=0, bias=True)
    x, weight = np.ones((batch, layer.in_channels, *input_size)), np.ones(layer.weight_shape)
    y = np.ones((batch, layer.out_channels, *layer.output_size(input_size)))
    gradients = vjp(x, weight, np.zeros(layer.out_channels), layer, y)
    counted = tuple(int(array.max()) for array in gradients if array is not None)
    assert layer.products_per_gradient(input_size, batch=batch) == counted


def test_gradient_products_of_a_cropped_layer() -> None:
    """The crop takes away from dbias alone: (C_out / g) Π k, N Π n, N Π m."""
    layer = Layer(4, 6, (2, 3), (2, 1), (1, 0), (0, 2), (1, 2), 2)
    assert layer.output_size((3, 5)) == (4, 11)
    assert layer.products_per_gradient([3, 5], batch=7) == (3 * 6, 7 * 15, 7 * 44)


# The error bound


@settings(deadline=None, max_examples=50)
@given(layers())
def test_magnitudes_of_ones_count_the_products_of_an_output(drawn: Asked) -> None:
    """K is the largest number that meets in the full output, and at least that in any crop."""
    layer, input_size = drawn
    x, weight = np.ones((1, layer.in_channels, *input_size)), -np.ones(layer.weight_shape)
    plain = layer.replace(bias=False)
    assert magnitudes(x, weight, None, plain).max(initial=0) <= layer.products_per_output(input_size)
    if min(input_size) >= 1:
        full = plain.replace(padding=0, output_padding=0)
        assert magnitudes(x, weight, None, full).max() == layer.products_per_output(input_size)


def test_magnitudes_add_absolute_values() -> None:
    """|x||w| with both signs, and the absolute value of the bias."""
    x, weight, bias = np.array([[[1.0, -2.0]]]), np.array([[[3.0, 4.0]]]), np.array([-5.0])
    assert magnitudes(x, weight, bias, Layer(kernel_size=(2,))).tolist() == [[[8.0, 15.0, 13.0]]]


def test_the_constants_are_those_of_the_formats() -> None:
    """Half the distance from 1 to the next number, the smallest normal number, the largest number (not above it)."""
    for dtype in DTYPES:
        if dtype == "bfloat16":
            spacing, smallest, largest = 2.0**-7, 2.0**-126, 2.0**127 * (2 - 2.0**-7)
        else:
            info = np.finfo(dtype)
            spacing, smallest, largest = float(info.eps), float(info.tiny), float(info.max)
        assert UNIT_ROUNDOFF[dtype] == spacing / 2
        assert SMALLEST_NORMAL[dtype] == smallest
        assert 0.99 * largest < LARGEST[dtype] <= largest


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_bound_is_the_documented_formula(dtype: str) -> None:
    """K = 2 by hand: x = (1, -2), w = (3, 4), b = -5 give y = (-2, -7, -13) and Σ|x||w| + |b| = (8, 15, 13)."""
    x, weight, bias = np.array([[[1.0, -2.0]]]), np.array([[[3.0, 4.0]]]), np.array([-5.0])
    u, eta = Fraction(UNIT_ROUNDOFF[dtype]), Fraction(SMALLEST_NORMAL[dtype])
    gamma = 3 * u / (1 - 3 * u)
    expected = [gamma * terms + u * abs(y) + 4 * eta for terms, y in ((8, -2), (15, -7), (13, -13))]
    if dtype == "float64":
        expected = [2 * value for value in expected]
    bound = error_bound(x, weight, bias, Layer(kernel_size=(2,)), dtype)
    assert bound is not None
    assert bound[0, 0].tolist() == pytest.approx([float(value) for value in expected], rel=1e-14, abs=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_bound_of_zeros_is_what_may_be_flushed(dtype: str) -> None:
    """(K + 2) η with K = 3 · 2, twice for float64: the smallest numbers may become zero at every step."""
    layer = Layer(3, 1, 2, bias=False, ndim=1)
    bound = error_bound(np.zeros((1, 3, 4)), np.zeros((3, 1, 2)), None, layer, dtype)
    assert bound is not None
    assert set(bound.ravel().tolist()) == {8 * SMALLEST_NORMAL[dtype] * (2 if dtype == "float64" else 1)}


def test_too_many_products_have_no_bound() -> None:
    """(K + 1) u >= 1: bfloat16 ends at K = 255, float16 at 2047."""
    for dtype, products in (("bfloat16", 255), ("float16", 2047)):
        for count in (products - 1, products):
            layer = Layer(count, bias=False, ndim=1)
            x, weight = np.ones((1, count, 1)), np.ones((count, 1, 1))
            assert (error_bound(x, weight, None, layer, dtype) is None) is (count == products)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_what_may_overflow_has_no_bound(dtype: str) -> None:
    """Terms that with their own error reach the largest number: element by element, infinity; below it, finite."""
    layer = Layer(1, 1, 1, bias=False, ndim=1)
    gamma = 2 * UNIT_ROUNDOFF[dtype] / (1 - 2 * UNIT_ROUNDOFF[dtype])
    x = LARGEST[dtype] / (1 + gamma) * np.array([[[0.999, 1.001, 1.0 + gamma, -1.001, 2.0, 0.5]]])
    bound = error_bound(x, np.ones((1, 1, 1)), None, layer, dtype)
    assert bound is not None
    assert np.isfinite(bound).ravel().tolist() == [True, False, False, False, False, True]


def test_the_largest_number_itself_is_reached() -> None:
    """float16 and K = 1: 1 + γ = 1024 / 1023, and 65504 · 1023 / 1024 is a float64 number."""
    layer = Layer(1, 1, 1, bias=False, ndim=1)
    terms = 65504 * 1023 / 1024
    x = np.array([[[np.nextafter(terms, 0), terms]]])
    bound = error_bound(x, np.ones((1, 1, 1)), None, layer, "float16")
    assert bound is not None
    assert np.isfinite(bound).tolist() == [[[True, False]]]


ROUNDED: dict[str, Callable[[Any], Any]] = {
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": lambda number: round_to_bfloat16(np.array([number], dtype=np.float32))[0],
}


@settings(deadline=None, max_examples=40)
@given(layers(largest=3, least=1), st.sampled_from(sorted(ROUNDED)), st.integers(0, 2**64 - 1))
def test_the_bound_holds_for_plain_loops_of_low_precision(drawn: Asked, dtype: str, seed: int) -> None:
    """Every product and every sum rounded to the dtype, one after the other: no further off than the bound says."""
    layer, input_size = drawn
    assume(layer.multiply_adds(input_size) <= 1000)
    x, weight, bias = Case(layer, input_size=input_size, dtype=dtype, values="normal", seed=seed).arrays()
    bound = error_bound(x, weight, bias, layer, dtype)
    assert bound is not None
    naive = by_definition(x, weight, bias, layer, ROUNDED[dtype])
    assert np.all(np.abs(naive - conv_transpose(x, weight, bias, layer)) <= bound)


# The bounds of the gradients


@settings(deadline=None, max_examples=40)
@given(layers(least=1), st.sampled_from(DTYPES), st.integers(1, 2), st.integers(0, 2**64 - 1))
def test_the_bounds_of_gradients_are_those_of_the_outputs_that_they_are(
    drawn: Asked, dtype: str, batch: int, seed: int
) -> None:
    """The formula of the output's bound, on the gradients' own terms and with as many products as meet in them."""
    layer, input_size = drawn
    case = Case(layer, batch=batch, input_size=input_size, dtype=dtype, values="normal", seed=seed)
    x, weight, bias = case.arrays()
    found = gradient_bounds(x, weight, bias, layer, case.cotangent(), dtype)
    values = vjp(x, weight, bias, layer, case.cotangent())
    terms = vjp(abs(x), abs(weight), bias, layer, abs(case.cotangent()))
    u, eta = UNIT_ROUNDOFF[dtype], SMALLEST_NORMAL[dtype]
    for bound, value, term, k in zip(
        found, values, terms, layer.products_per_gradient(input_size, batch=batch), strict=True
    ):
        if (k + 1) * u >= 1 or value is None:
            assert bound is None
            continue
        assert bound is not None
        assert term is not None
        gamma = (k + 1) * u / (1 - (k + 1) * u)
        expected = (gamma * term + u * np.abs(value) + (k + 2) * eta) * (2 if dtype == "float64" else 1)
        assert bound.shape == value.shape
        assert np.allclose(bound, expected, rtol=1e-12, atol=0)


def test_the_input_gradients_bound_is_that_of_the_forward_convolution() -> None:
    """At stride 1 that is a transposed convolution of the cotangent again, whose bound the output's formula has."""
    layer = Layer(2, 3, (2,), padding=(1,), bias=False)
    case = Case(layer, batch=2, input_size=5, values="normal", seed=4)
    x, weight, _ = case.arrays()
    y = case.cotangent()
    back = Layer(3, 2, (2,), padding=(0,), bias=False)
    turned = np.flip(weight, 2).swapaxes(0, 1)
    assert np.allclose(conv_transpose(y, turned, None, back), forward_conv(y, weight, layer, (5,)), rtol=1e-13)
    bound = error_bound(y, turned, None, back, "float32")
    found = gradient_bounds(x, weight, None, layer, y, "float32")
    assert bound is not None
    assert found[0] is not None
    assert layer.products_per_gradient((5,), batch=2)[0] == back.products_per_output(y.shape[2:])
    assert np.allclose(found[0], bound, rtol=1e-12, atol=0)
    assert found[2] is None


def test_each_gradient_has_no_bound_where_too_many_products_meet_in_it() -> None:
    """bfloat16 ends at K = 255: dx has (C_out / g) Π k products, dweight N Π n, dbias N Π m."""

    def bounded(layer: Layer, n: int) -> list[bool]:
        case = Case(layer, input_size=(n,), dtype="bfloat16", values="normal")
        return [bound is not None for bound in gradient_bounds(*case.arrays(), layer, case.cotangent(), "bfloat16")]

    assert bounded(Layer(1, 255, ndim=1), 2) == [False, True, True]
    assert bounded(Layer(1, 254, ndim=1), 254) == [True, True, True]
    assert bounded(Layer(padding=(1,), output_padding=(1,)), 255) == [True, False, True]
    assert bounded(Layer(padding=(-1,), output_padding=(-1,)), 254) == [True, True, False]


def test_gradients_that_may_overflow_have_no_bound() -> None:
    """Element by element: infinity where the sum of the terms may be beyond the largest number."""
    layer = Layer(kernel_size=(1,))
    x, weight, bias = np.array([[[3e38, 1.0]]]), np.ones((1, 1, 1)), np.zeros(1)
    dx, dweight, dbias = gradient_bounds(x, weight, bias, layer, np.array([[[2.0, 3.4e38]]]), "float32")
    assert dx is not None
    assert dweight is not None
    assert dbias is not None
    assert np.isfinite(dx).tolist() == [[[True, False]]]
    assert not np.isfinite(dweight).any()
    assert not np.isfinite(dbias).any()


@settings(deadline=None, max_examples=40)
@given(layers(largest=3, least=1), st.sampled_from(sorted(ROUNDED)), st.integers(0, 2**64 - 1))
def test_the_bounds_hold_for_gradients_of_low_precision(drawn: Asked, dtype: str, seed: int) -> None:
    """Every product and every sum rounded to the dtype, one after the other: no further off than the bounds say."""
    layer, input_size = drawn
    assume(layer.multiply_adds(input_size) <= 500)
    case = Case(layer, input_size=input_size, dtype=dtype, values="normal", seed=seed)
    x, weight, bias = case.arrays()
    y, rounded = case.cotangent(), ROUNDED[dtype]
    dx, dweight = np.zeros(x.shape), np.zeros(weight.shape)
    outputs = layer.out_channels // layer.groups
    for c, *i in np.ndindex(*x.shape[1:]):
        for o, *t in np.ndindex(*weight.shape[1:]):
            places = zip(i, t, layer.stride, layer.dilation, layer.padding, strict=True)
            j = [position * s + tap * d - p for position, tap, s, d, p in places]
            if not all(0 <= place < size for place, size in zip(j, y.shape[2:], strict=True)):
                continue
            above = y[(0, c // (layer.in_channels // layer.groups) * outputs + o, *j)]
            for gradient, at, met in ((dx, (0, c, *i), weight[(c, o, *t)]), (dweight, (c, o, *t), x[(0, c, *i)])):
                gradient[at] = rounded(rounded(gradient[at]) + rounded(met * above))
    bounds = gradient_bounds(x, weight, bias, layer, y, dtype)
    for found, right, bound in zip((dx, dweight), vjp(x, weight, bias, layer, y), bounds, strict=False):
        if bound is not None and right is not None:
            assert np.all(np.abs(found - right) <= bound)


# Special values


@settings(deadline=None, max_examples=50)
@given(layers(largest=4, least=1), st.integers(0, 2**64 - 1))
def test_zero_insertion_has_every_nan_of_the_scatter(drawn: Asked, seed: int) -> None:
    """NaN where the scatter has it, and perhaps where it multiplies inserted zeros; equal where neither has it."""
    layer, input_size = drawn
    x, weight, bias = Case(layer, input_size=input_size, values="special", seed=seed).arrays()
    with np.errstate(invalid="ignore"):
        scattered, gathered = conv_transpose(x, weight, bias, layer), zero_insertion(x, weight, bias, layer)
    nan = np.isnan(gathered)
    assert np.all(nan[np.isnan(scattered)])
    assert np.array_equal(gathered[~nan], scattered[~nan])


def test_infinity_in_the_weight_meets_inserted_zeros() -> None:
    """At stride 2 the scatter keeps it to its own places; zero insertion also multiplies it by zero."""
    x, weight = np.array([[[1.0, 2.0]]]), np.array([[[math.inf, 1.0]]])
    layer = Layer(1, 1, 2, 2, bias=False, ndim=1)
    with np.errstate(invalid="ignore"):
        scattered, gathered = conv_transpose(x, weight, None, layer), zero_insertion(x, weight, None, layer)
    assert scattered.tolist() == [[[math.inf, 1.0, math.inf, 2.0]]]
    assert np.isnan(gathered).tolist() == [[[False, True, False, True]]]
    assert gathered[0, 0, [0, 2]].tolist() == [math.inf, math.inf]


def test_nan_in_the_input_stays_where_it_is_scattered() -> None:
    """A NaN that the crop cuts off is not seen; one in the weight is seen wherever its position reaches."""
    layer = Layer(1, 1, (2,), padding=(1,), output_padding=(1,), bias=False)
    x, weight = np.array([[[math.nan, 1.0, 2.0]]]), np.array([[[1.0, 1.0]]])
    for reference in (conv_transpose, zero_insertion):
        assert np.isnan(reference(x, weight, None, layer)).tolist() == [[[True, False, False]]]
    wide = layer.replace(padding=2, output_padding=2)
    assert conv_transpose(x, weight, None, wide).tolist() == [[[3.0, 2.0]]]


# Errors


def shapes(**changes: Any) -> dict[str, Any]:
    """Arrays that fit ``Layer(4, 6, (2, 3), groups=2)``, but for the changes."""
    fitting = {
        "x": np.ones((2, 4, 3, 3)),
        "weight": np.ones((4, 3, 2, 3)),
        "bias": np.ones(6),
        "layer": Layer(4, 6, (2, 3), groups=2),
    }
    return {**fitting, **changes}


WRONG: list[tuple[dict[str, Any], str, object, str]] = [
    ({"x": np.ones((2, 4, 3))}, "x.shape", (2, 4, 3), "must be (N, 4, and 2 spatial sizes)"),
    ({"x": np.ones((2, 4, 3, 3, 3))}, "x.shape", (2, 4, 3, 3, 3), "must be (N, 4, and 2 spatial sizes)"),
    ({"x": np.ones((2, 2, 3, 3))}, "x.shape", (2, 2, 3, 3), "must be (N, 4, and 2 spatial sizes)"),
    ({"weight": np.ones((4, 6, 2, 3))}, "weight.shape", (4, 6, 2, 3), "must be (4, 3, 2, 3)"),
    ({"weight": np.ones((4, 3, 3, 2))}, "weight.shape", (4, 3, 3, 2), "must be (4, 3, 2, 3)"),
    ({"bias": None}, "bias.shape", None, "must be (6,)"),
    ({"bias": np.ones(1)}, "bias.shape", (1,), "must be (6,)"),
    ({"bias": np.ones((6, 1))}, "bias.shape", (6, 1), "must be (6,)"),
    ({"layer": Layer(4, 6, (2, 3), groups=2, bias=False)}, "bias.shape", (6,), "must be None"),
    (
        {"x": np.ones((2, 4, 0, 3)), "layer": Layer(4, 6, (2, 3), groups=2, padding=(1, 0))},
        "output_size",
        (-1, 5),
        "must not be negative on any axis",
    ),
]


@pytest.mark.parametrize("function", [*REFERENCES.values(), magnitudes], ids=[*REFERENCES, "magnitudes"])
@pytest.mark.parametrize(("changes", "field", "value", "rule"), WRONG)
def test_arrays_that_do_not_fit_are_refused(
    function: Callable[..., Array], changes: dict[str, Any], field: str, value: object, rule: str
) -> None:
    """Nothing is broadcast into shape: the field, the value and the rule are named."""
    assert function(**shapes()).shape == (2, 6, 4, 5)
    with pytest.raises(InvalidField) as caught:
        function(**shapes(**changes))
    assert (caught.value.field, caught.value.value, caught.value.rule) == (field, value, rule)


@pytest.mark.parametrize(("changes", "field", "value", "rule"), WRONG)
def test_gradients_of_arrays_that_do_not_fit_are_refused(
    changes: dict[str, Any], field: str, value: object, rule: str
) -> None:
    """The same checks as for the output."""
    with pytest.raises(InvalidField) as caught:
        vjp(**shapes(**changes), cotangent=np.ones((2, 6, 4, 5)))
    assert (caught.value.field, caught.value.value, caught.value.rule) == (field, value, rule)


@pytest.mark.parametrize("shape", [(2, 6, 4, 4), (2, 6, 5, 5), (2, 3, 4, 5), (2, 6, 4), (2, 6, 4, 5, 1)])
def test_an_output_of_another_shape_has_no_way_back(shape: tuple[int, ...]) -> None:
    """Neither the adjoint nor the gradients guess what was cut."""
    fitting = shapes()
    for call in (
        lambda y: forward_conv(y, fitting["weight"], fitting["layer"], (3, 3)),
        lambda y: vjp(**fitting, cotangent=y),
    ):
        with pytest.raises(InvalidField, match=r"^y\.shape=.*: must be \(N, 6, \*\(4, 5\)\)$") as caught:
            call(np.ones(shape))
        assert caught.value.value == shape


def test_gradients_of_arrays_that_do_not_belong_together_are_refused() -> None:
    """A cotangent of another batch, and a weight of another shape, would otherwise give some number."""
    layer = Layer(1, 1, 1, ndim=1)
    x, weight, bias = np.ones((2, 1, 3)), np.ones((1, 1, 1)), np.zeros(1)
    with pytest.raises(InvalidField) as caught:
        vjp(x, weight, bias, layer, np.ones((1, 1, 3)))
    error = caught.value
    assert (error.field, error.value, error.rule) == ("cotangent.shape", (1, 1, 3), "must have batch 2, like x")
    with pytest.raises(InvalidField, match="weight"):
        forward_conv(x, np.ones((1, 1, 7)), layer, (3,))
