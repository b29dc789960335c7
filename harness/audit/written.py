"""A call as people write it, read into a spelling: parsed, never evaluated.

What an API's call looks like is its ``signature``; what the arguments may be is its ``parameters``. A module and its
call may be written together, as in ``ConvTranspose2d(4, 8, 3)(x, output_size=(7, 7))``.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.audit.axes import NAMES, Axes
from harness.errors import UsageError
from harness.frameworks import registry
from harness.frameworks.base import Api, Role
from harness.layer import MAX_NDIM, Spelling
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
    written = read_layer(text, source, ndim=ndim)
    return written.spelling, written.ndim


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """What a text says: the spelling, its number of spatial axes, and notes on what it leaves out or open."""

    spelling: Spelling
    ndim: int
    notes: tuple[str, ...] = ()


def read_layer(text: str, source: str, *, ndim: int | None = None) -> WrittenCall:
    """What ``parse_layer`` reads, with notes for a person.

    >>> read_layer("Conv1DTranspose(8, 3, activation='relu')", "keras").notes[0]
    "its activation='relu' is outside the layer"
    """
    reader = _Reader(text)
    construction, calls = reader.calls()
    api, said = _api(construction, source, reader)
    written = reader.arguments(construction, api)
    for call in calls:
        written.update(_of_call(call, api, reader))
    axes = Axes(api.name, reader.axes(construction, api))
    ndim = _ndim(api, written, said or ndim, reader)
    spelling = Spelling(api.name, _spatial(api, _with_channels(api, written, ndim, axes, reader), ndim, axes))
    return WrittenCall(spelling, ndim, tuple(reader.notes))


class _Reader:
    """A text with its syntax tree, and errors that point into it."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.notes: list[str] = []

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
        written: dict[str, Any] = {}
        for name, node in self._given(call, api):
            if name in written:
                raise self.error(f"{name} is given twice", node)
            if (name, value := self._argument(name, node, api))[1] is not _LEFT_OUT:
                written[name] = value
        return written

    def axes(self, call: ast.Call, api: Api) -> dict[str, Any]:
        """What is written of where the arrays' axes stand."""
        return {name: self._literal(name, node) for name, node in self._given(call, api) if name in NAMES}

    def _given(self, call: ast.Call, api: Api) -> list[tuple[str, ast.expr]]:
        """The arguments with their names."""
        signature = _signature(api)
        given = list(zip(signature.positional, call.args, strict=False))
        if len(call.args) > len(given):
            raise self.error(f"takes at most {len(signature.positional)} arguments without a name", call)
        for keyword in call.keywords:
            if keyword.arg is None:
                raise self.error("** is not read: write the arguments out", keyword.value)
            given.append((keyword.arg, keyword.value))
        return given

    def _argument(self, name: str, node: ast.expr, api: Api) -> Any:
        signature = _signature(api)
        if name in signature.arrays and (name != signature.weight or isinstance(node, ast.Name)):
            return _LEFT_OUT
        if name in signature.after:
            if ast.unparse(node) not in ("None", "'linear'"):
                self.notes.append(f"its {name}={ast.unparse(node)} is outside the layer")
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
        hint = _elsewhere(path[-1] if path else "") or f"known are {', '.join(names)}"
        raise reader.error(f"{'.'.join(path) or 'this'} is no call of {source}: {hint}", call)
    told = [api for api in named if set(path[:-1]) & set(api.name.split(".")[:-1])]
    api = next(iter([*_exactly(told or named, path), *told, *named]))
    return api, _signature(api).names[path[-1]]


def _elsewhere(name: str) -> str:
    """Whose call it is, where it is another framework's."""
    owners = {str(api.framework) for api in registry.apis() if api.signature and name in api.signature.names}
    return f"it is one of {', '.join(sorted(owners))}, say --from" if owners else ""


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
    """What the call of a module says besides its input: PyTorch's output_size. Of its methods only forward says it."""
    if isinstance(call.func, ast.Attribute) and call.func.attr != "forward":
        return {}
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


def _with_channels(api: Api, written: dict[str, Any], ndim: int, axes: Axes, reader: _Reader) -> dict[str, Any]:
    """The arguments that an array's shape says: of the weight's, as it is written; else one channel."""
    names = {parameter.role: parameter.name for parameter in api.parameters}
    weight = written.pop(_signature(api).weight or "", None)
    if weight is not None:
        written.update(_of_shape(weight, api, ndim, axes, written, reader))
    if names[Role.KERNEL_SIZE] not in written:
        raise reader.error(f"says no {names[Role.KERNEL_SIZE]}: write kernel_size=..., or the weight as its shape")
    for role in (Role.IN_CHANNELS, Role.OUT_CHANNELS):
        carried = next(parameter.carried for parameter in api.parameters if parameter.role is role)
        if carried and names[role] not in written:
            written[names[role]] = _channels_said(api, written, ndim, axes, role)
            reader.notes.append(f"{names[role]} is not said: {written[names[role]]} is taken")
        if names[role] not in written:
            raise reader.error(f"says no {names[role]}")
    return written


def _of_shape(
    shape: Any, api: Api, ndim: int, axes: Axes, written: Mapping[str, Any], reader: _Reader
) -> dict[str, Any]:
    """The channels and the kernel of a weight's shape, as it stands in the weight's place."""
    if not isinstance(shape, tuple) or len(shape) != ndim + 2 or not all(type(one) is int for one in shape):
        raise reader.error(f"the weight must be a name or its shape with {ndim + 2} integers, not {shape!r}")
    try:
        shape = axes.weight(shape)
    except ValueError as error:
        raise reader.error(str(error)) from error
    names = {parameter.role: parameter.name for parameter in api.parameters}
    layout = api.layout(Spelling(api.name, written))
    places = layout.axes(ndim)
    channels = {axis: shape[places[axis][0]] for axis in "IO"}
    groups = written.get(names.get(Role.GROUPS, ""), 1)
    channels[layout.divided] *= groups if isinstance(groups, int) and groups else 1
    return {
        names[Role.IN_CHANNELS]: channels["I"],
        names[Role.OUT_CHANNELS]: channels["O"],
        names[Role.KERNEL_SIZE]: tuple(shape[place] for place in places["*"]),
    }


def _channels_said(api: Api, written: Mapping[str, Any], ndim: int, axes: Axes, role: Role) -> Any:
    """The channels of an output shape that has them beside its sizes; else one for each group."""
    size: Any = written.get(next((p.name for p in api.parameters if p.role is Role.OUTPUT_SIZE), ""))
    if role is Role.OUT_CHANNELS and _is_long(size, ndim):
        return axes.channels(size)
    groups = written.get(next((p.name for p in api.parameters if p.role is Role.GROUPS), ""))
    return groups if isinstance(groups, int) and groups > 0 else 1


def _spatial(api: Api, written: Mapping[str, Any], ndim: int, axes: Axes) -> Mapping[str, Any]:
    """Batch and channels taken off the values that have an entry for these, too, as TensorFlow's may."""
    long = [parameter.name for parameter in api.parameters if parameter.role in _LONG]
    return {
        name: axes.spatial(value) if name in long and _is_long(value, ndim) else value
        for name, value in written.items()
    }


def _is_long(value: Any, ndim: int) -> bool:
    return isinstance(value, tuple) and len(value) == ndim + 2
