"""ONNX models: the ConvTranspose nodes of the main graph; local functions are inlined first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.audit.found import FoundLayer, Model, SkippedLayer
from harness.audit.readers.arrays import NoWeight, as_floats
from harness.audit.readers.onnx_folding import folded
from harness.audit.readers.onnx_graph import OURS, Graph, nested, node_name
from harness.audit.readers.onnx_slices import cut_after
from harness.audit.readers.onnx_words import OnnxConvTranspose
from harness.audit.readers.request import Request
from harness.errors import UsageError
from harness.layer import MAX_NDIM, Spelling

_PER_AXIS = ("strides", "dilations", "output_padding", "output_shape")

#: bytes that a protobuf message can have
_LARGEST = 2**31

#: the first operator set whose ConvTranspose says what ``onnx_words`` says
_EQUATIONS = 11


def read(request: Request) -> Model:
    """The transposed convolutions of an ONNX file.

    Raises:
        UsageError: it is none, is from a newer version, or its external data is not where it must be.
    """
    path = Path(request.source)
    model = _loaded(path)
    opset = _checked(path, model)
    if request.input_shape is not None:
        _give_shape(path, model.graph, request.input_shape)
    graph = Graph(model, path)
    layers: list[FoundLayer] = []
    skipped = [SkippedLayer(name, reason) for name, reason in _out_of_sight(model)]
    for node in graph.graph.node:
        if _is_ours(node):
            try:
                layers.append(_layer(node, graph, opset))
            except NoWeight as why:
                skipped.append(SkippedLayer(node_name(node), str(why)))
    return Model(request.source, tuple(layers), tuple(skipped))


def _loaded(path: Path) -> Any:
    import onnx

    if (size := path.stat().st_size) >= _LARGEST:
        raise UsageError(f"{path}: {size} bytes are more than a protobuf can have (2 GiB): use external data")
    model = onnx.load(path, load_external_data=False)
    if model.ir_version < 1 or not model.opset_import:
        raise UsageError(f"{path}: is no ONNX model, or only the beginning of one: it names no IR version and no opset")
    if any(node.op_type.startswith("ConvTranspose") for function in model.functions for node in function.node):
        from onnx import inliner

        model = inliner.inline_local_functions(model)
    return model


def _checked(path: Path, model: Any) -> int:
    """The operator set, if the installed onnx knows the model's version."""
    import onnx

    opset = max((one.version for one in model.opset_import if one.domain in OURS), default=1)
    known = {"IR version": onnx.IR_VERSION, "opset": onnx.defs.onnx_opset_version()}
    for name, version in {"IR version": model.ir_version, "opset": opset}.items():
        if version > known[name]:
            raise UsageError(
                f"{path}: {name} {version} is newer than the installed onnx {onnx.__version__} knows ({known[name]}): "
                f"install a newer onnx"
            )
    return opset


def _give_shape(path: Path, graph: Any, shape: tuple[int, ...]) -> None:
    """Write the shape that a person gave into the first input."""
    weights = {tensor.name for tensor in graph.initializer}
    first = next((value for value in graph.input if value.name not in weights), None)
    dims = [] if first is None else first.type.tensor_type.shape.dim
    if len(dims) != len(shape):
        raise UsageError(f"{path}: the input shape {shape} must have {len(dims)} entries, as the model's input has")
    for dim, size in zip(dims, shape, strict=True):
        dim.dim_value = size


def _is_ours(node: Any) -> bool:
    return bool(node.op_type == "ConvTranspose" and node.domain in OURS)


def _out_of_sight(model: Any) -> Iterator[tuple[str, str]]:
    """Transposed convolutions that are not in the main graph, or are of somebody else's operator set."""
    for node in model.graph.node:
        if not _is_ours(node) and "ConvTranspose" in node.op_type:
            yield node_name(node), f"{node.op_type} of {node.domain or 'ONNX'} is another operator than ConvTranspose"
        for inner in _inside(node):
            yield (
                node_name(inner),
                f"inside {node.op_type} {node_name(node)!r}: whether it runs is decided when the model runs",
            )
    for function in model.functions:
        for node in function.node:
            if _is_ours(node) or any(True for _ in _inside(node)):
                yield node_name(node), f"inside the function {function.name!r}, which could not be inlined"


def _inside(node: Any) -> Iterator[Any]:
    for graph in nested(node):
        for inner in graph.node:
            if _is_ours(inner):
                yield inner
            yield from _inside(inner)


def _layer(node: Any, graph: Graph, opset: int) -> FoundLayer:
    """One node as a found layer.

    Raises:
        NoWeight: what it is cannot be said.
    """
    if len(node.input) < 2 or len(node.output) != 1:
        raise NoWeight("it does not have the inputs X and W and the output Y")
    shape = graph.shape(node.input[1])
    if shape is None or any(not n for n in shape) or not 3 <= len(shape) <= MAX_NDIM + 2:
        raise NoWeight(f"its weight has the shape {shape}, not (C, M / group, *kernel) with 1 to {MAX_NDIM} axes")
    spelling = _spelling(node, tuple(int(n or 0) for n in shape), opset)
    notes: list[str] = []
    weight = _values(node.input[1], "weight", graph, notes)
    bias = _values(node.input[2], "bias", graph, notes) if spelling["B"] else None
    if bias is not None and bias.shape != (spelling["out_channels"],):
        raise NoWeight(f"its bias has the shape {bias.shape}, not ({spelling['out_channels']},)")
    ndim = len(shape) - 2
    cut = cut_after(node, graph, ndim, opset, notes)
    size = _input_size(graph.shape(node.input[0]), ndim)
    return FoundLayer(node_name(node), spelling, ndim, size, weight, bias, cut, tuple(notes))


def _spelling(node: Any, shape: tuple[int, ...], opset: int) -> Spelling:
    """The node's attributes; what the weight and the inputs say is carried with them."""
    from onnx import helper

    attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    words = {name: _word(name, value, len(shape) - 2) for name, value in attributes.items()}
    if opset < _EQUATIONS and ("output_shape" in words or words.get("auto_pad", "").startswith("SAME")):
        raise NoWeight(
            f"what output_shape and auto_pad mean in opset {opset} is not what they mean from opset {_EQUATIONS} on: "
            f"convert it with onnx.version_converter"
        )
    if tuple(words.get("kernel_shape", shape[2:])) != shape[2:]:
        raise NoWeight(f"kernel_shape={words['kernel_shape']} is not that of its weight, {shape[2:]}")
    group = words.get("group", 1)
    if type(group) is not int or not 1 <= group <= shape[0]:
        raise NoWeight(f"group={group} is not between 1 and its {shape[0]} input channels")
    carried = {
        "in_channels": shape[0],
        "out_channels": shape[1] * group,
        "B": len(node.input) > 2 and bool(node.input[2]),
    }
    return Spelling(OnnxConvTranspose.name, {**carried, **words, "kernel_shape": shape[2:]})


def _word(name: str, value: Any, ndim: int) -> Any:
    """An attribute as the vocabulary has it."""
    value = value.decode(errors="replace") if isinstance(value, bytes) else value
    entries = list(value) if isinstance(value, (list, tuple)) else [value]
    if name not in {p.name for p in OnnxConvTranspose.parameters}:
        raise NoWeight(f"it has an attribute {name!r}, which ConvTranspose has not")
    if any(not isinstance(n, (int, str)) or (isinstance(n, int) and abs(n) >= 2**31) for n in entries):
        raise NoWeight(f"{name}={entries} is out of all bounds")
    if len(entries) != {"pads": 2 * ndim, **dict.fromkeys(_PER_AXIS, ndim)}.get(name, len(entries)):
        raise NoWeight(f"{name}={entries} does not have the entries of {ndim} spatial axes")
    if name == "pads":
        return tuple(zip(entries[:ndim], entries[ndim:], strict=True))
    return value if isinstance(value, (int, str)) else tuple(entries)


def _values(name: str, what: str, graph: Graph, notes: list[str]) -> Any:
    """The numbers of a weight or a bias; None, with a note, where they are not constant."""
    array = graph.constant(name)
    if array is not None:
        return as_floats(array)
    node = graph.node_of(name)
    maker = "an input of the model" if node is None else node.op_type
    array = folded(graph, name)
    if array is None:
        notes.append(f"its {what} is no constant but made by {maker}")
        return None
    notes.append(f"its {what} is computed from constants by {maker}: folded")
    return as_floats(array)


def _input_size(shape: tuple[int | None, ...] | None, ndim: int) -> tuple[int, ...] | None:
    if shape is None or len(shape) != ndim + 2:
        return None
    known = tuple(n for n in shape[2:] if n is not None)
    return known if len(known) == ndim else None
