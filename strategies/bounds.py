"""The work bound: what keeps one case from taking a minute or a gigabyte.

A case has at most 2**24 multiply-adds, and its x, weight, bias and output take at most 16 MiB. The output counts at
its full size with a stride to spare, because some APIs make all of it before they crop. What is too large is reduced,
never thrown away: first the channels (or the batch), then the sizes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from harness.layer import Layer
from harness.records import Size
from harness.values import storage_dtype

MAX_MULTIPLY_ADDS = 2**24
MAX_BYTES = 2**24

#: what published layers are divided down to in the streams: sixteen of them cost as much as the bound allows to one
PUBLISHED_MULTIPLY_ADDS = 2**20


def least_input_size(layer: Layer, *, least: int = 1) -> Size:
    """The smallest input size, not below ``least``, that leaves at least one output element per axis.

    >>> least_input_size(Layer(kernel_size=3, stride=2, padding=3, ndim=1))
    (3,)
    """
    axes = _axes(layer, (0,) * layer.ndim)
    return tuple(max(least, -((f - 2 * p + a - 1) // s)) for f, s, _, p, a in axes)


def case_bytes(layer: Layer, input_size: Sequence[int], *, batch: int = 1, dtype: str = "float32") -> int:
    """Bytes of x, weight, bias and the output at its full size with a stride to spare.

    >>> case_bytes(Layer(kernel_size=3, ndim=1, bias=False), (4,))
    56
    """
    spans = (max(f + max(s, d), f - 2 * p + a, 0) for f, s, d, p, a in _axes(layer, input_size))
    x = batch * layer.in_channels * math.prod(input_size)
    output = batch * layer.out_channels * math.prod(spans)
    elements = x + output + math.prod(layer.weight_shape) + layer.bias * layer.out_channels
    return elements * storage_dtype(dtype).itemsize


def fits(
    layer: Layer,
    input_size: Sequence[int],
    *,
    batch: int = 1,
    dtype: str = "float64",
    multiply_adds: int = MAX_MULTIPLY_ADDS,
) -> bool:
    """Whether a case keeps the work bound.

    >>> fits(Layer(512, 512, 3, ndim=2), (64, 64)), fits(Layer(32, 32, 3, ndim=2), (16, 16))
    (False, True)
    """
    work = layer.multiply_adds(input_size, batch=batch)
    return work <= multiply_adds and case_bytes(layer, input_size, batch=batch, dtype=dtype) <= MAX_BYTES


def divide_channels(layer: Layer, divisor: int) -> Layer:
    """Both channel counts divided, never below 1; in a grouped layer it is the groups that become fewer.

    >>> layer = divide_channels(Layer(64, 128, groups=64, ndim=1), 16)
    >>> layer.in_channels, layer.out_channels, layer.groups
    (4, 8, 4)
    """
    if layer.groups == 1:
        inputs, outputs = (max(1, count // divisor) for count in (layer.in_channels, layer.out_channels))
        return layer.replace(in_channels=inputs, out_channels=outputs)
    groups = max(1, layer.groups // divisor)
    inputs, outputs = (groups * (count // layer.groups) for count in (layer.in_channels, layer.out_channels))
    return layer.replace(in_channels=inputs, out_channels=outputs, groups=groups)


def fit_layer(layer: Layer, input_size: Size | None = None, *, multiply_adds: int = MAX_MULTIPLY_ADDS) -> Layer:
    """The layer with as many channels as fit at ``input_size`` (the least one), and without padding if none do."""
    reduced, divisor = layer, 1
    while not fits(reduced, input_size or least_input_size(reduced), multiply_adds=multiply_adds):
        divisor *= 2
        if reduced.in_channels == reduced.out_channels == 1:
            return layer.replace(in_channels=1, out_channels=1, groups=1, padding=0, output_padding=0)
        # What is left of a grouped layer when its groups are gone is divided like any other.
        reduced = divide_channels(reduced if reduced.groups == 1 != layer.groups else layer, divisor)
    return reduced


def fit_without_groups(layer: Layer, input_size: Size, *, batch: int = 1, dtype: str = "float64") -> Layer:
    """The layer with so few groups that it would fit without them, every input channel to every output channel.

    >>> fit_without_groups(Layer(64, 64, 9, groups=64, ndim=2), (32, 32)).groups
    8
    """
    while layer.groups > 1 and not fits(layer.replace(groups=1), input_size, batch=batch, dtype=dtype):
        layer = divide_channels(layer, 2)
    return layer


def fit_input(layer: Layer, input_size: Size, *, batch: int, dtype: str) -> tuple[int, Size]:
    """Batch and input size reduced until they fit: the batch first, then the widest axis, not below the least size."""
    least = least_input_size(layer)
    while not fits(layer, input_size, batch=batch, dtype=dtype):
        spare = [n - low for n, low in zip(input_size, least, strict=True)]
        widest = spare.index(max(spare))
        if batch <= 1 and spare[widest] <= 0:
            break
        if batch <= 1:
            shorter = input_size[widest] - (spare[widest] + 1) // 2
            input_size = (*input_size[:widest], shorter, *input_size[widest + 1 :])
        batch = min(batch, 1)
    return batch, input_size


def _axes(layer: Layer, input_size: Sequence[int]) -> Iterator[tuple[int, int, int, int, int]]:
    """Per axis the full size, s, d, p, a; unchecked, for it runs several times for each draw."""
    axes = zip(
        input_size, layer.kernel_size, layer.stride, layer.dilation, layer.padding, layer.output_padding, strict=True
    )
    return (((n - 1) * s + d * (k - 1) + 1, s, d, p, a) for n, k, s, d, p, a in axes)
