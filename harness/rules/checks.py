"""Checks of tuples that several statements share: sizes by counting, values by NumPy on integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import reference, sizes
from harness.layer import Case, Layer
from harness.rules.statement import Columns, Row, Truths, count_of, row
from harness.sizes import Ints
from harness.values import Arrays

#: outputs that are told apart: no two of them are made of the same numbers
CHANNELS = 4


def counted_size(columns: Columns) -> Ints:
    """The output size, by counting: up to the last place that a product reaches, then ``- 2 p + a``."""
    n, k, s, d = (columns[name][:, None, None] for name in "nksd")
    inputs = np.arange(columns["n"].max(initial=1))[None, :, None]
    taps = np.arange(columns["k"].max(initial=1))[None, None, :]
    reached = np.where((inputs < n) & (taps < k), inputs * s + taps * d, 0)
    found: Ints = reached.max(axis=(1, 2), initial=0) + 1 - 2 * columns["p"] + columns["a"]
    return found


def forward(columns: Columns, m: Ints) -> Ints:
    """What the forward convolution of the same arguments makes of a size."""
    k, s, p, d = (columns[name] for name in "kspd")
    found: Ints = sizes.forward_size(m, kernel_size=k, stride=s, total_padding=2 * p, dilation=d)
    return found


def leading_back(columns: Columns) -> tuple[Ints, Truths]:
    """Sizes from 1 on, and for each tuple which of them the forward convolution takes to its n."""
    k, s, p, d, n = (columns[name][:, None] for name in "kspdn")
    most = int((columns["n"] * columns["s"] + columns["e"]).max(initial=1)) + 1
    m = np.arange(1, most + 1)
    found: Truths = sizes.forward_size(m, kernel_size=k, stride=s, total_padding=2 * p, dilation=d) == n
    return m, found


def is_multiple(columns: Columns) -> Truths:
    """Where m = n s."""
    found: Truths = columns["m"] == columns["n"] * columns["s"]
    return found


def leads_back_from_two(columns: Columns) -> Truths:
    """Where the forward convolution takes at least two sizes to n."""
    _, back = leading_back(columns)
    found: Truths = back.sum(axis=1) >= 2
    return found


def leads_back_from_these(columns: Columns) -> Truths:
    """Where the forward convolution takes 2 n - 1 and 2 n to n, and no other size."""
    m, back = leading_back(columns)
    twice = 2 * columns["n"][:, None]
    found: Truths = (back == ((m == twice - 1) | (m == twice))).all(axis=1)
    return found


def each(check: Callable[[Row], bool]) -> Callable[[Columns], Truths]:
    """A check of columns from one of a single tuple."""
    return lambda columns: np.array([check(row(columns, at)) for at in range(count_of(columns))], bool)


def layer(one: Row, *, bias: bool = False) -> Layer:
    """The layer of a tuple, in PyTorch's coordinates."""
    return Layer(1, CHANNELS, one["k"], one["s"], one["p"], one["a"], one["d"], bias=bias, ndim=1)


def full(one: Row, *, bias: bool = False) -> Layer:
    """The layer of a tuple with nothing cropped."""
    return layer(one, bias=bias).replace(padding=0, output_padding=0)


def arrays(one: Row, *, bias: bool = False) -> Arrays:
    """The integers with which a tuple is asked, whatever the crop."""
    return Case(full(one, bias=bias), input_size=one["n"]).arrays()


def output(given: Arrays, of: Layer) -> NDArray[Any]:
    """The reference's answer on integers."""
    return reference.conv_transpose(*given, of)


def convolved(given: Arrays, one: Row) -> NDArray[Any]:
    """The same by a convolution at stride 1: zeros between the inputs and between the taps, ``e - 1 - p`` around."""
    x, weight, _ = given
    inserted = np.zeros((one["n"] - 1) * one["s"] + 1)
    inserted[:: one["s"]] = x[0, 0]
    padded = np.pad(inserted, one["e"] - 1 - one["p"])
    return np.stack([np.convolve(padded, _dilated(taps, one), "valid") for taps in weight[0]])[None]


def transposed(given: Arrays, one: Row) -> NDArray[Any]:
    """The transpose of the explicit matrix of the *valid* convolution, times the input."""
    x, weight, _ = given
    m = (one["n"] - 1) * one["s"] + one["e"]
    found = []
    for taps in weight[0]:
        kernel = _dilated(taps, one)
        matrix = np.stack([np.correlate(unit, kernel, "valid")[:: one["s"]] for unit in np.eye(m)])
        found.append(matrix @ x[0, 0])
    return np.stack(found)[None]


def _dilated(taps: NDArray[Any], one: Row) -> NDArray[Any]:
    kernel = np.zeros(one["e"])
    kernel[:: one["d"]] = taps
    return kernel
