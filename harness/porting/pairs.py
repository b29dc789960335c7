"""All that is said of pairs of APIs, put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.audit.naive import NaivePort
from harness.frameworks import registry
from harness.frameworks.base import Api
from harness.judge.condition import Facts
from harness.layer import Case
from harness.porting.conditions import Conditions, Found
from harness.porting.confirmed import Tell, confirm, sample
from harness.porting.foretold import PARTS, Call, draw, foretell, is_right
from harness.porting.smallest import smallest
from harness.porting.wording import Wording as Words
from harness.porting.wording import said
from harness.portings import Confirmation, Counterexample, Fact, Pair, Portings, Verdict, Wording

CASES, RUN = 200, 12

#: the share of the calls below which a wording is not worth the seconds that learning takes
_RARE = 0.05


def portings(
    sources: Sequence[Api],
    targets: Sequence[Api],
    *,
    cases: int = CASES,
    seed: int = 0,
    run: int = RUN,
    look: Callable[[str, str], None] = lambda _source, _target: None,
    tell: Tell = lambda _framework, _count: None,
) -> Portings:
    """Every pair of a source and another target: foretold, conditions learned, ``run`` calls of each run (0: none).

    ``look`` is called with the names of each pair that is about to be looked at, ``tell`` before programs are run.
    """
    conditions = Conditions(seed)
    looked = [one for source in sources for one in _of_source(source, targets, cases, seed, conditions, look)]
    pairs = [one.pair() for one in looked]
    if run:
        samples = [sample(one.source, one.target, one.calls, one.first, run) for one in looked]
        found = confirm(samples, tell)
        pairs = [
            _ran(pair, one, seen, chosen.calls)
            for pair, one, seen, chosen in zip(pairs, looked, found, samples, strict=True)
        ]
    apis = {api.framework or api.name: api for api in (*sources, *targets)}
    versions = {name: registry.installed_version(type(api)) for name, api in apis.items()}
    return Portings(seed, cases, tuple(pairs), versions)


@dataclass(frozen=True, slots=True)
class _Looked:
    """A pair, the calls that were drawn of the source, and what was learned of each wording."""

    source: Api
    target: Api
    calls: tuple[Call, ...]
    found: dict[Words, dict[str, Found]]
    smallest: dict[str, Call]

    @property
    def first(self) -> list[Call]:
        """What is run before anything else."""
        return list(self.smallest.values())

    def pair(self) -> Pair:
        """The record, with nothing run."""
        naive = [foretell(self.source, call, self.target) for call in self.calls]
        habits = dict.fromkeys(habit.text for one in naive for habit in one.habits)
        return Pair(
            source=self.source.name,
            target=self.target.name,
            cases=len(self.calls),
            facts=tuple(self._fact(part, naive) for part in PARTS),
            wordings=tuple(self._wording(words, naive) for words in self.found),
            counterexamples=tuple(self._counterexample(part, call) for part, call in self.smallest.items()),
            confirmation=Confirmation(missing="nothing was run"),
            habits=tuple(habits),
        )

    def _wording(self, words: Words, naive: Sequence[NaivePort]) -> Wording:
        mine = [(call, one) for call, one in zip(self.calls, naive, strict=True) if call.words == words]
        return Wording(said(words), tuple(_fact(part, mine, self.found[words][part]) for part in PARTS))

    def _fact(self, part: str, naive: Sequence[NaivePort]) -> Fact:
        """Over all wordings: what is said of each of them alike is said of all."""
        each = [found[part] for found in self.found.values() if found[part].verdict is not Verdict.UNSEEN]
        verdicts = {one.verdict for one in each}
        alike = len({(one.verdict, one.condition and one.condition.text) for one in each}) == 1
        found = each[0] if alike else Found(Verdict.SOMETIMES if verdicts else Verdict.UNSEEN)
        return _fact(part, list(zip(self.calls, naive, strict=True)), found)

    def _counterexample(self, part: str, call: Call) -> Counterexample:
        naive = foretell(self.source, call, self.target)
        size = call.input_size
        reason = next((text for wrong, text in naive.faults if wrong.value == part), naive.reason or "")
        return Counterexample(
            part=part,
            call=self.source.snippet(call.spelling, size),
            copied=None if naive.spelling is None else self.target.snippet(naive.spelling, size),
            input_size=size,
            output_size=call.layer.output_size(size),
            found_size=None if naive.layer is None else naive.layer.output_size(size),
            reason=reason,
        )


def _of_source(
    source: Api,
    targets: Sequence[Api],
    cases: int,
    seed: int,
    conditions: Conditions,
    look: Callable[[str, str], None],
) -> Iterator[_Looked]:
    calls = tuple(draw(source, cases, seed))
    wordings = Counter(call.words for call in calls)
    for target in targets:
        if target.name == source.name:
            continue
        look(source.name, target.name)
        found = {
            words: conditions.find(source, words, target, rare=count < _RARE * len(calls))
            for words, count in wordings.most_common()
        }
        parts = ((part, smallest(source, target, calls, part)) for part in PARTS if part != "value")
        yield _Looked(source, target, calls, found, {part: call for part, call in parts if call is not None})


def _fact(part: str, naive: Sequence[tuple[Call, NaivePort]], found: Found) -> Fact:
    """What was counted of calls beside what was found of layers.

    The calls may show more than the layers; a condition that errs on one of them is none.
    """
    answers = [(call, answer) for call, one in naive if (answer := is_right(one, part)) is not None]
    right, of = sum(answer for _, answer in answers), len(answers)
    seen = Verdict.UNSEEN if not of else Verdict.ALWAYS if right == of else Verdict.NEVER if not right else None
    verdicts = {found.verdict, seen or Verdict.SOMETIMES} - {Verdict.UNSEEN}
    verdict = verdicts.pop() if len(verdicts) == 1 else Verdict.SOMETIMES if verdicts else Verdict.UNSEEN
    condition = found.condition
    if condition is None or any(condition.holds(_facts(call)) is not answer for call, answer in answers):
        return Fact(part, right, of, verdict)
    return Fact(part, right, of, verdict, condition.text, found.support)


def _facts(call: Call) -> Facts:
    return Facts.of(Case(call.layer, input_size=call.input_size, values="normal"), call.layer)


def _ran(pair: Pair, one: _Looked, seen: Confirmation, ran: Sequence[Call]) -> Pair:
    """The pair with what running said of it."""
    if seen.missing is not None:
        return replace(pair, confirmation=seen)
    wrong = {(each.call, each.input_size) for each in seen.contradictions}

    def borne_out(example: Counterexample) -> bool | None:
        call = one.smallest[example.part]
        return None if call not in ran else (example.call, example.input_size) not in wrong

    examples = tuple(replace(example, ran=borne_out(example)) for example in pair.counterexamples)
    return replace(pair, counterexamples=examples, confirmation=seen)
