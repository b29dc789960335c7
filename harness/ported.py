"""What an audit says of a model: its layers, what each becomes in other APIs, and the proof: plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import isfinite
from typing import Any

from harness.layer import Layer
from harness.records import Size


class Portability(str, Enum):
    """Whether an API has words for a layer."""

    PORTABLE = "portable"
    WITH_CROP = "portable-with-crop"
    CANNOT = "cannot"


class Ran(str, Enum):
    """What came of running a port on integers."""

    EQUAL = "equal"
    DIFFERS = "differs"
    NOT_RUN = "not-run"


@dataclass(frozen=True, slots=True)
class Naive:
    """What comes of copying the words: by the documentation of both sides, ``confirmed`` by running the copied call.

    It is None where that was not run, and False where something else came of it.
    """

    size_equal: bool
    value_equal: bool
    reason: str | None
    call: str | None = None
    confirmed: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "size_equal": self.size_equal,
            "value_equal": self.value_equal,
            "reason": self.reason,
            "call": self.call,
            "confirmed": self.confirmed,
        }


@dataclass(frozen=True, slots=True)
class Proof:
    """How a port was run: on integers, and on the real weights against the rounding-error bound.

    ``bound_ratio`` is the largest error over its bound: at most 1 is what rounding explains. ``weights`` says whose
    weights these are. ``error`` is why a run failed. ``sizes`` are the input sizes at which integers were run, the
    first of them that of the weights, too.
    """

    integers: Ran = Ran.NOT_RUN
    bound_ratio: float | None = None
    weights: str | None = None
    error: str | None = None
    sizes: tuple[Size, ...] = ()

    @property
    def where(self) -> str:
        """The sizes at which integers were run, to stand after what came of it."""
        return f" at {', '.join(map(str, self.sizes))}" if self.sizes else ""

    @property
    def holds(self) -> bool:
        """Whether the port gave what it should in every run."""
        within = self.bound_ratio is None or self.bound_ratio <= 1
        return self.integers is Ran.EQUAL and self.error is None and within

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "integers": self.integers.value,
            "bound_ratio": self.bound_ratio if self.bound_ratio is None or isfinite(self.bound_ratio) else None,
            "weights": self.weights,
            "error": self.error,
            "input_sizes": [list(size) for size in self.sizes],
        }


@dataclass(frozen=True, slots=True)
class TargetPort:
    """A layer in another API: the naive port, and the recipe with its proof, or why there is none.

    ``after`` are the statements that make the layer's output of the call's, the crop among them. ``holds`` says for
    which input sizes the recipe holds; ``others`` are recipes for sizes at which it does not.
    """

    api: str
    framework: str | None
    naive: Naive
    verdict: Portability
    reason: str | None = None
    arguments: Mapping[str, Any] | None = None
    call: str | None = None
    crop: tuple[tuple[int, int], ...] = ()
    after: tuple[str, ...] = ()
    weight: str | None = None
    holds: str | None = None
    others: tuple[str, ...] = ()
    snippet: str | None = None
    verified: Proof = Proof()

    @property
    def is_verified(self) -> bool:
        """Whether the API has the layer, and running it has shown so."""
        return self.verdict is not Portability.CANNOT and self.verified.holds

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "api": self.api,
            "naive": self.naive.to_json(),
            "verdict": self.verdict.value,
            "reason": self.reason,
            "arguments": self.arguments,
            "call": self.call,
            "crop": [list(pair) for pair in self.crop],
            "after": list(self.after),
            "weight": self.weight,
            "holds": self.holds,
            "others": list(self.others),
            "snippet": self.snippet,
            "verified": self.verified.to_json(),
        }


@dataclass(frozen=True, slots=True)
class PortedLayer:
    """One distinct layer: where it stands in the model, what it means, and what it becomes.

    ``input_sizes`` are the model's own, one for each of the names, None where it does not say it.
    """

    names: tuple[str, ...]
    source: str
    arguments: Mapping[str, Any]
    call: str
    input_size: Size
    output_size: Size
    layer: Layer
    targets: tuple[TargetPort, ...]
    notes: tuple[str, ...] = ()
    input_sizes: tuple[Size | None, ...] = ()

    @property
    def frameworks(self) -> dict[str, list[TargetPort]]:
        """The ports by framework, in which any of its APIs may do."""
        by_framework: dict[str, list[TargetPort]] = {}
        for target in self.targets:
            by_framework.setdefault(target.framework or target.api, []).append(target)
        return by_framework

    @property
    def is_portable(self) -> bool:
        """Whether every framework has at least one API that was seen to give the layer."""
        return all(any(one.is_verified for one in ports) for ports in self.frameworks.values())

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "name": self.names[0],
            "names": list(self.names),
            "source": {"api": self.source, "arguments": self.arguments, "call": self.call},
            "input_size": list(self.input_size),
            "input_sizes": [None if size is None else list(size) for size in self.input_sizes],
            "output_size": list(self.output_size),
            "layer": self.layer.to_json(),
            "targets": [target.to_json() for target in self.targets],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that an audit found, with the versions on which the ports were run, None where one did not run."""

    source: str
    layers: tuple[PortedLayer, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    versions: Mapping[str, str | None] | None = None

    @property
    def is_portable(self) -> bool:
        """Whether every layer is, none was passed over, and there is one."""
        return bool(self.layers) and not self.skipped and all(layer.is_portable for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """Plain data, in the form of the command's JSON."""
        return {
            "schema": 1,
            "source": self.source,
            "versions": dict(self.versions or {}),
            "layers": [layer.to_json() for layer in self.layers],
            "skipped": [{"name": name, "reason": reason} for name, reason in self.skipped],
        }
