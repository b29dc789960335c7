"""State dicts that ``torch.save`` wrote: read with ``weights_only=True``, so that no pickle runs code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pickle import UnpicklingError  # only to catch it
from typing import Any

from harness.audit.found import Model
from harness.audit.readers.request import Request
from harness.audit.readers.states import found_among
from harness.audit.readers.tensors import plain_array
from harness.audit.readers.weights import Tensors
from harness.errors import UsageError

#: how deep a state dict may lie in what was saved
_DEPTH = 8

_REFUSED = re.compile(r"(?:Unsupported global: GLOBAL|Unsupported class|Trying to load unsupported GLOBAL) (\S+)")


def read(request: Request) -> Model:
    """The layers that the request names, with their weights.

    Raises:
        UsageError: the file holds more than tensors, a layer is not in it, or has another shape there.
    """
    tensors = dict(_tensors(_loaded(request.source), "", _DEPTH))
    if not tensors:
        raise UsageError(f"{request.source}: holds no tensors by name: save model.state_dict()")
    return found_among(Tensors(frozenset(tensors), lambda name: plain_array(tensors[name])), request)


def _loaded(path: str) -> Any:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError) as error:
        said = str(error)
        if "TorchScript" in said:
            instead = "save model.state_dict() of it, or export it to ONNX"
            raise UsageError(f"{path}: is a TorchScript archive, not a state dict: {instead}") from None
        if isinstance(error, RuntimeError):
            raise
        refused = _REFUSED.search(said)
        what = f"a pickle that would run {refused[1]}" if refused else "no state dict, or a pickle that would run code"
        raise UsageError(f"{path}: is {what}, which is not read: save model.state_dict(), or safetensors") from None


def _tensors(value: Any, prefix: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Tensors by their dotted names, out of the dictionaries that checkpoints wrap them in."""
    import torch

    if not isinstance(value, Mapping) or not depth:
        return
    for key, entry in value.items():
        if isinstance(key, str) and isinstance(entry, torch.Tensor):
            yield prefix + key, entry
        elif isinstance(key, str):
            yield from _tensors(entry, f"{prefix}{key}.", depth - 1)
