"""What a planted fault is: a class that is asked like any third party's, and what should be said of it.

The computation is one of its own, one kernel position after the other, so that a mistake of the reference is none here.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from harness.frameworks.base import Api, Array, crop_output
from harness.layer import Case, Crop, Layer
from harness.records import Kind, Size

#: cases within which a fault must be found: one that shows often, and one that needs what is rarely drawn
FEW, MANY = 400, 1500


@dataclass(frozen=True, slots=True)
class Fault:
    """A planted target and what a campaign should find out about it.

    ``kind`` is None for a sound target, of which nothing may be found. ``cause`` is the judge's name for what is wrong,
    None where it has none; ``condition`` says where it shows, None where that is everywhere or cannot be said.
    """

    name: str
    api: type[Api]
    kind: Kind | None
    cause: str | None
    condition: str | None
    cases: int

    @property
    def location(self) -> str:
        """What ``--target`` takes."""
        return f"{self.api.__module__}:{self.api.__name__}"

    @property
    def text(self) -> str:
        """What the target does, in a sentence."""
        return inspect.getdoc(self.api) or ""


#: every planted target by name, in the order in which they are written
REGISTERED: dict[str, Fault] = {}

_Planted = TypeVar("_Planted", bound=type[Api])


def planted(
    kind: Kind | None, *, cause: str | None = None, condition: str | None = None, cases: int = FEW
) -> Callable[[_Planted], _Planted]:
    """Plant a class under the name of its class, written with hyphens."""

    def plant(api: _Planted) -> _Planted:
        api.name = re.sub(r"(?<!^)(?=[A-Z])", "-", api.__name__).lower()
        REGISTERED[api.name] = Fault(api.name, api, kind, cause, condition, cases)
        return api

    return plant


def scatter(x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
    """The transposed convolution in float64: each kernel position's products added at its stride, then the crop."""
    inputs, kernels = _by_groups(x, weight, layer)
    full = np.zeros((len(x), layer.groups, kernels.shape[2], *layer.full_size(x.shape[2:])))
    for tap, places in _taps(layer, x.shape[2:]):
        full[places] += np.einsum("ngc...,gco->ngo...", inputs, kernels[tap])
    output = crop_output(full.reshape(len(x), layer.out_channels, *full.shape[3:]), layer.crops)
    return output if bias is None else output + bias.reshape(-1, *[1] * layer.ndim)


def gather(x: Array, weight: Array, layer: Layer, cotangent: Array) -> tuple[Array, Array, Array | None]:
    """The vector-Jacobian products of ``scatter`` in float64: what was added from each place is taken back there."""
    inputs, kernels = _by_groups(x, weight, layer)
    full = crop_output(cotangent.astype(np.float64), tuple(Crop(-lo, -hi) for lo, hi in layer.crops))
    full = full.reshape(len(x), layer.groups, kernels.shape[2], *full.shape[2:])
    dx, dweight = np.zeros_like(inputs), np.zeros_like(kernels)
    for tap, places in _taps(layer, x.shape[2:]):
        met = full[places]
        dx += np.einsum("ngo...,gco->ngc...", met, kernels[tap])
        dweight[tap] = np.einsum("ngci,ngoi->gco", _flat(inputs), _flat(met))
    dbias = cotangent.sum(axis=(0, *range(2, cotangent.ndim)), dtype=np.float64) if layer.bias else None
    return dx.reshape(x.shape), dweight.reshape(weight.shape), dbias


class Correct(Api):
    """Right on everything that it does not decline."""

    name = "correct"

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """The right answer."""
        return scatter(x, weight, bias, layer).astype(x.dtype)


class OtherLayer(Correct):
    """Computes another layer than it is asked for, with the output size that this one has."""

    def changed(self, layer: Layer) -> Layer:
        """What is computed instead."""
        return layer

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """The right answer to the wrong question."""
        return super().run(x, weight, bias, self.changed(layer))

    def limit(self, case: Case) -> str | None:
        """Nothing is asked that leaves no output."""
        limit = super().limit(case)
        if limit is not None or case.layer is None:
            return limit
        return "no output is left" if min(self.changed(case.layer).output_size(case.input_size)) < 1 else None


class OtherLayerCut(OtherLayer):
    """Computes another layer, and cuts or extends its output at the far end to the right size."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right shape, wrong values."""
        return Correct.run(self, x, weight, bias, cut_to_size(self.changed(layer), layer, x.shape[2:]))

    def limit(self, case: Case) -> str | None:
        """Some output is always left."""
        return Correct.limit(self, case)


@dataclass(frozen=True, slots=True)
class Axes:
    """A layer's hyper-parameters as arrays over the axes, by the names that conditions have for them."""

    k: Array
    s: Array
    p: Array
    a: Array
    d: Array
    n: Array
    batch: int

    @classmethod
    def of(cls, layer: Layer, x: Array) -> Axes:
        """Those of a call."""
        fields = (layer.kernel_size, layer.stride, layer.padding, layer.output_padding, layer.dilation, x.shape[2:])
        k, s, p, a, d, n = map(np.array, fields)
        return cls(k, s, p, a, d, n, len(x))

    @property
    def e(self) -> Array:
        """The extent of the dilated kernel."""
        return np.asarray(self.d * (self.k - 1) + 1)


class Corner(Correct):
    """Wrong in a corner of the parameter space and right elsewhere."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        """Whether the call is in the corner."""
        return True

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """What is answered there."""
        return Correct.run(self, x, weight, bias, layer) + 1

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """The wrong answer or the right one."""
        in_corner = bool(self.holds(Axes.of(layer, x), layer))
        return (self.wrong if in_corner else super().run)(x, weight, bias, layer)


def cut_to_size(other: Layer, layer: Layer, input_size: Size) -> Layer:
    """Another layer, cut or extended at the far end to the output size of this one."""
    sizes = zip(layer.output_size(input_size), other.output_size(input_size), strict=True)
    return other.replace(output_padding=[a + m - f for a, (m, f) in zip(other.output_padding, sizes, strict=True)])


def _by_groups(x: Array, weight: Array, layer: Layer) -> tuple[Array, Array]:
    """Input (N, groups, C_in / groups, *n) and weight (groups, C_in / groups, C_out / groups, *k) in float64."""
    count = layer.in_channels // layer.groups
    inputs = x.astype(np.float64).reshape(len(x), layer.groups, count, *x.shape[2:])
    return inputs, weight.astype(np.float64).reshape(layer.groups, count, *weight.shape[1:])


def _taps(layer: Layer, input_size: Size) -> Iterator[tuple[Any, Any]]:
    """Each kernel position, and the places of the full output to which the inputs come through it, as indices."""
    for tap in itertools.product(*map(range, layer.kernel_size)):
        axes = zip(tap, layer.dilation, input_size, layer.stride, strict=True)
        yield (..., *tap), (..., *(slice(t * d, t * d + (n - 1) * s + 1, s) for t, d, n, s in axes))


def _flat(array: Array) -> Array:
    return array.reshape(*array.shape[:3], -1)
