"""The worker's main: load targets when they are asked for, have the jobs of a batch observed, answer.

It imports the standard library, NumPy, the mathematics, the records, ``frameworks.base`` and the one framework's file,
nothing else of ours.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import Any

from harness.frameworks.base import Api
from harness.layer import Case
from harness.records import Observation, Outcome
from harness.workers.observing import clock, fuses, observe, observe_together, one_line
from harness.workers.protocol import (
    FUSED,
    IDLE,
    LOADING,
    LOG_TAIL,
    Address,
    Hello,
    Job,
    Marker,
    encode,
    mark,
    pack,
    plain,
    receive,
    send,
)

#: seconds after which answers that are there are sent, and the cases that are compiled together
_FLUSH, _TOGETHER = 0.005, 64

#: how seldom garbage is collected: tracing makes much of it, and nearly all goes by itself
_COLLECT = (50_000, 20, 20)

#: jobs after which compiled modules are forgotten
_TIDY = 4096


def main(control: str, marker: str) -> None:
    """Load targets and start what serves, as the inherited descriptor orders, until the parent closes it."""
    with suppress(ImportError, ValueError, OSError):
        _leave_no_core()
    connection, loaded, log = Connection(int(control)), _Targets(), _Log()
    forked: set[int] = set()
    while True:
        try:
            order, _ = receive(connection)
            if "load" in order:
                send(connection, encode({"hello": plain(loaded.hello(Address(**order["load"])))}))
            elif "wait" in order:
                _, status = os.waitpid(order["wait"], 0)
                forked.discard(order["wait"])
                send(connection, encode({"status": os.waitstatus_to_exitcode(status)}))
            else:
                forked.add(_start_serving(connection, loaded, int(marker), log, forks=order["serve"]))
        except (EOFError, OSError):
            _leave(forked)


def _leave_no_core() -> None:
    """Write no memory to disk when the process dies, which is what some cases are for. Not every system has limits."""
    import resource  # noqa: PLC0415 # not every system has it

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _leave(forked: Iterable[int]) -> None:
    """The parent has gone, or wants nobody any more: end what was forked and leave nothing of it."""
    for pid in forked:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    os._exit(0)


def _start_serving(control: Connection, loaded: _Targets, marker: int, log: _Log, *, forks: bool) -> int:
    """Serve on the connection that follows: a process forked from this one, or where it must not be forked this one."""
    descriptor = recv_handle(control)
    gc.freeze()  # a framework's own objects stay: no collection need look at them again
    forked = os.fork() if forks and _has_one_thread() else None
    if forked:
        os.close(descriptor)
        send(control, encode({"pid": forked}))
        return forked
    if forked == 0:
        control.close()
    else:
        send(control, encode({"pid": os.getpid()}))
    gc.set_threshold(*_COLLECT)
    _Server(Connection(descriptor), marker, log, loaded).run()
    os._exit(0)


def _has_one_thread() -> bool:
    """Whether the process may be forked; where that cannot be told, it may not."""
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


class _Targets:
    """The targets that were loaded, by name."""

    def __init__(self) -> None:
        self._loaded: dict[str, Api] = {}

    def __iter__(self) -> Iterator[Api]:
        return iter(self._loaded.values())

    def api(self, address: Address) -> Api:
        """The target of an address, loaded if it was not."""
        if address.target not in self._loaded:
            self._loaded[address.target] = load(address)
        return self._loaded[address.target]

    def hello(self, address: Address) -> Hello:
        """What a target says of itself, or why it does not load."""
        try:
            api = self.api(address)
            version = api.version()
            return Hello(api.framework, None if version is None else str(version), None)
        except Exception as error:
            return Hello(None, None, one_line(error))


class _Log:
    """What the process prints: stdout and stderr are one file."""

    def __init__(self) -> None:
        # A target may close its streams or put others in their place.
        self._descriptor = os.dup(1)
        self._start = 0

    def start(self) -> None:
        """What is printed from now on."""
        self._start = self._size()

    def end(self) -> str | None:
        """The end of what was printed since the start, None of nothing."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        size = self._size()
        if size <= self._start:
            return None
        length = min(size - self._start, LOG_TAIL)
        return os.pread(self._descriptor, length, size - length).decode(errors="replace")

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size


class _Server:
    """Answers batches; says in the marker what it is at, so that its death can be told by whom."""

    def __init__(self, connection: Connection, marker: int, log: _Log, loaded: _Targets) -> None:
        self._connection = connection
        self._marker = marker
        self._moved = 0
        self._batch = -1
        self._log = log
        self._loaded = loaded
        self._ready: list[tuple[int, Observation]] = []
        self._flushed = time.monotonic()
        self._since_tidy = 0

    def run(self) -> None:
        """Answer until the parent closes the connection."""
        while True:
            try:
                request, _ = receive(self._connection)
                self._serve(request)
            except (EOFError, OSError):
                return

    def _serve(self, request: dict[str, Any]) -> None:
        self._batch = request["batch"]
        try:
            self._serve_batch(request)
        except OSError:
            raise
        except Exception:
            self._tell({"fault": traceback.format_exc()})
        # Not where a target leaves the interpreter: the marker says that it was at its job.
        self._mark(IDLE)

    def _serve_batch(self, request: dict[str, Any]) -> None:
        cases = [Case.from_json(case) for case in request["cases"]]
        jobs = [(number, Job(*job)) for number, job in enumerate(request["jobs"])]
        addresses = {name: Address(name, *rest) for name, rest in request["addresses"].items()}
        for target, mine in groupby(jobs, key=lambda one: one[1].target):
            self._serve_target(addresses[target], list(mine), cases, careful=request["careful"])
        self._flush()
        self._tidy(len(jobs))
        self._tell({"done": self._batch, "inside": clock.inside})

    def _serve_target(
        self, address: Address, jobs: list[tuple[int, Job]], cases: Sequence[Case], *, careful: bool
    ) -> None:
        self._mark(LOADING)
        try:
            api = self._loaded.api(address)
        except Exception as error:
            for number, job in jobs:
                self._answer(number, Observation(job.target, Outcome.SKIPPED, reason=one_line(error)))
            return
        for fused, group in groupby(jobs, key=lambda one: fuses(api) and not careful and not one[1].alone):
            if fused:
                self._serve_fused(api, list(group), cases)
            else:
                for number, job in group:
                    self._serve_one(api, number, cases[job.case], job)
                    if careful:
                        self._flush()

    def _serve_fused(self, api: Api, jobs: Sequence[tuple[int, Job]], cases: Sequence[Case]) -> None:
        for start in range(0, len(jobs), _TOGETHER):
            group = jobs[start : start + _TOGETHER]
            self._flush()
            self._mark(FUSED)
            together = observe_together(api, [(cases[job.case], job) for _, job in group])
            for (number, _), observation in zip(group, together, strict=True):
                if observation is not None:
                    self._answer(number, observation)
            for (number, job), observation in zip(group, together, strict=True):
                if observation is None:
                    self._serve_one(api, number, cases[job.case], job)

    def _serve_one(self, api: Api, number: int, case: Case, job: Job) -> None:
        self._mark(number)
        self._log.start()
        self._answer(number, self._logged(observe(api, case, job)))

    def _logged(self, observation: Observation) -> Observation:
        said = self._log.end()
        return observation if said is None else replace(observation, log_tail=said)

    def _answer(self, number: int, observation: Observation) -> None:
        self._ready.append((number, observation))
        if time.monotonic() - self._flushed > _FLUSH:
            self._flush()

    def _flush(self) -> None:
        if self._ready:
            message, arrays = pack(self._ready)
            self._ready = []
            send(self._connection, encode({**message, "batch": self._batch}, arrays), arrays)
        self._flushed = time.monotonic()

    def _tidy(self, jobs: int) -> None:
        """Now and then forget what was compiled, or it would be kept for ever."""
        self._since_tidy += jobs
        if self._since_tidy >= _TIDY:
            self._since_tidy = 0
            for api in self._loaded:
                api.tidy()

    def _tell(self, message: dict[str, Any]) -> None:
        send(self._connection, encode({**message, "batch": self._batch}))

    def _mark(self, job: int) -> None:
        self._moved += 1
        mark(self._marker, Marker(self._batch, job, self._moved))


def load(address: Address) -> Api:
    """Import the class of an address, make its instance, load its framework.

    Raises:
        TypeError: the class is not an ``Api``. Whatever the import itself raises passes through.
    """
    module, _, name = address.location.partition(":")
    kind = getattr(importlib.import_module(module), name)
    if not (isinstance(kind, type) and issubclass(kind, Api)):
        raise TypeError(f"{address.location} is not a class that derives from harness.frameworks.Api")
    api = kind()
    if address.mode not in (known := [mode.name for mode in api.all_modes()]):
        raise TypeError(f"{address.location} has no mode {address.mode!r}: known are {', '.join(known)}")
    api.mode = address.mode
    api.load()
    return api
