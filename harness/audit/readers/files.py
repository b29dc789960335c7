"""Files that a person names: looked at before anything is read of them."""

from __future__ import annotations

import stat
from pathlib import Path

from harness.errors import UsageError


def check_file(path: Path) -> None:
    """Whether there is a file of that name, and nothing that never ends.

    Raises:
        UsageError: there is none.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or error}: name a file that is there") from None
    if stat.S_ISDIR(mode):
        raise UsageError(f"{path}: is a folder: name a file in it")
    if not stat.S_ISREG(mode):
        raise UsageError(f"{path}: is no regular file: copy it into one")
