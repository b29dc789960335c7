"""``deconvdiff rules``: folk rules and documented claims, decided, confirmed, and compared with what is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from harness.cli.options import env_option
from harness.cli.output import check_writable, tell_missing, write_json
from harness.cli.text import clean
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.table import Table

    from harness.campaign.ask import Chosen
    from harness.campaign.started import Started
    from harness.rules.observe import Seated
    from harness.rules.result import Result
    from harness.rules.statement import Statement

T = TypeVar("T")

#: columns of the table where there is no terminal to ask
_PLAIN_WIDTH = 140


@click.command()
@click.option("--id", "ids", type=int, multiple=True, metavar="N", help="Only this rule; repeatable. Default: all.")
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    help="Confirm on these, as in fuzz; repeatable. Default: what is installed of torch, jax, tensorflow and keras.",
)
@env_option
@click.option("--no-run", is_flag=True, help="Decide by arithmetic alone; run no framework.")
@click.option("--json", "json_path", metavar="FILE|-", help="Write the rules as JSON; '-' is stdout.")
def rules(
    ids: tuple[int, ...], targets: tuple[str, ...], env: tuple[str, ...], no_run: bool, json_path: str | None
) -> int:
    """Decide folk rules and documented claims about output sizes and values, with the smallest counterexample.

    Every rule has a domain. All tuples of a box of it are checked by NumPy arithmetic, Hypothesis draws more beyond the
    box, and a sample is put to the installed frameworks. A rule that holds under a condition is shown with that
    condition, which is exact: it holds wherever the condition does, and nowhere else.

    \b
    deconvdiff rules                                every rule, confirmed on what is installed: under a minute
    deconvdiff rules --no-run                       by arithmetic alone: some seconds
    deconvdiff rules --id 5 --id 6                  may I write padding=(k-1)//2, output_padding=s-1?
    deconvdiff rules --id 12 --target torch         which output_padding restores the size in PyTorch?
    deconvdiff rules --json rules.json              what was checked, where it holds, and a counterexample

    Letters: n, m sizes of the input and the output, k kernel_size, s stride, p padding, a output_padding, d dilation,
    e = d (k - 1) + 1.

    Exit status: 0 as recorded, 1 a verdict is another one than recorded (a framework has changed, or a rule is wrong),
    2 usage, 3 a named target gave nothing, 130 interrupted.
    """
    import json
    import os

    # Hypothesis keeps what it knows of loaded modules in a folder; it goes where fuzz puts it.
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(".deconvdiff", "hypothesis")))

    if json_path not in (None, "-"):
        check_writable("--json", Path(str(json_path)))
    if no_run and (targets or env):
        raise UsageError("--no-run: runs no target: leave out --target and --env, or --no-run")
    statements = _statements(ids)
    results, versions, silent = _results(statements, targets, env, run=not no_run)
    if json_path is not None:
        document = {"schema": 1, "rules": [one.to_json(versions) for one in results]}
        write_json(json_path, json.dumps(document, indent=2))
    if json_path != "-":
        _print(results)
    for name in silent:
        click.echo(
            f"deconvdiff: {clean(name)}: gave nothing: it cannot be asked, or none of these rules is about it", err=True
        )
    return 3 if silent else 1 if any(one.differences for one in results) else 0


def _statements(ids: tuple[int, ...]) -> tuple[Statement, ...]:
    from harness.rules.statements import STATEMENTS

    known = {one.id: one for one in STATEMENTS}
    for number in ids:
        if number not in known:
            raise UsageError(f"--id {number}: is no rule: there are {min(known)} to {max(known)}")
    return tuple(known[number] for number in (sorted(set(ids)) or known))


def _results(
    statements: Sequence[Statement], targets: tuple[str, ...], env: tuple[str, ...], *, run: bool
) -> tuple[list[Result], Mapping[str, str | None], list[str]]:
    """The results, the versions of the targets that were asked, and what was named and gave nothing."""
    from harness.campaign.environments import environments
    from harness.campaign.started import Started
    from harness.rules.decide import decide
    from harness.rules.result import Result

    deciding = _watched(statements, f"deciding {len(statements)} rules")
    if not run:
        return [Result(one, decide(one)) for one in deciding], {}, []
    chosen = Started(targets, environments(env), wanted=_wanted(statements))
    click.echo("loading the targets, each framework in a process of its own", err=True)
    with chosen as started:
        tell_missing(started.unavailable)
        results = _observed(deciding, started)
        answering = {each.target for one in results for each in one.observed}
        return results, started.versions, started.without(answering) if targets else []


def _wanted(statements: Sequence[Statement]) -> Callable[[Sequence[Chosen]], list[Chosen]]:
    """Which targets of a selector are started: those that a rule is put to."""
    from harness.rules.observe import is_asked

    def wanted(many: Sequence[Chosen]) -> list[Chosen]:
        computing = [one for one in many if not (one.mode.abstract or one.mode.gradient)]
        return [one for one in computing if any(is_asked(each, _seated(one, computing)) for each in statements)]

    return wanted


def _seated(one: Chosen, many: Sequence[Chosen]) -> Seated:
    """A target among others: of each API the first mode that can be asked is the usual one, and what was named."""
    from harness.rules.observe import Seated

    place = one.target.api, one.target.environment
    alike = [each for each in many if (each.target.api, each.target.environment) == place and not each.named]
    usual = one.named or one is min(alike, key=lambda each: each.missing is not None)
    return Seated(one.target.name, one.target.api, one.api, usual)


def _observed(deciding: Iterator[Statement], started: Started) -> list[Result]:
    """Each rule is put to the targets as soon as it is decided; they are at work while the next ones are."""
    from harness.rules.decide import decide
    from harness.rules.observe import submit
    from harness.rules.result import Result

    seated = [_seated(one, started.able) for one in started.able]
    submitted = [submit(one, decide(one), seated, started.pool) for one in deciding]
    names = [f"{one.name} {started.versions[one.name] or ''}".strip() for one in seated]
    asking = _watched(submitted, f"asking {', '.join(names)}" if names else "no target can be asked")
    return [Result(one.statement, one.decision, one.collect(started.pool)) for one in asking]


def _watched(items: Sequence[T], said: str) -> Iterator[T]:
    """The items, with progress on stderr: a line, and a bar where it is a terminal."""
    from rich.console import Console
    from rich.progress import Progress
    from rich.text import Text

    console = Console(stderr=True)
    console.print(Text(clean(said)), soft_wrap=True, highlight=False)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("rules", total=len(items))
        for item in items:
            yield item
            bar.advance(task)


def _print(results: Sequence[Result]) -> None:
    from rich.console import Console

    console = Console()
    console = console if console.is_terminal else Console(width=_PLAIN_WIDTH)
    if console.width < _PLAIN_WIDTH:
        _print_list(results)
    else:
        console.print(_table(results))
    for one in results:
        for difference in one.differences:
            click.echo(f"rule {one.statement.id}: {clean(difference)}")
    changed = sum(bool(one.differences) for one in results)
    click.echo(f"{len(results)} rules: " + (f"{changed} not as recorded" if changed else "all as recorded"))


def _print_list(results: Sequence[Result]) -> None:
    """What stands in the table, for a terminal that is too narrow for it."""
    for one in results:
        text, *others = map(_lines, _cells(one))
        click.echo(f"{one.statement.id}. " + " ".join(text))
        for line in (line for lines in others for line in lines):
            click.echo(f"    {line}")


def _table(results: Sequence[Result]) -> Table:
    from rich.table import Column, Table
    from rich.text import Text

    head: list[Column | str] = [Column("rule", justify="right"), "statement", Column("verdict", no_wrap=True), "where"]
    if any(one.observed for one in results):
        head.append(Column("observed on", min_width=37, overflow="fold"))
    table = Table(*head, show_lines=True)
    for one in results:
        cells = [Text("\n".join(_lines(cell))) for cell in _cells(one)]
        table.add_row(str(one.statement.id), *cells[: len(head) - 1])
    return table


def _lines(cell: Sequence[str]) -> list[str]:
    return [clean(line) for line in cell]


def _cells(one: Result) -> Iterator[Sequence[str]]:
    """Statement and domain, verdict, where it holds and where not, on whom: the lines of each."""
    from harness.rules.result import told

    found = one.decision
    yield one.statement.text, f"({one.statement.domain})"
    yield found.verdict.value, f"{found.holds_on:,} of {found.checked:,}"
    where = [] if found.condition is None else [f"iff {found.condition}"]
    yield where if found.counterexample is None else [*where, f"not {told(found.counterexample)}"]
    yield [each.target + ("" if each.verdict is found.verdict else f": {each.verdict.value}") for each in one.observed]
