"""How a call words its crop and its kernel: calls that differ in that are ported differently, so they are told apart.

A wording names, for each argument about padding, output padding, output size, orientation and convention that can be
said in more than one way, in which way it is said: a word, pairs, integers, a flag, or left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from harness.frameworks.base import Absent, Api, Flag, Integers, Pairs, Parameter, Role, Words
from harness.layer import Layer, Spelling
from harness.records import Resolved, Size

#: the arguments that can be said in several ways, each with the way
Wording: TypeAlias = "tuple[tuple[str, str], ...]"

_ROLES = (Role.PADDING, Role.OUTPUT_PADDING, Role.OUTPUT_SIZE, Role.ORIENTATION, Role.CONVENTION)
_PAIRS, _INTEGERS, _LEFT_OUT = "pairs", "integers", "left out"


def words_of(api: Api, spelling: Spelling) -> Wording:
    """The wording of a call.

    >>> from harness.frameworks.jax import ConvTranspose
    >>> words_of(ConvTranspose(), Spelling("jax.lax.conv_transpose", {"padding": "SAME", "transpose_kernel": True}))
    (('padding', "'SAME'"), ('transpose_kernel', 'True'), ('use_consistent_padding', 'False'))
    """
    return tuple((one.name, _way(one, spelling.get(one.name))) for one in _telling(api))


def said(words: Wording) -> str:
    """The wording in one line.

    >>> said((("padding", "'same'"), ("output_padding", "left out")))
    "padding='same', output_padding left out"
    """
    return ", ".join(f"{name}={way}" if way[0] in "'TF" else f"{name} {way}" for name, way in words)


def worded(api: Api, words: Wording, layer: Layer, input_size: Size) -> tuple[Spelling, Layer] | None:
    """A layer in a wording, and what the documentation makes of that; None where no such wording of it is known.

    Numbers say the crop that the layer has. A word says its own crop, whatever the layer's is.

    >>> from harness.frameworks.keras import ConvTranspose
    >>> valid = (("padding", "'valid'"), ("output_padding", "left out"))
    >>> worded(ConvTranspose(), valid, Layer(kernel_size=1, stride=3, padding=5, ndim=1), (4,))[1].crops
    (Crop(lo=0, hi=-2),)
    """
    by_word = any(way.startswith("'") for _, way in words)
    for spelling in _variants(api, dict(words), layer, input_size):
        resolved = api.resolve(spelling, input_size) if words_of(api, spelling) == words else None
        if not isinstance(resolved, Resolved):
            continue
        meant = resolved.layer.replace(bias=layer.bias)
        if meant == (layer.replace(padding=meant.padding, output_padding=meant.output_padding) if by_word else layer):
            return spelling, resolved.layer
    return None


def _telling(api: Api) -> list[Parameter]:
    return [one for one in api.parameters if one.role in _ROLES and len(set(_ways(one))) > 1]


def _ways(parameter: Parameter) -> Iterator[str]:
    """In which ways an argument can be said; a padding that is left out means one of its words or numbers."""
    for domain in parameter.domains:
        match domain:
            case Words(meanings):
                yield from map(repr, meanings)
            case Flag():
                yield from ("False", "True")
            case Pairs():
                yield _PAIRS
            case Integers():
                yield _INTEGERS
            case Absent() if parameter.role not in (Role.PADDING, Role.ORIENTATION, Role.CONVENTION):
                yield _LEFT_OUT


def _way(parameter: Parameter, value: Any) -> str:
    if Flag() in parameter.domains:
        return repr(bool(value))
    if value is None and parameter.role is not Role.PADDING:
        return _LEFT_OUT
    if value is None:
        return next(repr(one.meaning) for one in parameter.domains if isinstance(one, Absent))
    if isinstance(value, str):
        return repr(value)
    return _PAIRS if isinstance(value, tuple) and any(isinstance(one, tuple) for one in value) else _INTEGERS


def _variants(api: Api, words: dict[str, str], layer: Layer, input_size: Size) -> Iterator[Spelling]:
    """The API's own wordings of a layer, with flags and without what may be left out.

    A convention says what pairs count from: by it they are the crop itself.
    """
    flags = {name: True for name, way in words.items() if way == "True"}
    counts = any(one.name in flags and one.role is Role.CONVENTION for one in api.parameters)
    optional = [name for name, way in words.items() if way == _LEFT_OUT]
    for spelling in api.candidates(layer, input_size):
        changed = spelling.replace(**flags)
        if counts and not isinstance(api.role(spelling, Role.PADDING), str):
            changed = changed.replace(padding=tuple(map(tuple, layer.crops)))
        yield Spelling(api.name, {name: value for name, value in changed.arguments if name not in optional})
