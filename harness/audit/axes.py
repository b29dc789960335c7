"""Where the axes of a written call's arrays stand: of a weight that is written as its shape, of an output's shape.

An API may leave that to an argument (TensorFlow's and Keras's ``data_format``, JAX's ``dimension_numbers``); it changes
nothing of what is computed, but what the numbers of a shape mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: the arguments that say where axes stand
NAMES = ("data_format", "dimension_numbers")

#: where nothing is said: APIs with the channels in front, and the one with OI before the kernel's axes
_FRONT = {"torch.nn.ConvTranspose", "jax.lax.conv_general_dilated"}
_KERNEL_LAST = "jax.lax.conv_general_dilated"


@dataclass(frozen=True, slots=True)
class Axes:
    """What a call of ``api`` says of its arrays' axes, or leaves to the API.

    >>> Axes("tf.nn.conv_transpose", {"data_format": "NCHW"}).spatial((2, 8, 5, 6))
    (5, 6)
    >>> Axes("torch.nn.ConvTranspose", {}).spatial((2, 8, 5, 6)), Axes("tf.nn.conv_transpose", {}).spatial((2, 5, 6, 8))
    ((5, 6), (5, 6))
    """

    api: str
    said: Mapping[str, Any]

    @property
    def channels_first(self) -> bool:
        """Whether the channels of an input and an output stand before the sizes."""
        word = self.said.get("data_format") or _first(self.said.get("dimension_numbers"))
        if isinstance(word, str):
            return word == "channels_first" or word.upper().startswith("NC")
        return self.api in _FRONT

    def spatial(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """The entries of the spatial axes, of as many as a whole array has."""
        return tuple(values[2:] if self.channels_first else values[1:-1])

    def channels(self, shape: Sequence[Any]) -> Any:
        """The channels of a whole array's shape."""
        return shape[1] if self.channels_first else shape[-1]

    def weight(self, shape: Sequence[int]) -> tuple[int, ...]:
        """A written weight's shape as the API's own layout has it.

        >>> Axes("jax.lax.conv_general_dilated", {}).weight((8, 4, 3, 5))
        (3, 5, 4, 8)
        >>> Axes("jax.lax.conv_transpose", {"dimension_numbers": ("NHC", "OIH", "NHC")}).weight((8, 4, 3))
        (3, 4, 8)

        Raises:
            ValueError: ``dimension_numbers`` are not three texts that have the axes of the shape.
        """
        order = self._order(len(shape) - 2)
        if order is None:
            return tuple(shape)
        # The letters are the array's own: JAX exchanges what I and O stand for where the kernel is transposed.
        kernel = [extent for axis, extent in zip(order, shape, strict=True) if axis not in "IO"]
        return (*kernel, shape[order.index("I")], shape[order.index("O")])

    def _order(self, ndim: int) -> str | None:
        """The letters of a weight's axes; None where it stands as in the API's own layout."""
        said: Any = self.said.get("dimension_numbers")
        if said is None:
            return "OI" + "H" * ndim if self.api == _KERNEL_LAST else None
        texts = [text for text in said if isinstance(text, str)] if isinstance(said, tuple) else []
        if len(texts) != 3:
            raise ValueError(f"dimension_numbers={said!r} must be three texts, such as ('NHWC', 'HWIO', 'NHWC')")
        inputs, kernel = texts[0].upper(), texts[1].upper()
        axes = [c for c in inputs if c not in "NC"]
        if len(axes) != ndim or [c for c in kernel if c not in "IO"] != axes or sorted(set(kernel)) != sorted(kernel):
            raise ValueError(f"dimension_numbers={said!r} must name the {ndim} spatial axes in one order")
        if not {"I", "O"} <= set(kernel):
            raise ValueError(f"dimension_numbers={said!r} must have I and O in the second text")
        return kernel


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and value else None
