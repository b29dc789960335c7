"""How many shapes are inferred in a second by an exhaustive run that asks nothing else; it judges nothing.

CPU time is that of this process (which enumerates, compares and keeps) and of the workers, without what they take to
start. Run it from the top of the repository: ``python benchmarks/exhaustive.py``; ``--help`` says what can be chosen.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as ``deconvdiff fuzz`` does, before NumPy is loaded

import psutil

from harness.campaign import exhaustive
from harness.campaign.loop import Budget
from harness.campaign.run import new_run
from harness.campaign.select import select
from harness.judge.baseline import Baseline
from harness.records import CaseJudged, Covered, Event, Outcome, RunFinished, TargetsGreeted
from harness.store import Store
from strategies.box import Box


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line for the run, and one for each worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=4096, help="how many tuples (4096)")
    parser.add_argument("--box", default="ndim==2", help="of which box (ndim==2)")
    parser.add_argument("--target", action="append", metavar="NAME", help="repeatable (torch, jax, tensorflow, keras)")
    options = parser.parse_args(arguments)
    chosen = [one for many in select(options.target or ()).values() for one in many if one.mode.abstract]
    exhaustive.VALUES = 0
    run = new_run(seed=0, profile="default", command=["benchmark"])
    budget = Budget(cases=options.cases)
    campaign = exhaustive.Exhaustive(run, chosen, Box.parse(options.box), budget, baseline=Baseline.shipped())
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "results.sqlite")
        measure(_kept(campaign.events(), store))
        store.close()


def measure(events: Iterator[Event]) -> None:
    """Time the run from the first case on."""
    inferred = 0
    before: dict[str, float] = {}
    for event in events:
        if isinstance(event, TargetsGreeted):
            started, before = time.perf_counter(), _cpu()
        for judged in event.cases if isinstance(event, Covered) else [event] if isinstance(event, CaseJudged) else ():
            inferred += sum(one.outcome is not Outcome.SKIPPED for one in judged.observations)
        if isinstance(event, Covered):
            seconds, after = time.perf_counter() - started, _cpu()
        if isinstance(event, RunFinished):
            inside = {use.process.partition(" ")[0]: use.inside for use in event.run.workers}
    parent, workers = (after[who] - before[who] for who in ("parent", "workers"))
    sys.stdout.write(
        f"{inferred:,} shapes in {seconds:.1f} s: {inferred / seconds:,.0f} a second; CPU time of one "
        f"{1000 * parent / inferred:.2f} ms here, {1000 * workers / inferred:.2f} ms in the workers\n"
    )
    for name, each in inside.items():
        sys.stdout.write(f"  {name:32} {each:6.1f} s inside the framework\n")


def _cpu() -> dict[str, float]:
    children = psutil.Process().children(recursive=True)
    workers = sum(sum(child.cpu_times()[:2]) for child in children)
    return {"parent": time.process_time(), "workers": workers}


def _kept(events: Iterator[Event], store: Store) -> Iterator[Event]:
    for event in events:
        store.keep(event)
        yield event


if __name__ == "__main__":
    main()
