"""Layers that a layer file names, with their weights from named tensors: state dicts and safetensors files alike."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from harness.audit.found import FoundLayer, Model
from harness.audit.readers.arrays import NoWeight, as_floats
from harness.audit.readers.request import Request, WrittenLayer
from harness.audit.readers.weights import Tensors, effective
from harness.errors import InvalidField, UsageError
from harness.frameworks.base import Api, Role
from harness.frameworks.registry import apis
from harness.layer import Spelling


def found_among(tensors: Tensors, request: Request) -> Model:
    """The layers of the request with their weights.

    Raises:
        UsageError: the tensors do not have a layer, or have it in another shape than it is written.
    """
    layers = []
    for written in request.layers:
        try:
            layers.append(_layer(written, tensors))
        except NoWeight as why:
            raise UsageError(f"{request.source}: {written.name!r}: {why}") from None
    return Model(request.source, tuple(layers))


def _layer(written: WrittenLayer, tensors: Tensors) -> FoundLayer:
    raw, raw_bias, notes = effective(tensors, written.name)
    weight, bias = as_floats(raw), None if raw_bias is None else as_floats(raw_bias)
    api = _api(written.spelling.api)
    spelling = with_carried(api, written.spelling, weight, written.ndim)
    _check(api, spelling, weight, bias, written.ndim)
    bears = api.bears_bias(spelling)
    if bias is not None and not bears:
        notes = (*notes, "the file has a bias, which the layer as it is written has not: it is left out")
    return FoundLayer(
        written.name, spelling, written.ndim, written.input_size, weight, bias if bears else None, notes=notes
    )


def with_carried(api: Api, spelling: Spelling, weight: NDArray[Any], ndim: int) -> Spelling:
    """The spelling with what its API hands over in the shape of the weight, whatever the text of the layer says of it.

    >>> from harness.frameworks.keras import ConvTranspose
    >>> import numpy as np
    >>> asked = Spelling(ConvTranspose.name, {"filters": 3, "kernel_size": 2})
    >>> with_carried(ConvTranspose(), asked, np.zeros((2, 2, 3, 5)), 2)["in_channels"]
    5
    """
    carried = {p.role: p.name for p in api.parameters if p.carried}
    layout, groups = api.layout(spelling), api.role(spelling, Role.GROUPS) or 1
    if not carried or weight.ndim != ndim + 2:
        return spelling
    places = layout.axes(ndim)
    extents: dict[Role, Any] = {Role.KERNEL_SIZE: tuple(weight.shape[i] for i in places["*"])}
    for role, axis in {Role.IN_CHANNELS: "I", Role.OUT_CHANNELS: "O"}.items():
        extents[role] = weight.shape[places[axis][0]] * (groups if axis == layout.divided else 1)
    return spelling.replace(**{name: extents[role] for role, name in carried.items() if role in extents})


def _api(name: str) -> Api:
    kind = next((kind for kind in apis() if kind.name == name), None)
    if kind is None:
        raise NoWeight(f"the API {name!r} is not known here")
    return kind()


def _shape(api: Api, spelling: Spelling, ndim: int) -> tuple[int, ...]:
    try:
        return api.native_weight_shape(spelling, ndim)
    except (KeyError, TypeError, ZeroDivisionError, InvalidField) as error:
        raise NoWeight(f"the layer as it is written has no weight ({error})") from None


def _check(api: Api, spelling: Spelling, weight: NDArray[Any], bias: NDArray[Any] | None, ndim: int) -> None:
    wanted = _shape(api, spelling, ndim)
    if weight.shape != wanted:
        raise NoWeight(f"its weight has the shape {weight.shape}, but the layer as it is written has {wanted}")
    channels = api.role(spelling, Role.OUT_CHANNELS)
    if api.bears_bias(spelling) and bias is None:
        raise NoWeight("the layer as it is written has a bias, but the file has none: write bias=False")
    if bias is not None and api.bears_bias(spelling) and bias.shape != (channels,):
        raise NoWeight(f"its bias has the shape {bias.shape}, but the layer as it is written has ({channels},)")
