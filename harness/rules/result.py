"""What is reported of a statement, and whether it is what is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.rules.decide import Decision
from harness.rules.observe import Observed
from harness.rules.statement import Row, Statement, Verdict


@dataclass(frozen=True, slots=True)
class Result:
    """A statement, what arithmetic makes of it, and what targets do."""

    statement: Statement
    decision: Decision
    observed: tuple[Observed, ...] = ()

    @property
    def differences(self) -> tuple[str, ...]:
        """What is not as it is recorded, a sentence each."""
        return tuple(self._differences())

    def recorded(self, target: str) -> Verdict:
        """The verdict that is recorded for a target."""
        of = self.statement.observed
        name = target.partition("@")[0]
        return of.get(name) or of.get(name.partition("+")[0]) or self.statement.recorded

    def to_json(self, versions: Mapping[str, str | None]) -> dict[str, Any]:
        """The entry of ``rules`` in the JSON output."""
        one, found = self.statement, self.decision
        return {
            "id": one.id,
            "statement": one.text,
            "source": {"text": one.source.text, "url": one.source.url},
            "domain": one.words,
            "verdict": found.verdict.value,
            "checked": found.checked,
            "holds_on": found.holds_on,
            "drawn": found.drawn,
            "condition": found.condition,
            "counterexample": found.counterexample,
            "observed": [
                {
                    "target": each.target,
                    "version": versions.get(each.target),
                    "verdict": each.verdict.value,
                    "recorded": self.recorded(each.target).value,
                    "checked": each.checked,
                    "holds_on": each.holds_on,
                    "counterexample": each.counterexample,
                }
                for each in self.observed
            ],
            "recorded": {"verdict": one.recorded.value, "condition": one.condition},
            "differences": list(self.differences),
        }

    def _differences(self) -> Iterator[str]:
        found, recorded = self.decision, self.statement.recorded
        if found.verdict is not recorded:
            said = [f"the arithmetic's verdict is {found.verdict.value}, recorded is {recorded.value}"]
            if found.deviation is not None:
                said.append(f"the condition {self.statement.condition} is wrong of {told(found.deviation)}")
            elif found.counterexample is not None:
                said.append(f"it does not hold for {told(found.counterexample)}")
            yield "; ".join(said)
        for one in self.observed:
            if one.verdict is not (due := self.recorded(one.target)):
                counts = f"it holds on {one.holds_on} of {one.checked}: {one.verdict.value}, recorded is {due.value}"
                where = "" if one.counterexample is None else f"; it does not hold for {told(one.counterexample)}"
                yield f"{one.target}: {counts}{where}"


def told(one: Row) -> str:
    """A tuple in one line.

    >>> told({"k": 2, "n": 1})
    'k=2, n=1'
    """
    return ", ".join(f"{name}={value}" for name, value in one.items())
