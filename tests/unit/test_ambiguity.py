"""The size table: which sizes are valid, which one each API picks, which it reaches, and with which crop."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Crop, Layer, sizes
from harness.ambiguity import Spelled, size_table
from harness.audit.written import parse_layer
from harness.errors import InvalidField, UsageError
from harness.frameworks import registry
from harness.frameworks.base import Role
from harness.layer import Spelling
from harness.records import ApiSizes, AxisSizes, Reach, Resolved, SizeTable

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
    (axis,) = size_table(asked, [(3,)], list(APIS.values())).axes
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
    rows = size_table(layer, [(3,), (4,)], list(APIS.values())).axes
    assert [(row.axis, row.input_size, row.valid) for row in rows] == [(0, 3, (5, 6)), (1, 4, (6,))]
    for name in APIS:
        assert of(rows[0], name).default == of(table(1), name).default


def test_the_json_form_has_the_documented_keys() -> None:
    """Sizes are texts there, crops are lists."""
    written = size_table(Layer(kernel_size=3, stride=2, padding=1, ndim=1), [(3,)], [APIS[TF]]).to_json()
    assert set(written) == {"schema", "layer", "source", "axes", "skipped"}
    assert (written["source"], written["skipped"]) == (None, [])
    (axis,) = written["axes"]
    assert (axis["axis"], axis["input_size"], axis["valid"]) == (0, 3, [5, 6])
    assert (axis["forward"], axis["asked"]) == ({"3": [5, 6]}, {"5": [1, 1], "6": [1, 0]})
    (api,) = axis["apis"]
    assert (api["valid"], [rule["padding"] for rule in api["rules"]]) == ([5, 6], ["SAME", "VALID"])
    assert [rule["valid"] for rule in api["rules"]] == [[5, 6], [7, 8]]
    assert api["limit"] is None
    assert (api["api"], api["default"], api["unreachable"]) == (TF, None, [])
    assert set(api["reach"]) == {"5", "6"}
    six = api["reach"]["6"]
    assert (six["crop"], six["same_crop"]) == ([0, 1], False)
    assert six["arguments"]["padding"] == "SAME"


def written(text: str, source: str, *inputs: range) -> SizeTable:
    """The table of a layer in somebody's words."""
    spelling, ndim = parse_layer(text, source)
    return size_table(Spelled(APIS[spelling.api], spelling, ndim), inputs, list(APIS.values()))


@pytest.mark.parametrize(
    ("padding", "rules"),
    [
        (0, {TORCH: [(0, (7, 8))], TF: [("VALID", (7, 8)), ("SAME", (5, 6))], GENERAL: []}),
        (1, {TORCH: [(1, (5, 6))], TF: [("SAME", (5, 6)), ("VALID", (7, 8))], GENERAL: []}),
        (1, {JAX: [("SAME", (5, 6)), ("VALID", (7, 8))], KERAS: [("same", (5, 6)), ("valid", (7, 8))]}),
    ],
)
def test_each_api_has_forward_rules_of_its_own(padding: int, rules: dict[str, list[object]]) -> None:
    """The usual wording's first, which says what is valid for that API; JAX's plain pairs have no forward twin."""
    axis = table(padding)
    for name, expected in rules.items():
        found = of(axis, name)
        assert [(rule.padding, rule.valid) for rule in found.rules] == expected
        assert found.valid == (found.rules[0].valid if expected else None)
        assert all(rule.rule.text and rule.rule.url for rule in found.rules)


def test_what_is_valid_for_one_api_need_not_be_for_another() -> None:
    """K = 5, s = 2, p = 1: 3 may become 7 or 8 in PyTorch; by the SAME of TensorFlow, JAX and Keras 5 or 6."""
    axis = table(1, kernel_size=5)
    assert axis.valid == of(axis, TORCH).valid == (7, 8)
    for name in (TF, JAX, KERAS, LINEN, NNX):
        assert of(axis, name).valid == (5, 6)
    assert of(axis, TF).unreachable == (7, 8)
    assert of(axis, JAX).default == 6


def test_every_input_size_has_an_entry_for_every_axis() -> None:
    """A range for all axes, or for each its own; each entry is what it is alone."""
    layer = Layer(kernel_size=3, stride=(2, 3))
    alike = size_table(layer, [range(2, 5)] * 2, list(APIS.values()))
    assert [(one.axis, one.input_size) for one in alike.axes] == [(a, n) for a in (0, 1) for n in (2, 3, 4)]
    apart = size_table(layer, [range(2, 4), (9,)], list(APIS.values()))
    assert [(one.axis, one.input_size) for one in apart.axes] == [(0, 2), (0, 3), (1, 9)]
    for one in (*alike.axes, *apart.axes):
        size = (one.input_size, 1) if one.axis == 0 else (1, one.input_size)
        assert one == size_table(layer, [(n,) for n in size], list(APIS.values())).axes[one.axis]


@pytest.mark.parametrize(
    ("text", "picks"),
    [("ConvTranspose1d(4, 2, 3, stride=2, padding=1)", 5), ("ConvTranspose1d(4, 2, 3, 2, 1, output_padding=1)", 6)],
)
def test_a_layer_in_pytorchs_words_is_the_layer_that_they_mean(text: str, picks: int) -> None:
    """What is valid and reached is the same as with numbers; PyTorch picks what the words say, output_padding too."""
    found = written(text, "torch", range(3, 4))
    (axis,) = found.axes
    plain = size_table(found.layer, [(3,)], list(APIS.values())).axes[0]
    assert (axis.valid, axis.asked) == (plain.valid, plain.asked) == ((5, 6), (Crop(1, 1), Crop(1, 0)))
    assert of(axis, TORCH).default == picks
    for name in set(APIS) - {TORCH}:
        assert of(axis, name) == of(plain, name)
    assert "in_channels=4" in of(axis, TORCH).reach[picks].call


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("lax.conv_transpose(x, (3, 1, 1), (2,), 'SAME')", "jax"),
        ("Conv1DTranspose(1, 3, strides=2, padding='same')", "keras"),
        ("ConvTranspose(1, (3,), strides=2)", "flax.linen.ConvTranspose"),
        ("tf.nn.conv1d_transpose(x, (3, 1, 1), [1, 6, 1], 2, 'SAME')", "tensorflow"),
    ],
)
def test_the_crop_of_a_word_is_that_of_its_own_api(text: str, source: str) -> None:
    """SAME of k = 3, s = 2 cuts (0, 1) of 6: PyTorch, which must cut in front, only reaches the size, shifted."""
    (axis,) = written(text, source, range(3, 4)).axes
    assert (axis.valid, axis.asked[1]) == ((5, 6), Crop(0, 1))
    for name in (JAX, KERAS, TF, LINEN, NNX, GENERAL):
        assert of(axis, name).reach[6].same_crop
    assert not of(axis, TORCH).reach[6].same_crop
    assert {name: of(axis, name).default for name in (JAX, KERAS, LINEN, NNX)} == dict.fromkeys(
        (JAX, KERAS, LINEN, NNX), 6
    )
    assert of(axis, TORCH).default == 7
    assert of(axis, TF).default is None


def test_a_layers_own_words_come_first_where_they_are_its_apis() -> None:
    """The size that they give is reached and picked by them, as they are written; a named size is no default."""
    (axis,) = written(
        "ConvTranspose(2, (3,), strides=2, padding=((1, 2),))", "flax.linen.ConvTranspose", range(3, 4)
    ).axes
    linen = of(axis, LINEN)
    assert (linen.default, dict(linen.reach[6].arguments)) == (6, {"padding": (1, 2)})
    (axis,) = written("ConvTranspose1d(1, 1, 3, stride=2)(x, output_size=(8,))", "torch", range(3, 4)).axes
    assert of(axis, TORCH).default == 7
    assert of(axis, TORCH).reach[8].arguments["output_size"] == 8


def test_words_without_a_forward_rule_are_taken_back_by_what_pads_their_crop() -> None:
    """JAX's pairs (1, 2) of k = 3 are the crop (1, 0): the convolution that pads so takes 6 and 7 to 3."""
    (axis,) = written("lax.conv_transpose(x, (3, 1, 1), (2,), ((1, 2),))", "jax", range(3, 4)).axes
    assert (axis.valid, axis.asked) == ((6, 7), (Crop(1, 0), Crop(1, -1)))
    assert [sizes.forward_size(m, kernel_size=3, stride=2, total_padding=1) for m in axis.valid] == [3, 3]


def test_groups_are_a_limit_where_there_is_no_word_for_them() -> None:
    """Said with its reason; nothing is reached, and nobody must be told anything."""
    axis = table(1, in_channels=4, out_channels=4, groups=2)
    found = of(axis, KERAS)
    assert "no groups" in str(found.limit)
    assert (found.default, found.valid, dict(found.reach), found.unreachable) == (None, None, {}, axis.valid)
    assert of(axis, TORCH).limit is of(axis, GENERAL).limit is None
    assert all(reach.same_crop for reach in of(axis, GENERAL).reach.values())


def test_input_sizes_at_which_words_mean_nothing_are_passed_over() -> None:
    """An output shape fits one input size alone; the others are there with the reason."""
    text = "tf.nn.conv1d_transpose(x, (3, 8, 4), [2, 9, 8], 2, 'SAME')"
    found = written(text, "tensorflow", range(3, 7))
    assert [one.input_size for one in found.axes] == [5]
    assert set(found.skipped) == {(3,), (4,), (6,)}
    assert all("SAME" in reason for reason in found.skipped.values())
    assert [one["input_size"] for one in found.to_json()["skipped"]] == [[3], [4], [6]]
    with pytest.raises(UsageError, match="means nothing at an input of size 3: SAME"):
        written(text, "tensorflow", range(3, 5))


@pytest.mark.parametrize(
    ("layer", "inputs", "said"),
    [
        (Layer(kernel_size=3, stride=1001, ndim=1), [(3,)], "stride 1001: .* at most 1000"),
        (Layer(kernel_size=3, stride=11, ndim=1), [range(1, 101)], "stride 11: .* here 1100 in all"),
        (Layer(kernel_size=3, ndim=1), [(2**31,)], "input size 2147483648"),
    ],
)
def test_what_nobody_reads_is_refused(layer: Layer, inputs: list[range], said: str) -> None:
    """A stride with more sizes than fit a table, many input sizes of a large one, and numbers beyond all."""
    with pytest.raises(UsageError, match=said):
        size_table(layer, inputs, list(APIS.values()))


def test_inputs_are_checked() -> None:
    """One entry for each axis, none below 0."""
    for inputs in ([(3,)], [(3,), (-1,)]):
        with pytest.raises(InvalidField, match="input_size"):
            size_table(Layer(kernel_size=(3, 4)), inputs, list(APIS.values()))


@st.composite
def asked(draw: st.DrawFn) -> tuple[Layer, tuple[int, ...]]:
    """A layer of one or two axes with any crop in front, and an input size."""
    ndim = draw(st.integers(1, 2))

    def axes(least: int, most: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(least, most)) for _ in range(ndim))

    return Layer(2, 2, axes(1, 5), axes(1, 4), axes(-1, 4), 0, axes(1, 3), draw(st.sampled_from([1, 2]))), axes(0, 6)


@settings(deadline=None, max_examples=60)
@given(drawn=asked())
def test_the_same_crop_is_said_of_the_asked_crop_alone(drawn: tuple[Layer, tuple[int, ...]]) -> None:
    """What resolve says of the shown arguments is the shown crop; same_crop is true iff that is (lo, F - lo - m)."""
    layer, inputs = drawn
    for axis in size_table(layer, [(n,) for n in inputs], list(APIS.values())).axes:
        full = layer.full_size(inputs)[axis.axis]
        lo = layer.padding[axis.axis]
        for api in axis.apis:
            every = list(api.reach.items()) + ([(api.default, api.picked)] if api.picked is not None else [])
            for m, reach in every:
                assert m is not None
                assert api.limit is None
                assert reach is not None
                assert resolved_crop(layer, axis, m, api.api, reach) == reach.crop
                assert reach.crop.lo + reach.crop.hi == full - m
                assert reach.same_crop == (reach.crop == Crop(lo, full - lo - m))
            assert {*api.reach, *api.unreachable} == {*axis.valid}


def resolved_crop(layer: Layer, axis: AxisSizes, m: int, name: str, reach: Reach) -> Crop:
    """The crop of the shown arguments, written out again for all axes alike, as the API's own documentation has it."""
    api, ndim, size = APIS[name], layer.ndim, (axis.input_size,) * layer.ndim
    geometry = {
        Role.IN_CHANNELS: layer.in_channels,
        Role.OUT_CHANNELS: layer.out_channels,
        Role.GROUPS: layer.groups,
        Role.KERNEL_SIZE: (layer.kernel_size[axis.axis],) * ndim,
        Role.STRIDE: (layer.stride[axis.axis],) * ndim,
        Role.DILATION: (layer.dilation[axis.axis],) * ndim,
    }
    spelled = {p.name: geometry[p.role] for p in api.parameters if p.role in geometry}
    alike = {k: v if v is None or isinstance(v, str | bool) else (v,) * ndim for k, v in reach.arguments.items()}
    resolved = api.resolve(Spelling(name, {**spelled, **alike}), size)
    assert isinstance(resolved, Resolved)
    assert resolved.layer.output_size(size) == (m,) * ndim
    (crop,) = set(resolved.layer.crops)
    return crop


@settings(deadline=None, max_examples=60)
@given(drawn=asked())
def test_no_size_is_called_unreachable_or_shifted_that_a_wording_reaches(drawn: tuple[Layer, tuple[int, ...]]) -> None:
    """No candidate of the API gives the asked crop of a size that is called shifted, nor the size of an unreachable."""
    layer, inputs = drawn
    for axis in size_table(layer, [(n,) for n in inputs], list(APIS.values())).axes:
        alike = layer.replace(
            **{
                k: (getattr(layer, k)[axis.axis],) * layer.ndim
                for k in ("kernel_size", "stride", "padding", "dilation")
            }
        )
        size = (axis.input_size,) * layer.ndim
        for api in axis.apis:
            for m in axis.valid:
                wanted = alike.replace(output_padding=m - alike.output_size(size)[0])
                answers = [APIS[api.api].resolve(s, size) for s in APIS[api.api].candidates(wanted, size)]
                found = [a.layer for a in answers if isinstance(a, Resolved) and a.layer.output_size(size)[0] == m]
                if api.limit is None and m in api.unreachable:
                    assert not found
                if m in api.reach and not api.reach[m].same_crop:
                    assert all(one.crops[0] != wanted.crops[0] for one in found)


@settings(deadline=None, max_examples=60)
@given(drawn=asked())
def test_the_forward_view_is_what_the_forward_convolution_does(drawn: tuple[Layer, tuple[int, ...]]) -> None:
    """Of all sizes around exactly the valid ones convolve to the input size."""
    layer, inputs = drawn
    for axis in size_table(layer, [(max(n, 1),) for n in inputs], []).axes:
        i = axis.axis
        words = {"kernel_size": layer.kernel_size[i], "stride": layer.stride[i], "dilation": layer.dilation[i]}
        taken = [
            m
            for m in range(1, 60)
            if sizes.forward_size(m, total_padding=2 * layer.padding[i], **words) == axis.input_size
        ]
        assert axis.to_json()["forward"] == {str(axis.input_size): taken}
