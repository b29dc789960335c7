"""``package.module:factory``: what it makes is a torch.nn.Module or a flax module, whose layers are looked at."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeAlias

from harness.audit.found import Model
from harness.audit.readers.request import Request
from harness.errors import UsageError

_Reader: TypeAlias = "Callable[[Any, Request], Model]"


def read(request: Request) -> Model:
    """The transposed convolutions of the model that a factory makes.

    Raises:
        UsageError: there is no such factory, or it makes something else.
    """
    made = _made(request.source)
    for package, base, reader in (("torch", "torch.nn:Module", "torch_modules"),):
        if package in sys.modules and isinstance(made, _named(base)):
            of_model: _Reader = import_module(f"harness.audit.readers.{reader}").of_model
            return of_model(made, request)
    raise UsageError(f"{request.source}: makes {type(made).__name__!r}, which is no torch.nn.Module")


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
    return factory()


def _named(location: str) -> Any:
    module, _, name = location.partition(":")
    return getattr(import_module(module), name)
