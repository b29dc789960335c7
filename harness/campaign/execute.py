"""A script is run before it is shown, so that only what was seen to fail is shown."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from harness.judge.exceptions import last_words
from harness.workers.lent import ROOT
from harness.workers.process import ENVIRONMENT, exit_text

_CLIPPED, _LOG_TAIL = 500, 20_000

# The caller's folder comes last, so that it cannot shadow a framework; our own is for third parties' classes.
_BOOT = "import runpy, sys; file, *last = sys.argv[1:]; sys.path += last; runpy.run_path(file, run_name='__main__')"


class End(str, Enum):
    """What became of a script."""

    FAILS = "fails"
    PASSES = "passes"
    DIES = "dies"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Executed:
    """How a script ended: it ``fails`` by its own assertion and ``dies`` by a signal or an exit status of its own.

    ``exit`` is the signal's name, the exit status or the patience in words; ``last_line`` is the last that it printed
    of its own end.
    """

    end: End
    exit: str
    last_line: str


def execute(text: str, environment: Mapping[str, str], seconds: float) -> Executed:
    """Run a script in a fresh interpreter and an empty folder, and say what happened; it is killed after ``seconds``.

    >>> execute("assert 1 + 1 == 3, 'no'", {}, 60.0)
    Executed(end=<End.FAILS: 'fails'>, exit='exit status 1', last_line='AssertionError: no')
    """
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("a+b") as log:
        file = Path(folder, "finding.py")
        file.write_text(text, encoding="utf-8")
        process = subprocess.Popen(  # noqa: S603 # our own interpreter and text
            [sys.executable, "-c", _BOOT, str(file), str(Path.cwd()), str(ROOT)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, **ENVIRONMENT, **environment},
            start_new_session=True,
        )
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            return Executed(End.ERROR, f"no answer in {seconds:g} s", "")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        log.seek(max(log.seek(0, os.SEEK_END) - _LOG_TAIL, 0))
        return _executed(status, log.read().decode(errors="replace"), str(file))


def _executed(status: int, log: str, file: str) -> Executed:
    lines = [line for line in log.splitlines() if line.strip()]
    last = lines[-1][:_CLIPPED] if lines else ""
    if status == 0:
        return Executed(End.PASSES, exit_text(status), last)
    if status != 1:
        return Executed(End.DIES, exit_text(status), last_words(log) or last)
    failed = _own_assertion(lines, file)
    return Executed(End.FAILS if failed else End.ERROR, exit_text(status), failed or last)


def _own_assertion(lines: Iterable[str], file: str) -> str:
    """The AssertionError that the script itself raised: one of the framework's own is not an answer."""
    frame, found = "", ""
    for line in lines:
        if line.startswith('  File "'):
            frame = line
        elif line.startswith("AssertionError") and f'"{file}"' in frame:
            found = line[:_CLIPPED]
    return found
