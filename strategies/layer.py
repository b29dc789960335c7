"""``layers()``: every boundary of the operator with a weight of its own, and nothing drawn in vain.

Layers are built from the inside out, kernel before padding before channels, so that each one is legal as it comes.
"""

from __future__ import annotations

from enum import Enum

from hypothesis.strategies import DrawFn, SearchStrategy

from harness.layer import MAX_NDIM, Layer
from strategies.axis import (
    BEYOND,
    BIG_KERNEL_SIZES,
    BIG_STRIDES,
    KERNEL_SIZES,
    STRIDES,
    Axis,
    AxisTables,
    Change,
    Limits,
    draw_axis,
    plain_axis,
)
from strategies.bounds import fit_layer
from strategies.channels import DEPTHWISE, MANY, ChannelKind, Channels, channel_tables, draw_channels
from strategies.sampling import drawn
from strategies.weights import Table, among, check_between, check_flag, up_to


class Corner(Enum):
    """What is out of the ordinary about a layer, if anything is."""

    NONE = "none"
    CHANNELS = "channels"
    KERNEL = "a big kernel"
    STRIDE = "a big stride"
    BEYOND = "beyond PyTorch's words"


#: number of axes, and whether they are all alike
_RANKS = {(1, True): 5, (2, True): 2, (2, False): 3, (3, True): 2, (3, False): 3}

#: of 100 layers: what is extreme about them, and with which channels
_CORNERS: dict[tuple[Corner, ChannelKind], int] = {
    (Corner.NONE, ChannelKind.FEW): 66,
    (Corner.CHANNELS, ChannelKind.MANY_IN): 2,
    (Corner.CHANNELS, ChannelKind.MANY_OUT): 2,
    (Corner.CHANNELS, ChannelKind.MANY): 1,
    (Corner.CHANNELS, ChannelKind.GROUPED): 6,
    (Corner.CHANNELS, ChannelKind.DEPTHWISE): 6,
    (Corner.KERNEL, ChannelKind.FEW): 6,
    (Corner.STRIDE, ChannelKind.FEW): 5,
    (Corner.BEYOND, ChannelKind.FEW): 5,
    (Corner.BEYOND, ChannelKind.GROUPED): 1,
}


def layers(
    *,
    ndim: int | None = None,
    max_ndim: int = MAX_NDIM,
    max_channels: int = Limits().channels,
    max_kernel_size: int = Limits().kernel_size,
    max_stride: int = Limits().stride,
    max_dilation: int = Limits().dilation,
    allow_groups: bool = True,
    allow_beyond: bool = True,
) -> SearchStrategy[Layer]:
    """Layers with one to three axes that keep the work bound at their least input size.

    ``ndim`` fixes the number of axes. ``allow_beyond=False`` leaves out what PyTorch's rule ``p >= 0`` and
    ``0 <= a < max(s, d)`` forbids (a few percent). Draws shrink to ``Layer(1, 1, 1, ndim=1, bias=False)``.

    Raises:
        InvalidArgument: an option outside its range; the message has the value.

    >>> from hypothesis import find
    >>> find(layers(), lambda layer: layer.kernel_size[0] == 3).kernel_size
    (3,)
    """
    limits = Limits(max_channels, max_kernel_size, max_stride, max_dilation)
    for name, value, most in zip(Limits._fields, limits, Limits(), strict=True):
        check_between(f"max_{name}", value, 1, most)
    check_between("max_ndim", max_ndim, 1, MAX_NDIM)
    if ndim is not None:
        check_between("ndim", ndim, 1, MAX_NDIM)
    check_flag("allow_groups", allow_groups)
    check_flag("allow_beyond", allow_beyond)
    counts = range(1, max_ndim + 1) if ndim is None else (ndim,)
    ranks = {rank: weight for rank, weight in _RANKS.items() if rank[0] in counts}
    return _layers(Table("rank", ranks), limits, Table("corner", _corners(limits, allow_groups, allow_beyond)))


def _corners(limits: Limits, allow_groups: bool, allow_beyond: bool) -> dict[tuple[Corner, ChannelKind], int]:
    """The corners that the options leave open."""
    closed: set[Corner | ChannelKind] = set() if allow_beyond else {Corner.BEYOND}
    if limits.kernel_size <= max(KERNEL_SIZES.weights):
        closed.add(Corner.KERNEL)
    if limits.stride <= max(STRIDES.weights):
        closed.add(Corner.STRIDE)
    if limits.channels < min(MANY.weights):
        closed |= {ChannelKind.MANY_IN, ChannelKind.MANY_OUT, ChannelKind.MANY}
    if not allow_groups or limits.channels < min(DEPTHWISE.weights):
        closed |= {ChannelKind.GROUPED, ChannelKind.DEPTHWISE}
    return {pair: weight for pair, weight in _CORNERS.items() if closed.isdisjoint(pair)}


def _layers(
    ranks: Table[tuple[int, bool]],
    limits: Limits,
    corners: Table[tuple[Corner, ChannelKind]],
) -> SearchStrategy[Layer]:
    plain = {ndim: plain_axis(limits, ndim) for ndim in range(1, MAX_NDIM + 1)}
    extremes = {
        Corner.KERNEL: {"kernel_size": up_to(BIG_KERNEL_SIZES, limits.kernel_size)},
        Corner.STRIDE: {"stride": up_to(BIG_STRIDES, limits.stride)},
    }
    channels = channel_tables(limits.channels)

    @drawn
    def layer(draw: DrawFn) -> Layer:
        ndim, alike = draw(ranks.at())
        corner, kind = draw(corners.at())
        # The extreme axis comes before the plain ones, so that shrinking can take those away.
        where, change = _draw_change(draw, plain[ndim]._replace(**extremes.get(corner, {})), ndim, corner)
        axes = _draw_axes(draw, plain[ndim], ndim, alike)
        axes[where] = change(axes[where])
        return _assemble(axes, draw_channels(draw, channels, kind), draw(_BIAS.at()))

    return layer


def _draw_change(draw: DrawFn, tables: AxisTables, ndim: int, corner: Corner) -> tuple[int, Change]:
    """Which axis is out of the ordinary, and what becomes of it."""
    if corner in (Corner.NONE, Corner.CHANNELS):
        return 0, lambda axis: axis
    where = draw(_WHERE[ndim].at())
    if corner is Corner.BEYOND:
        return where, draw(BEYOND.at())
    extreme = draw_axis(draw, tables, MAX_NDIM)
    return where, lambda _: extreme


def _draw_axes(draw: DrawFn, tables: AxisTables, ndim: int, alike: bool) -> list[Axis]:
    if alike:
        return [draw_axis(draw, tables, 0)] * ndim
    return [draw_axis(draw, tables, place) for place in range(ndim)]


def _assemble(axes: list[Axis], channels: Channels, bias: bool) -> Layer:
    kernel_size, stride, dilation, padding, output_padding = zip(*axes, strict=True)
    layer = Layer(
        channels.in_channels,
        channels.out_channels,
        kernel_size,
        stride,
        padding,
        output_padding,
        dilation,
        channels.groups,
        bias,
    )
    return fit_layer(layer)


_WHERE = {ndim: among("extreme axis", range(ndim)) for ndim in range(1, MAX_NDIM + 1)}
_BIAS = among("bias", [False, True])
