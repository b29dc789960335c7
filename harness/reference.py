"""The right answer, derived three times independently in NumPy; what a framework does never enters.

``conv_transpose`` scatters every product to its place in the full output and cuts the crop; ``zero_insertion``
correlates the zero-inserted input with the flipped kernel; ``matrix`` transposes the explicit matrix of the forward
convolution. On integers all three are exact; otherwise they compute in float64. Loops run over kernel positions only.

Sources: V. Dumoulin and F. Visin, *A guide to convolution arithmetic for deep learning* (2016), chapter 4; for the
bound N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 3.1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidField
from harness.layer import Layer

Array: TypeAlias = NDArray[Any]
Float64: TypeAlias = NDArray[np.float64]

#: unit round-off u, smallest normal number and largest number of each dtype
UNIT_ROUNDOFF = {"float32": 2.0**-24, "float64": 2.0**-53, "float16": 2.0**-11, "bfloat16": 2.0**-8}
SMALLEST_NORMAL = {"float32": 2.0**-126, "float64": 2.0**-1022, "float16": 2.0**-14, "bfloat16": 2.0**-126}
LARGEST = {"float32": 3.4e38, "float64": 1.79e308, "float16": 65504.0, "bfloat16": 3.38e38}


def conv_transpose(x: Array, weight: Array, bias: Array | None, layer: Layer) -> Float64:
    """The transposed convolution by scatter-add.

    x ``(N, C_in, *n)`` and weight ``(C_in, C_out/g, *k)`` give ``(N, C_out, *m)``:
    ``full[i s + t d] += x[i] w[t]``, then ``y[j] = full[j + lo]``, zero outside, plus the bias.

    Raises:
        InvalidField: an array does not fit the layer, or the output size is negative.

    >>> x = np.array([[[[0.0, 1.0], [2.0, 3.0]]]])
    >>> conv_transpose(x, x, None, Layer(1, 1, (2, 2), bias=False))[0, 0].tolist()
    [[0.0, 0.0, 1.0], [0.0, 4.0, 6.0], [4.0, 12.0, 9.0]]
    """
    m = _check(x, weight, bias, layer)
    n = x.shape[2:]
    extent = _full_extent(layer, n)
    full = np.zeros((len(x), layer.out_channels, *extent))
    kernel = _flat_kernel(weight, layer).swapaxes(1, 2)
    products = (kernel @ _flat(x, layer)).reshape(len(x), layer.out_channels, math.prod(layer.kernel_size), *n)
    for number, reached in enumerate(_reached(layer, n)):
        full[reached] += products[:, :, number]
    return _with_bias(_cropped(full, layer, extent, m), bias)


def zero_insertion(x: Array, weight: Array, bias: Array | None, layer: Layer) -> Float64:
    """The transposed convolution by gathering: s - 1 zeros between inputs, padded, correlated with the flipped kernel.

    Same arrays and errors as ``conv_transpose``. Inserted zeros are multiplied, so NaN and infinities in the weight
    spread wider than in the scatter.

    >>> x = np.array([[[1.0, 2.0]]])
    >>> zero_insertion(x, x, None, Layer(1, 1, 2, 2, bias=False, ndim=1))[0, 0].tolist()
    [1.0, 2.0, 2.0, 4.0]
    """
    m = _check(x, weight, bias, layer)
    padded = _zero_inserted(x, layer, m)
    flipped = np.flip(weight, tuple(range(2, weight.ndim)))
    output = np.zeros((len(x), layer.out_channels, *m))
    for tap in itertools.product(*map(range, layer.kernel_size)):
        window = tuple(slice(t * d, t * d + size) for t, d, size in zip(tap, layer.dilation, m, strict=True))
        seen = _flat(padded[_last(window)], layer)
        position = flipped[_last(tap)].reshape(layer.groups, -1, weight.shape[1]).astype(np.float64)
        output += (position.swapaxes(1, 2) @ seen).reshape(output.shape)
    return _with_bias(output, bias)


def matrix(x: Array, weight: Array, bias: Array | None, layer: Layer) -> Float64:
    """The transposed convolution as the transpose of the forward convolution's explicit matrix. For small cases.

    Row i and column j of an axis hold w[t] where ``j + lo = i s + t d``. Same arrays and errors as ``conv_transpose``.

    >>> x = np.array([[[1.0, 2.0]]])
    >>> matrix(x, x, None, Layer(1, 1, 2, 2, bias=False, ndim=1))[0, 0].tolist()
    [1.0, 2.0, 2.0, 4.0]
    """
    m = _check(x, weight, bias, layer)
    n = x.shape[2:]
    groups, inputs = layer.groups, layer.in_channels // layer.groups
    rows, columns, taps = ("ijk"[: layer.ndim], "pqr"[: layer.ndim], "tuv"[: layer.ndim])
    links = ",".join(map("".join, zip(rows, columns, taps, strict=True)))
    output = np.einsum(
        f"bgc{rows},gco{taps},{links}->bgo{columns}",
        x.reshape(len(x), groups, inputs, *n).astype(np.float64),
        weight.reshape(groups, inputs, *weight.shape[1:]).astype(np.float64),
        *_links(layer, n, m),
        optimize=True,
    )
    return _with_bias(output.reshape(len(x), layer.out_channels, *m), bias)


def forward_conv(y: Array, weight: Array, layer: Layer, input_size: Sequence[int]) -> Float64:
    """The adjoint of ``conv_transpose`` without bias: the forward convolution.

    y ``(N, C_out, *m)`` is padded by (lo, hi), or cut where they are negative; the result has x's shape
    ``(N, C_in, *n)``. The adjoint identity
    ``sum(conv_transpose(x) * y) == sum(x * forward_conv(y))`` is exact on integers.

    Raises:
        InvalidField: y does not have the layer's output size, or the weight not the layer's shape.

    >>> layer = Layer(1, 1, 2, 2, bias=False, ndim=1)
    >>> forward_conv(np.array([[[1.0, 2.0, 3.0, 4.0]]]), np.array([[[1.0, 10.0]]]), layer, (2,))[0, 0].tolist()
    [21.0, 43.0]
    """
    n = tuple(input_size)
    _check_weight(weight, layer)
    full = _uncropped(y, layer, n)
    result = np.zeros((len(y), layer.in_channels, *n))
    for tap, reached in zip(_taps(layer), _reached(layer, n), strict=True):
        position = weight[_last(tap)].reshape(layer.groups, -1, weight.shape[1]).astype(np.float64)
        result += (position @ _flat(full[reached], layer)).reshape(result.shape)
    return result


def vjp(
    x: Array, weight: Array, bias: Array | None, layer: Layer, cotangent: Array
) -> tuple[Float64, Float64, Float64 | None]:
    """The vector-Jacobian products (dx, dweight, dbias) of ``conv_transpose`` for a cotangent of y's shape.

    dbias is None without a bias. Exact on integers.

    Raises:
        InvalidField: an array does not fit the layer.

    >>> layer = Layer(1, 1, 2, 2, ndim=1)
    >>> x, w, y = np.array([[[1.0, 2.0]]]), np.array([[[1.0, 10.0]]]), np.array([[[1.0, 2.0, 3.0, 4.0]]])
    >>> [a.tolist() for a in vjp(x, w, np.zeros(1), layer, y) if a is not None]
    [[[[21.0, 43.0]]], [[[7.0, 10.0]]], [10.0]]
    """
    _check(x, weight, bias, layer)
    if len(cotangent) != len(x):
        raise InvalidField("cotangent.shape", cotangent.shape, f"must have batch {len(x)}, like x")
    n = x.shape[2:]
    dx = forward_conv(cotangent, weight, layer, n)
    full = _uncropped(cotangent, layer, n)
    dweight = np.zeros(weight.shape)
    for tap, reached in zip(_taps(layer), _reached(layer, n), strict=True):
        per_batch = _flat(x, layer) @ _flat(full[reached], layer).swapaxes(-1, -2)
        dweight[_last(tap)] = per_batch.sum(axis=0).reshape(weight.shape[:2])
    spatial = tuple(range(2, cotangent.ndim))
    return dx, dweight, None if bias is None else cotangent.astype(np.float64).sum(axis=(0, *spatial))


def magnitudes(x: Array, weight: Array, bias: Array | None, layer: Layer) -> Float64:
    """``Σ|x||w| + |b|`` for each output element, what the error bound is relative to.

    >>> x = np.array([[[-1.0, 2.0]]])
    >>> magnitudes(x, x, None, Layer(1, 1, 2, bias=False, ndim=1))[0, 0].tolist()
    [1.0, 4.0, 4.0]
    """
    return conv_transpose(np.abs(x), np.abs(weight), None if bias is None else np.abs(bias), layer)


def error_bound(x: Array, weight: Array, bias: Array | None, layer: Layer, dtype: str) -> Float64 | None:
    """How far a computation in ``dtype`` may be from the right answer, for each output element.

    ``γ_{K+1} (Σ|x||w| + |b|) + u |y| + (K + 2) η`` with ``γ_K = K u / (1 - K u)``, u the unit round-off and η the
    smallest normal number; twice that for float64, in which the reference itself is computed. Elements whose terms may
    overflow are not bounded (infinity); None where ``(K + 1) u >= 1``. Inputs are finite.

    >>> x = np.ones((1, 1, 1))
    >>> bound = error_bound(x, x, None, Layer(1, 1, 1, bias=False, ndim=1), "float32")
    >>> round(float(bound[0, 0, 0]) * 2**24, 6)
    3.0
    """
    products = layer.products_per_output(x.shape[2:])
    return _bound(products, magnitudes(x, weight, bias, layer), conv_transpose(x, weight, bias, layer), dtype)


def gradient_bounds(
    x: Array, weight: Array, bias: Array | None, layer: Layer, cotangent: Array, dtype: str
) -> tuple[Float64 | None, Float64 | None, Float64 | None]:
    """The bounds of (dx, dweight, dbias), like ``error_bound`` of the output.

    None where K u is too large to judge, and for dbias where there is no bias. Inputs are finite.

    >>> x, w, y = np.ones((1, 1, 2)), np.ones((1, 1, 1)), np.ones((1, 1, 2))
    >>> bounds = gradient_bounds(x, w, None, Layer(1, 1, 1, bias=False, ndim=1), y, "float32")
    >>> [None if b is None else round(float(b.ravel()[0]) * 2**24, 6) for b in bounds]
    [3.0, 8.000001, None]
    """
    terms = vjp(np.abs(x), np.abs(weight), None if bias is None else np.abs(bias), layer, np.abs(cotangent))
    values = vjp(x, weight, bias, layer, cotangent)
    products = layer.products_per_gradient(x.shape[2:], batch=len(x))
    dx, dweight, dbias = (
        None if one is None or term is None else _bound(count, term, one, dtype)
        for count, term, one in zip(products, terms, values, strict=True)
    )
    return dx, dweight, dbias


def _bound(products: int, terms: Float64, values: Float64, dtype: str) -> Float64 | None:
    u = UNIT_ROUNDOFF[dtype]
    if (products + 1) * u >= 1:
        return None
    gamma = (products + 1) * u / (1 - (products + 1) * u)
    bound = gamma * terms + u * np.abs(values) + (products + 2) * SMALLEST_NORMAL[dtype]
    bound = 2 * bound if dtype == "float64" else bound
    return np.where(terms * (1 + gamma) < LARGEST[dtype], bound, np.inf)


def _check(x: Array, weight: Array, bias: Array | None, layer: Layer) -> tuple[int, ...]:
    """Refuse arrays that do not fit the layer; the output size of those that do."""
    if x.ndim != layer.ndim + 2 or x.shape[1] != layer.in_channels:
        raise InvalidField("x.shape", x.shape, f"must be (N, {layer.in_channels}, and {layer.ndim} spatial sizes)")
    _check_weight(weight, layer)
    if (bias is None) is layer.bias or (bias is not None and bias.shape != (layer.out_channels,)):
        due = f"({layer.out_channels},)" if layer.bias else "None"
        raise InvalidField("bias.shape", None if bias is None else bias.shape, f"must be {due}")
    if min(size := layer.output_size(x.shape[2:])) < 0:
        raise InvalidField("output_size", size, "must not be negative on any axis")
    return size


def _check_weight(weight: Array, layer: Layer) -> None:
    if weight.shape != layer.weight_shape:
        raise InvalidField("weight.shape", weight.shape, f"must be {layer.weight_shape}")


def _last(index: Iterable[Any]) -> Any:
    """An index of the last axes."""
    return (..., *index)


def _taps(layer: Layer) -> Iterator[tuple[int, ...]]:
    return itertools.product(*map(range, layer.kernel_size))


def _full_extent(layer: Layer, n: Sequence[int]) -> tuple[int, ...]:
    return tuple([max(extent, 0) for extent in layer.full_size(n)])


def _reached(layer: Layer, n: Sequence[int]) -> Iterator[Any]:
    """For each kernel position, where it takes the inputs in the full output: ``t d, t d + s, …``, n places an axis."""
    axes = zip(n, layer.kernel_size, layer.stride, layer.dilation, strict=True)
    return itertools.product([...], *([_places(t * d, i, s) for t in range(k)] for i, k, s, d in axes))


def _places(start: int, count: int, step: int) -> slice:
    return slice(start, start + (count - 1) * step + 1 if count else start, step)


def _flat(array: Array, layer: Layer) -> Float64:
    """(N, C, *size) as (N, groups, C/groups, Πsize)."""
    shape = (len(array), layer.groups, array.shape[1] // layer.groups, math.prod(array.shape[2:]))
    return array.astype(np.float64).reshape(shape)


def _flat_kernel(weight: Array, layer: Layer) -> Float64:
    """(C_in, C_out/g, *k) as (groups, C_in/groups, C_out/groups · Πk)."""
    return weight.astype(np.float64).reshape(layer.groups, len(weight) // layer.groups, -1)


def _overlap(layer: Layer, extents: Sequence[int], sizes: Sequence[int]) -> tuple[Any, Any]:
    """What the full output and the cropped output have in common, as an index into each."""
    of_full, of_output = [], []
    for extent, m, lo in zip(extents, sizes, layer.padding, strict=True):
        start, place = max(lo, 0), max(-lo, 0)
        length = max(min(extent - start, m - place), 0)
        of_full.append(slice(start, start + length))
        of_output.append(slice(place, place + length))
    return _last(of_full), _last(of_output)


def _cropped(full: Float64, layer: Layer, extents: tuple[int, ...], sizes: tuple[int, ...]) -> Float64:
    if extents == sizes and not any(layer.padding):
        return full
    of_full, of_output = _overlap(layer, extents, sizes)
    output = np.zeros((*full.shape[:2], *sizes))
    output[of_output] = full[of_full]
    return output


def _uncropped(y: Array, layer: Layer, n: Sequence[int]) -> Float64:
    size = layer.output_size(n)
    if y.shape[1:] != (layer.out_channels, *size):
        raise InvalidField("y.shape", y.shape, f"must be (N, {layer.out_channels}, *{size})")
    extents = _full_extent(layer, n)
    of_full, of_output = _overlap(layer, extents, size)
    full = np.zeros((*y.shape[:2], *extents))
    full[of_full] = y[of_output]
    return full


def _with_bias(output: Float64, bias: Array | None) -> Float64:
    return output if bias is None else output + bias.astype(np.float64).reshape(-1, *[1] * (output.ndim - 2))


def _zero_inserted(x: Array, layer: Layer, m: Sequence[int]) -> Float64:
    """The input with s - 1 zeros between its elements, padded by e - 1 - lo in front and to size m + e - 1."""
    extents = [size + e - 1 for size, e in zip(m, layer.effective_kernel_size, strict=True)]
    padded = np.zeros((*x.shape[:2], *extents))
    source, place = [], []
    for i, s, e, (lo, _), extent in zip(
        x.shape[2:], layer.stride, layer.effective_kernel_size, layer.crops, extents, strict=True
    ):
        positions = e - 1 - lo + s * np.arange(i)
        inside = (positions >= 0) & (positions < extent)
        source.append(np.flatnonzero(inside))
        place.append(positions[inside])
    channels = (np.arange(len(x)), np.arange(x.shape[1]))
    padded[np.ix_(*channels, *place)] = x[np.ix_(*channels, *source)]
    return padded


def _links(layer: Layer, n: Sequence[int], m: Sequence[int]) -> Iterator[Float64]:
    """For each axis, 1 where input i meets output j through kernel position t: ``j + lo = i s + t d``."""
    for i, j, k, s, d, (lo, _) in zip(n, m, layer.kernel_size, layer.stride, layer.dilation, layer.crops, strict=True):
        reached = s * np.arange(i)[:, None, None] + d * np.arange(k)[None, None, :]
        yield (np.arange(j)[None, :, None] + lo == reached).astype(np.float64)
