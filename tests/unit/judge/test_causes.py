"""Named causes: each planted fault is told by its name, wherever it shows, and nothing else is made up."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pytest
from elementary import CAUSES, PLANTED
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from targets import Correct

from harness import Case, Layer, reference
from harness.errors import InvalidField
from harness.judge.causes import FAMILIES, Cause, Prediction, consistent, explain, hypotheses
from harness.judge.causes.matching import interleaved, order_of
from harness.judge.causes.prediction import Subject
from harness.judge.causes.sampling import sampled
from harness.judge.tolerance import Expected
from strategies import layer_cases, layers, values

Array = NDArray[Any]

#: everything differs from everything: strides, dilations, paddings, kernel, channels, groups; two batch elements
RICH_LAYER = Layer(4, 6, (3, 2), (2, 3), (3, 5), (1, 2), (3, 2), groups=2)
RICH = Case(RICH_LAYER, batch=2, input_size=(4, 5), seed=5)
SQUARE = RICH.replace(layer=RICH_LAYER.replace(in_channels=4, out_channels=4, groups=1, kernel_size=(3, 3)))
EXTENDED = RICH.replace(layer=RICH_LAYER.replace(padding=(-1, 0), output_padding=(1, 2)))
RICH_FOR = {"KernelTransposed": SQUARE, "WeightChannelsExchanged": SQUARE, "BiasNotInExtension": EXTENDED}

BY_HAND = [
    Case(Layer(3, 3, 3, 2, 1, 1, ndim=1), batch=2, input_size=(4,), seed=1),
    Case(Layer(1, 1, 1, 1, ndim=1), input_size=(1,), seed=2),
    Case(Layer(4, 6, (2, 3), (1, 2), (1, 0), (0, 1), (2, 1), groups=2), batch=2, input_size=(3, 2), seed=3),
    Case(Layer(2, 3, (1, 2, 2), (2, 1, 3), (0, 1, 2), (1, 0, 2), ndim=3, bias=False), input_size=(2, 2, 2), seed=4),
    Case(Layer(2, 3, 2, 4, 0, 3, ndim=1), input_size=(5,), seed=6),
]

CASES = layer_cases(
    layers=layers(max_channels=6, max_kernel_size=5, max_stride=4),
    values=values(dtypes=["float32"], kinds=["integers"]),
    allow_empty=False,
)
EXACT = values(kinds=["integers"])
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]


def target_of(name: str) -> Correct:
    """The planted target of that class name."""
    target = PLANTED[name].api()
    assert isinstance(target, Correct)
    return target


def layer_of(case: Case) -> Layer:
    """The layer that a case asks."""
    assert case.layer is not None
    return case.layer


def answer(name: str, case: Case) -> Array:
    """What the planted target makes of a case."""
    return target_of(name).run(*case.arrays(), layer_of(case))


def expected_of(case: Case) -> Expected:
    """The right answer to a case."""
    return Expected(case, layer_of(case))


def is_wrong(case: Case, observed: Array) -> bool:
    """Whether size or values are not the right ones."""
    expected = expected_of(case)
    if observed.shape != expected.shape:
        return True
    comparison = expected.compare(observed.astype(np.float64))
    return comparison is not None and not comparison.agrees


def explained(case: Case, observed: Array) -> list[str]:
    """The names of the causes that explain an observation."""
    return [cause.name for cause in explain(expected_of(case), observed)]


def text_of(name: str, case: Case, observed: Array) -> str:
    """What is said of the cause of that name; the others are not tried."""
    return next(cause.text for cause in explain(expected_of(case), observed, [name]) if cause.name == name)


def computed(case: Case, *, size_of: Layer | None = None, **changes: Any) -> Array:
    """What comes of other hyper-parameters, in the size of that layer if one is named."""
    x, weight, bias = case.arrays()
    other = layer_of(case).replace(**changes)
    if size_of is not None:
        sizes = zip(size_of.output_size(case.input_size), other.output_size(case.input_size), strict=True)
        added = [a + m - f for a, (m, f) in zip(other.output_padding, sizes, strict=True)]
        other = other.replace(output_padding=added)
    return reference.conv_transpose(x, weight, bias, other)


def assert_told(name: str, case: Case, likely: Collection[str] = ()) -> None:
    """The cause of a planted fault is never contradicted, and it is named wherever the fault shows."""
    if target_of(name).limit(case) is not None:
        return
    observed, cause = answer(name, case), CAUSES[name]
    assert consistent(cause, case, layer_of(case), observed)
    if is_wrong(case, observed):
        assert cause in [found.name for found in explain(expected_of(case), observed, likely)]


def test_every_cause_has_a_planted_fault() -> None:
    """No name goes untested, and no target's name is one that the judge does not have."""
    assert set(CAUSES.values()) == set(FAMILIES)


@settings(deadline=None, max_examples=40, phases=PHASES)
@given(name=st.sampled_from(sorted(CAUSES)), case=CASES)
def test_a_planted_fault_is_told_on_every_drawn_case(name: str, case: Case) -> None:
    """Where it shows, its cause is among the explanations; where it does not, nothing speaks against its cause."""
    assert_told(name, case)


@pytest.mark.parametrize("name", CAUSES)
def test_a_planted_fault_is_told_on_cases_made_by_hand(name: str) -> None:
    """One to three axes, with and without groups, bias, extension; and on the smallest case that there is."""
    for case in BY_HAND:
        assert_told(name, case, likely=[CAUSES[name]])


@pytest.mark.parametrize("name", CAUSES)
def test_on_a_rich_case_the_cause_comes_first(name: str) -> None:
    """Where everything differs from everything, nothing more specific explains the output."""
    case = RICH_FOR.get(name, RICH)
    observed = answer(name, case)
    assert is_wrong(case, observed)
    assert explained(case, observed)[0] == CAUSES[name]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(
    "name",
    ["FirstStride", "PaddingIgnored", "BiasDoubled", "OutputChannelsRolled", "GroupsReversed", "ShiftedLastAxis"],
)
def test_reals_are_explained_within_the_bound_of_the_hypothesis(name: str, dtype: str) -> None:
    """An implementation of the fault rounds like any other."""
    case = RICH.replace(values="normal", dtype=dtype)
    x, weight, bias = case.arrays()
    observed = target_of(name).run(x, weight, bias, RICH_LAYER).astype(dtype)
    assert explained(case, observed)[0] == CAUSES[name]
    largest = np.unravel_index(np.abs(observed).argmax(), observed.shape)
    observed[largest] *= 1.5
    assert explained(case, observed) == []


@pytest.mark.parametrize("case", [RICH, RICH.replace(values="normal"), SQUARE, *BY_HAND])
def test_nothing_is_made_up_for_a_puzzling_output(case: Case) -> None:
    """Each hypothesis fails on some element."""
    observed = answer("Puzzling", case)
    assert is_wrong(case, observed)
    assert case is BY_HAND[1] or explained(case, observed) == []


def test_one_element_off_is_not_explained() -> None:
    """A cause counts only if it explains all of them."""
    observed = answer("KernelFlipped", RICH)
    observed[1, 3, 2, 1] += 1
    assert explained(RICH, observed) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_finite_number_is_not_explained(value: float) -> None:
    """Neither on integers nor on reals, and without a warning."""
    for case in (RICH, RICH.replace(values="normal")):
        observed = answer("KernelFlipped", case)
        observed[1, 3, 2, 1] = value
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert explained(case, observed) == []


def test_special_values_are_not_explained() -> None:
    """Nothing is claimed, and nothing contradicted."""
    case = RICH.replace(values="special")
    observed = np.zeros(expected_of(case).shape)
    assert explain(expected_of(case), observed) == ()
    assert all(consistent(name, case, RICH_LAYER, observed) for name in FAMILIES)


def test_where_sums_have_no_bound_nothing_is_told() -> None:
    """So many products in bfloat16 round to anything: no cause is named, none is contradicted."""
    case = Case(Layer(300, 2, 1, ndim=1), input_size=(2,), dtype="bfloat16", values="normal")
    observed = answer("BiasMissing", case)
    assert explained(case, observed) == []
    assert consistent("bias missing", case, layer_of(case), observed)


def test_an_unknown_name_is_refused() -> None:
    """With the names that there are."""
    with pytest.raises(InvalidField, match="kernel flipped"):
        consistent("kernel fliped", RICH, RICH_LAYER, np.zeros(1))


@pytest.mark.parametrize("name", ["KernelFlipped", "FirstStride", "LastLaneLost"])
def test_a_wrong_output_is_consistent_with_what_explains_it_alone(name: str) -> None:
    """Of all names: so that asking for further cases tells causes apart."""
    observed = answer(name, RICH)
    found = explained(RICH, observed)
    assert [cause for cause in FAMILIES if consistent(cause, RICH, RICH_LAYER, observed)] == found


def test_the_right_answer_contradicts_every_cause_that_must_show() -> None:
    """Those are left that have a form which does not show here."""
    right = expected_of(RICH).values
    left = {cause for cause in FAMILIES if consistent(cause, RICH, RICH_LAYER, right)}
    assert left == {
        "axes swapped",  # of the kernel, were it square
        "bias not in the extension",  # there is none
        "channels permuted",  # of the weight, had each group as many inputs as outputs
        "last channel lost",  # were there more than two inputs in each group
        "last lane lost",  # the first axis has just eight elements
    }


@pytest.mark.parametrize("field", ["stride", "dilation", "padding"])
@pytest.mark.parametrize("cut", [False, True], ids=["own size", "right size"])
def test_another_geometry_is_told_by_its_size_or_in_the_right_one(field: str, cut: bool) -> None:
    """The output that the changed layer has, and the same cut or extended at the far end."""
    case = RICH.replace(input_size=(6, 9))
    neutral, of_right = (0 if field == "padding" else 1), RICH_LAYER if cut else None
    near, far = getattr(RICH_LAYER, field)
    changes: list[tuple[str, str, Any]] = [
        (f"{field} ignored", f"{field} ignored", neutral),
        (f"{field} ignored", f"{field} ignored on axis 1", (near, neutral)),
        (f"one axis's {field} used for all axes", f"the {field} of axis 1 used for all axes", far),
        ("axes swapped", f"{field} taken in axis order (1, 0)", (far, near)),
    ]
    for name, text, value in changes:
        observed = computed(case, size_of=of_right, **{field: value})
        assert (observed.shape == expected_of(case).shape) is cut
        assert text_of(name, case, observed) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("output_padding ignored", (0, 0)),
        ("output_padding ignored on axis 0", (0, 2)),
        ("output_padding multiplied by stride", (2, 6)),
        ("the output_padding of axis 1 used for all axes", (2, 2)),
        ("output_padding taken in axis order (1, 0)", (2, 1)),
    ],
)
def test_another_output_padding_is_told_by_its_size(text: str, value: tuple[int, int]) -> None:
    """It changes nothing else."""
    assert explain(expected_of(RICH), computed(RICH, output_padding=value))[0].text == text


def test_a_far_stride_on_a_long_axis_takes_no_more_memory_than_the_output() -> None:
    """Only the inputs that reach the output are scattered: all of them would take gigabytes."""
    case = Case(Layer(1, 1, 1, (64, 1, 1), ndim=3), input_size=(2, 40, 40))
    x, weight, bias = case.arrays()
    observed = reference.conv_transpose(
        x[..., :1, :1], weight, bias, layer_of(case).replace(output_padding=(0, 39, 39))
    )
    assert "the stride of axis 0 used for all axes" in [cause.text for cause in explain(expected_of(case), observed)]


@pytest.mark.parametrize("which", ["input", "kernel", "output"])
def test_transposed_arrays_are_told(which: str) -> None:
    """The spatial axes of one of the three arrays in another order, by the size that follows."""
    x, weight, bias = RICH.arrays()
    layer, other = RICH_LAYER, RICH_LAYER.replace(kernel_size=(2, 3))
    outputs: dict[str, Callable[[], Array]] = {
        "input": lambda: reference.conv_transpose(x.swapaxes(2, 3), weight, bias, layer),
        "kernel": lambda: reference.conv_transpose(x, weight.swapaxes(2, 3), bias, other),
        "output": lambda: reference.conv_transpose(x, weight, bias, layer).swapaxes(2, 3),
    }
    text = text_of("axes swapped", RICH, outputs[which]())
    assert text == f"the {which}'s spatial axes taken in the order (1, 0)"


@pytest.mark.parametrize("shift", [(1, 0), (0, -1), (-2, 1), (3, 2)])
@pytest.mark.parametrize("rest", ["the full output", "zero", "the bias alone"])
def test_shifts_are_found_whatever_comes_in(shift: tuple[int, int], rest: str) -> None:
    """Element j is where element j - t should be, and the uncovered part is one of three things."""
    case = RICH.replace(input_size=(6, 5))
    near = [p - t for p, t in zip(RICH_LAYER.padding, shift, strict=True)]
    added = [a - 2 * t for a, t in zip(RICH_LAYER.output_padding, shift, strict=True)]
    moved = computed(case, padding=near, output_padding=added)
    places = np.indices(moved.shape[2:])
    covered = np.all(
        [(j - t >= 0) & (j - t < m) for j, t, m in zip(places, shift, moved.shape[2:], strict=True)], axis=0
    )
    bias = case.arrays()[2]
    assert bias is not None
    filling: Array = {"the full output": moved, "zero": np.zeros(1), "the bias alone": bias.reshape(-1, 1, 1)}[rest]
    text = text_of("shifted", case, np.where(covered, moved, filling))
    assert text == f"shifted by {shift}" + ("" if rest == "the full output" else f", the rest {rest}")


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_flipped_axes_are_named(axes: tuple[int, ...]) -> None:
    """All of them, or which."""
    x, weight, bias = RICH.arrays()
    observed = reference.conv_transpose(x, np.flip(weight, tuple(axis + 2 for axis in axes)), bias, RICH_LAYER)
    named = "kernel flipped" if len(axes) == 2 else f"kernel flipped on axis {axes[0]}"
    assert explain(expected_of(RICH), observed) == (Cause("kernel flipped", named),)


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_exchanged_crops_are_named(axes: tuple[int, ...]) -> None:
    """All of them, or which."""
    crops = [(hi, lo) if axis in axes else (lo, hi) for axis, (lo, hi) in enumerate(RICH_LAYER.crops)]
    observed = computed(RICH, padding=[lo for lo, _ in crops], output_padding=[lo - hi for lo, hi in crops])
    named = "" if len(axes) == 2 else f" on axis {axes[0]}"
    assert text_of("crop on the other side", RICH, observed) == f"near and far crop exchanged{named}"


@settings(deadline=None, max_examples=8, phases=PHASES)
@given(order=st.permutations(range(12)), bias_moves=st.booleans())
def test_any_order_of_output_channels_is_found(order: list[int], bias_moves: bool) -> None:
    """By matching, not by trying; with the bias or before it is added."""
    case = RICH.replace(layer=RICH_LAYER.replace(out_channels=12, groups=1))
    x, weight, bias = case.arrays()
    assert bias is not None
    observed = reference.conv_transpose(x, weight[:, order], bias[order] if bias_moves else bias, layer_of(case))
    assert ("channels permuted" in explained(case, observed)) is (order != sorted(order))


@pytest.mark.parametrize("order", [*interleaved(2, 3), (3, 4, 5, 0, 1, 2)])
@pytest.mark.parametrize("bias_moves", [True, False])
def test_groups_outputs_in_another_order_or_interleaved(order: tuple[int, ...], bias_moves: bool) -> None:
    """Group-major against group-minor, and whole blocks."""
    x, weight, bias = RICH.arrays()
    assert bias is not None
    bare = reference.conv_transpose(x, weight, None, RICH_LAYER.replace(bias=False))[:, list(order)]
    observed = bare + (bias[list(order)] if bias_moves else bias).reshape(-1, 1, 1)
    assert explained(RICH, observed)[0] == "groups permuted"


@pytest.mark.parametrize("order", [(3, 2, 1, 0), (1, 2, 3, 0), (1, 0, 3, 2), *interleaved(2, 2)])
def test_input_channels_in_another_order(order: tuple[int, ...]) -> None:
    """Reversed, rolled, reversed within each group, interleaved by groups."""
    x, weight, bias = RICH.arrays()
    observed = reference.conv_transpose(x[:, list(order)], weight, bias, RICH_LAYER)
    assert explained(RICH, observed)[0] == "channels permuted"


def test_equal_channels_do_not_hide_that_they_changed_places() -> None:
    """An exchange of twins predicts the right answer, which is then no objection."""
    twins = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])
    assert order_of(twins, twins, 0.0) == (2, 1, 0)
    assert order_of(twins + 1, twins, 0.0) is None


@pytest.mark.parametrize("which", [slice(3, 4), slice(1, 4, 2)], ids=["of all", "of each group"])
def test_the_last_input_channel_left_out(which: slice) -> None:
    """Of all of them, or of each group."""
    x, weight, bias = RICH.arrays()
    inputs = x.copy()
    inputs[:, which] = 0
    observed = reference.conv_transpose(inputs, weight, bias, RICH_LAYER)
    assert explained(RICH, observed) == ["last channel lost"]


@pytest.mark.parametrize("axis", [0, 1])
def test_the_last_input_element_left_out(axis: int) -> None:
    """Along one axis."""
    case = RICH.replace(layer=RICH_LAYER.replace(padding=0, output_padding=0), input_size=(4, 4))
    x, weight, bias = case.arrays()
    inputs = x.copy()
    np.moveaxis(inputs, axis + 2, 0)[-1] = 0
    observed = reference.conv_transpose(inputs, weight, bias, layer_of(case))
    text = f"the last input element on axis {axis} does not take part"
    assert text_of("last lane lost", case, observed) == text


def test_names_have_no_numbers() -> None:
    """They take part in signatures; the texts may have them."""
    causes = [cause for case in (RICH, EXTENDED, *BY_HAND) for cause, _ in hypotheses(case, layer_of(case))]
    assert not [cause for cause in causes if any(map(str.isdigit, cause.name))]
    assert {cause.name for cause in causes} == set(FAMILIES)


@settings(deadline=None, max_examples=8, phases=PHASES)
@given(case=layer_cases(layers=layers(max_channels=4, max_kernel_size=3, max_stride=3), values=EXACT))
def test_predictions_have_the_shape_that_they_announce(case: Case) -> None:
    """On every case, empty ones and those beyond PyTorch's words too."""
    for cause, one in hypotheses(case, layer_of(case)):
        assert one.values.shape == one.shape, cause
    assert isinstance(explain(expected_of(case), expected_of(case).values + 1), tuple)


@settings(deadline=None, max_examples=40, phases=PHASES)
@given(case=layer_cases(layers=layers(max_kernel_size=5)))
def test_samples_are_elements_of_the_reference(case: Case) -> None:
    """What stands at the sampled places is what the scatter puts there; there is at least one."""
    x, weight, bias = case.replace(values="normal").arrays()
    layer = layer_of(case)
    whole, some = reference.conv_transpose(x, weight, bias, layer), sampled(x, weight, bias, layer)
    known = ~np.isnan(some)
    assert some.shape == whole.shape
    assert known.any() or 0 in x.shape
    np.testing.assert_allclose(some[known], whole[known], rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=6, phases=PHASES)
@given(
    case=layer_cases(
        layers=layers(max_ndim=2, max_channels=4, max_kernel_size=3, max_stride=3),
        values=values(kinds=["normal"]),
        allow_empty=False,
    )
)
def test_no_hypothesis_may_be_further_off_than_the_slack(case: Case) -> None:
    """Otherwise a right hypothesis would be dropped before its own bound is looked at."""
    subject = Subject(case, layer_of(case))
    for cause, one in hypotheses(case, layer_of(case)):
        assert one.of(subject.bounds).max() <= subject.slack, cause


@pytest.mark.parametrize("name", ["FirstStride", "GroupsReversed", "LastLaneLost"])
def test_samples_reject_nothing_that_explains(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them there are the same causes, with the same details."""
    cases = [RICH, BY_HAND[2]]
    quick = [explain(expected_of(case), answer(name, case)) for case in cases]
    monkeypatch.setattr(Prediction, "_is_far", lambda *_: False)
    assert [explain(expected_of(case), answer(name, case)) for case in cases] == quick


def test_likely_causes_are_tried_first_and_suffice() -> None:
    """What explains other cases is looked at before all the rest, which is tried where it does not explain this one."""
    expected, observed = expected_of(RICH), answer("GroupsReversed", RICH)
    found = explain(expected, observed)
    assert len(found) > 1
    for cause in found:
        assert explain(expected, observed, ["kernel flipped", cause.name]) == (cause,)
    assert explain(expected, observed, ["kernel flipped", "a name of another version"]) == found


def test_nothing_is_computed_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """An output of a size that no hypothesis has costs no run at all."""
    asked: list[int] = []
    monkeypatch.setattr(reference, "conv_transpose", lambda *_: asked.append(1))
    assert explain(expected_of(RICH), np.zeros((2, 6, 99, 99))) == ()
    assert not asked


def test_a_prediction_can_be_compared_with_any_shape() -> None:
    """Other shapes are other outputs."""
    one: Prediction = Subject(RICH, RICH_LAYER).predict(lambda run: run.right)
    assert one.agrees(one.values)
    assert not one.agrees(np.zeros(3))
    assert not one.agrees(one.values[:1])
