"""A few elements of a transposed convolution: enough to reject most hypotheses at a fraction of the cost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.layer import Layer
from harness.records import Size
from harness.reference import Array, Float64

#: where along an axis an input stands, and the kernel position that takes it to the output, as shares of their lengths
_SHARES = ((0.5, 0.3), (0.8, 0.9))


def sampled(x: Array, weight: Array, bias: Array | None, layer: Layer) -> Float64:
    """``reference.conv_transpose`` at a few places, for every batch element and channel; NaN everywhere else.

    >>> x = np.array([[[1.0, 2.0]]])
    >>> sampled(x, x, None, Layer(1, 1, 2, 4, bias=False, ndim=1))[0, 0].tolist()
    [1.0, nan, nan, nan, nan, 4.0]
    """
    output = np.full((len(x), layer.out_channels, *layer.output_size(x.shape[2:])), np.nan)
    if output.size and x.size:
        for place in _places(x.shape[2:], output.shape[2:], layer):
            at_place = _at(place, x, weight, layer)
            everywhere: Any = (..., *place)
            output[everywhere] = at_place if bias is None else at_place + bias
    return output


def _places(n: Size, m: Size, layer: Layer) -> Iterator[Size]:
    """Places where some product lands, or the nearest ones that are left by the crop."""
    axes = list(zip(n, m, layer.kernel_size, layer.stride, layer.dilation, layer.padding, strict=True))
    for share, of_kernel in _SHARES:
        landed = (round((i - 1) * share) * s + round((k - 1) * of_kernel) * d - lo for i, _, k, s, d, lo in axes)
        yield tuple(min(max(j, 0), size - 1) for j, size in zip(landed, m, strict=True))


def _at(place: Size, x: Array, weight: Array, layer: Layer) -> Float64:
    """(N, C_out) at one place: the products of every kernel position that takes an input there, summed."""
    met = [
        list(_meetings(layer, axis, j + layer.padding[axis], n))
        for axis, (j, n) in enumerate(zip(place, x.shape[2:], strict=True))
    ]
    groups, per_group = layer.groups, layer.in_channels // layer.groups
    products = per_group * math.prod(map(len, met))
    seen = x[_grid(met, 0)].astype(np.float64).reshape(len(x), groups, 1, products)
    kernel = weight[_grid(met, 1)].astype(np.float64).reshape(groups, per_group, weight.shape[1], -1 if products else 0)
    sums: Float64 = seen @ kernel.swapaxes(2, 3).reshape(groups, products, weight.shape[1])
    return sums.reshape(len(x), layer.out_channels)


def _meetings(layer: Layer, axis: int, reached: int, n: int) -> Iterator[tuple[int, int]]:
    """The inputs and kernel positions that meet where the full output is reached: ``i s + t d``."""
    for t in range(layer.kernel_size[axis]):
        i, left = divmod(reached - t * layer.dilation[axis], layer.stride[axis])
        if not left and 0 <= i < n:
            yield i, t


def _grid(met: list[list[tuple[int, int]]], which: int) -> Any:
    """An index of the spatial axes: every input that meets something, or every kernel position."""
    return (..., *np.ix_(*([pair[which] for pair in pairs] for pairs in met)))
