"""Where a part of a naive port is right, over the source's layer: learned by asking the prediction, and verified.

Conditions that were learned for one pair are tried on the next before anything is learned, for APIs of one family
go wrong alike. Whatever is given was verified on layers that had no part in its choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

from harness.audit.naive import NaivePort, Part, naive_port
from harness.campaign.draw import stream
from harness.campaign.lattice import reductions
from harness.campaign.learning import Budget, learn
from harness.campaign.shrink import shrink
from harness.frameworks.base import Api
from harness.judge.condition import Condition, Facts
from harness.layer import Case
from harness.porting.foretold import is_right
from harness.porting.wording import Wording, worded
from harness.portings import Verdict

#: layers on which verdicts are based, and as many again on which conditions are verified
_PROBES = 400
_BUDGET = Budget(asked=1500, rounds=14, drawn=300)
#: so many layers of either side at least, in both lots, bear a condition out
_EITHER = 5

#: what is foretold of the layer of a case in one wording; None where no such wording of it is known
Ask: TypeAlias = "Callable[[Case], NaivePort | None]"


@dataclass(frozen=True, slots=True)
class Found:
    """A verdict over the probes, and the condition where it is neither always nor never."""

    verdict: Verdict
    condition: Condition | None = None
    support: str | None = None


@dataclass(slots=True)
class Conditions:
    """What was learned so far with a seed."""

    seed: int
    _known: dict[str, Condition] = field(default_factory=dict)
    _probes: tuple[Case, ...] = ()
    _fresh: tuple[Case, ...] = ()

    def __post_init__(self) -> None:
        layers = list(islice(stream(self.seed), 2 * _PROBES))
        self._probes, self._fresh = tuple(layers[:_PROBES]), tuple(layers[_PROBES:])

    def find(self, source: Api, words: Wording, target: Api, parts: Sequence[str]) -> dict[str, Found]:
        """For each part where it is right. That of the value is what the other parts ask for together."""
        ask = asking(source, words, target)
        found = {part: self._of_part(ask, part) for part in parts if part != "value"}
        return {**found, "value": self._of_all(ask, found)}

    def _of_part(self, ask: Ask, part: str) -> Found:
        verdict = self._verdict(ask, part)
        if verdict is not Verdict.SOMETIMES:
            return Found(verdict)
        for condition in self._known.values():
            if support := self._support(condition, ask, part):
                return Found(verdict, condition, support)
        condition = self._learned(ask, part)
        support = None if condition is None else self._support(condition, ask, part)
        if condition is None or support is None:
            return Found(verdict)
        self._known.setdefault(condition.text, condition)
        return Found(verdict, condition, support)

    def _of_all(self, ask: Ask, found: dict[str, Found]) -> Found:
        verdict = self._verdict(ask, "value")
        needed = [found[part.value] for part in (Part.TAKEN, Part.KERNEL, Part.CROP) if part.value in found]
        needed = [one for one in needed if one.verdict is Verdict.SOMETIMES]
        texts = [one.condition.text for one in needed if one.condition is not None]
        if verdict is not Verdict.SOMETIMES or len(texts) < len(needed) or not texts:
            return Found(verdict)
        joined = " and ".join(f"({text})" if " or " in text else text for text in dict.fromkeys(texts))
        condition = Condition.parse(texts[0] if len(set(texts)) == 1 else joined)
        support = self._support(condition, ask, "value")
        return Found(verdict, condition, support) if support else Found(verdict)

    def _verdict(self, ask: Ask, part: str) -> Verdict:
        answers = {answer for case in self._probes if (answer := _answer(ask, case, part)) is not None}
        if not answers:
            return Verdict.UNSEEN
        return Verdict.SOMETIMES if len(answers) == 2 else Verdict.ALWAYS if True in answers else Verdict.NEVER

    def _support(self, condition: Condition, ask: Ask, part: str) -> str | None:
        """On how many layers the condition says what the prediction says; None where it errs, or they are too few."""
        counts = {True: 0, False: 0}
        for lot in (self._probes, self._fresh):
            seen = {True: 0, False: 0}
            for case in lot:
                answer = _answer(ask, case, part)
                if answer is None:
                    continue
                if condition.holds(Facts.of(case, case.layer)) is not answer:
                    return None
                seen[answer] += 1
            if min(seen.values()) < _EITHER:
                return None
            counts = {answer: counts[answer] + seen[answer] for answer in counts}
        return f"right on all {counts[True]} layers inside, wrong on all {counts[False]} outside"

    def _learned(self, ask: Ask, part: str) -> Condition | None:
        right = [case for case in self._probes if _answer(ask, case, part)]
        start = min(right, key=lambda case: (case.ndim, sum(case.input_size), case.content_hash))
        start = start.replace(dtype="float32", values="normal")

        def answers(cases: Sequence[Case]) -> list[bool | None]:
            return [_answer(ask, case, part) for case in cases]

        def shows(cases: Sequence[Case]) -> list[Callable[[], bool]]:
            return [lambda said=said: said is True for said in answers(cases)]

        minimal = shrink(start, shows, reductions)
        learned = learn(
            minimal,
            facts=lambda case: Facts.of(case, case.layer),
            ask=answers,
            fresh=stream(self.seed + 1),
            seed=self.seed,
            budget=_BUDGET,
        )
        return None if learned is None else learned.condition


def asking(source: Api, words: Wording, target: Api) -> Ask:
    """What is foretold of layers in one wording of the source; answers are kept."""
    known: dict[object, NaivePort | None] = {}

    def ask(case: Case) -> NaivePort | None:
        layer, size = case.layer, case.input_size
        if layer is None or 0 in size or min(layer.output_size(size)) < 1:
            return None
        key = (layer, size)
        if key not in known:
            spelling = worded(source, words, layer, size)
            legal = spelling is not None and source.limit(Case.spelled(spelling, input_size=size)) is None
            known[key] = naive_port(source, spelling, target, size) if spelling is not None and legal else None
        return known[key]

    return ask


def _answer(ask: Ask, case: Case, part: str) -> bool | None:
    naive = ask(case)
    return None if naive is None else is_right(naive, part)
