"""Who follows whom in a Keras model's configuration, and the slices and croppings right after a layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from harness.audit.readers.cuts import Cutting, outside, taken

_CROPPING = ("Cropping1D", "Cropping2D", "Cropping3D")
_SLICES = (*_CROPPING, "GetItem", "SlicingOpLambda")


class Graph:
    """The layers of one Functional or Sequential model, and for each the calls that take its output."""

    def __init__(self, model: dict[str, Any]) -> None:
        config = model["config"]
        self.layers: list[dict[str, Any]] = [one for one in config["layers"] if isinstance(one, dict)]
        self._sequential = not any("inbound_nodes" in one for one in self.layers)
        self._outputs = set(_names(config.get("output_layers", [])))
        self._users: dict[str, list[tuple[dict[str, Any], Any]]] = defaultdict(list)
        for layer in self.layers:
            for node in layer.get("inbound_nodes", []):
                for source in _sources(node):
                    self._users[source].append((layer, node))

    def calls(self, layer: dict[str, Any]) -> int:
        """How many times a layer is called."""
        return 1 if self._sequential else len(layer.get("inbound_nodes", []))

    def follower(self, layer: dict[str, Any]) -> tuple[dict[str, Any], Any] | None:
        """The only layer that takes the output, with its call; None where there are others, or none."""
        if self._sequential:
            place = next((i for i, one in enumerate(self.layers) if one is layer), len(self.layers))
            return (self.layers[place + 1], None) if place + 1 < len(self.layers) else None
        users = self._users[name_of(layer)]
        alone = len(users) == 1 and name_of(layer) not in self._outputs and self.calls(layer) == 1
        return users[0] if alone and self.calls(users[0][0]) == 1 else None

    def users(self, layer: dict[str, Any]) -> list[dict[str, Any]]:
        """Every layer that takes the output."""
        if self._sequential:
            follower = self.follower(layer)
            return [] if follower is None else [follower[0]]
        return [user for user, _ in self._users[name_of(layer)]]

    def cut(self, layer: dict[str, Any], ndim: int, *, channels_last: bool, notes: list[str]) -> Any:
        """The croppings right after a layer as one cut."""
        cutting = Cutting(ndim, channels_last=channels_last)
        while (follower := self.follower(layer)) is not None:
            user, call = follower
            slices = _slices(user, call, channels_last=channels_last)
            if slices is None or not cutting.take_all(slices):
                break
            notes.append(taken(f"{user.get('class_name')} {name_of(user)!r}"))
            layer = user
        left = [user for user in self.users(layer) if user.get("class_name") in _SLICES]
        notes += [outside(f"{user.get('class_name')} {name_of(user)!r}") for user in left]
        return cutting.cut


def name_of(layer: dict[str, Any]) -> str:
    """The name of a layer in its model."""
    config = layer.get("config")
    return str(layer.get("name") or (config.get("name") if isinstance(config, dict) else None) or "")


def _sources(node: Any) -> Iterator[str]:
    """The layers whose outputs a call takes, in the form of Keras 3 and in the older one."""
    if isinstance(node, dict):
        history = node["config"].get("keras_history") if node.get("class_name") == "__keras_tensor__" else None
        if history:
            yield str(history[0])
            return
        for value in node.values():
            yield from _sources(value)
    elif isinstance(node, list):
        if len(node) >= 3 and isinstance(node[0], str) and all(type(n) is int for n in node[1:3]):
            yield node[0]
            return
        for value in node:
            yield from _sources(value)


def _names(outputs: Any) -> Iterator[str]:
    if isinstance(outputs, list) and outputs and isinstance(outputs[0], str):
        yield outputs[0]
    elif isinstance(outputs, (list, dict)):
        for one in outputs.values() if isinstance(outputs, dict) else outputs:
            yield from _names(one)


def _slices(user: dict[str, Any], call: Any, *, channels_last: bool) -> Any:
    """A cropping layer, or an indexing with slices, as (axis, begin, end, step); None for anything else."""
    if user.get("class_name") in _CROPPING:
        return _cropped(user["config"], channels_last=channels_last)
    if user.get("class_name") == "GetItem" and isinstance(call, dict):
        arguments = call.get("args")
        return _indexed(arguments[1]) if isinstance(arguments, list) and len(arguments) == 2 else None
    return None


def _cropped(config: dict[str, Any], *, channels_last: bool) -> Any:
    if (config.get("data_format", "channels_last") == "channels_last") != channels_last:
        return None
    cropping = config.get("cropping")
    if not isinstance(cropping, list):
        return None
    pairs = [cropping] if all(type(n) is int for n in cropping) else cropping
    first = 1 if channels_last else 2
    if any(not (isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair)) for pair in pairs):
        return None
    return [(first + i, begin, -end or None, 1) for i, (begin, end) in enumerate(pairs)]


def _indexed(key: Any) -> Any:
    entries = key if isinstance(key, list) else [key]
    found = []
    for axis, entry in enumerate(entries):
        if not (isinstance(entry, dict) and entry.get("class_name") == "__slice__"):
            return None
        ends = [entry["config"].get(name) for name in ("start", "stop", "step")]
        if any(type(n) is not int and n is not None for n in ends):
            return None
        found.append((axis, *ends))
    return found
