"""The porting view: source against target, whether copied words give the size and the values, and where not.

One HTML file like the report; what it shows is the porting oracle's, which is never a finding.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.portings import Counterexample, Fact, Pair, Portings, Verdict
from reports.text import clip, count, size

#: the parts of a port as a person asks for them
TITLES = {
    "taken": "the call is taken",
    "size": "the size is right",
    "kernel": "the kernel stands as it should",
    "crop": "the crop is right",
    "value": "the values are right",
}
_WRONG = {
    "taken": "not taken",
    "size": "another size",
    "kernel": "another kernel",
    "crop": "another crop",
}
_VERDICTS = {
    Verdict.ALWAYS: "always",
    Verdict.NEVER: "never",
    Verdict.SOMETIMES: "no condition was found",
    Verdict.UNSEEN: "not seen",
}
_LONG = 400


@dataclass(frozen=True, slots=True)
class Said:
    """One part in one wording: k of n, and where."""

    title: str
    tally: str
    level: str
    where: str
    condition: str
    support: str


@dataclass(frozen=True, slots=True)
class Example:
    """A counterexample: both calls with their sizes."""

    title: str
    reason: str
    call: str
    copied: str
    sizes: str
    ran: str


@dataclass(frozen=True, slots=True)
class Wording:
    """A way of wording the call, and the parts of its port."""

    words: str
    parts: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class PairView:
    """One pair, ready to be shown."""

    anchor: str
    source: str
    target: str
    cases: str
    parts: tuple[Said, ...]
    wordings: tuple[Wording, ...]
    examples: tuple[Example, ...]
    habits: tuple[str, ...]
    confirmation: str
    contradictions: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a row's source meets a column's target; no anchor where they are one, or were not looked at."""

    anchor: str
    level: str
    size: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A source against every target."""

    source: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class PortingPage:
    """Everything on the page."""

    title: str
    scope: str
    targets: tuple[str, ...]
    rows: tuple[Row, ...]
    pairs: tuple[PairView, ...]


def page(portings: Portings) -> PortingPage:
    """What the page shows.

    >>> page(Portings(0, 200, (), {})).title
    'Copied words: 0 pairs of APIs'
    """
    sources = tuple(dict.fromkeys(pair.source for pair in portings.pairs))
    named = {pair.target for pair in portings.pairs}
    order = dict.fromkeys((*sources, *(pair.target for pair in portings.pairs)))
    targets = tuple(name for name in order if name in named)
    by_names = {(pair.source, pair.target): pair for pair in portings.pairs}
    rows = (Row(one, tuple(_cell(by_names.get((one, to)), one == to) for to in targets)) for one in sources)
    return PortingPage(
        title=f"Copied words: {count(len(portings.pairs), 'pair')} of APIs",
        scope=_scope(portings),
        targets=targets,
        rows=tuple(rows),
        pairs=tuple(map(_pair, portings.pairs)),
    )


def _scope(portings: Portings) -> str:
    versions = ", ".join(f"{name} {version or 'not installed'}" for name, version in portings.versions.items())
    calls = count(portings.cases, "call")
    drawn = f"Of each source {calls} were drawn with seed {portings.seed}."
    return clip(f"{drawn} {versions}." if versions else drawn, _LONG)


def _anchor(pair: Pair) -> str:
    return f"{pair.source}-to-{pair.target}".replace(".", "-").replace("_", "-")


def _cell(pair: Pair | None, itself: bool) -> Cell:
    if pair is None:
        return Cell("", "self" if itself else "none")
    fact = pair.fact("value")
    return Cell(_anchor(pair), _level(fact), _of_all(pair, "size"), _of_all(pair, "value"))


def _of_all(pair: Pair, part: str) -> str:
    """Of all calls, for a call that is not taken has no size."""
    return f"{pair.fact(part).right} of {pair.cases}"


def _level(fact: Fact) -> str:
    if not fact.of:
        return "none"
    share = fact.right / fact.of
    levels = ((1.0, "all"), (0.95, "most"), (0.8, "many"), (0.5, "half"))
    return next((name for least, name in levels if share >= least), "few")


def _pair(pair: Pair) -> PairView:
    return PairView(
        anchor=_anchor(pair),
        source=clip(pair.source, 80),
        target=clip(pair.target, 80),
        cases=count(pair.cases, "call"),
        parts=tuple(_said(fact, pair.where(fact)) for fact in pair.facts),
        wordings=tuple(Wording(clip(one.words, 200), tuple(map(_said, one.facts))) for one in pair.wordings),
        examples=tuple(map(_example, pair.counterexamples)),
        habits=tuple(clip(habit, _LONG) for habit in pair.habits),
        confirmation=confirmed(pair),
        contradictions=_contradictions(pair),
    )


def _said(fact: Fact, otherwise: str | None = None) -> Said:
    where = "where" if fact.condition else otherwise or _VERDICTS[fact.verdict]
    return Said(
        TITLES[fact.part],
        f"{fact.right} of {fact.of}",
        _level(fact),
        where,
        clip(fact.condition or "", _LONG),
        clip(fact.support or "", 200),
    )


def _example(one: Counterexample) -> Example:
    found = "no output" if one.found_size is None else f"size {size(one.found_size)}"
    return Example(
        title=_WRONG[one.part],
        reason=clip(one.reason, _LONG),
        call=clip(one.call, _LONG),
        copied=clip(one.copied or "cannot be written", _LONG),
        sizes=f"input size {size(one.input_size)}: size {size(one.output_size)} there, {found} here",
        ran={True: "both were run: so it is", False: "run: not as foretold", None: "not run"}[one.ran],
    )


def confirmed(pair: Pair) -> str:
    """What running said, in one line.

    >>> from harness.portings import Confirmation
    >>> confirmed(Pair("a", "b", 0, (), (), (), Confirmation(ran=12, borne_out=12)))
    '12 of 12 that were run did what was foretold'
    """
    seen = pair.confirmation
    if seen.missing is not None:
        return clip(f"not run: {seen.missing}", 200)
    differs = (
        f"; {count(seen.source_differs, 'call')} left out: the source itself differs" if seen.source_differs else ""
    )
    return f"{seen.borne_out} of {seen.ran} that were run did what was foretold{differs}"


def _contradictions(pair: Pair) -> tuple[tuple[str, str, str, str], ...]:
    each = pair.confirmation.contradictions
    shown = ((one.call, one.copied, one.foretold, one.seen) for one in each)
    return tuple(
        (clip(call, _LONG), clip(copied, _LONG), clip(foretold, _LONG), clip(seen, _LONG))
        for call, copied, foretold, seen in shown
    )
