"""The input sizes at which a recipe is run: few, small, and different by the residues of the stride."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from harness.effort import excess
from harness.layer import Layer
from harness.records import Size
from harness.values import largest_magnitude

#: multiply-adds of one run where there is a choice; what any run may have, and the elements of an array
_CHEAP_WORK, _CHEAP_ELEMENTS, _MOST_WORK, _MOST_ELEMENTS = 2**26, 2**23, 2**33, 2**26

#: sizes of one recipe
_MOST = 3

#: entries to which a size is shortened where it costs too much
_SHORTER = (32, 16, 8, 4, 3, 2, 1)


def trials(shown: Size, layers: Mapping[Size, Layer], smaller: Mapping[Size, Layer]) -> dict[Size, Layer]:
    """Of the sizes at which a recipe holds those at which it is run, the shown one first, each with its layer.

    They are the shown size, the smallest, and the next ones with other residues of the stride. What is not cheap is
    left out where something cheaper stands for it, one of ``smaller`` if need be. Of what is all dear the two cheapest
    are run, and nothing where that is too much.

    >>> layer = Layer(kernel_size=3, stride=2, ndim=1)
    >>> list(trials((3,), {(n,): layer for n in range(1, 9)}, {}))
    [(3,), (1,), (2,)]
    """
    ordered = {size: layers[size] for size in (shown, *layers)}
    chosen = dict(islice(_different(ordered), _MOST))
    cheap = {size: layer for size, layer in chosen.items() if is_cheap(layer, size)}
    if cheap:
        return cheap
    instead = {size: layer for size, layer in smaller.items() if is_cheap(layer, size)}
    by_work = sorted({**layers, **smaller}.items(), key=lambda one: one[1].multiply_adds(one[0]))
    dear = [(size, layer) for size, layer in by_work if beyond(layer, size) is None]
    return dict(list(instead.items())[:2] or dear[:2])


def _different(layers: Mapping[Size, Layer]) -> list[tuple[Size, Layer]]:
    """The first, the smallest, then one of each further tuple of residues."""
    smallest = min(layers)
    ordered = {next(iter(layers)): None, smallest: None, **dict.fromkeys(layers)}
    seen: dict[Size, Size] = {}
    for size in ordered:
        residues = tuple(n % s for n, s in zip(size, layers[size].stride, strict=True))
        if size == smallest or residues not in seen.values():
            seen[size] = residues
    return [(size, layers[size]) for size in seen]


def shortened(size: Size) -> list[Size]:
    """Smaller sizes that may stand for one, the largest first.

    >>> shortened((100, 6))[:3]
    [(32, 6), (16, 6), (8, 6)]
    """
    return [short for most in _SHORTER if (short := tuple(min(n, most) for n in size)) != size]


def is_cheap(layer: Layer, size: Size) -> bool:
    """Whether a run at this size takes no time to speak of."""
    return excess(layer, size, work=_CHEAP_WORK, elements=_CHEAP_ELEMENTS) is None


def beyond(layer: Layer, size: Size) -> str | None:
    """Why a layer is not run at a size at all, or None.

    >>> beyond(Layer(100000, 100000, 1, ndim=1), (1,))
    'has 10000000000 multiply-adds and an array of 10000000000 elements: at most 8589934592 and 67108864 fit'
    """
    products = layer.products_per_output(size)
    if not largest_magnitude(products, "float32"):
        return f"sums {products} products in an element of its output: in float32 that is exact for no integers"
    return excess(layer, size, work=_MOST_WORK, elements=_MOST_ELEMENTS)
