"""Run the benchmarks one after the other and put their tables between the markers of benchmarks/README.md.

Without ``--write`` it prints what it would write. Each section is written as soon as it is measured. It takes
long; leave the machine alone meanwhile.

``python benchmarks/tables.py --write`` or, for some, ``python benchmarks/tables.py --write --only throughput``
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measuring import ROOT, run, tell

README = ROOT / "benchmarks" / "README.md"

#: what is run for each section; what prints lines and no table is put into a code block
COMMANDS = {
    "throughput": "throughput.py --rounds 2",
    "abstract": "abstract.py --rounds 3",
    "memory": "memory.py --cases 20000",
    "parent": "parent.py",
    "sizes": "sizes.py",
    "conditions": "conditions.py",
}
LINES = ("parent", "sizes", "conditions")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, then write or print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into benchmarks/README.md")
    parser.add_argument("--only", action="append", choices=list(COMMANDS), help="repeatable (all)")
    parser.add_argument("--timeout", type=float, default=14400, help="seconds that one script may take (14400)")
    options = parser.parse_args(arguments)
    for name in options.only or COMMANDS:
        replaced(
            README.read_text(encoding="utf-8"), name, ""
        )  # a marker that is missing is said before anything is measured
    for name in options.only or COMMANDS:
        tell(f"{name}: {COMMANDS[name]}")
        text = measured(name, options.timeout)
        if options.write:
            README.write_text(replaced(README.read_text(encoding="utf-8"), name, text), encoding="utf-8")
        else:
            sys.stdout.write(text + "\n\n")


def measured(name: str, timeout: float) -> str:
    """What a section's script prints, with the command that made it."""
    file, *rest = shlex.split(COMMANDS[name])
    with tempfile.TemporaryDirectory() as folder:
        _, output = run([sys.executable, str(ROOT / "benchmarks" / file), *rest], Path(folder), timeout)
    if name in LINES:
        return f"`python benchmarks/{COMMANDS[name]}`\n\n```text\n{output.strip()}\n```"
    return output.strip()


def replaced(text: str, name: str, table: str) -> str:
    """The text with a section's table replaced.

    Raises:
        SystemExit: the section's markers are not in it, once each and in order.

    >>> replaced("a <!-- begin one -->old<!-- end one --> b", "one", "new").split()
    ['a', '<!--', 'begin', 'one', '-->', 'new', '<!--', 'end', 'one', '-->', 'b']
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise SystemExit(f"{README}: wants {begin} and then {end}, once each")
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


if __name__ == "__main__":
    main()
