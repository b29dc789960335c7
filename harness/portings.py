"""What the porting oracle says of pairs of APIs: plain frozen data, shown in audits and the porting view.

It is never a finding: a port that copies words is the porter's, not a framework's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

Size = tuple[int, ...]


class Verdict(str, Enum):
    """For which layers something about a naive port is right."""

    ALWAYS = "always"
    NEVER = "never"
    SOMETIMES = "sometimes"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Fact:
    """One part of a naive port (taken, size, kernel, crop, or value for all of it), over the calls that were drawn.

    ``right`` of ``of`` calls have it right; sizes, kernels and crops count where the target takes the call.
    ``condition`` says over the source's layer where it is right, verified on layers that had no part in its choice;
    it is None where the verdict says it all and where none could be learned.
    """

    part: str
    right: int
    of: int
    verdict: Verdict
    condition: str | None = None
    support: str | None = None

    def __str__(self) -> str:
        where = self.condition or (
            self.verdict.value if self.verdict is not Verdict.SOMETIMES else "no condition was found"
        )
        return f"{self.part} {self.right} of {self.of}: {where}"


@dataclass(frozen=True, slots=True)
class Wording:
    """What is said of the calls that word the crop and the kernel in one way; ``words`` is empty for the only one."""

    words: str
    facts: tuple[Fact, ...]

    def fact(self, part: str) -> Fact:
        """What is said of a part."""
        return next(fact for fact in self.facts if fact.part == part)


@dataclass(frozen=True, slots=True)
class Counterexample:
    """The smallest call whose naive port has a part wrong: both calls, their sizes, the reason.

    ``ran`` says whether running both bore it out; None where they were not run.
    """

    part: str
    call: str
    copied: str | None
    input_size: Size
    output_size: Size
    found_size: Size | None
    reason: str
    ran: bool | None = None


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A naive port that was run and did something else than its documentation foretold."""

    call: str
    copied: str
    input_size: Size
    foretold: str
    seen: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Naive ports that were run beside their sources: ``borne_out`` of ``ran`` did what was foretold.

    Where the source itself did not do what its documentation says (``source_differs``), nothing can be said of a
    port. ``missing`` says why nothing was run.
    """

    ran: int = 0
    borne_out: int = 0
    source_differs: int = 0
    contradictions: tuple[Contradiction, ...] = ()
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """What becomes of calls of ``source`` whose words are copied to ``target``."""

    source: str
    target: str
    cases: int
    facts: tuple[Fact, ...]
    wordings: tuple[Wording, ...]
    counterexamples: tuple[Counterexample, ...]
    confirmation: Confirmation
    habits: tuple[str, ...] = ()

    def fact(self, part: str) -> Fact:
        """What is said of a part, over all wordings."""
        return next(fact for fact in self.facts if fact.part == part)

    def where(self, fact: Fact) -> str:
        """Where one of its parts is right, in a few words: a condition, always, never, or why none is given."""
        if fact.condition is not None or fact.verdict is not Verdict.SOMETIMES:
            return fact.condition or fact.verdict.value
        by_wording = {(one.fact(fact.part).verdict, one.fact(fact.part).condition) for one in self.wordings}
        return "depends on the wording" if len(by_wording) > 1 else "no condition was found"

    def counterexample(self, part: str) -> Counterexample | None:
        """The smallest call with this part wrong."""
        return next((one for one in self.counterexamples if one.part == part), None)


@dataclass(frozen=True, slots=True)
class Portings:
    """All pairs that were looked at. ``cases`` were drawn of each source with ``seed``; ``versions`` by framework."""

    seed: int
    cases: int
    pairs: tuple[Pair, ...]
    versions: Mapping[str, str | None]

    def to_json(self) -> dict[str, Any]:
        """Schema 1.

        >>> Portings(0, 200, (), {}).to_json()
        {'schema': 1, 'seed': 0, 'cases': 200, 'pairs': [], 'versions': {}}
        """
        pairs = [asdict(pair) for pair in self.pairs]
        return {
            "schema": 1,
            "seed": self.seed,
            "cases": self.cases,
            "pairs": pairs,
            "versions": dict(self.versions),
        }
