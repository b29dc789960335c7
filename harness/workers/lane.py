"""One worker's queue: batches go out, answers come in, and a death is laid to the one job that caused it.

A worker may have one batch in hand and the next one waiting in its connection. When it dies or does not answer, the
marker says what it was at. That job alone is asked again, in a fresh process (after a hang or a full memory in a fresh
interpreter, from which nothing was forked) and with more patience: what it does there is its observation. A target that
was seen to crash in the same way is believed at once. The other jobs are asked again as if nothing had been. What was
compiled together is first asked job by job, to find the one.
"""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from harness.layer import Case
from harness.records import Observation, Outcome
from harness.workers.losses import Losses
from harness.workers.process import Death, Worker
from harness.workers.protocol import (
    FUSED,
    IDLE,
    LOADING,
    Address,
    Hello,
    Marker,
    encode,
    plain,
    printable,
    receive,
    send,
    unpack,
)

#: bytes of a request that may wait in a connection while the worker is at another
_AHEAD = 150_000

#: bytes by which a worker may grow before it is replaced between two batches
_GROWTH = 250 * 2**20


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds without a sign of life after which something hangs.

    ``first`` is for one job, ``again`` for the same one by itself; what is compiled together has ``first`` and
    ``more`` for each job of it; ``loading`` is for the import of a framework. Where others want the processors, too,
    all but that is up to ``stretch`` times as long: a hang and its confirmation still cost less than two minutes.
    """

    first: float = 10.0
    again: float = 30.0
    more: float = 1.0
    loading: float = 180.0
    stretch: float = 2.5


@dataclass(frozen=True, slots=True)
class Request:
    """One case for one target.

    ``values`` asks for the numbers besides their digest. With ``expects``, the right digest, an answer that is another
    is made twice and brings its numbers. ``alone`` is for what is known to end a process: it is compiled with nothing
    else. ``fresh`` is for what is to be seen in an interpreter in which nothing ran before.
    """

    target: str
    values: bool = False
    expects: str | None = None
    alone: bool = False
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """A request, its case, and who gets the answer."""

    case: Case
    request: Request
    answered: Callable[[Observation], None] = field(repr=False)


class _Manner(Enum):
    """How a batch is asked."""

    USUAL = "usual"
    CAREFUL = "job by job"
    AGAIN = "one job by itself, in a fresh process"
    FRESH = "one job by itself, in a fresh interpreter"


#: in these a death is believed
_SURE = (_Manner.AGAIN, _Manner.FRESH)


@dataclass(slots=True)
class _Batch:
    number: int
    tasks: Sequence[Task]
    manner: _Manner
    left: set[int]


class Lane:
    """The tasks of one worker; ``fresh`` is another one, for what is to be made sure of.

    Raises:
        WorkerFault: (from ``take``) our own code failed in the worker.
    """

    def __init__(
        self, worker: Worker, fresh: Worker, addresses: Mapping[str, Address], losses: Losses, patience: Patience
    ) -> None:
        self.worker = self._usual = worker
        self._fresh = fresh
        self.inside = 0.0
        self._confirmed: set[tuple[str, str | None]] = set()
        self._addresses = addresses
        self._losses = losses
        self._patience = patience
        self._number = 0
        self._waiting: deque[tuple[_Manner, Sequence[Task]]] = deque()
        self._sent: deque[_Batch] = deque()
        self._sign = Marker(-1, IDLE, -1)
        self._sign_at = time.monotonic()
        self._inside_before = 0.0
        self._at_first: int | None = None
        self._is_full = False
        self._died: tuple[str, float] | None = None
        self._failed_to_start: str | None = None
        self._died_loading = False

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return bool(self._sent)

    def add(self, tasks: Sequence[Task], *, first: bool = False) -> None:
        """Put tasks in the queue, ``first`` before all that has not been sent."""
        usual = [task for task in tasks if not task.request.fresh]
        parts = [(_Manner.FRESH, [task]) for task in tasks if task.request.fresh]
        parts += [(_Manner.USUAL, usual)] if usual else []
        if first:
            self._waiting.extendleft(reversed(parts))
        else:
            self._waiting.extend(parts)

    def go_on(self) -> None:
        """Send what can be sent without waiting."""
        while self._waiting and self._may_send():
            manner, tasks = self._waiting.popleft()
            tasks = [task for task in tasks if not self._refused(task)]
            if not tasks:
                continue
            message = self._message(manner, tasks)
            if self._sent and (len(message) > _AHEAD or manner is not _Manner.USUAL):
                self._waiting.appendleft((manner, tasks))
                return
            if not self._sent:
                self._seen(Marker(self._number, IDLE, -1))
            self.worker = self._fresh if manner is _Manner.FRESH else self._usual
            self._sent.append(_Batch(self._number, tasks, manner, set(range(len(tasks)))))
            self._number += 1
            self.worker.tell(message)

    def take(self) -> None:
        """Receive a message that is there, or learn that the worker has died; an interruption waits for it."""
        with _undisturbed():
            self._take()

    def _take(self) -> None:
        try:
            message, arrays = self.worker.answer()
        except EOFError:
            self._lost(self.worker.bury())
            return
        batch = self._sent[0]
        self._has_recovered()
        for number, observation in unpack(message, arrays):
            batch.left.discard(number)
            self._losses.answered(observation.target)
            batch.tasks[number].answered(observation)
        if "done" in message:
            self._sent.popleft()
            if batch.manner is _Manner.FRESH:
                self._back_to_usual()
                return
            self.inside = self._inside_before + message["inside"]
            self._grown()

    def look(self) -> None:
        """See whether the worker still moves; end it when it has not for as long as patience has."""
        sign = self.worker.marker()
        if sign != self._sign:
            self._seen(sign)
        elif time.monotonic() - self._sign_at > (seconds := self._seconds(sign)):
            self._lost(self.worker.give_up(f"no answer in {seconds:g} s"), hung=seconds)

    def load(self, target: str) -> None:
        """Have a target loaded; ``hello`` waits for it. Nothing else may be asked meanwhile."""
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                send(self._usual.control, encode({"load": plain(self._addresses[target])}))
        except OSError as error:  # the interpreter cannot be started
            self._failed_to_start = str(error)

    def hello(self, target: str) -> Hello:
        """What a loaded target says of itself; one that cannot be loaded says why."""
        if self._died_loading:
            self._died_loading = False
            self.load(target)
        if self._failed_to_start is not None:
            return Hello(None, None, self._failed_to_start)
        try:
            if not self._usual.control.poll(self._patience.loading):
                raise TimeoutError(f"it did not load in {self._patience.loading:g} s")
            message, _ = receive(self._usual.control)
        except TimeoutError as error:
            self._usual.close()
            self._died_loading = True
            return Hello(None, None, str(error))
        except (EOFError, OSError):
            death = self._usual.bury()
            self._died_loading = True
            return Hello(None, None, f"the process ended while loading it: {death.exit}{_last_line(death.log_tail)}")
        return Hello(**{name: printable(value) for name, value in message["hello"].items()})

    def drop(self) -> None:
        """Forget what is asked and waits, and end the worker."""
        self._waiting.clear()
        self._sent.clear()
        self._fresh.close()
        self._usual.close()

    def _back_to_usual(self) -> None:
        self._fresh.close()
        self.worker = self._usual

    def _renew(self) -> None:
        """Have another process serve from the next batch on."""
        self._inside_before, self._at_first, self._is_full = self.inside, None, False
        self._usual.end()

    def _may_send(self) -> bool:
        if not self._sent:
            if self._is_full:
                self._renew()
            return True
        if self._is_full:
            return False
        # The next request may wait in the connection only when the last one has been read from it.
        return len(self._sent) == 1 and self._sent[0].manner is _Manner.USUAL and self._has_begun()

    def _has_begun(self) -> bool:
        return self.worker.marker().batch == self._sent[0].number

    def _refused(self, task: Task) -> bool:
        """Answer for a target that is not asked any more."""
        reason = self._losses.benched.get(task.request.target)
        if reason is not None:
            task.answered(Observation(task.request.target, Outcome.SKIPPED, reason=reason))
        return reason is not None

    def _message(self, manner: _Manner, tasks: Sequence[Task]) -> bytes:
        cases = list({id(task.case): task.case for task in tasks}.values())
        place = {id(case): number for number, case in enumerate(cases)}
        names = {task.request.target for task in tasks}
        return encode(
            {
                "batch": self._number,
                "careful": manner is not _Manner.USUAL,
                "addresses": {name: [self._addresses[name].location, self._addresses[name].mode] for name in names},
                "cases": [case.to_json() for case in cases],
                "jobs": [self._job(task, place[id(task.case)]) for task in tasks],
            }
        )

    @staticmethod
    def _job(task: Task, place: int) -> tuple[Any, ...]:
        """The fields of a ``Job``."""
        asked = task.request
        return asked.target, place, asked.values, asked.expects, asked.alone

    def _seen(self, sign: Marker) -> None:
        self._sign, self._sign_at = sign, time.monotonic()

    def _seconds(self, sign: Marker) -> float:
        if sign.job in (LOADING, IDLE):
            return self._patience.loading
        batch = self._sent[0]
        if sign.job == FUSED:
            seconds = self._patience.first + self._patience.more * len(batch.left)
        else:
            seconds = self._patience.again if batch.manner in _SURE else self._patience.first
        return seconds * min(_waiting(), self._patience.stretch)

    def _lost(self, death: Death, hung: float | None = None) -> None:
        """Lay a death to a job; ask the others again."""
        batch = self._sent.popleft()
        if batch.manner is _Manner.FRESH:
            self._back_to_usual()
        else:
            self._inside_before, self._at_first, self._is_full = self.inside, None, False
        for later in reversed(self._sent):
            self._waiting.appendleft((later.manner, later.tasks))
        self._sent.clear()
        left = [task for number, task in enumerate(batch.tasks) if number in batch.left]
        if not left:
            return
        culprit = self._culprit(batch, left)
        if culprit is None:
            self._waiting.appendleft((_Manner.CAREFUL, left))
            return
        rest = [task for task in left if task is not culprit]
        if rest:
            manner = _Manner.CAREFUL if batch.manner is _Manner.CAREFUL else _Manner.USUAL
            self._waiting.appendleft((manner, rest))
        seen = _observed(culprit.request.target, death, hung)
        again = batch.manner in _SURE
        if again:
            self._confirmed.add((seen.target, seen.exit))
        sure = again or (seen.outcome is Outcome.CRASHED and (seen.target, seen.exit) in self._confirmed)
        self._died = (seen.target, time.monotonic())
        if self._losses.died(seen, time.monotonic() - self._sign_at, sure=sure) or sure:
            culprit.answered(seen)
        else:
            crashed = seen.outcome is Outcome.CRASHED
            self._waiting.appendleft((_Manner.AGAIN if crashed else _Manner.FRESH, [culprit]))

    def _culprit(self, batch: _Batch, left: Sequence[Task]) -> Task | None:
        """The job that the worker was at; None where it was at several."""
        if len(left) == 1:
            return left[0]
        sign = self._usual.last_marker
        if sign.batch == batch.number and sign.job in batch.left:
            return batch.tasks[sign.job]
        # Job by job, what was answered was sent: it can only be the next one.
        return left[0] if sign.job == LOADING or batch.manner is not _Manner.USUAL else None

    def _has_recovered(self) -> None:
        if self._died is not None:
            target, when = self._died
            self._died = None
            self._losses.waited(target, time.monotonic() - when)

    def _grown(self) -> None:
        """See whether the worker is to be replaced as soon as it has nothing to do."""
        held = self.worker.resident()
        if self._at_first is None:
            self._at_first = held
        self._is_full = held - self._at_first > _GROWTH


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals that end a run are put off, so that nothing that was received is lost."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _waiting() -> float:
    """How many want each processor; one where fewer do, and where the system does not say."""
    try:
        return max(os.getloadavg()[0] / (os.cpu_count() or 1), 1.0)
    except OSError:
        return 1.0


def _observed(target: str, death: Death, hung: float | None) -> Observation:
    outcome = Outcome.CRASHED
    if hung is not None:
        outcome = Outcome.TIMED_OUT
    elif death.memory is not None:
        outcome = Outcome.OUT_OF_MEMORY
    seen = Observation(target, outcome, exit=death.exit, log_tail=death.log_tail)
    return seen if hung is None else replace(seen, seconds=hung)


def _last_line(log: str) -> str:
    lines = log.strip().splitlines()
    return f" ({lines[-1][:200]})" if lines else ""
