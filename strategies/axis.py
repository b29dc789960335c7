"""One spatial axis of a layer: kernel, stride and dilation first, then a padding and an output padding that fit them.

Paddings are drawn as rules (nothing, half the kernel, all of it, beyond it, ...) and not as numbers, so that every
boundary has its weight whatever the kernel is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from hypothesis.strategies import DrawFn

from harness import sizes
from strategies.weights import Table, up_to


class Axis(NamedTuple):
    """The hyper-parameters of one axis."""

    kernel_size: int
    stride: int
    dilation: int
    padding: int = 0
    output_padding: int = 0

    @property
    def reach(self) -> int:
        """``d (k - 1)``, the largest padding that leaves every input element a share in the output."""
        return int(sizes.effective_kernel_size(self.kernel_size, dilation=self.dilation)) - 1

    @property
    def limit(self) -> int:
        """``max(s, d)``: PyTorch wants the output padding below it."""
        return max(self.stride, self.dilation)


Rule: TypeAlias = Callable[[Axis], int]
Change: TypeAlias = Callable[[Axis], Axis]

KERNEL_SIZES = Table("kernel_size", {1: 12, 2: 28, 3: 26, 4: 16, 5: 8, 6: 5, 7: 5})
STRIDES = Table("stride", {1: 30, 2: 38, 3: 17, 4: 15})
DILATIONS = Table("dilation", {1: 76, 2: 13, 3: 7, 4: 4})
#: plain numbers stand first, so that what needs no big one shrinks to them from here too
BIG_KERNEL_SIZES = Table(
    "big kernel_size",
    {1: 1, 2: 1, 3: 1, 8: 6, 9: 5, 10: 3, 11: 3, 12: 2, 15: 2, 16: 4, 17: 2, 24: 1, 32: 2, 33: 1, 64: 1},
)
BIG_STRIDES = Table(
    "big stride", {1: 1, 2: 1, 3: 1, 5: 6, 6: 4, 7: 4, 8: 5, 9: 2, 10: 2, 12: 1, 16: 3, 17: 1, 32: 1, 64: 1}
)

#: a cube of kernel elements and of inputs is dear: three axes have smaller ones
KERNEL_SIZES_3D = Table("kernel_size", {1: 20, 2: 30, 3: 32, 4: 12, 5: 6})

PADDINGS: Table[Rule] = Table(
    "padding",
    {
        lambda _: 0: 30,
        lambda _: 1: 14,
        lambda axis: axis.reach // 2: 12,
        lambda axis: (axis.reach + 1) // 2: 8,
        lambda axis: max(axis.kernel_size - axis.stride, 0) // 2: 8,
        lambda axis: -(-axis.stride // 2): 5,
        lambda axis: max(axis.reach - 1, 0): 5,
        lambda axis: axis.reach: 10,
        lambda axis: axis.reach + 1: 5,
        lambda axis: axis.reach + axis.stride: 3,
    },
)

OUTPUT_PADDINGS: Table[Rule] = Table(
    "output_padding",
    {
        lambda _: 0: 46,
        lambda axis: min(1, axis.limit - 1): 14,
        lambda axis: axis.stride - 1: 16,
        lambda axis: axis.limit - 1: 14,
        lambda axis: min(axis.padding + 1, axis.limit - 1): 5,
        lambda axis: min(axis.stride, axis.limit - 1): 5,
    },
)

#: one axis that PyTorch has no words for
BEYOND: Table[Change] = Table(
    "beyond",
    {
        lambda axis: axis._replace(output_padding=-1): 6,
        lambda axis: axis._replace(output_padding=axis.limit): 4,
        lambda axis: axis._replace(padding=-1): 4,
        lambda axis: axis._replace(output_padding=-axis.stride): 2,
        lambda axis: axis._replace(output_padding=axis.limit + 1): 2,
        lambda axis: axis._replace(padding=-axis.reach): 1,
        lambda axis: axis._replace(padding=-1, output_padding=-1): 1,
    },
)


class AxisTables(NamedTuple):
    """What the first three numbers of an axis are drawn from."""

    kernel_size: Table[int]
    stride: Table[int]
    dilation: Table[int]


class Limits(NamedTuple):
    """The largest number of each kind that may be drawn."""

    channels: int = 64
    kernel_size: int = 64
    stride: int = 64
    dilation: int = 4


def plain_axis(limits: Limits, ndim: int) -> AxisTables:
    """Axes as most layers have them."""
    kernel_size = up_to(KERNEL_SIZES if ndim < 3 else KERNEL_SIZES_3D, limits.kernel_size)
    return AxisTables(kernel_size, up_to(STRIDES, limits.stride), up_to(DILATIONS, limits.dilation))


def draw_axis(draw: DrawFn, tables: AxisTables, place: int) -> Axis:
    """An axis that PyTorch accepts: ``p >= 0`` and ``0 <= a < max(s, d)``."""
    axis = Axis(*(draw(table.at(place)) for table in tables))
    axis = axis._replace(padding=draw(PADDINGS.at(place))(axis))
    return axis._replace(output_padding=draw(OUTPUT_PADDINGS.at(place))(axis))
