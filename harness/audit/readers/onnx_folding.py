"""Values that an ONNX model computes from constants alone, as exporters leave weight_norm and pads: computed here."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from harness.audit.readers.onnx_graph import OURS, Graph

#: what normalisations and lists of pads are exported as; nothing that decides or repeats
_NORMS = ("LpNormalization", "ReduceL2", "ReduceSum", "ReduceSumSquare", "MatMul", "Sqrt", "Pow", "Reciprocal")
_ARITHMETIC = (*_NORMS, "Abs", "Add", "Cast", "Div", "Identity", "Mul", "Neg", "Sub")
_MOVES = ("Concat", "ConstantOfShape", "Gather", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")
_FOLDABLE = frozenset((*_ARITHMETIC, *_MOVES))

#: numbers that the pads of a layer may have: two for each of five axes, and some to spare
_ENTRIES = 16

#: nodes that the computation of one value may have
_MOST = 50


def folded(graph: Graph, name: str) -> NDArray[Any] | None:
    """The numbers of a value made of constants by arithmetic, by ONNX's own evaluator; None of any other."""
    nodes, constants = _above(graph, name)
    if not nodes:
        return None
    from onnx import TensorProto, helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    output = helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None)
    initializers = [numpy_helper.from_array(array, called) for called, array in constants.items()]
    part = helper.make_graph(nodes, "weight", [], [output], initializers)
    array: NDArray[Any] = ReferenceEvaluator(helper.make_model(part, opset_imports=graph.opsets)).run(None, {})[0]
    return array


def integers(graph: Graph, name: str) -> list[int] | None:
    """The numbers of a value that is a short list of integers, however constants make it up."""
    array = graph.constant(name)
    array = folded(graph, name) if array is None else array
    if array is None or array.dtype.kind not in "iu" or array.size > _ENTRIES:
        return None
    return [int(entry) for entry in array.ravel()]


def _above(graph: Graph, name: str) -> tuple[list[Any], dict[str, NDArray[Any]]]:
    """The nodes that make a value, in order, and the constants that they start from; no nodes if that is not all."""
    makers: set[str] = set()
    constants: dict[str, NDArray[Any]] = {}
    waiting = [name]
    while waiting:
        value = waiting.pop()
        if not value or value in constants or value in makers:
            continue
        array = graph.constant(value)
        if array is not None:
            constants[value] = array
            continue
        node = graph.node_of(value)
        if node is None or node.domain not in OURS or node.op_type not in _FOLDABLE or len(makers) == _MOST:
            return [], {}
        makers.add(value)
        waiting += node.input
    # The nodes of a graph stand in an order in which they can run.
    return [node for node in graph.graph.node if makers.intersection(node.output)], constants
