"""A case again: asked of its targets, and whether it still shows what it showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from harness.campaign.ask import Chosen
from harness.campaign.investigate import Investigation, Judged, beside
from harness.campaign.loop import seat, target_info
from harness.campaign.select import select
from harness.judge.baseline import Baseline, Entry
from harness.layer import Case
from harness.records import Disagreement
from harness.workers.pool import Pool


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


class Replays:
    """Runs cases again on targets that are started once."""

    def __init__(self, selectors: Sequence[str], environments: Mapping[str, str] | None = None) -> None:
        self._selected = select(selectors, environments)
        self._chosen = {one.target.name: one for many in self._selected.values() for one in many}
        self._reasons = {name: one.missing for name, one in self._chosen.items()}
        able = [one for one in self._chosen.values() if one.missing is None]
        self._pool = Pool([seat(one) for one in able])
        hello = self._pool.hello()
        infos = {one.target.name: target_info(one, hello[one.target.name]) for one in able}
        self._versions: Mapping[str, str | None] = {name: info.version for name, info in infos.items()}
        self._reasons.update({name: info.reason for name, info in infos.items() if not info.available})
        self._investigation = Investigation(self._pool, Baseline.empty(), self._versions)

    def __enter__(self) -> Replays:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    @property
    def unavailable(self) -> dict[str, str]:
        """Why targets that were named or are usual cannot be asked."""
        return {
            name: reason
            for name, reason in self._reasons.items()
            if reason is not None and not self._chosen[name].implied
        }

    @property
    def silent(self) -> list[str]:
        """The selectors none of whose targets can be asked."""
        able = {one.target.name for one in self.able}
        return [each for each, many in self._selected.items() if able.isdisjoint(one.target.name for one in many)]

    @property
    def able(self) -> list[Chosen]:
        """The targets that can be asked."""
        return [one for name, one in self._chosen.items() if self._reasons.get(name) is None]

    def version(self, target: str) -> str | None:
        """The version behind a target."""
        return self._versions.get(target)

    def chosen(self, target: str) -> Chosen:
        """The target of that name."""
        return self._chosen[target]

    def replay(self, case: Case, *, signature: str | None = None, suspect: str | None = None) -> Replayed:
        """Ask the case again of its suspect and what that is held against; without one of every target.

        With a signature it fails where the same is seen, or anything else is wrong with the suspect.
        """
        if suspect is not None and suspect not in self._chosen:
            return Replayed(Status.ERROR, reason=f"{suspect} is no target here: 'deconvdiff targets' lists them")
        if suspect is not None and (reason := self._reasons.get(suspect)) is not None:
            return Replayed(Status.ERROR, reason=f"{suspect} cannot be asked: {reason}")
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
        spoken_of = [one for one in targets if entry.speaks_of(one.mode.name, self.version(one.target.name))]
        answered = any(one.target.name in judged.verdict.agrees for one in spoken_of)
        return False if answered else None
