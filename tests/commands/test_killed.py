"""A run that is killed leaves a database that opens, what was committed, and nobody behind."""

from __future__ import annotations

import signal
import sqlite3
import time
from pathlib import Path

import psutil
import pytest
from command import deconvdiff, start, wait_for


@pytest.mark.parametrize("seconds", [0.0, 1.0, 2.5])
def test_a_killed_run_is_reported(seconds: float, tmp_path: Path) -> None:
    """At any moment: the database opens, every process ends within three seconds, the cases that were judged are told.

    One of the targets hangs in C and holds the interpreter's lock.
    """
    targets = ("--target", "targets:Correct", "--target", "enduring:HangsOnMark")
    fuzz = start(tmp_path, "fuzz", *targets, "--time", "60", "--seed", "3")
    database = tmp_path / ".deconvdiff" / "results.sqlite"
    wait_for(database, fuzz)
    time.sleep(seconds)
    left = psutil.Process(fuzz.pid).children(recursive=True)
    fuzz.send_signal(signal.SIGKILL)
    fuzz.communicate()
    _, alive = psutil.wait_procs(left, timeout=3.0)
    assert alive == []
    told = deconvdiff(tmp_path, "report", str(database), "--json", "-")
    assert told.status in (0, 1), told.stderr
    opened = sqlite3.connect(database)
    assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    if opened.execute("SELECT count(*) FROM sqlite_master WHERE name = 'cases'").fetchone() == (1,):
        judged = opened.execute("SELECT count(*) FROM cases").fetchone()
        assert (told.document["totals"]["cases"],) == judged
    opened.close()
