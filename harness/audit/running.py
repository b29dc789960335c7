"""Programs executed: those of one framework in one fresh interpreter, and what dies or hangs is laid to one of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from harness.workers.process import ENVIRONMENT, exit_text
from harness.workers.reaper import Reaper
from harness.workers.watch import Watch

#: seconds that one program may take, and the first one with the framework's import
_PATIENCE, _LOADING = 120.0, 180.0

#: bytes of resident memory that the programs of one framework may hold
_MEMORY = 8 * 2**30

_LOOK = 0.05
_SHOWN = 600

RUNNER = Path(__file__).with_name("runner.py")


def run(programs: Sequence[str], environment: Mapping[str, str] | None = None) -> list[str | None]:
    """Why each program failed, in one line; None of those that ran to their end.

    >>> run(["assert 1 + 1 == 2", "assert 1 + 1 == 3, 'not three'", "import os; os.abort()", "2"])
    [None, 'AssertionError: not three', 'the process ended: SIGABRT', None]
    """
    with tempfile.TemporaryDirectory(prefix="deconvdiff-") as folder:
        file = Path(folder) / "programs.json"
        file.write_text(json.dumps(list(programs)), encoding="utf-8")
        ended: dict[int, str | None] = {}
        while len(ended) < len(programs):
            said = _run_from(file, len(ended), environment or {})
            ended.update(_results(file))
            if len(ended) < len(programs):
                ended[len(ended)] = said
        return [ended[number] for number in range(len(programs))]


def _results(file: Path) -> dict[int, str | None]:
    results = Path(f"{file}.results")
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    said = [json.loads(line) for line in lines if line.endswith("}")]
    return {one["ended"]: _one_line(one["error"]) for one in said if "ended" in one}


def _run_from(file: Path, start: int, environment: Mapping[str, str]) -> str:
    """Run the programs from a number on; how the process ended."""
    watch, reaper = Watch(), Reaper()
    with file.with_suffix(f".{start}.log").open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 # our own interpreter and file
            [sys.executable, str(RUNNER), str(file), str(start)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=file.parent,
            env={**os.environ, **ENVIRONMENT, **environment},
            start_new_session=True,
        )
    try:
        reaper.watch(process.pid)
        watch.add(process.pid, _MEMORY)
        hung = _wait(process, Path(f"{file}.results"))
    finally:
        over = watch.remove(process.pid)
        status = _end(process)
        reaper.forget(process.pid)
        watch.close()
        reaper.close()
    if over is not None:
        return f"takes more than the limit of {_MEMORY / 2**30:g} GiB of memory"
    return f"the process ended: {exit_text(status)}" if hung is None else f"no end in {hung:g} s"


def _end(process: subprocess.Popen[bytes]) -> int:
    """It leads a session of its own: what it has started goes with it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _wait(process: subprocess.Popen[bytes], results: Path) -> float | None:
    """Wait for the end; the seconds of patience that ran out, if they did."""
    seen, since, patience = 0, time.monotonic(), _LOADING
    while process.poll() is None:
        size = results.stat().st_size if results.exists() else 0
        if size != seen:
            patience = _PATIENCE if seen else _LOADING
            seen, since = size, time.monotonic()
        if time.monotonic() - since > patience:
            return patience
        time.sleep(_LOOK)
    return None


def _one_line(text: str | None) -> str | None:
    if text is None:
        return None
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_SHOWN]
