"""``.keras`` archives, read as data: no Keras is imported and nothing in them is executed.

The configuration says the layers and, in ``build_config``, the shapes that they were built for. What is not Keras's
own (a Lambda, a custom class) is passed over and said; the layers beside it are read.
"""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from harness.audit.found import FoundLayer, Model, SkippedLayer
from harness.audit.readers.arrays import NoWeight, as_floats
from harness.audit.readers.keras_graph import Graph, name_of
from harness.audit.readers.keras_weights import Group, unpacked
from harness.audit.readers.request import Request
from harness.errors import UsageError
from harness.frameworks.keras import ConvTranspose
from harness.layer import Spelling

_TRANSPOSED = re.compile(r"Conv(?:olution)?([123])DTranspose")
_MODELS = ("Functional", "Sequential", "Model")
_WORDS = ("filters", "kernel_size", "strides", "padding", "output_padding", "dilation_rate", "use_bias")

#: bytes that a configuration may have; the largest published ones have some megabytes
_LARGEST = 64 * 2**20


def read(request: Request) -> Model:
    """The transposed convolutions of a ``.keras`` archive.

    Raises:
        UsageError: it is none.
    """
    import h5py

    try:
        with zipfile.ZipFile(request.source) as archive, tempfile.TemporaryDirectory() as folder:
            config = _config(archive, request.source)
            with h5py.File(unpacked(archive, request.source, Path(folder)), "r") as weights:
                found = list(_walk(config, Group(weights), ""))
    except zipfile.BadZipFile as error:
        raise UsageError(f"{request.source}: is no .keras archive ({error}): save it again with model.save") from None
    layers = tuple(one for one in found if isinstance(one, FoundLayer))
    return Model(request.source, layers, tuple(one for one in found if isinstance(one, SkippedLayer)))


def _config(archive: zipfile.ZipFile, source: str) -> dict[str, Any]:
    try:
        info = archive.getinfo("config.json")
    except KeyError:
        raise UsageError(f"{source}: has no config.json: save the whole model with model.save") from None
    with archive.open(info) as opened:
        text = opened.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise UsageError(f"{source}: config.json is larger than {_LARGEST} bytes: that is no model's")
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{source}: config.json is no JSON ({error}): save it again with model.save") from None
    if not _is_model(config):
        kind = config.get("class_name") if isinstance(config, dict) else None
        raise UsageError(
            f"{source}: its model is {kind!r}, not a Functional or Sequential one, and so its layers stand in code: "
            f"export it to ONNX"
        )
    return dict(config)


def _is_model(node: Any) -> bool:
    return _is_own(node) and node.get("class_name") in _MODELS and isinstance(node["config"].get("layers"), list)


def _is_own(node: Any) -> bool:
    """Whether a class is Keras's own: its module and registered name say so, and say whose code runs otherwise."""
    if not (isinstance(node, dict) and isinstance(node.get("config"), dict)):
        return False
    module = node.get("module")
    registered = node.get("registered_name")
    return (module is None or module.split(".")[0] == "keras") and registered in (None, node.get("class_name"))


def _walk(model: dict[str, Any], place: Group, path: str) -> Iterator[FoundLayer | SkippedLayer]:
    graph = Graph(model)
    for node in graph.layers:
        name, kind = name_of(node), str(node.get("class_name"))
        inner = place.layer(name, kind)
        if not _is_own(node) or kind == "Lambda":
            yield SkippedLayer(path + name, f"{kind} is code of its own, which is not run")
        elif _is_model(node):
            yield from _walk(node, inner, f"{path}{name}/")
        elif matched := _TRANSPOSED.fullmatch(kind):
            yield _found(node, int(matched[1]), inner, graph, path)
        elif wrapped := _wrapped(node["config"]):
            yield SkippedLayer(path + name, f"{kind} of {wrapped}: what it makes of the layer is not read")


def _wrapped(value: Any) -> str | None:
    """A transposed convolution in the configuration of another layer."""
    if isinstance(value, dict):
        kind = value.get("class_name")
        if isinstance(kind, str) and _TRANSPOSED.fullmatch(kind):
            return kind
        value = list(value.values())
    found = (_wrapped(one) for one in value) if isinstance(value, list) else ()
    return next((one for one in found if one), None)


def _found(node: dict[str, Any], ndim: int, place: Group, graph: Graph, path: str) -> FoundLayer | SkippedLayer:
    try:
        return _layer(node, ndim, place, graph, path)
    except NoWeight as why:
        return SkippedLayer(path + name_of(node), str(why))


def _layer(node: dict[str, Any], ndim: int, place: Group, graph: Graph, path: str) -> FoundLayer:
    config = node["config"]
    if config.get("groups", 1) != 1:
        raise NoWeight(f"groups={config['groups']} is no word of the layer's documentation")
    variables = [as_floats(array) for array in place.variables()]
    spelling, weight, bias = _weighted(config, variables, ndim)
    channels_last = config.get("data_format", "channels_last") != "channels_first"
    notes = list(_notes(config, graph.calls(node)))
    cut = graph.cut(node, ndim, channels_last=channels_last, notes=notes)
    size = _input_size(node, ndim, channels_last=channels_last)
    return FoundLayer(path + name_of(node), spelling, ndim, size, weight, bias, cut, tuple(notes))


def _weighted(
    config: dict[str, Any], variables: list[NDArray[Any]], ndim: int
) -> tuple[Spelling, NDArray[Any], NDArray[Any] | None]:
    """The layer's words with its weight and bias, whose shapes are what the words say."""
    weight = variables[0]
    channels = weight.shape[-1] if weight.ndim == ndim + 2 else 0
    words = {name: _word(name, config[name], ndim) for name in _WORDS if name in config}
    spelling = Spelling(ConvTranspose.name, {"in_channels": channels, **words})
    if "filters" not in words or "kernel_size" not in words:
        raise NoWeight("its configuration has no filters or no kernel_size")
    wanted = ConvTranspose().native_weight_shape(spelling, ndim)
    if weight.shape != wanted:
        raise NoWeight(f"its weight has the shape {weight.shape}, but its configuration has {wanted}")
    bears = ConvTranspose().bears_bias(spelling)
    if len(variables) != 1 + bears or (bears and variables[1].shape != (spelling["filters"],)):
        raise NoWeight(f"its variables have the shapes {[one.shape for one in variables]}")
    return spelling, weight, variables[1] if bears else None


def _word(name: str, value: Any, ndim: int) -> Any:
    entries = value if isinstance(value, list) else [value]
    if any(not isinstance(n, (int, str, type(None))) or (isinstance(n, int) and abs(n) >= 2**31) for n in entries):
        raise NoWeight(f"{name}={value!r} is out of all bounds")
    if isinstance(value, list) and len(value) != ndim:
        raise NoWeight(f"{name}={value!r} does not have {ndim} entries")
    return tuple(value) if isinstance(value, list) else value


def _notes(config: dict[str, Any], calls: int) -> Iterator[str]:
    if calls > 1:
        yield f"called {calls} times in the model: the input size is that of the first call"
    if (activation := config.get("activation")) not in (None, "linear"):
        yield f"its activation {activation if isinstance(activation, str) else 'of its own'!r} is outside the layer"
    if config.get("data_format") == "channels_first":
        yield "data_format='channels_first' in the model"


def _input_size(node: dict[str, Any], ndim: int, *, channels_last: bool) -> tuple[int, ...] | None:
    """The spatial sizes that the layer was built for, where all of them are known."""
    built = node.get("build_config")
    shape = built.get("input_shape") if isinstance(built, dict) else None
    if not isinstance(shape, list) or len(shape) != ndim + 2:
        return None
    spatial = shape[1:-1] if channels_last else shape[2:]
    return tuple(spatial) if all(type(n) is int and n >= 0 for n in spatial) else None
