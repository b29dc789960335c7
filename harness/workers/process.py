"""One worker: a freshly started interpreter that serves one framework, and is started again when it dies.

Nothing is forked: a forked copy of a process that has imported a framework hangs or crashes by itself.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

import psutil
from numpy.typing import NDArray

from harness.workers import lent
from harness.workers.protocol import IDLE, LOG_TAIL, Marker, read_marker, receive, send
from harness.workers.reaper import Reaper
from harness.workers.watch import Watch, resident

#: what every worker is started with: one thread each, no accelerator, quiet logs
ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}

#: what would make another interpreter find the modules of ours
_OURS_ALONE = ("PYTHONHOME", "__PYVENV_LAUNCHER__")

#: bytes that the log's file may grow to between two batches
_LOG_LIMIT = 1 << 20

#: bytes of requests and answers that may wait; the system may allow less
_BUFFER = 1 << 20

# The current folder comes last, so that it cannot shadow us; our package is found by its own path.
_BOOT = """\
import importlib.util, sys
sys.path[:] = [entry for entry in sys.path if entry] + [""]
root, *descriptors = sys.argv[1:]
spec = importlib.util.spec_from_file_location(
    "harness", root + "/harness/__init__.py", submodule_search_locations=[root + "/harness"])
sys.modules["harness"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from harness.workers.child import main
main(*map(int, descriptors))
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker runs: its interpreter, what is set in its environment, the framework files that it is lent."""

    environment: Mapping[str, str]
    interpreter: str = sys.executable
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Death:
    """How a process came to its end: the signal or exit status in words, its last words, the memory it was ended for."""

    exit: str
    log_tail: str
    memory: int | None = None


class Worker:
    """One child process and the connection to it."""

    def __init__(self, place: Place, watch: Watch, reaper: Reaper, memory_limit: int) -> None:
        self._place = place
        self._watch = watch
        self._reaper = reaper
        self._memory_limit = memory_limit
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._log: IO[bytes] | None = None
        self._marker: IO[bytes] | None = None
        self._folder: Path | None = None
        #: what the last process was at when it ended
        self.last_marker = Marker(-1, IDLE, 0)

    @property
    def running(self) -> bool:
        """Whether there is a process, dead or alive."""
        return self._process is not None

    @property
    def connection(self) -> Connection:
        """The connection to the running child, started if there is none."""
        if self._connection is None:
            self._start()
        assert self._connection is not None  # noqa: S101 # for the type checker: _start sets it
        return self._connection

    def tell(self, message: bytes) -> None:
        """Send a request; the answers come on ``connection``. A dead child shows when the answer is awaited."""
        connection = self.connection
        self._trim_log()
        with suppress(BrokenPipeError, ConnectionResetError):
            send(connection, message)

    def answer(self) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        """The next message.

        Raises:
            EOFError: the child died.
        """
        try:
            return receive(self.connection)
        except OSError as error:
            raise EOFError from error

    def marker(self) -> Marker:
        """What the child is at, or was when it died."""
        assert self._marker is not None  # noqa: S101 # a request was sent, so a process was started
        return read_marker(self._marker.fileno())

    def resident(self) -> int:
        """Bytes of memory that the child holds."""
        return 0 if self._process is None else resident(psutil.Process(self._process.pid))

    def bury(self) -> Death:
        """How the child died, and the end of its log; its connection is closed."""
        assert self._process is not None  # noqa: S101 # a request was sent, so a process was started
        status = self._process.wait()
        over = self._watch.remove(self._process.pid)
        said = exit_text(status) if over is None else self._too_large(over)
        death = Death(said, self._log_tail(), over)
        self.close()
        return death

    def give_up(self, said: str) -> Death:
        """End a child that does not answer."""
        death = Death(said, self._log_tail())
        self.close()
        return death

    def close(self) -> None:
        """End the child and all that it has started; a later request starts a new one."""
        if self._process is not None:
            self._watch.remove(self._process.pid)
            _kill(self._process)
            self._process.wait()
            self._reaper.forget(self._process.pid)
            self.last_marker = self.marker()
        for one in (self._connection, self._log, self._marker):
            if one is not None:
                one.close()
        self._process = self._connection = self._log = self._marker = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _start(self) -> None:
        ours, theirs = _pair()
        # Files of our own, so that whatever a framework prints can neither block it nor reach our streams.
        # The log is appended to, so that it may be emptied and read while the child writes.
        self._log = tempfile.TemporaryFile("a+b")  # noqa: SIM115 # closed with the worker
        self._marker = tempfile.TemporaryFile()  # noqa: SIM115 # likewise
        descriptors = [theirs.fileno(), self._marker.fileno()]
        arguments = [self._root(), *map(str, descriptors)]
        self._process = subprocess.Popen(  # noqa: S603 # the person's own interpreter, our text
            [self._place.interpreter, "-X", "faulthandler", "-c", _BOOT, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=descriptors,
            env=self._environment(),
            start_new_session=True,
        )
        self._reaper.watch(self._process.pid)
        self._watch.add(self._process.pid, self._memory_limit, self._process.kill)
        theirs.close()
        self._connection = ours

    def _root(self) -> str:
        """Where the child finds our package: where we found it, or in a folder with what another interpreter needs."""
        if self._place.interpreter == sys.executable:
            return str(lent.ROOT)
        self._folder = lent.folder(self._place.modules)
        return str(self._folder)

    def _environment(self) -> dict[str, str]:
        inherited = dict(os.environ)
        if self._place.interpreter != sys.executable:
            inherited = {name: value for name, value in inherited.items() if name not in _OURS_ALONE}
        return {**inherited, **ENVIRONMENT, **self._place.environment}

    def _too_large(self, held: int) -> str:
        return f"{held / 2**30:.1f} GiB of resident memory, above the limit of {self._memory_limit / 2**30:g} GiB"

    def _trim_log(self) -> None:
        if self._log is not None and os.fstat(self._log.fileno()).st_size > _LOG_LIMIT:
            os.ftruncate(self._log.fileno(), 0)

    def _log_tail(self) -> str:
        if self._log is None:
            return ""
        self._log.flush()
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(size - LOG_TAIL, 0))
        return self._log.read().decode(errors="replace")


def _pair() -> tuple[Connection, Connection]:
    """Both ends of a stream, with room for a batch, so that a worker need not wait for us."""
    ends = socket.socketpair()
    for end in ends:
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
    ours, theirs = (Connection(end.detach()) for end in ends)
    return ours, theirs


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The child leads a session of its own: what it has started goes with it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()


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
