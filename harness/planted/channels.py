"""Faults of bias, kernel, groups, channels and batch, and of the last elements."""

from __future__ import annotations

import numpy as np

from harness.frameworks.base import Array
from harness.layer import Case, Layer
from harness.planted.fault import Correct, planted, scatter
from harness.records import Kind


@planted(Kind.VALUE, cause="bias missing", condition="bias")
class BiasMissing(Correct):
    """Forgets the bias."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return super().run(x, weight, None, layer)


@planted(Kind.VALUE, cause="bias doubled", condition="bias")
class BiasDoubled(Correct):
    """Adds the bias twice."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return super().run(x, weight, None if bias is None else 2 * bias, layer)


@planted(Kind.VALUE, cause="bias per group", condition="bias and g > 1")
class BiasPerGroup(Correct):
    """Takes the first group's bias for every group."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        first = None if bias is None else np.tile(bias[: len(bias) // layer.groups], layer.groups)
        return super().run(x, weight, first, layer)


@planted(Kind.VALUE, cause="bias not in the extension", condition="bias and any((lo < 0) | (hi < 0))")
class BiasNotInExtension(Correct):
    """Adds the bias before it extends the output, so that the extension is zero."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        ones = np.ones((1, 1, *layer.full_size(x.shape[2:])))
        inside = layer.replace(in_channels=1, out_channels=1, groups=1, kernel_size=1, stride=1, dilation=1, bias=False)
        return (y * scatter(ones, np.ones(inside.weight_shape), None, inside)).astype(x.dtype)

    def limit(self, case: Case) -> str | None:
        """Any crop is taken."""
        if case.dtype != "float32" or case.values == "special" or 0 in (case.batch, *case.input_size):
            return "only float32, no special values, no empty sizes"
        return None


@planted(Kind.VALUE, cause="kernel flipped", condition="max(k) > 1")
class KernelFlipped(Correct):
    """Correlates the kernel as it stands."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return super().run(x, np.flip(weight, tuple(range(2, weight.ndim))), bias, layer)


@planted(Kind.VALUE, cause="kernel flipped", condition="k[-1] > 1")
class LastAxisFlipped(Correct):
    """Correlates the kernel as it stands along the last axis."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return super().run(x, np.flip(weight, -1), bias, layer)


@planted(Kind.VALUE, cause="groups permuted", condition="g > 1")
class GroupsReversed(Correct):
    """Gives the groups' outputs in the opposite order."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        blocks = y.reshape(len(y), layer.groups, -1, *y.shape[2:])
        return np.flip(blocks, 1).reshape(y.shape)


@planted(Kind.VALUE, cause="groups permuted", condition="g > 1")
class GroupsMeetNext(Correct):
    """Lets each group's kernel meet the next group's input."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return super().run(np.roll(x, -(layer.in_channels // layer.groups), axis=1), weight, bias, layer)


@planted(Kind.VALUE, cause="channels permuted", condition="out_channels > 1")
class OutputChannelsRolled(Correct):
    """Gives the last output channel first."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return np.roll(super().run(x, weight, bias, layer), 1, axis=1)


@planted(Kind.VALUE, cause="channels permuted", condition="in_channels > 1")
class InputChannelsReversed(Correct):
    """Takes the input channels in the opposite order."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return super().run(x[:, ::-1], weight, bias, layer)


@planted(Kind.VALUE, cause="channels permuted", condition="in_channels == out_channels and in_channels > g")
class WeightChannelsExchanged(Correct):
    """Takes the input channels of each group's weight for its output channels, where that leaves its shape."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        if layer.in_channels == layer.out_channels:
            grouped = weight.reshape(layer.groups, -1, *weight.shape[1:])
            weight = grouped.swapaxes(1, 2).reshape(weight.shape)
        return super().run(x, weight, bias, layer)


@planted(Kind.VALUE, cause="batch broadcast", condition="batch > 1")
class BatchBroadcast(Correct):
    """Gives the first batch element's result for all."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return np.repeat(super().run(x[:1], weight, bias, layer), len(x), axis=0)


@planted(Kind.VALUE, cause="last channel lost", condition="out_channels > 2")
class LastChannelLost(Correct):
    """Leaves the last of more than two output channels zero."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        if layer.out_channels > 2:
            y[:, -1] = 0
        return y


@planted(Kind.VALUE, cause="last lane lost", condition="m[-1] % 4 != 0 and hi[-1] > -3")
class LastLaneLost(Correct):
    """Computes four elements of the last axis at once, and leaves the bias alone in what is left over."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        y[..., y.shape[-1] // 4 * 4 :] = 0 if bias is None else bias.reshape(-1, *[1] * layer.ndim)
        return y


@planted(Kind.VALUE)
class Puzzling(Correct):
    """Adds 1 to every third diagonal: nothing explains that."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        y[np.indices(y.shape).sum(axis=0) % 3 == 0] += 1
        return y
