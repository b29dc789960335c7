"""``keras.layers.Conv1DTranspose``, ``Conv2DTranspose``, ``Conv3DTranspose``: a word for the padding, no groups.

With ``output_padding=None`` SAME gives ``n s`` and VALID ``n s + max(e - s, 0)``; with an integer a the size is
``(n - 1) s + e - 2 q + a`` with ``q = e // 2`` for SAME and 0 for VALID, whatever a forward convolution makes of it.
The near crop is ``max(F - m, 0) // 2`` for SAME and 0 for VALID. The backend is fixed when Keras is imported, so
each mode is a backend in a process of its own; abstract is ``compute_output_spec``, and
gradient is the tape of the TensorFlow backend.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
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
    Words,
    channels_first,
    channels_last,
    per_axis,
)
from harness.layer import Case, Layer, Spelling
from harness.layout import Layout
from harness.records import Forward, Illegal, Resolved, Rule, Size, Unspecified
from harness.writing import Lines, Signature, environment, keywords

_URL = "https://keras.io/api/layers/convolution_layers/convolution2d_transpose/"
_LESS = Rule(
    "The amount of output padding along a given dimension must be lower than the stride along that same dimension.",
    _URL,
)
_DILATED = Rule("`strides > 1` is incompatible with `dilation_rate > 1`.", _URL)
_INVERSE = Rule(
    "Transposed convolution goes from something that has the shape of the output of some convolution to something that "
    "has the shape of its input.",
    _URL,
)


def _backend(module: str, how: str, *, name: str | None = None, share: bool = False) -> Mode:
    """The mode of one backend. oneDNN is switched on, or TensorFlow would decide by the processor."""
    environment = {"KERAS_BACKEND": module, **_SWITCHES.get(module, {})}
    name = name or module
    return Mode(
        name,
        how,
        abstract=name == "abstract",
        gradient=name == "gradient",
        share=share,
        environment=environment,
        requires=(module,),
    )


#: what keeps a script on the processor, as a worker is, and without TensorFlow's messages
_QUIET = {"tensorflow": {"TF_CPP_MIN_LOG_LEVEL": "2"}, "jax": {"JAX_PLATFORMS": "cpu"}}
_SWITCHES = {"tensorflow": {"TF_ENABLE_ONEDNN_OPTS": "1"}, "jax": {"JAX_ENABLE_X64": "1"}}


class ConvTranspose(Api):
    """``keras.layers.Conv{1,2,3}DTranspose``."""

    name = "keras.layers.ConvTranspose"
    framework = "keras"
    distributions = ("keras",)
    module = "keras"
    extra = "keras"
    documentation = _URL
    modes = (
        _backend("tensorflow", "on the TensorFlow backend"),
        _backend("tensorflow", "in compute_output_spec", name="abstract"),
        _backend("tensorflow", "under tf.GradientTape on the TensorFlow backend", name="gradient", share=True),
        _backend("jax", "on the JAX backend", share=True),
        _backend("torch", "on the torch backend", share=True),
    )
    parameters = (
        Parameter("in_channels", Role.IN_CHANNELS, (Integers(1, per_axis=False),), carried=True),
        Parameter("filters", Role.OUT_CHANNELS, (Integers(1, per_axis=False),)),
        Parameter("kernel_size", Role.KERNEL_SIZE, (Integers(1),)),
        Parameter("strides", Role.STRIDE, (Integers(1), Absent("1"))),
        Parameter(
            "padding",
            Role.PADDING,
            (Words({"valid": "no padding", "same": "evenly on both sides"}), Absent("valid")),
        ),
        Parameter("output_padding", Role.OUTPUT_PADDING, (Absent("the size is inferred"), Integers(0))),
        Parameter("dilation_rate", Role.DILATION, (Integers(1), Absent("1"))),
        Parameter("use_bias", Role.BIAS, (Flag(), Absent("True"))),
    )

    signature = Signature(
        {f"Conv{ndim}DTranspose": ndim for ndim in (1, 2, 3)}
        | {f"Convolution{ndim}DTranspose": ndim for ndim in (2, 3)},
        (
            *("filters", "kernel_size", "strides", "padding", "output_padding", "data_format", "dilation_rate"),
            *("activation", "use_bias"),
        ),
        beside={
            "data_format": (),
            **dict.fromkeys(("name", "dtype", "trainable", "input_shape"), ()),
            **{
                f"{what}_{how}": ()
                for what in ("kernel", "bias")
                for how in ("initializer", "regularizer", "constraint")
            },
            "activity_regularizer": (),
        },
        after=("activation",),
    )

    def resolve(self, spelling: Spelling, input_size: Size) -> Resolved | Illegal | Unspecified:
        """The word and the output padding decide the size, the size the crop."""
        ndim = len(input_size)
        if violation := self.violation(spelling, ndim):
            return violation
        use_bias = spelling.get("use_bias")
        layer = Layer(
            spelling["in_channels"],
            spelling["filters"],
            spelling["kernel_size"],
            spelling.get("strides") or 1,
            dilation=spelling.get("dilation_rate") or 1,
            bias=True if use_bias is None else use_bias,
            ndim=ndim,
        )
        added = spelling.get("output_padding")
        if added is not None and any(a >= s for a, s in zip(per_axis(added, ndim), layer.stride, strict=True)):
            return Illegal("output_padding not below strides", _LESS)
        if max(layer.stride) > 1 and max(layer.dilation) > 1:
            return Illegal("strides with dilation_rate", _DILATED)
        same = spelling.get("padding") == "same"
        size = _size(layer, input_size, same, None if added is None else per_axis(added, ndim))
        if min(size) < 0:
            return Unspecified("the inferred output size is negative")
        full = layer.full_size(input_size)
        near = [max(f - m, 0) // 2 if same else 0 for f, m in zip(full, size, strict=True)]
        output_padding = [2 * lo + m - f for lo, m, f in zip(near, size, full, strict=True)]
        forward = Forward(None if same else (0,) * ndim, _INVERSE) if added is None else None
        return Resolved(layer.replace(padding=near, output_padding=output_padding), forward=forward)

    def candidates(self, layer: Layer, input_size: Size) -> Iterator[Spelling]:
        """Both words with the inferred size, then with the output padding that gives the layer's size."""
        for word, added in itertools.product(("valid", "same"), (None, "integer")):
            if added is None:
                yield _spelling(layer, word, None)
            else:
                base = _size(layer, input_size, word == "same", (0,) * layer.ndim)
                yield _spelling(
                    layer, word, tuple(m - b for m, b in zip(layer.output_size(input_size), base, strict=True))
                )

    def widest(self, layer: Layer, input_size: Size) -> Spelling:  # valid holds the full output
        """``valid`` with the inferred size, which is never below the full size."""
        return _spelling(layer.replace(bias=False), "valid", None)

    def default_spelling(self, layer: Layer, input_size: Size) -> Spelling | None:  # a word fits any size
        """The word that porters take for the padding, with the inferred size."""
        return _spelling(layer, "same" if max(layer.padding) > 0 else "valid", None)

    def limit(self, case: Case) -> str | None:
        """No groups; one dilation rate for every axis."""
        if case.layer is not None and case.layer.groups > 1:
            return f"the layers have no groups ({_URL})"
        dilation = case.layer.dilation if case.layer else (case.spelling or _NONE).get("dilation_rate") or 1
        if isinstance(dilation, tuple) and len(set(dilation)) > 1:
            return f"different dilation rates for different dimensions are documented as not supported ({_URL})"
        return None

    def layout(self, spelling: Spelling) -> Layout:
        """``(*k, C_out, C_in)``, not flipped."""
        return Layout("*OI")

    def snippet(self, spelling: Spelling, input_size: Size) -> str:
        """The layer's construction and call."""
        shown = ", ".join(f"{k}={v!r}" for k, v in spelling.arguments if k != "in_channels" and v is not None)
        return f"keras.layers.Conv{len(input_size)}DTranspose({shown})(x)"

    def script(self, case: Case, spelling: Spelling, mode: Mode, *, bias: bool) -> Lines:
        """The layer, built for the shape, with its weights set, and its call."""
        backend = mode.environment["KERAS_BACKEND"]
        variables = {"CUDA_VISIBLE_DEVICES": "-1", **_QUIET.get(backend, {}), **mode.environment}
        tape = ("import tensorflow as tf",) if mode.gradient else ()
        return Lines(
            imports=(*environment(variables), "import keras", *tape),
            array=f"keras.ops.convert_to_tensor({{}}, dtype={case.dtype!r})",
            filled=f"keras.ops.{{}}({{}}, dtype={case.dtype!r})",
            call=_call_lines(case, spelling, mode, bias=bias),
            dtype="keras.backend.standardize_dtype({}.dtype)",
            host="keras.ops.convert_to_numpy({})",
            extended="keras.ops.pad(y, {pairs})",
        )

    def load(self) -> None:
        """Import Keras; its backend stands in the environment."""
        import keras

        if keras.backend.backend() == "torch":
            import torch

            torch.set_num_threads(1)

    def version(self) -> str | None:
        """Version of the loaded Keras."""
        import keras

        return str(keras.__version__)

    def apply(self, x: Array, weight: Array, bias: Array | None, spelling: Spelling) -> Answer:
        """Build the layer for this shape, set its weights, call it."""
        return channels_first(_answer(self._loaded(x, weight, bias, spelling)(self._tensor(channels_last(x)))))

    def vjp(self, x: Array, weight: Array, bias: Array | None, asked: Spelling, cotangent: Array) -> Gradients:
        """``tf.GradientTape`` by the input and the layer's variables: Keras leaves autodiff to its backend."""
        import tensorflow as tf

        layer = self._loaded(x, weight, bias, asked)
        images = self._tensor(channels_last(x))
        variables = [layer.kernel.value, *([] if bias is None else [layer.bias.value])]
        with tf.GradientTape() as tape:
            tape.watch(images)
            output = layer(images)
        inputs, back = [images, *variables], self._tensor(channels_last(cotangent))
        dx, dweight, *dbias = map(_answer, tape.gradient(output, inputs, output_gradients=back))
        return channels_first(dx), dweight, dbias[0] if dbias else None

    def _loaded(self, x: Array, weight: Array, bias: Array | None, spelling: Spelling) -> Any:
        """The layer, built for the shape of x, with its weights set."""
        layer = self._layer(spelling, x.ndim - 2)
        layer.build((x.shape[0], *x.shape[2:], x.shape[1]))
        layer.kernel.assign(self._tensor(weight))
        if layer.use_bias and bias is not None:
            layer.bias.assign(self._tensor(bias))
        return layer

    def _tensor(self, array: Array) -> Any:
        import keras

        return keras.ops.convert_to_tensor(np.ascontiguousarray(array), self.dtype)

    def abstract(self, batch: int, input_size: Size, asked: Spelling) -> tuple[int, ...]:
        """The shape that ``compute_output_spec`` gives."""
        import keras

        layer = self._layer(asked, len(input_size))
        x = keras.KerasTensor((batch, *input_size, asked["in_channels"]), dtype=self.dtype)
        shape = layer.compute_output_spec(x).shape
        return (shape[0], shape[-1], *shape[1:-1])

    def _layer(self, spelling: Spelling, ndim: int) -> Any:
        import keras

        arguments = {k: v for k, v in spelling.arguments if k != "in_channels" and v is not None}
        kind = getattr(keras.layers, f"Conv{ndim}DTranspose")
        return kind(**arguments, data_format="channels_last", dtype=self.dtype, kernel_initializer="zeros")


APIS = (ConvTranspose,)


def _answer(tensor: Any) -> Answer:
    import keras

    name = keras.backend.standardize_dtype(tensor.dtype)
    return Answer(keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32") if name == "bfloat16" else tensor), name)


_NONE = Spelling(ConvTranspose.name, {})


def _call_lines(case: Case, spelling: Spelling, mode: Mode, *, bias: bool) -> tuple[str, ...]:
    arguments = {k: v for k, v in spelling.arguments if k != "in_channels" and v is not None}
    words = keywords({**arguments, "data_format": "channels_last", "dtype": case.dtype})
    layer = f"layer = keras.layers.Conv{case.ndim}DTranspose({words})"
    if mode.abstract:
        shape = (case.batch, *case.input_size, spelling["in_channels"])
        spec = f"keras.KerasTensor({shape}, dtype={case.dtype!r})"
        return layer, f"y = layer.compute_output_spec({spec})"
    weights = "layer.set_weights([weight, bias])" if bias else "layer.kernel.assign(weight)"
    built = (layer, "layer.build(x.shape)", weights)
    if not mode.gradient:
        return *built, "y = layer(x)"
    names = ("kernel", "bias") if bias else ("kernel",)
    sources = ", ".join(f"layer.{name}.value" for name in names)
    taped = ("with tf.GradientTape() as tape:", "    tape.watch(x)", "    y = layer(x)")
    results = "dx, dweight, dbias" if bias else "dx, dweight"
    return *built, *taped, f"{results} = tape.gradient(y, [x, {sources}], output_gradients=cotangent)"


def _size(layer: Layer, input_size: Size, same: bool, added: Size | None) -> Size:
    axes = zip(input_size, layer.stride, layer.effective_kernel_size, strict=True)
    if added is None:
        return tuple(n * s if same else n * s + max(e - s, 0) for n, s, e in axes)
    bases = [(n - 1) * s + e - 2 * (e // 2 if same else 0) for n, s, e in axes]
    return tuple(base + a for base, a in zip(bases, added, strict=True))


def _spelling(layer: Layer, padding: str, output_padding: Size | None) -> Spelling:
    return Spelling(
        ConvTranspose.name,
        {
            "in_channels": layer.in_channels,
            "filters": layer.out_channels,
            "kernel_size": layer.kernel_size,
            "strides": layer.stride,
            "padding": padding,
            "output_padding": output_padding,
            "dilation_rate": layer.dilation,
            "use_bias": layer.bias,
        },
    )
