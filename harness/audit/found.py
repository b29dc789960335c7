"""What was found in a model: its transposed convolutions in the words of their own API, and what was passed over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from numpy.typing import NDArray

from harness.layer import Spelling

#: begin and end of a slice of one spatial axis, with Python's meaning; (0, None) leaves it whole
Cut: TypeAlias = "tuple[tuple[int, int | None], ...]"


@dataclass(frozen=True, slots=True, eq=False)
class FoundLayer:
    """One transposed convolution of a model.

    ``name`` is the path of the module or the name of the node. ``weight`` is the effective one (weight normalisation
    and parametrizations folded) in the native layout of the spelling's API; it is None, like ``input_size``, where
    the model does not say it. ``cut`` is the slice that stands right after the layer, empty where there is none.
    ``notes`` are sentences for a person: what was folded, what was taken into the cut, what lies outside the layer.
    """

    name: str
    spelling: Spelling
    ndim: int
    input_size: tuple[int, ...] | None = None
    weight: NDArray[Any] | None = None
    bias: NDArray[Any] | None = None
    cut: Cut = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SkippedLayer:
    """A part of a model that may be or hold a transposed convolution, and why it was not read."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Model:
    """What was read of a model; ``source`` is the file or the factory."""

    source: str
    layers: tuple[FoundLayer, ...]
    skipped: tuple[SkippedLayer, ...] = ()
