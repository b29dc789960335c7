"""The pytest plug-in: options, marker and report of differential tests.

It imports nothing of ours at the top, for a host repository may have a folder ``harness``, ``strategies`` or
``reports`` of its own: its tests must run as if this were not installed. What the options say goes into environment
variables, which ``harness.testing`` reads in whatever process a test runs.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

import pytest

_PREFIX = "DECONVDIFF_"
_DISTRIBUTIONS = ("deconvdiff", "hypothesis", "torch", "jax", "tensorflow", "tensorflow-cpu", "keras", "flax")
_ENVIRONMENT = pytest.StashKey[dict[str, str | None]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, each with an ini twin; no short ones, so that they stand beside any other plug-in's."""
    group = parser.getgroup("deconvdiff", "differential tests of transposed convolution")
    options = {
        "target": "ask this target, too, in every differential test; repeatable (torch, jax+abstract, mine:Mine)",
        "profile": f"how many examples and which seed: {', '.join(_profiles())} (default: default)",
        "seed": "draw the examples of this seed again",
        "html": "write the report of all differential tests to this file",
        "baseline": "TOML file of known findings instead of the one that comes with deconvdiff",
    }
    metavars = {"target": "NAME", "profile": "PROFILE", "seed": "N"}
    for name, text in options.items():
        many = name == "target"
        group.addoption(
            f"--deconvdiff-{name}",
            action="append" if many else "store",
            default=None,
            metavar=metavars.get(name, "FILE"),
            help=text,
        )
        kind: Literal["args", "string"] = "args" if many else "string"
        parser.addini(f"deconvdiff_{name}", text, type=kind, default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and hand the options over."""
    config.addinivalue_line(
        "markers", "differential: asks installed frameworks, held against each other and the reference"
    )
    profile = _option(config, "profile") or os.environ.get(_PREFIX + "PROFILE") or "default"
    if profile not in _profiles():
        raise pytest.UsageError(f"--deconvdiff-profile {profile!r} is unknown: known are {', '.join(_profiles())}")
    baseline = _option(config, "baseline")
    if baseline is not None and not Path(baseline).is_file():
        raise pytest.UsageError(f"--deconvdiff-baseline {baseline}: there is no such file")
    given = {
        "PROFILE": profile,
        "SEED": str(_seed(config, profile)),
        "TARGETS": " ".join(_option(config, "target") or []) or None,
        "BASELINE": None if baseline is None else str(Path(baseline).resolve()),
        "FOLDER": _folder(config),
    }
    named = {_PREFIX + name: value for name, value in given.items() if value is not None}
    config.stash[_ENVIRONMENT] = {name: os.environ.get(name) for name in named}
    os.environ.update(named)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the environment as it was, and no folder behind."""
    folder = os.environ.get(_PREFIX + "FOLDER")
    if folder is not None and not hasattr(config, "workerinput"):
        shutil.rmtree(folder, ignore_errors=True)
    for name, value in config.stash.get(_ENVIRONMENT, {}).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def pytest_report_header() -> str:
    """What is asked, and with which seed it can be drawn again."""
    versions = [f"{name} {version}" for name in _DISTRIBUTIONS if (version := _version(name))]
    profile, seed = (os.environ.get(_PREFIX + name) for name in ("PROFILE", "SEED"))
    return f"deconvdiff: profile {profile}, seed {seed}; {', '.join(versions)}"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist: every process draws with the same seed."""
    node.workerinput["deconvdiff_seed"] = os.environ[_PREFIX + "SEED"]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what this process observed; where a report is wanted and something was asked, write it."""
    config = session.config
    testing = sys.modules.get("harness.testing")
    if testing is not None and hasattr(testing, "end_session"):
        testing.end_session()
    folder, file = os.environ.get(_PREFIX + "FOLDER"), _option(config, "html")
    if folder is None or file is None or hasattr(config, "workerinput"):
        return
    if databases := sorted(Path(folder).glob("*.sqlite")):
        from harness.testing import write_report  # noqa: PLC0415 # ours, and only once a test of ours has run

        write_report(databases, Path(file))
        _say(config, f"deconvdiff: report of the differential tests: {file}")


def _say(config: pytest.Config, text: str) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.ensure_newline()
        reporter.write_line(text)


def _option(config: pytest.Config, name: str) -> Any:
    given = config.getoption(f"deconvdiff_{name}")
    return config.getini(f"deconvdiff_{name}") or None if given is None else given


def _folder(config: pytest.Config) -> str | None:
    """Where every process of the session keeps what it observed, if a report of it is wanted."""
    if hasattr(config, "workerinput"):
        return os.environ.get(_PREFIX + "FOLDER")
    return None if _option(config, "html") is None else tempfile.mkdtemp(prefix="deconvdiff-")


def _seed(config: pytest.Config, profile: str) -> int:
    """The controller's under pytest-xdist, then the named one, then the profile's, then a fresh one."""
    given = getattr(config, "workerinput", {}).get("deconvdiff_seed") or _option(config, "seed")
    given = os.environ.get(_PREFIX + "SEED") or None if given is None else given
    if given is not None:
        if not str(given).isdecimal():
            raise pytest.UsageError(f"--deconvdiff-seed {given!r}: must be an integer of at least 0")
        return int(given)
    fixed: int | None = _profiles()[profile].seed
    return secrets.randbits(32) if fixed is None else fixed


def _profiles() -> dict[str, Any]:
    """The profiles, read by the path of their file: a host's ``harness`` may be another one."""
    name = "_deconvdiff_profiles"
    if name not in sys.modules:
        path = Path(__file__).parent / "harness" / "campaign" / "profiles.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None  # noqa: S101 # for the type checker: the path ends in .py
        assert spec.loader is not None  # noqa: S101 # likewise
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    profiles: dict[str, Any] = sys.modules[name].PROFILES
    return profiles


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
