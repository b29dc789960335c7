"""Channel counts and groups: few channels, many, grouped ones, depthwise ones with a multiplier."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from hypothesis.strategies import DrawFn

from strategies.weights import Table, up_to

FEW = Table("few channels", {1: 32, 2: 28, 3: 22, 4: 18})
MANY = Table("many channels", {17: 4, 20: 3, 24: 3, 32: 4, 33: 2, 48: 2, 64: 2})
GROUPS = Table("groups", {2: 6, 3: 3, 4: 3, 5: 1})
PER_GROUP = Table("channels per group", {1: 4, 2: 4, 3: 3})
DEPTHWISE = Table("depthwise channels", {2: 6, 3: 5, 4: 4, 6: 2, 8: 2, 16: 1, 20: 1})
MULTIPLIERS = Table("multiplier", {1: 2, 2: 8, 3: 3, 4: 1})


class Channels(NamedTuple):
    """The channel counts of a layer and its groups."""

    in_channels: int
    out_channels: int
    groups: int = 1


class ChannelKind(Enum):
    """The regimes of channel counts."""

    FEW = "few"
    MANY_IN = "many in"
    MANY_OUT = "many out"
    MANY = "many"
    GROUPED = "grouped"
    DEPTHWISE = "depthwise"


class ChannelTables(NamedTuple):
    """What channel counts of each regime are drawn from."""

    few: Table[int]
    many: Table[int]
    groups: Table[int]
    per_group: Table[int]
    depthwise: Table[int]
    multiplier: Table[int]


def channel_tables(maximum: int) -> ChannelTables:
    """Tables that keep every count at ``maximum`` or below."""
    groups, depthwise = min(5, maximum), min(20, maximum)
    return ChannelTables(
        few=up_to(FEW, maximum),
        many=up_to(MANY, maximum),
        groups=up_to(GROUPS, groups),
        per_group=up_to(PER_GROUP, maximum // groups),
        depthwise=up_to(DEPTHWISE, depthwise),
        multiplier=up_to(MULTIPLIERS, maximum // depthwise),
    )


def draw_channels(draw: DrawFn, tables: ChannelTables, kind: ChannelKind) -> Channels:
    """Channel counts of one regime; groups divide both."""
    if kind is ChannelKind.GROUPED:
        groups, (inputs, outputs) = draw(tables.groups.at()), (draw(tables.per_group.at(place)) for place in (0, 1))
        return Channels(groups * inputs, groups * outputs, groups)
    if kind is ChannelKind.DEPTHWISE:
        groups = draw(tables.depthwise.at())
        return Channels(groups, groups * draw(tables.multiplier.at()), groups)
    many_in = kind in (ChannelKind.MANY_IN, ChannelKind.MANY)
    many_out = kind in (ChannelKind.MANY_OUT, ChannelKind.MANY)
    inputs = draw((tables.many if many_in else tables.few).at(0))
    return Channels(inputs, draw((tables.many if many_out else tables.few).at(1)))
