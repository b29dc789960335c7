"""A call as people write it, read into a spelling: parsed, never evaluated.

What an API's call looks like is its ``signature``; what the arguments may be is its ``parameters``. A module and its
call may be written together, as in ``ConvTranspose2d(4, 8, 3)(x, output_size=(7, 7))``.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import UsageError
from harness.frameworks import registry
from harness.frameworks.base import Api, Role
from harness.layer import MAX_NDIM, Spelling
from harness.layout import Layout
from harness.writing import Signature

#: as long as any layer that a person writes
_LONGEST = 2000

_SHOWN = 60

#: what may have entries for the batch and the channels, too
_LONG = (Role.OUTPUT_SIZE, Role.STRIDE, Role.DILATION, Role.PADDING)


def parse_layer(text: str, source: str, *, ndim: int | None = None) -> tuple[Spelling, int]:
    """The spelling that a text writes in the words of ``source``, and its number of spatial axes.

    ``source`` is an API's full name, or a framework's where the name of the call tells which API is meant. ``ndim``
    helps where neither the name nor an argument says how many axes there are. Of channels that the words do not say
    there is one.

    Raises:
        UsageError: not one call, an unknown name or argument, a value that is no literal: one line says which.

    >>> spelling, ndim = parse_layer("nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1)", "torch")
    >>> spelling["kernel_size"], spelling["padding"], ndim
    (4, 1, 2)
    >>> parse_layer("tf.nn.conv1d_transpose(x, (3, 8, 4), [2, 9, 8], 2, 'SAME')", "tensorflow")[0]["output_shape"]
    (9,)
    """
    reader = _Reader(text)
    construction, calls = reader.calls()
    api, said = _api(construction, source, reader)
    written = reader.arguments(construction, api)
    for call in calls:
        written.update(_of_call(call, api, reader))
    ndim = _ndim(api, written, said or ndim, reader)
    return Spelling(api.name, _spatial(api, _with_channels(api, written, ndim, reader), ndim)), ndim


class _Reader:
    """A text with its syntax tree, and errors that point into it."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()

    def error(self, rule: str, node: ast.AST | None = None) -> UsageError:
        """One line: the text, where in it, the rule."""
        at = getattr(node, "col_offset", None)
        shown = self.text if len(self.text) <= _SHOWN else self.text[:_SHOWN] + " ..."
        return UsageError(f"{shown!r}: {'' if at is None else f'column {at + 1}: '}{rule}")

    def calls(self) -> tuple[ast.Call, list[ast.Call]]:
        """The construction, and the calls of what it makes."""
        if len(self.text) > _LONGEST:
            raise self.error(f"has {len(self.text)} characters: a layer has at most {_LONGEST}")
        try:
            node: ast.expr = ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            raise self.error(f"is not a call in Python's syntax ({getattr(error, 'msg', error)})") from error
        calls: list[ast.Call] = []
        while isinstance(node, ast.Call):
            calls.append(node)
            inner = node.func.value if isinstance(node.func, ast.Attribute) else node.func
            if not isinstance(inner, ast.Call):
                return calls[-1], calls[:-1]
            node = inner
        raise self.error("must be a call, such as ConvTranspose2d(64, 32, 4, stride=2)")

    def arguments(self, call: ast.Call, api: Api) -> dict[str, Any]:
        """What is written, by the arguments' names, but for arrays and what is no part of the operator."""
        signature = _signature(api)
        given = list(zip(signature.positional, call.args, strict=False))
        if len(call.args) > len(given):
            raise self.error(f"takes at most {len(signature.positional)} arguments without a name", call)
        for keyword in call.keywords:
            if keyword.arg is None:
                raise self.error("** is not read: write the arguments out", keyword.value)
            given.append((keyword.arg, keyword.value))
        written: dict[str, Any] = {}
        for name, node in given:
            if name in written:
                raise self.error(f"{name} is given twice", node)
            if (name, value := self._argument(name, node, api))[1] is not _LEFT_OUT:
                written[name] = value
        return written

    def _argument(self, name: str, node: ast.expr, api: Api) -> Any:
        signature = _signature(api)
        if name in signature.arrays and (name != signature.weight or isinstance(node, ast.Name)):
            return _LEFT_OUT
        if name in signature.beside:
            allowed = signature.beside[name]
            if allowed and (value := self._literal(name, node)) not in allowed:
                raise self.error(f"{name}={value!r} is not part of the operator: leave it out", node)
            return _LEFT_OUT
        known = [parameter.name for parameter in api.parameters]
        if name not in known and name != signature.weight:
            raise self.error(f"{api.name} has no argument {name!r}: known are {', '.join(known)}", node)
        return self._literal(name, node)

    def _literal(self, name: str, node: ast.expr) -> Any:
        try:
            value = ast.literal_eval(node)
        except (ValueError, TypeError, MemoryError, RecursionError) as error:
            raise self.error(f"{name} must be a number, a text, a tuple, True, False or None", node) from error
        if not _is_plain(value):
            raise self.error(f"{name} must be integers, a text, a tuple of them, True, False or None", node)
        return _frozen(value)


_LEFT_OUT = object()


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, str))


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


def _signature(api: Api) -> Signature:
    assert api.signature is not None, "only APIs with a signature are chosen"  # noqa: S101 # by _api
    return api.signature


def _api(call: ast.Call, source: str, reader: _Reader) -> tuple[Api, int | None]:
    """The API whose call it is, and the number of axes that its name says."""
    path = _path(call.func)
    apis = [api() for api in registry.apis() if source in (api.framework, api.name) and api.signature is not None]
    if not apis:
        known = sorted({name for api in registry.apis() for name in (api.framework, api.name) if name})
        raise UsageError(f"--from {source}: is no framework and no API: known are {', '.join(known)}")
    named = [api for api in apis if path and path[-1] in _signature(api).names]
    if not named:
        names = sorted({name for api in apis for name in _signature(api).names})
        raise reader.error(f"{'.'.join(path) or 'this'} is no call of {source}: known are {', '.join(names)}", call)
    told = [api for api in named if set(path[:-1]) & set(api.name.split(".")[:-1])]
    api = next(iter([*_exactly(told or named, path), *told, *named]))
    return api, _signature(api).names[path[-1]]


def _exactly(apis: Sequence[Api], path: Sequence[str]) -> list[Api]:
    """Those whose package is named, where several packages of a framework have a call of one name."""
    scores = [len(set(path) & set(api.name.split("."))) for api in apis]
    best = [api for api, score in zip(apis, scores, strict=True) if score == max(scores)]
    return best if len(best) == 1 else []


def _path(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Attribute):
        return [*_path(node.value), node.attr]
    return [node.id] if isinstance(node, ast.Name) else []


def _of_call(call: ast.Call, api: Api, reader: _Reader) -> Mapping[str, Any]:
    """What the call of a module says besides its input: PyTorch's output_size."""
    known = {parameter.name for parameter in api.parameters if parameter.role is Role.OUTPUT_SIZE}
    keywords = [keyword for keyword in call.keywords if keyword.arg in known]
    positional = [(name, node) for name, node in zip(sorted(known), call.args[1:2], strict=False)]
    given = [*((str(keyword.arg), keyword.value) for keyword in keywords), *positional]
    return {name: reader._literal(name, node) for name, node in given}  # its own reader


def _ndim(api: Api, written: Mapping[str, Any], said: int | None, reader: _Reader) -> int:
    """The number of spatial axes: by the name of the call, or of the first argument with one entry for each."""
    if said is not None:
        return said
    weight = written.get(_signature(api).weight or "")
    if isinstance(weight, tuple) and len(weight) > 2:
        return len(weight) - 2
    roles = (Role.KERNEL_SIZE, Role.STRIDE, Role.DILATION, Role.PADDING, Role.OUTPUT_SIZE)
    values = [written.get(parameter.name) for role in roles for parameter in api.parameters if parameter.role is role]
    lengths = [len(value) for value in values if isinstance(value, tuple)]
    if not lengths or not 1 <= lengths[0] <= MAX_NDIM:
        raise reader.error("says nowhere how many spatial axes there are: write kernel_size with an entry for each")
    return lengths[0]


def _with_channels(api: Api, written: dict[str, Any], ndim: int, reader: _Reader) -> dict[str, Any]:
    """The arguments that an array's shape says: of the weight's, as it is written; else one channel."""
    names = {parameter.role: parameter.name for parameter in api.parameters}
    weight = written.pop(_signature(api).weight or "", None)
    if weight is not None:
        written.update(_of_shape(weight, api.layout(Spelling(api.name, written)), ndim, names, written, reader))
    if names[Role.KERNEL_SIZE] not in written:
        raise reader.error(f"says no {names[Role.KERNEL_SIZE]}: write kernel_size=..., or the weight as its shape")
    for role in (Role.IN_CHANNELS, Role.OUT_CHANNELS):
        carried = next(parameter.carried for parameter in api.parameters if parameter.role is role)
        if carried:
            written.setdefault(names[role], _channels_said(api, written, ndim, role))
        elif names[role] not in written:
            raise reader.error(f"says no {names[role]}")
    return written


def _of_shape(
    shape: Any, layout: Layout, ndim: int, names: Mapping[Role, str], written: Mapping[str, Any], reader: _Reader
) -> dict[str, Any]:
    """The channels and the kernel of a weight's shape, as it stands in the weight's place."""
    if not isinstance(shape, tuple) or len(shape) != ndim + 2 or not all(type(one) is int for one in shape):
        raise reader.error(f"the weight must be a name or its shape with {ndim + 2} integers, not {shape!r}")
    places = layout.axes(ndim)
    channels = {axis: shape[places[axis][0]] for axis in "IO"}
    channels[layout.divided] *= written.get(names.get(Role.GROUPS, ""), 1) or 1
    return {
        names[Role.IN_CHANNELS]: channels["I"],
        names[Role.OUT_CHANNELS]: channels["O"],
        names[Role.KERNEL_SIZE]: tuple(shape[place] for place in places["*"]),
    }


def _channels_said(api: Api, written: Mapping[str, Any], ndim: int, role: Role) -> int:
    """The channels of an output shape that has them behind its sizes; else one for each group."""
    size = written.get(next((p.name for p in api.parameters if p.role is Role.OUTPUT_SIZE), ""))
    if role is Role.OUT_CHANNELS and isinstance(size, tuple) and len(size) == ndim + 2:
        return int(size[-1])
    groups = written.get(next((p.name for p in api.parameters if p.role is Role.GROUPS), ""))
    return groups if isinstance(groups, int) and groups > 0 else 1


def _spatial(api: Api, written: Mapping[str, Any], ndim: int) -> Mapping[str, Any]:
    """Batch and channels taken off the values that have an entry for these, too, as TensorFlow's may."""
    long = [parameter.name for parameter in api.parameters if parameter.role in _LONG]
    return {name: value[1:-1] if name in long and _is_long(value, ndim) else value for name, value in written.items()}


def _is_long(value: Any, ndim: int) -> bool:
    return isinstance(value, tuple) and len(value) == ndim + 2
