"""What an audit says, as JSON: the documented fields, numbers that JSON has, and what counts as portable."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf, nan

import pytest

from harness import Layer
from harness.ported import Audit, Naive, Portability, PortedLayer, Proof, Ran, TargetPort

NAIVE = Naive(False, False, "output size (4,), not (6,)", "f(x)")
PROVED = TargetPort(
    "jax.lax.conv_transpose",
    "jax",
    NAIVE,
    Portability.PORTABLE,
    arguments={"padding": "SAME"},
    call="f(x)",
    weight="weight",
    holds="every input size from 1 on",
    snippet="assert True",
    verified=Proof(Ran.EQUAL, 0.5, "up", sizes=((3,), (1,))),
)
CANNOT = TargetPort("jax.lax.conv_general_dilated", "jax", NAIVE, Portability.CANNOT, reason="no word")
ONE = Layer(kernel_size=3, ndim=1)
LAYER = PortedLayer(("up", "up2"), "torch.nn.ConvTranspose", {"kernel_size": [3]}, "g(x)", (3,), (6,), ONE, (PROVED,))


def test_the_documented_fields_are_there() -> None:
    """Additions are allowed, other names are not."""
    data = json.loads(json.dumps(Audit("m.onnx", (LAYER,), (("x", "why"),), {"jax": "1"}).to_json()))
    assert data["schema"] == 1
    (layer,) = data["layers"]
    assert {"name", "source", "input_size", "layer", "targets"} <= layer.keys()
    assert layer["source"] == {"api": "torch.nn.ConvTranspose", "arguments": {"kernel_size": [3]}, "call": "g(x)"}
    (target,) = layer["targets"]
    assert {"api", "naive", "verdict", "reason", "arguments", "weight", "snippet", "verified"} <= target.keys()
    assert {"size_equal": False, "value_equal": False, "reason": NAIVE.reason}.items() <= target["naive"].items()
    assert target["verified"] == {
        "integers": "equal",
        "bound_ratio": 0.5,
        "weights": "up",
        "error": None,
        "input_sizes": [[3], [1]],
    }
    assert data["skipped"] == [{"name": "x", "reason": "why"}]


@pytest.mark.parametrize("ratio", [inf, nan])
def test_what_json_has_no_number_for_is_null(ratio: float) -> None:
    """And is no proof."""
    proof = Proof(Ran.EQUAL, ratio)
    assert json.dumps(proof.to_json(), allow_nan=False)
    assert not proof.holds


PROOFS = {
    "equal": (Proof(Ran.EQUAL), True),
    "within the bound": (Proof(Ran.EQUAL, 1.0), True),
    "beyond the bound": (Proof(Ran.EQUAL, 1.1), False),
    "differs": (Proof(Ran.DIFFERS, 0.1), False),
    "not run": (Proof(), False),
    "failed on the weights": (Proof(Ran.EQUAL, error="died"), False),
}


@pytest.mark.parametrize("name", PROOFS)
def test_a_proof_holds_where_every_run_did(name: str) -> None:
    """On integers and on weights."""
    proof, holds = PROOFS[name]
    assert proof.holds is holds
    assert replace(PROVED, verified=proof).is_verified is holds
    assert not replace(CANNOT, verified=proof).is_verified


def test_one_api_of_a_framework_is_enough() -> None:
    """But every framework that was asked must have one."""
    assert replace(LAYER, targets=(CANNOT, PROVED)).is_portable
    assert not replace(LAYER, targets=(CANNOT,)).is_portable
    assert not replace(LAYER, targets=(PROVED, replace(CANNOT, framework="keras"))).is_portable


def test_a_model_is_portable_if_all_of_it_is() -> None:
    """Nothing of it passed over, and something in it."""
    assert Audit("m", (LAYER,)).is_portable
    assert not Audit("m", (LAYER,), (("x", "why"),)).is_portable
    assert not Audit("m", (LAYER, replace(LAYER, targets=(CANNOT,)))).is_portable
    assert not Audit("m", ()).is_portable
