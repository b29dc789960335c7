"""Slice and Pad nodes right after a transposed convolution, as a cut of its output."""

from __future__ import annotations

from typing import Any

from harness.audit.found import Cut
from harness.audit.readers.cuts import Cutting, outside, taken
from harness.audit.readers.onnx_folding import integers
from harness.audit.readers.onnx_graph import OURS, Graph, node_name


def cut_after(node: Any, graph: Graph, ndim: int, opset: int, notes: list[str]) -> Cut:
    """The slices right after the node, as long as nobody else uses what is sliced."""
    cutting, value = Cutting(ndim), node.output[0]
    while len(graph.users[value]) == 1 and value not in graph.outputs:
        user = graph.users[value][0]
        if not _takes(user, value, cutting, graph, opset):
            break
        if user.op_type != "Identity":
            notes.append(taken(f"{user.op_type} {node_name(user)!r}"))
        value = user.output[0]
    notes += [outside(f"{user.op_type} {node_name(user)!r}") for user in graph.users[value] if user.op_type in _SLICES]
    return cutting.cut


def _takes(user: Any, value: str, cutting: Cutting, graph: Graph, opset: int) -> bool:
    if user.domain not in OURS or list(user.input[:1]) != [value] or list(user.input).count(value) != 1:
        return False
    if user.op_type == "Identity":
        return True
    read = _SLICES.get(user.op_type)
    slices = None if read is None else read(user, graph, opset)
    return slices is not None and cutting.take_all(slices)


def _sliced(node: Any, graph: Graph, opset: int) -> Any:
    """A Slice as (axis, begin, end, step), None if it is not constant."""
    lists = _lists(node, graph, ("starts", "ends", "axes", "steps"), attributes=opset < 10)
    starts, ends = lists["starts"], lists["ends"]
    if starts is None or ends is None or lists["axes"] is _UNKNOWN or lists["steps"] is _UNKNOWN:
        return None
    axes = lists["axes"] if lists["axes"] is not None else list(range(len(starts)))
    steps = lists["steps"] if lists["steps"] is not None else [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        return None
    return list(zip(axes, starts, ends, steps, strict=True))


def _padded(node: Any, graph: Graph, opset: int) -> Any:
    """A Pad that only takes away, as slices."""
    if opset < 11:
        return None
    lists = _lists(node, graph, ("pads", "", "axes"), attributes=False)
    pads = lists["pads"]
    if pads is None or lists["axes"] is _UNKNOWN or max(pads, default=1) > 0 or len(pads) % 2:
        return None
    count = len(pads) // 2
    axes = lists["axes"] if lists["axes"] is not None else list(range(count))
    if len(axes) != count:
        return None
    return [(axis, -pads[i], pads[count + i] or None, 1) for i, axis in enumerate(axes)]


_SLICES = {"Slice": _sliced, "Pad": _padded}

#: a list that is there and is no constant
_UNKNOWN: list[int] = []


def _lists(node: Any, graph: Graph, names: tuple[str, ...], *, attributes: bool) -> dict[str, Any]:
    """The lists of integers that follow the data, as attributes or as inputs; None for what is left out."""
    if attributes:
        held = {one.name: list(one.ints) for one in node.attribute}
        return {name: held.get(name) for name in names}
    found: dict[str, Any] = dict.fromkeys(names)
    for name, value in zip(names, node.input[1:], strict=False):
        if value:
            known = integers(graph, value)
            required = name in ("starts", "ends", "pads")
            found[name] = known if known is not None or required else _UNKNOWN
    return found
