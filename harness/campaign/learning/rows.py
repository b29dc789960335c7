"""Cases as rows of integers, so that thousands of them are looked at in one step; and back.

A row has the recipe's and the layer's coordinates, channels as counts per group. An axis that a case has not got stands
there with the least values, so that one layer has one row. The values' kind and seed are no part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness import sizes
from harness.errors import InvalidField
from harness.layer import MAX_NDIM, Case, Layer
from harness.values import DTYPES, largest_magnitude

Rows: TypeAlias = NDArray[np.int64]
Truths: TypeAlias = NDArray[np.bool_]

NDIM = 0
PER_AXIS = {name: slice(1 + 3 * at, 4 + 3 * at) for at, name in enumerate("kspadn")}
LEAST = {"k": 1, "s": 1, "p": 0, "a": 0, "d": 1, "n": 1}
GROUPS, INPUTS, OUTPUTS, BATCH, BIAS, DTYPE = range(19, 25)


@dataclass(frozen=True, slots=True)
class Columns:
    """What a condition may ask of rows: per axis (3, N), single (N,), and which axes there are (3, N)."""

    axes: Mapping[str, Rows]
    single: Mapping[str, Rows]
    there: Truths


def row_of(case: Case) -> tuple[int, ...] | None:
    """The row of a case that asks a layer; None of one in an API's words or with an empty size.

    >>> row_of(Case(Layer(2, 4, 3, groups=2, ndim=1), input_size=5))[:7]
    (1, 3, 1, 1, 1, 1, 1)
    """
    layer = case.layer
    if layer is None or 0 in (case.batch, *case.input_size):
        return None
    values = {
        "k": layer.kernel_size,
        "s": layer.stride,
        "p": layer.padding,
        "a": layer.output_padding,
        "d": layer.dilation,
        "n": case.input_size,
    }
    axes = [entry for name, axis in values.items() for entry in (*axis, *[LEAST[name]] * (MAX_NDIM - case.ndim))]
    channels = (layer.groups, layer.in_channels // layer.groups, layer.out_channels // layer.groups)
    return case.ndim, *axes, *channels, case.batch, int(layer.bias), DTYPES.index(case.dtype)


def case_of(row: Iterable[int], *, values: str, seed: int) -> Case | None:
    """The case of a row; None where it leaves no output or its integers would not be exact.

    >>> case = Case(Layer(2, 4, (3, 2), groups=2), input_size=(5, 1), seed=3)
    >>> case_of(row_of(case), values="integers", seed=3) == case
    True
    """
    entries = [int(entry) for entry in row]
    ndim, groups = entries[NDIM], entries[GROUPS]
    axis = {name: tuple(entries[place][:ndim]) for name, place in PER_AXIS.items()}
    try:
        layer = Layer(
            groups * entries[INPUTS],
            groups * entries[OUTPUTS],
            axis["k"],
            axis["s"],
            axis["p"],
            axis["a"],
            axis["d"],
            groups,
            bool(entries[BIAS]),
        )
        dtype = DTYPES[entries[DTYPE]]
        if values != "normal" and not largest_magnitude(layer.products_per_output(axis["n"]), dtype):
            return None
        return Case(layer, batch=entries[BATCH], input_size=axis["n"], dtype=dtype, values=values, seed=seed)
    except InvalidField:
        return None


def columns(rows: Rows) -> Columns:
    """The names of the condition language, for all rows."""
    axes = {name: np.ascontiguousarray(rows[:, place].T) for name, place in PER_AXIS.items()}
    axes["e"] = sizes.effective_kernel_size(axes["k"], dilation=axes["d"])
    axes["m"] = output_size(axes)
    axes["hi"] = axes["p"] - axes["a"]
    groups, inputs, outputs = rows[:, GROUPS], rows[:, INPUTS], rows[:, OUTPUTS]
    single = {
        "ndim": rows[:, NDIM],
        "g": groups,
        "batch": rows[:, BATCH],
        "bias": rows[:, BIAS],
        "dtype": rows[:, DTYPE],
        "in_channels": groups * inputs,
        "out_channels": groups * outputs,
        "in_channels // g": inputs,
        "out_channels // g": outputs,
    }
    return Columns(axes, single, np.arange(MAX_NDIM)[:, None] < rows[:, NDIM])


def output_size(axes: Mapping[str, Rows]) -> Rows:
    """The output size per axis."""
    full: Rows = (axes["n"] - 1) * axes["s"] + axes["d"] * (axes["k"] - 1) + 1
    return full - 2 * axes["p"] + axes["a"]


def multiply_adds(rows: Rows) -> Rows:
    """Multiply-adds of each row's scatter."""
    channels = rows[:, GROUPS] * rows[:, INPUTS] * rows[:, OUTPUTS] * rows[:, BATCH]
    product: Rows = channels * rows[:, PER_AXIS["k"]].prod(axis=1) * rows[:, PER_AXIS["n"]].prod(axis=1)
    return product


def output_elements(rows: Rows) -> Rows:
    """Elements of each row's full output."""
    axes = {name: rows[:, place] for name, place in PER_AXIS.items()}
    full = (axes["n"] - 1) * axes["s"] + axes["d"] * (axes["k"] - 1) + 1
    product: Rows = full.prod(axis=1) * rows[:, GROUPS] * rows[:, OUTPUTS] * rows[:, BATCH]
    return product


def beyond(rows: Rows, dtype: int) -> Rows:
    """What is out of the ordinary about each row, as a number: a target often declines all rows of one kind.

    0: nothing; 1: a negative padding; 2: a negative output padding; 4: one of max(stride, dilation) or more;
    8: another dtype than that given. Sums are several at once.
    """
    p, a, s, d = (rows[:, PER_AXIS[name]] for name in "pasd")
    kinds = (p < 0).any(axis=1), (a < 0).any(axis=1), (a >= np.maximum(s, d)).any(axis=1), rows[:, DTYPE] != dtype
    number: Rows = sum((2**at * kind.astype(np.int64) for at, kind in enumerate(kinds)), start=np.zeros(len(rows), int))
    return number
