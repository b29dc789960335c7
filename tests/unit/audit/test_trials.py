"""The sizes at which a recipe is run."""

from __future__ import annotations

from harness import Layer
from harness.audit.trials import beyond, trials


def sizes(layer: Layer, *numbers: int, shown: int, smaller: tuple[int, ...] = ()) -> list[int]:
    """Those chosen, of one axis."""
    chosen = trials((shown,), {(n,): layer for n in numbers}, {(n,): layer for n in smaller})
    return [n for (n,) in chosen]


def test_residues_of_the_stride_are_tried() -> None:
    """The shown size first, the smallest always, at most three, and no residue twice for nothing."""
    assert sizes(Layer(kernel_size=3, ndim=1), *range(1, 25), shown=3) == [3, 1]
    assert sizes(Layer(kernel_size=3, stride=3, ndim=1), *range(1, 25), shown=3) == [3, 1, 2]
    assert sizes(Layer(kernel_size=3, stride=9, ndim=1), *range(4, 25), shown=5) == [5, 4, 6]
    assert sizes(Layer(kernel_size=3, stride=9, ndim=1), 8, shown=8) == [8]


def test_what_is_dear_is_left_out() -> None:
    """Where something cheaper stands for it."""
    layer = Layer(64, 64, 4, ndim=1)
    assert sizes(layer, 3, 100_000, shown=100_000) == [3]
    assert sizes(layer, 100_000, shown=100_000, smaller=(32, 16, 8)) == [32, 16]


def test_of_what_is_all_dear_the_cheapest_are_run() -> None:
    """And nothing where that is too much."""
    assert sizes(Layer(4096, 4096, 3, ndim=1), *range(1, 9), shown=3) == [1, 2]
    assert sizes(Layer(100_000, 100_000, 3, ndim=1), *range(1, 9), shown=3) == []


def test_sums_must_be_exact() -> None:
    """Of 2**24 products and more no integers but 0 are."""
    assert beyond(Layer(2**24 - 1, 1, 1, ndim=1), (1,)) is None
    assert beyond(Layer(2**24, 1, 1, ndim=1), (1,)) is not None
