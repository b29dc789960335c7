"""Flax's layers on cases that are worked out by hand: x = 1, 2, 3 and a kernel of powers of ten, digit by digit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from child import in_child, loaded

from harness.frameworks.base import Api, Role, as_answer
from harness.frameworks.flax import LinenConvTranspose, NnxConvTranspose
from harness.layer import Spelling

pytestmark = pytest.mark.frameworks

#: for a kernel of 1, 10, 100 as it stands in the layer: what is written, and the output
BY_HAND: dict[str, tuple[dict[str, Any], list[int]]] = {
    # correlated: 2 and 3 lie under 10 and 100 where 1 is under 1
    "SAME": ({}, [210, 321, 32]),
    "SAME, doubled": ({"strides": 2}, [100, 10, 201, 20, 302, 30]),
    "VALID": ({"padding": "VALID"}, [100, 210, 321, 32, 3]),
    "a padding of 1": ({"strides": 2, "padding": 1}, [10, 201, 20, 302, 30]),
    "none in front, 2 behind": ({"strides": 2, "padding": ((0, 2),)}, [201, 20, 302, 30, 3]),
    "one cut at both ends": ({"strides": 2, "padding": -1}, [20]),
    "transposed": ({"strides": 2, "padding": 2, "transpose_kernel": True}, [1, 10, 102, 20, 203, 30, 300]),
    "dilated, 1 and 3 apart by 2": ({"padding": 2, "kernel_dilation": 2}, [310, 20, 31]),
    "a bias": ({"strides": 2, "padding": 1, "use_bias": True}, [1010, 1201, 1020, 1302, 1030]),
}


def answered(kind: type[Api]) -> dict[str, list[float]]:
    """What the layer makes of the three numbers in each way of writing it, with 1000 for a bias."""
    api = loaded(kind)
    channels = {p.name: 1 for p in api.parameters if p.role in (Role.IN_CHANNELS, Role.OUT_CHANNELS)}
    x, kernel = np.array([[[1, 2, 3]]], np.float32), np.array([[[1]], [[10]], [[100]]], np.float32)
    found = {}
    for name, (written, _) in BY_HAND.items():
        spelling = Spelling(api.name, {**channels, "kernel_size": (3,), "use_bias": False, **written})
        bias = np.array([1000], np.float32) if spelling["use_bias"] else None
        found[name] = as_answer(api.apply(x, kernel, bias, spelling)).values[0, 0].tolist()
    return found


@pytest.mark.parametrize("kind", [LinenConvTranspose, NnxConvTranspose])
def test_the_layers_compute_what_is_worked_out(kind: type[Api]) -> None:
    """Which way the kernel lies, where an integer and each end of a pair pads, and that a bias is added once."""
    assert in_child(answered, kind) == {name: expected for name, (_, expected) in BY_HAND.items()}
