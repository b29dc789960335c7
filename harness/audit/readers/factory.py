"""``package.module:factory``: what it makes is a torch.nn.Module or a flax module, whose layers are looked at."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from harness.audit.found import Model
from harness.audit.readers.request import Request
from harness.errors import UsageError

#: the classes whose instances are models, and what reads them
_MODELS = (
    ("torch.nn", "Module", "torch_modules", "of_model"),
    ("flax.linen", "Module", "flax_modules", "of_linen"),
    ("flax.nnx", "Module", "flax_modules", "of_nnx"),
)


def read(request: Request) -> Model:
    """The transposed convolutions of the model that a factory makes.

    Raises:
        UsageError: there is no such factory, or it makes something else.
    """
    made = _made(request.source)
    model = made[0] if isinstance(made, tuple) and made else made
    for package, base, module, reader in _MODELS:
        # What makes a module has imported its package; nobody else has to.
        if package in sys.modules and isinstance(model, getattr(sys.modules[package], base)):
            found: Model = getattr(import_module(f"harness.audit.readers.{module}"), reader)(made, request)
            return found
    kind = type(made).__name__
    raise UsageError(
        f"{request.source}: makes {kind!r}, which is no torch.nn.Module and no module of flax.linen or nnx"
    )


def _made(source: str) -> Any:
    name, _, attribute = source.partition(":")
    try:
        module = import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name + ".").startswith(error.name + "."):
            raise
        where = "start from its folder, or set PYTHONPATH"
        raise UsageError(f"{source}: there is no module {error.name!r}: {where}") from None
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise UsageError(f"{source}: {name!r} has no function or class {attribute!r}")
    try:
        return factory()
    except Exception as error:  # whatever stands there
        said = f"{type(error).__name__}: {error}"
        raise UsageError(f"{source}: fails ({said}): it must make a model when called without arguments") from None
