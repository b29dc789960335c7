"""``layer_cases()`` and ``cases()``: the mix of the stream, the work bound, exact integers, the plainest case."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from helpers import (
    Toy,
    Worded,
    Wordless,
    accepted_by_pytorch,
    assert_all_examples,
    layer_of,
    minimal,
    sample,
    sample_straight,
    share,
    spelling_of,
)
from hypothesis.errors import InvalidArgument
from hypothesis.strategies import just

from harness.layer import Case, Layer
from harness.records import Illegal, Resolved
from harness.values import largest_magnitude
from strategies import Recipe, cases, layer_cases, layers, published, values
from strategies.bounds import MAX_BYTES, MAX_MULTIPLY_ADDS, case_bytes
from strategies.trouble import TROUBLES

PLAINEST = Case(Layer(kernel_size=1, bias=False, ndim=1), input_size=1)
APIS = (Toy(), Worded(), Wordless())


@pytest.fixture(scope="module")
def drawn() -> list[Case]:
    """Cases as a campaign draws them: the same ones on every machine, so that shares can be told closely."""
    return sample_straight(cases(), 900)


@pytest.fixture(scope="module")
def mixed() -> list[Case]:
    """The same with vocabularies."""
    return sample_straight(cases(apis=APIS), 500)


@pytest.fixture(scope="module")
def by_hypothesis() -> list[Case]:
    """Cases as Hypothesis draws them, who mixes in constants of whatever modules are loaded: no two machines agree."""
    return sample(cases(apis=APIS), 900)


def of_layers(some: list[Case]) -> list[Case]:
    """Those that ask a layer."""
    return [case for case in some if case.layer is not None]


FLOORS: dict[str, tuple[float, Callable[[Case], bool]]] = {
    "1-D": (0.28, lambda case: case.ndim == 1),
    "2-D": (0.28, lambda case: case.ndim == 2),
    "3-D": (0.28, lambda case: case.ndim == 3),
    "float32": (0.88, lambda case: case.dtype == "float32"),
    "float64": (0.01, lambda case: case.dtype == "float64"),
    "float16": (0.01, lambda case: case.dtype == "float16"),
    "bfloat16": (0.01, lambda case: case.dtype == "bfloat16"),
    "integers": (0.8, lambda case: case.values == "integers"),
    "normal": (0.05, lambda case: case.values == "normal"),
    "special": (0.01, lambda case: case.values == "special"),
    "batch above 1": (0.2, lambda case: case.batch > 1),
    "empty batch": (0.005, lambda case: case.batch == 0),
    "empty axis": (0.001, lambda case: 0 in case.input_size),
    "size 1": (0.1, lambda case: 1 in case.input_size),
    "one output": (0.05, lambda case: 1 in layer_of(case).output_size(case.input_size)),
    "width beyond 32": (0.03, lambda case: max(case.input_size) > 32),
    "different sizes": (0.3, lambda case: len(set(case.input_size)) > 1),
    "more than 16 channels": (0.03, lambda case: max(layer_of(case).in_channels, layer_of(case).out_channels) > 16),
    "kernel beyond 7": (0.03, lambda case: max(layer_of(case).kernel_size) > 7),
    "stride beyond 4": (0.03, lambda case: max(layer_of(case).stride) > 4),
}


@pytest.mark.parametrize("name", FLOORS)
def test_every_regime_has_its_weight(drawn: list[Case], name: str) -> None:
    """No regime of the recipe is rarer than its floor."""
    floor, regime = FLOORS[name]
    assert share(drawn, regime) >= floor


@pytest.mark.parametrize("name", FLOORS)
def test_hypothesis_leaves_no_regime_out(by_hypothesis: list[Case], name: str) -> None:
    """People's own tests meet every regime, too, at a third of its weight at least."""
    floor, regime = FLOORS[name]
    assert share(of_layers(by_hypothesis), regime) >= floor / 3


def test_hypothesis_asks_layers_mostly(by_hypothesis: list[Case]) -> None:
    """Most cases ask a layer, some of them in words."""
    assert 0.7 <= share(by_hypothesis, lambda case: case.layer is not None) <= 0.96


def plain(case: Case) -> bool:
    """PyTorch accepts the layer, and the answers have to agree bit for bit."""
    exact = case.dtype == "float32" and case.values == "integers"
    return case.layer is not None and exact and accepted_by_pytorch(case.layer)


def test_at_least_half_are_plain_layers(drawn: list[Case], mixed: list[Case]) -> None:
    """The bulk of the stream is what every framework must agree on, with and without spelled cases."""
    assert share(drawn, plain) >= 0.6
    assert share(mixed, plain) >= 0.5


def test_rare_regimes_stay_rare(drawn: list[Case]) -> None:
    """Empty cases and grouped layers do not take over."""
    assert share(drawn, lambda case: case.batch == 0) <= 0.035
    assert share(drawn, lambda case: 0 in case.input_size) <= 0.02
    assert share(drawn, lambda case: layer_of(case).groups > 1) <= 0.16


def test_most_cases_are_small(drawn: list[Case]) -> None:
    """The median costs a few hundred to a few thousand multiply-adds."""
    work = sorted(layer_of(case).multiply_adds(case.input_size, batch=case.batch) for case in drawn)
    assert 200 <= work[len(work) // 2] <= 5000


def test_every_case_keeps_the_work_bound(drawn: list[Case], by_hypothesis: list[Case]) -> None:
    """At most 2**24 multiply-adds and 16 MiB, counting the full output."""
    for case in drawn + of_layers(by_hypothesis):
        layer = layer_of(case)
        assert layer.multiply_adds(case.input_size, batch=case.batch) <= MAX_MULTIPLY_ADDS
        assert case_bytes(layer, case.input_size, batch=case.batch, dtype=case.dtype) <= MAX_BYTES


def test_case_bytes_covers_the_arrays() -> None:
    """What is counted is at least what x, weight, bias and the full output take."""
    for case in sample(layer_cases(), 200):
        layer = layer_of(case)
        arrays = [array.nbytes for array in case.arrays() if array is not None]
        output = case.batch * layer.out_channels
        for full in layer.full_size(case.input_size):
            output *= max(full, 0)
        itemsize = 8 if case.dtype == "float64" else 2 if case.dtype == "float16" else 4
        counted = case_bytes(layer, case.input_size, batch=case.batch, dtype=case.dtype)
        assert counted >= sum(arrays) + output * itemsize


def test_every_case_leaves_an_output_and_is_exact(drawn: list[Case], by_hypothesis: list[Case]) -> None:
    """M >= 1 on every axis, and integers (and special values among them) have an exact magnitude."""
    for case in drawn + of_layers(by_hypothesis):
        layer = layer_of(case)
        assert min(layer.output_size(case.input_size)) >= 1
        exact = largest_magnitude(layer.products_per_output(case.input_size), case.dtype) >= 1
        assert exact or case.values == "normal"


def test_narrow_dtypes_ask_for_normal_values_where_integers_are_not_exact() -> None:
    """A layer with 512 products is never asked in bfloat16 integers."""
    heavy = just(Layer(32, 1, 4, ndim=2, bias=False))
    strategy = layer_cases(layers=heavy, values=values(dtypes=["bfloat16"], kinds=["integers"]))
    kinds = {case.values for case in sample(strategy, 200)}
    assert kinds == {"integers", "normal"}


def test_published_layers_are_a_few_percent(drawn: list[Case]) -> None:
    """Layers of published models stand in the stream."""
    known = {entry.layer for entry in published() if max(entry.layer.in_channels, entry.layer.out_channels) > 4}
    assert 0.01 <= share(drawn, lambda case: case.layer in known) <= 0.08


def test_the_mix_with_apis(mixed: list[Case]) -> None:
    """84 % layers, 10 % legal or nearly legal spellings, 6 % broken ones; APIs without words are not asked in words."""
    assert 0.8 <= share(mixed, lambda case: case.layer is not None) <= 0.88
    spelled = [case for case in mixed if case.spelling is not None]
    assert {spelling_of(case).api for case in spelled} == {"toy.conv_transpose", "toy.worded"}
    by_name = {api.name: api for api in APIS}
    answers = [by_name[spelling_of(case).api].resolve(spelling_of(case), case.input_size) for case in spelled]
    assert sum(isinstance(answer, Resolved) for answer in answers) >= 0.07 * len(mixed)
    assert sum(isinstance(answer, Illegal) for answer in answers) >= 0.04 * len(mixed)


def test_without_vocabularies_every_case_asks_a_layer() -> None:
    """APIs that declare no words leave the stream to layers."""
    assert_all_examples(cases(apis=[Wordless()]), lambda case: case.layer is not None, 200)


def test_the_stream_hardly_repeats_itself(drawn: list[Case]) -> None:
    """Draws are fresh ones and not copies of each other."""
    assert len({case.content_hash for case in drawn}) >= 0.97 * len(drawn)


def test_allow_empty_false_leaves_no_array_empty() -> None:
    """Neither an empty batch nor an empty axis is drawn."""
    assert_all_examples(layer_cases(allow_empty=False), lambda case: min(case.batch, *case.input_size) >= 1, 500)


@pytest.mark.parametrize("strategy", [layer_cases(), cases(), cases(apis=APIS)])
def test_cases_shrink_to_the_plainest(strategy: object) -> None:
    """One dimension, ones, zeros, no bias, no groups, seed 0, float32 integers."""
    assert minimal(strategy) == PLAINEST  # type: ignore[arg-type]  # a list of strategies of cases


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (lambda case: case.batch == 0, PLAINEST.replace(batch=0)),
        (lambda case: case.batch >= 2, PLAINEST.replace(batch=2)),
        (lambda case: case.seed >= 3, PLAINEST.replace(seed=3)),
        (lambda case: case.input_size[0] >= 3 and case.layer.padding[0] == 0, PLAINEST.replace(input_size=[3])),
        (lambda case: case.input_size[0] > 32, PLAINEST.replace(input_size=[33])),
        (lambda case: case.dtype == "bfloat16", PLAINEST.replace(dtype="bfloat16")),
        (lambda case: case.values == "special", PLAINEST.replace(values="special")),
        (
            lambda case: case.ndim == 2 and case.layer.stride[1] >= 2,
            PLAINEST.replace(layer=Layer(kernel_size=1, stride=2, bias=False, ndim=2), input_size=(1, 1)),
        ),
    ],
)
def test_cases_shrink_to_what_is_asked(condition: Callable[[Case], bool], expected: Case) -> None:
    """One field at its boundary, every other at its simplest."""
    assert minimal(layer_cases(), condition) == expected


def test_a_layer_that_cannot_fit_is_refused() -> None:
    """A strategy of the caller's own that breaks the work bound is told so, with the layer."""
    with pytest.raises(InvalidArgument, match="too large for the work bound"):
        minimal(layer_cases(layers=just(Layer(4096, 4096, 3, ndim=2))))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": PLAINEST.layer}, "layers=Layer"),
        ({"values": "integers"}, "values='integers': must be a Hypothesis strategy"),
        ({"allow_empty": 0}, "allow_empty=0: must be True or False"),
    ],
)
def test_options_are_checked_early(options: dict[str, object], message: str) -> None:
    """A value is not taken for a strategy, a number not for a flag."""
    with pytest.raises(InvalidArgument, match=message):
        layer_cases(**options)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("apis", ["torch", Toy(), ["torch"], [Toy]])
def test_apis_must_be_instances(apis: object) -> None:
    """A name or a class instead of an API is refused where it is written."""
    with pytest.raises(InvalidArgument, match="Api instance"):
        cases(apis=apis)  # type: ignore[arg-type]  # wrong on purpose


def test_values_draw_what_is_named() -> None:
    """Only the named dtypes and kinds are drawn, and the first ones are the simplest."""
    strategy = values(dtypes=["float64", "float16"], kinds=["normal", "special"])
    drawn = sample(strategy, 200)
    assert {recipe.dtype for recipe in drawn} == {"float64", "float16"}
    assert {recipe.values for recipe in drawn} == {"normal", "special"}
    assert minimal(strategy) == Recipe("float64", "normal", 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtypes": "float32"}, "dtypes='float32': must be a list"),
        ({"dtypes": ["float8"]}, "'float8' is none of float32"),
        ({"kinds": []}, "kinds=.*at least one of integers"),
    ],
)
def test_value_options_are_checked_early(options: dict[str, object], message: str) -> None:
    """An unknown dtype or kind is refused with its value."""
    with pytest.raises(InvalidArgument, match=message):
        values(**options)  # type: ignore[arg-type]  # wrong on purpose


def test_cases_of_own_layers() -> None:
    """``layer_cases`` composes with any strategy of layers."""
    assert_all_examples(layer_cases(layers=layers(ndim=2)), lambda case: case.ndim == 2, 100)


def test_known_trouble_is_rare_but_drawn_again_and_again() -> None:
    """Every layer that was once answered wrongly comes up in a minute's run; all of them are one case in 200.

    Half of them abort their worker, whose new start takes a second.
    """
    drawn = [(case.layer, case.input_size) for case in sample_straight(cases(), 6000)]
    counts = [drawn.count((trouble.layer, trouble.input_size)) for trouble in TROUBLES]
    assert min(counts) > 0
    assert 0.0025 < sum(counts) / len(drawn) < 0.0075
    assert all(min(trouble.layer.output_size(trouble.input_size)) >= 1 for trouble in TROUBLES)
