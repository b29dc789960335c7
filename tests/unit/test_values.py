"""Value recipes: exactness, the pinned streams, bfloat16 and digests."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import InvalidField
from harness.values import (
    DTYPES,
    EXACT_BITS,
    VALUE_KINDS,
    Arrays,
    digest,
    draw_arrays,
    draw_cotangent,
    largest_cotangent,
    largest_magnitude,
    round_to_bfloat16,
    storage_dtype,
)


def draw(
    kind: str, dtype: str = "float32", *, count: int = 4000, products: int = 1, seed: int = 0, bias_size: int | None = 5
) -> Arrays:
    """The arrays of a recipe with so many inputs and four weights."""
    return draw_arrays(
        x_shape=(1, 1, count),
        weight_shape=(1, 2, 2),
        bias_size=bias_size,
        products=products,
        dtype=dtype,
        kind=kind,
        seed=seed,
    )


def bfloat16(*numbers: float) -> list[float]:
    """The numbers rounded, as Python's floats."""
    rounded = round_to_bfloat16(np.array(numbers))
    assert rounded.dtype == np.float32
    return [float(value) for value in rounded]


# Exactness


def test_exact_bits_are_those_of_the_formats() -> None:
    """2**t and all integers below are exact, 2**t + 1 is not."""
    assert list(DTYPES) == ["float32", "float64", "float16", "bfloat16"]
    for dtype, bits in EXACT_BITS.items():
        if dtype == "bfloat16":
            assert bfloat16(2**bits - 1, 2**bits, 2**bits + 1) == [2**bits - 1, 2**bits, 2**bits]
        else:
            assert [int(np.dtype(dtype).type(2**bits + step)) - 2**bits for step in (-1, 0, 1)] == [-1, 0, 0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_largest_magnitude_is_the_largest_that_is_exact(dtype: str) -> None:
    """K A A + A <= 2**t, and A + 1 would break it unless A is 8; 0 where not even 1 is exact."""
    room = 2 ** EXACT_BITS[dtype]
    turns = [(room - a) // (a * a) + step for a in range(1, 10) for step in (-1, 0, 1)]
    for products in [0, 1, 2, 3, 4, 5, 7, 100, room, *(turn for turn in turns if turn >= 0)]:
        largest = largest_magnitude(products, dtype)
        assert largest == max((a for a in range(9) if products * a * a + a <= room), default=0)


def test_largest_magnitude_at_its_turns() -> None:
    """Literals on both sides of the first and the last step of bfloat16 and of float32."""
    assert [largest_magnitude(k, "bfloat16") for k in (0, 3, 4, 255, 256)] == [8, 8, 7, 1, 0]
    assert [largest_magnitude(k, "float32") for k in (262143, 262144, 2**24 - 1, 2**24)] == [8, 7, 1, 0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("products", [1, 5, 60, 200])
def test_integers_are_small_non_zero_and_use_every_value(dtype: str, products: int) -> None:
    """Every integer from -A to A but 0 occurs, in a third of even shares at least; nothing else does."""
    x, weight, bias = draw("integers", dtype, products=products)
    largest = largest_magnitude(products, dtype)
    assert largest >= 1
    # As float64, for NumPy 2.4 sorts float16 wrongly on some processors with AVX-512.
    values, counts = np.unique(x.astype(np.float64), return_counts=True)
    assert values.tolist() == [value for value in range(-largest, largest + 1) if value]
    assert counts.min() * 3 * len(values) > x.size
    assert bias is not None
    for array in (weight, bias):
        assert set(array.ravel().tolist()) <= set(values.tolist())


@pytest.mark.parametrize("kind", ["integers", "special"])
def test_integers_that_cannot_be_exact_are_refused(kind: str) -> None:
    """The message has the number of products, the dtype and what to do; normal values need no room."""
    assert draw(kind, "bfloat16", products=255, count=1)[0].size == 1
    with pytest.raises(InvalidField) as caught:
        draw(kind, "bfloat16", products=256, count=1)
    error = caught.value
    assert (error.field, error.value) == ("values", kind)
    assert error.rule == (
        "256 products per output element are not exact in bfloat16: use values='normal' or a smaller case"
    )
    assert draw("normal", "bfloat16", products=256, count=1)[0].size == 1


# Arrays


@pytest.mark.parametrize("kind", VALUE_KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_have_their_shapes_and_are_read_only(kind: str, dtype: str) -> None:
    """x, weight, bias in this order, each in the storage dtype; no bias where none is asked; empty arrays too."""
    x, weight, bias = draw(kind, dtype, count=3)
    assert bias is not None
    assert [array.shape for array in (x, weight, bias)] == [(1, 1, 3), (1, 2, 2), (5,)]
    assert {array.dtype for array in (x, weight, bias)} == {storage_dtype(dtype)}
    for array in (x, weight, bias):
        with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
            array.flags.writeable = True
    assert draw(kind, dtype, count=0)[0].shape == (1, 1, 0)
    assert draw(kind, dtype, count=0, bias_size=None)[2] is None


def test_storage_dtype_is_the_dtype_but_for_bfloat16() -> None:
    """NumPy has no bfloat16."""
    assert [storage_dtype(dtype).name for dtype in DTYPES] == ["float32", "float64", "float16", "float32"]


DIGESTS = {
    ("integers", "float32"): ("edb61a4c9b38ce51", "079e70b145305f49", "f70c8c5aa06dc50c"),
    ("integers", "float64"): ("edb61a4c9b38ce51", "079e70b145305f49", "f70c8c5aa06dc50c"),
    ("integers", "float16"): ("edb61a4c9b38ce51", "079e70b145305f49", "f70c8c5aa06dc50c"),
    ("integers", "bfloat16"): ("c7c1a9577de954d9", "a6277fbedeb56c22", "3d00702c3b15b690"),
    ("normal", "float32"): ("9396b5693ac68b23", "cce4000384c803fb", "abaa02b932f5d4a4"),
    ("normal", "float64"): ("9396b5693ac68b23", "cce4000384c803fb", "abaa02b932f5d4a4"),
    ("normal", "float16"): ("eb631f3a0d360df4", "7d6a130b47fff868", "ad36d760d4e3a32e"),
    ("normal", "bfloat16"): ("bf0dcf431727b465", "a7ad8bbbea7043b3", "3dec3dd5af184b7e"),
    ("special", "float32"): ("cb409d51190654ae", "3b79dbfbc5c26aba", "f70c8c5aa06dc50c"),
    ("special", "float64"): ("0790b2ef4856a15f", "f1642e3170f689b6", "f70c8c5aa06dc50c"),
    ("special", "float16"): ("5716ea9d593f2ca1", "35128efce665f76a", "f70c8c5aa06dc50c"),
    ("special", "bfloat16"): ("e07e9286ee9684d2", "ec20223a1d8611b9", "3d00702c3b15b690"),
}


@pytest.mark.parametrize(("kind", "dtype"), DIGESTS)
def test_the_arrays_of_a_seed_are_pinned(kind: str, dtype: str) -> None:
    """Cases are kept as recipes: the arrays may not move with NumPy or with a release of ours."""
    arrays = draw_arrays(
        x_shape=(2, 3, 5, 4), weight_shape=(3, 2, 3, 3), bias_size=4, products=27, dtype=dtype, kind=kind, seed=20160323
    )
    assert tuple(digest(array) for array in arrays if array is not None) == DIGESTS[kind, dtype]


def test_every_kind_and_dtype_is_pinned() -> None:
    """A new one needs its literals."""
    assert set(DIGESTS) == {(kind, dtype) for kind in VALUE_KINDS for dtype in DTYPES}


def test_the_first_numbers_of_a_stream_are_as_described() -> None:
    """Worked from PCG64(0)'s raw words: the sign is bit 0, the magnitude what is left modulo A, plus 1."""
    raw = [int(word) for word in np.random.PCG64(0).random_raw(4 + 4 + 5)]
    expected = [(-1 if word % 2 else 1) * ((word // 2) % 8 + 1) for word in raw]
    x, weight, bias = draw("integers", count=4)
    assert bias is not None
    assert [*x.ravel().tolist(), *weight.ravel().tolist(), *bias.tolist()] == expected
    assert raw[:2] == [11749869230777074271, 4976686463289251617]


def test_normal_numbers_are_as_described() -> None:
    """Four 16-bit words summed and centred, times 2**-15 and a power of two from 2**-4 to 2**3 of its own word."""
    stream = np.random.PCG64(0)
    raw, scales = ([int(word) for word in stream.random_raw(6)] for _ in range(2))
    sums = [sum((word >> shift) % 2**16 for shift in (0, 16, 32, 48)) - 131070 for word in raw]
    expected = [Fraction(total) * Fraction(2) ** (scale % 8 - 19) for total, scale in zip(sums, scales, strict=True)]
    assert draw("normal", "float64", count=6)[0].ravel().tolist() == expected


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal_numbers_are_real_centred_and_spread_over_binades(dtype: str) -> None:
    """Both signs alike, no integers to speak of, below 4 · 2**3 = 32, the dtype's own values."""
    x = draw("normal", dtype)[0].astype(np.float64)
    assert abs(np.sign(x).mean()) < 0.1
    assert np.mean(x == np.round(x)) < 0.1
    assert np.abs(x).max() < 32
    assert np.abs(x).max() > 16
    assert np.mean(np.abs(x) < 0.05) > 0.1
    if dtype == "bfloat16":
        assert np.array_equal(round_to_bfloat16(x), x)


def test_the_dtypes_of_a_seed_are_roundings_of_one_another() -> None:
    """The same stream for each dtype: float64's numbers, rounded once."""
    double = draw("normal", "float64")[0]
    assert np.array_equal(draw("normal", "float32")[0], double.astype(np.float32))
    assert np.array_equal(draw("normal", "float16")[0], double.astype(np.float16))
    assert np.array_equal(draw("normal", "bfloat16")[0], round_to_bfloat16(double))


@pytest.mark.parametrize(
    ("dtype", "tiny"),
    [("float32", 2.0**-149), ("float64", 2.0**-1074), ("float16", 2.0**-24), ("bfloat16", 2.0**-133)],
)
def test_special_values_stand_among_integers(dtype: str, tiny: float) -> None:
    """One in eight is NaN, an infinity, a signed zero or the smallest subnormal; the others are the seed's integers."""
    special, integers = draw("special", dtype)[0], draw("integers", dtype)[0]
    x = special.ravel().astype(np.float64)
    chosen = x != integers.ravel()
    assert 0.11 < chosen.mean() < 0.14
    zeros = x[x == 0]
    assert np.any(np.signbit(zeros))
    assert not np.all(np.signbit(zeros))
    found = x[chosen & (x != 0)]
    assert np.any(np.isnan(found))
    assert set(found[~np.isnan(found)].tolist()) == {math.inf, -math.inf, tiny, -tiny}
    assert np.all(found[np.isfinite(found)] == special.ravel()[chosen & (x != 0)][np.isfinite(found)])


def test_the_smallest_subnormals_are_those_of_the_formats() -> None:
    """Half of the smallest is rounded to zero."""
    for dtype in ("float32", "float64", "float16"):
        smallest = np.nextafter(np.dtype(dtype).type(0), np.dtype(dtype).type(1))
        specials = draw("special", dtype)[0]
        assert np.min(specials[specials > 0]) == smallest
    assert bfloat16(2.0**-133, 2.0**-134, 1.5 * 2.0**-134) == [2.0**-133, 0.0, 2.0**-133]


# Cotangents

PRODUCTS = st.tuples(*[st.integers(0, 5000)] * 3)


@settings(deadline=None)
@given(products=PRODUCTS, magnitude=st.integers(0, 8), dtype=st.sampled_from(DTYPES))
def test_largest_cotangent_is_the_largest_that_is_exact(
    products: tuple[int, int, int], magnitude: int, dtype: str
) -> None:
    """Of dx and dweight with arrays of that magnitude, and of dbias, which adds cotangents: one more is too much."""
    room, (dx, dweight, dbias) = 2 ** EXACT_BITS[dtype], products
    sums = (dx * magnitude, dweight * magnitude, dbias)
    expected = max((c for c in range(9) if all(total * c <= room for total in sums)), default=0)
    assert largest_cotangent(products, magnitude, dtype) == expected


def test_largest_cotangent_at_its_turns() -> None:
    """Each of the three sums by itself, on both sides of the first and of the last step of bfloat16."""
    for place in range(3):
        magnitude = 1 if place == 2 else 2
        counts = [32 // magnitude, 32 // magnitude + 1, 256 // magnitude, 256 // magnitude + 1]
        found = [
            largest_cotangent(tuple(count if i == place else 1 for i in range(3)), magnitude, "bfloat16")  # type: ignore[arg-type]  # three
            for count in counts
        ]
        assert found == [8, 7, 1, 0]


def cotangent(kind: str, dtype: str = "float32", *, count: int = 4000, largest: int = 8, seed: int = 0) -> list[float]:
    """The numbers of a cotangent."""
    array = draw_cotangent((1, 1, count), largest=largest, dtype=dtype, kind=kind, seed=seed)
    assert (array.shape, array.dtype) == ((1, 1, count), storage_dtype(dtype))
    with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
        array.setflags(write=True)
    return [float(number) for number in array.ravel()]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("largest", [1, 5, 8])
def test_integer_cotangents_are_small_non_zero_and_use_every_value(dtype: str, largest: int) -> None:
    """Like the arrays; where not even 1 is exact they are the smallest."""
    values = [value for value in range(-largest, largest + 1) if value]
    assert sorted(set(cotangent("integers", dtype, largest=largest))) == values
    assert set(cotangent("integers", dtype, largest=0)) == {-1.0, 1.0}


COTANGENT_DIGESTS = {
    ("integers", "float32"): "8cce0d223dde6c01",
    ("integers", "float64"): "8cce0d223dde6c01",
    ("integers", "float16"): "8cce0d223dde6c01",
    ("integers", "bfloat16"): "8cce0d223dde6c01",
    ("normal", "float32"): "7e772d99cfb282cc",
    ("normal", "float64"): "7e772d99cfb282cc",
    ("normal", "float16"): "814b18ea0ff48f09",
    ("normal", "bfloat16"): "f735d5bcab5169c7",
}


@pytest.mark.parametrize(("kind", "dtype"), COTANGENT_DIGESTS)
def test_the_cotangent_of_a_seed_is_pinned(kind: str, dtype: str) -> None:
    """Gradients are asked again by their recipe, like outputs."""
    array = draw_cotangent((2, 4, 5, 3), largest=8, dtype=dtype, kind=kind, seed=20160323)
    assert digest(array) == COTANGENT_DIGESTS[kind, dtype]


def test_the_first_cotangents_are_pinned() -> None:
    """Two seeds, to be compared by eye."""
    assert cotangent("integers", count=8) == [1.0, -4.0, 2.0, 3.0, 3.0, -6.0, 2.0, -8.0]
    assert cotangent("integers", count=6, seed=20160323) == [-6.0, 6.0, -2.0, 7.0, -1.0, 2.0]


def test_a_cotangent_has_a_stream_of_its_own() -> None:
    """Worked from PCG64(seed + 2**64), a seed that no recipe has: it is not x over again."""
    raw = [int(word) for word in np.random.PCG64(2**64).random_raw(6)]
    assert cotangent("integers", count=6) == [(-1 if word % 2 else 1) * ((word // 2) % 8 + 1) for word in raw]
    for kind in ("integers", "normal"):
        for seed in (0, 1, 2**64 - 1):
            x = draw(kind, seed=seed)[0].ravel().tolist()
            assert cotangent(kind, seed=seed)[:100] != x[:100]
    assert cotangent("integers", seed=1) != cotangent("integers")


# bfloat16


@pytest.mark.parametrize(
    ("number", "rounded"),
    [
        (1.0, 1.0),
        (1 + 2.0**-7, 1 + 2.0**-7),
        (1 + 2.0**-8, 1.0),  # a tie: 1.0 is the even neighbour
        (1 + 3 * 2.0**-8, 1 + 2.0**-6),  # a tie: up to the even neighbour
        (1 + 2.0**-8 + 2.0**-23, 1 + 2.0**-7),  # just above a tie
        (1 + 3 * 2.0**-8 - 2.0**-23, 1 + 2.0**-7),  # just below a tie
        (1 + 2.0**-8 - 2.0**-23, 1.0),
        (2 - 2.0**-8, 2.0),  # into the next binade
        (2.0**-126 * (1 - 2.0**-8), 2.0**-126),  # from the subnormals to the normals
        (0.0, 0.0),
        (2.0**127 * (2 - 2.0**-7), 2.0**127 * (2 - 2.0**-7)),  # the largest
        (2.0**127 * (2 - 2.0**-8), math.inf),  # a tie with what would be 2**128
        (2.0**127 * (2 - 2.0**-8 - 2.0**-23), 2.0**127 * (2 - 2.0**-7)),
        (math.inf, math.inf),
    ],
)
def test_bfloat16_rounds_to_nearest_with_ties_to_even(number: float, rounded: float) -> None:
    """Both signs, at ties, next to ties, between binades and at both ends."""
    assert bfloat16(number, -number) == [rounded, -rounded]
    assert [math.copysign(1, value) for value in bfloat16(number, -number)] == [1, -1]


def test_bfloat16_keeps_every_nan() -> None:
    """Payloads that would round up to infinity or wrap around stay NaN, quiet or signalling, of either sign."""
    patterns = np.array([0x7F800001, 0x7FC00000, 0x7FFFFFFF, 0xFF800001, 0xFFC00000, 0xFFFFFFFF], dtype=np.uint32)
    rounded = round_to_bfloat16(patterns.view(np.float32))
    assert np.isnan(rounded).all()
    assert rounded.dtype == np.float32


@settings(deadline=None)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**126), max_value=2.0**126))
def test_bfloat16_is_the_nearest_of_its_neighbours(number: float) -> None:
    """Exact rationals: no number with eight significant bits is nearer, and a tie goes to the even one."""
    (rounded,) = bfloat16(number)
    assert bfloat16(rounded) == [rounded]
    ulp = Fraction(2) ** (max(math.frexp(number)[1], -125) - 8)
    quotient = Fraction(number) / ulp
    assert Fraction(rounded) / ulp == round(quotient)  # Python rounds halves to even


def test_bfloat16_keeps_the_shape_and_leaves_its_input() -> None:
    """Any layout of memory, empty arrays too."""
    array = np.arange(6.0, dtype=np.float32).reshape(2, 3)[:, ::-1] + np.float32(1 + 2.0**-10)
    before = array.copy()
    assert round_to_bfloat16(array).tolist() == np.round(before).tolist()
    assert np.array_equal(array, before)
    assert round_to_bfloat16(np.zeros((0, 2))).shape == (0, 2)


# Digests


@pytest.mark.parametrize(
    "array",
    [
        np.array([[1.5, -2.0], [0.0, 3.0]], dtype=dtype)
        for dtype in ("float16", "float32", "float64", ">f4", ">f8", "<f8")
    ],
    ids=lambda array: str(array.dtype.str),
)
def test_a_digest_does_not_depend_on_the_dtype(array: np.ndarray[Any, Any]) -> None:
    """Half, single and double precision in either byte order, also from another layout of memory."""
    assert digest(array) == "09181b471f39ae6a"
    assert digest(np.asfortranarray(array)) == "09181b471f39ae6a"
    assert digest(np.repeat(array, 2, axis=1)[:, ::2]) == "09181b471f39ae6a"


def test_a_digest_of_integers_is_that_of_the_same_floats() -> None:
    """Equal as numbers is equal."""
    assert digest(np.array([1, -2])) == digest(np.array([1.0, -2.0], dtype=np.float32))


def test_a_digest_ignores_the_sign_of_zero_and_the_kind_of_nan() -> None:
    """Every NaN is one NaN; infinities keep their sign, NaN is not infinity."""
    assert digest(np.array([0.0, -0.0])) == digest(np.array([-0.0, 0.0])) == digest(np.zeros(2))
    nans = np.array([0x7FF8000000000000, 0xFFF8000000000001], dtype=np.uint64).view(np.float64)
    assert digest(nans) == digest(np.array([math.nan, math.nan], dtype=np.float32)) == "53b38adc657c5d08"
    assert len({digest(np.array([value])) for value in (math.nan, math.inf, -math.inf, 0.0)}) == 4


def test_a_digest_tells_numbers_order_and_shape_apart() -> None:
    """The last bit of a double counts; so does the shape, of empty arrays too; the array itself is not changed."""
    arrays = [np.array(values) for values in ([1.0, 2.0], [2.0, 1.0], [1.0, 2.0, 0.0], [[1.0, 2.0]], [[1.0], [2.0]])]
    arrays += [np.array([1.0, np.nextafter(2.0, 3.0)]), np.array([-1.0, 2.0]), np.array(1.0), np.array([1.0])]
    arrays += [np.zeros(shape) for shape in ((0,), (0, 1), (1, 0))]
    digests = {digest(array) for array in arrays}
    assert len(digests) == len(arrays)
    assert all(len(text) == 16 and set(text) <= set("0123456789abcdef") for text in digests)
    array = np.array([-0.0, math.nan])
    array.flags.writeable = False
    digest(array)
    assert np.signbit(array[0])
