"""Proofs: a call is judged by what it writes, on integers and on weights. Run on NumPy, with its own definition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audit.audit import source_of
from harness.audit.found import FoundLayer
from harness.audit.proof import Claim, prove
from harness.audit.recipe import recipes
from harness.audit.text import DEFINITION, port
from harness.audit.wanted import Wanted, want
from harness.audit.written import parse_layer
from harness.frameworks.torch import ConvTranspose
from harness.ported import Proof, Ran
from harness.records import Skipped
from harness.writing import Lines

RIGHT = "definition(x, weight, bias, (2,), (1,), 1, [(1, 1)])"


def claim(call: str, *weights: NDArray[np.floating]) -> Claim:
    """That a NumPy expression is a PyTorch layer, whose weights these are."""
    asked = parse_layer("ConvTranspose1d(2, 3, 4, stride=2, padding=1)", "torch")
    found = [FoundLayer(f"up{number}", *asked, weight=one) for number, one in enumerate(weights)]
    first = found[0] if found else FoundLayer("up", *asked)
    wanted = want(first, source_of(first))
    assert isinstance(wanted, Wanted)
    answer = recipes(wanted, ConvTranspose())
    assert not isinstance(answer, Skipped)
    defined = tuple(f"{line}" for line in DEFINITION.splitlines())
    lines = Lines((), "{}", "", (*defined, f"y = {call}"), channels_last=False)
    return Claim(replace(port("up", wanted, answer[0]), lines=lines, after=()), wanted, found)


def proved(call: str, *weights: NDArray[np.floating]) -> Proof:
    """What comes of it."""
    (proof,) = prove([claim(call, *weights)], {})
    return proof


W = np.random.default_rng(0).normal(size=(2, 3, 4))


def test_a_right_call_is_proved() -> None:
    """Equal on integers at several sizes, within the bound on reals, whose sums over a tap are in float32."""
    proof = proved(RIGHT)
    assert (proof.integers, proof.error, proof.sizes) == (Ran.EQUAL, None, ((3,), (1,), (2,)))
    assert proof.bound_ratio is not None
    assert 0 < proof.bound_ratio <= 1
    assert proof.weights == "random ones, for there are none in what was given"
    assert proof.holds


WRONG = {
    "shifted": (RIGHT.replace("(1, 1)", "(0, 2)"), Ran.DIFFERS, "elements differ"),
    "shape": (RIGHT.replace("(1, 1)", "(0, 0)"), Ran.DIFFERS, "shape (2, 3, 8), not (2, 3, 6)"),
    "dies": ("__import__('os').abort()", Ran.DIFFERS, "SIGABRT"),
    "dies on reals": (f"{RIGHT} if (x == np.round(x)).all() else __import__('os').abort()", Ran.EQUAL, "SIGABRT"),
    "shape on reals": (f"{RIGHT} if (x == np.round(x)).all() else 0 * x", Ran.EQUAL, "on weights: shape (1, 2, 3)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_is_not(name: str) -> None:
    """And why."""
    call, integers, said = WRONG[name]
    proof = proved(call)
    assert proof.integers is integers
    assert said in str(proof.error)
    assert not proof.holds


@pytest.mark.parametrize("call", [f"np.round({RIGHT})", f"{RIGHT} * np.where(x[0, 0, 0] % 1, np.nan, 1)"])
def test_an_error_beyond_the_bound_is_no_proof(call: str) -> None:
    """Right on integers, too far off on reals, or no number."""
    proof = proved(call)
    assert proof.integers is Ran.EQUAL
    assert proof.bound_ratio is not None
    assert proof.bound_ratio > 1
    assert not proof.holds


def test_the_weights_of_every_layer_are_run() -> None:
    """The one with the worst error is named; one that is not finite is stood for by random numbers."""
    rounded = RIGHT.replace("weight,", "np.where(abs(weight) < 50, weight, np.round(weight)),")
    proof = proved(rounded, W, 100 * W, W)
    assert proof.weights == "up1"
    assert not proof.holds
    assert proved(RIGHT, W, np.where(W > 1, np.inf, W)).holds


def test_claims_are_run_together() -> None:
    """Each gets its own proof."""
    proofs = prove([claim("1 / 0"), claim(RIGHT, W), claim(RIGHT)], {})
    assert [proof.holds for proof in proofs] == [False, True, True]
    assert str(proofs[0].error).startswith("ZeroDivisionError")
    assert prove([], {}) == []
