"""How much work a layer is, and what is too much to be run for somebody who wrote it down."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from harness.layer import Layer

#: multiply-adds, and elements of one array, that one run may have
MOST_WORK, MOST_ELEMENTS = 2**34, 2**28


def excess(
    layer: Layer | None,
    input_size: Sequence[int],
    *,
    batch: int = 1,
    work: int = MOST_WORK,
    elements: int = MOST_ELEMENTS,
) -> str | None:
    """Why a layer is not run: it would take minutes or all of the memory. None where it may be.

    Without a layer there is only an input of one channel.

    >>> excess(Layer(kernel_size=1, ndim=1), (1,), batch=2**29)
    'has 536870912 multiply-adds and an array of 536870912 elements: at most 17179869184 and 268435456 fit'
    """
    needed, largest = 0, batch * prod(input_size)
    if layer is not None:
        ends = map(max, layer.full_size(input_size), layer.output_size(input_size))
        arrays = largest * layer.in_channels, batch * layer.out_channels * prod(ends), prod(layer.weight_shape)
        needed, largest = layer.multiply_adds(input_size, batch=batch), max(arrays)
    if needed <= work and largest <= elements:
        return None
    return f"has {needed} multiply-adds and an array of {largest} elements: at most {work} and {elements} fit"
