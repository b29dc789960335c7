"""``read_model``: what is asked for is looked at here, as far as that needs no opening of a model."""

from __future__ import annotations

from pathlib import Path

from harness.audit.found import FoundLayer, Model
from harness.audit.readers.apart import Limits, read_apart
from harness.audit.readers.files import check_file
from harness.audit.readers.handed import shortened
from harness.audit.readers.layer_file import SUFFIXES, read_layers
from harness.audit.readers.request import FACTORY, Kind, Request, kind_of
from harness.errors import UsageError

#: bytes that the slowest reading takes in a second
_SLOW = 10 * 2**20


def read_model(
    path_or_factory: str,
    *,
    layer_file: Path | None = None,
    trust: bool = False,
    input_shape: tuple[int, ...] | None = None,
    limits: Limits | None = None,
) -> Model:
    """Every transposed convolution of a model, read in a process of its own.

    A file of layers (.json, .toml) is a model without weights. A state dict and a safetensors file have weights but
    no layers: ``layer_file`` names them. ``input_shape`` is the shape (N, C, *n), of the model's first input, where
    the model does not say it. What runs code of the model is read only where ``trust`` says so.

    Raises:
        UsageError: one line with the value, the rule and what to do.
    """
    try:
        if Path(path_or_factory).suffix.lower() in SUFFIXES:
            return _written(path_or_factory)
        kind = kind_of(path_or_factory)
        _check(path_or_factory, kind, layer_file, input_shape, trust=trust)
        layers = () if layer_file is None else read_layers(layer_file)
        request = Request(path_or_factory, kind.module, layers, input_shape)
    except UsageError as error:
        raise UsageError(shortened(str(error))) from None
    return read_apart(request, limits or _limits(kind, Path(path_or_factory)))


def _limits(kind: Kind, path: Path) -> Limits:
    """Code may take its time; a file that is only read takes what a slow disk does, or its reader is at a loss."""
    return Limits() if kind.runs_code else Limits(seconds=60 + path.stat().st_size / _SLOW)


def _written(path: str) -> Model:
    """The layers of a layer file alone."""
    layers = read_layers(Path(path))
    return Model(path, tuple(FoundLayer(one.name, one.spelling, one.ndim, one.input_size) for one in layers))


def _check(
    source: str, kind: Kind, layer_file: Path | None, input_shape: tuple[int, ...] | None, *, trust: bool
) -> None:
    """Whether the arguments fit the kind, and the file is one."""
    if kind is not FACTORY:
        check_file(Path(source))
    if kind.runs_code and not trust:
        raise UsageError(f"{source}: {kind.runs_code}; if you trust it, say --trust")
    if kind.needs_layers and layer_file is None:
        example = '[{"name": "decoder.up1", "layer": "ConvTranspose2d(64, 32, 4, stride=2)", "from": "torch"}]'
        raise UsageError(f"{source}: has weights but no layers: name them in a file, --layer-file FILE: {example}")
    if not kind.needs_layers and layer_file is not None:
        raise UsageError(f"{source}: {kind.called} says its layers itself: leave --layer-file {layer_file} out")
    if input_shape is not None and not kind.takes_shape:
        rule = "says its input sizes itself, or in the layer file"
        raise UsageError(f"{source}: {kind.called} {rule}: leave the input shape {input_shape} out")
