"""``deconvdiff replay``: a case again, and what each target did."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.text import clean
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.campaign.ask import Chosen
    from harness.layer import Case
    from harness.records import Observation

_LARGEST = 50_000_000
#: multiply-adds, and sixteenths of an element, that one case may have
_MOST = 2**34


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--case", "text", metavar="JSON", help="The case itself, instead of a file.")
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="NAME",
    help="As in fuzz. Default: the installed ones of torch, jax, tensorflow, keras.",
)
def replay(file: Path | None, text: str | None, targets: tuple[str, ...]) -> int:
    """Run a case again and print what each target did. FILE holds a case, or the JSON output of fuzz.

    \b
    deconvdiff replay case.json
    deconvdiff replay result.json --target torch          every finding's case of 'fuzz --json result.json'
    deconvdiff replay --case '{"schema": 1, "layer": {...}, "input_size": [3]}'

    Exit status: 0 no objection, 1 objections, 2 unreadable, 3 no target could be asked.
    """
    from harness.campaign.ask import question_for
    from harness.campaign.loop import ask_all, seat
    from harness.campaign.select import select
    from harness.errors import Unavailable
    from harness.judge.oracles import judge
    from harness.judge.sentence import sentence
    from harness.workers.pool import Pool

    cases = _cases(file, text)
    chosen = [one for many in select(targets).values() for one in many]
    objections = 0
    with Pool([seat(one) for one in chosen if one.missing is None]) as pool:
        able = _able(pool, chosen)
        for case in cases:
            question, put = question_for(case, able)
            if not put:
                raise Unavailable(
                    f"nobody to ask: the case asks {case.spelling.api if case.spelling else 'a layer'}, see --target"
                )
            observations, unstable = ask_all(pool, case, question, put)
            verdict = judge(question, observations, unstable)
            for line in _lines(case, observations, verdict.agrees):
                click.echo(line)
            for disagreement in verdict.disagreements:
                click.echo("  " + clean(sentence(case, disagreement, ())))
            objections += len(verdict.disagreements)
    return 1 if objections else 0


def _able(pool: Any, chosen: Sequence[Chosen]) -> list[Chosen]:
    """The targets that can be asked; what is in the way of the others goes to stderr."""
    from harness.errors import Unavailable

    hello = pool.hello()
    able = []
    for one in chosen:
        error = one.missing or hello[one.target.name].error
        if error is None:
            able.append(one)
        else:
            click.echo(f"deconvdiff: without {one.target.name}: {clean(error)}", err=True)
    if not able:
        raise Unavailable("no target could be asked: 'deconvdiff targets' lists what is installed and what to install")
    return able


def _lines(case: Case, observations: dict[str, Observation], agrees: Any) -> Iterator[str]:
    from harness.records import Outcome

    yield f"case {case.content_hash[:12]}: input size {case.input_size}, {case.dtype}, {case.values}"
    for name, seen in observations.items():
        judged = {True: "as it should be", False: "objection", None: "not judged"}[agrees.get(name)]
        what = f"output shape {seen.shape}" if seen.outcome is Outcome.OK else seen.reason or seen.error or seen.exit
        yield f"  {name:<40} {seen.outcome.value}: {clean(what)} ({judged})"


def _cases(file: Path | None, text: str | None) -> list[Case]:
    """The cases of a file or of the text.

    Raises:
        UsageError: neither or both are given, or the file cannot be read. What is wrong in it names the field.
    """
    import json

    from harness.layer import Case

    if (file is None) == (text is None):
        raise UsageError("replay: name a FILE or write --case JSON, one of the two")
    content = text if file is None else _read(file)
    try:
        data = json.loads(str(content))
    except (ValueError, RecursionError) as error:
        where = "--case" if file is None else file
        raise UsageError(f"{where}: is not JSON ({error}): expected a case or the output of 'fuzz --json'") from error
    if isinstance(data, dict) and isinstance(data.get("findings"), list) and data.get("schema", 1) == 1:
        found: list[Any] = [f.get("case") if isinstance(f, dict) else f for f in data["findings"]]
        return [_bounded(Case.from_json(case)) for case in found]
    return [_bounded(Case.from_json(data))]


def _bounded(case: Case) -> Case:
    """Refuse what would take minutes or all of the memory.

    Raises:
        UsageError: names the number and the bound.
    """
    if case.layer is None:
        return case
    work = case.layer.multiply_adds(case.input_size, batch=case.batch)
    elements = case.batch * max(
        case.layer.in_channels * prod(case.input_size), prod(case.layer.full_size(case.input_size))
    )
    if max(work, elements * 16) > _MOST:
        raise UsageError(f"replay: the case has {work} multiply-adds and {elements} elements: at most {_MOST} fit")
    return case


def _read(file: Path) -> str:
    try:
        if file.stat().st_size > _LARGEST:
            raise UsageError(f"{file}: is larger than {_LARGEST} bytes: not a case file")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read as text ({error})") from error
