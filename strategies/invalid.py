"""``invalid_cases()``: a legal spelling with one rule of its documentation broken on purpose.

What breaks it follows from the vocabulary: a value below its domain, one entry too many, an unknown word, groups that
do not divide, an output padding or an output size outside the forward rule, a padding that leaves no output.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis.strategies import DrawFn, SearchStrategy

from harness.frameworks.base import Api, Domain, Integers, Pairs, Parameter, Role, Words
from harness.layer import Argument, Case, Layer, Spelling
from harness.records import Resolved, Size
from strategies.input import Extent, draw_input_size
from strategies.layer import layers
from strategies.sampling import choose, drawn, number, one_of
from strategies.spelled import check_apis, worded
from strategies.weights import Table


def invalid_cases(apis: Sequence[Api]) -> SearchStrategy[Case]:
    """Cases that break one rule of one of these APIs; their arrays are small.

    Raises:
        InvalidArgument: an entry that is no ``Api`` with a vocabulary, or no entry.

    >>> from hypothesis import find
    >>> from harness.frameworks.torch import ConvTranspose
    >>> case = find(invalid_cases([ConvTranspose()]), lambda case: case.spelling["stride"] == 0)
    >>> ConvTranspose().resolve(case.spelling, case.input_size).code
    'stride outside its domain'
    """
    chosen = one_of(check_apis(apis))

    @drawn
    def case(draw: DrawFn) -> Case:
        api, layer = draw(chosen), draw(_LAYERS)
        input_size = draw_input_size(draw, layer, _EXTENTS)
        legal, resolved = _legal(api, layer, input_size)
        # One rule after the other is broken equally often, however many values break it.
        broken = choose(draw, violations(api, legal, resolved, input_size) or [[legal]])
        spelling = choose(draw, broken)
        return Case.spelled(spelling, input_size=input_size, batch=draw(_BATCHES.at()), seed=draw(_SEED))

    return case


def violations(api: Api, spelling: Spelling, layer: Layer, input_size: Size) -> list[list[Spelling]]:
    """For each domain of each argument, every way to break a legal spelling, which means ``layer``, with one value."""
    written = [
        (parameter, domain) for parameter in api.parameters if not parameter.carried for domain in parameter.domains
    ]
    broken = (
        [spelling.replace(**{parameter.name: value}) for value in _outside(parameter, domain, layer, input_size)]
        for parameter, domain in written
    )
    return [spellings for spellings in broken if spellings]


def _legal(api: Api, layer: Layer, input_size: Size) -> tuple[Spelling, Layer]:
    """A legal spelling and the layer that it means."""
    asked, written = worded(api, layer, input_size)
    spelling = written[0] if written else api.widest(asked, input_size)
    resolved = api.resolve(spelling, input_size)
    return spelling, resolved.layer if isinstance(resolved, Resolved) else asked


def _outside(parameter: Parameter, domain: Domain, layer: Layer, input_size: Size) -> Iterator[Argument]:
    """Values that the domain, or the rule of the parameter's role, forbids."""
    match domain:
        case Integers(least, per_axis):
            yield from _below(parameter.role, least, per_axis, layer)
            yield from _beyond(parameter.role, per_axis, layer, input_size)
        case Pairs(None):
            yield tuple((-full, -full) for full in layer.full_size(input_size))
        case Pairs(int(least)):
            yield ((least, least),) * (layer.ndim - 1) + ((least, least - 1),)
            yield ((least - 1, least),) * layer.ndim
        case Words():
            yield from ("reflect", "full")


def _below(role: Role, least: int | None, per_axis: bool, layer: Layer) -> Iterator[Argument]:
    """Below the least value, on every axis or on the last one; one entry too many."""
    below = () if least is None else (least - 1, least - 2)
    yield from below
    if per_axis:
        yield from (_last_axis(least or 0, value, layer.ndim) for value in below)
        # The kernel's own number of entries is the rank of the weight: another one asks for another array.
        if role is not Role.KERNEL_SIZE:
            yield (max(least or 0, 1),) * (layer.ndim + 1)


def _beyond(role: Role, per_axis: bool, layer: Layer, input_size: Size) -> Iterator[Argument]:
    """Just above what the role's rule allows."""
    if role is Role.GROUPS:
        yield max(layer.in_channels, layer.out_channels) + 1
    full = layer.full_size(input_size)
    axes = zip(layer.stride, layer.dilation, full, layer.output_padding, strict=True)
    above = [_above(role, s, d, f, a) for s, d, f, a in axes]
    if per_axis and None not in above:
        yield tuple(value for value in above if value is not None)
        yield _last_axis(0, above[-1] or 0, layer.ndim) if role is Role.OUTPUT_PADDING else above[0]


def _above(role: Role, s: int, d: int, f: int, a: int) -> int | None:
    if role is Role.OUTPUT_PADDING:
        return max(s, d)
    if role is Role.OUTPUT_SIZE:
        return f + s
    return (f + max(a, 0) + 1) // 2 if role is Role.PADDING else None


def _last_axis(others: int, value: int, ndim: int) -> tuple[int, ...]:
    return (others,) * (ndim - 1) + (value,)


_LAYERS = layers(max_channels=4, max_kernel_size=7, max_stride=4, allow_beyond=False)
_EXTENTS = Table("extent", {Extent.PLAIN: 1})
_BATCHES = Table("batch", {1: 3, 2: 1})
_SEED = number(2**32)
