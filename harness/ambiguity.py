"""The size ambiguity of a layer: its valid output sizes, which one each API picks, which it reaches, with which crop.

What is said of an API here is what its documentation makes of its words (``resolve``); ``fuzz`` holds the installed
versions against exactly that. Axes are independent, so each axis is asked as a layer all of whose axes are alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness import sizes
from harness.frameworks.base import Api, Role
from harness.layer import Layer, Spelling
from harness.records import ApiSizes, AxisSizes, Reach, Resolved, Size, SizeTable

_CROP_ROLES = (Role.PADDING, Role.OUTPUT_PADDING, Role.OUTPUT_SIZE, Role.CONVENTION)


def size_table(layer: Layer, input_size: Size, apis: Sequence[Api]) -> SizeTable:
    """The table of every axis of a layer at one input size. The layer's output_padding is not used.

    Raises:
        InvalidField: the input size has not one entry for each axis, or one below 0.
    """
    layer.full_size(input_size)
    return SizeTable(layer, tuple(_axis(layer, axis, n, apis) for axis, n in enumerate(input_size)))


def _axis(layer: Layer, axis: int, n: int, apis: Sequence[Api]) -> AxisSizes:
    k, s, p, d = (v[axis] for v in (layer.kernel_size, layer.stride, layer.padding, layer.dilation))
    alike = Layer(1, 1, k, s, p, 0, d, bias=False, ndim=layer.ndim)
    valid = sizes.valid_output_sizes(n, kernel_size=k, stride=s, padding=p, dilation=d)
    return AxisSizes(axis, n, tuple(valid), tuple(_api(api, alike, n, valid) for api in apis))


def _api(api: Api, alike: Layer, n: int, valid: range) -> ApiSizes:
    input_size = (n,) * alike.ndim
    least = alike.output_size(input_size)[0]
    found = {m: _reach(api, alike.replace(output_padding=m - least), input_size) for m in valid}
    reach = {m: one for m, one in found.items() if one is not None}
    default, picked = _picked(api, alike, input_size)
    return ApiSizes(api.name, default, reach, tuple(m for m in valid if m not in reach), picked)


def _picked(api: Api, alike: Layer, input_size: Size) -> tuple[int, Reach] | tuple[None, None]:
    """The size that comes out where nobody names one, and how."""
    spelling = api.default_spelling(alike, input_size)
    resolved = None if spelling is None else api.resolve(spelling, input_size)
    if spelling is None or not isinstance(resolved, Resolved):
        return None, None
    size = resolved.layer.output_size(input_size)[0]
    wanted = alike.replace(output_padding=size - alike.output_size(input_size)[0])
    return size, _as_reach(api, spelling, resolved, wanted, input_size)


def _reach(api: Api, layer: Layer, input_size: Size) -> Reach | None:
    """The first wording with the layer's crop, or else the first with its size; None without either."""
    shifted = None
    for spelling in api.candidates(layer, input_size):
        resolved = api.resolve(spelling, input_size)
        if not isinstance(resolved, Resolved) or resolved.layer.output_size(input_size) != layer.output_size(
            input_size
        ):
            continue
        reach = _as_reach(api, spelling, resolved, layer, input_size)
        if reach.same_crop:
            return reach
        shifted = shifted or reach
    return shifted


def _as_reach(api: Api, spelling: Spelling, resolved: Resolved, wanted: Layer, input_size: Size) -> Reach:
    crop = resolved.layer.crops[0]
    call = api.snippet(spelling, input_size)
    return Reach(_arguments(api, spelling, wanted.ndim), call, crop, crop == wanted.crops[0])


def _arguments(api: Api, spelling: Spelling, ndim: int) -> Mapping[str, Any]:
    """The arguments that decide the crop, one entry for the axis."""
    names = [p.name for p in api.parameters if p.role in _CROP_ROLES]
    return {name: _of_axis(value, ndim) for name, value in spelling.arguments if name in names}


def _of_axis(value: Any, ndim: int) -> Any:
    return value[0] if isinstance(value, tuple) and len(value) == ndim else value
