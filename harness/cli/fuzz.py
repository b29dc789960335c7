"""``deconvdiff fuzz``: the main job."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import Duration
from harness.cli.output import check_distinct, check_writable, write, write_json
from harness.errors import Unavailable

if TYPE_CHECKING:
    from harness.campaign.ask import Chosen
    from harness.campaign.loop import Budget
    from harness.layer import Case
    from harness.records import Event, Report, Run
    from harness.store import Store

DEFAULT_SECONDS = 110.0


@click.command()
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    help="Framework, API, API+MODE or package.module:Class; repeatable. Default: torch, jax, tensorflow, keras.",
)
@click.option("--cases", type=click.IntRange(min=1), help="Stop after this many cases.")
@click.option(
    "--time",
    "seconds",
    type=Duration(),
    help="Stop after this time (90, 10m, 1.5h). Default, without --cases: about two minutes in all.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    help="Draw the cases of this seed again. Default: a fresh one, printed.",
)
@click.option(
    "--extra-share",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Share of the cases that slow modes (xla, other Keras backends) are asked of.",
)
@click.option(
    "--db",
    type=click.Path(path_type=Path),
    default=Path(".deconvdiff/results.sqlite"),
    show_default=True,
    help="Keep everything observed in this database.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    default=Path("deconvdiff.html"),
    show_default=True,
    help="Write the report here.",
)
@click.option(
    "--json",
    "json_path",
    metavar="FILE|-",
    help="Write the result as JSON; '-' is stdout, which then has nothing else.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["unknown", "appeared", "any", "never"]),
    default="unknown",
    show_default=True,
    help="Which findings make the exit status 1; 'appeared': those that no earlier run in the database has.",
)
def fuzz(
    targets: tuple[str, ...],
    cases: int | None,
    seconds: float | None,
    seed: int | None,
    extra_share: float,
    db: Path,
    html: Path,
    json_path: str | None,
    fail_on: str,
) -> int:
    """Draw cases, run them on every target, judge, and report what the frameworks disagree on.

    \b
    deconvdiff fuzz                                        about two minutes; writes deconvdiff.html
    deconvdiff fuzz --cases 300 --seed 7 --json - --html r.html
    deconvdiff fuzz --target torch --target jax.lax.conv_transpose --time 10m
    deconvdiff fuzz --target tensorflow+xla --cases 1000   one mode, asked of every case
    deconvdiff fuzz --target mypkg.ops:MyDeconv            a class of yours that derives from harness.frameworks.Api

    Exit status: 0 nothing found, 1 findings, 2 usage, 3 a named target gave no observation, 130 interrupted.
    """
    import os

    # Hypothesis keeps what it knows of loaded modules in a folder; it goes where ours is, not into the current one.
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(db.parent / "hypothesis"))

    from harness.campaign.loop import Budget
    from harness.campaign.select import select
    from harness.store import Store

    selected = select(targets)
    json_file = None if json_path in (None, "-") else Path(str(json_path))
    check_distinct(**{"--db": db, "--html": html, "--json": json_file})
    check_writable("--html", html)
    if json_file is not None:
        check_writable("--json", json_file)
    if cases is None and seconds is None:
        seconds = DEFAULT_SECONDS
    chosen = tuple({one.target.name: one for many in selected.values() for one in many}.values())
    if all(one.missing for one in chosen):
        raise Unavailable(f"{chosen[0].target.api} cannot be asked: {chosen[0].missing}")
    store = Store(db)
    try:
        run = new_run(seed)
        conduct(
            run,
            chosen,
            Budget(cases, seconds, extra_share),
            store,
            lambda: publish(store.report(run.id), store.cases(run.id), html, json_path, db),
        )
        result = store.report(run.id)
        return _exit_status(result, selected, failing(result, fail_on, store))
    finally:
        store.close()


def new_run(seed: int | None) -> Run:
    """The record of a run that begins now."""
    import platform
    import secrets
    import shlex
    import sys

    from harness import __version__
    from harness.campaign.loop import now
    from harness.records import Run

    return Run(
        id=secrets.token_hex(6),
        started=now(),
        seed=secrets.randbits(32) if seed is None else seed,
        profile="default",
        platform=f"{platform.platform()}, {platform.machine()}, Python {platform.python_version()}",
        version=__version__,
        command=shlex.join(["deconvdiff", *sys.argv[1:]]),
    )


def conduct(run: Run, chosen: Sequence[Chosen], budget: Budget, store: Store, publish_all: Callable[[], None]) -> None:
    """Run the campaign: every event into the store and onto the progress line; then publish, also when interrupted."""
    from harness.campaign.draw import stream
    from harness.campaign.loop import Campaign
    from harness.cli.interrupt import consume
    from harness.cli.progress import Progress

    apis = list(dict.fromkeys(one.api for one in chosen if one.api is not None and one.missing is None))
    with Progress(run, budget) as progress:

        def keep(event: Event) -> None:
            store.keep(event)
            progress.show(event)

        def done() -> None:
            progress.stop()
            publish_all()

        consume(Campaign(run, chosen, stream(run.seed, apis), budget).events(), keep, done)


def publish(result: Report, cases: Iterable[Case], html: Path, json_path: str | None, db: Path) -> None:
    """Write the report and the JSON, and say on stdout (stderr where stdout is the JSON) what was found and where."""
    from harness.cli.summary import summary
    from harness.cli.tables import size_tables
    from reports import html as html_report
    from reports import json as json_report

    write("--html", html, html_report.render(result, size_tables(cases)))
    if json_path is not None:
        write_json(json_path, json_report.render(result))
    click.echo(summary(result, html, db), err=json_path == "-")


def failing(result: Report, fail_on: str, store: Store) -> bool:
    """Whether the findings fail the run."""
    if fail_on == "never":
        return False
    known = store.earlier_findings(result.run) if fail_on == "appeared" else set()
    statuses = {"unknown", "known", "expired"} if fail_on == "any" else {"unknown", "expired"}
    return any(finding.id not in known and finding.status in statuses for finding in result.findings)


def _exit_status(result: Report, selected: dict[str, tuple[Chosen, ...]], fails: bool) -> int:
    if result.run.interrupted:
        return 130
    answered = {name for name, totals in result.totals.items() if sum(totals.outcomes.values())}
    silent = [s for s, many in selected.items() if not any(one.target.name in answered for one in many)]
    if silent:
        reasons = {info.target.name: info.reason for info in result.targets}
        for selector in silent:
            because = [reasons.get(one.target.name) for one in selected[selector]]
            why = next((reason for reason in because if reason), "it was asked nothing")
            who = selector or "none of the default frameworks"
            _warn(f"{who} gave no observation: {why}")
        return 3
    return 1 if fails else 0


def _warn(text: str) -> None:
    from harness.cli.text import clean

    click.echo(f"deconvdiff: {clean(text)}", err=True)
