"""Naive ports that are run: what is foretold of them is what the frameworks do, and a wrong prophecy is noticed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.audit.naive import Part, Taken, naive_port
from harness.audit.naive_text import foretold, naive_text, source_text
from harness.audit.running import run
from harness.frameworks import registry
from harness.frameworks.base import Api
from harness.layer import Spelling
from harness.porting import portings
from harness.porting.confirmed import missing

pytestmark = pytest.mark.frameworks


def api(name: str) -> Api:
    """An API that is installed."""
    found = next(one() for one in registry.apis() if one.name == name)
    if (reason := missing(found)) is not None:
        pytest.skip(reason)
    return found


def test_what_is_foretold_of_pytorch_in_jax_is_what_jax_does() -> None:
    """Right and wrong ports of both directions, and the smallest counterexamples, run as they were foretold."""
    both = [api("torch.nn.ConvTranspose"), api("jax.lax.conv_transpose")]
    found = portings(both, both, cases=30, run=8)
    assert [(pair.source, pair.target) for pair in found.pairs] == [
        (both[0].name, both[1].name),
        (both[1].name, both[0].name),
    ]
    for pair in found.pairs:
        assert pair.confirmation.ran >= 6, pair.confirmation
        assert pair.confirmation.borne_out == pair.confirmation.ran, pair.confirmation.contradictions
        assert {one.ran for one in pair.counterexamples} == {True}


def test_a_prophecy_that_is_wrong_is_noticed() -> None:
    """A port of another crop fails where the same values, another size, or a refusal are foretold, and only there."""
    source, target = api("torch.nn.ConvTranspose"), api("jax.lax.conv_transpose")
    words = {"in_channels": 2, "out_channels": 3, "kernel_size": 4, "padding": 1, "stride": 2, "bias": True}
    spelling = Spelling(source.name, words)
    naive = naive_port(source, spelling, target, (5,))
    port = naive_text("copied", source, spelling, target, naive, (5,))
    assert (naive.taken, naive.size_equal, naive.value_equal) == (Taken.YES, False, False)
    wrong = [
        replace(naive, faults=()),
        replace(naive, faults=tuple(one for one in naive.faults if one[0] is not Part.SIZE)),
        replace(naive, taken=Taken.REFUSED),
    ]
    programs = [foretold(port, target, one) for one in (naive, *wrong)]
    ended = run([*programs, port.snippet()])
    assert ended[0] is None
    assert all(error is not None and "AssertionError" in error for error in ended[1:])


def test_the_source_is_run_as_its_own_words_say() -> None:
    """A source's snippet gives the definition, with bias and groups."""
    source = api("torch.nn.ConvTranspose")
    words = {"in_channels": 4, "out_channels": 2, "kernel_size": (3, 2), "groups": 2, "output_padding": 1, "stride": 2}
    assert run([source_text("layer", source, Spelling(source.name, words), (3, 4)).snippet()]) == [None]
