"""The main graph of an ONNX model: who makes and who uses a value, its shape, and its numbers where it is constant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.audit.readers.arrays import NoWeight
from harness.errors import UsageError

#: the names of the operator set that is ONNX's own
OURS = ("", "ai.onnx")

#: bytes of an initialiser that shape inference may look at: a shape, never a weight
_SMALL = 4096

#: how long a chain of Identity may be
_CHAIN = 100


class Graph:
    """The nodes of the main graph and what is known of their values."""

    def __init__(self, model: Any, path: Path) -> None:
        self._path = path
        self._weights = _taken_out(model.graph)
        _infer_shapes(model)
        graph = self.graph = model.graph
        self.opsets = model.opset_import
        self.outputs = {value.name for value in graph.output}
        self.initializers = {tensor.name: tensor for tensor in graph.initializer}
        self._makers = {name: node for node in graph.node for name in node.output if name}
        self.users: dict[str, list[Any]] = defaultdict(list)
        for node in graph.node:
            for name in {*node.input, *_captured(node)}:
                self.users[name].append(node)
        self._shapes = {one.name: _shape(one) for one in (*graph.value_info, *graph.input, *graph.output)}

    def shape(self, name: str) -> tuple[int | None, ...] | None:
        """The inferred shape of a value, None for what is not known of it."""
        if name in self.initializers:
            return tuple(self.initializers[name].dims)
        return self._shapes.get(name)

    def node_of(self, name: str) -> Any:
        """The node that makes a value, None of what the model is given."""
        return self._makers.get(name)

    def constant(self, name: str) -> NDArray[Any] | None:
        """The numbers of a value that is an initialiser or a Constant, maybe through Identity; None of any other."""
        from onnx import numpy_helper

        for _ in range(_CHAIN):
            if name in self.initializers:
                return self._numbers(self.initializers[name])
            node = self._makers.get(name)
            if node is None or node.domain not in OURS:
                return None
            if node.op_type == "Constant":
                return _attribute_array(node, numpy_helper)
            if node.op_type != "Identity":
                return None
            name = node.input[0]
        return None

    def _numbers(self, tensor: Any) -> NDArray[Any]:
        from onnx import TensorProto, numpy_helper

        whole = TensorProto()
        whole.CopyFrom(tensor)
        if tensor.name in self._weights:
            whole.raw_data = self._weights[tensor.name]
        if whole.data_location == TensorProto.EXTERNAL:
            whole.raw_data = external_bytes(self._path, tensor)
            whole.data_location = TensorProto.DEFAULT
        try:
            array: NDArray[Any] = numpy_helper.to_array(whole)
        except (ValueError, TypeError) as error:
            raise NoWeight(f"tensor {tensor.name!r} does not have the numbers of its shape ({error})") from None
        return array


def nested(node: Any) -> Iterator[Any]:
    """The subgraphs of a node: branches of If, bodies of Loop and Scan."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def node_name(node: Any) -> str:
    """The name of a node, or of what it makes."""
    return str(node.name or next(iter(node.output), "") or node.op_type)


def external_bytes(model: Path, tensor: Any) -> bytes:
    """The bytes of a tensor that are in another file, which must lie in the model's folder or below it.

    Raises:
        UsageError: it does not, or does not have the bytes.
    """
    said = {entry.key: entry.value for entry in tensor.external_data}
    location, folder = said.get("location", ""), model.resolve().parent
    file = (folder / location).resolve()
    if not location or not file.is_relative_to(folder):
        raise UsageError(f"{model}: its weights are at {location!r}, outside the model's folder: that is not read")
    if not file.is_file():
        raise UsageError(f"{model}: its weights are in {location!r}, which is not beside it: put it there")
    offset, length = (_number(said.get(key, "0")) for key in ("offset", "length"))
    size = file.stat().st_size
    if offset is None or length is None or offset + (length or 1) > size:
        raise UsageError(f"{model}: {location!r} has {size} bytes, fewer than the model says: copy it again")
    with file.open("rb") as opened:
        opened.seek(offset)
        data: bytes = opened.read(length or size - offset)
    return data


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _taken_out(graph: Any) -> dict[str, bytes]:
    """The bytes of large initialisers, taken out of the graph: shape inference would copy them twice."""
    held: dict[str, bytes] = {}
    for tensor in graph.initializer:
        if tensor.HasField("raw_data") and len(tensor.raw_data) > _SMALL:
            held[tensor.name] = tensor.raw_data
            tensor.raw_data = b""
    return held


def _infer_shapes(model: Any) -> None:
    """Add what can be inferred of shapes; a model of which nothing can is read without."""
    from onnx import shape_inference

    try:
        inferred = shape_inference.infer_shapes(model)
    except Exception:  # sizes are then not said
        return
    del model.graph.value_info[:]
    model.graph.value_info.extend(inferred.graph.value_info)


def _shape(value: Any) -> tuple[int | None, ...] | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else None for d in tensor.shape.dim)


def _captured(node: Any) -> Iterator[str]:
    """Names that the subgraphs of a node use, their own and those of the graph around them."""
    for graph in nested(node):
        yield from (output.name for output in graph.output)
        for inner in graph.node:
            yield from inner.input
            yield from _captured(inner)


def _attribute_array(node: Any, numpy_helper: Any) -> NDArray[Any] | None:
    for attribute in node.attribute:
        if attribute.name == "value":
            array: NDArray[Any] = numpy_helper.to_array(attribute.t)
            return array
        if attribute.name in ("value_int", "value_ints"):
            return np.array(attribute.ints or attribute.i, dtype=np.int64)
        if attribute.name in ("value_float", "value_floats"):
            return np.array(attribute.floats or attribute.f, dtype=np.float32)
    return None
