"""When arrays agree: equal as numbers on integers, within the rounding-error bound on reals, NaN where it may stand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import strategies
from harness import Case, Layer, reference
from harness.judge.tolerance import Comparison, Expected, OracleFault
from harness.values import DTYPES, Arrays, digest, round_to_bfloat16

Array = NDArray[Any]

LAYER = Layer(2, 3, 3, 2, 1, 1, ndim=1)
PLANE = Layer(2, 2, (3, 2), (2, 1), ndim=2)
INTEGERS = Case(LAYER, batch=2, input_size=(4,), seed=3)
REALS = INTEGERS.replace(values="normal")


def expected_of(case: Case) -> Expected:
    """The right answer to a case that asks a layer."""
    assert case.layer is not None
    return Expected(case, case.layer)


def compared(expected: Expected, observed: Array) -> Comparison:
    """The comparison, where the case can be judged."""
    comparison = expected.compare(observed)
    assert comparison is not None
    return comparison


def changed(array: Array, index: tuple[int, ...], value: float) -> Array:
    """A copy with one other element."""
    copy = array.copy()
    copy[index] = value
    return copy


def bound_of(case: Case) -> Array:
    """The rounding-error bound of a case, per element."""
    assert case.layer is not None
    bound = reference.error_bound(*case.arrays(), case.layer, case.dtype)
    assert bound is not None
    return bound


def test_the_expected_shape_is_canonical() -> None:
    """(N, C_out, *m) of the layer, before anything is computed."""
    expected = expected_of(INTEGERS)
    assert expected.shape == (2, 3, 8) == expected.values.shape
    assert expected.size == (8,)


def test_the_digest_is_that_of_the_reference() -> None:
    """A right answer is recognised by its digest alone."""
    expected = expected_of(INTEGERS)
    assert expected.digest == digest(reference.conv_transpose(*INTEGERS.arrays(), LAYER))


@pytest.mark.parametrize(("values", "exact"), [("integers", True), ("normal", False), ("special", False)])
def test_how_numbers_are_judged_follows_from_the_kind_of_values(values: str, exact: bool) -> None:
    """Integers alone must be equal everywhere; the right answer agrees whatever the kind."""
    expected = expected_of(INTEGERS.replace(values=values))
    assert expected.exact is exact
    assert compared(expected, expected.values) == Comparison(True, 0.0, 0.0 if values == "normal" else None, None)


def test_equal_integers_agree_without_error_or_ratio() -> None:
    """An exact case has no bound to divide by."""
    expected = expected_of(INTEGERS)
    assert compared(expected, expected.values) == Comparison(True, 0.0, None, None)


def test_minus_zero_is_zero() -> None:
    """Numbers are compared, not bits."""
    case = Case(Layer(kernel_size=1, stride=2, bias=False, ndim=1), input_size=(3,))
    expected = expected_of(case)
    zeros = np.flatnonzero(expected.values[0, 0] == 0)
    assert zeros.tolist() == [1, 3]
    negative = np.where(expected.values == 0, -0.0, expected.values)
    assert np.signbit(negative[0, 0, zeros]).all()
    assert compared(expected, negative).agrees
    assert digest(negative) == expected.digest


def test_one_unit_in_one_element_is_a_difference() -> None:
    """The first differing element is named with both numbers; an exact case has no ratio."""
    expected = expected_of(INTEGERS)
    right = expected.values[1, 2, 5]
    found = compared(expected, changed(expected.values, (1, 2, 5), right + 1))
    assert (found.agrees, found.max_abs_error, found.bound_ratio) == (False, 1.0, None)
    assert found.first_difference is not None
    assert found.first_difference.index == (1, 2, 5)
    assert (found.first_difference.expected, found.first_difference.observed) == (right, right + 1)


def test_the_worst_error_need_not_be_the_first() -> None:
    """The first difference is for looking at, the worst error for judging."""
    expected = expected_of(INTEGERS)
    observed = changed(changed(expected.values, (0, 0, 1), 1e3), (1, 0, 0), 1e6)
    found = compared(expected, observed)
    assert found.max_abs_error == pytest.approx(1e6, rel=1e-3)
    assert found.first_difference is not None
    assert found.first_difference.index == (0, 0, 1)


@pytest.mark.parametrize("case", [INTEGERS, REALS], ids=["exact", "real"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_finite_number_differs_infinitely(case: Case, value: float) -> None:
    """NaN is not lost in the comparison: an error of NaN would be below every bound."""
    expected = expected_of(case)
    found = compared(expected, changed(expected.values, (0, 1, 2), value))
    assert not found.agrees
    assert found.max_abs_error == float("inf")
    assert found.first_difference is not None
    assert found.first_difference.index == (0, 1, 2)
    assert found.bound_ratio == (None if case is INTEGERS else float("inf"))


def test_equal_infinities_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Infinity minus infinity is no error where both are the same infinity."""
    overflown = np.full((2, 3, 8), np.inf)
    monkeypatch.setattr(reference, "conv_transpose", lambda *_: overflown)
    found = compared(expected_of(INTEGERS), overflown)
    assert (found.agrees, found.max_abs_error) == (True, 0.0)


def test_windows_show_the_neighbourhood_of_the_difference() -> None:
    """Along the last axis in one dimension; not the whole array; both windows cover the same elements."""
    case = Case(Layer(kernel_size=1, bias=False, ndim=1), input_size=(50,), seed=1)
    expected = expected_of(case)
    found = compared(expected, changed(expected.values, (0, 0, 25), 77.0)).first_difference
    assert found is not None
    assert "77." in found.observed_values
    assert "77." not in found.expected_values
    assert 3 <= len(found.expected_values.split()) == len(found.observed_values.split()) < 20


def test_windows_have_rows_and_columns_where_there_are_two_axes() -> None:
    """A shifted plane is seen in two directions."""
    expected = expected_of(Case(PLANE, input_size=(3, 4)))
    found = compared(expected, changed(expected.values, (0, 1, 2, 2), 77.0)).first_difference
    assert found is not None
    assert len(found.observed_values.splitlines()) > 1


@pytest.mark.parametrize(("share", "agrees"), [(0.0, True), (0.5, True), (1.5, False), (40.0, False)])
def test_reals_are_judged_by_the_bound(share: float, agrees: bool) -> None:
    """An error of so many bounds agrees up to one, and the ratio says how many."""
    expected, bound = expected_of(REALS), bound_of(REALS)
    index = (1, 1, 3)
    observed = changed(expected.values, index, expected.values[index] + share * bound[index])
    found = compared(expected, observed)
    assert found.agrees is agrees
    assert found.bound_ratio == pytest.approx(share)
    assert (found.first_difference is None) is agrees


def test_the_ratio_is_the_worst_of_all_elements() -> None:
    """Each element is divided by its own bound; the largest error is not the worst where its bound is wide."""
    expected, bound = expected_of(REALS), bound_of(REALS)
    wide = np.unravel_index(bound.argmax(), bound.shape)
    narrow = np.unravel_index(bound.argmin(), bound.shape)
    assert bound[wide] > 1.5 * bound[narrow]
    observed = expected.values.copy()
    observed[wide] += 1.5 * bound[wide]
    observed[narrow] += 2.0 * bound[narrow]
    assert compared(expected, observed).bound_ratio == pytest.approx(2.0)


def test_too_many_products_for_a_dtype_are_not_judged() -> None:
    """With K·u of 1 and more the bound says nothing: neither does the judge."""
    case = Case(Layer(256, 1, 1, ndim=1), input_size=(2,), dtype="bfloat16", values="normal")
    assert expected_of(case).compare(np.full((1, 1, 2), np.nan)) is None


def test_an_empty_output_agrees() -> None:
    """Without elements there is no error, and no first difference to look for."""
    case = INTEGERS.replace(batch=0)
    found = compared(expected_of(case), np.zeros((0, 3, 8)))
    assert (found.agrees, found.max_abs_error) == (True, 0.0)


@pytest.mark.parametrize("case", [INTEGERS, REALS], ids=["exact", "real"])
def test_nobody_is_blamed_where_the_references_disagree(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A difference counts only once the second reference confirms the first; the fault names the case."""
    expected = expected_of(case)
    wrong = changed(expected.values, (0, 0, 0), 1e4)
    monkeypatch.setattr(reference, "zero_insertion", lambda *_: wrong)
    with pytest.raises(OracleFault) as fault:
        expected.compare(wrong)
    assert str(case.seed) in str(fault.value)


def test_the_second_reference_is_not_asked_where_all_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs time, and decides nothing there."""
    asked: list[int] = []
    monkeypatch.setattr(reference, "zero_insertion", lambda *_: asked.append(1))
    expected = expected_of(INTEGERS)
    assert compared(expected, expected.values).agrees
    assert not asked


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 5),
    k=st.integers(1, 4),
    s=st.integers(1, 3),
    d=st.integers(1, 3),
    channels=st.integers(1, 3),
    dtype=st.sampled_from(["float32", "float16"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_honest_rounding_stays_within_the_bound(
    n: int, k: int, s: int, d: int, channels: int, dtype: str, seed: int
) -> None:
    """A scatter that rounds after every product and every sum is never blamed."""
    layer = Layer(channels, 1, k, s, dilation=d, ndim=1)
    case = Case(layer, input_size=(n,), dtype=dtype, values="normal", seed=seed)
    x, weight, bias = case.arrays()
    assert bias is not None
    output = np.zeros((1, 1, *layer.full_size((n,))), dtype)
    for c, i, t in itertools.product(range(channels), range(n), range(k)):
        output[0, 0, i * s + t * d] += x[0, c, i] * weight[c, 0, t]
    found = compared(expected_of(case), (output + bias).astype(np.float64))
    assert found.agrees, found


# Special values ----------------------------------------------------------------------------------------------------


class Given(Expected):
    """The right answer to a case of special values with these arrays."""

    def __init__(self, arrays: Arrays, layer: Layer, dtype: str = "float32") -> None:
        x, _, _ = arrays
        super().__init__(Case(layer, batch=len(x), input_size=x.shape[2:], dtype=dtype, values="special"), layer)
        self.given = arrays

    @property
    def _arrays(self) -> Arrays:
        return self.given


def given_row(
    x: list[float], weight: list[float], *, stride: int = 1, bias: float | None = None, **options: Any
) -> Given:
    """One channel, one axis."""
    arrays = np.array([[x]]), np.array([[weight]]), None if bias is None else np.array([bias])
    return Given(arrays, Layer(1, 1, len(weight), stride, bias=bias is not None, ndim=1), **options)


def accepts(expected: Expected, *row: float) -> bool:
    """Whether a row is an answer that is let pass."""
    return compared(expected, np.array([[row]])).agrees


INF, NAN = math.inf, math.nan
TINY = {dtype: reference.SMALLEST_NORMAL[dtype] / 8 for dtype in DTYPES}


def test_nan_must_be_where_the_scatter_has_it_and_may_be_where_zero_insertion_has_it() -> None:
    """An infinite kernel element at stride 2: zero insertion multiplies it by the zeros between the inputs."""
    expected = given_row([1.0, 2.0], [INF, 1.0], stride=2)
    assert expected.values.tolist() == [[[INF, 1.0, INF, 2.0]]]
    assert accepts(expected, INF, 1.0, INF, 2.0)
    assert accepts(expected, INF, NAN, INF, NAN)
    assert accepts(expected, INF, NAN, INF, 2.0)
    assert not accepts(expected, NAN, 1.0, INF, 2.0)
    assert not accepts(expected, INF, 1.0, NAN, 2.0)


def test_nan_of_the_scatter_is_not_to_be_lost() -> None:
    """A NaN in the input reaches as far as the kernel does: no number may stand there, and no infinity."""
    expected = given_row([NAN, 1.0, 2.0], [1.0, 3.0])
    assert accepts(expected, NAN, NAN, 5.0, 6.0)
    for wrong in (0.0, 3.0, INF):
        assert not accepts(expected, wrong, NAN, 5.0, 6.0)
    assert not accepts(expected, NAN, NAN, NAN, 6.0)


def test_infinities_must_be_equal() -> None:
    """Of the same sign; their difference is no error where they are, and no number is near one."""
    expected = given_row([INF, 1.0], [2.0], bias=3.0)
    found = compared(expected, np.array([[[INF, 5.0]]]))
    assert found == Comparison(True, 0.0, None, None)
    for wrong in (-INF, 3.4e38, NAN):
        assert not accepts(expected, wrong, 5.0)
    assert not accepts(expected, INF, INF)


def test_opposite_infinities_that_meet_are_nan() -> None:
    """Infinity less infinity, in every order of summation."""
    expected = given_row([INF, INF], [1.0, -1.0])
    assert accepts(expected, INF, NAN, -INF)
    assert not accepts(expected, INF, 0.0, -INF)
    assert not accepts(expected, INF, INF, -INF)


def test_a_wrong_special_value_is_told_by_its_first_difference() -> None:
    """The place, both values, an infinite error and no quotient with a bound: there is none."""
    expected = given_row([1.0, 2.0, 3.0], [INF])
    found = compared(expected, np.array([[[INF, -INF, NAN]]]))
    assert (found.agrees, found.max_abs_error, found.bound_ratio) == (False, INF, None)
    assert found.first_difference is not None
    assert (found.first_difference.index, found.first_difference.array) == ((0, 0, 1), "y")
    assert (found.first_difference.expected, found.first_difference.observed) == (INF, -INF)


@pytest.mark.parametrize("dtype", DTYPES)
def test_subnormals_may_be_kept_or_flushed(dtype: str) -> None:
    """In the input, in the weight, in the bias: as they are, as zeros, and with either sign of zero."""
    tiny = TINY[dtype]
    for expected in (
        given_row([tiny, 2.0], [3.0], bias=1.0, dtype=dtype),
        given_row([3.0, 2.0], [tiny], bias=1.0, dtype=dtype),
        given_row([0.0, 2.0], [1.0], bias=tiny, dtype=dtype),
    ):
        assert compared(expected, expected.values).agrees
        assert compared(expected, np.round(expected.values)).agrees
        assert compared(expected, -np.round(-expected.values)).agrees


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("share", [1 / 8, 0.99])
def test_subnormals_of_one_array_alone_may_be_flushed(dtype: str, share: float) -> None:
    """A weight that was prepared, an input that was not: something between all of them and none."""
    tiny = share * reference.SMALLEST_NORMAL[dtype]
    layer = Layer(6, 1, 1, bias=False, ndim=1)
    x, weight = np.array([tiny] * 3 + [8.0] * 3), np.array([8.0] * 3 + [tiny] * 3)
    expected = Given((x.reshape(1, 6, 1), weight.reshape(6, 1, 1), None), layer, dtype)
    for kept in (0, 24, 48):
        assert accepts(expected, kept * tiny)
    assert not accepts(expected, 2.0**10 * reference.SMALLEST_NORMAL[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_subnormal_by_itself_may_become_zero_but_not_a_normal_number(dtype: str) -> None:
    """What flushing may do is bounded by the smallest normal number and the number of products."""
    tiny = TINY[dtype]
    expected = given_row([tiny], [1.0], dtype=dtype)
    for fine in (tiny, 0.0, -0.0):
        assert accepts(expected, fine)
    assert not accepts(expected, 2.0**20 * tiny if dtype != "float16" else 0.5)
    assert not accepts(expected, 1.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("flushed", ["x", "weight"])
def test_nan_is_accepted_where_flushing_makes_one(dtype: str, flushed: str) -> None:
    """A subnormal times infinity is infinity, and NaN where the subnormal was flushed to zero: 0 · inf."""
    tiny = TINY[dtype]
    x, weight = (tiny, INF) if flushed == "x" else (INF, tiny)
    expected = given_row([x, 1.0], [weight], dtype=dtype)
    other = float(expected.values[0, 0, 1])
    assert accepts(expected, INF, other)
    assert accepts(expected, NAN, other)
    assert not accepts(expected, -INF, other)
    assert not accepts(expected, 0.0, other)


@pytest.mark.parametrize("dtype", DTYPES)
def test_flushing_excuses_no_nan_where_no_infinity_is_met(dtype: str) -> None:
    """A flushed subnormal times a number is zero."""
    expected = given_row([TINY[dtype], 2.0], [3.0, 1.0], dtype=dtype)
    assert not accepts(expected, NAN, 6.0, 2.0)
    assert not accepts(expected, 0.0, NAN, 2.0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_integer_among_special_values_is_exact_in_every_dtype(dtype: str) -> None:
    """As many products as the dtype counts, subnormals among them: one too much or too little is wrong."""
    for channels in (1, 3, 31) if dtype == "bfloat16" else (1, 31, 500):
        layer = Layer(channels, 1, 1, ndim=1)
        case = Case(layer, input_size=(1,), dtype=dtype, values="special")
        x, weight, bias = (np.ones_like(array) for array in case.arrays() if array is not None)
        x[0, 0, 0] = TINY[dtype]
        weight[-1] = 8.0
        expected = Given((x, weight, bias), layer, dtype)
        right = float(np.round(expected.values[0, 0, 0]))
        assert right == max(channels - 2, 0) + 8 + 1 if channels > 1 else right == 1
        assert accepts(expected, right)
        assert not accepts(expected, right + 1)
        assert not accepts(expected, right - 1)


def rounded(values: Array, dtype: str) -> Array:
    """As the dtype holds them, in float64."""
    held = round_to_bfloat16(values) if dtype == "bfloat16" else values.astype(dtype)
    return held.astype(np.float64)


SPECIAL = strategies.layer_cases(
    layers=strategies.layers(max_channels=8, max_kernel_size=4, max_stride=4),
    values=st.one_of(*(strategies.values(dtypes=[dtype], kinds=["special"]) for dtype in DTYPES)),
)


@settings(deadline=None, max_examples=60)
@given(case=SPECIAL, data=st.data())
def test_special_answers_are_judged_element_by_element(case: Case, data: st.DataObject) -> None:
    """Both references pass as each dtype holds them; one finite element changed by one does not, nor NaN everywhere."""
    assume(case.values == "special")
    expected = expected_of(case)
    with np.errstate(invalid="ignore", over="raise"):
        scattered = rounded(reference.conv_transpose(*case.arrays(), expected.layer), case.dtype)
        inserted = rounded(reference.zero_insertion(*case.arrays(), expected.layer), case.dtype)
    assert compared(expected, scattered) == Comparison(True, 0.0, None, None)
    assert compared(expected, inserted).agrees
    never_nan = np.argwhere(np.isfinite(inserted))
    if len(never_nan):
        index = tuple(int(i) for i in never_nan[data.draw(st.integers(0, len(never_nan) - 1))])
        for observed in (scattered, inserted):
            found = compared(expected, changed(observed, index, observed[index] + 1))
            assert not found.agrees
            assert found.first_difference is not None
            assert found.first_difference.index == index
        assert not compared(expected, np.full(expected.shape, NAN)).agrees


@settings(deadline=None, max_examples=60)
@given(case=SPECIAL)
def test_special_answers_of_flushed_inputs_pass(case: Case) -> None:
    """A processor that takes subnormals as zeros gives what the references give for zeros."""
    assume(case.values == "special")
    tiny = reference.SMALLEST_NORMAL[case.dtype]
    x, weight, bias = (None if a is None else np.where(np.abs(a) < tiny, 0.0, a) for a in case.arrays())
    assert x is not None
    assert weight is not None
    expected = expected_of(case)
    with np.errstate(invalid="ignore"):
        for answer in (reference.conv_transpose, reference.zero_insertion):
            assert compared(expected, rounded(answer(x, weight, bias, expected.layer), case.dtype)).agrees


def test_an_empty_output_of_special_values_agrees() -> None:
    """Nothing is wrong with nothing."""
    case = INTEGERS.replace(batch=0, values="special")
    assert compared(expected_of(case), np.zeros((0, 3, 8))) == Comparison(True, 0.0, None, None)
