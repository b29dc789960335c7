"""Gradients of a layer from those of a call: through our crop, back into the canonical weight, with a bias put late."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness import Case, Crop, Layer, Spelling, reference
from harness.frameworks import registry
from harness.frameworks.base import IMPLIED, Answer, Api, Mode, as_answer, crop_output
from harness.records import Expression, Observation, Outcome, Resolved
from harness.values import digest
from harness.workers.observing import observe
from harness.workers.protocol import Address, Job

Array: TypeAlias = NDArray[Any]
Gradients: TypeAlias = "tuple[Array, Array, Array | None]"

APIS = [api() for api in registry.apis()]
NAMES = [api.name for api in APIS]


def _channels_last(native: Array) -> Array:
    """From (*k, C_out, C_in)."""
    return np.moveaxis(native, (-1, -2), (0, 1))


def _of_jax(native: Array, spelling: Spelling) -> Array:
    """From (*k, C_in, C_out), flipped unless ``transpose_kernel`` exchanges the channels."""
    if spelling.get("transpose_kernel"):
        return _channels_last(native)
    canonical = np.moveaxis(native, (-2, -1), (0, 1))
    return np.flip(canonical, tuple(range(2, native.ndim)))


def _of_jax_with_groups(native: Array, spelling: Spelling) -> Array:
    """From (*k, C_in / g, C_out), flipped: output channel o of group h lies at h · (C_out / g) + o."""
    groups = spelling.get("feature_group_count") or 1
    inputs, outputs = native.shape[-2], native.shape[-1] // groups
    canonical = np.empty((groups * inputs, outputs, *native.shape[:-2]), native.dtype)
    for group in range(groups):
        block = native[..., group * outputs : (group + 1) * outputs]
        canonical[group * inputs : (group + 1) * inputs] = np.moveaxis(block, (-2, -1), (0, 1))
    return np.flip(canonical, tuple(range(2, native.ndim)))


#: for each API, the canonical weight of a native one, written down once more and the other way round
CANONICAL: dict[str, Callable[[Array, Spelling], Array]] = {
    "torch.nn.ConvTranspose": lambda native, _: native,
    "jax.lax.conv_transpose": _of_jax,
    "jax.lax.conv_general_dilated": _of_jax_with_groups,
    "flax.linen.ConvTranspose": _of_jax,
    "flax.nnx.ConvTranspose": _of_jax,
    "tf.nn.conv_transpose": lambda native, _: _channels_last(native),
    "keras.layers.ConvTranspose": lambda native, _: _channels_last(native),
}


class Calls:
    """Stands in for an API's own autodiff: the right gradients of the call, in the API's own layout."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.bias: list[Array | None] = []

    def __call__(self, x: Array, native: Array, bias: Array | None, spelling: Spelling, cotangent: Array) -> Gradients:
        """What the documentation makes of the call, differentiated by the reference."""
        self.bias.append(bias)
        resolved = self.api.resolve(spelling, x.shape[2:])
        assert isinstance(resolved, Resolved)
        layer = resolved.layer.replace(bias=bias is not None)
        assert native.shape == self.api.native_weight_shape(spelling, layer.ndim)
        weight = CANONICAL[self.api.name](native, spelling)
        assert np.array_equal(self.api.native_weight(weight, spelling), native)
        dx, dweight, dbias = reference.vjp(x, weight, bias, layer, cotangent)
        return dx, self.api.native_weight(dweight, spelling), dbias

    def apply(self, x: Array, native: Array, bias: Array | None, spelling: Spelling) -> Array:
        """The right output of the call."""
        resolved = self.api.resolve(spelling, x.shape[2:])
        assert isinstance(resolved, Resolved)
        layer = resolved.layer.replace(bias=bias is not None)
        return reference.conv_transpose(x, CANONICAL[self.api.name](native, spelling), bias, layer)


def canonical_gradients(api: Api, case: Case, expression: Expression) -> tuple[list[Array], Calls]:
    """What our code makes of the call's gradients, and how the call was made."""
    calls = Calls(api)
    x, weight, bias = case.arrays()
    found = api.vjp_expression(x, weight, bias, expression, case.cotangent(), vjp=calls)
    assert (found[2] is None) is (bias is None)
    return [as_answer(part).values for part in found if part is not None], calls


def right_gradients(case: Case) -> list[Array]:
    """The reference's, of the layer that was asked."""
    assert case.layer is not None
    found = reference.vjp(*case.arrays(), case.layer, case.cotangent())
    return [part for part in found if part is not None]


def assert_right(api: Api, case: Case, expression: Expression) -> Calls:
    """The canonical gradients are the reference's, shape by shape and number by number."""
    found, calls = canonical_gradients(api, case, expression)
    expected = right_gradients(case)
    assert [part.shape for part in found] == [part.shape for part in expected]
    for part, right in zip(found, expected, strict=True):
        assert np.array_equal(part, right)
    return calls


@st.composite
def asked(draw: st.DrawFn, *, max_groups: int = 3) -> Case:
    """Layers of any crop, their two ends on their own; channels, kernel axes and groups that cannot be confused."""
    ndim = draw(st.integers(1, 3))

    def axes(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.lists(st.integers(low, high), min_size=ndim, max_size=ndim)))

    groups = draw(st.integers(1, max_groups))
    n, k, s = axes(1, 3), axes(1, 3), axes(1, 3)
    # Some APIs have no words for a stride beside a dilation, or for two dilations.
    d = (draw(st.integers(1, 3)),) * ndim if max(s) == 1 else draw(st.sampled_from([(1,) * ndim, axes(1, 2)]))
    full = [(i - 1) * t + e * (j - 1) + 1 for i, j, t, e in zip(n, k, s, d, strict=True)]
    lo = [draw(st.integers(-2, f - 1)) for f in full]
    hi = [draw(st.integers(-2, f - 1 - max(low, 0))) for f, low in zip(full, lo, strict=True)]
    layer = Layer(
        groups * draw(st.integers(1, 3)),
        groups * draw(st.integers(1, 3)),
        k,
        s,
        lo,
        [low - high for low, high in zip(lo, hi, strict=True)],
        d,
        groups,
        draw(st.booleans()),
    )
    return Case(layer, batch=draw(st.integers(1, 2)), input_size=n, seed=draw(st.integers(0, 2**32 - 1)))


@pytest.mark.parametrize("api", APIS, ids=NAMES)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_gradients_of_a_call_become_those_of_the_layer(api: Api, data: st.DataObject) -> None:
    """As the API is asked for the layer: with and without a crop or an extension, groups, a bias early or late."""
    groups = 3 if api.name in ("torch.nn.ConvTranspose", "jax.lax.conv_general_dilated") else 1
    case = data.draw(asked(max_groups=groups))
    assert case.layer is not None
    expression = api.express(case.layer, case.input_size)
    if isinstance(expression, Expression):
        assert_right(api, case, expression)


@pytest.mark.parametrize("api", APIS, ids=NAMES)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_gradients_go_through_any_crop_of_the_widest_output(api: Api, data: st.DataObject) -> None:
    """Whether the API has words for the layer or not: the widest output, and the rest by our crop or extension."""
    case = data.draw(asked(max_groups=1))
    layer = case.layer
    assert layer is not None
    spelling = api.widest(layer, case.input_size)
    resolved = api.resolve(spelling, case.input_size)
    if not isinstance(resolved, Resolved):
        return
    pairs = zip(layer.crops, resolved.layer.crops, strict=True)
    crop = tuple(Crop(want.lo - have.lo, want.hi - have.hi) for want, have in pairs)
    calls = assert_right(api, case, Expression(spelling, crop))
    assert calls.bias == [None]


@pytest.mark.parametrize("api", APIS, ids=NAMES)
def test_gradients_are_the_adjoint_of_what_our_code_makes_of_the_output(api: Api) -> None:
    """⟨y, cotangent⟩ = ⟨x, dx⟩ = ⟨weight, dweight⟩ without a bias, for the output of ``run_expression`` itself."""
    layer = Layer(2, 3, (3, 2), 1, (1, -2), (2, -1), bias=False)
    case = Case(layer, batch=2, input_size=(3, 4), seed=8)
    expression = api.express(layer, case.input_size)
    assert isinstance(expression, Expression)
    x, weight, _ = case.arrays()
    calls = Calls(api)
    output = api.run_expression(x, weight, None, expression, apply=calls.apply).values
    (dx, dweight), _ = canonical_gradients(api, case, expression)
    whole = np.sum(output * case.cotangent())
    assert whole == np.sum(x * dx) == np.sum(weight * dweight)


# The crop


CROPS = [
    Crop(1, 0),
    Crop(0, 2),
    Crop(2, 1),
    Crop(-1, 0),
    Crop(0, -2),
    Crop(-2, -1),
    Crop(1, -2),
    Crop(-2, 1),
    Crop(4, -3),
    Crop(-3, 4),
    Crop(3, 0),
]


@pytest.mark.parametrize("crop", CROPS)
def test_the_opposite_crop_is_the_adjoint(crop: Crop) -> None:
    """⟨crop(y), c⟩ = ⟨y, crop of the opposite numbers(c)⟩: what was cut has no cotangent, what was added gives none."""
    generator = np.random.default_rng(0)
    for other in CROPS:
        y = generator.integers(-9, 9, (2, 1, 3, 4)).astype(float)
        cropped = crop_output(y, (crop, other))
        c = generator.integers(-9, 9, cropped.shape).astype(float)
        back = crop_output(c, tuple(Crop(-lo, -hi) for lo, hi in (crop, other)))
        assert back.shape == y.shape
        assert np.sum(cropped * c) == np.sum(y * back)


# The bias


def torch_like(bias: bool, crop: tuple[int, int]) -> tuple[Api, Case, Expression]:
    """PyTorch asked for a layer by a call that bears the bias or not, with a crop after it."""
    (api,) = [api for api in APIS if api.name == "torch.nn.ConvTranspose"]
    layer = Layer(2, 4, (3,), (2,), groups=2)
    spelling = next(api.candidates(layer.replace(bias=bias), (3,)))
    lo, hi = crop
    asked = layer.replace(padding=lo, output_padding=lo - hi)
    return api, Case(asked, batch=2, input_size=3, seed=1), Expression(spelling, (Crop(lo, hi),))


@pytest.mark.parametrize(
    ("in_words", "crop", "early"),
    [
        (True, (0, 0), True),
        (True, (1, 2), True),
        (True, (-1, 0), False),
        (True, (2, -1), False),
        (False, (0, 0), False),
        (False, (1, 0), False),
    ],
)
def test_the_call_is_given_the_bias_unless_it_must_be_added_late(
    in_words: bool, crop: tuple[int, int], early: bool
) -> None:
    """A crop leaves it to the call, an extension and a call without a bias to our code; the gradient is right."""
    api, case, expression = torch_like(in_words, crop)
    calls = assert_right(api, case, expression)
    assert [bias is not None for bias in calls.bias] == [early]


def test_a_bias_borne_by_the_call_has_the_calls_gradient() -> None:
    """What the framework says of it is judged, not our own sum."""
    api, case, expression = torch_like(True, (1, 0))
    x, weight, bias = case.arrays()
    calls = Calls(api)

    def wrong(*arguments: Any) -> Gradients:
        dx, dweight, dbias = calls(*arguments)
        assert dbias is not None
        return dx, dweight, dbias + 1

    _, _, dbias = api.vjp_expression(x, weight, bias, expression, case.cotangent(), vjp=wrong)
    assert as_answer(dbias).values.tolist() == (right_gradients(case)[2] + 1).tolist()


def test_a_late_bias_is_summed_in_float64() -> None:
    """Our own sum of a half precision cotangent may not round: 2049 is no half precision number."""
    api, case, expression = torch_like(False, (0, 0))
    x, weight, bias = case.arrays()
    assert bias is not None
    cotangent = np.ones((2, 4, 7), np.float16)
    cotangent[0, 0, 0] = 2036
    found = api.vjp_expression(x, weight, bias, expression, cotangent, vjp=Calls(api))
    assert as_answer(found[2]).values.tolist() == [2049.0, 14.0, 14.0, 14.0]


def test_a_bias_that_the_call_was_not_given_has_no_gradient_of_the_calls() -> None:
    """Whatever the call says of one: without a bias there is no gradient, of a late one it is our own sum."""
    api, case, expression = torch_like(False, (0, 0))
    x, weight, bias = case.arrays()
    calls = Calls(api)

    def talkative(*arguments: Any) -> Gradients:
        dx, dweight, dbias = calls(*arguments)
        assert dbias is None
        return dx, dweight, np.full(4, 77.0)

    assert api.vjp_expression(x, weight, None, expression, case.cotangent(), vjp=talkative)[2] is None
    late = api.vjp_expression(x, weight, bias, expression, case.cotangent(), vjp=talkative)[2]
    assert as_answer(late).values.tolist() == right_gradients(case)[2].tolist()


# The weight


def test_a_weights_gradient_keeps_its_dtype() -> None:
    """Also bfloat16, which travels as float32 with its name."""
    api, case, expression = torch_like(False, (0, 0))
    x, weight, bias = case.arrays()
    calls = Calls(api)

    def narrow(*arguments: Any) -> Any:
        dx, dweight, dbias = calls(*arguments)
        return dx, Answer(dweight.astype(np.float32), "bfloat16"), dbias

    _, dweight, _ = api.vjp_expression(x, weight, bias, expression, case.cotangent(), vjp=narrow)
    assert isinstance(dweight, Answer)
    assert (dweight.dtype, dweight.values.dtype.name) == ("bfloat16", "float32")
    assert dweight.values.tolist() == right_gradients(case)[1].tolist()


def test_a_weights_gradient_of_another_shape_stays_as_it_is() -> None:
    """There is no way back from it: the worker says which shapes were returned."""
    (api,) = [api for api in APIS if api.name == "tf.nn.conv_transpose"]
    case = Case(Layer(2, 3, (3,), bias=False), input_size=4)
    assert case.layer is not None
    expression = api.express(case.layer, (4,))
    assert isinstance(expression, Expression)
    x, weight, _ = case.arrays()
    found = api.vjp_expression(x, weight, None, expression, case.cotangent(), vjp=lambda *_: (x, weight[:1], None))
    assert as_answer(found[1]).values.shape == (1, 3, 3)


def test_an_api_without_words_is_not_asked_in_them() -> None:
    """It defines ``run`` and ``vjp`` in canonical words."""
    case = Case(Layer(kernel_size=(3,)), input_size=4)
    with pytest.raises(TypeError, match="canonical words"):
        Plain().vjp_expression(*case.arrays(), Expression(None, (Crop(0, 0),)), case.cotangent())


def test_an_api_without_a_vjp_says_so() -> None:
    """The default of every class."""
    with pytest.raises(TypeError, match="plain has no gradients"):
        Plain().vjp(np.ones((1, 1, 1)), np.ones((1, 1, 1)), None, Layer(ndim=1), np.ones((1, 1, 1)))


# The modes that methods imply


class Plain(Api):
    """What the least third party writes."""

    name: ClassVar[str] = "plain"

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """The right output."""
        return reference.conv_transpose(x, weight, bias, layer).astype(x.dtype)


class Differentiable(Plain):
    """With gradients."""

    def vjp(self, x: Array, weight: Array, bias: Array | None, asked: Any, cotangent: Array) -> Any:
        """The right ones."""
        found = reference.vjp(x, weight, bias, asked, cotangent)
        return tuple(None if part is None else part.astype(x.dtype) for part in found)


class Inferring(Plain):
    """With shape inference."""

    def abstract(self, batch: int, input_size: tuple[int, ...], asked: Any) -> tuple[int, ...]:
        """The right shape."""
        return (batch, asked.out_channels, *asked.output_size(input_size))


class Both(Differentiable, Inferring):
    """With both, and a gradient mode of its own."""

    modes = (Mode("default"), Mode("gradient", "backwards", gradient=True))


def modes(api: type[Api]) -> list[str]:
    """The names of a class's modes."""
    return [mode.name for mode in api.all_modes()]


def test_methods_imply_the_modes_in_which_they_are_asked() -> None:
    """A class has a gradient mode by defining ``vjp`` and an abstract one by defining ``abstract``, and no others."""
    assert modes(Plain) == ["default"]
    assert modes(Differentiable) == ["default", "gradient"]
    assert modes(Inferring) == ["default", "abstract"]


def test_a_declared_mode_is_not_implied_again() -> None:
    """The class's own words stand; what it does not declare follows."""
    assert modes(Both) == ["default", "gradient", "abstract"]
    assert Both.all_modes()[1].how == "backwards"


def test_implied_modes_are_what_their_names_say() -> None:
    """Gradients are asked of a share of the cases; a sentence can name both modes."""
    abstract, gradient = IMPLIED
    assert (abstract.name, abstract.abstract, abstract.gradient, abstract.share) == ("abstract", True, False, False)
    assert (gradient.name, gradient.abstract, gradient.gradient, gradient.share) == ("gradient", False, True, True)
    assert abstract.how != gradient.how != ""


@pytest.mark.parametrize("api", APIS, ids=NAMES)
def test_every_api_declares_its_gradient_mode_once(api: Api) -> None:
    """Each of ours has a ``vjp``, asked in one mode of a share of the cases, with words for its sentence."""
    assert type(api).vjp is not Api.vjp
    (gradient,) = [mode for mode in api.all_modes() if mode.gradient]
    assert gradient in api.modes
    assert gradient.share
    assert gradient.how


# As the worker asks


CASE = Case(Layer(2, 6, (3,), (2,), (1,), (1,), groups=2), batch=2, input_size=4, seed=2)


def seen(api: Api, case: Case = CASE, mode: str = "gradient") -> Observation:
    """What a worker observes, in this process."""
    api.mode = mode
    return observe(api, case, Job("a+gradient", 0, values=True))


def laid_out(parts: list[Array]) -> Array:
    """The parts end to end."""
    return np.concatenate([part.ravel() for part in parts])


def test_a_worker_lays_the_gradients_end_to_end() -> None:
    """In the order of the arrays, with the dtype of the first and a digest of the numbers, but no shape."""
    found = seen(Differentiable())
    right = laid_out(right_gradients(CASE))
    assert (found.outcome, found.shape, found.dtype, found.digest) == (Outcome.OK, None, "float32", digest(right))
    assert found.values is not None
    assert found.values.tolist() == right.tolist()
    inputs = [array for array in CASE.arrays() if array is not None]
    assert found.input_digest == digest(laid_out([*inputs, CASE.cotangent()]))


@pytest.mark.parametrize("api", APIS, ids=NAMES)
def test_a_worker_asks_an_api_in_its_words(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the weight in its own layout, and a crop of ours where there are no words."""
    monkeypatch.setattr(type(api), "vjp", lambda self, *arguments: Calls(self)(*arguments))
    layer = Layer(2, 3, (3, 2), 1, (1, -1), (2, 0), bias=True)
    case = Case(layer, batch=2, input_size=(3, 4), seed=8)
    found = seen(type(api)(), case)
    assert (found.outcome, found.error) == (Outcome.OK, None)
    assert found.digest == digest(laid_out(right_gradients(case)))


@pytest.mark.parametrize("values", ["integers", "normal"])
def test_a_worker_does_not_ask_for_gradients_of_special_values(values: str) -> None:
    """Nothing is known of where NaN may stand in them."""
    assert seen(Differentiable(), CASE.replace(values=values)).outcome is Outcome.OK

    class Daring(Differentiable):
        def limit(self, case: Case) -> str | None:
            return None

    found = seen(Daring(), CASE.replace(values="special"))
    assert found.outcome is Outcome.SKIPPED
    assert found.reason is not None
    assert "special" in found.reason


def returning(answer: Callable[[Gradients], Any]) -> Api:
    """A third party whose ``vjp`` returns what this makes of the right gradients."""

    class Odd(Plain):
        def vjp(self, x: Array, weight: Array, bias: Array | None, asked: Any, cotangent: Array) -> Any:
            return answer(reference.vjp(x, weight, bias, asked, cotangent))

    return Odd()


@pytest.mark.parametrize(
    ("answer", "shapes"),
    [
        (lambda g: (g[0], g[1], None), "(2, 2, 4), (2, 3, 3)"),
        (lambda g: (g[1], g[0], g[2]), "(2, 3, 3), (2, 2, 4), (6,)"),
        (lambda g: (g[0], g[1].swapaxes(0, 1), g[2]), "(2, 2, 4), (3, 2, 3), (6,)"),
    ],
    ids=["no bias", "exchanged", "transposed"],
)
def test_gradients_of_other_shapes_are_told_by_their_shapes(answer: Callable[[Gradients], Any], shapes: str) -> None:
    """A gradient has the shape of what it is taken by: the observation says what has not, and the judge objects."""
    found = seen(returning(answer))
    assert found.outcome is Outcome.OK
    assert found.reason == f"gradients of shapes {shapes} for arrays of (2, 2, 4), (2, 3, 3), (6,)"
    assert found.digest != digest(laid_out(right_gradients(CASE)))
    assert seen(Differentiable()).reason is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda g: None, "TypeError: returned NoneType, not (dx, dweight, dbias)"),
        (lambda g: g[:2], "TypeError: returned tuple, not (dx, dweight, dbias)"),
        (lambda g: (*g, g[2]), "TypeError: returned tuple, not (dx, dweight, dbias)"),
        (lambda g: ({}, *g[1:]), "TypeError: returned dict, not an array"),
        (lambda g: (), "TypeError"),
    ],
    ids=["None", "two", "four", "no array", "none"],
)
def test_what_is_no_gradients_is_rejected(answer: Callable[[Gradients], Any], error: str) -> None:
    """Like an output that is no array: it is the target's own fault."""
    found = seen(returning(answer))
    assert found.outcome is Outcome.REJECTED
    assert found.error is not None
    assert found.error.startswith(error)


@pytest.mark.parametrize(
    "answer",
    [
        lambda g: g[:2],
        lambda g: (g[0], None, g[2]),
        lambda g: (g[0], {}, g[2]),
        lambda g: None,
    ],
    ids=["two", "no weight", "no array", "None"],
)
def test_odd_gradients_of_an_api_with_words_are_its_own_fault_as_well(
    answer: Callable[[Gradients], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rejected, or told by their shapes: they are not a fault of ours."""
    (api,) = [api for api in APIS if api.name == "torch.nn.ConvTranspose"]
    monkeypatch.setattr(type(api), "vjp", lambda self, *arguments: answer(Calls(self)(*arguments)))
    found = seen(type(api)())
    assert found.outcome is Outcome.REJECTED or found.reason is not None


def test_a_vjp_that_raises_is_a_rejection() -> None:
    """Like a call that does."""

    def refuse(_: Gradients) -> Any:
        raise ValueError("no gradient here")

    found = seen(returning(refuse))
    assert (found.outcome, found.error) == (Outcome.REJECTED, "ValueError: no gradient here")


def test_a_mode_that_no_method_implies_cannot_be_loaded() -> None:
    """The message names the modes that there are."""
    from harness.workers.child import load

    location = f"{__name__}:Plain"
    load_gradient = partial(load, Address("a", location, "gradient"))
    with pytest.raises(TypeError, match="has no mode 'gradient': known are default"):
        load_gradient()
    assert load(Address("a", f"{__name__}:Differentiable", "gradient")).mode == "gradient"
