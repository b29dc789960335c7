"""The size table: which sizes are valid, which one each API picks, which it reaches, and with which crop."""

from __future__ import annotations

import pytest

from harness import Crop, Layer
from harness.ambiguity import size_table
from harness.frameworks import registry
from harness.records import ApiSizes, AxisSizes

APIS = {api.name: api() for api in registry.apis()}
TORCH, JAX, GENERAL, TF, KERAS, LINEN, NNX = (
    "torch.nn.ConvTranspose",
    "jax.lax.conv_transpose",
    "jax.lax.conv_general_dilated",
    "tf.nn.conv_transpose",
    "keras.layers.ConvTranspose",
    "flax.linen.ConvTranspose",
    "flax.nnx.ConvTranspose",
)


def table(padding: int = 0, **layer: int) -> AxisSizes:
    """The table of one axis with n = 3, k = 3, s = 2."""
    asked = Layer(kernel_size=3, stride=2, padding=padding, ndim=1).replace(**layer)
    (axis,) = size_table(asked, (3,), list(APIS.values())).axes
    return axis


def of(axis: AxisSizes, name: str) -> ApiSizes:
    """What one API makes of the axis."""
    (found,) = [api for api in axis.apis if api.api == name]
    return found


@pytest.mark.parametrize(("padding", "valid"), [(0, (7, 8)), (1, (5, 6))])
def test_stride_two_has_two_valid_sizes(padding: int, valid: tuple[int, ...]) -> None:
    """Of n = 3, k = 3, s = 2: seven and eight, or with padding 1 five and six, both lead back to three."""
    axis = table(padding)
    assert (axis.axis, axis.input_size, axis.valid) == (0, 3, valid)
    assert {TORCH, JAX, GENERAL, TF, KERAS, LINEN, NNX} <= {api.api for api in axis.apis}


@pytest.mark.parametrize(
    ("padding", "picks"),
    [
        (0, {TORCH: 7, JAX: 7, KERAS: 7, LINEN: 7, NNX: 7, TF: None, GENERAL: None}),
        (1, {TORCH: 5, JAX: 6, KERAS: 6, LINEN: 6, NNX: 6, TF: None, GENERAL: None}),
    ],
)
def test_what_each_api_picks_by_itself(padding: int, picks: dict[str, int | None]) -> None:
    """Without padding all that pick take the smaller one; with it PyTorch takes five, and the SAME of others six."""
    axis = table(padding)
    assert {name: of(axis, name).default for name in picks} == picks


@pytest.mark.parametrize(
    ("padding", "name", "crop", "same"),
    [
        (0, TORCH, Crop(0, 0), True),
        (0, JAX, Crop(0, 0), True),
        (0, KERAS, Crop(0, 0), True),
        (1, TORCH, Crop(1, 1), True),
        (1, JAX, Crop(0, 1), False),
        (1, LINEN, Crop(0, 1), False),
        (1, NNX, Crop(0, 1), False),
        (1, KERAS, Crop(0, 1), False),
    ],
)
def test_what_an_api_picks_may_be_shifted(padding: int, name: str, crop: Crop, same: bool) -> None:
    """JAX reaches six with PyTorch's crop by pairs, but its SAME, which it picks, is the shifted one."""
    picked = of(table(padding), name).picked
    assert picked is not None
    assert (picked.crop, picked.same_crop) == (crop, same)
    assert picked.arguments


def test_nothing_is_said_of_a_size_that_is_documented_in_two_ways() -> None:
    """K = 1, s = 3: nnx's VALID adds nothing, which is F = 7; lax's, which it mirrors, gives n s = 9."""
    axis = table(kernel_size=1, stride=3)
    assert {name: of(axis, name).default for name in (LINEN, NNX)} == {LINEN: 9, NNX: None}
    assert all(of(axis, NNX).reach[size].same_crop for size in axis.valid)


@pytest.mark.parametrize("name", [TF, GENERAL])
def test_an_api_that_must_be_told_picks_nothing(name: str) -> None:
    """Neither a size nor a crop."""
    found = of(table(1), name)
    assert (found.default, found.picked) == (None, None)


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("name", [TORCH, JAX, GENERAL, TF, KERAS, LINEN, NNX])
def test_every_api_reaches_both(name: str, padding: int) -> None:
    """Each size has a call with the arguments that decide it, and nothing is unreachable."""
    axis = table(padding)
    found = of(axis, name)
    assert tuple(found.reach) == axis.valid
    assert found.unreachable == ()
    for reach in found.reach.values():
        assert reach.arguments
        assert "\n" not in reach.call


@pytest.mark.parametrize(
    ("padding", "size", "shifted"),
    [(0, 7, set()), (0, 8, set()), (1, 5, set()), (1, 6, {TF, KERAS})],
)
def test_the_same_size_may_be_another_crop(padding: int, size: int, shifted: set[str]) -> None:
    """PyTorch's six with padding 1 cuts the near end, TensorFlow's and Keras's SAME the far one: values are shifted."""
    axis = table(padding)
    assert {api.api for api in axis.apis if not api.reach[size].same_crop} == shifted


@pytest.mark.parametrize(
    ("padding", "size", "crop"), [(0, 7, Crop(0, 0)), (0, 8, Crop(0, -1)), (1, 5, Crop(1, 1)), (1, 6, Crop(1, 0))]
)
def test_the_same_crop_is_the_layers(padding: int, size: int, crop: Crop) -> None:
    """The near end is the padding, the far end what is left of the full seven; the shifted six is (0, 1)."""
    for api in table(padding).apis:
        reach = api.reach[size]
        assert reach.crop == (crop if reach.same_crop else Crop(0, 1))


@pytest.mark.parametrize(
    ("name", "padding", "size", "arguments"),
    [
        (TORCH, 1, 6, {"padding": 1, "output_padding": 1}),
        (JAX, 0, 7, {"padding": "VALID"}),
        (JAX, 1, 6, {"padding": (1, 2)}),
        (GENERAL, 0, 8, {"padding": (2, 3)}),
        (LINEN, 1, 5, {"padding": 1}),
        (NNX, 1, 6, {"padding": (1, 2)}),
        (TF, 0, 8, {"output_shape": 8, "padding": "VALID"}),
        (TF, 1, 5, {"output_shape": 5, "padding": "SAME"}),
        (KERAS, 0, 8, {"padding": "valid", "output_padding": 1}),
        (KERAS, 1, 6, {"padding": "same", "output_padding": None}),
    ],
)
def test_the_arguments_are_the_apis_own(name: str, padding: int, size: int, arguments: dict[str, object]) -> None:
    """One entry for the axis; what does not decide the crop is left to the call."""
    found = {key: value for key, value in of(table(padding), name).reach[size].arguments.items() if value is not None}
    assert found == {key: value for key, value in arguments.items() if value is not None}


def test_an_unreachable_size_is_named() -> None:
    """Keras refuses strides with dilation: it reaches no size at all, and picks none."""
    found = of(table(dilation=2), KERAS)
    assert (found.default, dict(found.reach), found.unreachable) == (None, {}, table(dilation=2).valid)
    assert table(dilation=2).valid == (9, 10)


def test_without_a_stride_there_is_no_ambiguity() -> None:
    """One valid size, reached by everybody with the same crop."""
    axis = table(1, stride=1)
    assert axis.valid == (3,)
    assert all(api.reach[3].same_crop for api in axis.apis)


def test_no_size_is_valid_where_the_padding_leaves_nothing() -> None:
    """An empty row, not an error."""
    axis = table(9)
    assert axis.valid == ()
    assert all(api.reach == {} and api.unreachable == () for api in axis.apis)


def test_the_layers_output_padding_is_not_used() -> None:
    """The table is about all sizes, not about the one that it selects."""
    assert table(1, output_padding=1) == table(1)


def test_every_axis_has_a_row_of_its_own() -> None:
    """Two axes of another size, stride and padding; each is what it is alone."""
    layer = Layer(kernel_size=(3, 3), stride=(2, 1), padding=(1, 0))
    rows = size_table(layer, (3, 4), list(APIS.values())).axes
    assert [(row.axis, row.input_size, row.valid) for row in rows] == [(0, 3, (5, 6)), (1, 4, (6,))]
    for name in APIS:
        assert of(rows[0], name).default == of(table(1), name).default


def test_the_json_form_has_the_documented_keys() -> None:
    """Sizes are texts there, crops are lists."""
    written = size_table(Layer(kernel_size=3, stride=2, padding=1, ndim=1), (3,), [APIS[TF]]).to_json()
    assert set(written) == {"schema", "layer", "axes"}
    (axis,) = written["axes"]
    assert (axis["input_size"], axis["valid"]) == (3, [5, 6])
    (api,) = axis["apis"]
    assert (api["api"], api["default"], api["unreachable"]) == (TF, None, [])
    assert set(api["reach"]) == {"5", "6"}
    six = api["reach"]["6"]
    assert (six["crop"], six["same_crop"]) == ([0, 1], False)
    assert six["arguments"]["padding"] == "SAME"
