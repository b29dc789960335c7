"""``jax.lax.conv_transpose`` and ``jax.lax.conv_general_dilated``.

Pairs ``(pa, pb)`` pad the zero-inserted input: ``lo = e - 1 - pa``, ``hi = e - 1 - pb``. With
``use_consistent_padding=True`` they are the forward convolution's, ``lo = pl``, ``hi = ph``. The kernel is correlated
as it stands unless ``transpose_kernel=True``. The default mode is channels-last with the kernel in NumPy's hands,
which XLA compiles about ten times as fast as channels-first. Modes: jit, abstract by ``jax.eval_shape``, and
gradient by ``jax.vjp``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from harness.frameworks.base import (
    Absent,
    Answer,
    Api,
    Array,
    Call,
    Declined,
    Flag,
    Gradients,
    Integers,
    Mode,
    Pairs,
    Parameter,
    Role,
    ShapeCall,
    Words,
    channels_first,
    channels_last,
    per_axis,
)
from harness.layer import Case, Crop, Layer, Spelling
from harness.records import Forward, Illegal, Orientation, Resolved, Rule, Size, Unspecified
from harness.writing import Lines, environment, keywords

_URL = "https://docs.jax.dev/en/latest/_autosummary/jax.lax.conv_transpose.html"
_URL_GENERAL = "https://docs.jax.dev/en/latest/_autosummary/jax.lax.conv_general_dilated.html"
_FORWARD = Rule("'SAME' and 'VALID' strings are interpreted as the padding of the corresponding forward conv", _URL)
_CONSISTENT = Rule(
    "With use_consistent_padding=True, padding is interpreted as the padding of the corresponding forward conv, so "
    "that conv_transpose becomes the gradient of conv when given the same padding and stride arguments.",
    _URL,
)
_FORMULA = (
    "the padded, lhs-dilated input's size minus the dilated kernel's, plus 1, is the output's, and no size is negative"
)
_GROUPS = Rule("feature_group_count must divide the channels of the input and of the output", _URL_GENERAL)
_LAYOUTS = {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NHWDC", "HWDIO", "NHWDC")}


class _Lax(Api):
    """What the two functions share: channels-last arrays, jit and eval_shape, and no bias."""

    framework = "jax"
    distributions = ("jax",)
    module = "jax"
    extra = "jax"
    modes = (
        Mode("jit", "under jax.jit"),
        Mode("abstract", "in jax.eval_shape", abstract=True),
        Mode("gradient", "under jax.vjp", gradient=True, share=True),
    )

    def script(self, case: Case, spelling: Spelling, mode: Mode, *, bias: bool) -> Lines:  # no bias argument
        """The call in a function of its own, for ``jax.jit``, ``jax.eval_shape`` and ``jax.vjp``."""
        dtype = f"jax.numpy.{case.dtype}"
        use = "y = jax.jit(function)(x, weight).block_until_ready()"
        if mode.gradient:
            use = "dx, dweight = jax.jit(lambda x, w, y: jax.vjp(function, x, w)[1](y))(x, weight, cotangent)"
        if mode.abstract:
            x = (case.batch, *case.input_size, spelling["in_channels"])
            shapes = (x, self.native_weight_shape(spelling, case.ndim))
            structs = ", ".join(f"jax.ShapeDtypeStruct({shape}, {dtype})" for shape in shapes)
            use = f"y = jax.eval_shape(function, {structs})"
        return Lines(
            imports=(*environment({"JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu", **mode.environment}), "import jax"),
            array=f"jax.numpy.array({{}}, dtype={dtype})",
            filled=f"jax.numpy.{{}}({{}}, dtype={dtype})",
            call=("def function(x, weight):", f"    return {self._written(spelling, case.ndim)}", use),
            extended="jax.numpy.pad(y, {pairs})",
        )

    def load(self) -> None:
        """Import jax with float64 enabled."""
        import jax

        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")

    def version(self) -> str | None:
        """Version of the loaded jax."""
        import jax

        return str(jax.__version__)

    @property
    def fuses(self) -> bool:
        """``jax.jit``, where a module takes ten milliseconds and a call in it one; a gradient's own loops take more."""
        return self.mode == "jit"

    def alone(self, spelling: Spelling, input_size: Size) -> bool:
        """What the documentation forbids, and where XLA takes an axis for one of groups and ends the process."""
        resolved = self.resolve(spelling, input_size)
        return not isinstance(resolved, Resolved) or _taken_for_groups(resolved.layer)

    def costly(self, spelling: Spelling, input_size: Size) -> bool:
        """Where XLA calls no library but compiles loops: for other dtypes, and where it exchanges input and kernel."""
        resolved = self.resolve(spelling, input_size)
        exchanged = isinstance(resolved, Resolved) and _exchanged(resolved.layer, input_size)
        return self.dtype != "float32" or exchanged

    def apply(self, x: Array, weight: Array, bias: Array | None, spelling: Spelling) -> Answer:  # no bias argument
        """Compile for these shapes and call."""
        return self.apply_many([Call(x, weight, bias, spelling, self.dtype)])[0]

    def apply_many(self, calls: Sequence[Call]) -> list[Answer]:
        """One module of all the calls; the arrays are its arguments, so that none of them is folded into it."""
        functions = [self._function(call.spelling, call.x.ndim - 2) for call in calls]
        arrays = tuple((_native(channels_last(call.x), call.dtype), _native(call.weight, call.dtype)) for call in calls)
        return [channels_first(_answer(output)) for output in _compiled(functions, arrays)]

    def vjp(self, x: Array, weight: Array, bias: Array | None, asked: Spelling, cotangent: Array) -> Gradients:
        """``jax.vjp`` by the input and the kernel, compiled."""
        function = self._function(asked, x.ndim - 2)

        def pulled(x: Any, weight: Any, cotangent: Any) -> Any:
            import jax

            return jax.vjp(function, x, weight)[1](cotangent)

        arrays = tuple(_native(one, self.dtype) for one in (channels_last(x), weight, channels_last(cotangent)))
        dx, dweight = map(_answer, _compiled([pulled], (arrays,))[0])
        return channels_first(dx), dweight, None

    def tidy(self) -> None:
        """``jax.clear_caches``."""
        import jax

        jax.clear_caches()

    @property
    def fuses_shapes(self) -> bool:
        """``jax.eval_shape`` takes a millisecond for each call, and a fifth of it in a batch."""
        return True

    def abstract(self, batch: int, input_size: Size, asked: Spelling) -> tuple[int, ...]:
        """The shape that ``jax.eval_shape`` gives."""
        return self.abstract_many([ShapeCall(batch, input_size, asked, self.dtype)])[0]

    def abstract_many(self, calls: Sequence[ShapeCall]) -> list[tuple[int, ...]]:
        """The shapes that ``jax.eval_shape`` gives for all of them at once."""
        import jax
        import jax.numpy as jnp

        functions = [self._function(call.spelling, len(call.input_size)) for call in calls]

        def structs(call: ShapeCall) -> tuple[Any, Any]:
            x = (call.batch, *call.input_size, call.spelling["in_channels"])
            shapes = (x, self.native_weight_shape(call.spelling, len(call.input_size)))
            images, weight = (jax.ShapeDtypeStruct(shape, jnp.dtype(call.dtype)) for shape in shapes)
            return images, weight

        found = jax.eval_shape(_each(functions), tuple(map(structs, calls)))
        return [(one.shape[0], one.shape[-1], *one.shape[1:-1]) for one in found]

    def _function(self, spelling: Spelling, ndim: int) -> Any:
        raise TypeError(f"{self.name} defines no function")

    def _written(self, spelling: Spelling, ndim: int) -> str:
        """What ``_function`` returns, as text."""
        raise TypeError(f"{self.name} defines no function")

    def _crops(self, layer: Layer, spelling: Spelling) -> tuple[Crop, ...]:
        pairs = zip(layer.effective_kernel_size, spelling["padding"], strict=True)
        return tuple(Crop(e - 1 - pa, e - 1 - pb) for e, (pa, pb) in pairs)

    def _cropped(self, layer: Layer, crops: tuple[Crop, ...], input_size: Size) -> Layer | Illegal:
        spare = _spare(layer, input_size)
        crops = tuple(Crop(lo, hi - more) for (lo, hi), more in zip(crops, spare, strict=True))
        layer = layer.replace(padding=[lo for lo, _ in crops], output_padding=[lo - hi for lo, hi in crops])
        size = layer.output_size(input_size)
        if min(size) < 0:
            return Illegal("negative output size", Rule(f"{_FORMULA}: here it would be {size}", self.documentation))
        return layer


class ConvTranspose(_Lax):
    """``jax.lax.conv_transpose``: pairs, SAME, VALID; no groups."""

    name = "jax.lax.conv_transpose"
    documentation = _URL
    parameters = (
        Parameter("in_channels", Role.IN_CHANNELS, (Integers(1, per_axis=False),), carried=True),
        Parameter("out_channels", Role.OUT_CHANNELS, (Integers(1, per_axis=False),), carried=True),
        Parameter("kernel_size", Role.KERNEL_SIZE, (Integers(1),), carried=True),
        Parameter("strides", Role.STRIDE, (Integers(1),)),
        Parameter(
            "padding",
            Role.PADDING,
            (Pairs(None), Words({"SAME": "forward SAME, n*s", "VALID": "forward VALID, n*s + max(e - s, 0)"})),
        ),
        Parameter("rhs_dilation", Role.DILATION, (Integers(1), Absent("1"))),
        Parameter("transpose_kernel", Role.ORIENTATION, (Flag(), Absent("False: correlate"))),
        Parameter("use_consistent_padding", Role.CONVENTION, (Flag(), Absent("False: pad the zero-inserted input"))),
    )

    def resolve(self, spelling: Spelling, input_size: Size) -> Resolved | Illegal | Unspecified:
        """Strings and consistent pairs by the forward convolution, other pairs on the zero-inserted input."""
        ndim = len(input_size)
        if violation := self.violation(spelling, ndim):
            return violation
        layer = Layer(
            spelling["in_channels"],
            spelling["out_channels"],
            spelling["kernel_size"],
            spelling["strides"],
            dilation=spelling.get("rhs_dilation") or 1,
            bias=False,
            ndim=ndim,
        )
        cropped = self._cropped(layer, self._crops(layer, spelling), input_size)
        if isinstance(cropped, Illegal):
            return cropped
        kernel = Orientation.TRANSPOSED if spelling.get("transpose_kernel") else Orientation.CORRELATION
        return Resolved(cropped, kernel, _forward(spelling, cropped))

    def candidates(self, layer: Layer, input_size: Size) -> Iterator[Spelling]:
        """The strings, the pairs, and the pairs of the forward convolution."""
        if layer.groups > 1:
            return
        for padding in ("SAME", "VALID"):
            yield self._spell(layer, padding)
        yield self.widest(layer, input_size)

    def widest(self, layer: Layer, input_size: Size) -> Spelling:
        """Pairs reach every crop."""
        return self._spell(layer, _pairs(layer, input_size))

    def default_spelling(self, layer: Layer, input_size: Size) -> Spelling | None:  # a word fits any size
        """The word that porters take for the padding: SAME for some, VALID for none."""
        return self._spell(layer, "SAME" if max(layer.padding) > 0 else "VALID")

    def limit(self, case: Case) -> str | None:
        """Groups have no argument."""
        if case.layer is not None and case.layer.groups > 1:
            return f"conv_transpose has no argument for groups ({_URL})"
        return None

    def native_weight_shape(self, spelling: Spelling, ndim: int) -> tuple[int, ...]:
        """``(*k, C_in, C_out)``, with the channels exchanged where ``transpose_kernel=True``."""
        channels = (spelling["in_channels"], spelling["out_channels"])
        order = channels[::-1] if spelling.get("transpose_kernel") else channels
        return (*per_axis(spelling["kernel_size"], ndim), *order)

    def native_weight(self, weight: Array, spelling: Spelling) -> Array:
        """Flipped and (*k, C_in, C_out) for the default; PyTorch's orientation for ``transpose_kernel=True``."""
        if spelling.get("transpose_kernel"):
            return np.moveaxis(weight, (0, 1), (-1, -2))
        return np.moveaxis(np.flip(weight, tuple(range(2, weight.ndim))), (0, 1), (-2, -1))

    def _crops(self, layer: Layer, spelling: Spelling) -> tuple[Crop, ...]:
        padding = spelling["padding"]
        if not isinstance(padding, str):
            return (
                tuple(map(Crop._make, padding))
                if spelling.get("use_consistent_padding")
                else super()._crops(layer, spelling)
            )
        axes = zip(layer.effective_kernel_size, layer.stride, strict=True)
        return tuple(_word_crop(padding, e, s) for e, s in axes)

    def _spell(self, layer: Layer, padding: Any) -> Spelling:
        return Spelling(
            self.name,
            {
                "in_channels": layer.in_channels,
                "out_channels": layer.out_channels,
                "kernel_size": layer.kernel_size,
                "strides": layer.stride,
                "padding": padding,
                "rhs_dilation": layer.dilation,
            },
        )

    def _written(self, spelling: Spelling, ndim: int) -> str:
        names = ("transpose_kernel", "use_consistent_padding")
        options = {k: v for k, v in spelling.arguments if k in names and v is not None}
        strides, padding = per_axis(spelling["strides"], ndim), spelling["padding"]
        others = keywords({**_dilation(spelling, ndim), "dimension_numbers": _LAYOUTS[ndim], **options})
        return f"jax.lax.conv_transpose(x, weight, {strides}, {padding!r}, {others})"

    def _function(self, spelling: Spelling, ndim: int) -> Any:
        import jax

        options = {
            k: v for k, v in spelling.arguments if k in ("transpose_kernel", "use_consistent_padding") and v is not None
        }
        if missing := [name for name in options if name not in _known_arguments()]:
            raise Declined(f"jax {jax.__version__} has no argument {missing[0]}")
        dilation = spelling.get("rhs_dilation")

        def function(x: Any, weight: Any) -> Any:
            return jax.lax.conv_transpose(
                x,
                weight,
                per_axis(spelling["strides"], ndim),
                spelling["padding"],
                rhs_dilation=None if dilation is None else per_axis(dilation, ndim),
                dimension_numbers=_LAYOUTS[ndim],
                **options,
            )

        return function


class ConvGeneralDilated(_Lax):
    """``jax.lax.conv_general_dilated`` with ``lhs_dilation``: every layer, groups too."""

    name = "jax.lax.conv_general_dilated"
    documentation = _URL_GENERAL
    parameters = (
        Parameter("in_channels", Role.IN_CHANNELS, (Integers(1, per_axis=False),), carried=True),
        Parameter("out_channels", Role.OUT_CHANNELS, (Integers(1, per_axis=False),), carried=True),
        Parameter("kernel_size", Role.KERNEL_SIZE, (Integers(1),), carried=True),
        Parameter("padding", Role.PADDING, (Pairs(None),)),
        Parameter("lhs_dilation", Role.STRIDE, (Integers(1),)),
        Parameter("rhs_dilation", Role.DILATION, (Integers(1), Absent("1"))),
        Parameter("feature_group_count", Role.GROUPS, (Integers(1, per_axis=False), Absent("1"))),
    )

    def resolve(self, spelling: Spelling, input_size: Size) -> Resolved | Illegal | Unspecified:
        """Pairs pad the zero-inserted input; the kernel is correlated; there is no forward twin."""
        ndim = len(input_size)
        if violation := self.violation(spelling, ndim):
            return violation
        groups = spelling.get("feature_group_count") or 1
        if spelling["in_channels"] % groups or spelling["out_channels"] % groups:
            return Illegal("groups do not divide the channels", _GROUPS)
        layer = Layer(
            spelling["in_channels"],
            spelling["out_channels"],
            spelling["kernel_size"],
            spelling["lhs_dilation"],
            dilation=spelling.get("rhs_dilation") or 1,
            groups=groups,
            bias=False,
            ndim=ndim,
        )
        cropped = self._cropped(layer, self._crops(layer, spelling), input_size)
        return cropped if isinstance(cropped, Illegal) else Resolved(cropped, Orientation.CORRELATION)

    def candidates(self, layer: Layer, input_size: Size) -> Iterator[Spelling]:
        """One wording reaches every crop."""
        yield self.widest(layer, input_size)

    def widest(self, layer: Layer, input_size: Size) -> Spelling:
        """Pairs reach every crop."""
        return Spelling(
            self.name,
            {
                "in_channels": layer.in_channels,
                "out_channels": layer.out_channels,
                "kernel_size": layer.kernel_size,
                "padding": _pairs(layer, input_size),
                "lhs_dilation": layer.stride,
                "rhs_dilation": layer.dilation,
                "feature_group_count": layer.groups,
            },
        )

    def native_weight_shape(self, spelling: Spelling, ndim: int) -> tuple[int, ...]:
        """``(*k, C_in / groups, C_out)``."""
        groups = spelling.get("feature_group_count") or 1
        kernel = per_axis(spelling["kernel_size"], ndim)
        return (*kernel, spelling["in_channels"] // groups, spelling["out_channels"])

    def native_weight(self, weight: Array, spelling: Spelling) -> Array:
        """Flipped, with the groups moved from the input to the output channels."""
        groups = spelling.get("feature_group_count") or 1
        inputs, outputs, *kernel = weight.shape
        flipped = np.flip(weight, tuple(range(2, weight.ndim))).reshape(groups, inputs // groups, outputs, *kernel)
        grouped = np.moveaxis(flipped, 1, 0).reshape(inputs // groups, groups * outputs, *kernel)
        return np.moveaxis(grouped, (0, 1), (-2, -1))

    def _written(self, spelling: Spelling, ndim: int) -> str:
        groups = spelling.get("feature_group_count")
        others = {
            "lhs_dilation": per_axis(spelling["lhs_dilation"], ndim),
            **_dilation(spelling, ndim),
            "dimension_numbers": _LAYOUTS[ndim],
            **({} if groups is None else {"feature_group_count": groups}),
        }
        return f"jax.lax.conv_general_dilated(x, weight, {(1,) * ndim}, {spelling['padding']!r}, {keywords(others)})"

    def _function(self, spelling: Spelling, ndim: int) -> Any:
        import jax

        dilation = spelling.get("rhs_dilation")

        def function(x: Any, weight: Any) -> Any:
            return jax.lax.conv_general_dilated(
                x,
                weight,
                (1,) * ndim,
                spelling["padding"],
                lhs_dilation=per_axis(spelling["lhs_dilation"], ndim),
                rhs_dilation=None if dilation is None else per_axis(dilation, ndim),
                dimension_numbers=_LAYOUTS[ndim],
                feature_group_count=1
                if spelling.get("feature_group_count") is None
                else spelling["feature_group_count"],
            )

        return function


APIS = (ConvTranspose, ConvGeneralDilated)


@cache
def _known_arguments() -> tuple[str, ...]:
    import inspect

    import jax

    return tuple(inspect.signature(jax.lax.conv_transpose).parameters)


def _compiled(functions: Sequence[Any], arrays: tuple[tuple[Array, ...], ...]) -> tuple[Any, ...]:
    """Each function of its arrays, compiled together ahead of time, so that no cache keeps the module."""
    import jax

    outputs: tuple[Any, ...] = jax.jit(_each(functions)).lower(arrays).compile()(arrays)
    return outputs


def _each(functions: Sequence[Any]) -> Any:
    """One function of all the arguments."""

    def fused(arguments: tuple[tuple[Any, ...], ...]) -> tuple[Any, ...]:
        return tuple(function(*given) for function, given in zip(functions, arguments, strict=True))

    return fused


def _taken_for_groups(layer: Layer) -> bool:
    """Whether an axis has what XLA's ``conv_operand_swapper`` looks for: it is left as it is when all others change."""
    return layer.groups == 1 and any(map(_like_groups, layer.kernel_size, layer.stride, layer.dilation, layer.crops))


def _like_groups(k: int, s: int, d: int, crop: Crop) -> bool:
    return k == s == 2 and d == 1 and crop == (1, 1)


def _exchanged(layer: Layer, input_size: Size) -> bool:
    """Whether ``conv_operand_swapper`` makes the input the kernel: where that has fewer elements, as it counts them."""
    kernel = reach = 1
    axes = zip(input_size, layer.kernel_size, layer.stride, layer.dilation, layer.crops, strict=True)
    for n, k, s, d, crop in axes:
        contracted = k == n and s == d == 1 and crop == (k - 1, k - 1)
        if not contracted and not _like_groups(k, s, d, crop):
            kernel *= k
            reach *= k if n == d == 1 and crop == (0, 0) else n
    return layer.groups == 1 and kernel > reach


def _native(array: Array, dtype: str) -> Array:
    """bfloat16, too, is one of JAX's NumPy dtypes."""
    import jax.numpy as jnp

    return np.asarray(array, jnp.dtype(dtype))


def _answer(array: Any) -> Answer:
    values = np.asarray(array)
    name = values.dtype.name
    return Answer(values.astype(np.float32) if name == "bfloat16" else values, name)


def _dilation(spelling: Spelling, ndim: int) -> dict[str, tuple[int, ...]]:
    dilation = spelling.get("rhs_dilation")
    return {} if dilation is None else {"rhs_dilation": per_axis(dilation, ndim)}


def _spare(layer: Layer, input_size: Size) -> tuple[int, ...]:
    """What XLA's size has above the formula's: no holes stand beside the elements of an empty axis."""
    return tuple(s - 1 if n == 0 else 0 for n, s in zip(input_size, layer.stride, strict=True))


def _pairs(layer: Layer, input_size: Size) -> tuple[tuple[int, int], ...]:
    """The padding of the zero-inserted input that makes the layer's crop."""
    axes = zip(layer.effective_kernel_size, layer.crops, _spare(layer, input_size), strict=True)
    return tuple((e - 1 - lo, e - 1 - hi - more) for e, (lo, hi), more in axes)


def _word_crop(word: str, e: int, s: int) -> Crop:
    """The crop of a string, from JAX's own padding of the zero-inserted input."""
    if word == "SAME":
        total = e + s - 2
        before = e - 1 if s > e - 1 else -(-total // 2)
    else:
        total = e + s - 2 + max(e - s, 0)
        before = e - 1
    return Crop(e - 1 - before, e - 1 - (total - before))


def _forward(spelling: Spelling, layer: Layer) -> Forward | None:
    padding = spelling["padding"]
    if padding == "SAME":
        return Forward(None, _FORWARD)
    if padding == "VALID":
        return Forward((0,) * layer.ndim, _FORWARD)
    if spelling.get("use_consistent_padding"):
        return Forward(tuple(pl + ph for pl, ph in padding), _CONSISTENT)
    return None
