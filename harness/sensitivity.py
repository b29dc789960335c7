"""How much a campaign finds: each planted fault is fuzzed by itself, and the finding is held against what was planted.

A figure "found x of y" is about these faults, these numbers of cases and this seed, and says nothing of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from time import monotonic
from typing import Any

from harness import __version__
from harness.campaign.draw import stream
from harness.campaign.loop import Budget, Campaign
from harness.campaign.run import new_run
from harness.campaign.select import select
from harness.errors import UsageError
from harness.judge.baseline import Baseline
from harness.judge.condition import Condition, Facts
from harness.layer import Case
from harness.planted import FAULTS, SOUND, Fault
from harness.records import CaseJudged, Event, Finding, FindingChanged

#: cases of the stream on which a found condition must say what the planted one says
COMPARED = 3000

#: the columns of a table of results
HEAD = ("fault", "what it does", "found", "kind", "cause", "condition")

#: kinds of findings of which no condition is learned, for each case would cost all patience or say nothing
_UNEXPLAINED = frozenset({"hang", "memory", "nondeterminism"})

#: bytes that a planted target may hold
_MEMORY_LIMIT = 2**30


@dataclass(frozen=True, slots=True)
class Result:
    """What a campaign made of one planted target.

    ``cases`` is how many cases it took until the finding, or how many were asked in vain. ``agreement`` is the share of
    the cases on which the planted condition and the found one say the same, None where there are no two of them.
    """

    fault: Fault
    finding: Finding | None
    cases: int
    seconds: float
    agreement: float | None = None

    @property
    def passed(self) -> bool:
        """A fault was found, or nothing was found of a sound target."""
        return (self.finding is None) is (self.fault.kind is None)

    @property
    def kind_right(self) -> bool | None:
        """Whether the finding is of the planted kind; None where there is no finding."""
        kind = self.fault.kind
        return None if self.finding is None else kind is not None and self.finding.kind == kind.value

    @property
    def cause_right(self) -> bool | None:
        """Whether the finding has the planted cause, and none where none was planted; None without a finding."""
        if self.finding is None:
            return None
        found, planted = self.finding.cause, self.fault.cause
        return found is None if planted is None else found is not None and found.startswith(planted)

    @property
    def condition(self) -> str | None:
        """The condition of the finding, if it has one."""
        return None if self.finding is None else self.finding.condition

    @property
    def condition_right(self) -> bool | None:
        """Whether the finding's condition says what the planted one says; None where there is nothing to judge."""
        if self.fault.condition is None or self.finding is None or self.finding.kind in _UNEXPLAINED:
            return None
        return self.agreement == 1.0

    @property
    def is_all_right(self) -> bool:
        """Found (or clean) and told right as far as it can be judged."""
        return self.passed and False not in (self.kind_right, self.cause_right, self.condition_right)

    def to_json(self) -> dict[str, Any]:
        """The entry of ``faults`` or ``sound`` in the JSON output."""
        fault, finding = self.fault, self.finding
        planted = {
            "kind": None if fault.kind is None else fault.kind.value,
            "cause": fault.cause,
            "condition": fault.condition,
        }
        found = None
        if finding is not None:
            found = {
                "kind": finding.kind,
                "cause": finding.cause,
                "condition": self.condition,
                "sentence": finding.sentence,
                "minimal": None if finding.minimal is None else dict(finding.minimal),
            }
        return {
            "name": fault.name,
            "target": fault.location,
            "text": fault.text,
            "planted": planted,
            "found": found,
            "passed": self.passed,
            "cases": self.cases,
            "most_cases": fault.cases,
            "kind_right": self.kind_right,
            "cause_right": self.cause_right,
            "condition_right": self.condition_right,
            "condition_agreement": self.agreement,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class Counts:
    """How many results there are, and how many of them are right; ``conditions`` are those that could be judged."""

    faults: int
    found: int
    kind_right: int
    cause_right: int
    conditions: int
    condition_right: int
    sound: int
    clean: int

    @classmethod
    def of(cls, results: Sequence[Result]) -> Counts:
        """Counted over faults and sound targets apart."""
        faults = [one for one in results if one.fault.kind is not None]
        sound = [one for one in results if one.fault.kind is None]
        return cls(
            faults=len(faults),
            found=sum(one.passed for one in faults),
            kind_right=sum(one.kind_right is True for one in faults),
            cause_right=sum(one.cause_right is True for one in faults),
            conditions=sum(one.condition_right is not None for one in faults),
            condition_right=sum(one.condition_right is True for one in faults),
            sound=len(sound),
            clean=sum(one.passed for one in sound),
        )

    def to_json(self) -> dict[str, int]:
        """The ``totals`` of the JSON output."""
        return {name: getattr(self, name) for name in self.__slots__}


class Cases:
    """The stream of a seed, drawn once for all targets.

    >>> cases = Cases(0)
    >>> next(iter(cases)) is next(iter(cases))
    True
    """

    def __init__(self, seed: int) -> None:
        self._drawn: list[Case] = []
        self._rest = stream(seed)

    def __iter__(self) -> Iterator[Case]:
        at = 0
        while True:
            if at == len(self._drawn):
                self._drawn.append(next(self._rest))
            yield self._drawn[at]
            at += 1


def choose(patterns: Sequence[str]) -> tuple[Fault, ...]:
    """The planted targets of these names, in which * and ? stand for any text; without names all.

    Raises:
        UsageError: a name that no planted target has.

    >>> [fault.name for fault in choose(["bias-d*", "correct"])]
    ['correct', 'bias-doubled']
    """
    everything = {**SOUND, **FAULTS}
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in everything):
            known = ", ".join(everything)
            raise UsageError(f"--fault {pattern!r}: is no planted fault; known are {known}")
    wanted = patterns or ["*"]
    return tuple(fault for name, fault in everything.items() if any(fnmatchcase(name, one) for one in wanted))


def measure(
    faults: Sequence[Fault], *, seed: int, cases: int | None = None, watch: Callable[[Fault, Event], None] | None = None
) -> Iterator[Result]:
    """What a campaign makes of each planted target, one after the other.

    A campaign ends with its first finding, or after as many cases as the fault has (``cases`` where that is given).
    ``watch`` sees every event.

    Raises:
        KeyboardInterrupt: the campaign was interrupted.
    """
    drawn = Cases(seed)
    for fault in faults:
        yield _measured(fault, drawn, seed, cases or fault.cases, watch or (lambda _, __: None))


def agreement(planted: str, found: str, cases: Iterable[Case], fault: Fault, mode: str = "default") -> float | None:
    """The share of the cases that the target takes on which two conditions say the same; None where it takes none.

    >>> from harness.layer import Layer
    >>> strides = [Case(Layer(kernel_size=2, stride=s, ndim=1), input_size=2) for s in (1, 2, 3, 4)]
    >>> [agreement("max(s) > 1", found, strides, SOUND["correct"]) for found in ("any(s >= 2)", "any(s > 2)")]
    [1.0, 0.75]
    """
    one, other = Condition.parse(planted), Condition.parse(found)
    api = fault.api()
    facts = [Facts.of(case, case.layer, mode=mode) for case in cases if api.limit(case) is None]
    same = sum(one.holds(known) is other.holds(known) for known in facts)
    return same / len(facts) if facts else None


def document(results: Sequence[Result], seed: int) -> dict[str, Any]:
    """The JSON output of ``sensitivity`` (schema 1).

    >>> document([], 7)["totals"]["found"]
    0
    """
    return {
        "schema": 1,
        "seed": seed,
        "version": __version__,
        "totals": Counts.of(results).to_json(),
        "faults": [one.to_json() for one in results if one.fault.kind is not None],
        "sound": [one.to_json() for one in results if one.fault.kind is None],
    }


def summary(results: Sequence[Result]) -> str:
    """The figures in Markdown: a few lines, and a table of what was missed, made up or told wrong.

    >>> print(summary([Result(FAULTS["bias-doubled"], None, 400, 2.5)]))
    **Planted faults: found 0 of 1**, kind right 0, cause right 0.
    <BLANKLINE>
    | fault | what it does | found | kind | cause | condition |
    | --- | --- | --- | --- | --- | --- |
    | bias-doubled | Adds the bias twice. | not in 400 cases | - | - | - |
    """
    first, *others = figures(results)
    claim, comma, rest = first.partition(",")
    lines = [f"**{claim}**{comma}{rest}", *others]
    wrong = [cells(one) for one in results if not one.is_all_right]
    if wrong:
        lines += ["", *map(_row, (HEAD, ["---"] * len(HEAD), *wrong))]
    return "\n".join(lines)


def figures(results: Sequence[Result]) -> list[str]:
    """How many were found and told right, in plain sentences.

    >>> figures([Result(SOUND["correct"], None, 1500, 9.0)])
    ['No fault was planted.', 'Nothing was found of 1 of 1 targets without a fault.']
    """
    counts = Counts.of(results)
    said = (
        f"Planted faults: found {counts.found} of {counts.faults}, "
        f"kind right {counts.kind_right}, cause right {counts.cause_right}"
    )
    if counts.conditions:
        said += f", condition right {counts.condition_right} of {counts.conditions}"
    lines = [said + "." if counts.faults else "No fault was planted."]
    if counts.sound:
        lines.append(f"Nothing was found of {counts.clean} of {counts.sound} targets without a fault.")
    return lines


def verdict(result: Result) -> str:
    """Whether it was found, in how many cases.

    >>> verdict(Result(SOUND["correct"], None, 1500, 9.0)), verdict(Result(FAULTS["bias-doubled"], None, 400, 2.5))
    ('nothing in 1500 cases', 'not in 400 cases')
    """
    if result.finding is not None:
        return f"in case {result.cases}"
    return f"{'nothing' if result.fault.kind is None else 'not'} in {result.cases} cases"


def cells(result: Result) -> list[str]:
    """A result as a row of the table under ``HEAD``: what was planted is said where something else was found."""
    planted, finding = result.fault, result.finding
    if finding is None:
        return [planted.name, planted.text, verdict(result), "-", "-", "-"]
    return [
        planted.name,
        planted.text,
        verdict(result),
        _held(finding.kind, None if planted.kind is None else planted.kind.value, result.kind_right),
        _held(finding.cause, planted.cause, result.cause_right),
        _held(result.condition, planted.condition, result.condition_right),
    ]


def _held(found: str | None, planted: str | None, right: bool | None) -> str:
    return f"{found or 'none'} (planted: {planted or 'none'})" if right is False else found or "-"


def _row(texts: Sequence[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"


def _measured(fault: Fault, drawn: Cases, seed: int, most: int, watch: Callable[[Fault, Event], None]) -> Result:
    started = monotonic()
    finding, asked = _first_finding(fault, drawn, seed, most, watch)
    share = None if finding is None else _agreement(fault, finding, drawn)
    return Result(fault, finding, finding.first_case if finding else asked, monotonic() - started, share)


def _agreement(fault: Fault, finding: Finding, drawn: Cases) -> float | None:
    if finding.condition is None or fault.condition is None:
        return None
    mode = finding.suspect.partition("+")[2]
    return agreement(fault.condition, finding.condition, islice(drawn, COMPARED), fault, mode)


def _first_finding(
    fault: Fault, drawn: Cases, seed: int, most: int, watch: Callable[[Fault, Event], None]
) -> tuple[Finding | None, int]:
    """The finding that is opened first, in its last form, and the number of cases asked.

    What is found out about it is said before the next case is judged.
    """
    first: Finding | None = None
    asked = 0
    campaign = _campaign(fault, drawn, seed, most)
    with closing(campaign.events()) as events:
        for event in events:
            watch(fault, event)
            match event:
                case CaseJudged(ordinal) if first is None:
                    asked = ordinal
                case CaseJudged():
                    break
                case FindingChanged(finding) if first is None or finding.id == first.id:
                    first = finding
    if campaign.interrupted:
        raise KeyboardInterrupt
    return first, asked


def _campaign(fault: Fault, drawn: Cases, seed: int, most: int) -> Campaign:
    """A campaign over one planted target, as one over a third party's class; nothing is known beforehand."""
    (chosen,) = select([fault.location]).values()
    run = new_run(seed=seed, profile="sensitivity", command=["deconvdiff", "sensitivity", "--fault", fault.name])
    budget = Budget(cases=most)
    return Campaign(run, chosen, iter(drawn), budget, baseline=Baseline.empty(), memory_limit=_MEMORY_LIMIT)
