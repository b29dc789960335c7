"""Where a part of a naive port is right, over the source's layer: learned by asking the prediction, and verified.

Conditions that were learned for one pair are tried on the next before anything is learned, for APIs of one family
go wrong alike. Whatever is given was verified on layers that had no part in its choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from operator import is_
from typing import TypeAlias

import numpy as np

from harness.audit.naive import NaivePort, Part, naive_port
from harness.campaign.draw import stream
from harness.campaign.lattice import reductions
from harness.campaign.learning import Budget, learn
from harness.campaign.learning.neighbours import bounds_around, neighbours
from harness.campaign.learning.rows import case_of, row_of
from harness.campaign.shrink import shrink
from harness.frameworks.base import Api
from harness.judge.condition import Condition, Facts
from harness.layer import Case
from harness.porting.foretold import call_of, is_right
from harness.porting.wording import Wording, worded
from harness.portings import Verdict
from strategies import layer_cases, layers
from strategies.sampling import Sampler

#: usual layers on which verdicts are based, as many small ones, on which more is right, and as many again on which
#: conditions are verified
_PROBES = 400
_SMALL = layers(max_kernel_size=3, max_stride=3, max_dilation=2, max_channels=4, allow_beyond=False)
_BUDGET = Budget(asked=1500, rounds=12, drawn=300)
#: so many layers of either side at least, in both lots, bear a condition out
_EITHER = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """What is foretold of a case in one wording, and the layer that it is there."""

    naive: NaivePort
    facts: Facts


#: None where no such wording of the case is known
Ask: TypeAlias = "Callable[[Case], Answer | None]"


@dataclass(frozen=True, slots=True)
class Found:
    """A verdict over the probes, and the condition where it is neither always nor never."""

    verdict: Verdict
    condition: Condition | None = None
    support: str | None = None


#: what is learned; of the others a condition is given where it is one of these
_LEARNED = (Part.KERNEL.value, Part.CROP.value, "value")


@dataclass(slots=True)
class Conditions:
    """What was learned so far with a seed."""

    seed: int
    _known: dict[str, Condition] = field(default_factory=dict)
    _found: dict[tuple[bool | None, ...], Condition | None] = field(default_factory=dict)
    _probes: tuple[Case, ...] = ()
    _fresh: tuple[Case, ...] = ()
    _learns: bool = True

    def __post_init__(self) -> None:
        usual = list(islice(stream(self.seed), 2 * _PROBES))
        sampler, strategy = Sampler(self.seed), layer_cases(layers=_SMALL)
        small = [sampler(strategy) for _ in range(2 * _PROBES)]
        self._probes = _plain([*usual[:_PROBES], *small[:_PROBES]])
        fresh = _plain([*usual[_PROBES:], *small[_PROBES:]])
        self._fresh = (*fresh, *_around(fresh, self.seed))

    def find(self, source: Api, words: Wording, target: Api, *, rare: bool = False) -> dict[str, Found]:
        """For each part where it is right, and where all of them are; for a ``rare`` wording nothing new is learned.

        Where the value is right, kernel and crop are; what else it takes is learned among the layers that have these.
        """
        ask = asking(source, words, target)
        self._learns = not rare
        kernel, crop = (self._of(ask, part.value) for part in (Part.KERNEL, Part.CROP))
        taken, size = (self._of(ask, part.value) for part in (Part.TAKEN, Part.SIZE))
        value = self._of_all(ask, (kernel, crop))
        return {"taken": taken, "size": size, "kernel": kernel, "crop": crop, "value": value}

    def _of(self, ask: Ask, part: str) -> Found:
        labels = tuple(_answer(ask, case, part) for case in self._probes)
        verdict = _verdict(labels)
        if verdict is not Verdict.SOMETIMES:
            return Found(verdict)
        condition = self._condition(ask, part, labels)
        support = None if condition is None else self._support(condition, ask, part)
        return Found(verdict, condition if support else None, support)

    def _condition(self, ask: Ask, part: str, labels: tuple[bool | None, ...]) -> Condition | None:
        """One that is known, or that is learned, unless what has the same labels was learned in vain."""
        known = (one for one in self._known.values() if self._support(one, ask, part))
        condition = next(known, None)
        if condition is None and self._learns and part in _LEARNED and labels not in self._found:
            condition = self._found[labels] = self._learned(ask, part)
            if condition is not None:
                self._known.setdefault(condition.text, condition)
        return condition

    def _of_all(self, ask: Ask, parts: Sequence[Found]) -> Found:
        """The value: what kernel and crop need, and what is still needed where these hold."""
        verdict = _verdict([_answer(ask, case, "value") for case in self._probes])
        needed = [one.condition for one in parts if one.condition is not None]
        unknown = any(one.verdict is Verdict.SOMETIMES and one.condition is None for one in parts)
        if verdict is not Verdict.SOMETIMES or unknown:
            return Found(verdict)

        def among(case: Case) -> Answer | None:
            answer = ask(case)
            return answer if answer is not None and all(one.holds(answer.facts) for one in needed) else None

        rest = self._of(among, "value")
        last = [] if rest.condition is None else [rest.condition]
        texts = dict.fromkeys(one.text for one in (*needed, *last))
        if not texts or (rest.verdict is Verdict.SOMETIMES and not last):
            return Found(verdict)
        several = len(texts) > 1
        joined = Condition.parse(" and ".join(f"({text})" if several and " or " in text else text for text in texts))
        support = self._support(joined, ask, "value")
        return Found(verdict, joined if support else None, support)

    def _support(self, condition: Condition, ask: Ask, part: str) -> str | None:
        """On how many layers the condition says what the prediction says; None where it errs, or they are too few."""
        counts = {True: 0, False: 0}
        for lot in (self._probes, self._fresh):
            seen = {True: 0, False: 0}
            for case in lot:
                answer = ask(case)
                right = None if answer is None else is_right(answer.naive, part)
                if answer is None or right is None:
                    continue
                if condition.holds(answer.facts) is not right:
                    return None
                seen[right] += 1
            if min(seen.values()) < _EITHER:
                return None
            counts = {answer: counts[answer] + seen[answer] for answer in counts}
        return f"right on all {counts[True]} layers inside, wrong on all {counts[False]} outside"

    def _learned(self, ask: Ask, part: str) -> Condition | None:
        right = [case for case in self._probes if _answer(ask, case, part)]
        start = min(right, key=lambda case: (case.ndim, sum(case.input_size), case.content_hash))
        seen = [(case, answer) for case in self._probes if (answer := _answer(ask, case, part)) is not None]

        def answers(cases: Sequence[Case]) -> list[bool | None]:
            return [_answer(ask, case, part) for case in cases]

        def shows(cases: Sequence[Case]) -> list[Callable[[], bool]]:
            return [partial(is_, said, True) for said in answers(cases)]

        minimal = shrink(start, shows, reductions)
        learned = learn(
            minimal,
            facts=lambda case: Facts.of(case, case.layer),
            ask=answers,
            fresh=stream(self.seed + 1),
            seen=seen,
            seed=self.seed,
            budget=_BUDGET,
        )
        return None if learned is None else learned.condition


def _plain(cases: Sequence[Case]) -> tuple[Case, ...]:
    """The layers alone: what is foretold does not depend on the arrays."""
    return tuple(case.replace(dtype="float32", values="normal") for case in cases)


def _around(cases: Sequence[Case], seed: int) -> Iterator[Case]:
    """Layers with one to three numbers of these changed, so that what the draws seldom bring together is seen, too."""
    rows = np.array([row for case in cases if (row := row_of(case)) is not None])
    random = np.random.default_rng(seed)
    changes = random.integers(1, 4, len(rows))
    for row in neighbours(rows, random, bounds_around(rows[0]), changes=changes):
        case = case_of(row, values="normal", seed=0)
        if case is not None:
            yield case


def asking(source: Api, words: Wording, target: Api) -> Ask:
    """What is foretold of layers in one wording of the source; answers are kept."""
    known: dict[object, Answer | None] = {}

    def ask(case: Case) -> Answer | None:
        key = (case.layer, case.input_size)
        if key not in known:
            known[key] = _asked(source, words, target, case)
        return known[key]

    return ask


def _asked(source: Api, words: Wording, target: Api, case: Case) -> Answer | None:
    layer, size = case.layer, case.input_size
    if layer is None or 0 in size:
        return None
    found = worded(source, words, layer, size)
    if found is None or call_of(source, found[0], size) is None:
        return None
    return Answer(naive_port(source, found[0], target, size), Facts.of(case, found[1]))


def _answer(ask: Ask, case: Case, part: str) -> bool | None:
    answer = ask(case)
    return None if answer is None else is_right(answer.naive, part)


def _verdict(labels: Sequence[bool | None]) -> Verdict:
    answers = set(labels) - {None}
    if not answers:
        return Verdict.UNSEEN
    return Verdict.SOMETIMES if len(answers) == 2 else Verdict.ALWAYS if True in answers else Verdict.NEVER
