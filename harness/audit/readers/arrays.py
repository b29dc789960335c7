"""Weights of models as arrays of the dtypes that everything else here knows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_KEPT = ("float16", "float32", "float64")


class NoWeight(Exception):
    """A weight cannot be taken from the model; the message says why, as the reason to pass a layer over."""


def as_floats(array: NDArray[Any]) -> NDArray[Any]:
    """The array as it is, or bfloat16 numbers in float32.

    >>> as_floats(np.ones(2, np.float16)).dtype
    dtype('float16')

    Raises:
        NoWeight: it holds anything else: a quantised weight is no weight without its scale.
    """
    if array.dtype.name == "bfloat16":
        return array.astype(np.float32)
    if array.dtype.name not in _KEPT:
        raise NoWeight(f"its weight is of dtype {array.dtype}: only floating-point weights are read")
    return np.asarray(array)
