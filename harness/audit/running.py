"""Programs executed: those of one framework in one fresh interpreter, and what dies or hangs is laid to one of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from harness.workers.process import ENVIRONMENT, exit_text

#: seconds that one program may take, and the first one with the framework's import
_PATIENCE, _LOADING = 120.0, 180.0

_LOOK = 0.05
_SHOWN = 600

RUNNER = Path(__file__).with_name("runner.py")


def run(programs: Sequence[str]) -> list[str | None]:
    """Why each program failed, in one line; None of those that ran to their end.

    >>> run(["assert 1 + 1 == 2", "assert 1 + 1 == 3, 'not three'", "import os; os.abort()", "2"])
    [None, 'AssertionError: not three', 'the process ended: SIGABRT', None]
    """
    with tempfile.TemporaryDirectory(prefix="deconvdiff-") as folder:
        file = Path(folder) / "programs.json"
        file.write_text(json.dumps(list(programs)), encoding="utf-8")
        ended: dict[int, str | None] = {}
        while len(ended) < len(programs):
            start = len(ended)
            said = _run_from(file, start)
            ended.update(_results(file))
            if len(ended) < len(programs) and said is not None:
                ended[len(ended)] = said
        return [ended[number] for number in range(len(programs))]


def _results(file: Path) -> dict[int, str | None]:
    results = Path(f"{file}.results")
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    said = [json.loads(line) for line in lines if line.endswith("}")]
    return {one["ended"]: _one_line(one["error"]) for one in said if "ended" in one}


def _run_from(file: Path, start: int) -> str | None:
    """Run the programs from a number on; why the process did not come to their end."""
    log = file.with_suffix(f".{start}.log")
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 # our own interpreter and file
            [sys.executable, str(RUNNER), str(file), str(start)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=file.parent,
            env={**os.environ, **ENVIRONMENT},
            start_new_session=True,
        )
        try:
            hung = _wait(process, Path(f"{file}.results"))
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
    if hung is not None:
        return f"no end in {hung:g} s"
    return None if status == 0 else f"the process ended: {exit_text(status)}"


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
