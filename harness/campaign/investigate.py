"""A new finding looked into: its cause made sure of, its case reduced, everybody asked about what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from numpy.typing import NDArray

from harness.campaign.ask import Chosen, is_alone, is_worth_it, question_for, requests
from harness.campaign.attribute import attribute
from harness.campaign.draw import stream
from harness.campaign.lattice import reductions
from harness.campaign.learning import Budget, Learned, learn
from harness.campaign.shrink import TOGETHER, shrink
from harness.judge.baseline import Baseline, Entry
from harness.judge.causes import FAMILIES
from harness.judge.condition import Condition, Facts
from harness.judge.oracles import Question, Verdict, judge
from harness.layer import Case, Layer
from harness.records import Disagreement, Kind, Observation, Outcome, Resolved, Target
from harness.workers.lane import Request
from harness.workers.pool import Pool

#: findings of one signature at most: the last one takes all that the conditions of the others leave
MOST_REGIONS = 5

#: times that a target is seen to be right in a fresh interpreter before it is believed to depend on what ran before
_TIMES_AFRESH = 5

#: what counts only where a fresh interpreter shows it
_SEEN_AFRESH = (Kind.VALUE, Kind.GRADIENT, Kind.CRASH, Kind.REJECTION)

#: what may be asked to learn a condition where each failing case costs a process
_DEADLY_BUDGET = Budget(asked=600, rounds=15, drawn=150)


@dataclass(frozen=True, slots=True)
class Known:
    """What a finding is kept under: its signature, the entry of the baseline that covers it, or its region.

    Regions of a signature are told apart by verified conditions: they are counted from 0.
    """

    signature: str
    entry: Entry | None
    region: int = 0

    @property
    def key(self) -> tuple[str, str | None, int]:
        """The signature with the entry's id and the region."""
        return self.signature, None if self.entry is None else self.entry.id, self.region


@dataclass(frozen=True, slots=True)
class Posed:
    """One case and how it is put to some targets."""

    case: Case
    question: Question
    requests: Sequence[Request]


@dataclass(frozen=True, slots=True)
class Judged:
    """One case put to some targets, and the judge's word."""

    case: Case
    question: Question
    verdict: Verdict
    observations: Mapping[str, Observation]

    def agreeing(self, disagreement: Disagreement) -> list[str]:
        """The targets that were asked for the same thing and agree with what should be."""
        asked = self.question.asked
        return [
            name
            for name, agrees in self.verdict.agrees.items()
            if agrees and not asked[name].abstract and asked[name].gradient == disagreement.asked.gradient
        ]


class Investigation:
    """Asks the targets of a run beyond its stream. One for each run: what is once made sure of stays so."""

    def __init__(self, pool: Pool, baseline: Baseline, versions: Mapping[str, str | None], *, seed: int = 0) -> None:
        self._pool = pool
        self._baseline = baseline
        self._versions = versions
        self._seed = seed
        self._established: dict[str, dict[str, None]] = {}
        self._regions: dict[str, list[Condition | None]] = {}
        self._unstable: Counter[tuple[str, str]] = Counter()

    def pose(self, case: Case, targets: Sequence[Chosen], *, share: float = 1.0) -> Posed:
        """How a case is put to targets; it is not put yet. ``share`` is for calls that take a framework long."""
        question, put = question_for(case, targets)
        put = tuple(one for one in put if is_worth_it(case, one, question.asked.get(one.target.name), share))
        alone = {one.target.name for one in put if is_alone(case, one, question.asked.get(one.target.name))}
        return Posed(case, question, requests(question, put, alone))

    def judge(
        self, posed: Posed, observations: Mapping[str, Observation], likely: Mapping[str, Collection[str]] | None = None
    ) -> Judged:
        """Judge what was observed; causes that were made sure of before are tried first, ``likely`` ones alone."""
        known = self._established if likely is None else likely
        question = replace(posed.question, likely=known, thorough=likely is None)
        seen = {each.target: observations[each.target] for each in posed.requests}
        return Judged(posed.case, question, judge(question, seen), seen)

    def ask(self, case: Case, targets: Sequence[Chosen]) -> Judged:
        """Put a case to targets and judge."""
        return self.ask_all([case], targets)[0]

    def ask_all(
        self, cases: Sequence[Case], targets: Sequence[Chosen], likely: Mapping[str, Collection[str]] | None = None
    ) -> list[Judged]:
        """Put cases to targets together and judge each."""
        return [self.judge(posed, seen, likely) for posed, seen in self._observed(cases, targets)]

    def _observed(
        self, cases: Sequence[Case], targets: Sequence[Chosen]
    ) -> list[tuple[Posed, Mapping[str, Observation]]]:
        posed = [self.pose(case, targets) for case in cases]
        observed = self._pool.observe_all([(each.case, each.requests) for each in posed])
        return list(zip(posed, observed, strict=True))

    def known(self, case: Case, disagreement: Disagreement) -> Known:
        """The signature, and whether the baseline, or the condition of a finding of this run, covers this case."""
        facts = self.facts(case, disagreement)
        entry = self._baseline.match(disagreement, facts)
        if entry is not None:
            return Known(disagreement.signature, entry)
        regions = self._regions.get(disagreement.signature, ())
        covering = (place for place, region in enumerate(regions) if region is None or region.holds(facts))
        return Known(disagreement.signature, None, next(covering, len(regions)))

    def opened(self, known: Known) -> None:
        """From now on the finding takes every case of its signature that no earlier one covers."""
        if known.entry is None:
            self._regions.setdefault(known.signature, []).append(None)

    def facts(self, case: Case, disagreement: Disagreement) -> Facts:
        """What a condition may ask of the case on the target that deviates."""
        return self._facts(case, _meant(case, disagreement), disagreement.asked.target)

    def _facts(self, case: Case, layer: Layer | None, target: Target) -> Facts:
        return Facts.of(case, layer, mode=target.mode, version=self._versions.get(target.name))

    def attribute(self, case: Case, disagreement: Disagreement, targets: Sequence[Chosen]) -> Disagreement:
        """Make sure of a hypothesis by asking further cases, unless it was made sure of before."""
        layer = _meant(case, disagreement)
        if disagreement.kind not in (Kind.VALUE, Kind.SIZE) or disagreement.cause not in FAMILIES or layer is None:
            return disagreement
        established = self._established.setdefault(disagreement.asked.target.api, {})
        if disagreement.cause in established:
            return disagreement
        chosen = next(one for one in targets if one.target.name == disagreement.asked.target.name)
        possible = {one.cause: one for one in disagreement.attributed() if one.cause is not None}
        name = attribute(case, layer, list(possible), lambda probe: self._values(probe, chosen))
        if name is None:
            return replace(disagreement, cause=None, detail=None, other_causes=())
        established[name] = None
        return possible[name]

    def made_sure(
        self, judged: Judged, disagreement: Disagreement, has: Callable[[Known], bool]
    ) -> tuple[Disagreement, Known]:
        """A disagreement and what it is kept under; what would open a finding is first asked of a fresh interpreter.

        ``has`` says whether there is a finding already.
        """
        known = self.known(judged.case, disagreement)
        if known.entry is not None or has(known):
            return disagreement, known
        disagreement = self._seen_afresh(judged, disagreement)
        return disagreement, self.known(judged.case, disagreement)

    def _seen_afresh(self, judged: Judged, disagreement: Disagreement) -> Disagreement:
        """What was seen as it is, or what it comes down to: something else than in a fresh interpreter.

        What ran before in a process can change a target's answers. Such a finding has no case that shows it alone.
        """
        name = disagreement.asked.target.name
        key = (name, disagreement.signature)
        if disagreement.kind not in _SEEN_AFRESH:
            return disagreement
        if self._unstable[key] < _TIMES_AFRESH:
            if self._shows_afresh(judged, disagreement):
                return disagreement
            self._unstable[key] += 1
        unstable = judge(judged.question, {name: replace(judged.observations[name], unstable=True)})
        return next(iter(unstable.disagreements), disagreement)

    def _shows_afresh(self, judged: Judged, disagreement: Disagreement) -> bool:
        """Whether a fresh interpreter deviates, too: by the same kind, or by giving no answer."""
        name = disagreement.asked.target.name
        seen = self._pool.observe(judged.case, [Request(name, values=True, fresh=True)])[name]
        afresh = judge(judged.question, {name: seen})
        return seen.outcome is not Outcome.OK or any(one.kind is disagreement.kind for one in afresh.disagreements)

    def recall(self, found: Sequence[tuple[Disagreement, Known]], targets: Sequence[Chosen]) -> list[Judged | None]:
        """The minimal cases that the baseline has recorded of findings, put together; None where it has none.

        No slow mode is asked about what is known, but the one that deviates.
        """
        recorded = [_recorded(known) for _, known in found]
        usual = [self._usual(disagreement, targets) for disagreement, _ in found]
        posed = [self.pose(case, asked) for case, asked in zip(recorded, usual, strict=True) if case is not None]
        observed = self._pool.observe_all([(each.case, each.requests) for each in posed])
        judged = map(self.judge, posed, observed)
        return [None if case is None else next(judged) for case in recorded]

    @staticmethod
    def _usual(disagreement: Disagreement, targets: Sequence[Chosen]) -> list[Chosen]:
        needed = _needed(disagreement, targets)
        return [one for one in targets if not one.mode.share or one in needed]

    def reduce(
        self,
        case: Case,
        disagreement: Disagreement,
        known: Known,
        targets: Sequence[Chosen],
        recalled: Judged | None = None,
    ) -> tuple[Judged, Disagreement]:
        """The 1-minimal case that still shows the finding, put to every target, and what the suspect does there.

        What the baseline has recorded is minimal already (``recall``). A hang or a full memory is not reduced, for
        every step of it costs the whole patience; neither is what does not show again.
        """
        needed = _needed(disagreement, targets)

        def same(judged: Judged) -> Disagreement | None:
            return self._same(judged, disagreement, known)

        if recalled is None:
            (recalled,) = self.recall([(disagreement, known)], targets)
        if recalled is not None and (again := same(recalled)) is not None:
            return recalled, again
        minimal = case
        if disagreement.kind not in (Kind.HANG, Kind.MEMORY, Kind.NONDETERMINISM):
            minimal = self._shrunk(case, disagreement, known, needed, _likely(disagreement))
            if same(self.ask(minimal, needed)) is None:  # a cause that was not tried explains it
                minimal = self._shrunk(case, disagreement, known, needed, None)
        judged = self.ask(minimal, targets)
        made_sure = minimal != case and known.entry is None and disagreement.kind in _SEEN_AFRESH
        if made_sure and not self._shows_afresh(judged, disagreement):  # what ran before made it so small
            judged = self.ask(case, targets)
        return judged, same(judged) or disagreement

    def _shrunk(
        self,
        case: Case,
        disagreement: Disagreement,
        known: Known,
        needed: Sequence[Chosen],
        likely: Mapping[str, Collection[str]] | None,
    ) -> Case:
        def shows(candidates: Sequence[Case]) -> list[Callable[[], bool]]:
            return [partial(is_shown, *each) for each in self._observed(candidates, needed)]

        def is_shown(posed: Posed, seen: Mapping[str, Observation]) -> bool:
            return self._same(self.judge(posed, seen, likely), disagreement, known) is not None

        parameters = next((one.api.parameters for one in needed if one.api is not None), ())
        together = 1 if disagreement.kind is Kind.CRASH else TOGETHER
        return shrink(case, shows, lambda at: reductions(at, parameters), together=together)

    def explain(
        self, minimal: Case, disagreement: Disagreement, known: Known, targets: Sequence[Chosen]
    ) -> Learned | None:
        """The condition under which the finding shows, learned by asking its target; None where none was verified.

        Not asked of what the baseline knows, of calls in an API's own words, of what costs all patience each time,
        and of what ends a framework's process, which is long in coming back.
        """
        may_be = known.entry is None and known.region < MOST_REGIONS - 1 and minimal.layer is not None
        if not may_be or disagreement.kind in (Kind.HANG, Kind.MEMORY, Kind.NONDETERMINISM):
            return None
        budget = Budget()
        if disagreement.kind is Kind.CRASH:
            if any(one.api is not None for one in _needed(disagreement, targets)):
                return None
            budget = _DEADLY_BUDGET
        needed = _needed(disagreement, targets)
        likely = _likely(disagreement)

        def shows(cases: Sequence[Case]) -> list[bool | None]:
            return [self._answer(judged, disagreement, known) for judged in self.ask_all(cases, needed, likely)]

        def facts(case: Case) -> Facts:
            return self._facts(case, case.layer, disagreement.asked.target)

        seed = int(known.signature, 16) ^ self._seed
        learned = learn(minimal, facts=facts, ask=shows, fresh=stream(seed % 2**64), seed=seed, budget=budget)
        if learned is not None:
            self._regions[known.signature][known.region] = learned.condition
        return learned

    def _answer(self, judged: Judged, disagreement: Disagreement, known: Known) -> bool | None:
        """Whether the case shows the finding; None where the target does not answer, or shows another one."""
        if self._same(judged, disagreement, known) is not None:
            return True
        return False if judged.verdict.agrees.get(disagreement.asked.target.name) else None

    def _same(self, judged: Judged, disagreement: Disagreement, known: Known) -> Disagreement | None:
        """The disagreement of the same finding on the same target."""
        suspect = disagreement.asked.target.name
        mine = [each for each in judged.verdict.disagreements if each.asked.target.name == suspect]
        possible = (one for each in mine for one in each.attributed())
        return next((one for one in possible if self.known(judged.case, one).key == known.key), None)

    def _values(self, case: Case, chosen: Chosen) -> NDArray[Any] | None:
        seen = self._pool.observe(case, [Request(chosen.target.name, values=True)])[chosen.target.name]
        return seen.values if seen.outcome is Outcome.OK else None


def _likely(disagreement: Disagreement) -> Mapping[str, Collection[str]]:
    """The cause that was made sure of alone; where there is none, any answer but the right one counts."""
    return {disagreement.asked.target.api: () if disagreement.cause is None else (disagreement.cause,)}


def beside(suspect: str, targets: Sequence[Chosen]) -> list[Chosen]:
    """The suspect, and the concrete modes of its API that it may be held against."""
    mine = [(one.target.api, one.target.environment) for one in targets if one.target.name == suspect]
    return [
        one
        for one in targets
        if one.target.name == suspect
        or (
            (one.target.api, one.target.environment) in mine
            and not (one.mode.abstract or one.mode.gradient or one.mode.share)
        )
    ]


def _meant(case: Case, disagreement: Disagreement) -> Layer | None:
    """The layer that is asked, or that the documentation makes of the call."""
    answer = disagreement.asked.answer
    return case.layer or (answer.layer if isinstance(answer, Resolved) else None)


def _needed(disagreement: Disagreement, targets: Sequence[Chosen]) -> list[Chosen]:
    """Whom a reduction must ask: the suspect, and where another mode has a say in the judgement also that."""
    asked = disagreement.asked
    if asked.abstract or disagreement.kind is Kind.GRADIENT:
        return beside(asked.target.name, targets)
    return [one for one in targets if one.target.name == asked.target.name]


def _recorded(known: Known) -> Case | None:
    """The minimal case that the baseline has kept."""
    entry = known.entry
    return None if entry is None or entry.case is None else Case.from_json(entry.case)
