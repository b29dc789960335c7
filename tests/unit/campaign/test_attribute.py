"""Which cause it is: the right one remains, other numbers refute chance, and nothing is made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from elementary import CAUSES, PLANTED
from numpy.typing import NDArray
from targets import Correct

from harness import Case, Layer, Spelling, reference
from harness.campaign.attribute import Ask, attribute
from harness.frameworks import jax, torch
from harness.frameworks.base import Api
from harness.judge.causes import FAMILIES, explain
from harness.judge.tolerance import Expected
from harness.planted import channels, geometry
from harness.planted.fault import OtherLayer
from harness.records import Resolved

Array = NDArray[Any]

#: layers on which one fault or another shows
SCENES = [
    Case(Layer(2, 3, (2,), (2,), (1,), (1,)), input_size=(2,)),
    Case(Layer(1, 1, (2,), (2,), (0,), (1,)), input_size=(2,)),
    Case(Layer(1, 3, (3,), (1,), (1,), bias=False), batch=2, input_size=(3,)),
    Case(Layer(2, 2, (3,), (2,), (-2,), (0,)), input_size=(2,)),
    Case(Layer(1, 1, (2, 2), (1, 2), (1, 0), (0, 1), (2, 1)), input_size=(2, 3)),
    Case(Layer(2, 2, (3, 3), (2, 1), (0, 1), (1, 0), (1, 2)), input_size=(2, 2)),
    Case(Layer(4, 4, (2,), (1,), groups=2), input_size=(3,)),
]
CASES = [case.replace(seed=seed) for case in SCENES for seed in range(2)]


def asking(api: Api) -> Ask:
    """What an API answers to a layer, as a worker would observe it."""

    def ask(case: Case) -> Array | None:
        assert case.layer is not None
        if api.limit(case) is not None:
            return None
        x, weight, bias = case.arrays()
        output: Array = np.asarray(api.run(x, weight, bias, case.layer))
        return output.astype(np.float64)

    return ask


def causes(case: Case, observed: Array) -> list[str]:
    """The names of the causes that explain an answer."""
    assert case.layer is not None
    return [cause.name for cause in explain(Expected(case, case.layer), observed)]


def attributed(case: Case, api: Api) -> str | None:
    """The cause that is left of those that explain the API's answer to the case."""
    assert case.layer is not None
    observed = asking(api)(case)
    assert observed is not None
    return attribute(case, case.layer, causes(case, observed), asking(api))


def scenes(api: Api) -> list[tuple[Case, list[str]]]:
    """The cases on which the API deviates, with what explains it there."""
    found = []
    for case in CASES:
        assert case.layer is not None
        observed = asking(api)(case)
        if observed is not None and not np.array_equal(observed, Expected(case, case.layer).values):
            found.append((case, causes(case, observed)))
    return found


@pytest.mark.parametrize("name", CAUSES)
def test_of_all_explanations_the_planted_fault_remains(name: str) -> None:
    """On every small case on which the fault shows, whatever else explains it there."""
    api = PLANTED[name].api()
    found = scenes(api)
    assert found, "the fault shows nowhere"
    for case, names in found:
        assert CAUSES[name] in names
        assert attributed(case, api) == CAUSES[name], (case, names)


def test_other_explanations_come_first_in_some_of_these_cases() -> None:
    """A last axis's padding of 0 looks like none, a first batch's result like a shift: the test above is not idle."""
    for name in ("LastPadding", "CropOnTheOtherSide", "FirstStride"):
        found = scenes(PLANTED[name].api())
        assert any(names.index(CAUSES[name]) > 0 for _, names in found), name


class OneAxisForAll(OtherLayer):
    """Takes one axis's value of one hyper-parameter for all axes."""

    def __init__(self, field: str, axis: int) -> None:
        self.field = field
        self.axis = axis

    def changed(self, layer: Layer) -> Layer:
        """Wrong where the values differ."""
        return layer.replace(**{self.field: getattr(layer, self.field)[self.axis]})


@pytest.mark.parametrize("neutral", [0, -1])
@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("field", ["stride", "dilation", "padding", "output_padding"])
def test_a_neutral_value_used_for_all_axes_is_told_from_one_that_is_ignored(
    field: str, ndim: int, neutral: int
) -> None:
    """In the case itself they are the same: other values of that axis tell."""
    least = 1 if field in ("stride", "dilation") else 0
    values = [least + 1] * ndim
    values[neutral] = least
    layer = Layer(kernel_size=2, stride=2, bias=False, ndim=ndim).replace(**{field: values})
    case, names = Case(layer, input_size=3, seed=1), [f"{field} ignored", f"one axis's {field} used for all axes"]
    api = OneAxisForAll(field, neutral)
    observed = asking(api)(case)
    assert observed is not None
    assert set(names) <= set(causes(case, observed))
    assert attribute(case, layer, names, asking(api)) == names[1]


# Chance


ONE = Layer(kernel_size=(1,))


def seeds_like(numbers: Array, *, layer: Layer = ONE) -> Ask:
    """A target that is right but for one case: there it gave these numbers."""

    def ask(case: Case) -> Array | None:
        return numbers if case.seed == 0 and case.layer == layer else asking(Correct())(case)

    return ask


def test_chance_is_refuted_by_other_numbers() -> None:
    """A bias that was doubled by chance: with other numbers in the same case the answers are right."""
    case = Case(ONE, input_size=(2,))
    x, weight, bias = case.arrays()
    assert bias is not None
    doubled = reference.conv_transpose(x, weight, 2 * bias, ONE)
    assert "bias doubled" in causes(case, doubled)
    assert attribute(case, ONE, causes(case, doubled), seeds_like(doubled)) is None


def test_a_cause_that_explains_other_numbers_too_remains() -> None:
    """The same explanation, and a target that always does it."""
    case = Case(ONE, input_size=(2,))
    x, weight, bias = case.arrays()
    assert bias is not None
    doubled = reference.conv_transpose(x, weight, 2 * bias, ONE)
    assert attribute(case, ONE, causes(case, doubled), asking(channels.BiasDoubled())) == "bias doubled"


def test_other_numbers_are_asked_even_of_a_single_cause() -> None:
    """One explanation may be chance as well as several."""
    case = Case(ONE, input_size=(2,), seed=7, dtype="float64", batch=2)
    asked: list[Case] = []

    def ask(probe: Case) -> Array | None:
        asked.append(probe)
        return asking(channels.BiasDoubled())(probe.replace(dtype="float32"))

    assert attribute(case, ONE, ["bias doubled"], ask) == "bias doubled"
    assert asked[:2] == [case.replace(seed=8), case.replace(seed=9)]


@pytest.mark.parametrize(
    ("seed", "others"), [(2**64 - 1, [0, 1]), (2**64 - 2, [2**64 - 1, 0]), (2**63 - 1, [2**63, 2**63 + 1])]
)
def test_every_seed_has_others_beside_it(seed: int, others: list[int]) -> None:
    """After the largest they begin again at 0."""
    seen: list[int] = []

    def ask(probe: Case) -> Array | None:
        seen.append(probe.seed)
        return None

    attribute(Case(ONE, input_size=(2,), seed=seed), ONE, ["bias doubled"], ask)
    assert seen[:2] == others


def test_nothing_remains_where_nothing_explains() -> None:
    """Of no causes none is left, and of a puzzling answer's accidental ones neither."""
    case = CASES[0]
    assert case.layer is not None
    assert attribute(case, case.layer, [], asking(channels.Puzzling())) is None
    assert attribute(case, case.layer, list(FAMILIES), asking(channels.Puzzling())) is None


def test_a_cause_is_not_made_up() -> None:
    """Only what explained the case is considered, however well another explains the rest."""
    case = CASES[0]
    assert case.layer is not None
    assert attribute(case, case.layer, ["bias missing"], asking(channels.BiasDoubled())) is None


# Further cases


def test_a_target_that_answers_no_further_case_keeps_its_first_cause() -> None:
    """Nothing speaks against it."""
    case = CASES[0]
    assert case.layer is not None
    assert attribute(case, case.layer, ["shifted", "bias missing"], lambda _: None) == "shifted"


def elsewhere(layer: Layer, near: Api, far: Api) -> tuple[Ask, list[Case]]:
    """A target that answers as one API on a 1-D layer and its near relatives, and as another on richer ones."""
    asked: list[Case] = []

    def ask(probe: Case) -> Array | None:
        asked.append(probe)
        assert probe.layer is not None
        fields = [name for name in Layer.__dataclass_fields__ if getattr(probe.layer, name) != getattr(layer, name)]
        return asking(near if len(fields) < 4 else far)(probe)

    return ask, asked


def test_a_far_layer_that_shows_something_else_says_nothing() -> None:
    """A target that is wrong in another way on richer layers keeps the causes that explain the case and those near."""
    layer = Layer(4, 4, (2,), groups=2)
    case, names = Case(layer, input_size=(3,)), ["groups permuted", "channels permuted"]
    for order in (names, names[::-1]):
        ask, asked = elsewhere(layer, channels.GroupsReversed(), channels.Puzzling())
        assert attribute(case, layer, order, ask) == order[0]
        assert len(asked) > 20


def test_a_near_layer_that_shows_something_else_refutes() -> None:
    """What explains the case and is wrong one step away was not the cause."""
    layer = Layer(kernel_size=1, stride=(1, 2), bias=False)
    case, names = Case(layer, input_size=(2, 3)), ["stride ignored", "one axis's stride used for all axes"]

    def ask(probe: Case) -> Array | None:
        same = (probe.layer, probe.batch, probe.input_size) == (layer, 1, (2, 3))
        return asking(geometry.StrideIgnored() if same else channels.Puzzling())(probe)

    for order in (names, names[::-1], names[:1]):
        assert attribute(case, layer, order, ask) is None


LONE = {
    "BigDilationClamped": Case(Layer(1, 1, (1, 2), dilation=(3, 4), bias=False), input_size=(1, 1)),
    "OutputPaddingModuloStride": Case(Layer(1, 1, (1,), output_padding=(1,), dilation=(2,)), input_size=(1,)),
    "OutputPaddingModuloStride-even": Case(Layer(1, 1, (1,), (2,), (0,), (2,), (3,)), input_size=(1,)),
    "FarCropOffByOne": Case(Layer(1, 1, (3,), padding=(1,), output_padding=(1,), dilation=(2,)), input_size=(2,)),
}


@pytest.mark.parametrize("name", LONE)
def test_an_only_explanation_is_refuted_where_it_is_not_the_cause(name: str) -> None:
    """A clamped dilation taken for swapped axes, a crop off by one or a remainder for ignored output padding."""
    api = PLANTED[name.partition("-")[0]].api()
    observed = asking(api)(LONE[name])
    assert observed is not None
    assert causes(LONE[name], observed)
    assert attributed(LONE[name], api) is None


def test_a_fault_with_a_condition_is_not_told_by_where_it_is_not() -> None:
    """With a dilation alone the groups are permuted; elsewhere the order of channels fits as it is."""
    layer = Layer(2, 4, (1,), padding=(1,), output_padding=(1,), dilation=(2,), groups=2, bias=False)
    api = PLANTED["GroupsWithDilation"].api()
    assert attributed(Case(layer, input_size=(16,)), api) == "groups permuted"


def test_far_layers_are_asked_only_while_several_causes_are_left() -> None:
    """Every case takes time."""
    case = Case(Layer(kernel_size=(3,), bias=False), input_size=(3,))
    assert case.layer is not None
    one: list[Case] = []
    two: list[Case] = []
    for names, asked in ((["kernel flipped"], one), (["kernel flipped", "bias missing"], two)):

        def ask(probe: Case, asked: list[Case] = asked) -> Array | None:
            asked.append(probe)
            return asking(channels.KernelFlipped())(probe)

        assert attribute(case, case.layer, names, ask) == "kernel flipped"
    assert one == two


def test_every_further_case_can_be_asked() -> None:
    """Legal, with exact integers, of the same dtype; those whose numbers would not be exact are left out."""
    case = Case(Layer(100, 2, (2,), (2,), dilation=(2,)), input_size=(3,), dtype="bfloat16", values="normal", seed=3)
    assert case.layer is not None
    asked: list[Case] = []

    def ask(probe: Case) -> Array | None:
        asked.append(probe)
        return None

    assert attribute(case, case.layer, ["shifted", "bias missing"], ask) == "shifted"
    assert len(asked) > 5
    for probe in asked:
        probe.arrays()
        assert (probe.dtype, probe.values) == ("bfloat16", "integers")


def test_a_case_whose_integers_are_not_exact_has_no_other_numbers() -> None:
    """Reals that were compared by their bound: the cause stands as it is."""
    case = Case(Layer(300, 1, (1,)), input_size=(2,), dtype="bfloat16", values="normal")
    assert case.layer is not None
    asked: list[Case] = []

    def ask(probe: Case) -> Array | None:
        asked.append(probe)
        return None

    assert attribute(case, case.layer, ["bias missing"], ask) == "bias missing"
    assert asked == []


# Spelled cases


def in_words(api: Api, words: dict[str, Any], **recipe: Any) -> tuple[Case, Layer]:
    """A call of an API, and the layer that it means."""
    case = Case.spelled(Spelling(api.name, words), **recipe)
    assert case.spelling is not None
    answer = api.resolve(case.spelling, case.input_size)
    assert isinstance(answer, Resolved)
    return case, answer.layer


def test_a_fault_of_some_words_alone_is_asked_for_in_these_words() -> None:
    """A call by ``output_size`` that forgets the bias, where every other call is right: that is not chance."""
    words = {"in_channels": 1, "out_channels": 2, "kernel_size": (2,), "stride": (2,), "output_size": 6}
    case, layer = in_words(torch.ConvTranspose(), words, input_size=(3,), seed=4)
    asked: list[Case] = []

    def ask(probe: Case) -> Array | None:
        asked.append(probe)
        if probe.spelling is None:
            return asking(Correct())(probe)
        x, weight, _ = probe.arrays(layer)
        return reference.conv_transpose(x, weight, None, layer.replace(bias=False))

    assert attribute(case, layer, ["bias missing"], ask) == "bias missing"
    assert [probe for probe in asked if probe.spelling] == [case.replace(seed=5), case.replace(seed=6)]


def test_a_spelled_case_is_told_apart_by_layers() -> None:
    """No vocabulary is needed for these: the target is asked in canonical words."""
    words = {"in_channels": 1, "out_channels": 1, "kernel_size": (2, 2), "stride": (1, 2)}
    case, layer = in_words(torch.ConvTranspose(), words, input_size=(2, 2), seed=4)
    asked: list[Case] = []

    def ask(probe: Case) -> Array | None:
        asked.append(probe)
        return asking(geometry.StrideIgnored())(
            Case(layer, input_size=(2, 2), seed=probe.seed) if probe.spelling else probe
        )

    names = ["one axis's stride used for all axes", "stride ignored"]
    assert attribute(case, layer, names, ask) == "stride ignored"
    assert [probe.spelling for probe in asked[:2]] == [case.spelling] * 2
    assert asked[2:]
    assert all(probe.spelling is None for probe in asked[2:])


def test_a_spelled_case_without_output_is_no_obstacle() -> None:
    """JAX's documentation makes some calls empty, which no layer's case may be: a target that ignores the padding."""
    words = {"in_channels": 1, "out_channels": 1, "kernel_size": (2,), "strides": (1,), "padding": ((-1, -1),)}
    case, layer = in_words(jax.ConvTranspose(), words, input_size=(3,))
    assert layer.output_size((3,)) == (0,)
    uncropped = layer.replace(padding=0, output_padding=0)

    def ask(probe: Case) -> Array | None:
        return None if probe.spelling is None else reference.conv_transpose(*probe.arrays(layer), uncropped)

    assert attribute(case, layer, ["padding ignored"], ask) == "padding ignored"


def test_no_further_case_is_larger_than_a_drawn_one_may_be() -> None:
    """A layer of many channels and large kernels is told apart on what stays within the work bound."""
    layer = Layer(512, 512, 3, ndim=3, bias=False)
    asked: list[Case] = []

    def ask(case: Case) -> None:
        asked.append(case)

    attribute(Case(layer, input_size=(1, 1, 1)), layer, ["kernel flipped", "shifted"], ask)
    assert asked
    assert all(case.layer is not None for case in asked)
    assert max(case.layer.multiply_adds(case.input_size, batch=case.batch) for case in asked if case.layer) <= 2**24
