"""Flax modules: nnx's hold their weights; linen's have them in variables, and are seen while the model is called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.audit.found import FoundLayer, Model, SkippedLayer
from harness.audit.readers.arrays import NoWeight, as_floats
from harness.audit.readers.request import Request
from harness.errors import UsageError
from harness.frameworks.flax import LinenConvTranspose, NnxConvTranspose
from harness.layer import Spelling

_WORDS = ("kernel_size", "strides", "padding", "kernel_dilation", "use_bias", "transpose_kernel")


def of_linen(made: Any, request: Request) -> Model:
    """The transposed convolutions that a linen module calls; ``made`` is a module, or a module with its variables.

    Raises:
        UsageError: no shape of an input is given, or the model does not take it.
    """
    import jax
    from flax import linen

    if request.input_shape is None:
        shape = "give the shape of an input, (N, *n, C)"
        raise UsageError(f"{request.source}: a linen module makes its layers when it is called: {shape}")
    model, variables = made if isinstance(made, tuple) else (made, None)
    found: dict[str, FoundLayer | SkippedLayer] = {}

    def seen(function: Any, args: Any, kwargs: Any, context: Any) -> Any:
        result = function(*args, **kwargs)
        module = context.module
        if isinstance(module, linen.ConvTranspose) and context.method_name == "__call__":
            name = ".".join(module.path) or type(module).__name__
            found.setdefault(name, _linen_layer(name, module, np.shape(args[0]), drawn=variables is None))
        return result

    with linen.intercept_methods(seen):
        images = np.zeros(request.input_shape, np.float32)
        _called(
            request,
            lambda: model.init(jax.random.key(0), images) if variables is None else model.apply(variables, images),
        )
    return _model(request, found.values())


def of_nnx(made: Any, request: Request) -> Model:
    """The transposed convolutions that an nnx module holds; their input sizes where an input's shape is given.

    Raises:
        UsageError: the model does not take the shape.
    """
    from flax import nnx

    shapes: dict[int, tuple[int, ...]] = {}
    if request.input_shape is not None:
        plain = nnx.ConvTranspose.__call__

        def watched(self: Any, inputs: Any) -> Any:
            shapes.setdefault(id(self), inputs.shape)
            return plain(self, inputs)

        nnx.ConvTranspose.__call__ = watched
        try:
            _called(request, lambda: made(np.zeros(request.input_shape, np.float32)))
        finally:
            nnx.ConvTranspose.__call__ = plain
    return _model(request, _held(made, shapes))


def _held(made: Any, shapes: dict[int, tuple[int, ...]]) -> Iterator[FoundLayer | SkippedLayer]:
    from flax import nnx

    for path, module in nnx.iter_modules(made):
        if isinstance(module, nnx.ConvTranspose):
            name = ".".join(map(str, path)) or type(module).__name__
            yield _nnx_layer(name, module, shapes.get(id(module)))


def _model(request: Request, found: Any) -> Model:
    found = tuple(found)
    layers = tuple(one for one in found if isinstance(one, FoundLayer))
    return Model(request.source, layers, tuple(one for one in found if isinstance(one, SkippedLayer)))


def _called(request: Request, call: Any) -> None:
    try:
        call()
    except Exception as error:  # whatever a model says of an input
        shape = request.input_shape
        raise UsageError(f"{request.source}: cannot be called with an input of shape {shape}: {error}") from None


def _linen_layer(name: str, module: Any, shape: tuple[int, ...], *, drawn: bool) -> FoundLayer | SkippedLayer:
    held = module.variables["params"]
    channels = {"in_features": shape[-1], "features": module.features}
    note = ("its weight is as it is initialised: make the module together with its variables",) if drawn else ()
    return _layer(LinenConvTranspose(), name, module, channels, held["kernel"], held.get("bias"), shape, note)


def _nnx_layer(name: str, module: Any, shape: tuple[int, ...] | None) -> FoundLayer | SkippedLayer:
    channels = {"in_features": module.in_features, "out_features": module.out_features}
    bias = None if module.bias is None else module.bias[...]
    return _layer(NnxConvTranspose(), name, module, channels, module.kernel[...], bias, shape, ())


def _layer(
    api: LinenConvTranspose | NnxConvTranspose,
    name: str,
    module: Any,
    channels: dict[str, int],
    kernel: Any,
    bias: Any,
    shape: tuple[int, ...] | None,
    notes: tuple[str, ...],
) -> FoundLayer | SkippedLayer:
    """A module in the words of its API; skipped where its weight is masked or not the one that its words say."""
    if not type(module).__module__.startswith("flax."):
        notes = (*notes, f"{type(module).__name__} is a class of its own: what it adds is outside the layer")
    ndim = 1 if isinstance(module.kernel_size, int) else len(module.kernel_size)
    words = {word: getattr(module, word) for word in _WORDS}
    spelling = Spelling(api.name, {**channels, **words})
    size = None if shape is None else tuple(int(n) for n in shape[-1 - ndim : -1])
    try:
        if module.mask is not None:
            raise NoWeight("its weight is masked, which no argument elsewhere says")
        weight = as_floats(np.asarray(kernel))
        if weight.shape != (wanted := api.native_weight_shape(spelling, ndim)):
            raise NoWeight(f"its weight has the shape {weight.shape}, but the module says {wanted}")
        numbers = None if bias is None else as_floats(np.asarray(bias))
    except NoWeight as why:
        return SkippedLayer(name, str(why))
    return FoundLayer(name, spelling, ndim, size, weight, numbers, (), notes)
