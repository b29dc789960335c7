"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 next to ``path`` and move it there: nobody ever reads half a report.

    Raises:
        OSError: the folder does not exist or cannot be written; an older file at ``path`` is then left as it was.

    >>> folder = tempfile.mkdtemp()
    >>> replace_text(f"{folder}/report.html", "whole")
    >>> Path(f"{folder}/report.html").read_text(encoding="utf-8")
    'whole'
    """
    final = Path(path).resolve()  # through a symbolic link, so that the link survives
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=f".{final.name}-") as folder:
        draft = Path(folder) / final.name
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(final)
