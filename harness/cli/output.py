"""What a command writes: files, checked before the work begins and replaced as a whole; and who cannot be asked."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from harness.cli.text import clean
from harness.errors import UsageError
from reports.files import replace_text


def check_writable(option: str, path: Path) -> None:
    """Refuse a file that could not be written later.

    Raises:
        UsageError: the folder is missing or cannot be written, or the path is a folder.
    """
    if path.is_dir():
        raise UsageError(f"{option} {path}: is a folder: name a file")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UsageError(
            f"{option} {path}: cannot be written ({error.strerror}): name a file in a writable folder"
        ) from error


def check_distinct(**paths: Path | None) -> None:
    """Refuse two options that name one file: the later would destroy the earlier.

    Raises:
        UsageError: names both options and the file.
    """
    named: dict[Path, str] = {}
    for name, path in paths.items():
        if path is not None and (other := named.setdefault(path.resolve(), name)) != name:
            raise UsageError(f"{path}: is both {other} and {name}: name a file of its own for each")


def write(option: str, path: Path, text: str) -> None:
    """Write the file as a whole: a reader sees the old content or the new, never half.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        replace_text(path, text)
    except OSError as error:
        raise UsageError(
            f"{option} {path}: cannot be written ({error.strerror}): name a file in a writable folder"
        ) from error


def write_json(path: str, text: str) -> None:
    """Write JSON to the file, or to stdout for ``-``."""
    if path == "-":
        click.echo(text)
    else:
        write("--json", Path(path), text)


def tell_missing(unavailable: Mapping[str, str]) -> None:
    """Say on stderr which targets cannot be asked, and why."""
    for name, reason in unavailable.items():
        click.echo(f"deconvdiff: without {name}: {clean(reason)}", err=True)
