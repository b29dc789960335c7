"""Faults of the hyper-parameters: ignored, taken from another axis, multiplied, at the other end."""

from __future__ import annotations

import numpy as np

from harness.frameworks.base import Array
from harness.layer import Layer
from harness.planted.fault import Correct, OtherLayer, OtherLayerCut, planted
from harness.records import Kind


@planted(Kind.SIZE, cause="output_padding multiplied by stride", condition="any((a > 0) & (s > 1))")
class OutputPaddingTimesStride(OtherLayer):
    """Counts output padding in strides."""

    def changed(self, layer: Layer) -> Layer:
        return layer.replace(output_padding=[a * s for a, s in zip(layer.output_padding, layer.stride, strict=True)])


@planted(Kind.SIZE, cause="output_padding ignored", condition="any(a > 0)")
class OutputPaddingIgnored(OtherLayer):
    """Adds no output padding."""

    def changed(self, layer: Layer) -> Layer:
        return layer.replace(output_padding=0)


@planted(Kind.VALUE, cause="output_padding filled with zeros", condition="any((a > 0) & (a <= p))")
class OutputPaddingZeros(Correct):
    """Leaves the output padding zero that the full output would fill."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        for axis, (p, a) in enumerate(zip(layer.padding, layer.output_padding, strict=True)):
            if 0 < a <= p:
                np.moveaxis(y, axis + 2, 0)[-a:] = 0
        return y


@planted(Kind.VALUE, cause="stride ignored", condition="any((s > 1) & (n > 1))")
class StrideIgnored(OtherLayerCut):
    """Takes every stride as 1."""

    def changed(self, layer: Layer) -> Layer:
        return layer.replace(stride=1)


@planted(Kind.SIZE, cause="dilation ignored", condition="any((d > 1) & (k > 1))")
class DilationIgnored(OtherLayer):
    """Takes every dilation as 1."""

    def changed(self, layer: Layer) -> Layer:
        return layer.replace(dilation=1)


@planted(Kind.SIZE, cause="padding ignored", condition="any(p > 0)")
class PaddingIgnored(OtherLayer):
    """Crops nothing."""

    def changed(self, layer: Layer) -> Layer:
        return layer.replace(padding=0)


@planted(Kind.VALUE, cause="one axis's stride used for all axes", condition="any((s != s[0]) & (n > 1))")
class FirstStride(OtherLayerCut):
    """Takes the first axis's stride for all."""

    def changed(self, layer: Layer) -> Layer:
        return layer.replace(stride=layer.stride[0])


@planted(Kind.VALUE, cause="one axis's dilation used for all axes", condition="any((d != d[0]) & (k > 1))")
class FirstDilation(OtherLayerCut):
    """Takes the first axis's dilation for all."""

    def changed(self, layer: Layer) -> Layer:
        return layer.replace(dilation=layer.dilation[0])


@planted(Kind.SIZE, cause="one axis's padding used for all axes", condition="any(p != p[-1])")
class LastPadding(OtherLayer):
    """Takes the last axis's padding for all."""

    def changed(self, layer: Layer) -> Layer:
        return layer.replace(padding=layer.padding[-1])


@planted(Kind.SIZE, cause="one axis's output_padding used for all axes", condition="any(a != a[0])")
class FirstOutputPadding(OtherLayer):
    """Takes the first axis's output padding for all."""

    def changed(self, layer: Layer) -> Layer:
        return layer.replace(output_padding=layer.output_padding[0])


@planted(Kind.SIZE, cause="axes swapped", condition="s[0] != s[-1] and (n[0] > 1 or n[-1] > 1)")
class StridesSwapped(OtherLayer):
    """Takes the strides in the opposite order of axes."""

    def changed(self, layer: Layer) -> Layer:
        return layer.replace(stride=layer.stride[::-1])


@planted(Kind.VALUE, cause="axes swapped", condition="ndim > 1 and k[0] == k[-1] and k[0] > 1")
class KernelTransposed(Correct):
    """Takes the kernel's axes in the opposite order, where that leaves its shape."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        square = layer.kernel_size == layer.kernel_size[::-1]
        return super().run(x, weight.transpose(0, 1, *range(weight.ndim - 1, 1, -1)) if square else weight, bias, layer)


@planted(Kind.VALUE, cause="crop on the other side", condition="any(a > 0)")
class CropOnTheOtherSide(OtherLayer):
    """Puts output padding at the near end."""

    def changed(self, layer: Layer) -> Layer:
        near = [p - a for p, a in zip(layer.padding, layer.output_padding, strict=True)]
        return layer.replace(padding=near, output_padding=[-a for a in layer.output_padding])


@planted(Kind.VALUE, cause="shifted")
class ShiftedLastAxis(Correct):
    """Puts everything one place further along the last axis, behind a zero."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        return np.concatenate([np.zeros_like(y[..., :1]), y[..., :-1]], axis=-1)


@planted(Kind.VALUE, cause="shifted")
class ShiftedCrop(OtherLayer):
    """Crops one element less at the near end of the last axis, and one more at its far end."""

    def changed(self, layer: Layer) -> Layer:
        p, a = list(layer.padding), list(layer.output_padding)
        p[-1], a[-1] = p[-1] - 1, a[-1] - 2
        return layer.replace(padding=p, output_padding=a)


@planted(Kind.SIZE, condition="p[0] > 0")
class NearCropOffByOne(OtherLayer):
    """Crops one element less than it should at the near end of the first axis."""

    def changed(self, layer: Layer) -> Layer:
        p, a = list(layer.padding), list(layer.output_padding)
        less = 1 if p[0] > 0 else 0
        p[0], a[0] = p[0] - less, a[0] - less
        return layer.replace(padding=p, output_padding=a)


@planted(Kind.SIZE, condition="p[-1] > 0")
class FarCropOffByOne(OtherLayer):
    """Crops one element more than it should at the far end of the last axis."""

    def changed(self, layer: Layer) -> Layer:
        a = list(layer.output_padding)
        a[-1] -= 1 if layer.padding[-1] > 0 else 0
        return layer.replace(output_padding=a)
