"""SIGINT and SIGTERM: at once while the campaign waits, after the event while one is being kept and shown."""

from __future__ import annotations

import inspect
import signal
from collections.abc import Callable, Generator
from types import FrameType

from harness.records import Event

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def consume(
    events: Generator[Event, None, None], keep: Callable[[Event], None], publish: Callable[[], None] = lambda: None
) -> None:
    """Hand every event to ``keep``, then ``publish``.

    An interruption ends the campaign in order; no event is kept by half, and what was observed is always published.
    """
    with _Deferred() as deferred:
        while (event := _next(events, deferred)) is not None:
            keep(event)
        publish()


def _next(events: Generator[Event, None, None], deferred: _Deferred) -> Event | None:
    """The next event, None after the last; an interruption that came meanwhile is thrown where the events come from."""
    while True:
        try:
            pending, deferred.pending = deferred.pending, False
            deferred.busy = False
            event = events.throw(KeyboardInterrupt) if pending else next(events)
            deferred.busy = True
        except StopIteration:
            deferred.busy = True
            return None
        except KeyboardInterrupt:
            deferred.busy = True
            if inspect.getgeneratorstate(events) == inspect.GEN_CLOSED:
                return None
            # It came just before the campaign went on, or just after: the next round throws it there.
            deferred.pending = True
        else:
            return event


class _Deferred:
    """The handlers of the two signals while events are consumed: the first one counts, the others hurry nothing."""

    def __init__(self) -> None:
        self.busy = True
        self.pending = False
        self._stopping = False

    def __enter__(self) -> _Deferred:
        self._previous = {number: signal.signal(number, self._received) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _received(self, number: int, frame: FrameType | None) -> None:
        if self._stopping:
            return
        self._stopping = True
        if not self.busy:
            raise KeyboardInterrupt
        self.pending = True
