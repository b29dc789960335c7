"""safetensors files: named tensors, of which those that a layer file names are read."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.audit.found import Model
from harness.audit.readers.request import Request
from harness.audit.readers.states import found_among
from harness.audit.readers.weights import Tensors


def read(request: Request) -> Model:
    """The layers that the request names, with their weights.

    Raises:
        UsageError: a layer is not in the file, or has another shape there.
    """
    from safetensors import safe_open

    with safe_open(request.source, framework="numpy") as opened:
        names = frozenset(opened.keys())
        wide = {name for name in names if opened.get_slice(name).get_dtype() == "BF16"}

        def load(name: str) -> NDArray[Any]:
            if name in wide:  # NumPy has no such numbers
                return _bfloat16(Path(request.source), name)
            array: NDArray[Any] = opened.get_tensor(name)
            return array

        return found_among(Tensors(names, load), request)


def _bfloat16(path: Path, name: str) -> NDArray[Any]:
    """A tensor of bfloat16 numbers as float32; the header has been checked by the library."""
    with path.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        entry = json.loads(opened.read(length))[name]
        begin, end = entry["data_offsets"]
        opened.seek(8 + length + begin)
        halves = np.frombuffer(opened.read(end - begin), "<u2")
    return (halves.astype(np.uint32) << 16).view(np.float32).reshape(entry["shape"])
