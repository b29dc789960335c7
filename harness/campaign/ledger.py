"""Disagreements become findings: one for each signature, with the simplest case that showed it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.judge.sentence import sentence
from harness.layer import Case
from harness.records import Disagreement, Finding, Kind

_CLASSES = {
    Kind.CRASH: "crash",
    Kind.HANG: "crash",
    Kind.MEMORY: "crash",
    Kind.ACCEPTANCE: "contract",
    Kind.SHAPE_INFERENCE: "contract",
    Kind.REJECTION: "limitation",
}


class Ledger:
    """The findings of a run, by signature, in the order in which they were opened."""

    def __init__(self) -> None:
        self._findings: dict[str, Finding] = {}
        self._weights: dict[str, tuple[int, ...]] = {}
        self._last_case: dict[str, int] = {}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding so far."""
        return tuple(self._findings.values())

    def record(
        self,
        ordinal: int,
        case: Case,
        disagreement: Disagreement,
        agreeing: Sequence[str],
        versions: dict[str, str | None],
    ) -> Finding:
        """Open the finding of the disagreement's signature or add to it; the finding's present form."""
        signature = disagreement.signature
        old = self._findings.get(signature)
        weight = _weight(case)
        new = old
        if old is None or weight < self._weights[signature]:
            self._weights[signature] = weight
            new = _described(ordinal if old is None else old.first_case, case, disagreement, agreeing)
        assert new is not None  # noqa: S101 # for the type checker: there is an old one or a new one
        counted = (old.count if old else 0) + (self._last_case.get(signature) != ordinal)
        self._last_case[signature] = ordinal
        name = disagreement.asked.target.name
        targets = tuple(sorted({*(old.targets if old else ()), name}))
        facets = _facets(old, case, disagreement, versions.get(name))
        finding = replace(new, count=counted, targets=targets, facets=facets)
        self._findings[signature] = finding
        return finding


def _described(ordinal: int, case: Case, disagreement: Disagreement, agreeing: Sequence[str]) -> Finding:
    target = disagreement.asked.target.name
    return Finding(
        id=disagreement.signature,
        oracle=disagreement.oracle.value,
        kind=disagreement.kind.value,
        verdict=_CLASSES.get(disagreement.kind, "wrong-result"),
        suspect=target,
        targets=(target,),
        facets={},
        agreeing=tuple(agreeing),
        count=0,
        first_case=ordinal,
        sentence=sentence(case, disagreement, agreeing),
        call=" ".join(filter(None, (disagreement.asked.call, disagreement.asked.how))),
        cause=disagreement.cause,
        case=case.to_json(),
        minimal=None,
        expected_size=disagreement.expected_size,
        observed_size=disagreement.observation.size,
        max_abs_error=disagreement.max_abs_error,
        bound_ratio=disagreement.bound_ratio,
        rule=disagreement.rule,
        first_difference=disagreement.first_difference,
        log_tail=disagreement.observation.log_tail,
        reproduce=shlex.join(["deconvdiff", "replay", "--target", _selector(disagreement), "--case", _text(case)]),
    )


def _selector(disagreement: Disagreement) -> str:
    """The suspect alone, or the whole API where one of its modes is held against another."""
    target = disagreement.asked.target
    if disagreement.kind is Kind.SHAPE_INFERENCE or ":" in target.api:
        return target.api
    return target.name


def _text(case: Case) -> str:
    return json.dumps(case.to_json(), separators=(",", ":"))


def _weight(case: Case) -> tuple[int, ...]:
    """Order of cases by how easy they are to look at: nothing is to be seen in an empty one."""
    return (0 in (case.batch, *case.input_size), *_difficulty(case))


def _difficulty(case: Case) -> tuple[int, ...]:
    layer = case.layer
    if layer is not None:
        work = layer.multiply_adds(case.input_size, batch=case.batch)
        extra = sum(map(abs, (*layer.padding, *layer.output_padding))) + sum(layer.stride) + sum(layer.dilation)
        return (case.ndim, work, extra + layer.bias)
    return (case.ndim, sum(case.input_size), len(_text(case)), _digits(case))


def _digits(case: Case) -> int:
    return sum(int(c) for c in _text(case) if c.isdigit())


def _facets(
    old: Finding | None, case: Case, disagreement: Disagreement, version: str | None
) -> dict[str, tuple[Any, ...]]:
    target = disagreement.asked.target
    seen: dict[str, set[Any]] = {
        "modes": {target.mode},
        "devices": {target.device},
        "versions": {version} - {None},
        "dtypes": {case.dtype},
        "ndims": {case.ndim},
    }
    return {name: tuple(sorted({*(old.facets[name] if old else ()), *values})) for name, values in seen.items()}
