"""The workers of a run: one process for each framework and environment, all of them at work at the same time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, cast

from harness.layer import Case
from harness.records import Observation
from harness.workers.process import Worker
from harness.workers.protocol import Address, Hello, printable, unpack

#: seconds that one case may take on one target before it counts as a hang; a first call may compile and import
PATIENCE = 180.0


@dataclass(frozen=True, slots=True)
class Seat:
    """A target's place: its address and the process that it shares with its framework's other targets."""

    address: Address
    process: str
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """One case for one target; ``values`` asks for the numbers besides their digest."""

    target: str
    values: bool = False


class Pool:
    """Asks targets for observations. Processes start when they are first asked and are started again when they die.

    Raises:
        WorkerFault: (from any request) our own code failed in a worker.
    """

    def __init__(self, seats: Sequence[Seat], *, patience: float = PATIENCE) -> None:
        self._seats: dict[str, Seat] = {}
        self._workers: dict[str, Worker] = {}
        self._patience = patience
        self.add(seats)

    def add(self, seats: Sequence[Seat]) -> None:
        """Seat further targets; those that have a seat keep it."""
        for seat in seats:
            self._seats.setdefault(seat.address.target, seat)
            if seat.process not in self._workers:
                self._workers[seat.process] = Worker(seat.environment)

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def hello(self, targets: Iterable[str] | None = None) -> dict[str, Hello]:
        """Load targets (all of them if none are named) and say what they are; one that cannot be loaded says why."""
        answers = self._exchange({name: {} for name in (self._seats if targets is None else targets)})
        return {name: _hello(answer) for name, answer in answers.items()}

    def observe(self, case: Case, requests: Sequence[Request]) -> dict[str, Observation]:
        """What each target does with the case: workers side by side, the targets of one worker in turn."""
        asked: dict[str, dict[str, Any]] = {r.target: {"case": case.to_json(), "values": r.values} for r in requests}
        answers = self._exchange(asked)
        return {name: a if isinstance(a, Observation) else unpack(*a) for name, a in answers.items()}

    def close(self) -> None:
        """End every process."""
        for worker in self._workers.values():
            worker.close()

    def _exchange(self, requests: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        queues: dict[str, list[str]] = {}
        for target in requests:
            queues.setdefault(self._seats[target].process, []).append(target)
        answers: dict[str, Any] = {}
        busy: dict[str, tuple[str, float]] = {}
        while queues or busy:
            for process in [p for p in queues if p not in busy]:
                target = queues[process].pop(0)
                if not queues[process]:
                    del queues[process]
                self._workers[process].ask(self._seats[target].address, **requests[target])
                busy[process] = (target, time.monotonic() + self._patience)
            answers.update(self._collect(busy))
        return answers

    def _collect(self, busy: dict[str, tuple[str, float]]) -> dict[str, Any]:
        """The answers that have come, at least one; what they came from is not busy any more."""
        connections = {self._workers[process].connection: process for process in busy}
        remaining = min(deadline for _, deadline in busy.values()) - time.monotonic()
        ready = [connections[cast(Any, c)] for c in wait(list(connections), timeout=max(remaining, 0))]
        answers: dict[str, Any] = {}
        for process in ready:
            target, _ = busy.pop(process)
            try:
                answers[target] = self._workers[process].answer()
            except EOFError:
                answers[target] = self._workers[process].bury(target)
        if not ready:
            late = [process for process, (_, deadline) in busy.items() if deadline <= time.monotonic()]
            for process in late:
                target, _ = busy.pop(process)
                answers[target] = self._workers[process].give_up(target, self._patience)
        return answers


def _hello(answer: Any) -> Hello:
    if isinstance(answer, Observation):
        return Hello(None, None, f"the process ended while loading it: {answer.exit}")
    message, _ = answer
    return Hello(**{name: printable(value) for name, value in message["hello"].items()})
