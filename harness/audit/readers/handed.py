"""What the process that reads hands over: a model as JSON and one .npy file for each array. Nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.audit.found import FoundLayer, Model, SkippedLayer
from harness.errors import UsageError
from harness.layer import Spelling
from harness.writing import one_line

_ANSWER = "answer.json"

#: layers that an audit may have; a model with more was made to be read, not to be used
MAX_LAYERS = 10_000

#: characters of a name, and of a sentence, that are kept
_NAME, _SENTENCE = 200, 500


def hand_over(folder: Path, answer: Model | str) -> None:
    """Write a model, or the one line that says why there is none."""
    if isinstance(answer, str):
        (folder / _ANSWER).write_text(json.dumps({"error": answer}))
        return
    if len(answer.layers) + len(answer.skipped) > MAX_LAYERS:
        raise UsageError(f"{answer.source}: has more than {MAX_LAYERS} transposed convolutions: name a part of it")
    store = _Store(folder)
    layers = [_plain(layer, store) for layer in answer.layers]
    skipped = [{"name": one.name, "reason": one.reason} for one in answer.skipped]
    (folder / _ANSWER).write_text(json.dumps({"layers": layers, "skipped": skipped}))


def take(folder: Path, source: str) -> Model | None:
    """The model that was handed over; None if nothing was.

    Raises:
        UsageError: what was handed over is the line that says why there is no model.
    """
    try:
        data = json.loads((folder / _ANSWER).read_text())
    except (OSError, ValueError):
        return None
    if "error" in data:
        raise UsageError(shortened(data["error"]))
    layers = tuple(_found(layer, folder) for layer in data["layers"])
    skipped = tuple(SkippedLayer(_named(one["name"]), shortened(one["reason"])) for one in data["skipped"])
    return Model(source, layers, skipped)


def shortened(text: str) -> str:
    """A sentence on one line, without what would steer a terminal, and not endless.

    >>> len(shortened("x" * 1000))
    500
    """
    return _cut(one_line(text), _SENTENCE)


def _named(name: str) -> str:
    return _cut(one_line(name), _NAME)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


class _Store:
    """Arrays in files of a folder, by number."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def __call__(self, array: NDArray[Any] | None) -> str | None:
        if array is None:
            return None
        name = f"{self._count}.npy"
        self._count += 1
        np.save(self._folder / name, np.ascontiguousarray(array), allow_pickle=False)
        return name


def _plain(layer: FoundLayer, store: Callable[[NDArray[Any] | None], str | None]) -> dict[str, Any]:
    return {
        "name": layer.name,
        "spelling": layer.spelling.to_json(),
        "ndim": layer.ndim,
        "input_size": layer.input_size,
        "weight": store(layer.weight),
        "bias": store(layer.bias),
        "cut": layer.cut,
        "notes": layer.notes,
    }


def _found(data: dict[str, Any], folder: Path) -> FoundLayer:
    return FoundLayer(
        name=_named(data["name"]),
        spelling=Spelling.from_json(data["spelling"]),
        ndim=data["ndim"],
        input_size=None if data["input_size"] is None else tuple(data["input_size"]),
        weight=_array(data["weight"], folder),
        bias=_array(data["bias"], folder),
        cut=tuple((begin, end) for begin, end in data["cut"]),
        notes=tuple(map(shortened, data["notes"])),
    )


def _array(name: str | None, folder: Path) -> NDArray[Any] | None:
    if name is None:
        return None
    array: NDArray[Any] = np.load(folder / name, allow_pickle=False)
    array.flags.writeable = False
    return array
