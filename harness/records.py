"""What was asked, what was observed, what was objected to and what was found: plain frozen data.

Data goes one way, from the worker to the report, and these are the forms in which it goes. Nothing here computes
anything about the operator, and nothing here knows a framework.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness import sizes
from harness.layer import Case, Crop, Layer, Spelling

Size: TypeAlias = "tuple[int, ...]"

#: the remark on an answer that shares its memory with what was given
VIEW = "returned a view of an input"


class Outcome(str, Enum):
    """What became of one case on one target."""

    OK = "ok"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"


class Oracle(str, Enum):
    """Which question an objection answers."""

    AGREEMENT = "agreement"
    CONTRACT = "contract"


class Kind(str, Enum):
    """What an objection is about."""

    SIZE = "size"
    VALUE = "value"
    GRADIENT = "gradient"
    DTYPE = "dtype"
    REJECTION = "rejection"
    ACCEPTANCE = "acceptance"
    SHAPE_INFERENCE = "shape-inference"
    CRASH = "crash"
    HANG = "hang"
    MEMORY = "memory"
    NONDETERMINISM = "nondeterminism"

    @property
    def family(self) -> str:
        """Kinds that one fault shows as, now one and now the other, share a family."""
        return _FAMILIES.get(self, self.value)


_FAMILIES = {
    Kind.VALUE: "value-gradient",
    Kind.GRADIENT: "value-gradient",
    Kind.ACCEPTANCE: "acceptance-rejection",
    Kind.REJECTION: "acceptance-rejection",
    Kind.CRASH: "failure",
    Kind.HANG: "failure",
    Kind.MEMORY: "failure",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A sentence of an API's documentation, or of ours about it, and its address."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Forward:
    """The forward convolution that a spelling inverts: padded by totals per axis, or of the SAME kind (None)."""

    total_padding: Size | None
    rule: Rule

    def valid_output_sizes(self, layer: Layer, input_size: Size) -> tuple[range, ...]:
        """Per axis, the output sizes from which that forward convolution gives ``input_size`` back."""
        axes = range(layer.ndim)
        if self.total_padding is None:
            return tuple(sizes.same_inverse_sizes(input_size[i], stride=layer.stride[i]) for i in axes)
        return tuple(
            sizes.inverse_sizes(
                input_size[i],
                kernel_size=layer.kernel_size[i],
                stride=layer.stride[i],
                dilation=layer.dilation[i],
                total_padding=self.total_padding[i],
            )
            for i in axes
        )


class Orientation(str, Enum):
    """Whether the native kernel is PyTorch's (the adjoint of a forward convolution) or is correlated as it stands."""

    TRANSPOSED = "transposed"
    CORRELATION = "correlation"


@dataclass(frozen=True, slots=True)
class Resolved:
    """What an API's own documentation says a spelling means."""

    layer: Layer
    kernel: Orientation = Orientation.TRANSPOSED
    forward: Forward | None = None


@dataclass(frozen=True, slots=True)
class Illegal:
    """A spelling that the API's documentation forbids: a rejection is what should be observed.

    ``code`` names the broken rule in a word or two and takes part in signatures.
    """

    code: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class Unspecified:
    """A spelling that is not judged.

    The API's documentation says neither what it means nor that it is forbidden, or means what no layer says.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Expression:
    """How to ask an API for a layer: its words, and a crop (negative: zeros) that our code applies to the output.

    ``spelling`` is None for a target without a vocabulary, which is asked in canonical words.
    """

    spelling: Spelling | None
    crop: tuple[Crop, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """Why a case was not asked: a declared limit, with the address where it is documented."""

    reason: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One API in one mode on one device in one environment."""

    api: str
    mode: str
    device: str = "cpu"
    environment: str = ""

    @property
    def name(self) -> str:
        """``API+MODE`` and, outside the running interpreter, ``@ENV``."""
        return f"{self.api}+{self.mode}" + (f"@{self.environment}" if self.environment else "")


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """A target, what is installed behind it, and why it cannot run where it cannot.

    ``settings`` are the environment variables that its process is started with.
    """

    target: Target
    framework: str
    version: str | None
    available: bool
    reason: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The entry of ``targets`` in the JSON output."""
        t = self.target
        return {
            "name": t.name,
            "framework": self.framework,
            "version": self.version,
            "api": t.api,
            "mode": t.mode,
            "device": t.device,
            "environment": t.environment,
            "available": self.available,
            "reason": self.reason,
            "settings": dict(self.settings),
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """One case as it was put to one target.

    ``call`` is the call in the API's own words and ``how`` the mode's ("on the meta device"); ``answer`` is what the
    documentation makes of the call (None for a target without a vocabulary). ``gradient`` targets answer with the
    vector-Jacobian products instead of the output.
    """

    target: Target
    call: str
    expression: Expression
    answer: Resolved | Illegal | Unspecified | None = None
    abstract: bool = False
    how: str = ""
    gradient: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """What one target did with one case.

    ``shape`` is canonical, (N, C, *m), after the expression's crop. A gradient has no shape: ``digest`` and ``values``
    are those of dx, dweight and dbias laid end to end. ``reason`` says why it was skipped, or remarks on an answer.
    ``unstable`` is an answer that was another the second time. ``log_tail`` is the end of what was printed meanwhile.
    """

    target: str
    outcome: Outcome
    reason: str | None = None
    error: str | None = None
    shape: Size | None = None
    dtype: str | None = None
    digest: str | None = None
    input_digest: str | None = None
    exit: str | None = None
    log_tail: str | None = None
    seconds: float = 0.0
    unstable: bool = False
    values: NDArray[Any] | None = field(default=None, compare=False, repr=False)

    @property
    def size(self) -> Size | None:
        """The spatial part of the shape."""
        return None if self.shape is None else self.shape[2:]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One observation that an oracle objects to.

    ``cause`` is named without numbers, for it takes part in the signature; ``detail`` is the cause as it is shown.
    ``other_causes`` (name, detail) explain the same observation: other cases tell them apart.
    """

    oracle: Oracle
    kind: Kind
    asked: Asked
    observation: Observation
    expected_size: Size | None = None
    cause: str | None = None
    detail: str | None = None
    exception: str | None = None
    rule: Rule | None = None
    contrast: str | None = None
    max_abs_error: float | None = None
    bound_ratio: float | None = None
    first_difference: FirstDifference | None = None
    other_causes: tuple[tuple[str, str], ...] = ()

    @property
    def signature(self) -> str:
        """12 hex digits over oracle, API, kind family, named cause and normalised exception: no numbers, no mode."""
        parts = (self.oracle.value, self.asked.target.api, self.kind.family, self.cause or "", self.exception or "")
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12]

    def attributed(self) -> tuple[Disagreement, ...]:
        """The disagreement with each of the causes that explain it, as it stands first."""
        others = (replace(self, cause=name, detail=text, other_causes=()) for name, text in self.other_causes)
        return (replace(self, other_causes=()), *others)


@dataclass(frozen=True, slots=True)
class FirstDifference:
    """The first differing element, and a small window of both arrays for people to look at.

    ``array`` says of what: the output y, or the gradient dx, dweight, dbias.
    """

    index: Size
    expected: float
    observed: float
    expected_values: str
    observed_values: str
    array: str = "y"


@dataclass(frozen=True, slots=True)
class Support:
    """What was observed of a condition on fresh cases: so many fail of those inside, so many pass of those outside."""

    failing: int
    inside: int
    passing: int
    outside: int

    def to_json(self) -> dict[str, int]:
        """The ``condition_support`` of a finding in the JSON output."""
        return {"failing": self.failing, "inside": self.inside, "passing": self.passing, "outside": self.outside}

    def __str__(self) -> str:
        """In words.

        >>> str(Support(412, 412, 1900, 1900))
        'fails 412 of 412, passes 1,900 of 1,900 outside'
        """
        return f"fails {self.failing:,} of {self.inside:,}, passes {self.passing:,} of {self.outside:,} outside"


@dataclass(frozen=True, slots=True)
class Finding:
    """The disagreements with one signature: who deviates, who agrees, the sentence, a case.

    ``condition`` is where it shows: verified on fresh cases (``support``), or what the baseline says. Disagreements of
    the same signature outside it are a finding of their own.
    """

    id: str
    oracle: str
    kind: str
    verdict: str
    suspect: str
    targets: tuple[str, ...]
    facets: Mapping[str, tuple[Any, ...]]
    agreeing: tuple[str, ...]
    count: int
    first_case: int
    sentence: str
    call: str
    cause: str | None
    case: Mapping[str, Any]
    minimal: Mapping[str, Any] | None
    expected_size: Size | None
    observed_size: Size | None
    max_abs_error: float | None
    bound_ratio: float | None
    rule: Rule | None
    first_difference: FirstDifference | None
    log_tail: str | None
    reproduce: str
    status: str = "unknown"
    baseline_id: str | None = None
    condition: str | None = None
    support: Support | None = None

    def to_json(self) -> dict[str, Any]:
        """The entry of ``findings`` in the JSON output; keys that later versions fill are null."""
        return {
            "id": self.id,
            "oracle": self.oracle,
            "kind": self.kind,
            "class": self.verdict,
            "suspect": self.suspect,
            "targets": list(self.targets),
            "facets": {name: list(values) for name, values in self.facets.items()},
            "agreeing": list(self.agreeing),
            "status": self.status,
            "baseline_id": self.baseline_id,
            "change": None,
            "count": self.count,
            "first_case": self.first_case,
            "sentence": self.sentence,
            "call": self.call,
            "condition": self.condition,
            "condition_support": None if self.support is None else self.support.to_json(),
            "cause": self.cause,
            "case": dict(self.case),
            "minimal": None if self.minimal is None else dict(self.minimal),
            "expected_size": None if self.expected_size is None else list(self.expected_size),
            "observed_size": None if self.observed_size is None else list(self.observed_size),
            "max_abs_error": _finite(self.max_abs_error),
            "bound_ratio": _finite(self.bound_ratio),
            "rule": None if self.rule is None else {"text": self.rule.text, "url": self.rule.url},
            "reproduce": self.reproduce,
        }


@dataclass(frozen=True, slots=True)
class WorkerUse:
    """What a worker used: seconds since the first was started, of these in its targets, bytes of resident memory."""

    process: str
    wall: float
    inside: float
    resident: int

    def to_json(self) -> dict[str, Any]:
        """The entry of ``run.workers`` in the JSON output."""
        return {"process": self.process, "wall": self.wall, "inside": self.inside, "resident": self.resident}


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far an exhaustive run got: what is enumerated of whom, and how many tuples of how many are done."""

    plan: str
    done: int
    total: int

    def to_json(self) -> dict[str, Any]:
        """The ``run.coverage`` of the JSON output."""
        return {"plan": self.plan, "done": self.done, "total": self.total}


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the campaign: everything that is needed to draw its cases again.

    ``in_flight`` counts the cases that were put to the targets and never judged, because the run was killed.
    ``coverage`` is how far a run got that enumerates a box instead of drawing.
    """

    id: str
    started: str
    seed: int
    profile: str
    platform: str
    version: str
    command: str
    finished: str | None = None
    shard: str | None = None
    interrupted: bool = False
    workers: tuple[WorkerUse, ...] = ()
    in_flight: int = 0
    coverage: Coverage | None = None

    def to_json(self) -> dict[str, Any]:
        """The ``run`` object of the JSON output."""
        return {
            "id": self.id,
            "started": self.started,
            "finished": self.finished,
            "seed": self.seed,
            "profile": self.profile,
            "shard": self.shard,
            "interrupted": self.interrupted,
            "platform": self.platform,
            "version": self.version,
            "command": self.command,
            "in_flight": self.in_flight,
            "workers": [use.to_json() for use in self.workers],
            "coverage": None if self.coverage is None else self.coverage.to_json(),
        }


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins; its targets are being loaded."""

    run: Run


@dataclass(frozen=True, slots=True)
class TargetsGreeted:
    """Every target answered or said why not; the first case is about to be drawn."""

    targets: tuple[TargetInfo, ...]


@dataclass(frozen=True, slots=True)
class CaseJudged:
    """One case was asked of every target; ``agrees`` has the judge's word for each observation it could judge."""

    ordinal: int
    case: Case
    observations: tuple[Observation, ...]
    agrees: Mapping[str, bool]
    disagreements: tuple[Disagreement, ...]


@dataclass(frozen=True, slots=True)
class FindingChanged:
    """A finding was opened, or seen again: its present form."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class CasesPut:
    """Cases that are about to be put to the targets, by ordinal: what is in flight when a run is killed."""

    cases: Mapping[int, Case]


@dataclass(frozen=True, slots=True)
class Covered:
    """A block of tuples is done: the run with its new coverage, and the cases with which nothing was wrong."""

    run: Run
    cases: tuple[CaseJudged, ...]


@dataclass(frozen=True, slots=True)
class TargetLost:
    """A target cannot be asked any more in this run, with the reason."""

    target: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    """No further case will be drawn."""

    run: Run


Event: TypeAlias = (
    "RunStarted | TargetsGreeted | CasesPut | CaseJudged | FindingChanged | Covered | TargetLost | RunFinished"
)


@dataclass(frozen=True, slots=True)
class Reach:
    """How one API reaches one output size: the call, the crop it makes, and whether that is the asked crop."""

    arguments: Mapping[str, Any]
    call: str
    crop: Crop
    same_crop: bool

    def to_json(self) -> dict[str, Any]:
        """The entry of ``reach`` in the JSON output of ``sizes``."""
        return {
            "arguments": dict(self.arguments),
            "call": self.call,
            "crop": list(self.crop),
            "same_crop": self.same_crop,
        }


@dataclass(frozen=True, slots=True)
class OwnRule:
    """The forward rule of one padding of an API, and the output sizes that are valid under it."""

    padding: Any
    valid: tuple[int, ...]
    rule: Rule

    def to_json(self) -> dict[str, Any]:
        """The entry of ``rules`` in the JSON output of ``sizes``."""
        said = {"text": self.rule.text, "url": self.rule.url}
        return {"padding": self.padding, "valid": list(self.valid), "rule": said}


@dataclass(frozen=True, slots=True)
class ApiSizes:
    """What one API makes of one axis: the size it picks by itself (None: it must be told) and those it can reach.

    ``picked`` is how it comes to the size it picks, which may be with another crop than it reaches that size with.
    ``rules`` are the forward rules of its own wordings, the usual one's first; an API whose padding has no forward
    twin has none. ``limit`` says why it cannot be asked for such a layer at all.
    """

    api: str
    default: int | None
    reach: Mapping[int, Reach]
    unreachable: tuple[int, ...]
    picked: Reach | None = None
    rules: tuple[OwnRule, ...] = ()
    limit: str | None = None

    @property
    def valid(self) -> tuple[int, ...] | None:
        """The sizes that are valid under the forward rule of its usual wording; None where there is no rule."""
        return self.rules[0].valid if self.rules else None

    def to_json(self) -> dict[str, Any]:
        """The entry of ``apis`` in the JSON output of ``sizes``."""
        return {
            "api": self.api,
            "default": self.default,
            "valid": None if self.valid is None else list(self.valid),
            "rules": [rule.to_json() for rule in self.rules],
            "reach": {str(m): reach.to_json() for m, reach in self.reach.items()},
            "unreachable": list(self.unreachable),
            "picked": None if self.picked is None else self.picked.to_json(),
            "limit": self.limit,
        }


@dataclass(frozen=True, slots=True)
class AxisSizes:
    """The valid output sizes of one axis of a layer at one input size, and what every API makes of them.

    ``asked`` has the crop that is asked for at each valid size. The valid sizes are those that the forward convolution
    takes to the input size: that is its view of them.
    """

    axis: int
    input_size: int
    valid: tuple[int, ...]
    asked: tuple[Crop, ...]
    apis: tuple[ApiSizes, ...]

    def to_json(self) -> dict[str, Any]:
        """The entry of ``axes`` in the JSON output of ``sizes``."""
        return {
            "axis": self.axis,
            "input_size": self.input_size,
            "valid": list(self.valid),
            "asked": {str(m): list(crop) for m, crop in zip(self.valid, self.asked, strict=True)},
            "forward": {str(self.input_size): list(self.valid)},
            "apis": [api.to_json() for api in self.apis],
        }


@dataclass(frozen=True, slots=True)
class SizeTable:
    """The size ambiguity of one layer, an entry for each axis and input size.

    ``source`` are the words in which it was asked, if any; the layer is what they mean at the first input size.
    ``skipped`` are the input sizes at which they mean nothing, with the reason.
    """

    layer: Layer
    axes: tuple[AxisSizes, ...]
    source: Spelling | None = None
    skipped: Mapping[Size, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The JSON output of ``sizes``."""
        return {
            "schema": 1,
            "layer": self.layer.to_json(),
            "source": None if self.source is None else self.source.to_json(),
            "axes": [axis.to_json() for axis in self.axes],
            "skipped": [{"input_size": list(size), "reason": reason} for size, reason in self.skipped.items()],
        }


@dataclass(frozen=True, slots=True)
class TargetTotals:
    """How many observations one target gave, by outcome, by number of axes where it answered, and as judged."""

    outcomes: Mapping[str, int]
    ok_by_ndim: Mapping[int, int]
    agree: int
    disagree: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a report shows of one run, read from the store."""

    run: Run
    targets: tuple[TargetInfo, ...]
    cases: int
    seconds: float
    totals: Mapping[str, TargetTotals]
    pairs: Mapping[tuple[str, str], tuple[int, int]]
    findings: tuple[Finding, ...]
    skips: Mapping[str, Mapping[str, int]]

    def to_json(self) -> dict[str, Any]:
        """The JSON output of ``fuzz`` and ``report`` (schema 1)."""
        outcomes = {o.value: sum(t.outcomes.get(o.value, 0) for t in self.totals.values()) for o in Outcome}
        return {
            "schema": 1,
            "run": self.run.to_json(),
            "targets": [self._target(info) for info in self.targets],
            "totals": {
                "cases": self.cases,
                "observations": sum(outcomes.values()),
                **outcomes,
                "agree": sum(t.agree for t in self.totals.values()),
                "disagree": sum(t.disagree for t in self.totals.values()),
                "seconds": round(self.seconds, 3),
            },
            "findings": [finding.to_json() for finding in self.findings],
        }

    def _target(self, info: TargetInfo) -> dict[str, Any]:
        totals = self.totals.get(info.target.name)
        counts = None
        if totals:
            ok = {str(ndim): count for ndim, count in sorted(totals.ok_by_ndim.items())}
            counts = {**totals.outcomes, "ok_by_ndim": ok, "agree": totals.agree, "disagree": totals.disagree}
        return {**info.to_json(), "totals": counts}


def _finite(number: float | None) -> float | None:
    return None if number is None or not np.isfinite(number) else number
