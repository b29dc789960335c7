"""A torch.nn.Module: its transposed convolutions, and what a call of the model shows of their inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.audit.found import FoundLayer, Model, SkippedLayer
from harness.audit.readers.arrays import NoWeight
from harness.audit.readers.request import Request
from harness.audit.readers.tensors import as_array
from harness.audit.readers.torch_calls import Calls, transposed_kinds, watched
from harness.frameworks.torch import ConvTranspose
from harness.layer import Spelling

_KNOWN = {"_WeightNorm": "weight_norm", "WeightNorm": "weight_norm"}
_KNOWN |= {"_SpectralNorm": "spectral_norm", "SpectralNorm": "spectral_norm"}

#: where PyTorch keeps the hooks that compute a weight before each call
_NORMS = ("torch.nn.utils.weight_norm", "torch.nn.utils.spectral_norm")
_WORDS = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "output_padding", "groups", "dilation")


def of_model(model: Any, request: Request) -> Model:
    """The transposed convolutions among the modules of a model, which is put into evaluation mode.

    Raises:
        UsageError: the model cannot be called with an input of the shape that was given.
    """
    import torch

    model.eval()
    with torch.no_grad():
        calls = watched(model, request) if request.input_shape is not None else Calls()
        found = list(_found(model, calls))
    layers = tuple(one for one in found if isinstance(one, FoundLayer))
    return Model(request.source, layers, tuple(one for one in found if isinstance(one, SkippedLayer)))


def _found(model: Any, calls: Calls) -> Iterator[FoundLayer | SkippedLayer]:
    kinds = transposed_kinds()
    for name, module in model.named_modules():
        name = name or type(module).__name__  # noqa: PLW2901 # the model itself has no name
        if isinstance(module, kinds):
            try:
                yield _layer(name, module, calls)
            except NoWeight as why:
                yield SkippedLayer(name, str(why))
        elif str(getattr(module, "original_name", "")).startswith("ConvTranspose"):
            yield SkippedLayer(name, "a scripted module: make the model without torch.jit")
    for function, count in calls.functions.items():
        reason = f"called as a function ({count}×): export the model to ONNX, or as a program (.pt2)"
        yield SkippedLayer(function, reason)


def _layer(name: str, module: Any, calls: Calls) -> FoundLayer:
    import torch

    if isinstance(module.weight, torch.nn.parameter.UninitializedParameter):
        raise NoWeight("a lazy layer that was never called: give the shape of an input")
    notes = list(_folded(module))
    weight, ndim = as_array(module.weight), len(module.kernel_size)
    bias = None if module.bias is None else as_array(module.bias)
    words = {word: getattr(module, word) for word in _WORDS}
    spelling = Spelling(ConvTranspose.name, {**words, "bias": bias is not None})
    if weight.shape != (wanted := ConvTranspose().native_weight_shape(spelling, ndim)):
        raise NoWeight(f"its weight has the shape {weight.shape}, but the module says {wanted}")
    if all(type(module).forward is not kind.forward for kind in transposed_kinds()):
        notes.append(f"{type(module).__name__} has a forward of its own: what that adds is outside the layer")
    seen = calls.of(module)
    if seen.output_size is not None:
        spelling = spelling.replace(output_size=seen.output_size)
    return FoundLayer(name, spelling, ndim, seen.input_size, weight, bias, seen.cut, (*notes, *seen.notes))


def _folded(module: Any) -> Iterator[str]:
    """What makes the weight, each brought up to date: a hook computes it only before a call."""
    for hook in module._forward_pre_hooks.values():
        if type(hook).__module__ in _NORMS:
            hook(module, ())
            yield f"{_KNOWN.get(type(hook).__name__, type(hook).__name__)} folded"
    parametrized = getattr(module, "parametrizations", None)
    for one in parametrized["weight"] if parametrized is not None and "weight" in parametrized else ():
        yield f"{_KNOWN.get(type(one).__name__, type(one).__name__)} folded"
