"""Value recipes: the arrays of a case from its seed, the same on every machine and NumPy version.

Only ``PCG64(seed).random_raw`` and integer arithmetic make the numbers; the stream is read for x, then the weight,
then the bias. ``integers`` are small, non-zero and exact: with K products per output element every partial sum of
``K·max|x|·max|w| + max|b| <= 2**t`` is representable, so that every algorithm that only adds products gives the same
numbers in whatever order; the cotangent of a gradient, from a stream of its own, is as large as keeps the gradients
exact likewise. ``normal`` are bell-shaped reals over a few binades. ``special`` are integers among which
NaN, infinities, signed zeros and subnormals stand.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache
from itertools import accumulate
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidField

Floats: TypeAlias = NDArray[np.floating[Any]]
Arrays: TypeAlias = "tuple[Floats, Floats, Floats | None]"

#: significand bits t of each dtype: integers up to 2**t are exact
EXACT_BITS = {"float32": 24, "float64": 53, "float16": 11, "bfloat16": 8}
DTYPES = tuple(EXACT_BITS)
VALUE_KINDS = ("integers", "normal", "special")

_LARGEST = 8
_STORED = {dtype: np.dtype("float32" if dtype == "bfloat16" else dtype) for dtype in DTYPES}
_SUBNORMAL = {"float32": 2.0**-149, "float64": 2.0**-1074, "float16": 2.0**-24, "bfloat16": 2.0**-133}


def largest_magnitude(products: int, dtype: str) -> int:
    """The largest A <= 8 with ``products·A·A + A <= 2**t``; 0 where not even A = 1 is exact.

    >>> largest_magnitude(4, "bfloat16"), largest_magnitude(300, "bfloat16")
    (7, 0)
    """
    room = 2 ** EXACT_BITS[dtype]
    return next((a for a in range(_LARGEST, 0, -1) if products * a * a + a <= room), 0)


def storage_dtype(dtype: str) -> np.dtype[Any]:
    """The NumPy dtype of the arrays: float32 for bfloat16, which NumPy lacks.

    >>> storage_dtype("bfloat16")
    dtype('float32')
    """
    return _STORED.get(dtype) or np.dtype(dtype)


def draw_arrays(
    *,
    x_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    bias_size: int | None,
    products: int,
    dtype: str,
    kind: str,
    seed: int,
) -> Arrays:
    """The arrays of a recipe, read-only for good.

    Raises:
        InvalidField: integers (or special values, which stand among integers) cannot be exact here.
    """
    if kind not in VALUE_KINDS:
        raise InvalidField("values", kind, f"must be one of {', '.join(VALUE_KINDS)}")
    magnitude = largest_magnitude(products, dtype)
    if kind != "normal" and not magnitude:
        rule = f"{products} products per output element are not exact in {dtype}: use values='normal' or a smaller case"
        raise InvalidField("values", kind, rule)
    shapes = (x_shape, weight_shape, *([] if bias_size is None else [(bias_size,)]))
    x, weight, *bias = _draw(np.random.PCG64(seed), shapes, magnitude, dtype, kind)
    return x, weight, bias[0] if bias else None


def largest_cotangent(products: tuple[int, int, int], magnitude: int, dtype: str) -> int:
    """The largest C <= 8 with which dx, dweight and dbias are exact; 0 where not even C = 1 is.

    ``products`` meet in one element of each; x and weight are at most ``magnitude``, dbias adds cotangents alone.

    >>> largest_cotangent((4, 4, 16), 7, "bfloat16"), largest_cotangent((4, 300, 16), 1, "bfloat16")
    (8, 0)
    """
    dx, dweight, dbias = products
    room = 2 ** EXACT_BITS[dtype]
    most = max(dx * magnitude, dweight * magnitude, dbias)
    return next((c for c in range(_LARGEST, 0, -1) if most * c <= room), 0)


def draw_cotangent(shape: tuple[int, ...], *, largest: int, dtype: str, kind: str, seed: int) -> Floats:
    """A cotangent of the output's shape, read-only: integers up to ``largest`` (at least 1), or ``normal`` reals.

    >>> draw_cotangent((1, 1, 3), largest=1, dtype="float32", kind="integers", seed=0).tolist()
    [[[1.0, -1.0, 1.0]]]
    """
    # No recipe has a seed as large, so that no array of a case is its own cotangent.
    return _draw(np.random.PCG64(seed + 2**64), (shape,), max(largest, 1), dtype, kind)[0]


def digest(array: NDArray[Any]) -> str:
    """16 hex digits over shape and numbers: the dtype does not matter, -0.0 equals 0.0, every NaN is one NaN.

    >>> digest(np.array([0.0, 1.0])) == digest(np.array([-0.0, 1.0], dtype=np.float32))
    True
    """
    numbers = np.add(array, 0.0, dtype="<f8", order="C")
    unclear = np.isnan(numbers)
    if unclear.any():
        numbers[unclear] = np.nan
    return hashlib.sha256(repr(array.shape).encode() + numbers.tobytes()).hexdigest()[:16]


def round_to_bfloat16(array: NDArray[Any]) -> NDArray[np.float32]:
    """Round to the nearest bfloat16 value (ties to even), kept as float32. NaN stays NaN.

    >>> float(round_to_bfloat16(np.array([1.001953125]))[0])
    1.0
    """
    single = np.ascontiguousarray(array, dtype=np.float32)
    bits = single.view(np.uint32)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    return np.where(np.isfinite(single), rounded, single).astype(np.float32)


def _draw(
    stream: np.random.PCG64, shapes: tuple[tuple[int, ...], ...], magnitude: int, dtype: str, kind: str
) -> list[Floats]:
    """Arrays of these shapes, one after the other from the stream."""
    counts = [math.prod(shape) for shape in shapes]
    if kind == "normal":
        numbers = np.concatenate([_normal(stream, stream.random_raw(count), dtype) for count in counts])
    else:
        raw = stream.random_raw(sum(counts))
        numbers = _integers(raw, magnitude, dtype)
        numbers = _sprinkle(raw, numbers, dtype) if kind == "special" else numbers
    whole = read_only(numbers.astype(storage_dtype(dtype), copy=False))
    ends = list(accumulate(counts))
    return [whole[end - n : end].reshape(shape) for end, n, shape in zip(ends, counts, shapes, strict=True)]


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A copy over bytes that nothing can write to: ``flags.writeable`` cannot be set again, by whoever has it.

    >>> read_only(np.zeros(2)).flags.writeable = True
    Traceback (most recent call last):
    ...
    ValueError: cannot set WRITEABLE flag to True of this array
    """
    return np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape)


def _integers(raw: NDArray[np.uint64], magnitude: int, dtype: str) -> Floats:
    """The lowest bit is the sign, the rest modulo ``magnitude`` what is above 1: together ``raw`` modulo twice that."""
    count = np.uint64(2 * magnitude)
    # NumPy's own remainder takes several times as long.
    rest = raw - raw // count * count if magnitude & (magnitude - 1) else raw & (count - np.uint64(1))
    return _signed(magnitude, dtype).take(rest.view(np.int64))


@cache
def _signed(magnitude: int, dtype: str) -> Floats:
    """1, -1, 2, -2, … up to the magnitude."""
    return np.array([sign * (1 + i) for i in range(magnitude) for sign in (1, -1)], storage_dtype(dtype))


def _normal(stream: np.random.PCG64, raw: NDArray[np.uint64], dtype: str) -> NDArray[Any]:
    """Four 16-bit uniforms summed and centred, times a power of two from 2**-4 to 2**3: exact in float64."""
    total = raw.view(np.uint16).reshape(-1, 4).sum(axis=1, dtype=np.int64) - 2 * 65535
    scale = (stream.random_raw(raw.size) & np.uint64(7)).astype(np.int64) - 4
    array = total * _BINADES.take(scale + 4)
    return round_to_bfloat16(array) if dtype == "bfloat16" else array


def _sprinkle(raw: NDArray[np.uint64], array: Floats, dtype: str) -> Floats:
    """One element in eight becomes a special value, chosen by the high bits."""
    specials = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, _SUBNORMAL[dtype], -_SUBNORMAL[dtype], 0.0])
    chosen = ((raw >> 40) & 7) == 0
    return np.where(chosen, specials[((raw >> 48) & 7).astype(np.intp)].astype(array.dtype), array)


_BINADES = 2.0 ** np.arange(-19, -11)
