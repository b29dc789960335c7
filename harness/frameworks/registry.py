"""Which APIs there are: the entry points of the group ``deconvdiff.targets``, each naming a framework's module.

A module of the group has a tuple ``APIS`` of ``Api`` classes. Nothing here imports a framework: what is installed is
asked of the import system and of the distributions' metadata.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Sequence
from functools import cache

from harness.errors import UsageError
from harness.frameworks.base import Api, Mode

GROUP = "deconvdiff.targets"
DEFAULT = ("torch", "jax", "tensorflow", "keras")


@cache
def apis() -> tuple[type[Api], ...]:
    """Every declared API, the four of the default first.

    Raises:
        UsageError: a module of the entry point group cannot be imported or declares no ``APIS``.
    """
    points = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
    order = [name for name in DEFAULT if name in points] + sorted(set(points) - set(DEFAULT))
    return tuple(api for name in order for api in _declared(points[name]))


def _declared(point: importlib.metadata.EntryPoint) -> Sequence[type[Api]]:
    try:
        return tuple(point.load().APIS)
    except Exception as error:
        raise UsageError(f"entry point {point.name} = {point.value} of {GROUP} does not load: {error}") from error


def installed_version(api: type[Api]) -> str | None:
    """Version of the installed distribution, or None."""
    for name in api.distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def missing(api: type[Api], mode: Mode) -> str | None:
    """Why a mode cannot run here, with the command that installs it; None where everything is found."""
    needed = [name for name in (api.module, *mode.requires) if name]
    absent = [name for name in needed if importlib.util.find_spec(name) is None]
    if not absent:
        return None
    return f"{absent[0]} is not installed: pip install 'deconvdiff[{_extra(absent[0], api)}]'"


def _extra(module: str, api: type[Api]) -> str:
    """The extra of ours that brings a module."""
    by_module = {other.module: other.extra for other in apis() if other.extra}
    return by_module.get(module) or api.extra or module
