"""A model is read in a process of its own: a fresh interpreter with a limit of memory and of time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.audit.found import Model
from harness.audit.readers.handed import shortened, take
from harness.audit.readers.request import Request
from harness.errors import UsageError
from harness.workers.boot import BOOT
from harness.workers.lent import ROOT
from harness.workers.process import ENVIRONMENT, exit_text
from harness.workers.reaper import Reaper
from harness.workers.watch import Watch


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of resident memory and seconds that reading one model may take."""

    memory: int = 4 * 2**30
    seconds: float = 600.0


def read_apart(request: Request, limits: Limits) -> Model:
    """Read a model in another process.

    Raises:
        UsageError: it cannot be read, or takes more than the limits.
    """
    with tempfile.TemporaryDirectory(prefix="deconvdiff-") as name:
        folder = Path(name)
        (folder / "request.json").write_text(json.dumps(request.to_json()))
        failure = _run(folder, limits)
        if failure is None and (model := take(folder, request.source)) is not None:
            return model
        raise UsageError(shortened(f"{request.source}: {failure or 'reading it gave no answer'}"))


def _run(folder: Path, limits: Limits) -> str | None:
    """Have the process read, to its end; why it came to another end than its own."""
    watch, reaper = Watch(), Reaper()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 # our own interpreter and text
            [sys.executable, "-c", BOOT, str(ROOT), "harness.audit.readers.child", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **ENVIRONMENT},
            start_new_session=True,
        )
    try:
        reaper.watch(process.pid)
        watch.add(process.pid, limits.memory)
        status = process.wait(limits.seconds)
    except subprocess.TimeoutExpired:
        return f"reading it takes more than the limit of {limits.seconds:g} s"
    finally:
        over = watch.remove(process.pid)
        _end(process)
        reaper.forget(process.pid)
        watch.close()
        reaper.close()
    if over is not None:
        return f"reading it takes more than the limit of {limits.memory / 2**30:g} GiB of memory"
    return f"reading it ended the process with {exit_text(status)}" if status else None


def _end(process: subprocess.Popen[bytes]) -> None:
    """It leads a session of its own: what it has started goes with it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
