"""The workers of a run: one process for each framework and environment, all of them at work at the same time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, TypeAlias, cast

from harness.layer import Case
from harness.records import Observation, WorkerUse
from harness.workers.lane import Lane, Patience, Request, Task
from harness.workers.losses import Losses
from harness.workers.process import Place, Worker
from harness.workers.protocol import Address, Hello
from harness.workers.reaper import Reaper
from harness.workers.watch import Watch

__all__ = ["Patience", "Place", "Pool", "Put", "Request", "Seat", "Ticket"]

#: bytes of resident memory that a worker may hold
MEMORY_LIMIT = 4 * 2**30

#: seconds between two looks at what workers are at
_LOOK = 0.25

#: a case and whom it is put to
Put: TypeAlias = "tuple[Case, Sequence[Request]]"


@dataclass(frozen=True, slots=True)
class Seat:
    """A target's place: its address, the process that it shares with its framework's others, and where that runs."""

    address: Address
    process: str
    place: Place


class Ticket:
    """Cases that were put to targets, and the observations that have come."""

    def __init__(self, put: Sequence[Put]) -> None:
        self.observations: list[dict[str, Observation]] = [{} for _ in put]
        self._asked = [len(requests) for _, requests in put]
        self._left = sum(self._asked)

    @property
    def done(self) -> bool:
        """Whether every observation is there."""
        return self._left == 0

    def complete(self) -> list[bool]:
        """For each case, whether all its observations are there."""
        return [len(seen) == asked for seen, asked in zip(self.observations, self._asked, strict=True)]

    def answer(self, place: int, observation: Observation) -> None:
        """One observation."""
        self.observations[place][observation.target] = observation
        self._left -= 1


class Pool:
    """Asks targets for observations. Processes start when they are first asked and are started again when they die.

    Raises:
        WorkerFault: (from any request) our own code failed in a worker.
    """

    def __init__(
        self, seats: Sequence[Seat], *, patience: Patience | None = None, memory_limit: int = MEMORY_LIMIT
    ) -> None:
        self._seats: dict[str, Seat] = {}
        self._addresses: dict[str, Address] = {}
        self._lanes: dict[str, Lane] = {}
        self._patience = patience or Patience()
        self._memory_limit = memory_limit
        self._losses = Losses()
        self._watch = Watch()
        self._reaper = Reaper()
        self._looked = 0.0
        self._started = time.monotonic()
        self.add(seats)

    def add(self, seats: Sequence[Seat]) -> None:
        """Seat further targets; those that have a seat keep it."""
        for seat in seats:
            self._seats.setdefault(seat.address.target, seat)
            self._addresses.setdefault(seat.address.target, seat.address)
            if seat.process not in self._lanes:
                make = partial(Worker, seat.place, self._watch, self._reaper, self._memory_limit)
                lane = Lane(make(), make(forks=False), self._addresses, self._losses, self._patience)
                self._lanes[seat.process] = lane

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def benched(self) -> Mapping[str, str]:
        """Targets that are not asked any more because they died too often, with the reason."""
        return self._losses.benched

    def bench(self, target: str, reason: str) -> None:
        """Ask a target no more; what waits for it is skipped with the reason."""
        self._losses.benched.setdefault(target, reason)

    def hello(self, targets: Iterable[str] | None = None) -> dict[str, Hello]:
        """Load targets (all of them if none are named) and say what they are; one that cannot be loaded says why."""
        lanes = {name: self._lanes[self._seats[name].process] for name in (self._seats if targets is None else targets)}
        for name, lane in lanes.items():
            lane.load(name)
        return {name: lane.hello(name) for name, lane in lanes.items()}

    def observe(self, case: Case, requests: Sequence[Request]) -> dict[str, Observation]:
        """What each target does with the case: workers side by side, the targets of one worker in turn."""
        return self.observe_all([(case, requests)])[0]

    def observe_all(self, put: Sequence[Put]) -> list[dict[str, Observation]]:
        """The same of many cases, before all that was submitted and not yet sent."""
        return self.collect(self.submit(put, first=True))

    def submit(self, put: Sequence[Put], *, first: bool = False) -> Ticket:
        """Ask and do not wait."""
        ticket = Ticket(put)
        tasks: dict[str, dict[str, list[Task]]] = {}
        for place, (case, requests) in enumerate(put):
            for request in requests:
                mine = tasks.setdefault(self._seats[request.target].process, {})
                task = Task(case, request, lambda seen, place=place: ticket.answer(place, seen))  # type: ignore[misc]
                mine.setdefault(request.target, []).append(task)
        for process, by_target in tasks.items():
            self._lanes[process].add([task for many in by_target.values() for task in many], first=first)
        for process in tasks:
            self._lanes[process].go_on()
        return ticket

    def collect(self, ticket: Ticket) -> list[dict[str, Observation]]:
        """Wait for every observation of what was submitted."""
        while not ticket.done:
            self._work(_LOOK)
        return ticket.observations

    def go_on(self) -> None:
        """Take what has come and send what can be sent, without waiting."""
        while self._work(0.0):
            pass

    def drop(self) -> None:
        """Forget everything that was submitted."""
        for lane in self._lanes.values():
            lane.drop()

    def use(self) -> tuple[WorkerUse, ...]:
        """What each worker has used so far."""
        wall = time.monotonic() - self._started
        return tuple(
            WorkerUse(name, round(wall, 3), round(lane.inside, 3), lane.worker.resident())
            for name, lane in self._lanes.items()
            if lane.worker.running
        )

    def close(self) -> None:
        """End every process."""
        for lane in self._lanes.values():
            lane.drop()
        self._watch.close()
        self._reaper.close()

    def _work(self, seconds: float) -> bool:
        """Wait for a sign of any worker, for so long at most, and follow it; whether one came."""
        for lane in self._lanes.values():
            lane.go_on()
        waiting = {lane.worker.connection: lane for lane in self._lanes.values() if lane.busy}
        ready = wait(list(waiting), timeout=seconds) if waiting else []
        for connection in ready:
            waiting[cast(Any, connection)].take()
        if (now := time.monotonic()) - self._looked > _LOOK:
            self._looked = now
            for lane in waiting.values():
                if lane.busy and lane.worker.running:
                    lane.look()
        for lane in self._lanes.values():
            lane.go_on()
        return bool(ready)
