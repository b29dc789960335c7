"""A new finding looked into: its cause made sure of, its case reduced, everybody asked about what is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from harness.campaign.ask import Chosen, ask_all, question_for
from harness.campaign.attribute import attribute
from harness.campaign.lattice import reductions
from harness.campaign.shrink import shrink
from harness.judge.baseline import Baseline, Entry
from harness.judge.causes import FAMILIES
from harness.judge.condition import Facts
from harness.judge.oracles import Question, Verdict, judge
from harness.layer import Case, Layer
from harness.records import Disagreement, Kind, Observation, Outcome, Resolved
from harness.workers.pool import Pool, Request


@dataclass(frozen=True, slots=True)
class Known:
    """What a finding is kept under: its signature, and the entry of the baseline that covers it."""

    signature: str
    entry: Entry | None

    @property
    def key(self) -> tuple[str, str | None]:
        """The signature with the entry's id."""
        return self.signature, None if self.entry is None else self.entry.id


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

    def __init__(self, pool: Pool, baseline: Baseline, versions: Mapping[str, str | None]) -> None:
        self._pool = pool
        self._baseline = baseline
        self._versions = versions
        self._established: dict[str, dict[str, None]] = {}

    def ask(self, case: Case, targets: Sequence[Chosen]) -> Judged:
        """Put a case to targets and judge; causes that were made sure of before are tried first."""
        question, put = question_for(case, targets, self._established)
        observations, unstable = ask_all(self._pool, case, question, put)
        return Judged(case, question, judge(question, observations, unstable), observations)

    def known(self, case: Case, disagreement: Disagreement) -> Known:
        """The signature, and whether the baseline knows it on this case and target."""
        return Known(disagreement.signature, self._baseline.match(disagreement, self.facts(case, disagreement)))

    def facts(self, case: Case, disagreement: Disagreement) -> Facts:
        """What a condition may ask of the case on the target that deviates."""
        target = disagreement.asked.target
        version = self._versions.get(target.name)
        return Facts.of(case, _meant(case, disagreement), mode=target.mode, version=version)

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

    def reduce(
        self, case: Case, disagreement: Disagreement, known: Known, targets: Sequence[Chosen]
    ) -> tuple[Judged, Disagreement]:
        """The 1-minimal case that still shows the finding, put to every target, and what the suspect does there.

        What the baseline has recorded is minimal already. A hang is not reduced, for every step of it costs the whole
        patience; neither is what does not show again.
        """
        needed = _needed(disagreement, targets)

        def found(candidate: Case, asked: Sequence[Chosen]) -> tuple[Judged, Disagreement | None]:
            judged = self.ask(candidate, asked)
            return judged, self._same(judged, disagreement, known)

        def shows(candidate: Case) -> bool:
            return found(candidate, needed)[1] is not None

        if (recorded := _recorded(known)) is not None:
            judged, again = found(recorded, targets)
            if again is not None:
                return judged, again
        minimal = case
        if disagreement.kind not in (Kind.HANG, Kind.NONDETERMINISM):
            parameters = next((one.api.parameters for one in needed if one.api is not None), ())
            minimal = shrink(case, shows, lambda at: reductions(at, parameters))
        judged, again = found(minimal, targets)
        return judged, again or disagreement

    def _same(self, judged: Judged, disagreement: Disagreement, known: Known) -> Disagreement | None:
        """The disagreement of the same finding on the same target."""
        suspect = disagreement.asked.target.name
        mine = [each for each in judged.verdict.disagreements if each.asked.target.name == suspect]
        possible = (one for each in mine for one in each.attributed())
        return next((one for one in possible if self.known(judged.case, one).key == known.key), None)

    def _values(self, case: Case, chosen: Chosen) -> NDArray[Any] | None:
        seen = self._pool.observe(case, [Request(chosen.target.name, values=True)])[chosen.target.name]
        return seen.values if seen.outcome is Outcome.OK else None


def beside(suspect: str, targets: Sequence[Chosen]) -> list[Chosen]:
    """The suspect, and the concrete modes of its API that it may be held against."""
    api = next((one.target.api for one in targets if one.target.name == suspect), None)
    return [
        one
        for one in targets
        if one.target.name == suspect
        or (one.target.api == api and not (one.mode.abstract or one.mode.gradient or one.mode.share))
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
