"""What follows from the coordinates of tuples in the words of a statement: p, a, and the sizes n and m."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.rules.checks import counted_size, forward
from harness.rules.statement import Columns


def sized(columns: Columns) -> Mapping[str, Any]:
    """The output size."""
    return {"m": counted_size(columns)}


def padded_half(columns: Columns) -> Mapping[str, Any]:
    """Padding (k - 1) / 2 rounded down, output_padding s - 1."""
    whole = {**columns, "p": (columns["k"] - 1) // 2, "a": columns["s"] - 1}
    return {"p": whole["p"], "a": whole["a"], "m": counted_size(whole)}


def padded_half_extent(columns: Columns) -> Mapping[str, Any]:
    """Padding d (k - 1) / 2 rounded down, output_padding s - 1."""
    whole = {**columns, "p": columns["d"] * (columns["k"] - 1) // 2, "a": columns["s"] - 1}
    return {"p": whole["p"], "a": whole["a"], "m": counted_size(whole)}


def padded_rest(columns: Columns) -> Mapping[str, Any]:
    """Padding (k - s) / 2 rounded down."""
    whole = {**columns, "p": (columns["k"] - columns["s"]) // 2}
    return {"p": whole["p"], "m": counted_size(whole)}


def forward_sized(columns: Columns) -> Mapping[str, Any]:
    """The n that the forward convolution makes of m."""
    return {"n": forward(columns, columns["m"])}


def forward_sized_same(columns: Columns) -> Mapping[str, Any]:
    """The n that the forward convolution makes of m with the padding of *same*, half the kernel."""
    return forward_sized({**columns, "p": (columns["k"] - 1) // 2})


def multiplied(columns: Columns) -> Mapping[str, Any]:
    """The size that SAME gives by itself."""
    return {"m": columns["n"] * columns["s"]}


def keras_formula(columns: Columns) -> Mapping[str, Any]:
    """The documented size, with the padding that Keras takes SAME for, k // 2."""
    return {"m": (columns["n"] - 1) * columns["s"] + columns["k"] - 2 * (columns["k"] // 2) + columns["a"]}
