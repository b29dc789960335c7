"""One-step reductions: every coordinate is there, every step is legal and leads down, nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import strategies
from harness import Case, Layer, Spelling
from harness.campaign.lattice import lower, reductions
from harness.errors import InvalidField
from harness.frameworks import registry
from harness.frameworks.base import Absent, Api, Flag, Integers, Pairs, Parameter, Role, Words

APIS = [api() for api in registry.apis()]
NAMES = [api.name for api in APIS]
PER_AXIS = ("kernel_size", "stride", "dilation", "padding", "output_padding")


# How far down a case is, worked out once more ----------------------------------------------------------------------


def height(case: Case, parameters: Sequence[Parameter] = ()) -> int:
    """A natural number that every step must make smaller."""
    sizes = sum(abs(n - 1) for n in (case.batch, *case.input_size))
    if case.layer is not None:
        return case.ndim + sizes + _height_of_layer(case.layer)
    assert case.spelling is not None
    domains = {parameter.name: parameter.domains for parameter in parameters}
    written = case.spelling.arguments
    return case.ndim + sizes + sum(1 + sum(_heights(value, domains[name])) for name, value in written)


def _height_of_layer(layer: Layer) -> int:
    channels = layer.in_channels // layer.groups + layer.out_channels // layer.groups + layer.groups + layer.bias
    per_axis: list[int] = [abs(value) for name in PER_AXIS for value in getattr(layer, name)]
    return channels + sum(per_axis)


def _heights(value: Any, domains: Sequence[Any]) -> Iterator[int]:
    """How far each integer is from the least right one on its side; wrong ones lie below 0 by their own measure."""
    if isinstance(value, tuple):
        for entry in value:
            yield from _heights(entry, domains)
    elif isinstance(value, int) and not isinstance(value, bool):
        bounds = [domain.least for domain in domains if isinstance(domain, (Integers, Pairs))]
        least = bounds[0] if bounds else 0
        yield abs(value) if least is None else value - least if value >= least else least - 1 - value


def steps(case: Case, parameters: Sequence[Parameter] = ()) -> list[Case]:
    """Every reduction, checked: legal, lower, and of the same recipe."""
    found = list(reductions(case, parameters))
    for smaller in found:
        assert height(smaller, parameters) < height(case, parameters)
        assert (smaller.dtype, smaller.values, smaller.seed) == (case.dtype, case.values, case.seed)
        assert (smaller.layer is None) is (case.layer is None)
    return found


# The scale of one number -------------------------------------------------------------------------------------------


def test_the_least_is_tried_first_then_halfway_then_the_next_one() -> None:
    """From above, from below, and where some of them are the same."""
    assert [lower(value, 1) for value in (1, 2, 3, 4, 9)] == [(), (1,), (1, 2), (1, 2, 3), (1, 5, 8)]
    assert [lower(value, 0) for value in (-1, -2, -3, -9)] == [(0,), (0, -1), (0, -1, -2), (0, -4, -8)]


@given(value=st.integers(-(2**31), 2**31), least=st.integers(-100, 100))
def test_every_step_is_strictly_nearer_and_on_the_same_side(value: int, least: int) -> None:
    """So that no number is ever tried twice in a row of steps, and only the least has none."""
    found = lower(value, least)
    assert (not found) is (value == least)
    assert len(set(found)) == len(found) <= 3
    for step in found:
        assert abs(step - least) < abs(value - least)
        assert (step - least) * (value - least) >= 0
    if found:
        assert found[0] == least
        assert abs(found[-1] - value) == 1


# Layers ------------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(case=strategies.layer_cases())
def test_every_step_from_a_layer_is_legal_and_leads_down(case: Case) -> None:
    """On any layer of the stream, empty sizes too: one change, arrays that can be made, an output that is left."""
    for smaller in steps(case):
        layer = smaller.layer
        assert layer is not None
        assert min(layer.output_size(smaller.input_size)) >= 1
        if layer.multiply_adds(smaller.input_size, batch=smaller.batch) < 1000:
            smaller.arrays()
        if smaller.ndim == case.ndim:
            assert len(differing(case, smaller)) == 1


def coordinates(case: Case) -> dict[str, Any]:
    """The coordinates of a layer's case, by name."""
    layer = case.layer
    assert layer is not None
    found = {
        "batch": case.batch,
        "C_in / g": layer.in_channels // layer.groups,
        "C_out / g": layer.out_channels // layer.groups,
        "g": layer.groups,
        "bias": layer.bias,
    }
    for axis in range(layer.ndim):
        found[f"n{axis}"] = case.input_size[axis]
        found |= {f"{name}{axis}": getattr(layer, name)[axis] for name in PER_AXIS}
    return found


def differing(case: Case, smaller: Case) -> dict[str, Any]:
    """The coordinates that a step changed, and to what."""
    before, after = coordinates(case), coordinates(smaller)
    return {name: after[name] for name in before if after[name] != before[name]}


RICH = Case(
    Layer(6, 9, (5, 6), (4, 5), (2, 3), (3, -4), (3, 2), groups=3),
    batch=3,
    input_size=(6, 7),
    dtype="float64",
    values="normal",
    seed=11,
)
RICH_STEPS = {
    "batch": [1, 2],
    "C_in / g": [1],
    "C_out / g": [1, 2],
    "g": [1, 2],
    "bias": [False],
    "n0": [1, 3, 5],
    "n1": [1, 4, 6],
    "kernel_size0": [1, 3, 4],
    "kernel_size1": [1, 3, 5],
    "stride0": [1, 2, 3],
    "stride1": [1, 3, 4],
    "dilation0": [1, 2],
    "dilation1": [1],
    "padding0": [0, 1],
    "padding1": [0, 1, 2],
    "output_padding0": [0, 1, 2],
    "output_padding1": [0, -2, -3],
}


def test_every_coordinate_is_reduced_by_itself() -> None:
    """Batch, channels per group, groups, bias, and on each axis n, k, s, d, p, |a|: to the least, halfway, by one."""
    found: dict[str, list[Any]] = {name: [] for name in coordinates(RICH)}
    for smaller in steps(RICH):
        if smaller.ndim == RICH.ndim:
            ((name, value),) = differing(RICH, smaller).items()
            found[name].append(value)
    assert found == RICH_STEPS


def test_an_axis_is_taken_away_with_all_that_belongs_to_it() -> None:
    """Each of them, before anything else is tried; the other axis keeps its numbers."""
    layer = RICH.layer
    assert layer is not None
    first, second, *rest = steps(RICH)
    assert first == RICH.replace(layer=Layer(6, 9, (6,), (5,), (3,), (-4,), (2,), groups=3), input_size=(7,))
    assert second == RICH.replace(layer=Layer(6, 9, (5,), (4,), (2,), (3,), (3,), groups=3), input_size=(6,))
    assert {smaller.ndim for smaller in rest} == {2}
    three = Case(Layer(kernel_size=(1, 2, 3)), input_size=(4, 5, 6))
    assert [smaller.input_size for smaller in steps(three) if smaller.ndim == 2] == [(5, 6), (4, 6), (4, 5)]


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("values", ["integers", "normal", "special"])
def test_the_plainest_case_of_one_axis_has_no_step(ndim: int, values: str) -> None:
    """More axes can be taken away until one is left; nothing else can."""
    plainest = Case(Layer(ndim=ndim, bias=False), input_size=1, values=values, seed=5)
    assert {smaller.ndim for smaller in steps(plainest)} == ({ndim - 1} if ndim > 1 else set())


def test_an_empty_size_becomes_one_and_never_the_other_way() -> None:
    """Nothing is to be seen in an empty array: it is not simpler."""
    empty = Case(Layer(kernel_size=3, bias=False, ndim=1), batch=0, input_size=1)
    assert [smaller.batch for smaller in steps(empty) if smaller.batch] == [1]
    empty = Case(Layer(kernel_size=2, stride=1, bias=False, ndim=1), input_size=0)
    assert [smaller.input_size for smaller in steps(empty) if smaller.input_size != (0,)] == [(1,)]
    full = Case(Layer(kernel_size=2, padding=-3, ndim=1), batch=5, input_size=9)
    assert all(min(smaller.batch, *smaller.input_size) > 0 for smaller in steps(full))


def test_negative_padding_is_reduced_to_nothing_from_below() -> None:
    """An extension is no simpler than a crop."""
    layer = Layer(kernel_size=(2,), padding=(-4,), output_padding=(-1,), bias=False)
    found = {smaller.layer for smaller in steps(Case(layer, input_size=1))}
    assert {layer.replace(padding=p) for p in (0, -2, -3)} <= found
    assert layer.replace(output_padding=0) in found


def test_steps_that_leave_no_output_are_left_out() -> None:
    """With p = 1 the kernel and the input of size 3 are needed, or the padding goes first."""
    layer = Layer(kernel_size=(1,), padding=(1,), bias=False)
    assert [smaller.layer for smaller in steps(Case(layer, input_size=3))] == [layer.replace(padding=0)]


@pytest.mark.parametrize("values", ["integers", "special"])
def test_steps_whose_values_cannot_be_exact_are_left_out(values: str) -> None:
    """At stride 4 bfloat16 counts the 100 products of an output element, at stride 2 it must count 200, at 1 400."""
    layer = Layer(100, 1, (4,), (4,), bias=False)
    case = Case(layer, input_size=4, dtype="bfloat16", values=values)
    assert case.arrays()[0].shape == (1, 100, 4)
    with pytest.raises(InvalidField, match="not exact"):
        case.replace(layer=layer.replace(stride=1)).arrays()
    strides = [smaller.layer.stride for smaller in steps(case) if smaller.layer is not None]
    assert {stride for (stride,) in strides} == {4, 3, 2}
    free = steps(case.replace(values="normal"))
    assert {smaller.layer.stride for smaller in free if smaller.layer is not None} == {(4,), (3,), (2,), (1,)}


@settings(deadline=None, max_examples=20)
@given(case=strategies.layer_cases(), choices=st.randoms(use_true_random=False))
def test_every_way_down_ends_at_the_plainest_case(case: Case, choices: Any) -> None:
    """Whichever steps are taken, there is always another one: no case is a dead end."""
    assume(height(case) < 60)
    while following := list(reductions(case)):
        case = choices.choice(following)
    assert (case.layer, case.batch, case.input_size) == (Layer(ndim=1, bias=False), 1, (1,))


# Spellings ---------------------------------------------------------------------------------------------------------


def spelled(api: Api, *, more: int) -> Case:
    """A case in which every integer of an API's vocabulary is that much above its least, or above 0."""
    size, written = (4, 5), {}
    for parameter in api.parameters:
        (domain, *_) = [one for one in parameter.domains if not isinstance(one, Absent)]
        written[parameter.name] = _value(domain, len(size), more)
    return Case.spelled(Spelling(api.name, written), input_size=size, batch=2, dtype="float16", seed=3)


def _value(domain: Any, ndim: int, more: int) -> Any:
    match domain:
        case Integers(least, per_axis):
            value = (0 if least is None else least) + more
            return (value,) * ndim if per_axis else value
        case Pairs(least):
            value = (0 if least is None else least) + more
            return ((value, value),) * ndim
        case Words(meanings):
            return next(iter(meanings))
        case Flag():
            return True
    raise AssertionError(domain)


def changed(case: Case, smaller: Case) -> dict[str, Any]:
    """The arguments that a step changed, with what they became; None where it left one out."""
    assert case.spelling is not None
    assert smaller.spelling is not None
    after = dict(smaller.spelling.arguments)
    return {name: after.get(name) for name, value in case.spelling.arguments if after.get(name, ...) != value}


@pytest.mark.parametrize("api", APIS, ids=NAMES)
def test_every_argument_is_reduced_through_its_vocabulary(api: Api) -> None:
    """Each integer by itself to the least of its domain, halfway and by one; what may be left out is left out."""
    case = spelled(api, more=5)
    found: dict[str, list[Any]] = {parameter.name: [] for parameter in api.parameters}
    for smaller in steps(case, api.parameters):
        if smaller.input_size == case.input_size and smaller.batch == case.batch:
            ((name, value),) = changed(case, smaller).items()
            found[name].append(value)
    for parameter in api.parameters:
        assert found[parameter.name] == list(expected_steps(case, parameter)), parameter.name


def expected_steps(case: Case, parameter: Parameter) -> Iterator[Any]:
    """What an argument that is 5 above its least may become, worked out once more."""
    assert case.spelling is not None
    if any(isinstance(domain, Absent) for domain in parameter.domains):
        yield None
    yield from _each_less(case.spelling[parameter.name])


def _each_less(value: Any) -> Iterator[Any]:
    """One integer in an argument, at any depth, less by 5, 3 and 1."""
    if isinstance(value, tuple):
        for place, entry in enumerate(value):
            yield from ((*value[:place], less, *value[place + 1 :]) for less in _each_less(entry))
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from (value - 5, value - 3, value - 1)


@pytest.mark.parametrize("api", APIS, ids=NAMES)
def test_a_spelled_case_loses_axes_batch_and_input_size(api: Api) -> None:
    """An axis with its entries in every argument that has one for each."""
    case = spelled(api, more=1)
    assert case.spelling is not None
    fewer = [smaller for smaller in steps(case, api.parameters) if smaller.ndim == 1]
    assert [smaller.input_size for smaller in fewer] == [(5,), (4,)]
    for smaller in fewer:
        assert smaller.spelling is not None
        for name, value in case.spelling.arguments:
            assert smaller.spelling[name] == (value[:1] if isinstance(value, tuple) else value)
    others = [smaller for smaller in steps(case, api.parameters) if smaller.spelling == case.spelling]
    assert [(smaller.batch, smaller.input_size) for smaller in others] == [
        (1, (4, 5)),
        *((2, (n, 5)) for n in (1, 2, 3)),
        *((2, (4, n)) for n in (1, 3, 4)),
    ]


@pytest.mark.parametrize("api", APIS, ids=NAMES)
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_every_step_from_a_spelling_leads_down(api: Api, data: st.DataObject) -> None:
    """Legal calls and calls that break a rule: the same API, no new argument, arguments that differ in one."""
    case = data.draw(st.one_of(strategies.spelled_cases([api]), strategies.invalid_cases([api])))
    assert case.spelling is not None
    names = [name for name, _ in case.spelling.arguments]
    for smaller in steps(case, api.parameters):
        assert smaller.spelling is not None
        assert smaller.spelling.api == api.name
        assert [name for name in names if name in dict(smaller.spelling.arguments)] == [
            name for name, _ in smaller.spelling.arguments
        ]
        if smaller.ndim == case.ndim:
            assert len(changed(case, smaller)) <= 1


@pytest.mark.parametrize("api", APIS, ids=NAMES)
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_a_value_that_is_wrong_stays_so(api: Api, data: st.DataObject) -> None:
    """What lies below a domain is reduced to the nearest value below it, never across: the rule stays broken."""
    case = data.draw(strategies.invalid_cases([api]))
    for smaller in steps(case, api.parameters):
        for parameter in api.parameters:
            bounds = [one.least for one in parameter.domains if isinstance(one, (Integers, Pairs))]
            least = bounds[0] if bounds else None
            before, after = (below(each, parameter.name, least) for each in (case, smaller))
            if smaller.ndim == case.ndim and after is not None:
                assert before == after


def below(case: Case, name: str, least: int | None) -> list[bool] | None:
    """Which integers of an argument lie below the least; None where it is left out."""
    assert case.spelling is not None
    value = case.spelling.get(name)
    if value is None or least is None:
        return None
    return [number < least for number in integers(value)]


def integers(value: Any) -> Iterator[int]:
    """The integers in an argument, at any depth."""
    if isinstance(value, tuple):
        for entry in value:
            yield from integers(entry)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value


COUNT = Parameter("count", Role.STRIDE, (Integers(1),))
FREE = Parameter("free", Role.PADDING, (Integers(None),))
ENDS = Parameter("ends", Role.PADDING, (Pairs(None), Words({"SAME": ""})))
WIDTHS = Parameter("widths", Role.PADDING, (Words({"SAME": ""}), Pairs(0)))
SWITCH = Parameter("switch", Role.BIAS, (Flag(), Absent("True")))


def written(**arguments: Any) -> Case:
    """A call of some API on one axis."""
    return Case.spelled(Spelling("an.api", arguments), input_size=(1,))


def results(parameter: Parameter, value: Any) -> list[Any]:
    """What becomes of one argument."""
    case = written(**{parameter.name: value})
    return [changed(case, smaller)[parameter.name] for smaller in steps(case, [parameter])]


def test_values_below_their_domain_come_nearer_to_it() -> None:
    """Of a stride: 0 is the simplest that is wrong, and has no step; entries of a tuple by themselves."""
    assert results(COUNT, 0) == []
    assert results(COUNT, -3) == [0, -1, -2]
    assert results(COUNT, (3, 0)) == [(1, 0), (2, 0)]
    assert results(WIDTHS, ((-2, 1),)) == [((-1, 1),), ((-2, 0),)]


def test_where_any_integer_is_right_zero_is_the_simplest() -> None:
    """Negative padding is no violation where a domain has no least value."""
    assert results(FREE, -3) == [0, -1, -2]
    assert results(FREE, (3, -1)) == [(0, -1), (1, -1), (2, -1), (3, 0)]
    assert results(ENDS, ((-4, 2),)) == [((0, 2),), ((-2, 2),), ((-3, 2),), ((-4, 0),), ((-4, 1),)]


def test_words_and_flags_stay_unless_they_may_be_left_out() -> None:
    """There is no order among them, and no telling which one is simpler."""
    assert results(ENDS, "SAME") == []
    assert results(WIDTHS, "reflect") == []
    assert results(SWITCH, True) == results(SWITCH, False) == results(SWITCH, 7)[:1] == [None]


def test_arguments_that_no_vocabulary_knows_stay() -> None:
    """A misspelled name is what is to be seen."""
    case = written(count=1, strdie=9)
    assert steps(case, [COUNT]) == [] == list(reductions(case, [COUNT]))
    assert list(reductions(written(count=9))) == []


def test_an_entry_too_many_stays() -> None:
    """Its length is what is wrong; every entry is reduced, and with an axis nothing of it goes."""
    assert results(COUNT, (2, 1, 1)) == [(1, 1, 1)]
    case = Case.spelled(Spelling("an.api", {"count": (1, 1, 1)}), input_size=(1, 1))
    assert [smaller.spelling for smaller in steps(case, [COUNT])] == [case.spelling] * 2
