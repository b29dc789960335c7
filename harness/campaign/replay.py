"""A case again: asked of its targets, and whether it still shows what it showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from harness.campaign.investigate import Investigation, Judged, beside
from harness.campaign.started import Started
from harness.judge.baseline import Baseline, Entry
from harness.layer import Case
from harness.records import Disagreement


class Status(str, Enum):
    """What became of a finding."""

    FIXED = "FIXED"
    FAILS = "FAILS"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Replayed:
    """A case asked again: the judge's word, and the disagreement that makes it fail, if one does.

    ``reason`` says why it could not be asked.
    """

    status: Status
    judged: Judged | None = None
    disagreement: Disagreement | None = None
    reason: str | None = None


class Replays(Started):
    """Runs cases again on targets that are started once."""

    def __init__(self, selectors: Sequence[str], environments: Mapping[str, str] | None = None) -> None:
        super().__init__(selectors, environments)
        self._investigation = Investigation(self.pool, Baseline.empty(), self.versions)

    def replay(self, case: Case, *, signature: str | None = None, suspect: str | None = None) -> Replayed:
        """Ask the case again of its suspect and what that is held against; without one of every target.

        With a signature it fails where the same is seen, or anything else is wrong with the suspect.
        """
        if suspect is not None and (obstacle := self.obstacle(suspect)) is not None:
            return Replayed(Status.ERROR, reason=obstacle)
        targets = self.able if suspect is None else beside(suspect, self.able)
        judged = self._investigation.ask(case, targets)
        found = judged.verdict.disagreements
        same = [each for one in found for each in one.attributed() if each.signature == signature]
        mine = [one for one in found if suspect in (None, one.asked.target.name)]
        if same or mine:
            return Replayed(Status.FAILS, judged, (same or mine)[0])
        if judged.verdict.agrees if suspect is None else suspect in judged.verdict.agrees:
            return Replayed(Status.FIXED, judged)
        reasons = [seen.reason or seen.error or seen.exit for seen in judged.observations.values()]
        said = next((reason for reason in reasons if reason), "no target has an answer that can be judged")
        return Replayed(Status.ERROR, judged, reason=said)

    def shows(self, entry: Entry) -> bool | None:
        """Whether the minimal case of a known finding still shows it; None where nobody that it speaks of answers."""
        targets = [one for one in self.able if one.target.api == entry.api]
        if entry.case is None or not targets:
            return None
        case = Case.from_json(entry.case)
        judged = self._investigation.ask(case, targets)
        for disagreement in judged.verdict.disagreements:
            facts = self._investigation.facts(case, disagreement)
            if any(entry.covers(one, facts) for one in disagreement.attributed()):
                return True
        spoken_of = [one for one in targets if entry.speaks_of(one.mode.name, self.versions.get(one.target.name))]
        answered = any(one.target.name in judged.verdict.agrees for one in spoken_of)
        return False if answered else None
