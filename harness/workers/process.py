"""One worker: an interpreter that has loaded one framework, and a process of it that serves.

A started interpreter loads its targets and runs nothing. What serves is forked from it, as long as it has one thread:
a copy of a process with threads, or of one in which a framework has run, hangs or crashes by itself. So a death costs
the hundredth part of a start. Where there are threads, and where a suspicion is to be made sure of, the interpreter
itself serves.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from harness.workers import lent
from harness.workers.boot import BOOT
from harness.workers.protocol import IDLE, LOG_TAIL, Marker, encode, read_marker, receive, send
from harness.workers.reaper import Reaper
from harness.workers.watch import Watch, resident_of

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

#: seconds in which a process whose connection is closed comes to its end
_DYING = 5.0

#: seconds that an interpreter has to end what it has forked
_LEAVING = 1.0

#: bytes of requests and answers that may wait; the system may allow less
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker runs: its interpreter, what is set in its environment, the framework files that it is lent."""

    environment: Mapping[str, str]
    interpreter: str = sys.executable
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Death:
    """How a process came to its end: signal or exit status in words, its last words, the memory it was ended for."""

    exit: str
    log_tail: str
    memory: int | None = None


@dataclass(slots=True)
class _Server:
    """The process that serves: the interpreter itself, or one forked from it."""

    pid: int
    connection: Connection


class Worker:
    """An interpreter, the process of it that serves, and the connections to both. ``forks`` False makes them one."""

    def __init__(self, place: Place, watch: Watch, reaper: Reaper, memory_limit: int, *, forks: bool = True) -> None:
        self._place = place
        self._watch = watch
        self._reaper = reaper
        self._memory_limit = memory_limit
        self._forks = forks
        self._process: subprocess.Popen[bytes] | None = None
        self._control: Connection | None = None
        self._server: _Server | None = None
        self._log: IO[bytes] | None = None
        self._marker: IO[bytes] | None = None
        self._folder: Path | None = None
        self._last_words = ""
        self._log_start = 0
        #: what the last process was at when it ended
        self.last_marker = Marker(-1, IDLE, 0)

    @property
    def running(self) -> bool:
        """Whether there is a process that serves, dead or alive."""
        return self._server is not None

    @property
    def control(self) -> Connection:
        """The connection to the interpreter, started if there is none: it loads and forks."""
        if self._control is None:
            self._start()
        assert self._control is not None  # noqa: S101 # for the type checker: _start sets it
        return self._control

    @property
    def connection(self) -> Connection:
        """The connection to the process that serves, started if there is none.

        Raises:
            EOFError: the interpreter has ended.
        """
        if self._server is None:
            self._server = self._serve()
        return self._server.connection

    def tell(self, message: bytes) -> None:
        """Send a request; the answers come on ``connection``. A dead process shows when the answer is awaited."""
        self._trim_log()
        with suppress(BrokenPipeError, ConnectionResetError):
            send(self.connection, message)

    def answer(self) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        """The next message of the process that serves.

        Raises:
            EOFError: it died.
        """
        try:
            return receive(self.connection)
        except OSError as error:
            raise EOFError from error

    def marker(self) -> Marker:
        """What the process is at, or was when it died."""
        return self.last_marker if self._marker is None else read_marker(self._marker.fileno())

    def resident(self) -> int:
        """Bytes of memory that the process holds."""
        return 0 if self._server is None else resident_of(self._server.pid)

    def bury(self) -> Death:
        """How the process that served, or the interpreter, died, and the end of the log."""
        over = None if self._server is None else self._watch.remove(self._server.pid)
        self.last_marker = self.marker()
        status = self._gone()
        return Death(exit_text(status) if over is None else self._too_large(over), self._take_log(), over)

    def give_up(self, said: str) -> Death:
        """End a process that does not answer."""
        self.last_marker = self.marker()
        self.end()
        return Death(said, self._take_log())

    def end(self) -> None:
        """End the process that serves; a later request starts a new one. An interpreter that forked it stays."""
        if self._server is None or self._process is None or self._server.pid == self._process.pid:
            self.close()
            return
        with suppress(ProcessLookupError):
            os.kill(self._server.pid, signal.SIGKILL)
        self._gone()

    def _gone(self) -> int:
        """The exit status of the process that served, negative of a signal.

        What does not come to its end by itself is killed.
        """
        assert self._process is not None  # noqa: S101 # a request was sent, so a process was started
        server, self._server = self._server, None
        if server is not None:
            self._watch.remove(server.pid)
            server.connection.close()
            if server.pid != self._process.pid and (status := self._wait_for(server.pid)) is not None:
                return status
        try:
            status = self._process.wait(_DYING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self.close()
        return status

    def _wait_for(self, pid: int) -> int | None:
        """The exit status of a process that the interpreter has forked; None if that is not there any more."""
        try:
            send(self.control, encode({"wait": pid}))
            if not self.control.poll(_DYING):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            answer, _ = receive(self.control)
        except (EOFError, OSError):
            return None
        return int(answer["status"])

    def close(self) -> None:
        """End the interpreter and all that it has started; a later request starts a new one."""
        self._last_words = self._take_log()
        serves_itself = self._server is not None and self._process is not None and self._server.pid == self._process.pid
        if self._server is not None:
            self._watch.remove(self._server.pid)
            self._server.connection.close()
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            # An interpreter that waits for orders ends what it has forked, and leaves nothing of it.
            if not serves_itself:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_LEAVING)
            _kill(self._process)
            self._process.wait()
            self._reaper.forget(self._process.pid)
        for one in (self._log, self._marker):
            if one is not None:
                one.close()
        self._process = self._control = self._server = self._log = self._marker = None
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
        arguments = [self._root(), "harness.workers.child", *map(str, descriptors)]
        self._process = subprocess.Popen(  # noqa: S603 # the person's own interpreter, our text
            [self._place.interpreter, "-X", "faulthandler", "-c", BOOT, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=descriptors,
            env=self._environment(),
            start_new_session=True,
        )
        self._reaper.watch(self._process.pid)
        theirs.close()
        self._control = ours

    def _serve(self) -> _Server:
        """Have the interpreter serve, or fork what serves."""
        control = self.control
        assert self._process is not None  # noqa: S101 # for the type checker: there is a control
        assert self._marker is not None  # noqa: S101 # likewise
        ours, theirs = _pair()
        try:
            os.ftruncate(self._marker.fileno(), 0)
            self._log_start = self._log_size()
            send(control, encode({"serve": self._forks}))
            send_handle(control, theirs.fileno(), self._process.pid)
            told, _ = receive(control)
        except (EOFError, OSError):
            # It died of loading: whoever awaits the answer learns it.
            told = {"pid": self._process.pid}
        finally:
            theirs.close()
        self._watch.add(told["pid"], self._memory_limit)
        return _Server(told["pid"], ours)

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
        if self._log is not None and self._log_size() > _LOG_LIMIT:
            os.ftruncate(self._log.fileno(), 0)
            self._log_start = 0

    def _log_size(self) -> int:
        return 0 if self._log is None else os.fstat(self._log.fileno()).st_size

    def _take_log(self) -> str:
        """The end of what was printed since a process began to serve; of an interpreter that has ended, until then."""
        if self._log is None:
            said, self._last_words = self._last_words, ""
            return said
        self._log.flush()
        self._log.seek(max(self._log_size() - LOG_TAIL, self._log_start))
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
