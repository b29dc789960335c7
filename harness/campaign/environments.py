"""Other interpreters that targets run in: ``--env NAME=PYTHON``, or the table ``[env]`` of ``deconvdiff.toml``."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from harness.errors import UsageError

#: the configuration of a repository, in the current folder
FILE = Path("deconvdiff.toml")

_NAME = re.compile(r"[A-Za-z_][\w.-]*")


def environments(written: Iterable[str] = (), file: Path = FILE) -> dict[str, str]:
    """Interpreters by name: those of the file, and over them those that were written as NAME=PYTHON.

    Raises:
        UsageError: not written so, a name that is none, an interpreter that is not there, a file that cannot be read.

    >>> import sys
    >>> environments([f"old={sys.executable}"])["old"] == sys.executable
    True
    """
    found = _of_file(file)
    for one in written:
        name, equals, python = one.partition("=")
        if not equals or not python:
            raise UsageError(f"--env {one!r}: write NAME=PYTHON, such as old=venv/bin/python")
        found[name] = _interpreter(f"--env {one!r}", name, python)
    return found


def _of_file(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    try:
        table = tomlkit.parse(file.read_text(encoding="utf-8")).unwrap().get("env", {})
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise UsageError(f"{file}: cannot be read ({error})") from error
    if not isinstance(table, Mapping) or not all(isinstance(python, str) for python in table.values()):
        raise UsageError(f'{file}: [env] must have lines like old = "venv/bin/python"')
    return {name: _interpreter(f"{file}: env.{name}", name, python) for name, python in table.items()}


def _interpreter(where: str, name: str, python: str) -> str:
    """The path, absolute but not resolved: that of a virtual environment is a link to another one's."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{where}: {name!r} is no name: use letters, digits, '_', '.' and '-'")
    found = shutil.which(Path(python).expanduser())
    if found is None:
        raise UsageError(f"{where}: {python} is no program: name an environment's interpreter, such as venv/bin/python")
    return str(Path(found).absolute())
