"""``flax.linen.ConvTranspose`` and ``flax.nnx.ConvTranspose``: layers around ``jax.lax.conv_transpose``.

Pairs and integers pad the zero-inserted input, which PyTorch's padding does not: ``padding=p`` is the crop
``lo = hi = e - 1 - p``. The kernel is correlated as it stands unless ``transpose_kernel=True``. CIRCULAR wraps the
output around, which no crop says. How they are run stands in ``lax.py``; the layers are made inside of what is
compiled, where the parameters that a layer starts from cost nothing: nobody asks for their numbers.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from harness.frameworks.base import Absent, Flag, Integers, Pairs, Parameter, Role, Words, per_axis
from harness.frameworks.lax import Transposing, crops_of_pairs, crops_of_word, padding_pairs
from harness.layer import Crop, Layer, Spelling
from harness.records import Forward, Illegal, Orientation, Resolved, Rule, Size, Unspecified
from harness.writing import Signature, keywords

_URL = "https://flax-linen.readthedocs.io/en/latest/api_reference/flax.linen/layers.html#flax.linen.ConvTranspose"
_URL_NNX = "https://flax.readthedocs.io/en/latest/api_reference/flax.nnx/nn/linear.html#flax.nnx.ConvTranspose"
_MIRRORS = (
    "Behaviour mirrors of jax.lax.conv_transpose, where 'SAME' and 'VALID' strings are interpreted as the padding of "
    "the corresponding forward conv"
)
_VALID = Rule(
    "VALID adds dilation * (kernel_size - 1) padding to all dimensions. This is set so that a nnx.Conv layer with "
    "VALID padding would produce the inverse shape transformation.",
    _URL_NNX,
)
_CAUSAL = Rule(
    "CAUSAL padding for a 1D convolution will left-pad the convolution axis, resulting in same-sized output.", _URL_NNX
)
_ONE_AXIS = Unspecified("an integer kernel_size is that of one spatial axis: the others are batch dimensions")
_PERIODIC = Unspecified("CIRCULAR wraps the output around, which no crop of a transposed convolution says")

_WORDS = {
    "SAME": "forward SAME, n*s",
    "VALID": "forward VALID, n*s + max(e - s, 0)",
    "CIRCULAR": "wrapped around n*s",
}

#: arguments that leave the operator as it is
_BESIDE: dict[str, tuple[Any, ...]] = {
    "mask": (None,),
    **dict.fromkeys(("dtype", "param_dtype", "precision", "preferred_element_type", "promote_dtype"), ()),
    **dict.fromkeys(("kernel_init", "bias_init", "kernel_metadata", "bias_metadata", "rngs", "name", "parent"), ()),
}


class _Flax(Transposing):
    """What the two layers share: their words but for the channels', and a bias of their own."""

    framework = "flax"
    distributions = ("flax",)
    module = "flax"
    extra = "flax"

    #: the channels' arguments
    _channels: ClassVar[tuple[str, str]]

    def resolve(self, spelling: Spelling, input_size: Size) -> Resolved | Illegal | Unspecified:
        """Strings by the forward convolution, numbers on the zero-inserted input."""
        ndim = len(input_size)
        if violation := self.violation(_paired(spelling), ndim):
            return violation
        if ndim > 1 and not isinstance(spelling["kernel_size"], tuple):
            return _ONE_AXIS
        layer = self._layer(spelling, ndim)
        padding = _padding(spelling)
        crops = self._crops(layer, padding)
        if isinstance(crops, Unspecified):
            return crops
        cropped = self._cropped(layer, crops, input_size)
        if isinstance(cropped, Illegal):
            return cropped
        kernel = Orientation.TRANSPOSED if spelling.get("transpose_kernel") else Orientation.CORRELATION
        return Resolved(cropped, kernel, self._forward(layer, padding))

    def widest(self, layer: Layer, input_size: Size) -> Spelling:
        """Pairs reach every crop."""
        return self._spell(layer.replace(bias=False), padding_pairs(layer, input_size))

    def load(self) -> None:
        """Import jax with float64 enabled, and flax."""
        super().load()
        import flax.linen
        import flax.nnx  # noqa: F401 # both here, for the call is timed

    def version(self) -> str | None:
        """Version of the loaded flax."""
        import flax

        return str(flax.__version__)

    def _layer(self, spelling: Spelling, ndim: int) -> Layer:
        """The layer without its crop."""
        use_bias = spelling.get("use_bias")
        return Layer(
            spelling[self._channels[0]],
            spelling[self._channels[1]],
            spelling["kernel_size"],
            spelling.get("strides") or 1,
            dilation=spelling.get("kernel_dilation") or 1,
            bias=True if use_bias is None else use_bias,
            ndim=ndim,
        )

    def _crops(self, layer: Layer, padding: Any) -> tuple[Crop, ...] | Unspecified:
        if padding == "CIRCULAR":
            return _PERIODIC
        if isinstance(padding, str):
            return crops_of_word(layer, padding)
        return crops_of_pairs(layer, [_pair(ends) for ends in per_axis(padding, layer.ndim)])

    def _forward(self, layer: Layer, padding: Any) -> Forward | None:
        if not isinstance(padding, str):
            return None
        return Forward(None if padding == "SAME" else (0,) * layer.ndim, Rule(_MIRRORS, self.documentation))

    def _numbers(self, layer: Layer, input_size: Size) -> tuple[Any, ...]:
        """An integer where all ends are alike, then the pairs."""
        pairs = padding_pairs(layer, input_size)
        ends = {end for pair in pairs for end in pair}
        return (*(ends if len(ends) == 1 else ()), pairs)

    def _spell(self, layer: Layer, padding: Any) -> Spelling:
        inputs, outputs = self._channels
        return Spelling(
            self.name,
            {
                inputs: layer.in_channels,
                outputs: layer.out_channels,
                "kernel_size": layer.kernel_size,
                "strides": layer.stride,
                "padding": padding,
                "kernel_dilation": layer.dilation,
                "use_bias": layer.bias,
            },
        )

    def _arguments(self, spelling: Spelling) -> dict[str, Any]:
        written = {parameter.name for parameter in self.parameters if not parameter.carried}
        return {name: value for name, value in spelling.arguments if name in written and value is not None}


def _parameters(channels: tuple[Parameter, Parameter], words: dict[str, str]) -> tuple[Parameter, ...]:
    return (
        *channels,
        Parameter("kernel_size", Role.KERNEL_SIZE, (Integers(1),)),
        Parameter("strides", Role.STRIDE, (Integers(1), Absent("1"))),
        Parameter("padding", Role.PADDING, (Pairs(None), Words(words), Integers(None), Absent("SAME"))),
        Parameter("kernel_dilation", Role.DILATION, (Integers(1), Absent("1"))),
        Parameter("use_bias", Role.BIAS, (Flag(), Absent("True"))),
        Parameter("transpose_kernel", Role.ORIENTATION, (Flag(), Absent("False: correlate"))),
    )


class LinenConvTranspose(_Flax):
    """``flax.linen.ConvTranspose``: the input's channels are read off the input."""

    name = "flax.linen.ConvTranspose"
    documentation = _URL
    parameters = _parameters(
        (
            Parameter("in_features", Role.IN_CHANNELS, (Integers(1, per_axis=False),), carried=True),
            Parameter("features", Role.OUT_CHANNELS, (Integers(1, per_axis=False),)),
        ),
        _WORDS,
    )
    signature = Signature(
        {"ConvTranspose": None},
        ("features", "kernel_size", "strides", "padding", "kernel_dilation", "use_bias"),
        beside=_BESIDE,
    )
    _channels = ("in_features", "features")
    _imports = ("import jax", "import flax.linen")

    def snippet(self, spelling: Spelling, input_size: Size) -> str:
        """The layer's construction and call."""
        return f"{self.name}({keywords(self._arguments(spelling))}).apply(variables, x)"

    def _written(self, spelling: Spelling, ndim: int, *, bias: bool) -> str:
        arguments, parameters = self._arguments(spelling), "'kernel': weight"
        if self.bears_bias(spelling):
            start = "bias" if bias else f"jax.numpy.zeros({max(arguments['features'], 0)})"
            parameters += f", 'bias': {start}"
        return f"flax.linen.ConvTranspose({keywords(arguments)}).apply({{'params': {{{parameters}}}}}, x)"

    def _function(self, spelling: Spelling, ndim: int) -> Any:
        import flax.linen

        arguments = self._arguments(spelling)

        def function(x: Any, weight: Any, bias: Any = None) -> Any:
            parameters = {"kernel": weight}
            if self.bears_bias(spelling):
                parameters["bias"] = np.zeros(max(spelling["features"], 0), weight.dtype) if bias is None else bias
            return flax.linen.ConvTranspose(**arguments).apply({"params": parameters}, x)

        return function


class NnxConvTranspose(_Flax):
    """``flax.nnx.ConvTranspose``: its documentation says what VALID adds, and has CAUSAL."""

    name = "flax.nnx.ConvTranspose"
    documentation = _URL_NNX
    parameters = _parameters(
        (
            Parameter("in_features", Role.IN_CHANNELS, (Integers(1, per_axis=False),)),
            Parameter("out_features", Role.OUT_CHANNELS, (Integers(1, per_axis=False),)),
        ),
        {**_WORDS, "VALID": "e - 1 at both ends", "CAUSAL": "e - 1 in front, on one axis"},
    )
    signature = Signature(
        {"ConvTranspose": None}, ("in_features", "out_features", "kernel_size", "strides"), beside=_BESIDE
    )
    _channels = ("in_features", "out_features")
    _imports = ("import jax", "import flax.nnx")

    def snippet(self, spelling: Spelling, input_size: Size) -> str:
        """The layer's construction and call."""
        return f"{self.name}({keywords(self._arguments(spelling))}, rngs=rngs)(x)"

    def _crops(self, layer: Layer, padding: Any) -> tuple[Crop, ...] | Unspecified:
        if padding == "VALID":
            return (Crop(0, 0),) * layer.ndim
        if padding != "CAUSAL":
            return super()._crops(layer, padding)
        if layer.stride != (1,):
            return Unspecified("CAUSAL is described for one axis and an output of the input's size")
        return crops_of_pairs(layer, [(layer.effective_kernel_size[0] - 1, 0)])

    def _forward(self, layer: Layer, padding: Any) -> Forward | None:
        if padding == "CAUSAL":
            return Forward((layer.effective_kernel_size[0] - 1,), _CAUSAL)
        return Forward((0,) * layer.ndim, _VALID) if padding == "VALID" else super()._forward(layer, padding)

    def _words(self, layer: Layer) -> tuple[str, ...]:
        """VALID where its description agrees with that of the function that is mirrored: for no s > e."""
        agree = self._crops(layer, "VALID") == crops_of_word(layer, "VALID")
        return ("SAME", "VALID") if agree else ("SAME",)

    def _written(self, spelling: Spelling, ndim: int, *, bias: bool) -> str:
        # In one line, for a script has few: the layer starts from the arrays, which is the same where it is legal.
        given = "kernel_init=lambda *_: weight" + (", bias_init=lambda *_: bias" if bias else "")
        words = keywords(self._arguments(spelling))
        return f"flax.nnx.ConvTranspose({words}, {given}, rngs=flax.nnx.Rngs(0))(x)"

    def _function(self, spelling: Spelling, ndim: int) -> Any:
        from flax import nnx

        arguments = self._arguments(spelling)

        def function(x: Any, weight: Any, bias: Any = None) -> Any:
            layer = nnx.ConvTranspose(**arguments, rngs=nnx.Rngs(0))
            layer.kernel = nnx.Param(weight)
            if bias is not None:
                layer.bias = nnx.Param(bias)
            return layer(x)

        return function


APIS = (LinenConvTranspose, NnxConvTranspose)


def _padding(spelling: Spelling) -> Any:
    padding = spelling.get("padding")
    return "SAME" if padding is None else padding


def _paired(spelling: Spelling) -> Spelling:
    """The spelling with each integer beside a pair as the pair that it stands for."""
    padding = spelling.get("padding")
    if not (isinstance(padding, tuple) and any(isinstance(ends, tuple) for ends in padding)):
        return spelling
    return spelling.replace(padding=tuple(map(_pair, padding)))


def _pair(ends: Any) -> Any:
    return ends if isinstance(ends, tuple) else (ends, ends)
