"""What the porting oracle foretells: known traps of porting are found by drawing, not written down anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from harness.audit.naive import NaivePort, Taken, naive_port
from harness.frameworks import registry
from harness.frameworks.base import Api
from harness.frameworks.flax import LinenConvTranspose
from harness.frameworks.jax import ConvGeneralDilated
from harness.frameworks.jax import ConvTranspose as Jax
from harness.frameworks.keras import ConvTranspose as Keras
from harness.frameworks.tensorflow import ConvTranspose as Tf
from harness.frameworks.torch import ConvTranspose as Torch
from harness.layer import Layer, Spelling
from harness.porting.foretold import Call, draw, foretell, is_right
from harness.porting.smallest import smallest
from harness.porting.wording import worded, words_of

TORCH, JAX, KERAS, TF, LINEN = Torch(), Jax(), Keras(), Tf(), LinenConvTranspose()
APIS = tuple(api() for api in registry.apis())


def drawn(api: Api, **arguments: Any) -> list[Call]:
    """Calls of an API that say these arguments, among those that are drawn."""
    calls = draw(api, 150, 3)
    return [call for call in calls if all(call.spelling.get(name) == value for name, value in arguments.items())]


def torch_call(kernel_size: int, **arguments: Any) -> Spelling:
    words = {"in_channels": 1, "out_channels": 1, "kernel_size": kernel_size, "bias": False}
    return Spelling(TORCH.name, words | arguments)


def port(spelling: Spelling, target: Api, n: int = 4) -> NaivePort:
    return naive_port(TORCH, spelling, target, (n,))


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
def test_drawn_calls_are_legal_small_and_each_only_once(api: Api) -> None:
    """A call that its own documentation forbids, or that leaves nothing, says nothing of a port."""
    calls = draw(api, 40, 5)
    assert len({(call.spelling, call.input_size) for call in calls}) == 40
    assert calls == draw(api, 40, 5)
    assert all(max(call.input_size) <= 8 for call in calls)
    assert all(min(call.layer.output_size(call.input_size)) >= 1 for call in calls)


@pytest.mark.parametrize("target", [TORCH, TF, KERAS], ids=lambda api: api.name)
def test_jax_does_not_flip_the_kernel_unless_it_is_told_to(target: Api) -> None:
    """Of calls with transpose_kernel=True every kernel is right; of the others those of one element."""
    calls = draw(JAX, 150, 3)
    naive = [(call, foretell(JAX, call, target)) for call in calls]
    kernels = [(call, right) for call, one in naive if (right := is_right(one, "kernel")) is not None]
    told = [right for call, right in kernels if call.spelling.get("transpose_kernel")]
    others = [
        (right, max(call.layer.kernel_size)) for call, right in kernels if not call.spelling.get("transpose_kernel")
    ]
    assert len(told) > 5
    assert len(others) > 20
    assert all(told)
    assert all(right is (k == 1) for right, k in others)


def test_padding_of_the_zero_inserted_input_is_not_pytorchs() -> None:
    """A padding of 1 is JAX's (1, 1) with k = 3, where the crops coincide, and another crop with k = 4."""
    three, four = port(torch_call(3, padding=1), JAX), port(torch_call(4, padding=1), JAX)
    assert [one.spelling and one.spelling["padding"] for one in (three, four)] == [((1, 1),), ((1, 1),)]
    assert (is_right(three, "size"), is_right(three, "crop")) == (True, True)
    assert (is_right(four, "size"), is_right(four, "crop")) == (False, False)
    assert not three.value_equal


@pytest.mark.parametrize("source", [KERAS, JAX, LINEN], ids=lambda api: api.name)
def test_valid_is_longer_than_no_padding_where_the_kernel_is_below_the_stride(source: Api) -> None:
    """The size of VALID is PyTorch's of padding=0 exactly where e >= s on every axis."""
    word = "valid" if source is KERAS else "VALID"
    calls = [call for call in drawn(source, padding=word) if call.spelling.get("output_padding") is None]
    answers = {(is_right(foretell(source, call, TORCH), "size"), _at_least_the_stride(call.layer)) for call in calls}
    assert answers == {(True, True), (False, False)}


def _at_least_the_stride(layer: Layer) -> bool:
    return all(e >= s for e, s in zip(layer.effective_kernel_size, layer.stride, strict=True))


def test_no_output_padding_is_not_zero_in_keras() -> None:
    """What PyTorch means by leaving it out Keras means by 0: left out there, the size is another."""
    left_out, zero = port(torch_call(1, stride=2), KERAS), port(torch_call(1, stride=2, output_padding=0), KERAS)
    assert left_out.spelling is not None
    assert left_out.spelling.get("output_padding") is None
    assert (left_out.size_equal, zero.size_equal) == (False, True)
    found = smallest(TORCH, KERAS, drawn(TORCH, output_padding=None), "size")
    assert found is not None
    assert foretell(TORCH, found, KERAS).reason == "output size (2,), not (1,)"


@pytest.mark.parametrize(("source", "target"), [(TORCH, KERAS), (KERAS, TORCH), (JAX, TORCH)])
def test_the_smallest_wrong_crop_is_one_that_nobody_sees(source: Api, target: Api) -> None:
    """Between PyTorch's numbers and SAME there is a call of the same size with its values shifted."""
    found = smallest(source, target, draw(source, 150, 3), "crop")
    assert found is not None
    naive = foretell(source, found, target)
    assert (is_right(naive, "size"), is_right(naive, "crop")) == (True, False)
    assert any(reason.startswith("same size, values shifted by") for _, reason in naive.faults)
    assert (len(found.input_size), found.layer.in_channels, found.layer.out_channels) == (1, 1, 1)


def test_groups_that_have_no_word_are_no_call_with_a_known_outcome() -> None:
    """A grouped weight has not the shape that is asked for: whatever comes of it is wrong, and nothing is compared."""
    naive = port(torch_call(3, in_channels=2, out_channels=2, groups=2), KERAS)
    assert naive.taken is Taken.UNSAID
    assert [is_right(naive, part) for part in ("taken", "size", "kernel", "crop", "value")] == [
        False,
        None,
        None,
        None,
        False,
    ]


def test_a_kernel_is_written_out_where_the_name_says_no_number_of_axes() -> None:
    """kernel_size=3 of ConvTranspose2d becomes (3, 3) in Flax, whose one class has any number of axes."""
    naive = naive_port(TORCH, torch_call(3), LINEN, (4, 4))
    assert naive.spelling is not None
    assert naive.spelling["kernel_size"] == (3, 3)


def test_what_a_word_is_taken_for_is_written_as_pairs_where_pairs_are_asked_for() -> None:
    """Keras's same is (k - 1) // 2 at both ends for an API that has pairs alone."""
    words = {"in_channels": 1, "filters": 1, "kernel_size": 5, "padding": "same"}
    naive = naive_port(KERAS, Spelling(KERAS.name, words), ConvGeneralDilated(), (4,))
    assert naive.spelling is not None
    assert naive.spelling["padding"] == ((2, 2),)
    assert naive.habits


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
def test_a_layer_in_a_wording_is_that_layer(api: Api) -> None:
    """For every drawn call, its layer in its own wording, where one is known, means that layer, in that wording."""
    calls = draw(api, 60, 7)
    found = [(call, worded(api, call.words, call.layer, call.input_size)) for call in calls]
    known = [(call, one) for call, one in found if one is not None]
    assert len(known) > 30
    assert all(words_of(api, spelling) == call.words for call, (spelling, _) in known)
    assert all(meant.replace(bias=call.layer.bias) == call.layer for call, (_, meant) in known)
