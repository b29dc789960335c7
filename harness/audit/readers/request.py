"""What the process that reads is told, and the kinds of models that there are. Everything here is plain data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.layer import Spelling

_FACTORY = re.compile(r"[^\W\d][\w.]*:[^\W\d]\w*")

#: what a person may well name, and what to do instead
_INSTEAD = {
    ".h5": "save the model as .keras",
    ".hdf5": "save the model as .keras",
    ".ckpt": "save the state dict with torch.save or safetensors",
    ".pb": "save the model as .keras",
    ".msgpack": "name a factory, package.module:factory, with --trust",
    ".tflite": "export the model to ONNX",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of model: how it is called, which module of this package reads it, and what it takes besides the path.

    ``runs_code`` says why reading it runs code of the model; it is empty where it does not.
    """

    called: str
    module: str
    suffixes: tuple[str, ...] = ()
    needs_layers: bool = False
    takes_shape: bool = False
    runs_code: str = ""


FACTORY = Kind(
    "a factory",
    "factory",
    takes_shape=True,
    runs_code="importing and calling it runs whatever code stands there, and so does its model",
)

KINDS = (
    Kind("an ONNX model", "onnx_file", (".onnx",), takes_shape=True),
    Kind("a Keras model", "keras_file", (".keras",)),
    Kind("a safetensors file", "safetensors_file", (".safetensors",), needs_layers=True),
    Kind("a PyTorch state dict", "state_dict_file", (".pt", ".pth", ".bin"), needs_layers=True),
    Kind("an exported PyTorch program", "program_file", (".pt2",), runs_code="torch.export.load may run code of it"),
    FACTORY,
)


@dataclass(frozen=True, slots=True)
class WrittenLayer:
    """One entry of a layer file, its layer in the words of the API that it comes from."""

    name: str
    spelling: Spelling
    ndim: int
    input_size: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A model to read: its path or factory, the layers that a layer file names, the shape of an input to try."""

    source: str
    module: str
    layers: tuple[WrittenLayer, ...] = ()
    input_shape: tuple[int, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "source": self.source,
            "module": self.module,
            "layers": [_plain(layer) for layer in self.layers],
            "input_shape": self.input_shape,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Request:
        """Read ``to_json``'s form."""
        shape = data["input_shape"]
        layers = tuple(_written(layer) for layer in data["layers"])
        return cls(data["source"], data["module"], layers, None if shape is None else tuple(shape))


def kind_of(source: str) -> Kind:
    """The kind of a model by its name.

    >>> kind_of("decoder.onnx").called, kind_of("mypkg.models:decoder").called
    ('an ONNX model', 'a factory')

    Raises:
        UsageError: it is none.
    """
    if _FACTORY.fullmatch(source) and not Path(source).exists():
        return FACTORY
    suffix = Path(source).suffix.lower()
    for kind in KINDS:
        if suffix in kind.suffixes:
            return kind
    known = ", ".join(suffix for kind in KINDS for suffix in kind.suffixes)
    instead = _INSTEAD.get(suffix, "name such a file, or package.module:factory with --trust")
    raise UsageError(f"{source!r} is no model that can be read ({known}): {instead}")


def _plain(layer: WrittenLayer) -> dict[str, Any]:
    spelling = layer.spelling.to_json()
    return {"name": layer.name, "spelling": spelling, "ndim": layer.ndim, "input_size": layer.input_size}


def _written(data: dict[str, Any]) -> WrittenLayer:
    size = data["input_size"]
    spelling = Spelling.from_json(data["spelling"])
    return WrittenLayer(data["name"], spelling, data["ndim"], None if size is None else tuple(size))
