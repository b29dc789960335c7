"""Resident memory of ``deconvdiff fuzz`` and of each of its workers, after 1,000 cases and at the end of one run.

The workers are looked at from outside, as processes below the command, once a second; how many cases are done
stands in the database. A worker is an interpreter with a framework loaded, and in most a process forked from it that
serves: what is told is what serves, shared pages included. A worker that has grown much is replaced by the command
itself; how many processes served in its turn is told too, and the most that any of them held.

``python benchmarks/memory.py --cases 20000``
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from measuring import fuzz_command, heading, started, table, tell

#: what a framework maps, the one that maps others' too first, and what names one worker among those of a framework
LIBRARIES = {"tensorflow": "/tensorflow/", "torch": "/torch/lib/", "jax": "/jaxlib/"}
TELLING = ("TF_ENABLE_ONEDNN_OPTS", "KERAS_BACKEND")


@dataclass
class Worker:
    """What was seen of the processes that served as one worker: bytes after the first cases, last, and most."""

    early: int | None = None
    last: int = 0
    most: int = 0
    processes: set[int] = field(default_factory=set)

    def see(self, pid: int, resident: int, *, is_early: bool) -> None:
        """Take one look into account."""
        self.processes.add(pid)
        self.last, self.most = resident, max(self.most, resident)
        if is_early:
            self.early = resident


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    options = _parser().parse_args(arguments)
    if options.cases <= options.early:
        raise SystemExit(f"--cases {options.cases} is not more than --early {options.early}: name more")
    text = heading(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = [part for target in options.target for part in ("--target", target)]
        command = fuzz_command([*chosen, *_extra(options.extra_share)], options.cases, options.seed, folder)
        with started(command, folder) as process:
            workers, done = watch(process, folder, options.early, options.interval, options.timeout)
        if process.returncode:
            log = (folder / "log").read_text(errors="replace")
            raise SystemExit(f"deconvdiff fuzz: exit status {process.returncode}\n{log[-2000:]}")
    if all(one.early is None for one in workers.values()):
        raise SystemExit(f"no look fell after {options.early:,} cases: name a shorter --interval or more --cases")
    sys.stdout.write(f"{text}\n\n{report(workers, options.early, done)}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20000, help="of the run (20000)")
    parser.add_argument("--early", type=int, default=1000, help="cases after which memory is told first (1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the run (1)")
    parser.add_argument("--target", action="append", default=[], metavar="NAME", help="repeatable (fuzz's own default)")
    parser.add_argument("--extra-share", type=float, help="handed on to fuzz (its own default)")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two looks (1)")
    parser.add_argument("--timeout", type=float, default=7200, help="seconds that the run may take (7200)")
    return parser


def _extra(share: float | None) -> list[str]:
    return [] if share is None else ["--extra-share", str(share)]


def watch(
    process: subprocess.Popen[bytes], folder: Path, early: int, interval: float, timeout: float
) -> tuple[dict[str, Worker], int]:
    """Look at the workers until the command has ended; what was seen of each, and the cases done at the last look.

    Raises:
        SystemExit: it took longer than the timeout.
    """
    workers: dict[str, Worker] = {}
    ends, done, is_past, told = time.monotonic() + timeout, 0, False, 0
    while process.poll() is None:
        if time.monotonic() > ends:
            raise SystemExit(f"{done:,} cases done after {timeout:g} s: name fewer --cases or a longer --timeout")
        count = cases_done(folder / "results.sqlite")
        is_early = count >= early and not is_past
        seen = dict(serving(process.pid)) if count else {}  # before, they still load
        for name, (pid, resident) in seen.items():
            workers.setdefault(name, Worker()).see(pid, resident, is_early=is_early)
        is_past = is_past or (is_early and bool(seen))
        done = max(done, count)
        if done >= told + early:
            told = done
            tell(f"{done:,} cases: " + ", ".join(f"{name} {_megabytes(one.last)}" for name, one in workers.items()))
        time.sleep(interval)
    return workers, cases_done(folder / "results.sqlite")


def cases_done(database: Path) -> int:
    """Rows of the table of cases; 0 as long as there is none."""
    if not database.is_file():
        return 0
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM cases").fetchone()
            return int(count)
    except sqlite3.OperationalError:
        return 0  # made, and not filled yet


def serving(command: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Name, process and bytes of each worker that serves now; the usual one last where another tries a case again."""
    try:
        itself = psutil.Process(command)
        interpreters = itself.children()
        yield "the command itself", (command, itself.memory_info().rss)
    except psutil.Error:
        return
    for interpreter in sorted(interpreters, key=lambda one: one.create_time(), reverse=True):
        try:
            name = worker_name(interpreter)
            if name is not None:
                server = max(interpreter.children(), key=lambda one: one.create_time(), default=interpreter)
                yield name, (server.pid, server.memory_info().rss)
        except psutil.Error:
            continue  # it has ended meanwhile


def worker_name(process: psutil.Process) -> str | None:
    """The framework that a process has loaded, with what is set for it; None of a process that has loaded none."""
    mapped = "\n".join(entry.path for entry in process.memory_maps())
    loaded = next((name for name, library in LIBRARIES.items() if library in mapped), None)
    if loaded is None:
        return None
    environment = process.environ()
    name = "keras" if "KERAS_BACKEND" in environment else loaded
    return " ".join([name, *(f"{key}={environment[key]}" for key in TELLING if key in environment)])


def report(workers: Mapping[str, Worker], early: int, done: int) -> str:
    """One line for each worker."""
    rows = [
        [
            name,
            "not seen" if one.early is None else _megabytes(one.early),
            _megabytes(one.last),
            "" if one.early is None else f"{(one.last - one.early) / 2**20:+,.0f}",
            _megabytes(one.most),
            len(one.processes),
        ]
        for name, one in sorted(workers.items())
    ]
    columns = ["MB (2^20 bytes)", f"after {early:,} cases", f"after {done:,} cases", "difference", "most", "processes"]
    return table(columns, rows)


def _megabytes(count: int) -> str:
    return f"{count / 2**20:,.0f}"


if __name__ == "__main__":
    main()
