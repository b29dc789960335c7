"""Third-party targets with one planted fault each; ``FAULTS`` names the cause that explains it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from targets import Correct, scatter

from harness import Case, Layer

Array = NDArray[Any]


class OtherLayer(Correct):
    """Computes another layer than it is asked for, with the output size that this one has."""

    def changed(self, layer: Layer) -> Layer:
        """What is computed instead."""
        return layer

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """The right answer to the wrong question."""
        return super().run(x, weight, bias, self.changed(layer))

    def limit(self, case: Case) -> str | None:
        """What leaves no output, too."""
        if (limit := super().limit(case)) is not None:
            return limit
        assert case.layer is not None
        size = self.changed(case.layer).output_size(case.input_size)
        return "no output is left" if min(size) < 1 else None


class OtherLayerCut(OtherLayer):
    """Computes another layer, and cuts or extends its output at the far end to the right size."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right shape, wrong values."""
        other = self.changed(layer)
        size, found = layer.output_size(x.shape[2:]), other.output_size(x.shape[2:])
        added = [a + m - f for a, m, f in zip(other.output_padding, size, found, strict=True)]
        return Correct.run(self, x, weight, bias, other.replace(output_padding=added))

    def limit(self, case: Case) -> str | None:
        """Nothing else: some output is always left."""
        return Correct.limit(self, case)


class OutputPaddingTimesStride(OtherLayer):
    """Counts output padding in strides."""

    def changed(self, layer: Layer) -> Layer:
        """Larger where there is output padding and a stride."""
        return layer.replace(output_padding=[a * s for a, s in zip(layer.output_padding, layer.stride, strict=True)])


class OutputPaddingIgnored(OtherLayer):
    """Adds no output padding."""

    def changed(self, layer: Layer) -> Layer:
        """Smaller where there is output padding."""
        return layer.replace(output_padding=0)


class OutputPaddingZeros(Correct):
    """Leaves the output padding zero that the full output would fill."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right shape; wrong at the far end, where a <= p."""
        y = super().run(x, weight, bias, layer)
        for axis, (p, a) in enumerate(zip(layer.padding, layer.output_padding, strict=True)):
            if 0 < a <= p:
                np.moveaxis(y, axis + 2, 0)[-a:] = 0
        return y


class StrideIgnored(OtherLayerCut):
    """Takes every stride as 1."""

    def changed(self, layer: Layer) -> Layer:
        """Denser."""
        return layer.replace(stride=1)


class DilationIgnored(OtherLayer):
    """Takes every dilation as 1."""

    def changed(self, layer: Layer) -> Layer:
        """Smaller."""
        return layer.replace(dilation=1)


class PaddingIgnored(OtherLayer):
    """Crops nothing."""

    def changed(self, layer: Layer) -> Layer:
        """Larger."""
        return layer.replace(padding=0)


class FirstStride(OtherLayerCut):
    """Takes the first axis's stride for all."""

    def changed(self, layer: Layer) -> Layer:
        """Wrong where the strides differ."""
        return layer.replace(stride=layer.stride[0])


class FirstDilation(OtherLayerCut):
    """Takes the first axis's dilation for all."""

    def changed(self, layer: Layer) -> Layer:
        """Wrong where the dilations differ."""
        return layer.replace(dilation=layer.dilation[0])


class LastPadding(OtherLayer):
    """Takes the last axis's padding for all."""

    def changed(self, layer: Layer) -> Layer:
        """Wrong where the paddings differ."""
        return layer.replace(padding=layer.padding[-1])


class FirstOutputPadding(OtherLayer):
    """Takes the first axis's output padding for all."""

    def changed(self, layer: Layer) -> Layer:
        """Wrong where the output paddings differ."""
        return layer.replace(output_padding=layer.output_padding[0])


class StridesSwapped(OtherLayer):
    """Takes the strides in the opposite order of axes."""

    def changed(self, layer: Layer) -> Layer:
        """Wrong where the strides differ."""
        return layer.replace(stride=layer.stride[::-1])


class KernelTransposed(Correct):
    """Takes the kernel's axes in the opposite order, where that leaves its shape."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right shape, wrong values."""
        square = layer.kernel_size == layer.kernel_size[::-1]
        return super().run(x, weight.transpose(0, 1, *range(weight.ndim - 1, 1, -1)) if square else weight, bias, layer)


class CropOnTheOtherSide(OtherLayer):
    """Puts output padding at the near end."""

    def changed(self, layer: Layer) -> Layer:
        """Shifted where there is output padding."""
        near = [p - a for p, a in zip(layer.padding, layer.output_padding, strict=True)]
        return layer.replace(padding=near, output_padding=[-a for a in layer.output_padding])


class BiasMissing(Correct):
    """Forgets the bias."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Wrong where there is one."""
        return super().run(x, weight, None, layer)


class BiasDoubled(Correct):
    """Adds the bias twice."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Wrong where there is one."""
        return super().run(x, weight, None if bias is None else 2 * bias, layer)


class BiasPerGroup(Correct):
    """Takes the first group's bias for every group."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Wrong where there are groups and a bias."""
        first = None if bias is None else np.tile(bias[: len(bias) // layer.groups], layer.groups)
        return super().run(x, weight, first, layer)


class BiasNotInExtension(Correct):
    """Adds the bias before it extends the output."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Zeros beyond the full output."""
        y = super().run(x, weight, bias, layer)
        ones = np.ones((1, 1, *layer.full_size(x.shape[2:])))
        inside = layer.replace(in_channels=1, out_channels=1, groups=1, kernel_size=1, stride=1, dilation=1, bias=False)
        return (y * scatter(ones, np.ones(inside.weight_shape), None, inside)).astype(x.dtype)

    def limit(self, case: Case) -> str | None:
        """Any crop is taken."""
        if case.dtype != "float32" or case.values == "special" or 0 in (case.batch, *case.input_size):
            return "only float32, no special values, no empty sizes"
        return None


class KernelFlipped(Correct):
    """Correlates the kernel as it stands."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right shape, wrong values."""
        return super().run(x, np.flip(weight, tuple(range(2, weight.ndim))), bias, layer)


class LastAxisFlipped(Correct):
    """Correlates the kernel as it stands along the last axis."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right shape, wrong values."""
        return super().run(x, np.flip(weight, -1), bias, layer)


class GroupsReversed(Correct):
    """Gives the groups' outputs in the opposite order."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right shape, wrong channels."""
        y = super().run(x, weight, bias, layer)
        blocks = y.reshape(len(y), layer.groups, -1, *y.shape[2:])
        return np.flip(blocks, 1).reshape(y.shape)


class GroupsMeetNext(Correct):
    """Each group's kernel meets the next group's input."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right shape, wrong values."""
        return super().run(np.roll(x, -(layer.in_channels // layer.groups), axis=1), weight, bias, layer)


class OutputChannelsRolled(Correct):
    """Gives the output channels in another order."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right shape, wrong channels."""
        return np.roll(super().run(x, weight, bias, layer), 1, axis=1)


class InputChannelsReversed(Correct):
    """Takes the input channels in the opposite order."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right shape, wrong values."""
        return super().run(x[:, ::-1], weight, bias, layer)


class WeightChannelsExchanged(Correct):
    """Takes the input channels of each group's weight for its output channels, where that leaves its shape."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right shape, wrong values."""
        if layer.in_channels == layer.out_channels:
            grouped = weight.reshape(layer.groups, -1, *weight.shape[1:])
            weight = grouped.swapaxes(1, 2).reshape(weight.shape)
        return super().run(x, weight, bias, layer)


class BatchBroadcast(Correct):
    """Gives the first batch element's result for all."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Wrong for all but the first."""
        return np.repeat(super().run(x[:1], weight, bias, layer), len(x), axis=0)


class LastChannelLost(Correct):
    """Leaves the last of more than two output channels zero."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """One channel without values."""
        y = super().run(x, weight, bias, layer)
        if layer.out_channels > 2:
            y[:, -1] = 0
        return y


class LastLaneLost(Correct):
    """Computes four elements of the last axis at once, and forgets what is left over."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Bias alone in the last one to three elements."""
        y = super().run(x, weight, bias, layer)
        y[..., y.shape[-1] // 4 * 4 :] = 0 if bias is None else bias.reshape(-1, *[1] * layer.ndim)
        return y


class ShiftedLastAxis(Correct):
    """Puts everything one place further along the last axis."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Zeros come in at the near end."""
        y = super().run(x, weight, bias, layer)
        return np.concatenate([np.zeros_like(y[..., :1]), y[..., :-1]], axis=-1)


class ShiftedCrop(OtherLayer):
    """Crops one element less at the near end of the last axis, and one more at its far end."""

    def changed(self, layer: Layer) -> Layer:
        """As large as it should be."""
        p, a = list(layer.padding), list(layer.output_padding)
        p[-1], a[-1] = p[-1] - 1, a[-1] - 2
        return layer.replace(padding=p, output_padding=a)


class Puzzling(Correct):
    """Adds 1 to every third diagonal: nothing explains that."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right shape, wrong values."""
        y = super().run(x, weight, bias, layer)
        y[np.indices(y.shape).sum(axis=0) % 3 == 0] += 1
        return y


#: the cause of each class's fault, by the name that the judge has for it
FAULTS: dict[str, str] = {
    "OutputPaddingTimesStride": "output_padding multiplied by stride",
    "OutputPaddingIgnored": "output_padding ignored",
    "OutputPaddingZeros": "output_padding filled with zeros",
    "StrideIgnored": "stride ignored",
    "DilationIgnored": "dilation ignored",
    "PaddingIgnored": "padding ignored",
    "FirstStride": "one axis's stride used for all axes",
    "FirstDilation": "one axis's dilation used for all axes",
    "LastPadding": "one axis's padding used for all axes",
    "FirstOutputPadding": "one axis's output_padding used for all axes",
    "StridesSwapped": "axes swapped",
    "KernelTransposed": "axes swapped",
    "CropOnTheOtherSide": "crop on the other side",
    "BiasMissing": "bias missing",
    "BiasDoubled": "bias doubled",
    "BiasPerGroup": "bias per group",
    "BiasNotInExtension": "bias not in the extension",
    "KernelFlipped": "kernel flipped",
    "LastAxisFlipped": "kernel flipped",
    "GroupsReversed": "groups permuted",
    "GroupsMeetNext": "groups permuted",
    "OutputChannelsRolled": "channels permuted",
    "InputChannelsReversed": "channels permuted",
    "WeightChannelsExchanged": "channels permuted",
    "BatchBroadcast": "batch broadcast",
    "LastChannelLost": "last channel lost",
    "LastLaneLost": "last lane lost",
    "ShiftedLastAxis": "shifted",
    "ShiftedCrop": "shifted",
}
