"""The record of a run that begins now, and the moments in it."""

from __future__ import annotations

import platform
import secrets
import shlex
from collections.abc import Sequence
from datetime import datetime, timezone

from harness import __version__
from harness.records import Run


def new_run(*, seed: int, profile: str, command: Sequence[str]) -> Run:
    """A run with an id of its own, on this platform, started now.

    >>> new_run(seed=7, profile="ci", command=["deconvdiff", "fuzz", "--html", "a b.html"]).command
    "deconvdiff fuzz --html 'a b.html'"
    """
    return Run(
        id=secrets.token_hex(6),
        started=now(),
        seed=seed,
        profile=profile,
        platform=f"{platform.platform()}, {platform.machine()}, Python {platform.python_version()}",
        version=__version__,
        command=shlex.join(command),
    )


def fresh_seed() -> int:
    """A seed that no run has had on purpose."""
    return secrets.randbits(32)


def now() -> str:
    """The present moment in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
