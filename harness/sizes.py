"""Size arithmetic of transposed convolution, one axis at a time.

Every function is keyword-only after the size, takes integers or NumPy integer arrays (which broadcast), and returns
the same kind. Arrays of whatever integers are counted in int64, so that neither narrow nor unsigned ones wrap around;
anything but integers is refused. Nothing here knows an API: what an API's own words mean stands in that API's file.

Source: V. Dumoulin and F. Visin, *A guide to convolution arithmetic for deep learning* (2016), chapter 4, with
``dilation`` and with the crop (lo, hi) of the full output as the one meaning of every padding.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidField

Ints: TypeAlias = NDArray[np.integer[Any]]
IntLike: TypeAlias = "int | Ints"


def effective_kernel_size(kernel_size: Any, *, dilation: Any = 1) -> Any:
    """Extent of the dilated kernel, ``e = d (k - 1) + 1``.

    >>> effective_kernel_size(3, dilation=2)
    5
    """
    if type(kernel_size) is type(dilation) is int and kernel_size >= 1 <= dilation:
        return dilation * (kernel_size - 1) + 1  # a layer's, of which a campaign asks millions of times
    k, d = _checked(kernel_size=kernel_size, dilation=dilation)
    return d * (k - 1) + 1


@overload
def full_size(input_size: int, *, kernel_size: int, stride: int = ..., dilation: int = ...) -> int: ...  # type: ignore[overload-overlap]  # integers alone match this one
@overload
def full_size(input_size: IntLike, *, kernel_size: IntLike, stride: IntLike = ..., dilation: IntLike = ...) -> Ints: ...
def full_size(input_size: Any, *, kernel_size: Any, stride: Any = 1, dilation: Any = 1) -> Any:
    """Size of the full output, ``F = (n - 1) s + e``, in which every product has a place.

    >>> full_size(3, kernel_size=3, stride=2)
    7
    """
    return full_size_of(*_checked(input_size=input_size, kernel_size=kernel_size, stride=stride, dilation=dilation))


def full_size_of(n: int, k: int, s: int, d: int) -> int:
    """``full_size`` of integers that were checked before: a layer's, of which a campaign asks millions of times.

    >>> full_size_of(3, 3, 2, 1)
    7
    """
    return (n - 1) * s + d * (k - 1) + 1


@overload
def output_size(  # type: ignore[overload-overlap]  # integers alone match this one
    input_size: int,
    *,
    kernel_size: int,
    stride: int = ...,
    padding: int = ...,
    output_padding: int = ...,
    dilation: int = ...,
) -> int: ...
@overload
def output_size(
    input_size: IntLike,
    *,
    kernel_size: IntLike,
    stride: IntLike = ...,
    padding: IntLike = ...,
    output_padding: IntLike = ...,
    dilation: IntLike = ...,
) -> Ints: ...
def output_size(
    input_size: Any, *, kernel_size: Any, stride: Any = 1, padding: Any = 0, output_padding: Any = 0, dilation: Any = 1
) -> Any:
    """Output size in PyTorch's coordinates, ``m = F - 2 p + a``; zero or negative where no output is left.

    >>> [output_size(3, kernel_size=3, stride=2, padding=1, output_padding=a) for a in (0, 1)]
    [5, 6]
    """
    full = full_size(input_size, kernel_size=kernel_size, stride=stride, dilation=dilation)
    p, a = _checked(padding=padding, output_padding=output_padding)
    return full - 2 * p + a


@overload
def forward_size(  # type: ignore[overload-overlap]  # integers alone match this one
    input_size: int, *, kernel_size: int, stride: int = ..., total_padding: int = ..., dilation: int = ...
) -> int: ...
@overload
def forward_size(
    input_size: IntLike,
    *,
    kernel_size: IntLike,
    stride: IntLike = ...,
    total_padding: IntLike = ...,
    dilation: IntLike = ...,
) -> Ints: ...
def forward_size(
    input_size: Any, *, kernel_size: Any, stride: Any = 1, total_padding: Any = 0, dilation: Any = 1
) -> Any:
    """Output size of the *forward* convolution of an input of this size, ``⌊(m + P - e) / s⌋ + 1``, never below 0.

    >>> [forward_size(m, kernel_size=3, stride=2) for m in (7, 8, 9)]
    [3, 3, 4]
    """
    m, s, total = _checked(input_size=input_size, stride=stride, total_padding=total_padding)
    windows = (m + total - effective_kernel_size(kernel_size, dilation=dilation)) // s + 1
    return np.maximum(windows, 0) if isinstance(windows, np.ndarray) else max(windows, 0)


def valid_output_sizes(
    input_size: int, *, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> range:
    """Every output size from which the forward convolution of the same arguments gives ``input_size`` back.

    ``V(n) = { m >= 1 : F - 2 p <= m <= F - 2 p + s - 1 }``: more than one size as soon as the stride is above 1.

    >>> list(valid_output_sizes(3, kernel_size=3, stride=2))
    [7, 8]
    >>> list(valid_output_sizes(3, kernel_size=3, stride=2, padding=1))
    [5, 6]
    """
    (p,) = _checked(padding=padding)
    return inverse_sizes(input_size, kernel_size=kernel_size, stride=stride, total_padding=2 * p, dilation=dilation)


def inverse_sizes(
    input_size: int, *, kernel_size: int, stride: int = 1, total_padding: int = 0, dilation: int = 1
) -> range:
    """``valid_output_sizes`` for a forward rule whose two ends are padded by ``total_padding`` together.

    >>> list(inverse_sizes(3, kernel_size=4, stride=3, total_padding=3))
    [7, 8, 9]
    """
    s, total = _checked(stride=stride, total_padding=total_padding)
    least = full_size(input_size, kernel_size=kernel_size, stride=stride, dilation=dilation) - total
    return range(max(least, 1), max(least + s, 1))


def same_inverse_sizes(input_size: int, *, stride: int) -> range:
    """Every size that a forward convolution of the SAME kind (``m -> ⌈m / s⌉``) takes to ``input_size``.

    >>> list(same_inverse_sizes(3, stride=2))
    [5, 6]
    """
    n, s = _checked(input_size=input_size, stride=stride)
    return range(max((n - 1) * s + 1, 1), max(n * s + 1, 1))


def crop_for(full: Any, *, output_size: Any, lo: Any) -> Any:
    """The far crop that is left, ``hi = F - lo - m``, once the near crop and the output size are fixed.

    >>> crop_for(7, output_size=6, lo=1)
    0
    """
    if type(full) is type(output_size) is type(lo) is int:
        return full - lo - output_size
    f, m, near = _checked(full=full, output_size=output_size, lo=lo)
    return f - near - m


def products_per_output(input_size: Any, *, kernel_size: Any, stride: Any = 1, dilation: Any = 1) -> Any:
    """How many products can meet in one output element of one pair of channels.

    It is ``min(⌈n c / d⌉, ⌈k c / s⌉)`` with c = gcd(s, d).

    >>> products_per_output(5, kernel_size=4, stride=2)
    2
    """
    n, k, s, d = _checked(input_size=input_size, kernel_size=kernel_size, stride=stride, dilation=dilation)
    if type(n) is type(k) is type(s) is type(d) is int:
        return products_of(n, k, s, d)
    common = np.gcd(s, d)
    return np.minimum(-(-n * common // d), -(-k * common // s))


def products_of(n: int, k: int, s: int, d: int) -> int:
    """``products_per_output`` of integers that were checked before.

    >>> products_of(5, 4, 2, 1)
    2
    """
    common = math.gcd(s, d)
    return min(-(-n * common // d), -(-k * common // s))


def check_input_size(input_size: Any) -> None:
    """Refuse what is no integer, or array of integers, of at least 0.

    Raises:
        InvalidField: with the value and the rule.
    """
    _checked(input_size=input_size)


def _checked(**fields: Any) -> tuple[Any, ...]:
    """The fields as Python's integers and arrays of int64, in which nothing wraps around."""
    return tuple([_one(name, value) for name, value in fields.items()])


def _one(name: str, value: Any) -> Any:
    """Sizes are at least 0, what ``_LEAST`` has no entry for is any integer; anything but integers is refused."""
    least = _LEAST.get(name)
    # NumPy takes ten times as long for one integer, and a campaign checks millions of them.
    if type(value) is not int:
        value = _widened(name, value)
    if least is not None and (value < least if type(value) is int else np.size(value) and np.min(value) < least):
        raise InvalidField(name, value, f"must be at least {least}")
    return value


_LEAST = {"input_size": 0, "kernel_size": 1, "stride": 1, "dilation": 1}


def _widened(name: str, value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
        if value.dtype == np.uint64 and value.size and np.max(value) > np.iinfo(np.int64).max:
            raise InvalidField(name, value, "must be below 2**63")
        return value.astype(np.int64, copy=False)
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    raise InvalidField(name, value, "must be an integer or an array of integers")
