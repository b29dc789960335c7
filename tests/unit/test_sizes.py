"""Size arithmetic against the definitions, by brute force over small boxes."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest

from harness import sizes
from harness.errors import InvalidField

#: (k, s, d), and (n, k, s, d)
KERNELS = list(itertools.product(range(1, 6), range(1, 5), range(1, 5)))
BOX = [(n, *kernel) for n in range(7) for kernel in KERNELS]
Function: TypeAlias = Callable[..., Any]
FOUR: dict[str, Function] = {
    "full_size": sizes.full_size,
    "output_size": sizes.output_size,
    "forward_size": sizes.forward_size,
    "products_per_output": sizes.products_per_output,
}
INVERSES: dict[str, Function] = {
    "valid_output_sizes": sizes.valid_output_sizes,
    "inverse_sizes": sizes.inverse_sizes,
}


def places(n: int, k: int, s: int, d: int) -> Counter[int]:
    """How many products x[i] w[t] meet at each place i s + t d of the full output."""
    return Counter(i * s + t * d for i in range(n) for t in range(k))


def windows(m: int, k: int, s: int, d: int, total_padding: int = 0) -> int:
    """How many positions 0, s, 2 s, … a dilated kernel has inside an input of size m with its padding."""
    return len([start for start in range(0, m + total_padding, s) if start + (k - 1) * d < m + total_padding])


def test_the_worked_examples_hold() -> None:
    """The numbers n = k = 3 and s = 2 give 7 or 8, and 5 or 6 with padding 1."""
    assert sizes.full_size(3, kernel_size=3, stride=2) == 7
    assert sizes.valid_output_sizes(3, kernel_size=3, stride=2) == range(7, 9)
    assert sizes.valid_output_sizes(3, kernel_size=3, stride=2, padding=1) == range(5, 7)
    with_padding = [sizes.output_size(3, kernel_size=3, stride=2, padding=1, output_padding=a) for a in (0, 1)]
    assert with_padding == [5, 6]
    assert sizes.full_size(1, kernel_size=1) == sizes.output_size(1, kernel_size=1) == 1


def test_what_is_left_out_is_one_stride_one_dilation_and_no_padding() -> None:
    """The defaults of every function, each alone and all together: n = 5, k = 4 give 8, 2 and 4 products."""
    assert sizes.full_size(5, kernel_size=4) == sizes.output_size(5, kernel_size=4) == 8
    assert sizes.full_size(5, kernel_size=4, stride=2) == sizes.output_size(5, kernel_size=4, stride=2) == 12
    assert sizes.full_size(5, kernel_size=4, dilation=2) == sizes.output_size(5, kernel_size=4, dilation=2) == 11
    assert sizes.forward_size(5, kernel_size=4) == sizes.forward_size(5, kernel_size=3, stride=2) == 2
    assert sizes.forward_size(7, kernel_size=3, dilation=2) == 3
    for inverse in (sizes.valid_output_sizes, sizes.inverse_sizes):
        assert inverse(5, kernel_size=4) == range(8, 9)
        assert inverse(5, kernel_size=4, stride=2) == range(12, 14)
        assert inverse(5, kernel_size=4, dilation=2) == range(11, 12)
    assert sizes.products_per_output(5, kernel_size=4) == sizes.products_per_output(9, kernel_size=4, dilation=2) == 4
    assert sizes.products_per_output(5, kernel_size=4, stride=2) == 2


def test_effective_kernel_size_is_the_extent_of_the_dilated_kernel() -> None:
    """From the first position to the last, both included."""
    for k, d in itertools.product(range(1, 7), range(1, 5)):
        positions = [t * d for t in range(k)]
        assert sizes.effective_kernel_size(k, dilation=d) == positions[-1] - positions[0] + 1
        assert sizes.effective_kernel_size(k) == k


def test_full_size_has_a_place_for_every_product() -> None:
    """One more than the farthest place i s + t d; for an empty input the same line continued to n = 0."""
    for n, k, s, d in BOX:
        full = sizes.full_size(n, kernel_size=k, stride=s, dilation=d)
        assert full == (max(places(n, k, s, d)) + 1 if n else sizes.full_size(1, kernel_size=k, dilation=d) - s)


def test_output_size_is_what_the_crop_leaves() -> None:
    """The size is F - lo - hi with lo = p and hi = p - a, whatever their signs."""
    for n, p, a in itertools.product(range(3), range(-2, 3), range(-2, 3)):
        full = sizes.full_size(n, kernel_size=4, stride=3, dilation=2)
        lo, hi = p, p - a
        m = sizes.output_size(n, kernel_size=4, stride=3, padding=p, output_padding=a, dilation=2)
        assert m == full - lo - hi
        assert sizes.crop_for(full, output_size=m, lo=lo) == hi


def test_forward_size_counts_the_positions_of_the_window() -> None:
    """As many as fit, none when the kernel is larger than the padded input, padding of any sign."""
    m, k, s, d = np.array(BOX).T
    for total in range(-3, 5):
        found = sizes.forward_size(m, kernel_size=k, stride=s, total_padding=total, dilation=d)
        assert found.tolist() == [windows(*asked, total) for asked in BOX]


def searched(k: int, s: int, d: int, total_padding: int) -> dict[int, list[int]]:
    """For each number of windows n from 1 to 6, every input size m >= 1 of a forward convolution that has so many."""
    found: dict[int, list[int]] = {n: [] for n in range(1, 7)}
    for m in range(1, 50):
        found.get(windows(m, k, s, d, total_padding), []).append(m)
    return found


def test_valid_output_sizes_are_those_that_the_forward_convolution_takes_back() -> None:
    """All m >= 1 with n windows, found by search: a range, which forward_size leads back from."""
    for (k, s, d), p in itertools.product(KERNELS, range(-1, 3)):
        for n, expected in searched(k, s, d, 2 * p).items():
            found = sizes.valid_output_sizes(n, kernel_size=k, stride=s, padding=p, dilation=d)
            assert isinstance(found, range)
            assert list(found) == expected
    for n, p in itertools.product(range(1, 7), range(3)):
        found = sizes.valid_output_sizes(n, kernel_size=4, stride=3, padding=p, dilation=2)
        assert {sizes.forward_size(m, kernel_size=4, stride=3, total_padding=2 * p, dilation=2) for m in found} <= {n}


def test_inverse_sizes_take_an_odd_total_padding() -> None:
    """Paddings of the two ends need not be equal; a padding that eats everything leaves an empty range."""
    for (k, s, d), total in itertools.product(KERNELS, (-3, -1, 1, 3, 20)):
        for n, expected in searched(k, s, d, total).items():
            found = sizes.inverse_sizes(n, kernel_size=k, stride=s, total_padding=total, dilation=d)
            assert list(found) == expected


def test_the_inverse_of_an_empty_output_follows_the_formula() -> None:
    """No exception at n = 0 to F - P <= m < F - P + s: where ⌊(m + P - e) / s⌋ + 1, not clamped, is 0."""
    for (k, s, d), total in itertools.product(KERNELS, (-1, 0, 1)):
        e = 1 + (k - 1) * d
        found = sizes.inverse_sizes(0, kernel_size=k, stride=s, total_padding=total, dilation=d)
        assert list(found) == [m for m in range(1, 50) if math.floor((m + total - e) / s) + 1 == 0]


def test_same_inverse_sizes_are_those_that_the_rounded_up_quotient_takes_back() -> None:
    """All m >= 1 with ⌈m / s⌉ = n, found by search."""
    for n, s in itertools.product(range(9), range(1, 7)):
        found = sizes.same_inverse_sizes(n, stride=s)
        assert list(found) == [m for m in range(1, 80) if len(range(0, m, s)) == n]
        assert found.step == 1


def test_products_per_output_is_the_largest_number_that_meets() -> None:
    """Counted place by place for all small n, k, s, d; none where the input is empty."""
    asked = [*BOX, *itertools.product((9, 12), (6, 8), (4, 6), (4, 6, 9))]
    n, k, s, d = np.array(asked).T
    found = sizes.products_per_output(n, kernel_size=k, stride=s, dilation=d)
    assert found.tolist() == [max(places(*one).values(), default=0) for one in asked]


@pytest.mark.parametrize(("name", "function"), FOUR.items(), ids=FOUR)
def test_arrays_give_what_integers_give(name: str, function: Function) -> None:
    """One call for a whole box equals a call for each tuple; integers give int, arrays give integer arrays."""
    by_name = {"output_size": {"padding": -1, "output_padding": 2}, "forward_size": {"total_padding": 3}}
    extra: dict[str, int] = by_name.get(name, {})
    n, k, s, d = np.array(BOX).T
    together = function(
        n, kernel_size=k, stride=s, dilation=d, **{key: np.full(len(BOX), v) for key, v in extra.items()}
    )
    alone = [function(n, kernel_size=k, stride=s, dilation=d, **extra) for n, k, s, d in BOX]
    assert isinstance(together, np.ndarray)
    assert together.dtype.kind == "i"
    assert together.tolist() == alone
    assert {type(value) for value in alone} == {int}


@pytest.mark.parametrize(("name", "function"), FOUR.items(), ids=FOUR)
def test_arrays_broadcast(name: str, function: Function) -> None:
    """A column of inputs against a row of kernels is a table; a scalar stands for all; empty arrays stay empty."""
    table = function(np.arange(1, 4)[:, None], kernel_size=np.arange(1, 3), stride=2)
    assert table.shape == (3, 2), name
    assert table.tolist() == [[function(n, kernel_size=k, stride=2) for k in (1, 2)] for n in (1, 2, 3)]
    assert function(np.zeros(0, dtype=np.int64), kernel_size=3).shape == (0,)


@pytest.mark.parametrize("function", [*FOUR.values(), *INVERSES.values()], ids=[*FOUR, *INVERSES])
@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("input_size", -1, "must be at least 0"),
        ("kernel_size", 0, "must be at least 1"),
        ("stride", 0, "must be at least 1"),
        ("dilation", 0, "must be at least 1"),
        ("stride", -2, "must be at least 1"),
        ("input_size", 3.0, "must be an integer or an array of integers"),
        ("kernel_size", "3", "must be an integer or an array of integers"),
        ("stride", np.float64(2.0), "must be an integer or an array of integers"),
        ("dilation", None, "must be an integer or an array of integers"),
        ("stride", True, "must be an integer or an array of integers"),
    ],
)
def test_sizes_name_what_is_wrong(function: Callable[..., Any], name: str, value: object, rule: str) -> None:
    """Floats, flags and texts are refused, and so are values below the least one."""
    arguments = {"kernel_size": 1, "stride": 1, "dilation": 1, "input_size": 1, name: value}
    with pytest.raises(InvalidField) as caught:
        function(arguments.pop("input_size"), **arguments)
    assert (caught.value.field, caught.value.value, caught.value.rule) == (name, value, rule)


@pytest.mark.parametrize(("name", "function"), FOUR.items(), ids=FOUR)
def test_arrays_are_checked_entry_by_entry(name: str, function: Function) -> None:
    """One bad entry is enough; arrays of floats or flags are no integers; NumPy's signed integers are."""
    for bad in (np.array([1, 0]), np.array([1.0, 2.0]), np.array([True, True])):
        with pytest.raises(InvalidField, match=r"^stride=array\("):
            function(3, kernel_size=2, stride=bad)
    with pytest.raises(InvalidField, match=r"^input_size=array\(\[ 0, -1\]\): must be at least 0$"):
        function(np.array([0, -1]), kernel_size=2)
    good = function(np.int64(3), kernel_size=np.array([2], dtype=np.int32), stride=np.int8(1))
    assert good.tolist() == [function(3, kernel_size=2)], name


@pytest.mark.parametrize(
    ("size", "stride", "field"), [(-1, 1, "input_size"), (1, 0, "stride"), (1.5, 1, "input_size"), (1, 2.0, "stride")]
)
def test_same_inverse_sizes_check_their_arguments(size: Any, stride: Any, field: str) -> None:
    """The same rules as everywhere."""
    with pytest.raises(InvalidField) as caught:
        sizes.same_inverse_sizes(size, stride=stride)
    assert caught.value.field == field


NARROW = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "uint64"]


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize(("name", "function"), FOUR.items(), ids=FOUR)
def test_narrow_and_unsigned_arrays_do_not_wrap_around(name: str, function: Function, dtype: str) -> None:
    """Sizes that no int8 holds, and differences below 0, which no unsigned array does, are what integers give."""
    by_name = {"output_size": {"padding": 120}, "forward_size": {"total_padding": 120}}
    n, k, s, d = (np.array(values, dtype=dtype) for values in ([0, 1, 127], [1, 3, 127], [1, 2, 127], [1, 1, 127]))
    extra = {key: np.array([value], dtype=dtype) for key, value in by_name.get(name, {}).items()}
    found = function(n, kernel_size=k, stride=s, dilation=d, **extra)
    expected = [
        function(
            *map(int, one[:1]),
            kernel_size=int(one[1]),
            stride=int(one[2]),
            dilation=int(one[3]),
            **by_name.get(name, {}),
        )
        for one in zip(n, k, s, d, strict=True)
    ]
    assert (found.dtype, found.tolist()) == (np.int64, expected)


def test_narrow_scalars_are_integers_too() -> None:
    """One of NumPy's own integers gives what Python's gives, in every function."""
    narrow: Any = np.int8(100)
    byte: Any = np.uint8(255)
    full: Function = sizes.full_size
    assert full(narrow, kernel_size=narrow, stride=narrow) == full(100, kernel_size=100, stride=100) == 10_000
    assert sizes.effective_kernel_size(byte, dilation=byte) == 254 * 255 + 1
    assert sizes.crop_for(np.uint8(3), output_size=byte, lo=byte) == 3 - 2 * 255
    found = sizes.valid_output_sizes(narrow, kernel_size=narrow, stride=narrow, padding=narrow)
    assert found == range(9_800, 9_900)
    assert sizes.same_inverse_sizes(narrow, stride=narrow) == range(9_901, 10_001)


@pytest.mark.parametrize("bad", [1.0, np.float64(1), np.array([1.0]), True, np.array([True]), "1", None])
@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("padding", lambda bad: sizes.output_size(3, kernel_size=3, padding=bad)),
        ("output_padding", lambda bad: sizes.output_size(3, kernel_size=3, output_padding=bad)),
        ("total_padding", lambda bad: sizes.forward_size(3, kernel_size=3, total_padding=bad)),
        ("padding", lambda bad: sizes.valid_output_sizes(3, kernel_size=3, padding=bad)),
        ("total_padding", lambda bad: sizes.inverse_sizes(3, kernel_size=3, total_padding=bad)),
        ("kernel_size", sizes.effective_kernel_size),
        ("dilation", lambda bad: sizes.effective_kernel_size(3, dilation=bad)),
        ("lo", lambda bad: sizes.crop_for(3, output_size=1, lo=bad)),
    ],
)
def test_paddings_and_crops_are_integers(field: str, call: Function, bad: object) -> None:
    """They may have any sign, but a float, a flag or a text is refused by its name."""
    with pytest.raises(InvalidField) as caught:
        call(bad)
    assert (caught.value.field, caught.value.rule) == (field, "must be an integer or an array of integers")


def test_what_no_int64_holds_is_refused() -> None:
    """Unsigned 64-bit integers of 2**63 and more."""
    with pytest.raises(InvalidField, match=r"below 2\*\*63"):
        sizes.full_size(np.array([2**63], dtype=np.uint64), kernel_size=1)
