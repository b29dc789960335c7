"""Faults that show in a corner of the parameter space alone: special paths, large numbers, two things at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.frameworks.base import Array
from harness.layer import Layer
from harness.planted.fault import MANY, Axes, Corner, Correct, OtherLayer, OtherLayerCut, cut_to_size, planted
from harness.records import Kind


@planted(Kind.VALUE, condition="any(s > k)")
class StrideAboveKernel(Corner):
    """Adds 1 everywhere when some stride is above the kernel's size."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return (at.s > at.k).any()


@planted(Kind.VALUE, condition="any((s > 1) & (d > 1))")
class StrideMeetsDilation(Corner):
    """Adds 1 everywhere when one axis has both a stride and a dilation."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return ((at.s > 1) & (at.d > 1)).any()


@planted(Kind.VALUE, condition="any(p > e - 1)")
class PaddingBeyondKernel(Corner):
    """Adds 1 everywhere when some padding leaves inputs without a share in the output."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return (at.p > at.e - 1).any()


@planted(Kind.VALUE, cause="shifted", condition="any((n % 2 == 1) & (k % 2 == 0))")
class OddInputEvenKernel(Corner):
    """Crops one element less at the near end and one more at the far end where n is odd and k even."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return self._where(at).any()

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        at = Axes.of(layer, x)
        moved = self._where(at).astype(int)
        other = layer.replace(padding=(at.p - moved).tolist(), output_padding=(at.a - 2 * moved).tolist())
        return Correct.run(self, x, weight, bias, other)

    def _where(self, at: Axes) -> Array:
        return np.asarray((at.n % 2 == 1) & (at.k % 2 == 0))


@planted(Kind.VALUE, cause="kernel flipped", condition="any(k % 2 == 0)")
class EvenKernelFlipped(Corner):
    """Correlates the kernel as it stands along the axes on which its size is even."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return (at.k % 2 == 0).any()

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        axes = tuple(axis + 2 for axis, k in enumerate(layer.kernel_size) if k % 2 == 0)
        return Correct.run(self, x, np.flip(weight, axes), bias, layer)


@planted(Kind.VALUE, cause="kernel flipped", condition="all(p == e - 1) and max(k) > 1", cases=MANY)
class FullPaddingFlipped(Corner):
    """Takes the path of a forward convolution when the padding is e - 1 on every axis, and forgets to flip."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return (at.p == at.e - 1).all()

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return Correct.run(self, x, np.flip(weight, tuple(range(2, weight.ndim))), bias, layer)


@planted(Kind.VALUE, cause="stride ignored", condition="max(k) == 1 and any((s > 1) & (n > 1))")
class PointwiseStrideIgnored(Corner):
    """Takes the path of a matrix product when the kernel has one element, and forgets the stride."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return (at.k == 1).all()

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return Correct.run(self, x, weight, bias, cut_to_size(layer.replace(stride=1), layer, x.shape[2:]))


@planted(Kind.SIZE, cause="dilation ignored", condition="ndim == 3 and d[0] > 1 and k[0] > 1")
class DepthDilationIgnored(OtherLayer):
    """Takes the dilation of the first of three axes as 1."""

    def changed(self, layer: Layer) -> Layer:
        return layer.replace(dilation=(1, *layer.dilation[1:])) if layer.ndim == 3 else layer


@planted(Kind.VALUE, cause="bias missing", condition="ndim == 1 and bias and max(s) > 2")
class LineBiasMissing(Corner):
    """Forgets the bias on one axis with a stride above 2."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return layer.ndim == 1 and max(layer.stride) > 2

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return Correct.run(self, x, weight, None, layer)


@planted(Kind.VALUE, cause="groups permuted", condition="g > 1 and g == in_channels and g == out_channels")
class DepthwiseReversed(Corner):
    """Takes the kernels of a depthwise layer without a multiplier in the opposite order."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return layer.groups == layer.in_channels == layer.out_channels

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return Correct.run(self, x, weight[::-1], bias, layer)


@planted(Kind.VALUE, cause="groups permuted", condition="g > 1 and max(d) > 1", cases=MANY)
class GroupsWithDilation(Corner):
    """Gives the groups' outputs in the opposite order when there is a dilation."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return max(layer.dilation) > 1

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = Correct.run(self, x, weight, bias, layer)
        return np.flip(y.reshape(len(y), layer.groups, -1, *y.shape[2:]), 1).reshape(y.shape)


@planted(Kind.VALUE, condition="g > 4", cases=MANY)
class ManyGroups(Corner):
    """Leaves what comes after the fourth group zero."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return layer.groups > 4

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = Correct.run(self, x, weight, bias, layer)
        y[:, 4 * layer.out_channels // layer.groups :] = 0
        return y


@planted(Kind.VALUE, condition="out_channels // g >= 16", cases=MANY)
class SixteenthChannel(Corner):
    """Leaves the 16th output channel of each group zero."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return layer.out_channels // layer.groups >= 16

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = Correct.run(self, x, weight, bias, layer)
        y.reshape(len(y), layer.groups, -1, *y.shape[2:])[:, :, 15] = 0
        return y


@planted(Kind.VALUE, condition="in_channels // g > 32", cases=MANY)
class InputChannelsBeyond32(Corner):
    """Sums the first 32 input channels of each group alone."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return layer.in_channels // layer.groups > 32

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        summed = np.arange(layer.in_channels) % (layer.in_channels // layer.groups) < 32
        return Correct.run(self, x * summed.reshape(-1, *[1] * layer.ndim), weight, bias, layer).astype(x.dtype)


@planted(Kind.VALUE, condition="max(k) > 5", cases=MANY)
class BigKernelTruncated(Correct):
    """Takes the first five elements of the kernel along each axis alone."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        truncated = np.zeros_like(weight)
        first: Any = (..., *(slice(5) for _ in layer.kernel_size))
        truncated[first] = weight[first]
        return super().run(x, truncated, bias, layer)


@planted(Kind.VALUE, condition="any((s > 8) & (n > 1))", cases=MANY)
class BigStrideClamped(OtherLayerCut):
    """Takes strides above 8 as 8."""

    def changed(self, layer: Layer) -> Layer:
        return layer.replace(stride=[min(s, 8) for s in layer.stride])


@planted(Kind.VALUE, condition="any((d > 3) & (k > 1))", cases=MANY)
class BigDilationClamped(OtherLayerCut):
    """Takes dilations above 3 as 3."""

    def changed(self, layer: Layer) -> Layer:
        return layer.replace(dilation=[min(d, 3) for d in layer.dilation])


@planted(Kind.VALUE, condition="n[-1] > 64", cases=MANY)
class WideInput(Corner):
    """Leaves out what comes after the 64th input element of the last axis."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return at.n[-1] > 64

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return Correct.run(self, x * (np.arange(x.shape[-1]) < 64), weight, bias, layer).astype(x.dtype)


@planted(Kind.VALUE, cause="last lane lost", condition="m[-1] > 8 and m[-1] % 8 != 0")
class LaneOfEight(Correct):
    """Computes eight elements of a longer last axis at once, and leaves zero in what is left over."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        if y.shape[-1] > 8:
            y[..., y.shape[-1] // 8 * 8 :] = 0
        return y


@planted(Kind.SIZE, condition="any(a >= s)")
class OutputPaddingModuloStride(OtherLayer):
    """Takes output paddings modulo the stride."""

    def changed(self, layer: Layer) -> Layer:
        return layer.replace(output_padding=[a % s for a, s in zip(layer.output_padding, layer.stride, strict=True)])


@planted(Kind.VALUE, condition="batch > 1")
class FirstOfBatch(Correct):
    """Leaves all batch elements but the first zero."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        y[1:] = 0
        return y


@planted(Kind.VALUE, condition="batch > 2 and ndim > 1", cases=MANY)
class BatchOfThree(Corner):
    """Adds 1 everywhere when a batch of more than two has more than one axis."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return at.batch > 2 and layer.ndim > 1


@planted(Kind.VALUE, condition="g > 1 and in_channels != out_channels")
class UnequalGroups(Corner):
    """Adds 1 everywhere when groups have other channel counts on either side."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return layer.groups > 1 and layer.in_channels != layer.out_channels


@planted(Kind.VALUE, cases=MANY)
class HalfAccumulation(Correct):
    """Adds up in float16."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        with np.errstate(over="ignore"):
            return super().run(x, weight, bias, layer).astype(np.float16).astype(x.dtype)


@planted(Kind.VALUE)
class InputRounded(Correct):
    """Rounds its input to eleven bits: small integers stay what they are, reals do not."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return super().run(x.astype(np.float16).astype(x.dtype), weight, bias, layer)
