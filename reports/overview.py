"""What the top of a report shows: the verdict, what ran, totals per target, and who agrees with whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.records import Finding, Outcome, Report, Run, TargetInfo, TargetTotals
from reports.text import NONE, clip, count, duration, memory

SHORT = 200
TOP_REASONS = 8
MOST_WORKERS = 200
_BAD = {Outcome.CRASHED, Outcome.TIMED_OUT, Outcome.OUT_OF_MEMORY}
_CLASSES = {
    "wrong-result": ("wrong result", "wrong results"),
    "crash": ("crash", "crashes"),
    "contract": ("broken contract", "broken contracts"),
    "limitation": ("limitation", "limitations"),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One labelled line; code is shown as code."""

    label: str
    text: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure at the top, with what it counts; the tone is a word of the style sheet."""

    figure: str
    label: str
    note: str = ""
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class Header:
    """The verdict in one sentence, how far it goes, and what ran."""

    verdict: str
    tone: str
    scope: str
    notice: Fact | None
    tiles: tuple[Tile, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """A target's name in the parts that a table shows."""

    full: str
    api: str
    mode: str
    framework: str


@dataclass(frozen=True, slots=True)
class Count:
    """One number of a table; the tone says whether it is good, bad or nothing."""

    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class TotalsRow:
    """One target's numbers, in the order of ``TOTALS_COLUMNS``."""

    name: Name
    counts: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A target that could not run, and why."""

    name: Name
    reason: str


@dataclass(frozen=True, slots=True)
class Skips:
    """One target's most frequent reasons for not being asked."""

    name: Name
    total: str
    reasons: tuple[tuple[str, str], ...]
    rest: str


@dataclass(frozen=True, slots=True)
class Share:
    """One cell of the agreement matrix: k of n, and the level of its shade."""

    percent: str
    of: str
    level: str


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One target against every target."""

    name: Name
    cells: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker: how long it lived, how much of that it spent inside the framework, what it held in memory."""

    process: str
    wall: str
    inside: str
    share: str
    memory: str


@dataclass(frozen=True, slots=True)
class Setting:
    """The targets whose processes are started alike: their framework, environment and environment variables."""

    framework: str
    environment: str
    variables: tuple[str, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """How the targets' processes are started: what all have in common, and what each kind has besides."""

    common: tuple[str, ...]
    rows: tuple[Setting, ...]


TOTALS_COLUMNS = (
    *("ok", "rejected", "skipped", "crashed", "timed out", "out of memory"),
    *("agree", "disagree", "1-D", "2-D", "3-D"),
)
SELF = Share("", "", "self")


def header(report: Report) -> Header:
    """The verdict and what it rests on; findings that the baseline knows are counted apart, after the others.

    ``header(report).verdict`` is "2 new findings, 12 known in 300 cases; 4 frameworks".
    """
    return Header(
        verdict=_verdict(report),
        tone=_tone(report),
        scope=_scope(report),
        notice=notice(report.run),
        tiles=_tiles(report),
        facts=_facts(report.run, report.seconds),
    )


def notice(run: Run) -> Fact | None:
    """What a reader of half a run must know first; None of a run that came to its end.

    >>> run = Run("r", "2026-01-01T00:00:00Z", 0, "default", "Linux", "0.1", "deconvdiff fuzz", in_flight=37)
    >>> notice(run).text
    'It was killed or is still going on: 37 cases were in flight. What had been observed until then is shown.'
    """
    shown = "What had been observed until then is shown."
    if not run.id:
        return Fact("Nothing was observed.", "No run has begun in this database.")
    if run.interrupted:
        lost = f" {in_flight(run)}." if run.in_flight else ""
        return Fact("Interrupted.", f"The run was stopped before its end; {shown[0].lower()}{shown[1:]}{lost}")
    if run.finished is None:
        return Fact("The run has no end.", f"It was killed or is still going on: {in_flight(run)}. {shown}")
    if run.in_flight:
        return Fact("A part of the run has no end.", f"It was killed: {in_flight(run)}. {shown}")
    return None


def in_flight(run: Run) -> str:
    """How many cases were put to the targets and never judged. ``in_flight(run)`` is "37 cases were in flight"."""
    return f"{count(run.in_flight, 'case')} {'was' if run.in_flight == 1 else 'were'} in flight"


def workers(report: Report) -> tuple[Worker, ...]:
    """What each worker used, as people read it. ``workers(report)[0].share`` is "91 %"."""
    return tuple(
        Worker(
            process=clip(use.process, SHORT),
            wall=duration(use.wall),
            inside=duration(use.inside),
            share=f"{100 * use.inside / use.wall:.0f} %" if use.wall > 0 else NONE,
            memory=memory(use.resident),
        )
        for use in report.run.workers[:MOST_WORKERS]
    )


def settings(report: Report) -> Settings:
    """How the processes of available targets are started. ``settings(report).common[0]`` is "OMP_NUM_THREADS=1"."""
    able = [info for info in report.targets if info.available]
    every = [set(info.settings.items()) for info in able]
    common = set.intersection(*every) if every else set()
    alike: dict[Setting, list[str]] = {}
    for info in able:
        own = _variables(set(info.settings.items()) - common)
        kind = Setting(_name(info).framework, clip(info.target.environment, SHORT), own, ())
        alike.setdefault(kind, []).append(clip(info.target.name, SHORT))
    return Settings(_variables(common), tuple(replace(kind, targets=tuple(names)) for kind, names in alike.items()))


def totals(report: Report) -> tuple[TotalsRow, ...]:
    """One row per target that gave at least one observation. ``totals(report)[0].counts[0].text`` is "120"."""
    observed = [info for info in report.targets if _observations(report, info.target.name)]
    return tuple(TotalsRow(_name(info), _counts(report.totals[info.target.name])) for info in observed)


def unavailable(report: Report) -> tuple[Unavailable, ...]:
    """The targets that gave no observation, with the reason. ``unavailable(report)[0].reason`` is "not installed"."""
    missing = [info for info in report.targets if not _observations(report, info.target.name)]
    return tuple(Unavailable(_name(info), why(info)) for info in missing)


def why(info: TargetInfo) -> str:
    """Why a target gave no observation.

    >>> from harness.records import Target
    >>> why(TargetInfo(Target("torch.nn.ConvTranspose", "eager"), "torch", None, False, "not installed"))
    'not installed'
    """
    if info.reason:
        return clip(info.reason, 600)
    return "available, but it was never asked" if info.available else "no reason was given"


def skips(report: Report) -> tuple[Skips, ...]:
    """Per target, the most frequent reasons for skipping. ``skips(report)[0].reasons[0]`` is ("dtype", "12")."""
    return tuple(_skips(_name(info), reasons) for info in report.targets if (reasons := _reasons(report, info)))


def matrix(report: Report) -> tuple[MatrixRow, ...]:
    """Every target against every target; ``matrix(report)[0].cells[1].of`` is "118 of 120".

    Nothing compared is shown as such, never as full agreement, and only k = n is 100 %.
    """
    named = {name for pair in report.pairs for name in pair}
    shown = [info for info in report.targets if info.target.name in named or _observations(report, info.target.name)]
    names = [info.target.name for info in shown]
    return tuple(MatrixRow(_name(info), tuple(_share(report, info.target.name, n) for n in names)) for info in shown)


def classes(findings: Sequence[Finding]) -> str:
    """How many findings of each class. ``classes(findings)`` is "3 wrong results, 1 crash"."""
    counted = Counter(finding.verdict for finding in findings)
    order = [*_CLASSES, *sorted(set(counted) - set(_CLASSES))]
    parts = [count(counted[name], *_CLASSES.get(name, (clip(name, 40),) * 2)) for name in order if counted[name]]
    return ", ".join(parts[:6])


def is_known(finding: Finding) -> bool:
    """Whether the baseline accepts the finding; one whose entry has expired is to be looked at again."""
    return finding.status == "known"


def answered(report: Report, name: str) -> bool:
    """Whether the target of that name did anything with a case but skip it. ``answered(report, "torch…+eager")``."""
    return name in report.totals and _answered(report.totals[name])


def _verdict(report: Report) -> str:
    if not report.cases:
        ran = "was judged" if report.run.in_flight else "ran"
        return f"No case {ran}, so nothing was found and nothing is claimed"
    cases, frameworks = count(report.cases, "case"), count(len(_frameworks(report)), "framework")
    if not report.findings and not _frameworks(report):
        return f"No target answered any of {cases}: nothing was compared"
    return f"{_found(report.findings)} in {cases}; {frameworks}"


def _found(findings: Sequence[Finding]) -> str:
    """How many findings there are; "new" is said only where something else is known or expired."""
    known, expired = sum(map(is_known, findings)), _expired(findings)
    new = len(findings) - known - expired
    if not known + expired:
        return count(new, "finding") if new else "No findings"
    if not new + expired:
        return f"Nothing new: {count(known, 'known finding')}"
    parts = [count(new, "new finding")] if new else []
    if expired:
        parts.append(f"{expired:,} expired" if new else count(expired, "expired finding"))
    return ", ".join([*parts, f"{known:,} known"] if known else parts)


def _expired(findings: Sequence[Finding]) -> int:
    return sum(finding.status == "expired" for finding in findings)


def _pending(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if not is_known(finding)]


def _tone(report: Report) -> str:
    if _pending(report.findings):
        return "found"
    unexplained = _sum(report, "disagree") and not report.findings
    return "clear" if _sum(report, "agree") and not unexplained else "empty"


def _scope(report: Report) -> str:
    judged = _sum(report, "agree") + _sum(report, "disagree")
    if not judged:
        return "No observation was judged. This report says nothing about any framework."
    ok = [f"{n:,} in {ndim}-D" for ndim in (1, 2, 3) if (n := sum(_ndim(t, ndim) for t in report.totals.values()))]
    answers = f" Answered: {', '.join(ok)}." if ok else ""
    covered = f"This report covers {count(judged, 'judged observation')} and nothing else."
    return f"{_kinds(report.findings)}{_caution(report.findings)}{covered}{answers}"


def _kinds(findings: Sequence[Finding]) -> str:
    pending, known = classes(_pending(findings)), classes([finding for finding in findings if is_known(finding)])
    named = "; ".join(filter(None, (pending, f"known: {known}" if known else "")))
    return f"{named[0].upper()}{named[1:]}. " if named else ""


def _caution(findings: Sequence[Finding]) -> str:
    if _pending(findings):
        return ""
    return f"{'Nothing new' if findings else 'No finding'} does not mean no fault. "


def _tiles(report: Report) -> tuple[Tile, ...]:
    agree, disagree = _sum(report, "agree"), _sum(report, "disagree")
    observed = sum(_observations(report, name) for name in report.totals)
    answering = sum(_answered(t) for t in report.totals.values())
    return (
        _findings_tile(report.findings),
        Tile(f"{report.cases:,}", "cases"),
        Tile(f"{observed:,}", "observations"),
        Tile(f"{agree:,}", "agree", tone="good" if agree else "plain"),
        Tile(f"{disagree:,}", "disagree", tone="bad" if disagree else "plain"),
        Tile(f"{answering:,}", "targets answered", f"of {len(report.targets):,}"),
    )


def _findings_tile(findings: Sequence[Finding]) -> Tile:
    pending = len(_pending(findings))
    known = len(findings) - pending
    note = f"and {known:,} known" if known else ""
    label = "new or expired findings" if _expired(findings) else "new findings" if known else "findings"
    return Tile(f"{pending:,}", label, note, tone="bad" if pending else "plain")


def _facts(run: Run, seconds: float) -> tuple[Fact, ...]:
    if not run.id:
        return ()
    facts = (
        Fact("Command", clip(run.command, 1000), code=True),
        Fact("Seed", clip(str(run.seed), 40), code=True),
        Fact("Profile", clip(run.profile, SHORT)),
        Fact("Shard", clip(run.shard or "", SHORT)),
        Fact("Started", clip(run.started, SHORT)),
        Fact("Finished", clip(run.finished or "not finished", SHORT)),
        Fact("Duration", duration(seconds)),
        Fact("In flight", f"{count(run.in_flight, 'case')}, never judged" if run.in_flight else ""),
        Fact("Platform", clip(run.platform, SHORT)),
        Fact("Run", clip(run.id, SHORT), code=True),
        Fact("deconvdiff", clip(run.version, SHORT)),
    )
    return tuple(fact for fact in facts if fact.text)


def _name(info: TargetInfo) -> Name:
    target = info.target
    mode = target.name.removeprefix(target.api) + (f" on {target.device}" if target.device != "cpu" else "")
    framework = f"{info.framework} {info.version or ''}".strip()
    return Name(clip(target.name, SHORT), clip(target.api, SHORT), clip(mode, 80), clip(framework, 80))


def _variables(settings: set[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(clip(f"{name}={value}", 400) for name, value in sorted(settings))


def _observations(report: Report, name: str) -> int:
    found = report.totals.get(name)
    return sum(found.outcomes.values()) if found else 0


def _answered(target: TargetTotals) -> bool:
    return any(n for outcome, n in target.outcomes.items() if outcome != Outcome.SKIPPED)


def _frameworks(report: Report) -> set[str]:
    return {info.framework for info in report.targets if answered(report, info.target.name)}


def _sum(report: Report, field: str) -> int:
    return sum(getattr(target, field) for target in report.totals.values())


def _ndim(target: TargetTotals, ndim: int) -> int:
    return target.ok_by_ndim.get(ndim, 0)


def _counts(target: TargetTotals) -> tuple[Count, ...]:
    outcomes = [_count(target.outcomes.get(o.value, 0), "bad" if o in _BAD else "plain") for o in Outcome]
    judged = [_count(target.agree, "good"), _count(target.disagree, "bad")]
    return (*outcomes, *judged, *(_count(_ndim(target, ndim), "plain") for ndim in (1, 2, 3)))


def _count(n: int, tone: str) -> Count:
    return Count(f"{n:,}", tone if n else "zero")


def _reasons(report: Report, info: TargetInfo) -> Mapping[str, int]:
    return report.skips.get(info.target.name, {})


def _skips(name: Name, reasons: Mapping[str, int]) -> Skips:
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    top, rest = ranked[:TOP_REASONS], ranked[TOP_REASONS:]
    more = f"and {count(sum(n for _, n in rest), 'case')} for {count(len(rest), 'other reason')}" if rest else ""
    shown = tuple((clip(reason, 400), f"{n:,}") for reason, n in top)
    return Skips(name, count(sum(reasons.values()), "case"), shown, more)


def _share(report: Report, row: str, column: str) -> Share:
    if row == column:
        return SELF
    agreed, compared = report.pairs.get((row, column)) or report.pairs.get((column, row)) or (0, 0)
    if not compared:
        return Share(NONE, "not compared", "none")
    percent = 100 * agreed // compared
    return Share(f"{percent} %", f"{agreed:,} of {compared:,}", _level(agreed, compared))


def _level(agreed: int, compared: int) -> str:
    if agreed == compared:
        return "all"
    share = agreed / compared
    return next((name for name, least in (("most", 0.95), ("many", 0.8), ("half", 0.5)) if share >= least), "few")
