"""``deconvdiff sensitivity``: plant named faults and say which are found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.output import check_distinct, check_writable, write, write_json

if TYPE_CHECKING:
    from harness.planted import Fault
    from harness.records import Event
    from harness.sensitivity import Result

#: columns of the table where there is no terminal to ask
_PLAIN_WIDTH = 140


@click.command()
@click.option(
    "--fault",
    "names",
    multiple=True,
    metavar="NAME",
    help="A planted fault; * and ? stand for any text; repeatable. Default: all but what stalls or fills a machine.",
)
@click.option(
    "--cases",
    type=click.IntRange(min=1),
    help="Give up on a fault after this many cases. Default: 400, and 1,500 for those that show in a rare corner.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, help="Draw the cases of this seed."
)
@click.option("--list", "only_list", is_flag=True, help="List the faults, their causes and conditions; run nothing.")
@click.option("--summary", "summary_file", type=click.Path(path_type=Path), help="Write a Markdown summary here.")
@click.option(
    "--json",
    "json_path",
    metavar="FILE|-",
    help="Write the result as JSON; '-' is stdout, which then has nothing else.",
)
def sensitivity(
    names: tuple[str, ...],
    cases: int | None,
    seed: int,
    only_list: bool,
    summary_file: Path | None,
    json_path: str | None,
) -> int:
    """Plant named faults into a correct target, fuzz each by itself, and say which are found and told right.

    A fault is found by the first finding of its run. Its kind, its cause and its condition are held against what was
    planted; two conditions are the same if they say the same of some thousand cases. Nothing may be found of a target
    without a fault.

    \b
    deconvdiff sensitivity                                  every fault: about ten minutes
    deconvdiff sensitivity --list                           what is planted, and where it shows
    deconvdiff sensitivity --fault 'bias-*' --fault correct some of them
    deconvdiff sensitivity --seed 7 --cases 300             other cases, and no more than 300 for each fault
    deconvdiff sensitivity --json result.json --summary result.md
    deconvdiff fuzz --target harness.planted.channels:KernelFlipped
                                                            one of them, with a report

    Exit status: 0 every fault is found and nothing else, 1 something is missed or made up, 2 usage, 130 interrupted.
    """
    import json
    import os

    # Hypothesis keeps what it knows of loaded modules in a folder; it goes where fuzz puts it.
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(".deconvdiff", "hypothesis")))

    from harness.sensitivity import choose, document, summary

    json_file = None if json_path in (None, "-") else Path(str(json_path))
    check_distinct(**{"--summary": summary_file, "--json": json_file})
    for option, path in (("--summary", summary_file), ("--json", json_file)):
        if path is not None:
            check_writable(option, path)
    chosen = choose(names)
    if only_list:
        _list(chosen)
        return 0
    results = _measure(chosen, seed, cases)
    if summary_file is not None:
        write("--summary", summary_file, summary(results) + "\n")
    if json_path is not None:
        write_json(json_path, json.dumps(document(results, seed), indent=2))
    if json_path != "-":
        _print(results)
    return 0 if all(one.passed for one in results) else 1


def _measure(chosen: Sequence[Fault], seed: int, cases: int | None) -> list[Result]:
    """The results, with progress on stderr: a bar where it is a terminal, a line for each target where it is not."""
    from rich.console import Console
    from rich.progress import Progress
    from rich.text import Text

    from harness.cli.text import clean
    from harness.records import CaseJudged
    from harness.sensitivity import measure, verdict

    console = Console(stderr=True)
    results: list[Result] = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("loading", total=len(chosen))

        def watch(fault: Fault, event: Event) -> None:
            if isinstance(event, CaseJudged):
                bar.update(task, description=f"{fault.name}: case {event.ordinal}")

        console.print(f"seed {seed}; {len(chosen)} planted targets, each in a process of its own", highlight=False)
        for result in measure(chosen, seed=seed, cases=cases, watch=watch):
            results.append(result)
            bar.advance(task)
            console.print(Text(clean(f"{result.fault.name}: {verdict(result)}")), soft_wrap=True, highlight=False)
    return results


def _print(results: Sequence[Result]) -> None:
    from harness.sensitivity import HEAD, cells, figures

    _table(HEAD, [cells(one) for one in results])
    for line in figures(results):
        click.echo(line)


def _list(chosen: Sequence[Fault]) -> None:
    rows = [
        [one.name, one.text, "-" if one.kind is None else one.kind.value, one.cause or "-", one.condition or "-"]
        for one in chosen
    ]
    _table(("fault", "what it does", "kind", "cause", "shows where"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from harness.cli.text import clean

    console = Console()
    console = console if console.is_terminal else Console(width=_PLAIN_WIDTH)
    table = Table(Column(head[0], no_wrap=True), *head[1:])
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    console.print(table)
