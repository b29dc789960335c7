"""``deconvdiff replay``: a finding or a case again, and what became of it; or as a script of its framework alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.options import env_option
from harness.cli.output import tell_missing
from harness.cli.text import clean
from harness.errors import Unavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.campaign.replay import Replayed, Replays, Status
    from harness.cli.subjects import Subject


@click.command()
@click.argument("what", required=False, metavar="[ID|FILE]")
@click.option("--case", "text", metavar="JSON", help="The case itself, instead of an id or a file.")
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    help="As in fuzz. Default: of a finding the target that it accuses, of a case torch, jax, tensorflow and keras.",
)
@env_option
@click.option("--db", type=click.Path(path_type=Path), help="Database of an ID. Default: .deconvdiff/results.sqlite.")
@click.option(
    "--script", is_flag=True, help="Print it as a script that needs only its framework; it is run before it is shown."
)
@click.option("--issue", is_flag=True, help="Print it as the text of an issue, with the script and how it ended.")
def replay(
    what: str | None,
    text: str | None,
    targets: tuple[str, ...],
    env: tuple[str, ...],
    db: Path | None,
    script: bool,
    issue: bool,
) -> int:
    """Run a finding or a case again and say what became of it: FIXED, FAILS or ERROR (it could not be asked).

    \b
    deconvdiff replay 3fa9c0de1b22                     a finding of .deconvdiff/results.sqlite
    deconvdiff replay 3fa9c0de1b22 --script > bug.py   its script: at most 25 lines, fails by assertion
    deconvdiff replay 3fa9c0de1b22 --issue             sentence, versions and script, for the framework's maintainers
    deconvdiff replay result.json                      every finding of 'fuzz --json result.json'
    deconvdiff replay deconvdiff.html                  every finding of a report
    deconvdiff replay --case '{"schema": 1, "layer": {...}, "input_size": [3]}' --target torch

    Exit status: 0 all FIXED, 1 something FAILS, 2 unreadable, 3 there is an ERROR.
    """
    from harness.campaign.environments import environments
    from harness.campaign.replay import Replays, Status
    from harness.cli.subjects import subjects

    found = subjects(what, text, db)
    if not found:
        click.echo(f"deconvdiff: {clean(what or '--case')} has no findings: there is nothing to run again", err=True)
        return 0
    if (script or issue) and len(found) > 1:
        option = "--script" if script else "--issue"
        raise UsageError(f"{option}: {what} has {len(found)} findings: name one by its ID, or write its case to --case")
    with Replays(targets or _selectors(found), environments(env)) as replays:
        tell_missing(replays.unavailable)
        if not replays.able and (targets or any(subject.suspect is None for subject in found)):
            raise Unavailable(
                "no target could be asked: 'deconvdiff targets' lists what is installed and how to install"
            )
        seen = {Status.ERROR} if targets and replays.silent else set()
        for subject in found:
            replayed = _replayed(replays, subject, accused=not targets)
            seen.add(replayed.status)
            if script or issue:
                seen.add(_show_script(replays, subject, replayed, issue=issue))
            else:
                for line in _lines(subject, replayed):
                    click.echo(clean(line))
    return 3 if Status.ERROR in seen else 1 if Status.FAILS in seen else 0


def _selectors(found: Sequence[Subject]) -> list[str]:
    """What selects those that are accused; the usual frameworks where a case accuses nobody.

    A suspect that is unknown here is an error of its own finding alone, as long as another one is known.
    """
    from harness.campaign.select import is_known, selector

    accused = {subject.suspect for subject in found}
    if None in accused:
        return []
    selectors = sorted({selector(suspect) for suspect in accused if suspect is not None})
    return list(filter(is_known, selectors)) or selectors


def _replayed(replays: Replays, subject: Subject, *, accused: bool) -> Replayed:
    signature = None if subject.id is None else subject.id[:12]
    return replays.replay(subject.case, signature=signature, suspect=subject.suspect if accused else None)


def _lines(subject: Subject, replayed: Replayed) -> Iterator[str]:
    from harness.judge.sentence import sentence
    from harness.records import Outcome

    case, judged = subject.case, replayed.judged
    name = subject.id or f"case {case.content_hash[:12]}"
    said = "" if replayed.reason is None else f": {replayed.reason}"
    yield f"{replayed.status.value:<5} {name}: input size {case.input_size}, {case.dtype}, {case.values}{said}"
    if judged is None:
        return
    for target, seen in judged.observations.items():
        verdict = {True: "as it should be", False: "objection", None: "not judged"}[judged.verdict.agrees.get(target)]
        answer = "gradients" if seen.shape is None else f"output shape {seen.shape}"
        what = answer if seen.outcome is Outcome.OK else seen.reason or seen.error or seen.exit
        yield f"  {target:<40} {seen.outcome.value}: {what} ({verdict})"
    for disagreement in judged.verdict.disagreements:
        yield "  " + sentence(case, disagreement, judged.agreeing(disagreement))


def _show_script(replays: Replays, subject: Subject, replayed: Replayed, *, issue: bool) -> Status:
    """Print the script, or the issue around it, once it was seen to fail; what it came to otherwise, on stderr."""
    from dataclasses import replace

    from harness.campaign.execute import End, execute
    from harness.campaign.issue import issue_text
    from harness.campaign.replay import Status
    from harness.campaign.script import script
    from harness.judge.sentence import sentence
    from harness.workers.lane import Patience

    name = subject.id or f"case {subject.case.content_hash[:12]}"
    if replayed.disagreement is None or replayed.judged is None:
        click.echo(f"deconvdiff: {replayed.status.value} {name}: there is nothing to show in a script", err=True)
        return replayed.status
    target = replays.chosen(replayed.disagreement.asked.target.name)
    version = replays.versions.get(target.target.name)
    text = script(subject.case, replayed.disagreement, target.api, mode=target.mode, version=version)
    executed = execute(text, target.mode.environment, Patience().loading)
    if executed.end not in (End.FAILS, End.DIES):
        said = f"its script {executed.end.value} ({executed.exit}; {clean(executed.last_line)})"
        click.echo(f"deconvdiff: {name}: {said}: it is not shown", err=True)
        return Status.ERROR
    if issue:
        told = sentence(subject.case, replayed.disagreement, replayed.judged.agreeing(replayed.disagreement))
        executed = replace(executed, last_line=clean(executed.last_line))
        text = issue_text(replayed.disagreement, told, text, executed, version)
    click.echo(text, nl=False)
    return replayed.status
