"""``deconvdiff fuzz``: the main job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from harness.campaign.profiles import PROFILES, Profile
from harness.cli.options import Duration, Memory, env_option
from harness.cli.outputs import Outputs
from harness.errors import Unavailable, UsageError

if TYPE_CHECKING:
    from harness.campaign.ask import Chosen
    from harness.campaign.exhaustive import Exhaustive
    from harness.campaign.loop import Budget, Campaign
    from harness.cli.known import KnownFindings
    from harness.judge.baseline import Baseline
    from harness.judge.condition import Condition
    from harness.records import Event, Report, Run
    from harness.store import Store
    from strategies.box import Box


@click.command()
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    help="Framework, API, API+MODE or package.module:Class, each with @ENV behind it for another environment; "
    "repeatable. Default: torch, jax, tensorflow, keras.",
)
@env_option
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
    "--profile",
    "profile_name",
    type=click.Choice(sorted(PROFILES)),
    default="default",
    show_default=True,
    help="How long and with which seed where nothing else is said: "
    + "; ".join(f"{name}: {profile.said}" for name, profile in PROFILES.items())
    + ".",
)
@click.option(
    "--extra-share",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Share of the cases that gradients, slow modes (xla, other Keras backends) and calls over which a framework "
    "takes long are asked of, unless their mode is named.",
)
@click.option(
    "--memory-limit",
    type=Memory(),
    default="4G",
    show_default=True,
    help="Resident memory that a worker may hold; the case in which it grows past it is a finding.",
)
@click.option(
    "--where",
    metavar="CONDITION",
    help="Ask only cases (and of targets only those) for which this holds: any(a >= s) and ndim > 1.",
)
@click.option(
    "--exhaustive",
    is_flag=True,
    help="Ask every tuple of --box instead of drawing: sizes of all, values of a sample of each kind. An interrupted "
    "run goes on where it was when the same is asked of the same --db.",
)
@click.option(
    "--box",
    metavar="BOUNDS",
    help="What --exhaustive enumerates: bounds (<=, >=, ==) of ndim, n, k, s, p, a, d, g, c (channels per group), "
    "bias and cross: with how many combinations on the other axes a tuple of the first axis is put. What is not said "
    "stays as in ndim<=2,n<=5,k<=4,s<=3,p<=3,d<=2,g<=2,c<=2,cross<=64, always with a < max(s, d).",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="TOML file of known findings. Default: the one that comes with deconvdiff.",
)
@click.option(
    "--baseline-update",
    is_flag=True,
    help="Add unknown findings to the file of --baseline; take out those whose minimal case does not show them now.",
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
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit XML here, for the test view of a CI.")
@click.option("--summary", "summary_file", type=click.Path(path_type=Path), help="Write a Markdown summary here.")
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
    env: tuple[str, ...],
    cases: int | None,
    seconds: float | None,
    seed: int | None,
    profile_name: str,
    extra_share: float,
    memory_limit: int,
    where: str | None,
    exhaustive: bool,
    box: str | None,
    baseline: Path | None,
    baseline_update: bool,
    db: Path,
    html: Path,
    junit: Path | None,
    summary_file: Path | None,
    json_path: str | None,
    fail_on: str,
) -> int:
    """Draw cases, run them on every target, judge, and report what the frameworks disagree on.

    \b
    deconvdiff fuzz                                        about two minutes; writes deconvdiff.html
    deconvdiff fuzz --cases 300 --seed 7 --json - --html r.html
    deconvdiff fuzz --target torch --target jax.lax.conv_transpose --time 10m
    deconvdiff fuzz --target tensorflow+xla --cases 1000   one mode, asked of every case
    deconvdiff fuzz --target torch --target torch@old --env old=venv/bin/python    two versions of one framework
    deconvdiff fuzz --target mypkg.ops:MyDeconv            a class of yours that derives from harness.frameworks.Api
    deconvdiff fuzz --where "any(a >= s) and max(d) > 1"   only cases like these; k, s, p, a, d, n, m, e, lo, hi are
                                                           per axis, g, ndim, batch, bias, dtype, mode, version are not
    deconvdiff fuzz --exhaustive --box "ndim==1,k<=6"      every tuple of a box; started again, it goes on
    deconvdiff fuzz --baseline known.toml                  fail on what this file does not know of
    deconvdiff fuzz --baseline known.toml --baseline-update
    deconvdiff fuzz --profile nightly --junit result.xml --summary result.md

    Exit status: 0 nothing found, 1 findings, 2 usage, 3 a named target gave no observation, 130 interrupted.
    """
    import os
    import sys

    # Hypothesis keeps what it knows of loaded modules in a folder; it goes where ours is, not into the current one.
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(db.parent / "hypothesis"))
    # The reference's products are small: a second thread of NumPy's would spin beside the workers, not help.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from harness.campaign.draw import stream
    from harness.campaign.environments import environments
    from harness.campaign.loop import Budget, Campaign
    from harness.campaign.run import new_run
    from harness.campaign.select import select
    from harness.cli.known import KnownFindings
    from harness.judge.condition import Condition
    from harness.store import Store

    selected = select(targets, environments(env))
    outputs = Outputs(html, junit, summary_file, json_path)
    outputs.check(**{"--db": db, "--baseline": baseline})
    known = KnownFindings.of(baseline, update=baseline_update)
    condition = None if where is None else Condition.parse(where)
    whole = _box(box, exhaustive=exhaustive)
    profile = PROFILES[profile_name]
    if cases is None and seconds is None and not exhaustive:
        cases, seconds = profile.cases, profile.seconds
    chosen = tuple({one.target.name: one for many in selected.values() for one in many}.values())
    if all(one.missing for one in chosen):
        raise Unavailable(f"{chosen[0].target.api} cannot be asked: {chosen[0].missing}")
    store = Store(db)
    try:
        run = new_run(seed=_seed(seed, profile), profile=profile_name, command=["deconvdiff", *sys.argv[1:]])
        budget = Budget(cases, seconds, extra_share)
        campaign: Campaign
        settings = _Settings(baseline=known.baseline, where=condition, memory_limit=memory_limit)
        if whole is not None:
            run, campaign = over_box(whole, run, chosen, budget, settings, store, seed=_named(seed, profile))
        else:
            apis = list(dict.fromkeys(one.api for one in chosen if one.api is not None and one.missing is None))
            campaign = Campaign(run, chosen, stream(run.seed, apis), budget, **settings)
        conduct(campaign, run, budget, store, lambda: publish(store, run, outputs, known, chosen))
        result = store.report(run.id)
        if not result.cases and condition is not None:
            _warn(f"no case was drawn for which --where {where!r} holds")
        return _exit_status(result, selected, failing(result, fail_on, store))
    finally:
        store.close()


def _seed(seed: int | None, profile: Profile) -> int:
    from harness.campaign.run import fresh_seed

    named = _named(seed, profile)
    return fresh_seed() if named is None else named


def _named(seed: int | None, profile: Profile) -> int | None:
    return profile.seed if seed is None else seed


class _Settings(TypedDict):
    """What every kind of campaign is told."""

    baseline: Baseline
    where: Condition | None
    memory_limit: int


def over_box(
    box: Box, run: Run, chosen: Sequence[Chosen], budget: Budget, settings: _Settings, store: Store, *, seed: int | None
) -> tuple[Run, Exhaustive]:
    """The run over a box, or the one in the store that was interrupted at it, with what it had judged by then.

    A ``seed`` that somebody named must be that run's.
    """
    from dataclasses import replace

    from harness.campaign.exhaustive import Earlier, Exhaustive, plan
    from harness.records import Coverage

    about = plan(box, chosen, settings["where"], seed)
    old = store.unfinished(about)
    if old is None or old.coverage is None:
        run, earlier = replace(run, coverage=Coverage(about, 0, len(box))), Earlier()
    else:
        run, earlier = replace(old, finished=None, interrupted=False), Earlier(*store.judged(old.id))
        done, total = old.coverage.done, old.coverage.total
        click.echo(f"going on with run {run.id} after {done:,} of {total:,} tuples", err=True)
    return run, Exhaustive(run, chosen, replace(box, seed=run.seed), budget, **settings, earlier=earlier)


def _box(bounds: str | None, *, exhaustive: bool) -> Box | None:
    """What an exhaustive run enumerates, None of another."""
    from strategies.box import Box

    if exhaustive:
        return Box.parse(bounds or "")
    if bounds is not None:
        raise UsageError(f"--box {bounds!r}: only an exhaustive run has a box: add --exhaustive")
    return None


def conduct(campaign: Campaign, run: Run, budget: Budget, store: Store, publish_all: Callable[[], None]) -> None:
    """Run the campaign: every event into the store and onto the progress line; then publish, also when interrupted."""
    from harness.cli.interrupt import consume
    from harness.cli.progress import Progress

    with Progress(run, budget) as progress:

        def keep(event: Event) -> None:
            store.keep(event)
            progress.show(event)

        def done() -> None:
            progress.stop()
            publish_all()

        consume(campaign.events(), keep, done)


def publish(store: Store, run: Run, outputs: Outputs, known: KnownFindings, chosen: Sequence[Chosen]) -> None:
    """Write the reports, and say on stdout (stderr where stdout is the JSON) what was found and where it is."""
    from harness.cli.summary import summary

    result = store.report(run.id)
    outputs.write(result, store.cases(run.id))
    told = summary(result) + known.told(result) + outputs.told() + f"\ndatabase: {store.path}"
    click.echo(told, err=outputs.json == "-")
    known.update(result, chosen)


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
