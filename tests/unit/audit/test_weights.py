"""The effective weight among named tensors: what is folded, how names are found, and what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness import Spelling
from harness.audit.readers.arrays import NoWeight
from harness.audit.readers.request import Request, WrittenLayer
from harness.audit.readers.states import found_among
from harness.audit.readers.weights import Tensors, effective
from harness.errors import UsageError

RANDOM = np.random.default_rng(0)
V = RANDOM.integers(1, 9, (2, 3, 4)).astype(np.float32)


def tensors(**named: NDArray[Any]) -> Tensors:
    """Tensors by name; a double underscore stands for a dot."""
    held = {name.replace("__", "."): array for name, array in named.items()}
    return Tensors(frozenset(held), held.__getitem__)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_weight_norm_has_the_norm_that_g_says(kept: int) -> None:
    """Over all axes but the one that g has, whatever the axis: w = g v / ‖v‖ has the norm g there."""
    shape = [1, 1, 1]
    shape[kept] = V.shape[kept]
    g = np.full(shape, 2, np.float32)
    weight, _, notes = effective(tensors(up__weight_g=g, up__weight_v=V), "up")
    others = tuple(axis for axis in range(3) if axis != kept)
    np.testing.assert_allclose(np.sqrt((weight**2).sum(axis=others)), 2, rtol=1e-6)
    assert notes == ("weight_norm folded",)


def test_both_ways_of_keeping_weight_norm_are_the_same() -> None:
    """The parametrization's original0 and original1 are g and v."""
    g = np.ones((2, 1, 1), np.float32)
    old, _, _ = effective(tensors(up__weight_g=g, up__weight_v=V), "up")
    names = {"up.parametrizations.weight.original0": g, "up.parametrizations.weight.original1": V}
    new, _, _ = effective(Tensors(frozenset(names), names.__getitem__), "up")
    np.testing.assert_array_equal(old, new)


def test_spectral_norm_divides_by_the_largest_singular_value() -> None:
    """With the singular vectors of the second axis's matrix, as PyTorch keeps them of a transposed convolution."""
    matrix = np.moveaxis(V, 1, 0).reshape(3, -1).astype(np.float64)
    left, singular, right = np.linalg.svd(matrix)
    weight, _, notes = effective(tensors(up__weight_orig=V, up__weight_u=left[:, 0], up__weight_v=right[0]), "up")
    np.testing.assert_allclose(weight, V / singular[0], rtol=1e-6)
    assert notes == ("spectral_norm folded",)


def test_a_model_under_a_name_of_its_own_is_found_and_said() -> None:
    """Checkpoints wrap state dicts; the name in the layer file is the model's."""
    _, bias, notes = effective(tensors(state_dict__up__weight=V, state_dict__up__bias=V[0, 0], up2__weight=V), "up")
    assert bias is not None
    assert notes == ("found as 'state_dict.up'",)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"ups__weight": V}, "near are 'ups'"),
        ({"a__up__weight": V, "b__up__weight": V}, "near are 'a.up', 'b.up'"),
        ({"up__weight_g": V, "up__weight_v": V[0]}, "weight_norm has g of shape"),
        ({"up__weight_orig": V, "up__weight_u": V[0, 0], "up__weight_v": V[0, 0]}, "spectral_norm has u of shape"),
        ({"up__parametrizations__weight__original": V}, "not known"),
    ],
)
def test_what_is_not_there_or_not_known_is_said(named: dict[str, NDArray[Any]], said: str) -> None:
    """A name that is near, two that are as near, shapes that do not fit, a parametrization without a rule."""
    with pytest.raises(NoWeight, match=said):
        effective(tensors(**named), "up")


def state(spelling: Spelling, **named: NDArray[Any]) -> Any:
    """The one layer that a file of weights is asked for."""
    request = Request("w.safetensors", "safetensors_file", (WrittenLayer("up", spelling, 1, (7,)),))
    return found_among(tensors(**named), request).layers[0]


TORCH = Spelling("torch.nn.ConvTranspose", {"in_channels": 2, "out_channels": 3, "kernel_size": (4,)})


def test_a_layer_of_a_layer_file_gets_its_weight_bias_and_size() -> None:
    """What the layer file says, and the numbers of the weights' file."""
    found = state(TORCH, up__weight=V, up__bias=np.ones(3, np.float32))
    assert (found.name, found.input_size, found.spelling) == ("up", (7,), TORCH)
    np.testing.assert_array_equal(found.weight, V)
    assert found.bias.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("changes", "named", "said"),
    [
        ({"kernel_size": (3,)}, {"up__weight": V}, r"\(2, 3, 4\), but the layer as it is written has \(2, 3, 3\)"),
        ({}, {"up__weight": V}, "write bias=False"),
        ({}, {"up__weight": V, "up__bias": V[0, 0]}, r"its bias has the shape \(4,\)"),
        ({"bias": False}, {"up__weight": V.astype(np.int8)}, "dtype int8"),
    ],
)
def test_weights_that_do_not_fit_the_layer_are_one_line(
    changes: dict[str, Any], named: dict[str, NDArray[Any]], said: str
) -> None:
    """Shape, missing bias, bias's shape, dtype: the line names the file, the layer and both sides."""
    with pytest.raises(UsageError, match=rf"^w\.safetensors: 'up': .*{said}"):
        state(TORCH.replace(**changes), **named)


def test_a_bias_that_the_layer_has_not_is_left_out_and_said() -> None:
    """The layer file has the last word."""
    found = state(TORCH.replace(bias=False), up__weight=V, up__bias=np.ones(3, np.float32))
    assert found.bias is None
    assert "left out" in found.notes[0]


@pytest.mark.parametrize(
    ("spelling", "shape", "carried"),
    [
        (Spelling("keras.layers.ConvTranspose", {"filters": 3, "kernel_size": 4, "use_bias": False}), (4, 3, 2), [2]),
        (Spelling("jax.lax.conv_transpose", {"strides": 1, "padding": "SAME"}), (4, 2, 3), [2, 3, (4,)]),
    ],
)
def test_what_the_weight_says_is_read_off_its_shape(spelling: Spelling, shape: tuple[int, ...], carried: Any) -> None:
    """Channels and kernel size that the API's words do not say, in the API's own layout."""
    found = state(spelling, up__kernel=np.ones(shape, np.float32)).spelling
    names = [name for name in ("in_channels", "out_channels", "kernel_size") if name not in dict(spelling.arguments)]
    assert [found.get(name) for name in names if found.get(name) is not None] == carried
