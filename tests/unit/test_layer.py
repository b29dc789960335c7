"""The canonical model: what a layer, a crop, a spelling and a case hold, refuse, write and read."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Case, Crop, Layer, Spelling
from harness.errors import InvalidField
from harness.layer import MAX_NDIM, SCHEMA
from harness.values import DTYPES, VALUE_KINDS

ANISOTROPIC = Layer(4, 6, (1, 2, 3), (3, 1, 2), (0, -1, 2), (1, 0, -2), (1, 3, 2), 2, bias=False)
TORCH = "torch.nn.ConvTranspose"


def refusal(make: Callable[[], object]) -> tuple[str, object, str]:
    """The field, the value and the rule of the InvalidField that the call raises."""
    with pytest.raises(InvalidField) as caught:
        make()
    error = caught.value
    assert str(error).startswith(f"{error.field}=")
    assert str(error).endswith(f": {error.rule}")
    return error.field, error.value, error.rule


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    """Layers of one to three axes, every field drawn without a thought for sense."""
    ndim, groups = draw(st.integers(1, MAX_NDIM)), draw(st.integers(1, 3))
    positive, integer = (st.tuples(*[st.integers(least, 9)] * ndim) for least in (1, -9))
    return Layer(
        groups * draw(st.integers(1, 4)),
        groups * draw(st.integers(1, 4)),
        draw(positive),
        draw(positive),
        draw(integer),
        draw(integer),
        draw(positive),
        groups,
        bias=draw(st.booleans()),
    )


ARGUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
SPELLINGS = st.builds(
    Spelling, st.text(min_size=1, max_size=5), st.dictionaries(st.text(max_size=3), ARGUMENTS, max_size=4)
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Cases of both sorts; a layer's padding is moved far enough out to leave some output."""
    recipe: dict[str, Any] = {
        "batch": draw(st.integers(0, 3)),
        "dtype": draw(st.sampled_from(DTYPES)),
        "values": draw(st.sampled_from(VALUE_KINDS)),
        "seed": draw(st.integers(0, 2**64 - 1)),
    }
    if draw(st.booleans()):
        size = draw(st.lists(st.integers(0, 9), min_size=1, max_size=MAX_NDIM))
        return Case.spelled(draw(SPELLINGS), input_size=size, **recipe)
    layer = draw(layers()).replace(padding=-30)
    return Case(layer, input_size=draw(st.tuples(*[st.integers(0, 9)] * layer.ndim)), **recipe)


# Layer


def test_the_plainest_layer_has_ones_zeros_and_a_bias() -> None:
    """The defaults, spread over the axes that ndim= names."""
    layer = Layer(ndim=2)
    assert layer == Layer(1, 1, (1, 1), (1, 1), (0, 0), (0, 0), (1, 1), 1, True)
    assert layer.bias is True


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_integers_stand_for_every_axis(ndim: int) -> None:
    """ndim= says how many axes an integer stands for."""
    layer = Layer(2, 4, 5, 3, -2, 7, 6, 2, bias=False, ndim=ndim)
    assert (layer.kernel_size, layer.stride, layer.padding) == ((5,) * ndim, (3,) * ndim, (-2,) * ndim)
    assert (layer.output_padding, layer.dilation, layer.ndim) == ((7,) * ndim, (6,) * ndim, ndim)
    assert (layer.in_channels, layer.out_channels, layer.groups, layer.bias) == (2, 4, 2, False)


@pytest.mark.parametrize("name", ["kernel_size", "stride", "padding", "output_padding", "dilation"])
@pytest.mark.parametrize("make", [tuple, list, np.array])
def test_any_per_axis_value_says_how_many_axes_there_are(name: str, make: Callable[[list[int]], Any]) -> None:
    """A tuple, a list or an array in any per-axis field spreads the integers of the others; tuples of int are kept."""
    layer = Layer(**{name: make([1, 2, 3])})
    assert getattr(layer, name) == (1, 2, 3)
    assert [type(entry) for entry in getattr(layer, name)] == [int, int, int]
    others = {"kernel_size": 1, "stride": 1, "padding": 0, "output_padding": 0, "dilation": 1}
    del others[name]
    assert all(getattr(layer, other) == (value,) * 3 for other, value in others.items())


def test_integers_of_other_libraries_become_ints() -> None:
    """What operator.index takes is an integer; JSON must be able to write it."""
    numbers: list[Any] = [np.int64(2), np.int8(2), np.uint8(3)]
    others: dict[str, Any] = {"groups": np.int32(2), "bias": np.bool_(False), "ndim": np.int64(1)}
    layer = Layer(*numbers, **others)
    assert json.loads(json.dumps(layer.to_json())) == Layer(2, 2, (3,), groups=2, bias=False).to_json()
    assert type(layer.bias) is bool


def test_crops_are_padding_and_padding_less_output_padding() -> None:
    """Lo = p, hi = p - a on each axis, negative where it extends."""
    assert ANISOTROPIC.crops == (Crop(lo=0, hi=-1), Crop(lo=-1, hi=-1), Crop(lo=2, hi=4))
    assert all(isinstance(crop, Crop) for crop in ANISOTROPIC.crops)


def test_sizes_of_an_anisotropic_layer() -> None:
    """Each axis has its own arithmetic: e = d (k - 1) + 1, F = (n - 1) s + e, m = F - lo - hi."""
    assert ANISOTROPIC.effective_kernel_size == (1, 4, 5)
    assert ANISOTROPIC.full_size((5, 6, 7)) == (13, 9, 17)
    assert ANISOTROPIC.output_size((5, 6, 7)) == (14, 11, 11)
    assert ANISOTROPIC.weight_shape == (4, 3, 1, 2, 3)


def test_output_size_may_be_zero_or_negative() -> None:
    """The formula is not clamped: a case is what needs an output."""
    layer = Layer(kernel_size=3, padding=(2,))
    assert [layer.output_size((n,)) for n in (0, 1, 2, 3)] == [(-2,), (-1,), (0,), (1,)]


def test_products_per_output_multiplies_the_channels_of_a_group_and_the_axes() -> None:
    """(C_in / g) times min(⌈n c / d⌉, ⌈k c / s⌉) on each axis: 2 · 1 · 2 · 3 here."""
    assert ANISOTROPIC.products_per_output((5, 6, 7)) == 2 * 1 * 2 * 3
    assert ANISOTROPIC.products_per_output((5, 1, 1)) == 2 * 1 * 1 * 1


def test_multiply_adds_counts_every_product_of_the_scatter() -> None:
    """N C_in (C_out / g) Π n Π k."""
    assert ANISOTROPIC.multiply_adds((5, 6, 7)) == 4 * 3 * (5 * 6 * 7) * (1 * 2 * 3)
    assert ANISOTROPIC.multiply_adds((5, 6, 7), batch=2) == 2 * 4 * 3 * (5 * 6 * 7) * (1 * 2 * 3)


def test_products_per_gradient_are_those_that_meet_in_dx_dweight_and_dbias() -> None:
    """(C_out / g) Π k, N Π n, N Π m: 3 · 6, then 210 inputs, then 14 · 11 · 11 outputs."""
    assert ANISOTROPIC.products_per_gradient((5, 6, 7)) == (18, 210, 1694)
    assert ANISOTROPIC.products_per_gradient([5, 6, 7], batch=2) == (18, 420, 3388)
    assert ANISOTROPIC.products_per_gradient((5, 6, 7), batch=0) == (18, 0, 0)


@pytest.mark.parametrize(
    "name", ["full_size", "output_size", "products_per_output", "products_per_gradient", "multiply_adds"]
)
def test_input_size_has_one_entry_per_axis(name: str) -> None:
    """Two sizes for a layer of three axes are refused, not cut or repeated."""
    field, value, rule = refusal(lambda: getattr(ANISOTROPIC, name)([5, 6]))
    assert (field, value, rule) == ("input_size", (5, 6), "must have 3 entries, one per spatial axis")


@pytest.mark.parametrize(
    ("arguments", "field", "value", "rule"),
    [
        ({}, "kernel_size", 1, "an integer stands for every axis: say how many with ndim= or write a tuple"),
        ({"ndim": 0}, "ndim", 0, "must be at least 1"),
        ({"ndim": 4}, "ndim", 4, "must be 1 to 3"),
        ({"ndim": 2.0}, "ndim", 2.0, "must be an integer"),
        ({"ndim": True}, "ndim", True, "must be an integer, not a flag"),
        ({"kernel_size": ()}, "ndim", 0, "must be at least 1"),
        ({"stride": (1, 1, 1, 1)}, "ndim", 4, "must be 1 to 3"),
        ({"kernel_size": (3, 3), "ndim": 1}, "kernel_size", (3, 3), "must have 1 entries, one per spatial axis"),
        ({"kernel_size": (3, 3), "padding": (1,)}, "padding", (1,), "must have 2 entries, one per spatial axis"),
        ({"kernel_size": (3, 0)}, "kernel_size", (3, 0), "must be at least 1"),
        ({"kernel_size": 0, "ndim": 1}, "kernel_size", 0, "must be at least 1"),
        ({"stride": (0,)}, "stride", (0,), "must be at least 1"),
        ({"dilation": (1, -1)}, "dilation", (1, -1), "must be at least 1"),
        ({"dilation": (1, 1.5)}, "dilation", (1, 1.5), "must be an integer"),
        ({"padding": "1", "ndim": 1}, "padding", "1", "must be an integer"),
        ({"padding": None, "ndim": 1}, "padding", None, "must be an integer"),
        ({"output_padding": (True,)}, "output_padding", (True,), "must be an integer, not a flag"),
        ({"output_padding": (np.bool_(False),)}, "output_padding", (False,), "must be an integer, not a flag"),
        ({"padding": (2**31,)}, "padding", (2**31,), "must be below 2**31 in magnitude"),
        ({"padding": (-(2**31),)}, "padding", (-(2**31),), "must be below 2**31 in magnitude"),
        ({"in_channels": 0, "ndim": 1}, "in_channels", 0, "must be at least 1"),
        ({"out_channels": 0, "ndim": 1}, "out_channels", 0, "must be at least 1"),
        ({"out_channels": 2**31, "ndim": 1}, "out_channels", 2**31, "must be below 2**31 in magnitude"),
        ({"in_channels": (1,), "ndim": 1}, "in_channels", (1,), "must be an integer"),
        ({"groups": 0, "ndim": 1}, "groups", 0, "must be at least 1"),
        ({"groups": 2, "in_channels": 3, "out_channels": 4, "ndim": 1}, "groups", 2, "must divide in_channels=3"),
        ({"groups": 2, "in_channels": 4, "out_channels": 3, "ndim": 1}, "groups", 2, "must divide out_channels=3"),
        ({"bias": 1, "ndim": 1}, "bias", 1, "must be True or False"),
        ({"bias": None, "ndim": 1}, "bias", None, "must be True or False"),
    ],
)
def test_a_layer_names_the_field_the_value_and_the_rule(arguments: Any, field: str, value: object, rule: str) -> None:
    """Every rule of a layer, the entry at fault shown within the whole value."""
    assert refusal(lambda: Layer(**arguments)) == (field, value, rule)


def test_the_largest_integers_are_allowed() -> None:
    """The bound is on the magnitude and is exclusive."""
    layer = Layer(padding=(2**31 - 1,), output_padding=(1 - 2**31,))
    assert layer.crops == (Crop(2**31 - 1, 2**32 - 2),)


def test_an_error_message_shows_at_most_eighty_characters_of_the_value() -> None:
    """A value of any length stays readable: 77 characters and an ellipsis, exactly 80 in full."""
    with pytest.raises(InvalidField, match=r"^in_channels='y{78}': must be an integer$"):
        Layer("y" * 78, ndim=1)  # type: ignore[arg-type] # the wrong type is what is tested
    with pytest.raises(InvalidField, match=r"^in_channels='x{76}\.\.\.: must be an integer$"):
        Layer("x" * 79, ndim=1)  # type: ignore[arg-type] # the wrong type is what is tested


def test_a_layer_is_frozen_hashable_and_equal_by_content() -> None:
    """Layers are keys of tables and travel to workers."""
    with pytest.raises((AttributeError, TypeError)):
        ANISOTROPIC.groups = 1  # type: ignore[misc] # that it cannot be set is what is tested
    twin = Layer(**{name: getattr(ANISOTROPIC, name) for name in ANISOTROPIC.to_json()})
    assert twin == ANISOTROPIC
    assert hash(twin) == hash(ANISOTROPIC)
    assert pickle.loads(pickle.dumps(ANISOTROPIC)) == ANISOTROPIC
    assert copy.deepcopy(ANISOTROPIC) == ANISOTROPIC


def test_replace_changes_some_fields_and_validates_again() -> None:
    """What is not named stays; a change that breaks a rule is refused; an integer stands for every axis."""
    assert ANISOTROPIC.replace(stride=2, bias=True) == Layer(
        4, 6, (1, 2, 3), (2, 2, 2), (0, -1, 2), (1, 0, -2), (1, 3, 2), 2, True
    )
    assert ANISOTROPIC.replace() == ANISOTROPIC
    assert refusal(lambda: ANISOTROPIC.replace(groups=3)) == ("groups", 3, "must divide in_channels=4")
    assert refusal(lambda: ANISOTROPIC.replace(stride=(1, 1)))[0] == "stride"


def test_a_layer_in_json_is_plain_data_by_field_name() -> None:
    """Lists, integers and one flag, in the order of the fields."""
    written = {
        "in_channels": 4,
        "out_channels": 6,
        "kernel_size": [1, 2, 3],
        "stride": [3, 1, 2],
        "padding": [0, -1, 2],
        "output_padding": [1, 0, -2],
        "dilation": [1, 3, 2],
        "groups": 2,
        "bias": False,
    }
    assert ANISOTROPIC.to_json() == written
    assert list(ANISOTROPIC.to_json()) == list(written)


@settings(deadline=None, max_examples=50)
@given(layers())
def test_json_brings_every_layer_back(layer: Layer) -> None:
    """Through text and back, a layer is the same."""
    assert Layer.from_json(json.loads(json.dumps(layer.to_json()))) == layer


@pytest.mark.parametrize("name", list(ANISOTROPIC.to_json()))
def test_a_layer_in_json_is_complete(name: str) -> None:
    """No field has a default in JSON: a missing one is named."""
    data = ANISOTROPIC.to_json()
    del data[name]
    assert refusal(lambda: Layer.from_json(data)) == (name, None, "is missing from the layer")


def test_a_layer_in_json_has_no_other_fields_and_right_types() -> None:
    """Unknown fields, values that are no objects, floats and nulls are refused by name."""
    field, value, rule = refusal(lambda: Layer.from_json({**ANISOTROPIC.to_json(), "ndim": 3}))
    assert (field, value) == ("layer", "ndim")
    assert rule.startswith("is not a field of a layer: known are bias, dilation, ")
    array: Any = [1]
    assert refusal(lambda: Layer.from_json(array)) == ("layer", [1], "must be a JSON object")
    data = ANISOTROPIC.to_json()
    assert refusal(lambda: Layer.from_json({**data, "stride": [1.0, 1, 1]}))[0] == "stride"
    assert refusal(lambda: Layer.from_json({**data, "groups": None}))[0] == "groups"
    assert refusal(lambda: Layer.from_json({**data, "bias": 0}))[0] == "bias"


# Spelling


def test_a_spelling_keeps_its_arguments_as_written() -> None:
    """Lists become tuples at any depth; flags stay flags, NumPy integers become int; order is kept."""
    spelling = Spelling("api", {"b": [[1, 0], [np.int64(2), 1]], "a": True, "s": "SAME", "n": None})
    assert spelling.arguments == (("b", ((1, 0), (2, 1))), ("a", True), ("s", "SAME"), ("n", None))
    assert spelling["a"] is True
    assert type(spelling["b"][1][0]) is int
    assert hash(spelling) == hash(Spelling("api", iter(spelling.arguments)))


def test_a_spelling_is_read_by_name() -> None:
    """Get has a default only for what was not written; None is written."""
    spelling = Spelling("api", {"a": None})
    assert (spelling.get("a", 1), spelling.get("b"), spelling.get("b", 1)) == (None, None, 1)
    with pytest.raises(KeyError):
        spelling["b"]


def test_replace_changes_and_adds_arguments() -> None:
    """The rest stays as it was."""
    spelling = Spelling("api", {"a": 1, "b": 2}).replace(b=[3], c=4)
    assert spelling == Spelling("api", {"a": 1, "b": (3,), "c": 4})


@pytest.mark.parametrize(
    ("api", "arguments", "field", "value", "rule"),
    [
        ("", {}, "api", "", "must be the full name of an API"),
        (1, {}, "api", 1, "must be the full name of an API"),
        ("api", {"a": 1.5}, "a", 1.5, "an argument is an integer, a flag, a text, None or a list of these"),
        ("api", {"a": [1, {}]}, "a", {}, "an argument is an integer, a flag, a text, None or a list of these"),
    ],
)
def test_a_spelling_names_what_is_wrong(api: Any, arguments: Any, field: str, value: object, rule: str) -> None:
    """Arguments may be illegal for the API, but not of another type than JSON shares with a call."""
    assert refusal(lambda: Spelling(api, arguments)) == (field, value, rule)


@settings(deadline=None, max_examples=50)
@given(SPELLINGS)
def test_json_brings_every_spelling_back(spelling: Spelling) -> None:
    """Through text and back, a spelling is the same, in the same order."""
    assert Spelling.from_json(json.loads(json.dumps(spelling.to_json()))) == spelling


def test_a_spelling_in_json_is_complete_and_has_no_other_fields() -> None:
    """The three ways in which its object can be wrong."""
    assert Spelling("api", {"a": ((1, 2),)}).to_json() == {"api": "api", "arguments": {"a": [[1, 2]]}}
    assert refusal(lambda: Spelling.from_json({"api": "x"})) == ("arguments", None, "is missing from the spelling")
    assert refusal(lambda: Spelling.from_json({"arguments": {}})) == ("api", None, "is missing from the spelling")
    rule = "is not a field of a spelling: known are api, arguments"
    assert refusal(lambda: Spelling.from_json({"api": "x", "arguments": {}, "y": 1})) == ("spelling", "y", rule)
    rule = "must be an object of arguments by name"
    assert refusal(lambda: Spelling.from_json({"api": "x", "arguments": [["a", 1]]})) == ("arguments", [["a", 1]], rule)
    text: Any = "x"
    assert refusal(lambda: Spelling.from_json(text))[0] == "spelling"


# Case


def test_the_arrays_of_a_case_have_the_canonical_shapes() -> None:
    """X (N, C_in, *n), weight (C_in, C_out/g, *k), no bias where the layer has none, all read-only."""
    x, weight, bias = Case(ANISOTROPIC, batch=2, input_size=(5, 6, 7)).arrays()
    assert (x.shape, weight.shape, bias) == ((2, 4, 5, 6, 7), (4, 3, 1, 2, 3), None)
    bias = Case(ANISOTROPIC.replace(bias=True), batch=0, input_size=(5, 6, 7)).arrays()[2]
    assert bias is not None
    assert bias.shape == (6,)
    for array in (x, weight, bias):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
            array.setflags(write=True)
        with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
            array.base.setflags(write=True)  # type: ignore[union-attr]  # the whole recipe's


@pytest.mark.parametrize(("dtype", "stored"), [*((d, d) for d in DTYPES if d != "bfloat16"), ("bfloat16", "float32")])
def test_the_arrays_of_a_case_have_its_dtype(dtype: str, stored: str) -> None:
    """bfloat16 values stand in float32 arrays."""
    arrays = Case(Layer(ndim=1), input_size=3, dtype=dtype).arrays()
    assert [array.dtype.name for array in arrays if array is not None] == [stored] * 3


def test_the_recipe_makes_the_arrays() -> None:
    """The same case twice gives the same arrays; another seed, kind or layer gives others."""
    case = Case(Layer(2, 3, 3, ndim=2), batch=2, input_size=4, seed=5)
    x, weight, bias = case.arrays()
    again = case.replace().arrays()
    assert bias is not None
    assert again[2] is not None
    assert all(np.array_equal(a, b) for a, b in zip((x, weight, bias), (again[0], again[1], again[2]), strict=True))
    assert not np.array_equal(x, case.replace(seed=6).arrays()[0])
    assert not np.array_equal(x, case.replace(values="normal").arrays()[0])


def test_the_size_of_integers_follows_the_products_of_the_layer() -> None:
    """bfloat16 holds K A A + A <= 256: 2 products allow A = 8, 7 products per output only A = 5."""
    for channels, largest in ((2, 8), (7, 5)):
        x, _, _ = Case(Layer(channels, ndim=1), input_size=500, dtype="bfloat16").arrays()
        assert np.abs(x).max() == largest


def test_a_spelled_case_needs_the_layer_that_it_resolves_to() -> None:
    """The layer may be lent; without it there are no shapes."""
    case = Case.spelled(Spelling("api", {}), input_size=(3,), batch=2, seed=1)
    rule = "a spelled case needs the layer that its spelling resolves to"
    assert refusal(case.arrays) == ("layer", None, rule)
    layer = Layer(2, 3, 3, ndim=1)
    lent, own = case.arrays(layer), Case(layer, input_size=3, batch=2, seed=1).arrays()
    assert [None if a is None else a.tolist() for a in lent] == [None if a is None else a.tolist() for a in own]


def test_the_cotangent_of_a_case_has_the_outputs_shape() -> None:
    """(N, C_out, *m) of the layer, in the storage dtype, read-only; empty where the batch is."""
    case = Case(ANISOTROPIC, batch=2, input_size=(5, 6, 7), dtype="bfloat16")
    cotangent = case.cotangent()
    assert (cotangent.shape, cotangent.dtype.name) == ((2, 6, 14, 11, 11), "float32")
    with pytest.raises(ValueError, match="read-only"):
        cotangent[...] = 0
    assert case.replace(batch=0).cotangent().shape == (0, 6, 14, 11, 11)


def test_the_cotangent_is_pinned_and_not_x() -> None:
    """An identity has an output of x's shape: its cotangent has numbers of its own, the same on every machine."""
    case = Case(Layer(ndim=1, bias=False), input_size=8)
    assert case.cotangent().ravel().tolist() == [1.0, -4.0, 2.0, 3.0, 3.0, -6.0, 2.0, -8.0]
    for values in VALUE_KINDS[:2]:
        for seed in range(20):
            asked = case.replace(values=values, seed=seed)
            assert asked.cotangent().tolist() == asked.replace().cotangent().tolist() != asked.arrays()[0].tolist()
    assert case.replace(seed=1).cotangent().tolist() != case.cotangent().tolist()


def test_the_cotangent_is_of_the_cases_values() -> None:
    """Integers for integers, reals for reals."""
    integers = Case(Layer(ndim=1), input_size=50)
    assert np.array_equal(integers.cotangent(), np.round(integers.cotangent()))
    reals = integers.replace(values="normal").cotangent()
    assert not np.array_equal(reals, np.round(reals))


def test_a_spelled_case_has_the_cotangent_of_the_layer_that_it_resolves_to() -> None:
    """The layer may be lent; without it there is no shape."""
    case = Case.spelled(Spelling("api", {}), input_size=(3,), batch=2, seed=1)
    rule = "a spelled case needs the layer that its spelling resolves to"
    assert refusal(case.cotangent) == ("layer", None, rule)
    assert refusal(case.has_exact_gradients) == ("layer", None, rule)
    layer = Layer(2, 3, 3, ndim=1)
    assert case.cotangent(layer).tolist() == Case(layer, input_size=3, batch=2, seed=1).cotangent().tolist()
    assert case.has_exact_gradients(layer)


@pytest.mark.parametrize(
    ("layer", "largest", "exact"),
    [
        (Layer(1, 4, 1, ndim=1), 8, True),  # dx: 4 · 8 · C <= 256
        (Layer(1, 5, 1, ndim=1), 6, True),  # dx: 5 · 8 · C
        (Layer(1, 32, 1, ndim=1), 1, True),  # dx: 32 · 8 · C, the last that is exact
        (Layer(1, 33, 1, ndim=1), 1, False),
        (Layer(7, 1, 1, ndim=1, padding=-20), 6, True),  # dbias: 42 · C
        (Layer(1, 1, 1, ndim=1, padding=-127), 1, True),  # dbias: 256 · C
        (Layer(1, 1, 1, ndim=1, padding=-128), 1, False),
    ],
)
def test_the_size_of_a_cotangent_follows_from_the_gradients(layer: Layer, largest: int, exact: bool) -> None:
    """bfloat16 holds sums up to 256: the largest C <= 8 with which all gradients are exact, and 1 where none is."""
    case = Case(layer, batch=1, input_size=2, dtype="bfloat16")
    found = max(np.abs(case.replace(seed=seed).cotangent()).max() for seed in range(20))
    assert (found, case.has_exact_gradients()) == (largest, exact)


def test_only_integers_have_exact_gradients() -> None:
    """Reals are rounded, and special values are not asked for gradients."""
    case = Case(Layer(ndim=1), input_size=3)
    assert [case.replace(values=values).has_exact_gradients() for values in VALUE_KINDS] == [True, False, False]


def test_exact_gradients_take_the_batch_into_account() -> None:
    """The weight's sums over it: 32 · 8 · 1 is the most that bfloat16 counts."""
    case = Case(Layer(ndim=1, bias=False), input_size=8, dtype="bfloat16")
    assert [case.replace(batch=batch).has_exact_gradients() for batch in (1, 4, 5)] == [True, True, False]


@pytest.mark.parametrize(
    ("arguments", "field", "value", "rule"),
    [
        ({"layer": None}, "layer", None, "a case asks either a layer or a spelling, not both and not neither"),
        ({"layer": "x"}, "layer", "x", "must be a Layer"),
        ({"batch": -1}, "batch", -1, "must be at least 0"),
        ({"batch": 1.0}, "batch", 1.0, "must be an integer"),
        ({"batch": 2**31}, "batch", 2**31, "must be below 2**31 in magnitude"),
        ({"input_size": (3,)}, "input_size", (3,), "must have 2 entries, one per spatial axis"),
        ({"input_size": (3, -1)}, "input_size", (3, -1), "must be at least 0"),
        ({"input_size": 0.5}, "input_size", 0.5, "must be an integer"),
        ({"dtype": "int8"}, "dtype", "int8", "must be one of float32, float64, float16, bfloat16"),
        ({"dtype": None}, "dtype", None, "must be one of float32, float64, float16, bfloat16"),
        ({"values": "ones"}, "values", "ones", "must be one of integers, normal, special"),
        ({"seed": -1}, "seed", -1, "must be at least 0"),
        ({"seed": 2**64}, "seed", 2**64, "must be below 2**64"),
        ({"seed": "0"}, "seed", "0", "must be an integer"),
        ({"input_size": (2, 1)}, "input_size", (2, 1), "leaves no output: the output size would be (2, 0)"),
    ],
)
def test_a_case_names_the_field_the_value_and_the_rule(arguments: Any, field: str, value: object, rule: str) -> None:
    """Every rule of a case."""
    layer = Layer(kernel_size=2, padding=(0, 1), output_padding=(-1, 0))
    assert refusal(lambda: Case(**{"layer": layer, "input_size": (3, 3), **arguments})) == (field, value, rule)


def test_a_case_asks_a_layer_or_a_spelling() -> None:
    """Both at once is refused, and so is a spelling whose number of axes nothing tells."""
    spelling = Spelling("api", {})
    field, _, rule = refusal(lambda: Case(ANISOTROPIC, spelling=spelling, input_size=(5, 6, 7)))
    assert (field, rule) == ("layer", "a case asks either a layer or a spelling, not both and not neither")
    assert refusal(lambda: Case.spelled(spelling, input_size=3))[:2] == ("input_size", 3)
    assert Case.spelled(spelling, input_size=(3, 0, 1)).ndim == 3
    assert refusal(lambda: Case.spelled(spelling, input_size=(1, 1, 1, 1)))[:2] == ("ndim", 4)


def test_integers_must_be_exact_in_the_dtype_when_the_arrays_are_made() -> None:
    """300 products per output are beyond bfloat16: the message says which dtype and what to do."""
    case = Case(Layer(300, ndim=1), input_size=3, dtype="bfloat16")
    rule = "300 products per output element are not exact in bfloat16: use values='normal' or a smaller case"
    assert refusal(case.arrays) == ("values", "integers", rule)
    assert case.replace(values="normal").arrays()[0].shape == (1, 300, 3)


def test_the_content_hash_is_pinned() -> None:
    """Files keep these hashes: they may not move with Python, NumPy or a release of ours."""
    case = Case(ANISOTROPIC, batch=2, input_size=(5, 6, 7), dtype="float16", values="normal", seed=2**64 - 1)
    assert case.content_hash == "306e959f20b6e71d7879c075cfaf08beff77bc5640affb9e14a960e43f352799"
    spelled = Case.spelled(Spelling(TORCH, {"kernel_size": 3, "padding": "same", "bias": False}), input_size=(4,))
    assert spelled.content_hash == "23f496858e84bd824d189c24d701da8c82b9a9eb63e3700ef77e61faa94ef59a"


def test_the_content_hash_tells_every_content_apart() -> None:
    """One change in any field of the recipe, the layer or the spelling is another hash."""
    base = Case(ANISOTROPIC, batch=2, input_size=(5, 6, 7))
    changed = [base.replace(layer=ANISOTROPIC.replace(**{name: 1})) for name in ("stride", "dilation", "groups")]
    changed += [base.replace(layer=ANISOTROPIC.replace(**{name: 0})) for name in ("padding", "output_padding")]
    changed += [base.replace(layer=ANISOTROPIC.replace(**change)) for change in ({"bias": True}, {"kernel_size": 2})]
    changed += [base.replace(layer=ANISOTROPIC.replace(**{name: 8})) for name in ("in_channels", "out_channels")]
    changed += [base.replace(**change) for change in ({"batch": 1}, {"input_size": (5, 7, 6)}, {"dtype": "float64"})]
    changed += [base.replace(**change) for change in ({"values": "normal"}, {"seed": 1})]
    spellings = [Spelling("a", {}), Spelling("b", {}), Spelling("a", {"x": 1}), Spelling("a", {"x": "1"})]
    spellings += [Spelling("a", {"x": True}), Spelling("a", {"x": None}), Spelling("a", {"x": [1]})]
    changed += [Case.spelled(spelling, batch=2, input_size=(5, 6, 7)) for spelling in spellings]
    hashes = {case.content_hash for case in [base, *changed]}
    assert len(hashes) == 1 + len(changed)
    assert all(len(digits) == 64 and set(digits) <= set("0123456789abcdef") for digits in hashes)


def test_the_content_hash_does_not_depend_on_how_a_case_was_written() -> None:
    """Integers or tuples, lists or arrays, arguments in any order: the content is the same."""
    written = Case(Layer(kernel_size=3, stride=(2, 2)), input_size=4)
    array: Any = np.array([3, 3])
    assert written.content_hash == Case(Layer(kernel_size=array, stride=2), input_size=[4, 4]).content_hash
    one, other = Spelling("a", {"x": 1, "y": 2}), Spelling("a", {"y": 2, "x": 1})
    assert Case.spelled(one, input_size=(1,)).content_hash == Case.spelled(other, input_size=(1,)).content_hash


@settings(deadline=None, max_examples=50)
@given(cases())
def test_json_brings_every_case_back(case: Case) -> None:
    """As an object and as text, with the same content hash."""
    text = json.dumps(case.to_json())
    assert Case.from_json(text) == Case.from_json(json.loads(text)) == case
    assert Case.from_json(text).content_hash == case.content_hash


def test_a_case_in_json_carries_its_schema() -> None:
    """The whole form of one case."""
    layer = Layer(ndim=1)
    assert Case(layer, input_size=3).to_json() == {
        "schema": 1,
        "layer": layer.to_json(),
        "spelling": None,
        "batch": 1,
        "input_size": [3],
        "dtype": "float32",
        "values": "integers",
        "seed": 0,
    }
    assert SCHEMA == 1
    assert Case.spelled(Spelling("a", {}), input_size=(3,)).to_json()["layer"] is None


def test_a_case_in_json_may_leave_out_what_has_a_default() -> None:
    """Only the schema, the input size and the question are needed."""
    assert Case.from_json({"schema": 1, "layer": Layer(ndim=1).to_json(), "input_size": [3]}) == Case(
        Layer(ndim=1), input_size=3
    )


@pytest.mark.parametrize(
    ("change", "field", "value", "rule"),
    [
        ({"schema": 2}, "schema", 2, "this version reads schema 1"),
        ({"schema": "1"}, "schema", "1", "this version reads schema 1"),
        ({"schema": None}, "schema", None, "this version reads schema 1"),
        ({"layer": None}, "layer", None, "a case asks either a layer or a spelling, not both and not neither"),
        ({"layer": 3}, "layer", 3, "must be a JSON object"),
        ({"layer": {}}, "bias", None, "is missing from the layer"),
        ({"spelling": []}, "spelling", [], "must be a JSON object"),
        ({"batch": "1"}, "batch", "1", "must be an integer"),
        ({"batch": None}, "batch", None, "must be an integer"),
        ({"input_size": [[3]]}, "input_size", [[3]], "must be an integer"),
        ({"input_size": {"0": 3}}, "input_size", {"0": 3}, "must be an integer"),
        ({"dtype": ["float32"]}, "dtype", ["float32"], "must be one of float32, float64, float16, bfloat16"),
        ({"seed": 1e3}, "seed", 1e3, "must be an integer"),
    ],
)
def test_a_case_in_json_names_what_is_wrong(change: Any, field: str, value: object, rule: str) -> None:
    """Wrong schemas and wrong types, at every level."""
    data = {**Case(Layer(ndim=1), input_size=3).to_json(), **change}
    assert refusal(lambda: Case.from_json(data)) == (field, value, rule)


def test_a_case_in_json_is_complete_and_has_no_other_fields() -> None:
    """A missing schema or input size is named before anything else is read, an unknown field too."""
    data = Case(Layer(ndim=1), input_size=3).to_json()
    for name in ("schema", "input_size"):
        rest = {key: value for key, value in data.items() if key != name}
        assert refusal(partial(Case.from_json, rest)) == (name, None, "is missing from the case")
    field, value, rule = refusal(lambda: Case.from_json({**data, "stride": 1}))
    assert (field, value) == ("case", "stride")
    assert rule.startswith("is not a field of a case: known are batch, dtype, ")


@pytest.mark.parametrize("text", ["", "{", "nope", "[" * 100_000])
def test_text_that_is_not_json_is_refused(text: str) -> None:
    """Broken and bottomless texts are the same kind of error as a wrong field."""
    field, value, rule = refusal(lambda: Case.from_json(text))
    assert (field, value) == ("case", text)
    assert rule.startswith("is not JSON (")


@pytest.mark.parametrize("text", ["[]", "3", "null", '"case"'])
def test_json_that_is_no_object_is_refused(text: str) -> None:
    """A case is an object."""
    assert refusal(lambda: Case.from_json(text)) == ("case", json.loads(text), "must be a JSON object")


def test_replace_makes_another_case() -> None:
    """What is not named stays; the question may be exchanged; rules hold again."""
    case = Case(ANISOTROPIC, batch=3, input_size=(5, 6, 7), dtype="float64", values="special", seed=9)
    assert case.replace(batch=2) == Case(
        ANISOTROPIC, batch=2, input_size=(5, 6, 7), dtype="float64", values="special", seed=9
    )
    spelled = case.replace(layer=None, spelling=Spelling("a", {}))
    assert (spelled.layer, spelled.spelling, spelled.seed) == (None, Spelling("a", {}), 9)
    assert refusal(lambda: case.replace(input_size=(1, 1)))[0] == "input_size"
    assert hash(case) == hash(case.replace())
