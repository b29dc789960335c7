"""The porting view of every pair of APIs: a command of its own, which ``deconvdiff audit --pairs`` mounts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.output import check_distinct, check_writable, write, write_json
from harness.cli.text import clean
from harness.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from harness.frameworks.base import Api
    from harness.portings import Pair, Portings

#: columns of the table where there is no terminal to ask
_PLAIN_WIDTH = 160


@click.command()
@click.option(
    "--from", "sources", multiple=True, metavar="NAME", help="Only from these frameworks or APIs; repeatable."
)
@click.option("--to", "targets", multiple=True, metavar="NAME", help="Only to these; repeatable. Default: all.")
@click.option("--cases", type=click.IntRange(1), default=200, show_default=True, help="Calls drawn of each source.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the draws.")
@click.option("--no-run", is_flag=True, help="Foretell by the documentations alone; run no framework.")
@click.option("--json", "json_path", metavar="FILE|-", help="Write the pairs as JSON; '-' is stdout.")
@click.option("--html", "html_path", type=click.Path(path_type=Path), help="Write the porting view.")
def pairs(
    sources: tuple[str, ...],
    targets: tuple[str, ...],
    cases: int,
    seed: int,
    no_run: bool,
    json_path: str | None,
    html_path: Path | None,
) -> int:
    """Say for pairs of APIs what comes of words that are copied from one to the other.

    Each argument goes to the one of the same meaning, weights get their axes in the other order, and nothing else is
    done. Calls of the source's own are drawn; whether their copies are taken, have the size, the kernel and the crop
    is foretold from both documentations, and a sample is run on both sides.

    \b
    deconvdiff audit --pairs                               every pair
    deconvdiff audit --pairs --from torch --to jax         what PyTorch's words mean in JAX
    deconvdiff audit --pairs --html porting.html           the same as a page, with the smallest calls that go wrong

    Exit status: 0, whatever comes of them: a port that copies words is nobody's fault; 2 usage, 130 interrupted.
    """
    _check(json_path, html_path)
    found = _portings(sources, targets, cases=cases, seed=seed, run=not no_run)
    if json_path is not None:
        import json

        write_json(json_path, json.dumps(found.to_json(), indent=2))
    if html_path is not None:
        from reports import html

        write("--html", html_path, html.render_portings(found))
    if json_path != "-":
        _print(found)
    return 0


def _check(json_path: str | None, html_path: Path | None) -> None:
    files = {"--json": None if json_path in (None, "-") else Path(str(json_path)), "--html": html_path}
    check_distinct(**files)
    for option, path in files.items():
        if path is not None:
            check_writable(option, path)


def _portings(sources: tuple[str, ...], targets: tuple[str, ...], *, cases: int, seed: int, run: bool) -> Portings:
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    from harness.porting import RUN, portings

    chosen = _apis("--from", sources), _apis("--to", targets)
    console = Console(stderr=True)
    with Progress(TextColumn("{task.description}"), console=console, transient=True) as bar:
        task = bar.add_task("drawing")

        def told(text: str) -> None:
            bar.update(task, description=text)
            if not console.is_terminal:
                click.echo(text, err=True)

        return portings(
            *chosen,
            cases=cases,
            seed=seed,
            run=RUN if run else 0,
            look=lambda source, target: told(f"{source} to {target}"),
            tell=lambda framework, count: told(f"running {count} programs of {framework}"),
        )


def _apis(option: str, names: tuple[str, ...]) -> list[Api]:
    """The APIs of these names, or of these frameworks; all where nothing is named."""
    from harness.frameworks import registry

    every = [api() for api in registry.apis()]
    known = sorted({name for api in every for name in (api.framework, api.name) if name})
    for name in names:
        if name not in known:
            raise UsageError(f"{option} {name}: is no framework and no API: known are {', '.join(known)}")
    return [api for api in every if not names or {api.framework, api.name} & set(names)]


def _print(found: Portings) -> None:
    from rich.console import Console

    console = Console()
    console = console if console.is_terminal else Console(width=_PLAIN_WIDTH)
    if console.width < _PLAIN_WIDTH:
        _print_list(console, found)
    else:
        console.print(_table(found))
    for pair in found.pairs:
        for one in pair.confirmation.contradictions:
            said = f"{pair.target}: {one.copied}: foretold {one.foretold}; seen {one.seen}"
            click.echo(f"not as documented: {clean(said)}")


def _table(found: Portings) -> Table:
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(Column("from", no_wrap=True), Column("to", no_wrap=True), "size", "values", "where", "smallest wrong")
    for pair in found.pairs:
        where, wrong = "\n".join(map(clean, _where(pair))), "\n".join(map(clean, _wrong(pair)))
        counts = (f"{pair.fact(part).right} of {pair.cases}" for part in ("size", "value"))
        table.add_row(pair.source, pair.target, *counts, Text(where), Text(wrong))
    return table


def _print_list(console: Console, found: Portings) -> None:
    """What stands in the table, for a terminal that is too narrow for it."""
    for pair in found.pairs:
        size, value = pair.fact("size"), pair.fact("value")
        console.print(f"{pair.source} to {pair.target}", highlight=False, soft_wrap=True)
        said = f"  size {size.right} of {pair.cases}, values {value.right} of {pair.cases}"
        for line in (said, *(f"  {clean(line)}" for line in (*_where(pair), *_wrong(pair)))):
            console.print(line, highlight=False, soft_wrap=True, markup=False)


def _where(pair: Pair) -> list[str]:
    """Where each part is right; of the values in each wording for which that is known, where it depends on that."""
    from harness.portings import Verdict

    lines = [f"{fact.part}: {pair.where(fact)}" for fact in pair.facts if fact.part != "taken"]
    value = pair.fact("value")
    if value.condition is not None or value.verdict is not Verdict.SOMETIMES:
        return lines
    said = ((one.words, one.fact("value")) for one in pair.wordings)
    known = ((words, fact) for words, fact in said if fact.condition or fact.verdict is not Verdict.SOMETIMES)
    return [*lines, *(f"  {words}: {fact.condition or fact.verdict.value}" for words, fact in known if words)]


def _wrong(pair: Pair) -> list[str]:
    return [f"{one.part}: {one.call}: {one.reason}" for one in pair.counterexamples]
