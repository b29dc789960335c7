"""``tf.nn.conv1d_transpose``, ``conv2d_transpose``, ``conv3d_transpose``: the output shape is named, padding is a word.

SAME puts ``T // 2`` of ``T = max(F - m, 0)`` in front, VALID nothing, explicit pairs (2-D only) their first number; the
rest of the crop follows from the output size. Modes: eager with oneDNN's kernels and without, xla
(``jit_compile=True``), abstract in a graph, and gradient by ``tf.GradientTape``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from harness import sizes
from harness.frameworks.base import (
    Absent,
    Answer,
    Api,
    Array,
    Gradients,
    Integers,
    Mode,
    Pairs,
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

#: TensorFlow itself decides by the processor; a run must not depend on that
ONEDNN = {"TF_ENABLE_ONEDNN_OPTS": "1"}

#: calls after which what TensorFlow keeps of them is thrown away
_LONGEST = 250

_URL = "https://www.tensorflow.org/api_docs/python/tf/nn/conv2d_transpose"
_PADDING_URL = "https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2"
_SAME = Rule("SAME: the forward convolution's output size is ceil(input size / stride)", _PADDING_URL)
_VALID = Rule(
    "VALID: the forward convolution's output size is ceil((input size - filter size + 1) / stride)", _PADDING_URL
)
_PAIRS = Rule("a list indicates the explicit paddings at the start and end of each dimension", _PADDING_URL)
_ONLY_2D = Rule("padding of conv1d_transpose and conv3d_transpose is a string, either 'VALID' or 'SAME'", _URL)


class ConvTranspose(Api):
    """``tf.nn.conv{1,2,3}d_transpose``."""

    name = "tf.nn.conv_transpose"
    framework = "tensorflow"
    distributions = ("tensorflow", "tensorflow-cpu")
    module = "tensorflow"
    extra = "tensorflow"
    documentation = _URL
    modes = (
        Mode("eager", "in eager mode with oneDNN", environment=ONEDNN),
        Mode("abstract", "in a graph's shape inference", abstract=True, environment=ONEDNN),
        Mode("xla", "with jit_compile=True", share=True, environment=ONEDNN),
        Mode("gradient", "under tf.GradientTape", gradient=True, share=True, environment=ONEDNN),
        Mode("no_onednn", "in eager mode without oneDNN", share=True, environment={"TF_ENABLE_ONEDNN_OPTS": "0"}),
    )
    parameters = (
        Parameter("in_channels", Role.IN_CHANNELS, (Integers(1, per_axis=False),), carried=True),
        Parameter("out_channels", Role.OUT_CHANNELS, (Integers(1, per_axis=False),), carried=True),
        Parameter("kernel_size", Role.KERNEL_SIZE, (Integers(1),), carried=True),
        Parameter("output_shape", Role.OUTPUT_SIZE, (Integers(0),)),
        Parameter("strides", Role.STRIDE, (Integers(1),)),
        Parameter(
            "padding",
            Role.PADDING,
            (Words({"SAME": "half of F - m in front", "VALID": "nothing in front"}), Pairs(0)),
        ),
        Parameter("dilations", Role.DILATION, (Integers(1), Absent("1"))),
    )

    signature = Signature(
        {"conv_transpose": None, **{f"conv{ndim}d_transpose": ndim for ndim in (1, 2, 3)}},
        ("input", "filters", "output_shape", "strides", "padding", "data_format", "dilations", "name"),
        arrays=("input", "filters"),
        weight="filters",
        beside={"data_format": (), "name": ()},
    )

    _graph: Any = None
    _asked = _compiled = 0

    def resolve(self, spelling: Spelling, input_size: Size) -> Resolved | Illegal | Unspecified:
        """The output shape and the padding's forward rule decide the crop, or forbid the shape."""
        ndim = len(input_size)
        if violation := self.violation(spelling, ndim):
            return violation
        padding = spelling["padding"]
        if not isinstance(padding, str) and ndim != 2:
            return Illegal("explicit padding outside 2-D", _ONLY_2D)
        layer = Layer(
            spelling["in_channels"],
            spelling["out_channels"],
            spelling["kernel_size"],
            spelling["strides"],
            dilation=spelling.get("dilations") or 1,
            bias=False,
            ndim=ndim,
        )
        forward = _forward(padding, ndim)
        size = per_axis(spelling["output_shape"], ndim)
        valid_sizes = forward.valid_output_sizes(layer, input_size)
        outside = [axis for axis, (m, valid) in enumerate(zip(size, valid_sizes, strict=True)) if m not in valid]
        if outside and all(_empty_leads_back(layer, forward, input_size, size, axis) for axis in outside):
            return Unspecified("an output of size 0, which the forward convolution may take back to the input's size")
        if outside:
            return Illegal("output_shape outside the forward rule", forward.rule)
        full = layer.full_size(input_size)
        near = [_near(padding, axis, f, m) for axis, (f, m) in enumerate(zip(full, size, strict=True))]
        far = [sizes.crop_for(f, output_size=m, lo=lo) for f, m, lo in zip(full, size, near, strict=True)]
        added = [lo - hi for lo, hi in zip(near, far, strict=True)]
        return Resolved(layer.replace(padding=near, output_padding=added), forward=forward)

    def candidates(self, layer: Layer, input_size: Size) -> Iterator[Spelling]:
        """SAME, VALID, then explicit pairs (undilated, which is what the CPU kernels have)."""
        size = layer.output_size(input_size)
        yield _spelling(layer, size, "SAME")
        yield _spelling(layer, size, "VALID")
        if layer.ndim == 2 and max(layer.dilation) == 1 and min(map(min, layer.crops)) >= 0:
            yield _spelling(layer, size, layer.crops)

    def widest(self, layer: Layer, input_size: Size) -> Spelling:
        """VALID with the full size."""
        return _spelling(layer, layer.full_size(input_size), "VALID")

    def limit(self, case: Case) -> str | None:
        """Groups have no argument."""
        if case.layer is not None and case.layer.groups > 1:
            return f"the filter's documented shape has no groups ({_URL})"
        return None

    def layout(self, spelling: Spelling) -> Layout:
        """``(*k, C_out, C_in)``, not flipped."""
        return Layout("*OI")

    def snippet(self, spelling: Spelling, input_size: Size) -> str:
        """The call with the full output_shape; N is the batch."""
        ndim = len(input_size)
        size = ", ".join(map(str, per_axis(spelling["output_shape"], ndim)))
        parts = [f"output_shape=[N, {size}, {spelling['out_channels']}]", f"strides={spelling['strides']!r}"]
        parts.append(f"padding={_native_padding(spelling['padding'])!r}")
        if spelling.get("dilations") is not None:
            parts.append(f"dilations={spelling['dilations']!r}")
        kernel = (*per_axis(spelling["kernel_size"], ndim), spelling["out_channels"], spelling["in_channels"])
        return f"tf.nn.conv{ndim}d_transpose(x, filters, {', '.join(parts)}) with filters of shape {kernel}"

    def script(self, case: Case, spelling: Spelling, mode: Mode, *, bias: bool) -> Lines:  # no bias argument
        """The call itself, or in a function for ``jit_compile`` and placeholders."""
        quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
        return Lines(
            imports=(*environment({**quiet, **mode.environment}), "import tensorflow as tf"),
            array=f"tf.constant({{}}, dtype=tf.{case.dtype})",
            filled=f"tf.{{}}({{}}, dtype=tf.{case.dtype})",
            call=_call_lines(case, spelling, mode),
            dtype="{}.dtype.name",
            host="{}.numpy()",
            extended="tf.pad(y, {pairs})",
            sized=str(_output_shape(spelling, case.ndim, case.batch)),
        )

    def load(self) -> None:
        """Import TensorFlow; one thread for each kernel."""
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)

    def version(self) -> str | None:
        """Version of the loaded TensorFlow."""
        import tensorflow as tf

        return str(tf.__version__)

    def apply(self, x: Array, weight: Array, bias: Array | None, spelling: Spelling) -> Answer:  # no bias argument
        """Call channels-last, eagerly or compiled by XLA."""
        import tensorflow as tf

        run = _function(spelling, x.ndim - 2, x.shape[0])
        if self.mode == "xla":
            self._compiled += 1
            run = tf.function(run, jit_compile=True)
        return channels_first(_answer(run(_tensor(channels_last(x), self.dtype), _tensor(weight, self.dtype))))

    def vjp(self, x: Array, weight: Array, bias: Array | None, asked: Spelling, cotangent: Array) -> Gradients:
        """``tf.GradientTape`` by the input and the filters, eagerly."""
        import tensorflow as tf

        images, filters = _tensor(channels_last(x), self.dtype), _tensor(weight, self.dtype)
        with tf.GradientTape() as tape:
            tape.watch([images, filters])
            output = _function(asked, x.ndim - 2, x.shape[0])(images, filters)
        found = tape.gradient(output, [images, filters], output_gradients=_tensor(channels_last(cotangent), self.dtype))
        dx, dweight = map(_answer, found)
        return channels_first(dx), dweight, None

    def abstract(self, batch: int, input_size: Size, asked: Spelling) -> tuple[int, ...]:
        """The static shape that a graph infers."""
        import tensorflow as tf

        with self._shared().as_default():
            x = tf.compat.v1.placeholder(self.dtype, (batch, *input_size, asked["in_channels"]))
            filters = tf.compat.v1.placeholder(self.dtype, self.native_weight_shape(asked, len(input_size)))
            shape = _function(asked, len(input_size), batch)(x, filters).shape.as_list()
        return (shape[0], shape[-1], *shape[1:-1])

    def _shared(self) -> Any:
        """The graph that takes the placeholders of some hundred calls: a graph costs more than what it infers."""
        import tensorflow as tf

        if self._graph is None or self._asked % _LONGEST == 0:
            self._graph = tf.Graph()
        self._asked += 1
        return self._graph

    def tidy(self) -> None:
        """After some hundred compiled calls a new context, without which TensorFlow keeps every compiled module.

        No documented function forgets them (TensorFlow 2.21), so that this one is asked for and done without.
        """
        if self._compiled < _LONGEST:
            return
        from tensorflow.python.eager import context

        if hasattr(context, "_reset_context"):
            context._reset_context()
            self.load()
        self._compiled = 0


APIS = (ConvTranspose,)


def _tensor(array: Array, dtype: str) -> Any:
    """bfloat16, too, is one of TensorFlow's NumPy dtypes."""
    import tensorflow as tf

    return tf.constant(np.ascontiguousarray(array, tf.as_dtype(dtype).as_numpy_dtype))


def _answer(tensor: Any) -> Answer:
    values = tensor.numpy()
    name = tensor.dtype.name
    return Answer(values.astype(np.float32) if name == "bfloat16" else values, name)


def _output_shape(spelling: Spelling, ndim: int, batch: int) -> list[int]:
    return [batch, *per_axis(spelling["output_shape"], ndim), spelling["out_channels"]]


def _call_lines(case: Case, spelling: Spelling, mode: Mode) -> tuple[str, ...]:
    shape = _output_shape(spelling, case.ndim, case.batch)
    strides, dilations = list(per_axis(spelling["strides"], case.ndim)), spelling.get("dilations")
    options = {} if dilations is None else {"dilations": list(per_axis(dilations, case.ndim))}
    words = keywords({"padding": _native_padding(spelling["padding"]), **options})
    call = f"tf.nn.conv{case.ndim}d_transpose({{}}, {{}}, {shape}, {strides}, {words})"
    if mode.abstract:
        x = [case.batch, *case.input_size, spelling["in_channels"]]
        kernel = [*per_axis(spelling["kernel_size"], case.ndim), spelling["out_channels"], spelling["in_channels"]]
        arrays = (f"tf.compat.v1.placeholder(tf.{case.dtype}, {size})" for size in (x, kernel))
        return "with tf.Graph().as_default():", f"    y = {call.format(*arrays)}"
    call = call.format("x", "weight")
    if mode.gradient:
        taped = ("with tf.GradientTape() as tape:", "    tape.watch([x, weight])", f"    y = {call}")
        return *taped, "dx, dweight = tape.gradient(y, [x, weight], output_gradients=cotangent)"
    if mode.name == "xla":
        return (f"y = tf.function(lambda x, weight: {call}, jit_compile=True)(x, weight)",)
    return (f"y = {call}",)


def _spelling(layer: Layer, size: Size, padding: Any) -> Spelling:
    return Spelling(
        ConvTranspose.name,
        {
            "in_channels": layer.in_channels,
            "out_channels": layer.out_channels,
            "kernel_size": layer.kernel_size,
            "output_shape": size,
            "strides": layer.stride,
            "padding": padding,
            "dilations": layer.dilation,
        },
    )


def _forward(padding: Any, ndim: int) -> Forward:
    if padding == "SAME":
        return Forward(None, _SAME)
    if padding == "VALID":
        return Forward((0,) * ndim, _VALID)
    return Forward(tuple(before + after for before, after in padding), _PAIRS)


def _empty_leads_back(layer: Layer, forward: Forward, input_size: Size, size: Size, axis: int) -> bool:
    """Whether nothing but its emptiness keeps an output of size 0 from being a valid one."""
    if size[axis] or forward.total_padding is None:
        return False
    k, s, d = (values[axis] for values in (layer.kernel_size, layer.stride, layer.dilation))
    padded = forward.total_padding[axis]
    return sizes.forward_size(0, kernel_size=k, stride=s, dilation=d, total_padding=padded) == input_size[axis]


def _near(padding: Any, axis: int, full: int, size: int) -> int:
    if padding == "SAME":
        return max(full - size, 0) // 2
    return 0 if padding == "VALID" else int(padding[axis][0])


def _native_padding(padding: Any) -> Any:
    return padding if isinstance(padding, str) else [[0, 0], *map(list, padding), [0, 0]]


def _function(spelling: Spelling, ndim: int, batch: int) -> Any:
    import tensorflow as tf

    function = getattr(tf.nn, f"conv{ndim}d_transpose")
    shape = _output_shape(spelling, ndim, batch)
    dilations = spelling.get("dilations")
    options = {} if dilations is None else {"dilations": list(per_axis(dilations, ndim))}
    padding = _native_padding(spelling["padding"])
    strides = list(per_axis(spelling["strides"], ndim))
    return lambda x, filters: function(x, filters, shape, strides, padding=padding, **options)
