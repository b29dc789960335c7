"""The process that reads a model: it opens the file, so that whatever the file does is done to it alone."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

from harness.audit.found import Model
from harness.audit.readers.handed import hand_over
from harness.audit.readers.request import KINDS, Request
from harness.errors import UsageError


def main(name: str) -> None:
    """Read what ``request.json`` in a folder asks for, and hand it over in the same folder."""
    folder = Path(name)
    request = Request.from_json(json.loads((folder / "request.json").read_text()))
    try:
        hand_over(folder, _read(request))
    except UsageError as error:
        hand_over(folder, str(error))
    except MemoryError:
        hand_over(folder, f"{request.source}: does not fit into memory")
    except ModuleNotFoundError as error:
        hand_over(folder, f"{request.source}: {_missing(error)}")
    except Exception as error:  # whatever a library says of a file that is none
        said = f"{type(error).__name__}: {error}"
        hand_over(folder, f"{request.source}: cannot be read as {_called(request)}, or is only a part of one: {said}")


def _read(request: Request) -> Model:
    model: Model = import_module(f"harness.audit.readers.{request.module}").read(request)
    if not model.layers:
        passed = "".join(f"; not read: {one.name} ({one.reason})" for one in model.skipped[:1])
        more = f" and {len(model.skipped) - 1} more" if len(model.skipped) > 1 else ""
        raise UsageError(f"{request.source}: no transposed convolution found in it{passed}{more}")
    return model


def _called(request: Request) -> str:
    return next(kind.called for kind in KINDS if kind.module == request.module)


def _missing(error: ModuleNotFoundError) -> str:
    package = (error.name or "").partition(".")[0]
    extra = {"torch": "torch", "flax": "flax", "jax": "jax"}.get(package, "audit")
    known = {"onnx", "h5py", "safetensors", "torch", "flax", "jax"}
    remedy = f": pip install 'deconvdiff[{extra}]'" if package in known else ""
    return f"{error}{remedy}"
