"""How a weight is laid out: where its axes stand, which channel axis the groups divide, whether the kernel is flipped.

Every API's layout is one of these, so that a weight goes from any of them to any other, as an array and as the text
that a porter writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.layer import Layer


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout. ``order`` has I for the input channels, O for the output channels and * for the kernel's axes.

    ``divided`` is the channel axis that has only one group's channels; ``flipped`` kernels stand the other way round
    than PyTorch's, as a correlation of the zero-inserted input wants them.

    >>> Layout("*IO", flipped=True, divided="I").shape(4, 6, (3, 5), groups=2)
    (3, 5, 2, 6)
    """

    order: str
    flipped: bool = False
    divided: str = "O"

    def shape(
        self, in_channels: int, out_channels: int, kernel_size: tuple[int, ...], *, groups: int
    ) -> tuple[int, ...]:
        """The shape of a weight; a group count of zero stands for itself."""
        channels = {"I": in_channels, "O": out_channels}
        channels[self.divided] //= groups or 1
        return tuple(extent for axis in self.order for extent in (kernel_size if axis == "*" else (channels[axis],)))

    def axes(self, ndim: int) -> dict[str, list[int]]:
        """The places of each kind of axis.

        >>> Layout("*OI").axes(2)
        {'*': [0, 1], 'O': [2], 'I': [3]}
        """
        places: dict[str, list[int]] = {}
        for axis in self.order:
            start = sum(map(len, places.values()))
            places[axis] = list(range(start, start + (ndim if axis == "*" else 1)))
        return places

    def permutation(self, other: Layout, ndim: int) -> tuple[int, ...]:
        """For each axis of the other layout, where it stands in this one.

        >>> Layout("IO*").permutation(Layout("*OI"), 2)
        (2, 3, 1, 0)
        """
        places = self.axes(ndim)
        return tuple(place for axis in other.order for place in places[axis])


#: PyTorch's, which is the canonical one
CANONICAL = Layout("IO*")


def convert(weight: NDArray[Any], start: Layout, to: Layout, *, groups: int) -> NDArray[Any]:
    """A weight in another layout; a view of it where that is possible.

    >>> convert(np.zeros((4, 3, 5)), CANONICAL, Layout("*IO", divided="I"), groups=2).shape
    (5, 2, 6)
    """
    ndim = weight.ndim - 2
    if start.flipped != to.flipped:
        weight = np.flip(weight, tuple(start.axes(ndim)["*"]))
    if start.divided != to.divided and groups > 1:
        weight = np.transpose(weight, start.permutation(CANONICAL, ndim))
        parts, whole = _regrouped(weight.shape, to.divided, groups)
        weight, start = np.swapaxes(weight.reshape(parts), 0, 1).reshape(whole), CANONICAL
    return np.transpose(weight, start.permutation(to, ndim))


def conversion(name: str, start: Layout, to: Layout, layer: Layer) -> str:
    """The text of ``convert`` for a layer's weight: an expression of its name, the name where nothing is to be done.

    >>> conversion("weight", CANONICAL, Layout("*OI"), Layer(4, 6, kernel_size=2, ndim=2))
    'np.transpose(weight, (2, 3, 1, 0))'
    >>> conversion("weight", CANONICAL, Layout("IO*", divided="I"), Layer(4, 6, kernel_size=5, groups=2, ndim=1))
    'np.swapaxes(weight.reshape(2, 2, 3, 5), 0, 1).reshape(2, 6, 5)'
    """
    text, ndim = name, layer.ndim
    if start.flipped != to.flipped:
        text = f"np.flip({text}, {tuple(start.axes(ndim)['*'])})"
    if start.divided != to.divided and layer.groups > 1:
        text = transposed(text, start.permutation(CANONICAL, ndim))
        divided = Layout("IO*", divided=start.divided)
        shape = divided.shape(layer.in_channels, layer.out_channels, layer.kernel_size, groups=layer.groups)
        parts, whole = _regrouped(shape, to.divided, layer.groups)
        text, start = f"np.swapaxes({text}.reshape{parts}, 0, 1).reshape{whole}", CANONICAL
    return transposed(text, start.permutation(to, ndim))


def _regrouped(shape: tuple[int, ...], divided: str, groups: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(I, O/g, *) in parts whose first two axes are to be swapped, and (I/g, O, *), which they make; or back."""
    inputs, outputs, *kernel = shape
    if divided == "I":
        return (groups, inputs // groups, outputs, *kernel), (inputs // groups, groups * outputs, *kernel)
    return (inputs, groups, outputs // groups, *kernel), (groups * inputs, outputs // groups, *kernel)


def transposed(text: str, permutation: tuple[int, ...]) -> str:
    """The text of an array with its axes in another order, and the text itself where that is its own.

    >>> transposed("weight", (0, 1, 2)), transposed("weight", (2, 0, 1))
    ('weight', 'np.transpose(weight, (2, 0, 1))')
    """
    if permutation == tuple(range(len(permutation))):
        return text
    return f"np.transpose({text}, {permutation})"
