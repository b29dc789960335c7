"""What a found layer means: at which sizes, with the slice after it in its crop, and why it means nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.audit.audit import source_of
from harness.audit.found import Cut, FoundLayer
from harness.audit.wanted import RANGE, Wanted, want
from harness.audit.written import parse_layer
from harness.errors import UsageError

UP = "ConvTranspose1d(1, 1, 3, stride=2, padding=1)"


def found(text: str, source: str = "torch", **more: Any) -> FoundLayer:
    """A layer as it is written."""
    return FoundLayer("up", *parse_layer(text, source), **more)


def wanted(text: str, source: str = "torch", size: tuple[int, ...] | None = None, **more: Any) -> Wanted:
    """What it means."""
    layer = found(text, source, **more)
    answer = want(layer, source_of(layer), size)
    assert isinstance(answer, Wanted), answer
    return answer


def refused(text: str, source: str = "torch", size: tuple[int, ...] | None = None, **more: Any) -> str:
    """Why it is refused."""
    layer = found(text, source, **more)
    with pytest.raises(UsageError) as raised:
        want(layer, source_of(layer), size)
    return str(raised.value)


def test_without_a_size_a_range_is_looked_at() -> None:
    """And a small one is shown; a layer that leaves nothing of small inputs begins where it leaves something."""
    assert list(wanted(UP).meanings) == [(n,) for n in range(1, RANGE + 1)]
    assert wanted(UP).input_size == (3,)
    assert min(wanted("ConvTranspose1d(1, 1, 3, padding=5)").meanings) == (9,)
    assert not wanted(UP).fixed


def test_the_models_own_size_comes_first() -> None:
    """Then the given one, which stands for every axis."""
    assert wanted(UP, size=(7,), input_size=(5,)).input_size == (5,)
    assert wanted("ConvTranspose2d(1, 1, 3)", size=(7,)).input_size == (7, 7)


NAMED = {
    "nn.ConvTranspose2d(1, 1, 3)(x, output_size=(7, 7))": ("torch", (5, 5)),
    "nn.ConvTranspose2d(1, 1, 3, 2, 1)(x, (8, 300))": ("torch", (4, 150)),
    "nn.ConvTranspose3d(1, 1, (1, 2, 3), (1, 2, 3))(x, (4, 6, 9))": ("torch", (4, 3, 3)),
    "tf.nn.conv2d_transpose(x, (3, 3, 1, 1), (9, 8), 2, 'SAME')": ("tensorflow", (5, 4)),
    "tf.nn.conv2d_transpose(x, (3, 3, 1, 1), (9, 8), 2, [[1, 1], [0, 0]])": ("tensorflow", (5, 3)),
}


@pytest.mark.parametrize("text", NAMED)
def test_a_named_output_size_says_the_inputs(text: str) -> None:
    """On each axis by itself, beyond the range too."""
    source, size = NAMED[text]
    layer = wanted(text, source)
    assert layer.input_size == size
    assert not layer.fixed


def test_an_output_that_no_input_reaches_is_refused() -> None:
    """With what to do."""
    said = refused("tf.nn.conv1d_transpose(x, (2, 1, 1), (2,), 5, 'VALID')", "tensorflow", (4,))
    assert "VALID: the forward convolution's output size" in said
    assert "--input-size" in refused("nn.ConvTranspose1d(1, 1, 9)(x, (2,))")


CUTS: dict[str, tuple[Cut, tuple[int, int]]] = {
    "none": ((), (1, 1)),
    "whole": (((0, None),), (1, 1)),
    "both ends": (((1, -2),), (2, 3)),
    "a length": (((0, 4),), (1, 2)),
    "from the end": (((-3, None),), (3, 1)),
    "beyond the end": (((0, 99),), (1, 1)),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_slice_after_the_layer_is_in_its_crop(name: str) -> None:
    """Its meaning is Python's."""
    cut, crop = CUTS[name]
    layer = wanted(UP, size=(3,), cut=cut).layer
    assert layer.crops == (crop,)
    assert layer.output_size((3,)) == (len(range(5)[slice(*(cut[0] if cut else (0, None)))]),)


def test_a_slice_that_leaves_nothing_means_nothing() -> None:
    """A size of zero is no layer to port."""
    layer = found(UP, cut=((5, None),))
    assert want(layer, source_of(layer), (3,)) == "an input of size (3,) leaves an output of size (0,)"


def test_a_bias_that_the_words_do_not_have_counts() -> None:
    """TensorFlow's function has no word for the one that a model adds."""
    text = "tf.nn.conv1d_transpose(x, (3, 1, 1), (6,), 2, 'SAME')"
    assert not wanted(text, "tensorflow").layer.bias
    assert wanted(text, "tensorflow", bias=np.ones(1)).layer.bias


def test_no_layer_without_a_meaning() -> None:
    """What an API's documentation leaves open is said; what it forbids is refused with the call."""
    layer = found("nn.ConvTranspose(1, (3,), padding='CIRCULAR')", "flax")
    assert "CIRCULAR wraps" in str(want(layer, source_of(layer)))
    assert refused("ConvTranspose1d(1, 1, 3, padding=-1)").startswith(
        "torch.nn.ConvTranspose1d(in_channels=1, out_channels=1, kernel_size=3, padding=-1)(x): padding must be"
    )
    assert "must be below 2**31" in refused("ConvTranspose1d(1, 1, 99999999999)")
    assert "must both be divisible by groups" in refused("ConvTranspose1d(3, 4, 3, groups=2)")


@pytest.mark.parametrize("size", [(1, 2, 3), (0,), (-4, 4), (3, 0)])
def test_a_size_must_have_an_entry_for_each_axis(size: tuple[int, ...]) -> None:
    """Each at least 1."""
    assert "must be 2 integers of at least 1" in refused("ConvTranspose2d(1, 1, 3)", size=size)


@pytest.mark.parametrize(
    "text", ["ConvTranspose2d(1, 1, 100000)", "ConvTranspose2d(100000, 100000, 3)", "ConvTranspose1d(16777217, 1, 1)"]
)
def test_what_is_too_much_is_refused_before_it_is_made(text: str) -> None:
    """Work, an array, or sums of products that are exact for no integers."""
    assert "at most" in refused(text) or "exact for no integers" in refused(text)


def test_a_dear_size_has_shorter_ones_to_be_run() -> None:
    """The largest first; a cheap one has none."""
    assert list(wanted("ConvTranspose2d(64, 64, 4, 2, 1)", size=(2000, 9)).smaller)[:2] == [(32, 9), (16, 9)]
    assert wanted("ConvTranspose2d(64, 64, 4, 2, 1)", size=(9,)).smaller == {}
