"""What the calls of XLA's convolution have in common, whoever spells them: ``jax.lax`` and the layers around it.

Arrays are channels-last with the kernel in NumPy's hands, which XLA compiles about ten times as fast as channels-first.
Modes: jit, abstract by ``jax.eval_shape``, and gradient by ``jax.vjp``. Padding is that of the zero-inserted input: a
pair ``(pa, pb)`` is the crop ``lo = e - 1 - pa``, ``hi = e - 1 - pb``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from harness.frameworks.base import (
    Answer,
    Api,
    Array,
    Call,
    Gradients,
    Mode,
    Role,
    ShapeCall,
    channels_first,
    channels_last,
)
from harness.layer import Case, Crop, Layer, Spelling
from harness.layout import Layout
from harness.records import Illegal, Resolved, Rule, Size
from harness.writing import Lines, environment

_FORMULA = (
    "the padded, lhs-dilated input's size minus the dilated kernel's, plus 1, is the output's, and no size is negative"
)


class Lax(Api):
    """Channels-last arrays, jit and eval_shape. A subclass says by ``_function`` and ``_written`` what is called."""

    modes = (
        Mode("jit", "under jax.jit"),
        Mode("abstract", "in jax.eval_shape", abstract=True),
        Mode("gradient", "under jax.vjp", gradient=True, share=True),
    )

    #: what a script imports
    _imports: ClassVar[tuple[str, ...]] = ("import jax",)

    def _function(self, spelling: Spelling, ndim: int) -> Any:
        """The call of x, the weight and, if it bears one, the bias, on JAX's arrays, channels-last."""
        raise TypeError(f"{self.name} defines no function")

    def _written(self, spelling: Spelling, ndim: int, *, bias: bool) -> str:
        """The expression that ``_function``'s function returns, as text."""
        raise TypeError(f"{self.name} defines no function")

    def script(self, case: Case, spelling: Spelling, mode: Mode, *, bias: bool) -> Lines:
        """The call in a function of its own, for ``jax.jit``, ``jax.eval_shape`` and ``jax.vjp``."""
        dtype = f"jax.numpy.{case.dtype}"
        names = ["x", "weight", "bias"] if bias else ["x", "weight"]
        given = ", ".join(names)
        use = f"y = jax.jit(function)({given}).block_until_ready()"
        if mode.gradient:
            results = ", ".join(f"d{name}" for name in names)
            use = f"{results} = jax.jit(lambda y, *a: jax.vjp(function, *a)[1](y))(cotangent, {given})"
        if mode.abstract:
            shapes = self._shapes(case.batch, case.input_size, spelling, bias=bias)
            structs = ", ".join(f"jax.ShapeDtypeStruct({shape}, {dtype})" for shape in shapes)
            use = f"y = jax.eval_shape(function, {structs})"
        body = self._written(spelling, case.ndim, bias=bias)
        variables = environment({"JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu", **mode.environment})
        return Lines(
            imports=(*variables, *self._imports),
            array=f"jax.numpy.array({{}}, dtype={dtype})",
            filled=f"jax.numpy.{{}}({{}}, dtype={dtype})",
            call=(f"def function({given}):", f"    return {body}", use),
            extended="jax.numpy.pad(y, {pairs})",
        )

    def load(self) -> None:
        """Import jax with float64 enabled."""
        import jax

        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_platforms", "cpu")

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

    def apply(self, x: Array, weight: Array, bias: Array | None, spelling: Spelling) -> Answer:
        """Compile for these shapes and call."""
        return self.apply_many([Call(x, weight, bias, spelling, self.dtype)])[0]

    def apply_many(self, calls: Sequence[Call]) -> list[Answer]:
        """One module of all the calls; the arrays are its arguments, so that none of them is folded into it."""
        functions = [self._function(call.spelling, call.x.ndim - 2) for call in calls]
        arrays = tuple(_arguments(call.x, call.weight, call.bias, call.dtype) for call in calls)
        return [channels_first(_answer(output)) for output in _compiled(functions, arrays)]

    def vjp(self, x: Array, weight: Array, bias: Array | None, asked: Spelling, cotangent: Array) -> Gradients:
        """``jax.vjp`` by the input, the kernel and the bias of the call, compiled."""
        function = self._function(asked, x.ndim - 2)

        def pulled(cotangent: Any, *arguments: Any) -> Any:
            import jax

            return jax.vjp(function, *arguments)[1](cotangent)

        back = _native(channels_last(cotangent), self.dtype)
        arrays = ((back, *_arguments(x, weight, bias, self.dtype)),)
        dx, dweight, *dbias = map(_answer, _compiled([pulled], arrays)[0])
        return channels_first(dx), dweight, dbias[0] if dbias else None

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

        def structs(call: ShapeCall) -> tuple[Any, ...]:
            bias = self.bears_bias(call.spelling)
            shapes = self._shapes(call.batch, call.input_size, call.spelling, bias=bias)
            return tuple(jax.ShapeDtypeStruct(shape, jnp.dtype(call.dtype)) for shape in shapes)

        found = jax.eval_shape(_each(functions), tuple(map(structs, calls)))
        return [(one.shape[0], one.shape[-1], *one.shape[1:-1]) for one in found]

    def _shapes(self, batch: int, input_size: Size, spelling: Spelling, *, bias: bool) -> tuple[tuple[int, ...], ...]:
        """The shapes of x, the weight and, where the call is given one, the bias."""
        x = (batch, *input_size, self.role(spelling, Role.IN_CHANNELS))
        weight = self.native_weight_shape(spelling, len(input_size))
        return (x, weight, (self.role(spelling, Role.OUT_CHANNELS),)) if bias else (x, weight)

    def _cropped(self, layer: Layer, crops: tuple[Crop, ...], input_size: Size) -> Layer | Illegal:
        """The layer with these crops as XLA counts them, or what is wrong with them."""
        spare = _spare(layer, input_size)
        crops = tuple(Crop(lo, hi - more) for (lo, hi), more in zip(crops, spare, strict=True))
        layer = layer.replace(padding=[lo for lo, _ in crops], output_padding=[lo - hi for lo, hi in crops])
        size = layer.output_size(input_size)
        if min(size) < 0:
            return Illegal("negative output size", Rule(f"{_FORMULA}: here it would be {size}", self.documentation))
        return layer


class Transposing(Lax):
    """What ``jax.lax.conv_transpose`` and its wrappers share: SAME, VALID and pairs, ``transpose_kernel``, no groups.

    A subclass says by ``_spell`` how it writes a layer with a padding.
    """

    def _spell(self, layer: Layer, padding: Any) -> Spelling:
        """The layer in the API's own words, its crop by ``padding``."""
        raise TypeError(f"{self.name} spells no layer")

    def candidates(self, layer: Layer, input_size: Size) -> Iterator[Spelling]:
        """The words, then the numbers."""
        if layer.groups == 1:
            for padding in (*self._words(layer), *self._numbers(layer, input_size)):
                yield self._spell(layer, padding)

    def default_spelling(self, layer: Layer, input_size: Size) -> Spelling | None:
        """The word that porters take for the padding: SAME for some, VALID for none."""
        word = "SAME" if max(layer.padding) > 0 else "VALID"
        return self._spell(layer, word) if word in self._words(layer) else None

    def _words(self, layer: Layer) -> tuple[str, ...]:
        """The words whose meaning for the layer is certain."""
        return ("SAME", "VALID")

    def _numbers(self, layer: Layer, input_size: Size) -> tuple[Any, ...]:
        """The paddings that make the layer's crop, the most usual first."""
        return (padding_pairs(layer, input_size),)

    def limit(self, case: Case) -> str | None:
        """Groups have no argument."""
        if case.layer is not None and case.layer.groups > 1:
            return f"{self.name.rpartition('.')[2]} has no argument for groups ({self.documentation})"
        return None

    def layout(self, spelling: Spelling) -> Layout:
        """``(*k, C_in, C_out)``, flipped; by ``transpose_kernel`` not flipped, with the channels exchanged."""
        return Layout("*OI") if spelling.get("transpose_kernel") else Layout("*IO", flipped=True)


def padding_pairs(layer: Layer, input_size: Size) -> tuple[tuple[int, int], ...]:
    """The padding of the zero-inserted input that makes the layer's crop.

    >>> padding_pairs(Layer(kernel_size=4, stride=2, padding=1, ndim=1), (3,))
    ((2, 2),)
    """
    axes = zip(layer.effective_kernel_size, layer.crops, _spare(layer, input_size), strict=True)
    return tuple((e - 1 - lo, e - 1 - hi - more) for e, (lo, hi), more in axes)


def crops_of_pairs(layer: Layer, pairs: Sequence[tuple[int, int]]) -> tuple[Crop, ...]:
    """The crops that pairs on the zero-inserted input make, on axes with elements.

    >>> crops_of_pairs(Layer(kernel_size=4, ndim=1), [(2, 3)])
    (Crop(lo=1, hi=0),)
    """
    return tuple(Crop(e - 1 - pa, e - 1 - pb) for e, (pa, pb) in zip(layer.effective_kernel_size, pairs, strict=True))


def crops_of_word(layer: Layer, word: str) -> tuple[Crop, ...]:
    """The crops of SAME or VALID, from JAX's own padding of the zero-inserted input.

    >>> crops_of_word(Layer(kernel_size=3, stride=2, ndim=1), "SAME")
    (Crop(lo=0, hi=1),)
    """
    axes = zip(layer.effective_kernel_size, layer.stride, strict=True)
    return tuple(_word_crop(word, e, s) for e, s in axes)


def _word_crop(word: str, e: int, s: int) -> Crop:
    if word == "SAME":
        total = e + s - 2
        before = e - 1 if s > e - 1 else -(-total // 2)
    else:
        total = e + s - 2 + max(e - s, 0)
        before = e - 1
    return Crop(e - 1 - before, e - 1 - (total - before))


def _spare(layer: Layer, input_size: Size) -> tuple[int, ...]:
    """What XLA's size has above the formula's: no holes stand beside the elements of an empty axis."""
    return tuple(s - 1 if n == 0 else 0 for n, s in zip(input_size, layer.stride, strict=True))


def _arguments(x: Array, weight: Array, bias: Array | None, dtype: str) -> tuple[Array, ...]:
    given = (channels_last(x), weight) if bias is None else (channels_last(x), weight, bias)
    return tuple(_native(one, dtype) for one in given)


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
