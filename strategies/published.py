"""``published_layers()``: the layers of published models, with fewer channels where a case would be too dear."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from hypothesis.strategies import SearchStrategy, builds

from harness.layer import Case, Layer
from harness.records import Size
from strategies.bounds import PUBLISHED_MULTIPLY_ADDS, fit_layer
from strategies.published_data import ENTRIES, Entry, Row
from strategies.recipe import Recipe, exact, values
from strategies.sampling import one_of
from strategies.trouble import Trouble
from strategies.weights import check_flag


@dataclass(frozen=True, slots=True)
class PublishedLayer:
    """One layer with the model and the source it stands in, and a representative input and output size."""

    number: int
    model: str
    source: str
    layer: Layer
    input_size: Size
    output_size: Size


@cache
def published(*, full_size: bool = False) -> tuple[PublishedLayer, ...]:
    """Every published layer, in the order of the table of sources.

    ``full_size=True`` keeps the published channels; without it both counts (or the groups) are divided by a common
    power of two until the case at the representative input size has at most 2**20 multiply-adds.

    >>> published(full_size=True)[0].model, published(full_size=True)[0].layer.in_channels
    ('DCGAN generator', 100)
    """
    return tuple(_published(entry, Row(*row), full_size) for entry in ENTRIES for row in entry.rows)


def published_layers(*, full_size: bool = False) -> SearchStrategy[Layer]:
    """Layers of published models; ``full_size=True`` keeps their channels, and breaks the work bound.

    >>> from hypothesis import find
    >>> find(published_layers(full_size=True), lambda layer: layer.stride == (256,)).kernel_size
    (1024,)
    """
    check_flag("full_size", full_size)
    return one_of(list(dict.fromkeys(entry.layer for entry in published(full_size=full_size))))


def published_cases(*, full_size: bool = False) -> SearchStrategy[Case]:
    """Cases of published layers at a representative input size and batch 1.

    >>> from hypothesis import find
    >>> find(published_cases(), lambda case: case.layer.stride == (5,)).batch
    1
    """
    check_flag("full_size", full_size)
    return builds(case_at, one_of(published(full_size=full_size)), values())


def case_at(entry: PublishedLayer | Trouble, recipe: Recipe) -> Case:
    """The layer at the input size that it stands with, with this recipe where it is exact."""
    recipe = exact(recipe, entry.layer.products_per_output(entry.input_size))
    return Case(entry.layer, input_size=entry.input_size, **recipe._asdict())


def _published(entry: Entry, row: Row, full_size: bool) -> PublishedLayer:
    """The row as a layer of so many axes."""
    layer = Layer(*row[:6], groups=row.groups, bias=row.bias, ndim=entry.ndim)
    input_size, output_size = (_sizes(size, entry.ndim) for size in (row.input_size, row.output_size))
    if not full_size:
        layer = fit_layer(layer, input_size, multiply_adds=PUBLISHED_MULTIPLY_ADDS)
    return PublishedLayer(entry.number, entry.name, entry.source, layer, input_size, output_size)


def _sizes(size: int | tuple[int, ...], ndim: int) -> Size:
    return size if isinstance(size, tuple) else (size,) * ndim
