"""From what a person writes after ``--target`` to the targets of a run."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from harness.campaign.ask import Chosen
from harness.campaign.environments import environments as configured
from harness.errors import UsageError
from harness.frameworks import registry
from harness.frameworks.base import IMPLIED, Api, Mode
from harness.records import Target

_SELECTOR = re.compile(r"(?P<name>[^+@]+)(\+(?P<mode>[^+@]+))?(@(?P<environment>[^+@]+))?")
_LOCATION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def select(selectors: Sequence[str], environments: Mapping[str, str] | None = None) -> dict[str, tuple[Chosen, ...]]:
    """The targets of each selector; without any, every mode of the four default frameworks under the selector ''.

    ``environments`` has interpreters by name; without it, those of the repository's configuration.

    Raises:
        UsageError: a selector that names nothing known.
    """
    if not selectors:
        default = (chosen for name in registry.DEFAULT for chosen in _named(name, None, _OURS))
        return {"": tuple(default)}
    known = configured() if environments is None else environments
    return {selector: _select(selector, known) for selector in selectors}


def selector(target: str) -> str:
    """What selects a target again with all that it is held against: its API, in its environment.

    A third party's mode of its own is not selected by the class alone.

    >>> selector("torch.nn.ConvTranspose+abstract"), selector("mine:Mine+default"), selector("mine:Mine+fast")
    ('torch.nn.ConvTranspose', 'mine:Mine', 'mine:Mine+fast')
    >>> selector("torch.nn.ConvTranspose+abstract@old")
    'torch.nn.ConvTranspose@old'
    """
    name, at, environment = target.partition("@")
    api, _, mode = name.partition("+")
    implied = mode in ("default", *(one.name for one in IMPLIED))
    return target if ":" in api and mode and not implied else api + at + environment


def is_known(selector: str) -> bool:
    """Whether a selector names a target, installed or not.

    >>> is_known("torch"), is_known("pytroch")
    (True, False)
    """
    try:
        return bool(_select(selector, configured()))
    except UsageError:
        return False


def all_targets() -> tuple[Chosen, ...]:
    """Every mode of every declared API."""
    return tuple(_chosen(api, mode, _OURS) for api in registry.apis() for mode in api.modes)


@dataclass(frozen=True, slots=True)
class _Environment:
    """Where a target runs: our own interpreter has no name."""

    name: str = ""
    interpreter: str | None = None


_OURS = _Environment()


def _select(selector: str, environments: Mapping[str, str]) -> tuple[Chosen, ...]:
    match = _SELECTOR.fullmatch(selector)
    if match is None:
        raise UsageError(f"--target {selector!r}: write NAME, NAME+MODE, NAME@ENV or package.module:Class")
    at = _environment(selector, match["environment"], environments)
    if _LOCATION.fullmatch(match["name"]):
        return tuple(_third_party(match["name"], match["mode"], at))
    found = tuple(_named(match["name"], match["mode"], at))
    if not found:
        raise UsageError(f"--target {selector!r} is unknown: {_known()}")
    return found


def _environment(selector: str, name: str | None, environments: Mapping[str, str]) -> _Environment:
    if name is None:
        return _OURS
    if name not in environments:
        known = f"known are {', '.join(environments)}" if environments else "there are none"
        raise UsageError(
            f"--target {selector!r}: environment {name!r} is not defined, {known}; add --env {name}=path/to/bin/python"
        )
    return _Environment(name, environments[name])


def _named(name: str, mode: str | None, at: _Environment) -> Iterator[Chosen]:
    for api in registry.apis():
        if name not in (api.framework, api.name):
            continue
        for one in api.modes:
            if mode in (None, one.name):
                yield _chosen(api, one, at, always=mode is not None)


def _chosen(api: type[Api], mode: Mode, at: _Environment, *, always: bool = False) -> Chosen:
    """``always`` asks a slow mode of every case: somebody named it. What another environment has, its worker says."""
    if always and mode.share:
        mode = replace(mode, share=False)
    return Chosen(
        Target(api.name, mode.name, environment=at.name),
        mode,
        f"{api.__module__}:{api.__name__}",
        api.framework or api.name,
        _instances()[api.name],
        registry.missing(api, mode) if at is _OURS else None,
        interpreter=at.interpreter,
        named=always,
    )


@cache
def _instances() -> dict[str, Api]:
    """One instance of each API, for all its modes."""
    return {api.name: api() for api in registry.apis()}


def _third_party(location: str, mode: str | None, at: _Environment) -> Iterator[Chosen]:
    """A class that only its worker imports; that its module can be found is asked without running it.

    Without a mode's name it is asked in the modes that its methods imply, too.
    """
    package = location.partition(":")[0].partition(".")[0]
    found = at is not _OURS or _is_importable(package) or _in_current_folder(package)
    missing = None if found else f"module {package!r} is not found: install it, or set PYTHONPATH to its folder"
    usual = {one.name: one for one in IMPLIED}
    modes = [Mode("default"), *IMPLIED] if mode is None else [replace(usual.get(mode, Mode(mode)), share=False)]
    for one in modes:
        target = Target(location, one.name, environment=at.name)
        implied = mode is None and one.name in usual
        yield Chosen(target, one, location, location, None, missing, implied, at.interpreter, mode is not None)


def _is_importable(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:  # a module without a specification, such as __main__
        return False


def _in_current_folder(package: str) -> bool:
    return Path(package).is_dir() or Path(package + ".py").is_file()


def _known() -> str:
    names = dict.fromkeys(name for api in registry.apis() for name in (api.framework, api.name) if name)
    modes = "; ".join(f"{api.name} has modes {', '.join(m.name for m in api.modes)}" for api in registry.apis())
    return f"known are {', '.join(names)}, or package.module:Class ({modes})"
