"""One worker: a freshly started interpreter that serves one framework, and is started again when it dies.

Nothing is forked: a forked copy of a process that has imported a framework hangs or crashes by itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from harness.records import Observation, Outcome
from harness.workers.protocol import Address, receive, send

ROOT = Path(__file__).resolve().parents[2]

#: what every worker is started with: one thread each, no accelerator, quiet logs
ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}

#: bytes of the log that an observation keeps, and that the file may grow to between two cases
_LOG_TAIL, _LOG_LIMIT = 20_000, 1 << 20

# The current folder comes last, so that it cannot shadow us; our package is found by its own path.
_BOOT = """\
import importlib.util, sys
sys.path[:] = [entry for entry in sys.path if entry] + [""]
root, descriptor = sys.argv[1:]
spec = importlib.util.spec_from_file_location(
    "harness", root + "/harness/__init__.py", submodule_search_locations=[root + "/harness"])
sys.modules["harness"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from harness.workers.child import main
main(int(descriptor))
"""


class Worker:
    """One child process and the connection to it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._log: IO[bytes] | None = None

    @property
    def connection(self) -> Connection:
        """The connection to the running child, started if there is none."""
        if self._connection is None:
            self._start()
        assert self._connection is not None  # noqa: S101 # for the type checker: _start sets it
        return self._connection

    def ask(self, address: Address, **request: Any) -> None:
        """Send a request; the answer comes on ``connection``. A dead child shows when the answer is awaited."""
        self._trim_log()
        try:
            send(self.connection, {"address": _plain(address), **request})
        except (BrokenPipeError, ConnectionResetError):
            return

    def answer(self) -> tuple[dict[str, Any], NDArray[Any] | None]:
        """The answer to the last request.

        Raises:
            EOFError: the child died.
        """
        try:
            return receive(self.connection)
        except (OSError, EOFError) as error:
            raise EOFError from error

    def bury(self, target: str) -> Observation:
        """What is observed when the child has died of a request: the signal or exit status, and the end of its log."""
        assert self._process is not None  # noqa: S101 # a request was sent, so a process was started
        status = self._process.wait()
        observation = Observation(target, Outcome.CRASHED, exit=exit_text(status), log_tail=self._log_tail())
        self.close()
        return observation

    def give_up(self, target: str, seconds: float) -> Observation:
        """What is observed when the child did not answer in time; it is killed."""
        tail = self._log_tail()
        self.close()
        return Observation(
            target, Outcome.TIMED_OUT, seconds=seconds, exit=f"no answer in {seconds:g} s", log_tail=tail
        )

    def close(self) -> None:
        """End the child; a later request starts a new one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._connection is not None:
            self._connection.close()
        if self._log is not None:
            self._log.close()
        self._process = self._connection = self._log = None

    def _start(self) -> None:
        ours, theirs = Pipe()
        # A file of our own, so that whatever a framework prints can neither block it nor reach our streams.
        # It is appended to, so that it may be emptied and read while the child writes.
        self._log = tempfile.TemporaryFile("a+b")  # noqa: SIM115 # closed with the worker
        self._process = subprocess.Popen(  # noqa: S603 # our own interpreter and text
            [sys.executable, "-X", "faulthandler", "-c", _BOOT, str(ROOT), str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **ENVIRONMENT, **self._environment},
            start_new_session=True,
        )
        theirs.close()
        self._connection = ours

    def _trim_log(self) -> None:
        if self._log is not None and os.fstat(self._log.fileno()).st_size > _LOG_LIMIT:
            os.ftruncate(self._log.fileno(), 0)

    def _log_tail(self) -> str:
        if self._log is None:
            return ""
        self._log.flush()
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(size - _LOG_TAIL, 0))
        return self._log.read().decode(errors="replace")


def exit_text(status: int) -> str:
    """A process's exit status in words.

    >>> exit_text(-6), exit_text(3)
    ('SIGABRT', 'exit status 3')
    """
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _plain(address: Address) -> dict[str, str]:
    return {"target": address.target, "location": address.location, "mode": address.mode}
