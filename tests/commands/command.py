"""The command as a person runs it: in a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = "from harness.cli import main; main()"

#: SIGINT comes while the third case is written down
INTERRUPTED = f"""
import os, signal
from harness.records import CaseJudged
from harness.store import Store

keep = Store.keep

def interrupted(store, event):
    if isinstance(event, CaseJudged) and event.ordinal == 3:
        os.kill(os.getpid(), signal.SIGINT)
    keep(store, event)

Store.keep = interrupted
{PROGRAM}
"""

FAULTS = Path(__file__).parents[1] / "faults"

#: a hang of the command is an error of the test, not of the machine that runs it
PATIENCE = 120.0

#: what makes a terminal of a pipe, or says how wide it is
_TERMINAL = {"COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}


@dataclass(frozen=True, slots=True)
class Finished:
    """What is left of a command: its exit status and what it said."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The JSON on stdout, which is there alone."""
        return json.loads(self.stdout)

    @property
    def told(self) -> list[str]:
        """The lines of stderr that tell what went wrong; progress does not bear the program's name."""
        return [line for line in self.stderr.splitlines() if line.startswith("deconvdiff: ")]


def start(
    folder: Path,
    *arguments: str,
    program: str = PROGRAM,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """The command started in ``folder``, with ``tests/faults`` importable and no terminal anywhere."""
    inherited = {name: value for name, value in os.environ.items() if name not in _TERMINAL}
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(FAULTS), "PYTHONIOENCODING": "utf-8"},
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def finish(process: subprocess.Popen[str]) -> Finished:
    """What a started command comes to."""
    with process:
        try:
            stdout, stderr = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Finished(process.returncode, stdout or "", stderr)


def deconvdiff(folder: Path, *arguments: str, program: str = PROGRAM) -> Finished:
    """The command from beginning to end."""
    return finish(start(folder, *arguments, program=program))


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until the process, which must live, has made the file."""
    end = time.monotonic() + PATIENCE
    while not path.exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)


def one_after_the_other(folder: Path, commands: Mapping[str, tuple[str, ...]]) -> dict[str, Finished]:
    """Many short commands by name in one process: what they import is imported once."""
    with start(folder, program=_ONE_AFTER_THE_OTHER, stdin=subprocess.PIPE) as process:
        stdout, stderr = process.communicate(json.dumps(list(commands.values())), timeout=PATIENCE)
    assert process.returncode == 0, stderr
    return {name: Finished(*answer) for name, answer in zip(commands, json.loads(stdout), strict=True)}


_ONE_AFTER_THE_OTHER = """
import contextlib, io, json, sys
from harness.cli import main

answers = []
for arguments in json.load(sys.stdin):
    sys.argv = ["deconvdiff", *arguments]
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            main()
        except SystemExit as leave:
            answers.append((leave.code, stdout, stderr))
print(json.dumps([(status, *(stream.getvalue() for stream in streams)) for status, *streams in answers]))
"""
