"""What one argument may say for a layer: a value of a declared domain that means what its role means, or nearly so.

Nothing here knows an API: the role says which of the layer's numbers is meant, the domain how it is written. Sizes and
paddings stand at and around the boundaries of what is legal, for that is where documentation and code part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import NamedTuple, TypeAlias

from hypothesis.strategies import DrawFn

from harness.frameworks.base import Absent, Domain, Flag, Integers, Pairs, Parameter, Role, Words
from harness.layer import Argument, Layer
from harness.records import Size
from strategies.weights import Table, among


class Asked(NamedTuple):
    """The layer and the input size that are being worded, and the padding as it has been written."""

    layer: Layer
    input_size: Size
    padding: Argument = None


Near: TypeAlias = Callable[[Asked, int], int]


def draw_domain(draw: DrawFn, parameter: Parameter) -> Domain:
    """One of the declared domains, the first one mostly."""
    return parameter.domains[draw(_DOMAIN.at(parameter.name)) % len(parameter.domains)]


def draw_argument(draw: DrawFn, parameter: Parameter, domain: Domain, asked: Asked) -> Argument:
    """A value of the domain for this argument; None where it is left out."""
    match domain:
        case Integers():
            return _integers(draw, parameter, domain, asked)
        case Pairs(least):
            return tuple(
                tuple(_at_least(draw(_ENDS.at((parameter.name, axis, end)))(asked, axis), least) for end in (0, 1))
                for axis in range(asked.layer.ndim)
            )
        case Words(meanings):
            return draw(_word(tuple(meanings)).at(parameter.name))
        case Flag():
            return asked.layer.bias if parameter.role is Role.BIAS else draw(_FLAG.at(parameter.name))
        case Absent():
            return None


def _integers(draw: DrawFn, parameter: Parameter, domain: Integers, asked: Asked) -> Argument:
    role, axes = parameter.role, range(asked.layer.ndim)
    if not domain.per_axis:
        return _at_least(_WHOLE.get(role, _nothing)(asked.layer), domain.least)
    if role in _NEAR:
        entries: Iterable[int] = (draw(_NEAR[role].at((parameter.name, axis)))(asked, axis) for axis in axes)
    else:
        entries = _PER_AXIS[role](asked.layer) if role in _PER_AXIS else (0 for _ in axes)
    value = tuple(_at_least(entry, domain.least) for entry in entries)
    return value[0] if len(set(value)) == 1 and draw(_SHORT.at(parameter.name)) else value


@cache
def _word(words: tuple[str, ...]) -> Table[str]:
    return among("word", words)


def _nothing(layer: Layer) -> int:  # noqa: ARG001 # a role without a number in the layer
    return 0


def _at_least(value: int, least: int | None) -> int:
    return value if least is None else max(value, least)


def _full(asked: Asked, axis: int) -> int:
    return asked.layer.full_size(asked.input_size)[axis]


def _base(asked: Asked, axis: int) -> int:
    """The smallest valid output size for the padding as it is written: ``F - P``, or SAME's ``(n - 1) s + 1``."""
    padding = asked.padding
    if isinstance(padding, str) and padding.lower().startswith("same"):
        return (asked.input_size[axis] - 1) * asked.layer.stride[axis] + 1
    if isinstance(padding, tuple):
        padding = padding[axis]
    if isinstance(padding, tuple):
        return _full(asked, axis) - sum(end for end in padding if isinstance(end, int))
    return _full(asked, axis) - (2 * padding if isinstance(padding, int) else 0)


def _reach(asked: Asked, axis: int) -> int:
    return asked.layer.effective_kernel_size[axis] - 1


#: the output size of a word or a padding, the sizes next to the first and the last legal one
_OUTPUT_SIZES: Table[Near] = Table(
    "written output_size",
    {
        _base: 8,
        lambda asked, axis: _base(asked, axis) + asked.layer.stride[axis] - 1: 6,
        lambda asked, axis: _base(asked, axis) + asked.layer.stride[axis] // 2: 3,
        lambda asked, axis: _base(asked, axis) - 1: 1,
        lambda asked, axis: _base(asked, axis) + asked.layer.stride[axis]: 1,
    },
)

_PADDINGS: Table[Near] = Table(
    "written padding",
    {
        lambda asked, axis: asked.layer.padding[axis]: 10,
        lambda asked, axis: max(asked.layer.padding[axis] - 1, 0): 2,
        lambda asked, axis: asked.layer.padding[axis] + 1: 1,
    },
)

_OUTPUT_PADDINGS: Table[Near] = Table(
    "written output_padding",
    {
        lambda asked, axis: asked.layer.output_padding[axis]: 5,
        lambda _asked, _axis: 0: 3,
        lambda asked, axis: asked.layer.stride[axis] - 1: 4,
        lambda asked, axis: max(asked.layer.stride[axis], asked.layer.dilation[axis]) - 1: 2,
        lambda asked, axis: asked.layer.stride[axis]: 1,
    },
)

#: one end of a (begin, end) pair, whichever of the two conventions it follows
_ENDS: Table[Near] = Table(
    "written end",
    {
        lambda asked, axis: asked.layer.crops[axis].lo: 3,
        lambda asked, axis: asked.layer.crops[axis].hi: 2,
        lambda asked, axis: _reach(asked, axis) - asked.layer.crops[axis].lo: 3,
        lambda asked, axis: _reach(asked, axis) - asked.layer.crops[axis].hi: 2,
        _reach: 2,
        lambda _asked, _axis: 0: 2,
        lambda asked, axis: _reach(asked, axis) + 1: 1,
        lambda _asked, _axis: -1: 1,
    },
)

_WHOLE: Mapping[Role, Callable[[Layer], int]] = {
    Role.IN_CHANNELS: lambda layer: layer.in_channels,
    Role.OUT_CHANNELS: lambda layer: layer.out_channels,
    Role.GROUPS: lambda layer: layer.groups,
    Role.KERNEL_SIZE: lambda layer: layer.kernel_size[0],
    Role.STRIDE: lambda layer: layer.stride[0],
    Role.DILATION: lambda layer: layer.dilation[0],
    Role.PADDING: lambda layer: layer.padding[0],
    Role.OUTPUT_PADDING: lambda layer: layer.output_padding[0],
}
_PER_AXIS: Mapping[Role, Callable[[Layer], Size]] = {
    Role.KERNEL_SIZE: lambda layer: layer.kernel_size,
    Role.STRIDE: lambda layer: layer.stride,
    Role.DILATION: lambda layer: layer.dilation,
}
_NEAR: Mapping[Role, Table[Near]] = {
    Role.PADDING: _PADDINGS,
    Role.OUTPUT_PADDING: _OUTPUT_PADDINGS,
    Role.OUTPUT_SIZE: _OUTPUT_SIZES,
}
_DOMAIN = Table("domain", {0: 8, 1: 3, 2: 1})
_FLAG = among("flag", [False, True])
_SHORT = among("one integer for every axis", [False, True])
