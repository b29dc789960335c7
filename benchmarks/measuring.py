"""What the benchmarks of whole commands share: run one in a folder of its own, time it, print a table; no benchmark."""

from __future__ import annotations

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

#: what ``deconvdiff`` is, run from this working tree whatever is installed
DECONVDIFF = (sys.executable, "-c", "from harness.cli import main; main()")

_VERSIONS = ("torch", "jax", "tensorflow", "tensorflow-cpu", "keras", "flax")


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended well: the seconds of the whole process and the JSON that it wrote."""

    seconds: float
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Slope:
    """A long and a short run of one seed; what they share, the start, falls out of the difference."""

    cases: int
    long: Finished
    short: Finished

    @property
    def seconds(self) -> float:
        """Of the cases that the long run has more.

        Raises:
            SystemExit: the long run took no longer than the short one.
        """
        difference = self.long.seconds - self.short.seconds
        if difference <= 0:
            raise SystemExit("the long run took no longer than the short one: name more --cases")
        return difference

    @property
    def rate(self) -> float:
        """Cases per second."""
        return self.cases / self.seconds


def environment() -> dict[str, str]:
    """The caller's, with this working tree in front of what is installed."""
    inherited = os.environ.get("PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}  # each worker has its own
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT), *([inherited] if inherited else [])])}


def fuzz_command(arguments: Sequence[str], cases: int, seed: int, folder: Path) -> list[str]:
    """``deconvdiff fuzz``, what it writes in that folder, and an exit status that says nothing of findings."""
    files = {"--db": "results.sqlite", "--html": "report.html", "--json": "result.json"}
    written = [part for option, name in files.items() for part in (option, str(folder / name))]
    numbers = ["--cases", str(cases), "--seed", str(seed), "--fail-on", "never"]
    return [*DECONVDIFF, "fuzz", *arguments, *numbers, *written]


class Ended(Exception):
    """A command whose process was ended by a signal."""


def fuzz(arguments: Sequence[str], *, cases: int, seed: int, timeout: float) -> Finished:
    """Run ``deconvdiff fuzz`` in a temporary folder.

    Raises:
        SystemExit: it failed or took longer; the message has the command and the end of what it said.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds, _ = run(fuzz_command(arguments, cases, seed, folder), folder, timeout)
        return Finished(seconds, json.loads((folder / "result.json").read_text()))


def script(name: str, arguments: Sequence[str], *, timeout: float) -> Finished:
    """Run a script of this folder that prints JSON.

    Raises:
        SystemExit: it failed or took longer.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ROOT / "benchmarks" / name), *arguments, "--json"]
        seconds, output = run(command, Path(folder), timeout)
        return Finished(seconds, json.loads(output))


def run(command: Sequence[str], folder: Path, timeout: float) -> tuple[float, str]:
    """Run a command to its end; the seconds that it took and what it wrote on stdout.

    Raises:
        SystemExit: it failed or took longer.
    """
    start = perf_counter()
    try:
        done = subprocess.run(  # noqa: S603 # our own interpreter and text
            command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise SystemExit(f"not done after {timeout:g} s (--timeout): {shlex.join(command)}") from None
    seconds = perf_counter() - start
    if done.returncode:
        failed = f"exit status {done.returncode}: {shlex.join(command)}"
        raise Ended(failed) if done.returncode < 0 else SystemExit(f"{failed}\n{done.stderr[-2000:]}")
    return seconds, done.stdout


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median, and the least and the most where there are several.

    >>> spread([1, 4, 2])
    '2.0 (1.0 to 4.0)'
    >>> spread([0.25], digits=2)
    '0.25'
    """
    middle = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def heading(arguments: Sequence[str] | None) -> str:
    """The command that makes a table, and what it ran on."""
    name, *given = sys.argv
    command = shlex.join(["python", f"benchmarks/{Path(name).name}", *(given if arguments is None else arguments)])
    busy = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    python = ".".join(map(str, sys.version_info[:3]))
    place = f"{cores} cores, load average {busy:.1f} at the start"
    return f"`{command}`\n({place}; Python {python}, {', '.join(_versions())})"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, all others are numbers.

    >>> print(table(["who", "cases/s"], [["one", 3]]))
    | who | cases/s |
    |---|--:|
    | one | 3 |
    """
    lines = [columns, ["---", *["--:"] * (len(columns) - 1)], *rows]
    joined = ["|" + "|".join(map(str, line)) + "|" if line is lines[1] else _row(line) for line in lines]
    return "\n".join(joined)


def tell(text: str) -> None:
    """Say on stderr what is being done: a benchmark takes minutes."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@contextmanager
def started(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command that runs meanwhile, its output in the folder's ``log``; ended when the block is left."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 # our own interpreter and text
            command, cwd=folder, env=environment(), stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            process.terminate()  # nothing, where it has ended
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _versions() -> Iterator[str]:
    for name in _VERSIONS:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
