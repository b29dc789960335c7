"""An interruption ends a campaign in order wherever it comes."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator

import pytest

from harness.cli.interrupt import consume
from harness.records import Event, Run, RunFinished, RunStarted


def campaign(waits_at: int = -1) -> Generator[Event, None, None]:
    """Ten events and the last one; ``interrupted`` says how it ended. At ``waits_at`` a signal comes meanwhile."""
    interrupted = False
    try:
        for number in range(10):
            if number == waits_at:
                os.kill(os.getpid(), signal.SIGTERM)
            yield RunStarted(Run(str(number), "", 0, "", "", "", ""))
    except KeyboardInterrupt:
        interrupted = True
    yield RunFinished(Run("last", "", 0, "", "", "", "", interrupted=interrupted))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_an_event_is_kept_waits_for_it(number: signal.Signals) -> None:
    """The third event is kept whole, and after it comes the campaign's last one."""
    kept: list[str] = []
    interrupted: list[bool] = []

    def keep(event: Event) -> None:
        assert isinstance(event, (RunStarted, RunFinished))
        if event.run.id == "2":
            os.kill(os.getpid(), number)
        kept.append(event.run.id)
        interrupted.append(event.run.interrupted)

    consume(campaign(), keep)
    assert kept == ["0", "1", "2", "last"]
    assert interrupted[-1]


def test_a_signal_while_the_campaign_waits_comes_at_once() -> None:
    """The event under way is given up."""
    kept: list[str] = []
    consume(campaign(waits_at=4), lambda event: kept.append(event.run.id))  # type: ignore[union-attr]  # both kinds have a run
    assert kept == ["0", "1", "2", "3", "last"]


def test_the_handlers_of_before_are_put_back() -> None:
    """Also when keeping fails."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def fail(event: Event) -> None:
        raise OSError(str(event))

    with pytest.raises(OSError, match="RunStarted"):
        consume(campaign(), fail)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
