"""A call of a source and its naive port as text that can be run: whether each gives what was foretold of it."""

from __future__ import annotations

from harness.audit.naive import NaivePort, Taken
from harness.audit.text import BATCH, DEFINITION, Port, first_mode
from harness.frameworks.base import Api
from harness.layer import Case, Layer, Spelling
from harness.layout import CANONICAL, conversion, transposed
from harness.records import Resolved, Size

_SHAPE = "assert y.shape == {0}.shape, f'shape {{y.shape}}, not {{{0}.shape}}'"
_VALUES = "assert (y == {0}).all(), f'{{(y != {0}).sum()}} of {{y.size}} elements differ'"


def source_text(name: str, source: Api, spelling: Spelling, input_size: Size) -> Port:
    """The call in its source's own words, with the weight as it is: its snippet asserts that it is the definition's.

    Raises:
        ValueError: the source's documentation gives the spelling no meaning.
    """
    return _text(name, source, spelling, _meaning(source, spelling, input_size), input_size, source, spelling)


def naive_text(name: str, source: Api, spelling: Spelling, target: Api, naive: NaivePort, input_size: Size) -> Port:
    """The copied call with the weight's axes in the other order: its snippet asserts that it is the source's layer.

    Raises:
        ValueError: there is no call, or the source gives the spelling no meaning.

    >>> from harness.audit.naive import naive_port
    >>> from harness.frameworks.jax import ConvTranspose as Jax
    >>> from harness.frameworks.torch import ConvTranspose
    >>> source = ConvTranspose()
    >>> words = Spelling(source.name, {"in_channels": 1, "out_channels": 1, "kernel_size": 3, "bias": False})
    >>> port = naive_text("up", source, words, Jax(), naive_port(source, words, Jax(), (4,)), (4,))
    >>> port.convert
    'np.transpose(weight, (2, 0, 1))'
    """
    if naive.spelling is None:
        raise ValueError(f"no call to {target.name}: {naive.reason}")
    layer = _meaning(source, spelling, input_size)
    return _text(name, source, spelling, layer, input_size, target, naive.spelling)


def foretold(port: Port, target: Api, naive: NaivePort) -> str:
    """A program that runs a naive port and asserts what was foretold of it.

    Where the target takes the call, its output is the definition's of what the target makes of it, which has the
    source's size, and the source's values, where that was foretold. Where its documentation forbids the call, it
    fails or gives nothing; where it gives it no meaning, it fails or gives other values.
    """
    body = _taken(port, target, naive) if naive.taken is Taken.YES else _refused(port, naive)
    (size,) = port.trials
    parts = [port.imports, port.functions(), DEFINITION.splitlines(), [*port.given(), port.x(repr(size)), *body]]
    return "\n\n\n".join("\n".join(part) for part in parts) + "\n"


def _taken(port: Port, target: Api, naive: NaivePort) -> list[str]:
    assert naive.spelling is not None and naive.layer is not None, "it is taken"  # noqa: S101, PT018 # by the caller
    layer = naive.layer.replace(bias=port.layer.bias)
    (size,) = port.trials
    if 0 in layer.output_size(size):
        return [*port.call(), "assert y.size == 0, f'shape {y.shape}, not an empty one'"]
    weight = conversion(f"convert_weight_{port.name}(weight)", target.layout(naive.spelling), CANONICAL, layer)
    same = "==" if naive.size_equal else "!="
    value = [_VALUES.format("expected")] if naive.value_equal else []
    return [
        *port.call(),
        port.expected("found", _crop(layer), layer, weight),
        _SHAPE.format("found"),
        _VALUES.format("found"),
        port.expected("expected", _crop(port.layer)),
        f"assert y.shape[2:] {same} expected.shape[2:], f'shape {{y.shape}} beside {{expected.shape}}'",
        *value,
    ]


def _refused(port: Port, naive: NaivePort) -> list[str]:
    lines = [f"    {line}" for line in port.call()]
    tried = ["try:", *lines, "except Exception:", "    y = None"]
    if naive.taken is Taken.REFUSED:
        return [*tried, "assert y is None or y.size == 0, f'it gave an output of shape {y.shape}'"]
    said = "'it gave the values that are wanted'"
    return [
        *tried,
        port.expected("expected", _crop(port.layer)),
        f"assert y is None or y.shape != expected.shape or (y != expected).any(), {said}",
    ]


def _crop(layer: Layer) -> str:
    return str([tuple(crop) for crop in layer.crops])


def _meaning(source: Api, spelling: Spelling, input_size: Size) -> Layer:
    resolved = source.resolve(spelling, input_size)
    if not isinstance(resolved, Resolved):
        raise ValueError(f"{source.name} gives {spelling} no meaning")
    return resolved.layer


def _text(
    name: str, source: Api, spelling: Spelling, layer: Layer, input_size: Size, api: Api, words: Spelling
) -> Port:
    bias = layer.bias and api.bears_bias(words)
    lines = api.script(Case.spelled(words, input_size=input_size, batch=BATCH), words, first_mode(api), bias=bias)
    start, to = source.layout(spelling), api.layout(words)
    call, copied = source.snippet(spelling, input_size), api.snippet(words, input_size)
    return Port(
        name=name,
        said=(f"{call}." if api is source else f"{call} copied as {copied}.",),
        layer=layer,
        trials={input_size: layer},
        start=start,
        convert=transposed("weight", start.permutation(to, layer.ndim)),
        lines=lines,
        after=(lines.biased(layer.ndim),) if layer.bias and not bias else (),
    )
