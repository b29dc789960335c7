"""SIGINT and SIGTERM: at once while the campaign waits, after the event while one is being kept and shown."""

from __future__ import annotations

import inspect
import signal
from collections.abc import Callable, Generator
from types import FrameType

from harness.records import Event

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def consume(events: Generator[Event, None, None], keep: Callable[[Event], None]) -> None:
    """Hand every event to ``keep``; an interruption ends the campaign in order, and no event is kept by half."""
    with _Deferred() as deferred:
        while (event := _next(events, deferred)) is not None:
            keep(event)


def _next(events: Generator[Event, None, None], deferred: _Deferred) -> Event | None:
    """The next event, None after the last; an interruption that came meanwhile is thrown where the events come from."""
    while True:
        try:
            pending, deferred.pending = deferred.pending, False
            deferred.busy = False
            event = events.throw(KeyboardInterrupt) if pending else next(events)
            deferred.busy = True
        except StopIteration:
            return None
        except KeyboardInterrupt:
            # It came just before the campaign went on, or just after: the next round throws it there.
            if inspect.getgeneratorstate(events) == inspect.GEN_CLOSED:
                raise
            deferred.pending = True
        else:
            return event


class _Deferred:
    """The handlers of the two signals while events are consumed."""

    def __init__(self) -> None:
        self.busy = True
        self.pending = False

    def __enter__(self) -> _Deferred:
        self._previous = {number: signal.signal(number, self._received) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _received(self, number: int, frame: FrameType | None) -> None:
        if not self.busy:
            raise KeyboardInterrupt
        self.pending = True
