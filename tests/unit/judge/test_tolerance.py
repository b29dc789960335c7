"""When arrays agree: equal as numbers on integers, within the rounding-error bound on reals."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness import Case, Layer, reference
from harness.judge.tolerance import Comparison, Expected, OracleFault
from harness.values import digest

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


@pytest.mark.parametrize(
    ("values", "exact", "judged"), [("integers", True, True), ("normal", False, True), ("special", False, False)]
)
def test_what_is_judged_and_how_follows_from_the_kind_of_values(values: str, exact: bool, judged: bool) -> None:
    """Integers are exact, reals are bounded, special values are observed alone."""
    expected = expected_of(INTEGERS.replace(values=values))
    assert (expected.exact, expected.judges_values) == (exact, judged)


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
