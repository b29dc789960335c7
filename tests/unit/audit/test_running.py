"""Programs executed one after the other: what fails, dies, hangs or leaves is laid to one of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.audit import running
from harness.audit.running import run

ENDS = {
    "assert 1 + 1 == 2": None,
    "assert False, 'no'": "AssertionError: no",
    "raise SystemExit(0)": "SystemExit: 0",
    "import os; os._exit(0)": "the process ended: exit status 0",
    "import os; os.abort()": "the process ended: SIGABRT",
    "1 / 0": "ZeroDivisionError: division by zero",
    "syntax error": "SyntaxError: invalid syntax (<program>, line 1)",
    "raise ValueError('\\x1b[31m\\n' + 'x' * 9999)": "ValueError: [31m " + "x" * 583,
    "import sys; assert sys.stdin.read() == ''; print('noise')": None,
    "x = 1": None,
    "x": "NameError: name 'x' is not defined",
}


def test_each_has_its_own_end() -> None:
    """In the order of the programs, whatever the others did; names of one are not another's."""
    assert dict(zip(ENDS, run(list(ENDS)), strict=True)) == ENDS
    assert run([]) == []


def test_they_share_an_interpreter_that_has_the_environment() -> None:
    """So that a framework is imported once; the caller's folder is not where they run."""
    first, second = "import sys; sys.mark = 1", "import sys, os; assert sys.mark and os.environ['GIVEN'] == '5'"
    assert (
        run([first, second, "import os; assert os.getcwd() != " + repr(str(Path.cwd()))], {"GIVEN": "5"}) == [None] * 3
    )


def test_a_program_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next one runs."""
    monkeypatch.setattr(running, "_LOADING", 3.0)
    monkeypatch.setattr(running, "_PATIENCE", 1.0)
    assert run(["while True: pass", "pass"]) == ["no end in 3 s", None]


def test_a_program_that_fills_the_memory_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the machine is."""
    monkeypatch.setattr(running, "_MEMORY", 2**28)
    (said,) = run(["a = bytearray(2**29)\nfor i in range(0, 2**29, 4096): a[i] = 1\nwhile True: pass"])
    assert said == "takes more than the limit of 0.25 GiB of memory"


CALLER = """
import sys
from harness.audit.running import run
run([f"import os, pathlib, time; pathlib.Path({sys.argv[1]!r}).write_text(str(os.getpid())); time.sleep(600)"])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nobody_outlives_the_caller(number: signal.Signals, tmp_path: Path) -> None:
    """However it is ended."""
    mark = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", CALLER, str(mark)], stderr=subprocess.DEVNULL) as caller:
        while not (mark.exists() and mark.read_text()):
            assert caller.poll() is None
            time.sleep(0.02)
        os.kill(caller.pid, number)
    _wait_for_end(int(mark.read_text()))


def _wait_for_end(pid: int) -> None:
    """Pass once the process is gone; a test that waits for ever is ended by who runs it."""
    try:
        psutil.Process(pid).wait(60)
    except psutil.NoSuchProcess:
        return
