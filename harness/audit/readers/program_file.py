"""Exported PyTorch programs: the graph of ATen operations is walked; weights made of parameters are computed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.audit.found import FoundLayer, Model, SkippedLayer
from harness.audit.readers.arrays import NoWeight
from harness.audit.readers.cuts import Cutting, int_or_none, outside, taken, taken_away
from harness.audit.readers.request import Request
from harness.audit.readers.tensors import as_array
from harness.frameworks.base import per_axis
from harness.frameworks.torch import ConvTranspose
from harness.layer import Spelling

_CALLS = ("aten.conv_transpose1d", "aten.conv_transpose2d", "aten.conv_transpose3d")
_GENERAL = "aten.convolution"
_PADS = ("aten.pad.default", "aten.constant_pad_nd.default")
_SLICES = ("aten.slice.Tensor", "aten.narrow.default", *_PADS)


def read(request: Request) -> Model:
    """The transposed convolutions of a ``.pt2`` file."""
    import torch

    program = torch.export.load(request.source)
    values = _Values(program)
    layers: list[FoundLayer] = []
    skipped = [
        SkippedLayer(name, "inside a branch or a body: whether it runs is decided then") for name in _inside(program)
    ]
    with torch.no_grad():
        for node in program.graph.nodes:
            if _is_transposed(node):
                try:
                    layers.append(_layer(node, values))
                except NoWeight as why:
                    skipped.append(SkippedLayer(_name(node), str(why)))
    return Model(request.source, tuple(layers), tuple(skipped))


class _Values:
    """What nodes of the graph stand for, where that depends on parameters alone."""

    def __init__(self, program: Any) -> None:
        signature = program.graph_signature
        held = {**program.state_dict, **program.constants}
        names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        names |= dict(signature.inputs_to_lifted_tensor_constants)
        self._given = {name: held[target] for name, target in names.items() if target in held}
        self._made: dict[Any, Any] = {}

    def __call__(self, node: Any) -> Any:
        """The value of a node.

        Raises:
            NoWeight: it depends on what the program is given.
        """
        import torch

        if not isinstance(node, torch.fx.Node):
            return node
        if node not in self._made:
            self._made[node] = self._value(node)
        return self._made[node]

    def _value(self, node: Any) -> Any:
        import torch

        if node.op == "placeholder" and node.name in self._given:
            return self._given[node.name]
        if node.op != "call_function":
            raise NoWeight("its weight or bias depends on the input of the program")
        args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), self)
        return node.target(*args, **kwargs)


def _operator(node: Any) -> str:
    return str(node.target) if node.op == "call_function" else node.op


def _arguments(node: Any) -> dict[str, Any]:
    """The arguments of an ATen call by name, defaults included."""
    names = node.target._schema.arguments
    given = dict(zip((one.name for one in names), node.args, strict=False))
    defaults = {one.name: one.default_value for one in names if one.has_default_value()}
    return {**defaults, **given, **node.kwargs}


def _is_transposed(node: Any) -> bool:
    operator = _operator(node)
    if operator.startswith(_CALLS):
        return True
    return operator.startswith(f"{_GENERAL}.") and _arguments(node)["transposed"] is True


def _inside(program: Any) -> Iterator[str]:
    import torch

    for path, module in program.graph_module.named_modules():
        if path and isinstance(module, torch.fx.GraphModule):
            yield from (f"{path}.{node.name}" for node in module.graph.nodes if _is_transposed(node))


def _name(node: Any) -> str:
    """The path of the module that makes the call, or the node's own name."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0] or node.name) if stack else str(node.name)


def _layer(node: Any, values: _Values) -> FoundLayer:
    call = _arguments(node)
    weight, bias = as_array(values(call["weight"])), None
    if call["bias"] is not None:
        bias = as_array(values(call["bias"]))
    ndim, groups = weight.ndim - 2, call["groups"]
    axes = {name: _per_axis(call[name], ndim) for name in ("stride", "padding", "output_padding", "dilation")}
    channels = {"in_channels": weight.shape[0], "out_channels": weight.shape[1] * groups}
    words = {**channels, "kernel_size": weight.shape[2:], **axes, "groups": groups, "bias": bias is not None}
    notes = [note for note in (_folding(call["weight"]),) if note]
    cut = _cut(node, ndim, notes)
    size = _input_size(call["input"], ndim)
    return FoundLayer(_name(node), Spelling(ConvTranspose.name, words), ndim, size, weight, bias, cut, tuple(notes))


def _per_axis(value: Any, ndim: int) -> tuple[int, ...]:
    entries = [int_or_none(n) for n in (value if isinstance(value, (list, tuple)) else [value])]
    known = tuple(n for n in entries if n is not None)
    if len(known) != len(entries):
        raise NoWeight("its arguments depend on the input of the program")
    return known if len(known) != 1 else per_axis(known[0], ndim)


def _folding(weight: Any) -> str | None:
    if weight.op == "placeholder":
        return None
    operator = _operator(weight).removeprefix("aten.").split(".")[0].strip("_")
    return f"{operator} folded" if operator == "weight_norm" else f"its weight is computed by {operator}: folded"


def _input_size(node: Any, ndim: int) -> tuple[int, ...] | None:
    shape = getattr(node.meta.get("val"), "shape", ())
    sizes = tuple(n for n in map(int_or_none, shape[-ndim:]) if n is not None)
    return sizes if len(sizes) == ndim else None


def _cut(node: Any, ndim: int, notes: list[str]) -> Any:
    """The slices right after the call, as long as nobody else uses what is sliced."""
    cutting = Cutting(ndim)
    unbatched = len(node.meta["val"].shape) == ndim + 1 if "val" in node.meta else False
    while len(node.users) == 1 and not unbatched:
        user = next(iter(node.users))
        slices = _slices(user, ndim) if _operator(user) in _SLICES else None
        if slices is None or not cutting.take_all(slices):
            break
        if any(one[1:3] != (0, None) for one in slices):
            notes.append(taken(f"{_operator(user)} {user.name!r}"))
        node = user
    notes += [outside(f"{_operator(user)} {user.name!r}") for user in node.users if _operator(user) in _SLICES]
    return cutting.cut


def _slices(node: Any, ndim: int) -> Any:
    """One slicing call as (axis, begin, end, step); None if its numbers depend on the input."""
    call, operator = _arguments(node), _operator(node)
    if operator in _PADS:
        return taken_away(call["pad"], ndim)
    names = ("dim", "start", "length") if "narrow" in operator else ("dim", "start", "end", "step")
    given = [call[name] for name in names]
    numbers = [int_or_none(n) for n in given]
    if any(n is None and value is not None for n, value in zip(numbers, given, strict=True)):
        return None
    if "narrow" not in operator:
        return [tuple(numbers)]
    axis, begin, length = numbers
    return None if begin is None or length is None or begin < 0 else [(axis, begin, begin + length, 1)]
