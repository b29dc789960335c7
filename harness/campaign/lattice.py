"""The lattice on which cases are reduced: every one-step reduction of a case, the largest steps first.

Coordinates of a layer: number of axes, batch, channels per group of either side, groups, bias, and for each axis n, k,
s, d, p and |a|, each towards its smallest legal value; value kind, seed and dtype stay. Of a spelling: number of
axes, batch, n, and each argument towards the least value of its domain or out of the call. A size of 0 is not simpler
than 1: nothing is to be seen in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from harness.errors import InvalidField
from harness.frameworks.base import Absent, Integers, Pairs, Parameter
from harness.layer import Case, Layer, Spelling
from harness.values import largest_magnitude

#: the per-axis fields of a layer, in the order in which they are reduced, and what they are reduced to
_LEAST = {"kernel_size": 1, "stride": 1, "dilation": 1, "padding": 0, "output_padding": 0}


def reductions(case: Case, parameters: Sequence[Parameter] = ()) -> Iterator[Case]:
    """Every legal case one step below; ``parameters`` is the vocabulary of a spelled case's API.

    Where a smaller stride lets more products meet than the dtype counts exactly, there is no such case.

    >>> [c.layer.kernel_size for c in reductions(Case(Layer(kernel_size=4, bias=False, ndim=1), input_size=1))]
    [(1,), (2,), (3,)]
    """
    for make in _of_layer(case, case.layer) if case.layer is not None else _of_spelling(case, parameters):
        try:
            smaller = make()
        except InvalidField:
            continue
        if _has_arrays(smaller):
            yield smaller


def lower(value: int, least: int) -> tuple[int, ...]:
    """Values between ``value`` and ``least`` to be tried instead: the least, halfway, the next one.

    >>> lower(9, 1), lower(2, 1), lower(-4, 0), lower(1, 1)
    ((1, 5, 8), (1,), (0, -2, -3), ())
    """
    if value == least:
        return ()
    toward = 1 if value > least else -1
    halfway = least + (value - least) // 2 if toward > 0 else least - (least - value) // 2
    return tuple(dict.fromkeys(v for v in (least, halfway, value - toward) if v != value))


def _has_arrays(case: Case) -> bool:
    """Whether the values are exact; of a spelled case its own documentation would have to be asked."""
    if case.layer is None or case.values == "normal":
        return True
    return largest_magnitude(case.layer.products_per_output(case.input_size), case.dtype) > 0


def _extents(value: int) -> tuple[int, ...]:
    return lower(value, 1) if value else (1,)


def _of_layer(case: Case, layer: Layer) -> Iterator[Callable[[], Case]]:
    for axis in range(layer.ndim if layer.ndim > 1 else 0):
        yield partial(_without_axis, case, layer, axis)
    yield from _batches(case)
    for groups, inputs, outputs in _channels(layer):
        fewer = {"in_channels": groups * inputs, "out_channels": groups * outputs, "groups": groups}
        yield partial(_with_layer, case, layer, fewer)
    if layer.bias:
        yield partial(_with_layer, case, layer, {"bias": False})
    for axis in range(layer.ndim):
        yield from _sizes(case, axis)
        for name, least in _LEAST.items():
            values = getattr(layer, name)
            for value in lower(values[axis], least):
                yield partial(_with_layer, case, layer, {name: _put(values, axis, value)})


def _with_layer(case: Case, layer: Layer, changes: dict[str, Any]) -> Case:
    return case.replace(layer=layer.replace(**changes))


def _channels(layer: Layer) -> Iterator[tuple[int, int, int]]:
    """Fewer groups, fewer channels in each of them."""
    inputs, outputs = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    yield from ((groups, inputs, outputs) for groups in lower(layer.groups, 1))
    yield from ((layer.groups, fewer, outputs) for fewer in lower(inputs, 1))
    yield from ((layer.groups, inputs, fewer) for fewer in lower(outputs, 1))


def _of_spelling(case: Case, parameters: Sequence[Parameter]) -> Iterator[Callable[[], Case]]:
    spelling = case.spelling
    assert spelling is not None, "a case asks a layer or a spelling"  # noqa: S101 # kept by Case
    for axis in range(case.ndim if case.ndim > 1 else 0):
        yield partial(_spelled_without_axis, case, spelling, axis)
    yield from _batches(case)
    for axis in range(case.ndim):
        yield from _sizes(case, axis)
    domains = {parameter.name: parameter for parameter in parameters}
    for name, value in spelling.arguments:
        if name in domains:
            for arguments in _arguments(spelling, domains[name], value):
                yield partial(_spelled, case, spelling.api, arguments)


def _arguments(spelling: Spelling, parameter: Parameter, value: Any) -> Iterator[dict[str, Any]]:
    """The call without the argument where it may be left out, then with smaller values."""
    written = dict(spelling.arguments)
    if any(isinstance(domain, Absent) for domain in parameter.domains):
        yield {name: other for name, other in written.items() if name != parameter.name}
    bounds = (domain.least for domain in parameter.domains if isinstance(domain, (Integers, Pairs)))
    least = next(bounds, 0)
    yield from ({**written, parameter.name: smaller} for smaller in _smaller(value, least))


def _smaller(value: Any, least: int | None) -> Iterator[Any]:
    """An integer, or one entry of a tuple of them, nearer to the least; a value below it is wrong and stays so.

    Where any integer is right (None), it is 0 that is approached, from either side.
    """
    if isinstance(value, tuple):
        for place, entry in enumerate(value):
            yield from (_put(value, place, smaller) for smaller in _smaller(entry, least))
    elif isinstance(value, int) and not isinstance(value, bool):
        nearest = 0 if least is None else least
        yield from lower(value, nearest if least is None or value >= least else least - 1)


def _batches(case: Case) -> Iterator[Callable[[], Case]]:
    for batch in _extents(case.batch):
        yield partial(case.replace, batch=batch)


def _sizes(case: Case, axis: int) -> Iterator[Callable[[], Case]]:
    for size in _extents(case.input_size[axis]):
        yield partial(case.replace, input_size=_put(case.input_size, axis, size))


def _spelled(case: Case, api: str, arguments: dict[str, Any]) -> Case:
    return case.replace(spelling=Spelling(api, arguments))


def _without_axis(case: Case, layer: Layer, axis: int) -> Case:
    fewer = {name: _drop(getattr(layer, name), axis) for name in _LEAST}
    return case.replace(layer=layer.replace(**fewer), input_size=_drop(case.input_size, axis))


def _spelled_without_axis(case: Case, spelling: Spelling, axis: int) -> Case:
    per_axis = {
        name: _drop(value, axis)
        for name, value in spelling.arguments
        if isinstance(value, tuple) and len(value) == case.ndim
    }
    return case.replace(spelling=spelling.replace(**per_axis), input_size=_drop(case.input_size, axis))


def _put(values: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    return (*values[:place], value, *values[place + 1 :])


def _drop(values: tuple[Any, ...], place: int) -> tuple[Any, ...]:
    return (*values[:place], *values[place + 1 :])
