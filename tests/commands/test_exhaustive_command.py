"""``deconvdiff fuzz --exhaustive`` from end to end: a run is killed, goes on, comes to its end; what is refused."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from command import PROGRAM, Finished, deconvdiff, one_after_the_other

#: 936 tuples in four blocks
BOX = "ndim==1,n<=3,k<=3,s<=3,p==0,d<=2,g==1,c<=2,bias<=1"
FUZZ = ("fuzz", "--target=targets:Correct", "--exhaustive", f"--box={BOX}", "--json=-")

#: SIGKILL comes while the second block is written down
KILLED = f"""
import os, signal
from harness.records import Covered
from harness.store import Store

keep, blocks = Store.keep, []

def killed(store, event):
    if isinstance(event, Covered):
        blocks.append(event)
        if len(blocks) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    keep(store, event)

Store.keep = killed
{PROGRAM}
"""


def coverage(finished: Finished) -> tuple[int, int, int]:
    """Tuples done, tuples in all, and cases of the report."""
    run = finished.document["run"]["coverage"]
    return run["done"], run["total"], finished.document["totals"]["cases"]


def test_a_killed_run_goes_on_to_the_end_and_another_begins_anew(tmp_path: Path) -> None:
    """One run, one report, every tuple once; when it is done, the same command begins again, as with another box."""
    assert deconvdiff(tmp_path, *FUZZ, program=KILLED).status == -signal.SIGKILL
    second = deconvdiff(tmp_path, *FUZZ)
    assert second.status == 0, second.stderr
    assert "after 256 of 936 tuples" in second.stderr
    assert coverage(second) == (936, 936, 936)
    assert second.document["totals"]["disagree"] == 0
    first = second.document["run"]["id"]
    for more in (("--cases=8",), ("--cases=8", "--box=ndim==2,n==2,k==2")):
        other = deconvdiff(tmp_path, *FUZZ, *more)
        assert "going on" not in other.stderr
        assert other.document["run"]["id"] != first
        assert coverage(other)[0] == 8


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("alone", ("--box", "k<=3"), "deconvdiff: error: --box 'k<=3': only an exhaustive run has a box: add"),
        (
            "form",
            ("--exhaustive", "--box", "k<3"),
            "deconvdiff: error: --box 'k<3': 'k<3' is not a bound of a coordinate:",
        ),
        ("range", ("--exhaustive", "--box", "k<=99"), "deconvdiff: error: --box 'k<=99': k is from 1 to 32, not 99:"),
    ],
)
def test_what_is_no_box_is_refused_in_one_line(
    tmp_path: Path, name: str, arguments: tuple[str, ...], told: str
) -> None:
    """Exit status 2, one line with the value, the rule and what to do, and no database."""
    asked = ("fuzz", "--target=targets:Correct", *arguments)
    finished = one_after_the_other(tmp_path, {name: asked})[name]
    (line,) = finished.told
    assert (finished.status, line.startswith(told)) == (2, True), line
    assert not (tmp_path / ".deconvdiff").exists()
