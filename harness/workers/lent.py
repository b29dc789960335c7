"""The files that a worker needs of us, and nothing else: what is lent to an interpreter that does not have them.

Another environment's interpreter gets a folder with just these, never our site-packages, which would shadow the
framework that it is asked for.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

#: the folder that our package is in
ROOT = Path(__file__).resolve().parents[2]

#: what every worker imports
FILES = (
    "harness/__init__.py",
    "harness/errors.py",
    "harness/frameworks/__init__.py",
    "harness/frameworks/base.py",
    "harness/layer.py",
    "harness/layout.py",
    "harness/records.py",
    "harness/reference.py",
    "harness/sizes.py",
    "harness/values.py",
    "harness/writing.py",
    "harness/workers/__init__.py",
    "harness/workers/child.py",
    "harness/workers/observing.py",
    "harness/workers/protocol.py",
)


def folder(modules: Iterable[str]) -> Path:
    """A new folder with the files of every worker and those of our modules that are named; others are not ours."""
    into = Path(tempfile.mkdtemp(prefix="deconvdiff-"))
    own = [name.replace(".", "/") + ".py" for name in modules if name.startswith("harness.")]
    for file in (*FILES, *own):
        to = into / file
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, to)
    return into
