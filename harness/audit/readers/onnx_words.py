"""The words of ONNX's ``ConvTranspose``, so that a layer of an ONNX file resolves like any other: it is never run here.

``pads`` are kept as (begin, end) pairs, one for each axis; ONNX itself writes the begins of all axes and then the ends.
The meaning is that of opset 11 and later: ``ConvTranspose-1`` says the opposite about the odd element of
``output_shape``, and something else about ``auto_pad``.
"""

from __future__ import annotations

from harness.frameworks.base import (
    Absent,
    Api,
    Flag,
    Integers,
    Pairs,
    Parameter,
    Role,
    Words,
    per_axis,
)
from harness.layer import Crop, Layer, Spelling
from harness.layout import CANONICAL, Layout
from harness.records import Illegal, Resolved, Rule, Size, Unspecified

URL = "https://onnx.ai/onnx/operators/onnx__ConvTranspose.html"

_TOGETHER = Rule("pads: This attribute cannot be used simultaneously with auto_pad attribute.", URL)
_LESS = Rule(
    'Each padding value in "output_padding" must be less than the corresponding stride/dilation dimension.', URL
)
_GROUPS = Rule("group: number of groups input channels and output channels are divided into", URL)
_EMPTY = Rule("the output_shape of the equation must be at least 1 on every axis", URL)
_UNSAID = "total_padding is negative: the equation of pads says nothing of it"

_AUTO_PAD = {
    "NOTSET": "explicit padding is used",
    "SAME_UPPER": "n·s, the odd element at the end",
    "SAME_LOWER": "n·s, the odd element at the beginning",
    "VALID": "no padding",
}


class OnnxConvTranspose(Api):
    """``ConvTranspose`` of the ONNX operator set, version 11 and later.

    >>> layer = {"in_channels": 1, "out_channels": 1, "kernel_shape": (3,), "B": False}
    >>> asked = Spelling("onnx.ConvTranspose", {**layer, "strides": (2,), "auto_pad": "SAME_UPPER"})
    >>> OnnxConvTranspose().resolve(asked, (4,)).layer.crops
    (Crop(lo=0, hi=1),)
    """

    name = "onnx.ConvTranspose"
    framework = "onnx"
    documentation = URL
    modes = ()
    parameters = (
        Parameter("in_channels", Role.IN_CHANNELS, (Integers(1, per_axis=False),), carried=True),
        Parameter("out_channels", Role.OUT_CHANNELS, (Integers(1, per_axis=False),), carried=True),
        Parameter("B", Role.BIAS, (Flag(),), carried=True),
        Parameter("kernel_shape", Role.KERNEL_SIZE, (Integers(1),)),
        Parameter("strides", Role.STRIDE, (Integers(1), Absent("1"))),
        Parameter("pads", Role.PADDING, (Pairs(0), Absent("0, or what auto_pad and output_shape make of it"))),
        Parameter("auto_pad", Role.CONVENTION, (Words(_AUTO_PAD), Absent("NOTSET"))),
        Parameter("output_padding", Role.OUTPUT_PADDING, (Integers(0), Absent("0"))),
        Parameter("output_shape", Role.OUTPUT_SIZE, (Integers(1), Absent("pads or auto_pad decide"))),
        Parameter("dilations", Role.DILATION, (Integers(1), Absent("1"))),
        Parameter("group", Role.GROUPS, (Integers(1, per_axis=False), Absent("1"))),
    )

    def resolve(self, spelling: Spelling, input_size: Size) -> Resolved | Illegal | Unspecified:
        """Explicit pads, or the operator's equation from an output shape or the word SAME to pads."""
        if wrong := self.violation(spelling, len(input_size)) or _broken(spelling, len(input_size)):
            return wrong
        layer = _without_pads(spelling, len(input_size))
        crops = _crops(spelling, layer, input_size)
        if isinstance(crops, Unspecified):
            return crops
        layer = layer.replace(padding=[lo for lo, _ in crops], output_padding=[lo - hi for lo, hi in crops])
        if min(layer.output_size(input_size)) < 1:
            return Illegal("no output left", _EMPTY)
        return Resolved(layer)

    def layout(self, spelling: Spelling) -> Layout:
        """``(C, M / group, *kernel_shape)``, as PyTorch's."""
        return CANONICAL

    def snippet(self, spelling: Spelling, input_size: Size) -> str:
        """The node as ``onnx.helper`` makes it, with ONNX's flat ``pads``."""
        written = {p.name for p in self.parameters if not p.carried}
        shown = {name: _plain(value) for name, value in spelling.arguments if name in written and value is not None}
        inputs = ["X", "W", "B"] if spelling.get("B") else ["X", "W"]
        attributes = "".join(f", {name}={value!r}" for name, value in shown.items())
        return f"onnx.helper.make_node('ConvTranspose', {inputs}, ['Y']{attributes})"


def _plain(value: object) -> object:
    """A value as an attribute has it: a list, of pairs all the begins and then all the ends."""
    if not isinstance(value, tuple):
        return value
    if value and isinstance(value[0], tuple):
        begins, ends = zip(*value, strict=True)
        return [*begins, *ends]
    return list(value)


def _broken(spelling: Spelling, ndim: int) -> Illegal | None:
    """The first rule that the arguments break together."""
    if any(spelling[name] % (spelling.get("group") or 1) for name in ("in_channels", "out_channels")):
        return Illegal("group does not divide the channels", _GROUPS)
    if spelling.get("pads") is not None and spelling.get("auto_pad", "NOTSET") not in (None, "NOTSET"):
        return Illegal("pads with auto_pad", _TOGETHER)
    names = ("output_padding", "strides", "dilations")
    added, strides, dilations = (per_axis(spelling.get(name) or int(name != names[0]), ndim) for name in names)
    if any(a >= max(s, d) for a, s, d in zip(added, strides, dilations, strict=True)):
        return Illegal("output_padding not below strides or dilations", _LESS)
    return None


def _without_pads(spelling: Spelling, ndim: int) -> Layer:
    return Layer(
        spelling["in_channels"],
        spelling["out_channels"],
        spelling["kernel_shape"],
        spelling.get("strides") or 1,
        dilation=spelling.get("dilations") or 1,
        groups=spelling.get("group") or 1,
        bias=spelling["B"],
        ndim=ndim,
    )


def _crops(spelling: Spelling, layer: Layer, input_size: Size) -> list[Crop] | Unspecified:
    """``lo`` is the begin of pads; ``hi`` is their end less the output padding."""
    added = per_axis(spelling.get("output_padding") or 0, layer.ndim)
    word, size = spelling.get("auto_pad"), spelling.get("output_shape")
    if size is None and word in ("SAME_UPPER", "SAME_LOWER"):
        size = tuple(n * s for n, s in zip(input_size, layer.stride, strict=True))
    if size is None:
        pads = spelling.get("pads") or ((0, 0),) * layer.ndim
    else:
        full = layer.full_size(input_size)
        totals = [f + a - m for f, a, m in zip(full, added, per_axis(size, layer.ndim), strict=True)]
        if min(totals) < 0:
            return Unspecified(_UNSAID)
        halves = [(total // 2, total - total // 2) for total in totals]
        pads = tuple(pair if word == "SAME_UPPER" else pair[::-1] for pair in halves)
    return [Crop(begin, end - a) for (begin, end), a in zip(pads, added, strict=True)]
