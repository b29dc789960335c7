"""``torch.nn.ConvTranspose1d/2d/3d``: the coordinates of the canonical layer are PyTorch's own.

The crop is ``lo = padding``, ``hi = padding - output_padding``; ``output_size=`` in the call names the size instead of
``output_padding``. Modes: eager, abstract on the meta device, and gradient by ``torch.autograd``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from harness.frameworks.base import (
    Absent,
    Answer,
    Api,
    Array,
    Flag,
    Gradients,
    Integers,
    Mode,
    Parameter,
    Role,
    per_axis,
)
from harness.layer import Case, Layer, Spelling
from harness.layout import CANONICAL, Layout
from harness.records import Forward, Illegal, Resolved, Rule, Size, Unspecified
from harness.writing import Lines, Signature, keywords

_URL = "https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html"
_INVERSE = Rule(
    "The padding argument is set so that when a Conv2d and a ConvTranspose2d are initialized with same parameters, "
    "they are inverses of each other in regard to the input and output shapes.",
    _URL,
)
_TOO_LARGE = Rule("output padding must be smaller than either stride or dilation", _URL)
_GROUPS = Rule("in_channels and out_channels must both be divisible by groups", _URL)
_EMPTY = Rule("the output size of the formula under Shape must be at least 1 on every axis", _URL)
_OUTPUT_SIZE = Rule("output_size must be one of the sizes that output_padding < stride can reach", _URL)


class ConvTranspose(Api):
    """``torch.nn.ConvTranspose{1,2,3}d``."""

    name = "torch.nn.ConvTranspose"
    framework = "torch"
    distributions = ("torch",)
    module = "torch"
    extra = "torch"
    documentation = _URL
    modes = (
        Mode("eager", "in eager mode"),
        Mode("abstract", "on the meta device", abstract=True),
        Mode("gradient", "under torch.autograd", gradient=True, share=True),
    )
    parameters = (
        Parameter("in_channels", Role.IN_CHANNELS, (Integers(1, per_axis=False),)),
        Parameter("out_channels", Role.OUT_CHANNELS, (Integers(1, per_axis=False),)),
        Parameter("kernel_size", Role.KERNEL_SIZE, (Integers(1),)),
        Parameter("stride", Role.STRIDE, (Integers(1), Absent("1"))),
        Parameter("padding", Role.PADDING, (Integers(0), Absent("0"))),
        Parameter("output_padding", Role.OUTPUT_PADDING, (Integers(0), Absent("0"))),
        Parameter("groups", Role.GROUPS, (Integers(1, per_axis=False), Absent("1"))),
        Parameter("bias", Role.BIAS, (Flag(), Absent("True"))),
        Parameter("dilation", Role.DILATION, (Integers(1), Absent("1"))),
        Parameter("output_size", Role.OUTPUT_SIZE, (Integers(1), Absent("output_padding decides"))),
    )

    signature = Signature(
        {f"ConvTranspose{ndim}d": ndim for ndim in (1, 2, 3)},
        (*(parameter.name for parameter in parameters[:-1]), "padding_mode", "device", "dtype"),
        beside={"padding_mode": ("zeros",), "device": (), "dtype": ()},
    )

    def resolve(self, spelling: Spelling, input_size: Size) -> Resolved | Illegal | Unspecified:
        """PyTorch's own formula, with ``output_size`` turned into the output_padding that reaches it."""
        ndim = len(input_size)
        if violation := self.violation(spelling, ndim):
            return violation
        written = dict(spelling.arguments)
        arguments: dict[str, Any] = {k: v for k, v in written.items() if v is not None and k != "output_size"}
        if any(arguments[name] % arguments.get("groups", 1) for name in ("in_channels", "out_channels")):
            return Illegal("groups do not divide the channels", _GROUPS)
        layer = Layer(**arguments, ndim=ndim)
        asked = spelling.get("output_size")
        if asked is not None:
            least = layer.replace(output_padding=0).output_size(input_size)
            added = tuple(m - f for m, f in zip(per_axis(asked, ndim), least, strict=True))
            if any(not 0 <= a < s for a, s in zip(added, layer.stride, strict=True)):
                return Illegal("output_size outside the valid sizes", _OUTPUT_SIZE)
            layer = layer.replace(output_padding=added)
        limits = zip(layer.output_padding, layer.stride, layer.dilation, strict=True)
        if any(a >= max(s, d) for a, s, d in limits):
            return Illegal("output_padding not below stride or dilation", _TOO_LARGE)
        if min(layer.output_size(input_size)) < 1:
            return Illegal("no output left", _EMPTY)
        return Resolved(layer, forward=Forward(tuple(2 * p for p in layer.padding), _INVERSE))

    def candidates(self, layer: Layer, input_size: Size) -> Iterator[Spelling]:
        """By ``output_padding``, then by ``output_size``, then without asymmetry in the padding."""
        yield _spelling(layer)
        size = layer.output_size(input_size)
        yield _spelling(layer.replace(output_padding=0)).replace(output_size=size)
        symmetric = layer.replace(padding=0, output_padding=0)
        excess = [full - m for full, m in zip(symmetric.full_size(input_size), size, strict=True)]
        padding = tuple(max((cut + 1) // 2, 0) for cut in excess)
        added = tuple(2 * p - cut for p, cut in zip(padding, excess, strict=True))
        yield _spelling(layer.replace(padding=padding, output_padding=added))

    def widest(self, layer: Layer, input_size: Size) -> Spelling:
        """The full output, without bias."""
        return _spelling(layer.replace(padding=0, output_padding=0, bias=False))

    def default_spelling(self, layer: Layer, input_size: Size) -> Spelling | None:
        """``output_padding`` is 0 where the caller names no size."""
        return _spelling(layer.replace(output_padding=0))

    def layout(self, spelling: Spelling) -> Layout:
        """``(in_channels, out_channels / groups, *kernel_size)``: the canonical one is PyTorch's."""
        return CANONICAL

    def snippet(self, spelling: Spelling, input_size: Size) -> str:
        """The module's construction and, with ``output_size``, the call's argument."""
        shown = ", ".join(f"{k}={v!r}" for k, v in spelling.arguments if k != "output_size" and v is not None)
        asked = spelling.get("output_size")
        call = "" if asked is None else f", output_size={asked!r}"
        return f"torch.nn.ConvTranspose{len(input_size)}d({shown})(x{call})"

    def script(self, case: Case, spelling: Spelling, mode: Mode, *, bias: bool) -> Lines:
        """The module with its parameters set, and its call."""
        dtype, asked = f"torch.{case.dtype}", spelling.get("output_size")
        return Lines(
            imports=("import torch",),
            array=f"torch.tensor({{}}, dtype={dtype})",
            filled=f"torch.{{}}({{}}, dtype={dtype})",
            call=_call_lines(case, spelling, mode, bias=bias),
            dtype="str({}.dtype).removeprefix('torch.')",
            extended="torch.nn.functional.pad(y, {ends})",
            sized="" if asked is None else str(list(per_axis(asked, case.ndim))),
            channels_last=False,
        )

    def load(self) -> None:
        """Import torch; one thread makes small cases three times as fast."""
        import torch

        torch.set_num_threads(1)

    def version(self) -> str | None:
        """Version of the loaded torch."""
        import torch

        return str(torch.__version__)

    def apply(self, x: Array, weight: Array, bias: Array | None, spelling: Spelling) -> Answer:
        """Build the module, set its parameters, call it."""
        import torch

        module, call = self._loaded(weight, bias, spelling, x.ndim - 2)
        with torch.no_grad():
            return _answer(module(torch.tensor(x, dtype=getattr(torch, self.dtype)), **call))

    def vjp(self, x: Array, weight: Array, bias: Array | None, asked: Spelling, cotangent: Array) -> Gradients:
        """``torch.autograd.grad`` of the module's output by its input and parameters."""
        import torch

        dtype = getattr(torch, self.dtype)
        module, call = self._loaded(weight, bias, asked, x.ndim - 2)
        images = torch.tensor(x, dtype=dtype, requires_grad=True)
        inputs = [images, module.weight, *([] if bias is None else [module.bias])]
        found = torch.autograd.grad(module(images, **call), inputs, torch.tensor(cotangent, dtype=dtype))
        dx, dweight, *dbias = map(_answer, found)
        return dx, dweight, dbias[0] if dbias else None

    def _loaded(self, weight: Array, bias: Array | None, spelling: Spelling, ndim: int) -> tuple[Any, dict[str, Any]]:
        """The module with its parameters set, and the call's arguments."""
        import torch

        dtype = getattr(torch, self.dtype)
        module, call = self._module(spelling, ndim)
        module.weight = torch.nn.Parameter(torch.tensor(weight, dtype=dtype))
        if module.bias is not None:
            values = np.zeros(module.bias.shape) if bias is None else bias
            module.bias = torch.nn.Parameter(torch.tensor(values, dtype=dtype))
        return module, call

    def abstract(self, batch: int, input_size: Size, asked: Spelling) -> tuple[int, ...]:
        """The shape that the meta device gives."""
        import torch

        module, call = self._module(asked, len(input_size))
        shape = (batch, asked["in_channels"], *input_size)
        with torch.no_grad():
            output = module(torch.empty(shape, dtype=getattr(torch, self.dtype), device="meta"), **call)
        return tuple(output.shape)

    def _module(self, spelling: Spelling, ndim: int) -> tuple[Any, dict[str, Any]]:
        import torch

        arguments = {name: value for name, value in spelling.arguments if value is not None}
        asked = arguments.pop("output_size", None)
        module = _kind(ndim)(**arguments, device="meta", dtype=getattr(torch, self.dtype))
        return module, {} if asked is None else {"output_size": list(per_axis(asked, ndim))}


APIS = (ConvTranspose,)


@cache
def _kind(ndim: int) -> Any:
    """The module's class without the random parameters that it starts from: they are set, or never had numbers."""
    import torch

    kind = getattr(torch.nn, f"ConvTranspose{ndim}d")
    return type(kind.__name__, (kind,), {"reset_parameters": lambda self: None})


def _answer(tensor: Any) -> Answer:
    name = str(tensor.dtype).removeprefix("torch.")
    return Answer((tensor.float() if name == "bfloat16" else tensor).numpy(), name)


def _call_lines(case: Case, spelling: Spelling, mode: Mode, *, bias: bool) -> tuple[str, ...]:
    arguments = {name: value for name, value in spelling.arguments if value is not None}
    asked = arguments.pop("output_size", None)
    then = "" if asked is None else f", output_size={list(per_axis(asked, case.ndim))}"
    where = f"device='meta', dtype=torch.{case.dtype}" if mode.abstract else f"dtype=torch.{case.dtype}"
    module = f"layer = torch.nn.ConvTranspose{case.ndim}d({keywords(arguments)}, {where})"
    if mode.abstract:
        shape = [case.batch, spelling["in_channels"], *case.input_size]
        return module, f"y = layer(torch.empty({shape}, {where}){then})"
    names = ["weight", "bias"] if bias else ["weight"]
    parameters = [f"layer.{name} = torch.nn.Parameter({name})" for name in names]
    if not mode.gradient:
        return module, *parameters, f"y = layer(x{then})"
    results = ", ".join(f"d{name}" for name in ("x", *names))
    sources = ", ".join(["x", *(f"layer.{name}" for name in names)])
    call = f"layer(x.requires_grad_(){then})"
    return module, *parameters, f"{results} = torch.autograd.grad({call}, [{sources}], cotangent)"


def _spelling(layer: Layer) -> Spelling:
    return Spelling(
        ConvTranspose.name,
        {
            "in_channels": layer.in_channels,
            "out_channels": layer.out_channels,
            "kernel_size": layer.kernel_size,
            "stride": layer.stride,
            "padding": layer.padding,
            "output_padding": layer.output_padding,
            "groups": layer.groups,
            "bias": layer.bias,
            "dilation": layer.dilation,
        },
    )
