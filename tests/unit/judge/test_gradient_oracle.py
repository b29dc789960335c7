"""When gradients agree: equal as numbers where they are exact, within their bounds elsewhere, told by their parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import strategies
from harness import Case, Layer, reference
from harness.judge.tolerance import Comparison, Expected, Gradient, OracleFault
from harness.values import DTYPES, EXACT_BITS, digest, round_to_bfloat16

Array: TypeAlias = NDArray[Any]
Parts: TypeAlias = "tuple[Array, Array, Array | None]"

PARTS = ("dx", "dweight", "dbias")
LAYER = Layer(2, 4, (3, 2), (2, 1), (1, 0), (1, 0), groups=2, ndim=2)
INTEGERS = Case(LAYER, batch=2, input_size=(3, 2), seed=3)
REALS = INTEGERS.replace(values="normal")
#: more products meet in one element of dweight than bfloat16 counts
INEXACT = Case(Layer(kernel_size=1, ndim=1), batch=3, input_size=(100,), dtype="bfloat16")


def gradient_of(case: Case) -> Gradient:
    """The right gradients of a case that asks a layer."""
    assert case.layer is not None
    return Expected(case, case.layer).gradient


def compared(gradient: Gradient, observed: Array) -> Comparison:
    """The comparison, where the case can be judged."""
    comparison = gradient.compare(observed)
    assert comparison is not None
    return comparison


def products(case: Case) -> list[Array]:
    """What the reference makes of the case's arrays: dx, dweight, dbias where there is a bias."""
    assert case.layer is not None
    found = reference.vjp(*case.arrays(), case.layer, case.cotangent())
    return [part for part in found if part is not None]


def end_to_end(parts: list[Array]) -> Array:
    """One row of all the parts."""
    return np.concatenate([part.ravel() for part in parts])


def rounded(values: Array, dtype: str) -> Array:
    """As the dtype holds them, in float64."""
    held = round_to_bfloat16(values) if dtype == "bfloat16" else values.astype(dtype)
    return held.astype(np.float64)


SMALL = strategies.layers(max_channels=8, max_kernel_size=4, max_stride=4)
EXACT_RECIPES = st.one_of(*(strategies.values(dtypes=[dtype], kinds=["integers"]) for dtype in DTYPES))


# The right answer


def test_the_right_gradients_are_the_references_products_laid_end_to_end() -> None:
    """The input's, then the weight's, then the bias's; without a bias there are two parts."""
    gradient = gradient_of(INTEGERS)
    assert gradient.values.tolist() == end_to_end(products(INTEGERS)).tolist()
    assert gradient.values.shape == (2 * 2 * 6 + 2 * 2 * 6 + 4,)
    assert gradient.digest == digest(gradient.values)
    bare = INTEGERS.replace(layer=LAYER.replace(bias=False))
    assert gradient_of(bare).values.tolist() == end_to_end(products(bare)).tolist()
    assert gradient_of(bare).values.shape == (2 * 2 * 6 + 2 * 2 * 6,)


def test_a_spelled_case_has_the_gradients_of_the_layer_that_it_means() -> None:
    """The layer is lent, as it is for the output."""
    from harness import Spelling

    spelled = INTEGERS.replace(layer=None, spelling=Spelling("an.api", {}))
    assert Expected(spelled, LAYER).gradient.digest == gradient_of(INTEGERS).digest


@pytest.mark.parametrize(
    ("case", "exact"),
    [
        (INTEGERS, True),
        (REALS, False),
        (INTEGERS.replace(values="special"), False),
        (INEXACT, False),
        (INEXACT.replace(dtype="float32"), True),
    ],
    ids=["integers", "normal", "special", "too many for bfloat16", "few enough for float32"],
)
def test_integers_are_exact_where_the_dtype_counts_as_many(case: Case, exact: bool) -> None:
    """Gradients sum over other axes than the output: where those are too long the bound decides."""
    assert gradient_of(case).exact is exact


@settings(deadline=None, max_examples=80)
@given(case=strategies.layer_cases(layers=SMALL, values=EXACT_RECIPES))
def test_exact_gradients_are_exact_in_every_order(case: Case) -> None:
    """The sum of the absolute values bounds every partial sum: it is at most 2**t, and so is any one product."""
    assume(case.values == "integers" and case.has_exact_gradients())
    layer = case.layer
    assert layer is not None
    x, weight, bias = case.arrays()
    room = 2 ** EXACT_BITS[case.dtype]
    sums = reference.vjp(abs(x), abs(weight), None if bias is None else abs(bias), layer, abs(case.cotangent()))
    for part in sums:
        assert part is None or part.max(initial=0) <= room


# Exact gradients


def test_equal_gradients_agree_without_error_or_ratio() -> None:
    """An exact case has no bound to divide by."""
    gradient = gradient_of(INTEGERS)
    assert compared(gradient, gradient.values) == Comparison(True, 0.0, None, None)


LOCATED: list[tuple[str, tuple[int, ...]]] = [
    ("dx", (0, 0, 0, 0)),
    ("dx", (1, 0, 2, 1)),
    ("dx", (1, 1, 2, 1)),
    ("dweight", (0, 0, 0, 0)),
    ("dweight", (1, 1, 2, 1)),
    ("dbias", (0,)),
    ("dbias", (3,)),
]


@pytest.mark.parametrize(("name", "index"), LOCATED)
def test_the_first_difference_is_told_by_its_part_and_its_place_there(name: str, index: tuple[int, ...]) -> None:
    """The first and the last element of each part, with what was expected there and what was observed."""
    parts = products(INTEGERS)
    right = parts[PARTS.index(name)][index]
    parts[PARTS.index(name)][index] += 2
    found = compared(gradient_of(INTEGERS), end_to_end(parts))
    assert (found.agrees, found.max_abs_error, found.bound_ratio) == (False, 2.0, None)
    first = found.first_difference
    assert first is not None
    assert (first.array, first.index, first.expected, first.observed) == (name, index, right, right + 2)
    assert first.expected_values != first.observed_values


def test_the_first_part_that_differs_is_the_one_that_is_told() -> None:
    """A wrong weight's gradient beside a wrong bias's, whose error is larger."""
    parts = products(INTEGERS)
    parts[2][0] += 1000
    parts[1][1, 0, 1, 0] += 1
    found = compared(gradient_of(INTEGERS), end_to_end(parts))
    assert found.max_abs_error == 1000
    assert found.first_difference is not None
    assert (found.first_difference.array, found.first_difference.index) == ("dweight", (1, 0, 1, 0))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_finite_number_differs_infinitely(value: float) -> None:
    """As in the output."""
    observed = gradient_of(INTEGERS).values.copy()
    observed[-1] = value
    found = compared(gradient_of(INTEGERS), observed)
    assert (found.agrees, found.max_abs_error) == (False, float("inf"))


def test_gradients_of_an_empty_batch_agree() -> None:
    """The input's has no elements, the weight's and the bias's are zero."""
    case = INTEGERS.replace(batch=0)
    assert gradient_of(case).values.tolist() == [0.0] * (2 * 2 * 6 + 4)
    assert compared(gradient_of(case), gradient_of(case).values).agrees


# Bounded gradients


@st.composite
def sums_in_some_order(draw: st.DrawFn) -> tuple[Case, int]:
    """Small cases of reals, and the number of an order of summation."""
    layers = strategies.layers(max_channels=4, max_kernel_size=3, max_stride=3)
    drawn = draw(strategies.layer_cases(layers=layers, values=strategies.values(kinds=["normal"])))
    case = drawn.replace(dtype=draw(st.sampled_from(["float32", "float16"])))
    assert case.layer is not None
    assume(case.layer.multiply_adds(case.input_size, batch=case.batch) <= 600)
    assume(np.prod(case.layer.output_size(case.input_size)) <= 200)
    return case, draw(st.integers(0, 2**32 - 1))


def by_brute_force(case: Case, order: int) -> Array:
    """dx, dweight and dbias of plain sums: every product and every sum rounded, in a random order."""
    layer = case.layer
    assert layer is not None
    x, weight, bias = case.arrays()
    cotangent = case.cotangent()
    dx, dweight, dbias = (np.zeros(shape, x.dtype) for shape in (x.shape, weight.shape, (layer.out_channels,)))
    inputs, outputs = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    meetings = []
    for n, c, *i in np.ndindex(*x.shape):
        for o, *t in np.ndindex(*weight.shape[1:]):
            steps = zip(i, t, layer.stride, layer.dilation, layer.padding, strict=True)
            j = [a * s + b * d - p for a, b, s, d, p in steps]
            if all(0 <= place < size for place, size in zip(j, cotangent.shape[2:], strict=True)):
                meetings.append(((n, c, *i), (c, o, *t), (n, c // inputs * outputs + o, *j)))
    generator = np.random.default_rng(order)
    for number in generator.permutation(len(meetings)):
        at_x, at_weight, at_y = meetings[number]
        dx[at_x] += weight[at_weight] * cotangent[at_y]
        dweight[at_weight] += x[at_x] * cotangent[at_y]
    for number in generator.permutation(cotangent.size):
        at_y = np.unravel_index(number, cotangent.shape)
        dbias[at_y[1]] += cotangent[at_y]
    return end_to_end([dx, dweight, *([] if bias is None else [dbias])]).astype(np.float64)


@settings(deadline=None, max_examples=40)
@given(drawn=sums_in_some_order())
def test_honest_rounding_stays_within_the_bounds(drawn: tuple[Case, int]) -> None:
    """Whatever the order of summation, rounding after every step is never blamed."""
    case, order = drawn
    found = compared(gradient_of(case), by_brute_force(case, order))
    assert found.agrees, found
    assert found.bound_ratio is not None
    assert found.bound_ratio <= 1


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize(("share", "agrees"), [(0.5, True), (3.0, False)])
def test_reals_are_judged_by_the_bound_of_their_part(dtype: str, name: str, share: float, agrees: bool) -> None:
    """Half a bound off agrees, three bounds do not, in each part by its own; the ratio says how many."""
    case = REALS.replace(dtype=dtype)
    parts, number = products(case), PARTS.index(name)
    bounds = reference.gradient_bounds(*case.arrays(), LAYER, case.cotangent(), dtype)
    bound = bounds[number]
    assert bound is not None
    index = tuple(int(i) for i in np.unravel_index(bound.argmin(), bound.shape))
    parts[number][index] += share * bound[index]
    found = compared(gradient_of(case), end_to_end(parts))
    assert found.agrees is agrees
    assert found.bound_ratio == pytest.approx(share, rel=0.01)
    assert (found.first_difference is None) is agrees
    if found.first_difference is not None:
        assert (found.first_difference.array, found.first_difference.index) == (name, index)


def test_integers_that_are_not_exact_are_judged_by_the_bound() -> None:
    """bfloat16 rounds their sums, and none is blamed for it; what is beyond the bound is."""
    gradient = gradient_of(INEXACT)
    assert not gradient.exact
    stored = rounded(gradient.values, "bfloat16")
    found = compared(gradient, stored)
    assert found.agrees
    assert found.bound_ratio is not None
    assert found.bound_ratio < 1
    wrong = stored.copy()
    wrong[0] += 1
    assert not compared(gradient, wrong).agrees


def test_a_part_with_too_many_products_is_not_judged_and_the_others_are() -> None:
    """300 products meet in dweight, whose bound says nothing in bfloat16; one meets in each element of dx."""
    parts = products(INEXACT)
    parts[1][...] = 1e30
    gradient = gradient_of(INEXACT)
    assert compared(gradient, end_to_end(parts)).agrees
    parts[0][0, 0, 0] += 1
    found = compared(gradient, end_to_end(parts))
    assert found.first_difference is not None
    assert found.first_difference.array == "dx"


# The second reference


def broken(name: str) -> Callable[..., Parts]:
    """The reference's products with one wrong element in one part."""
    right = reference.vjp

    def vjp(*arguments: Any) -> Parts:
        dx, dweight, dbias = right(*arguments)
        part = {"dx": dx, "dweight": dweight, "dbias": dbias}[name]
        assert part is not None
        part[tuple(size - 1 for size in part.shape)] += 1
        return dx, dweight, dbias

    return vjp


@pytest.mark.parametrize("case", [INTEGERS, REALS, INEXACT], ids=["exact", "real", "inexact"])
@pytest.mark.parametrize("name", ["dx", "dweight", "dbias"])
def test_nobody_is_blamed_where_the_references_disagree(name: str, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part is confirmed by the second reference before anybody is blamed; the fault names the case."""
    right = gradient_of(case).values
    monkeypatch.setattr(reference, "vjp", broken(name))
    with pytest.raises(OracleFault) as fault:
        gradient_of(case).compare(right + 1)
    assert str(case.seed) in str(fault.value)


@pytest.mark.parametrize("case", [INTEGERS, REALS, INEXACT], ids=["exact", "real", "inexact"])
def test_a_broken_second_reference_is_a_fault_of_ours_too(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of two is wrong cannot be told."""
    gradient, right = gradient_of(case), reference.zero_insertion
    monkeypatch.setattr(reference, "zero_insertion", lambda *arguments: 2 * right(*arguments))
    with pytest.raises(OracleFault):
        gradient.compare(gradient.values + 1)


@settings(deadline=None, max_examples=40)
@given(case=strategies.layer_cases(layers=SMALL, values=strategies.values(kinds=["integers", "normal"])))
def test_right_references_confirm_each_other(case: Case) -> None:
    """On every layer, empty batches too: a wrong gradient is a disagreement, never a fault of ours."""
    gradient = gradient_of(case)
    found = gradient.compare(gradient.values + 1e6)
    assert found is not None
    assert found.agrees is (gradient.values.size == 0)


def test_the_second_reference_is_not_asked_where_all_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs time, and decides nothing there."""
    asked: list[int] = []
    monkeypatch.setattr(reference, "zero_insertion", lambda *_: asked.append(1))
    gradient = gradient_of(INTEGERS)
    assert compared(gradient, gradient.values).agrees
    assert not asked
