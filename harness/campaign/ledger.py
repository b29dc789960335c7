"""Disagreements become findings: one for each signature, told by its minimal case."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Any

from harness.campaign.investigate import Judged, Known
from harness.campaign.select import selector
from harness.judge.sentence import sentence
from harness.layer import Case
from harness.records import Disagreement, Finding, Kind, Support

_CLASSES = {
    Kind.CRASH: "crash",
    Kind.HANG: "crash",
    Kind.MEMORY: "crash",
    Kind.ACCEPTANCE: "contract",
    Kind.SHAPE_INFERENCE: "contract",
    Kind.REJECTION: "limitation",
}


class Ledger:
    """The findings of a run, in the order in which they were opened.

    One for each signature; what an entry of the baseline or the verified condition of an earlier finding covers is kept
    apart from what none does, and the later ones have the signature's id with a number behind it.
    """

    def __init__(
        self, versions: Mapping[str, str | None], today: date, environments: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._versions = versions
        self._environments = environments
        self._today = today
        self._findings: dict[tuple[str, str | None, int], Finding] = {}
        self._last_case: dict[tuple[str, str | None, int], int] = {}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding so far."""
        return tuple(self._findings.values())

    def has(self, known: Known) -> bool:
        """Whether the finding was opened before."""
        return known.key in self._findings

    def record(
        self, ordinal: int, case: Case, disagreement: Disagreement, known: Known, agreeing: Sequence[str]
    ) -> Finding:
        """Open the finding or add to it; its present form."""
        old = self._findings.get(known.key)
        finding = old or self._opened(ordinal, case, disagreement, known, agreeing)
        counted = finding.count + (self._last_case.get(known.key) != ordinal)
        self._last_case[known.key] = ordinal
        return self._kept(known, replace(self._with_target(finding, case, disagreement), count=counted))

    def reduced(self, known: Known, judged: Judged, disagreement: Disagreement) -> Finding:
        """The finding told by its minimal case, with everybody who deviates there."""
        finding = self._findings[known.key]
        minimal = judged.case.to_json()
        told = self._described(judged.case, disagreement, judged.agreeing(disagreement))
        finding = replace(finding, minimal=minimal, **told)
        for one in judged.verdict.disagreements:
            if known.signature in {each.signature for each in one.attributed()}:
                finding = self._with_target(finding, judged.case, one)
        return self._kept(known, finding)

    def explained(self, known: Known, condition: str, support: Support) -> Finding:
        """The finding with the condition under which it shows."""
        return self._kept(known, replace(self._findings[known.key], condition=condition, support=support))

    def _kept(self, known: Known, finding: Finding) -> Finding:
        self._findings[known.key] = finding
        return finding

    def _opened(
        self, ordinal: int, case: Case, disagreement: Disagreement, known: Known, agreeing: Sequence[str]
    ) -> Finding:
        number = 1 + sum(signature == known.signature for signature, *_ in self._findings)
        entry = known.entry
        status = "unknown" if entry is None else "expired" if entry.expired(self._today) else "known"
        return Finding(
            id=known.signature + (f"-{number}" if number > 1 else ""),
            oracle=disagreement.oracle.value,
            kind=disagreement.kind.value,
            verdict=_CLASSES.get(disagreement.kind, "wrong-result"),
            suspect=disagreement.asked.target.name,
            targets=(),
            facets={},
            count=0,
            first_case=ordinal,
            case=case.to_json(),
            minimal=None,
            status=status,
            baseline_id=None if entry is None else entry.id,
            condition=None if entry is None or entry.condition is None else entry.condition.text,
            **self._described(case, disagreement, agreeing),
        )

    def _with_target(self, finding: Finding, case: Case, disagreement: Disagreement) -> Finding:
        name = disagreement.asked.target.name
        facets = _facets(finding, case, disagreement, self._versions.get(name))
        return replace(finding, targets=tuple(sorted({*finding.targets, name})), facets=facets)

    def _described(self, case: Case, disagreement: Disagreement, agreeing: Sequence[str]) -> dict[str, Any]:
        """What is told of a finding by one case."""
        return {
            "agreeing": tuple(agreeing),
            "sentence": sentence(case, disagreement, agreeing),
            "call": " ".join(filter(None, (disagreement.asked.call, disagreement.asked.how))),
            "cause": disagreement.detail or disagreement.cause,
            "expected_size": disagreement.expected_size,
            "observed_size": disagreement.observation.size,
            "max_abs_error": disagreement.max_abs_error,
            "bound_ratio": disagreement.bound_ratio,
            "rule": disagreement.rule,
            "first_difference": disagreement.first_difference,
            "log_tail": disagreement.observation.log_tail,
            "reproduce": self._command(case, disagreement),
        }

    def _command(self, case: Case, disagreement: Disagreement) -> str:
        name = disagreement.asked.target.environment
        env = ["--env", f"{name}={self._environments[name]}"] if name in self._environments else []
        target = ["--target", _selector(disagreement)]
        return shlex.join(["deconvdiff", "replay", *target, *env, "--case", _text(case)])


def _selector(disagreement: Disagreement) -> str:
    """The suspect alone, or the whole API where one of its modes is held against another."""
    name = disagreement.asked.target.name
    return selector(name) if disagreement.kind is Kind.SHAPE_INFERENCE or ":" in name else name


def _text(case: Case) -> str:
    return json.dumps(case.to_json(), separators=(",", ":"))


def _facets(
    finding: Finding, case: Case, disagreement: Disagreement, version: str | None
) -> dict[str, tuple[Any, ...]]:
    target = disagreement.asked.target
    seen: dict[str, set[Any]] = {
        "modes": {target.mode},
        "devices": {target.device},
        "versions": {version} - {None},
        "dtypes": {case.dtype},
        "ndims": {case.ndim},
    }
    return {name: tuple(sorted({*finding.facets.get(name, ()), *values})) for name, values in seen.items()}
