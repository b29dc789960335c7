"""The adapters, proved on the installed frameworks with cases that can be worked out by hand.

A mismatch is first a bug of ours: what is wrong here must be mended before any framework is blamed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from harness import Case, Layer, Spelling, reference
from harness.campaign.ask import Chosen
from harness.campaign.investigate import Investigation
from harness.campaign.loop import seat
from harness.campaign.select import select
from harness.judge.baseline import Baseline
from harness.records import Kind, Observation, Outcome
from harness.values import digest
from harness.workers.pool import Pool

pytestmark = pytest.mark.frameworks

FRAMEWORKS = ("torch", "jax", "tensorflow", "keras", "flax")

#: what every API answers in its own words or with a crop after them
LAYERS = {
    "1-D, n = 3, k = 3, s = 2: 7": (Layer(1, 1, 3, 2, bias=False, ndim=1), (3,)),
    "1-D, the other valid size: 8": (Layer(1, 1, 3, 2, 0, 1, bias=False, ndim=1), (3,)),
    "1-D, cut on both sides": (Layer(2, 3, 4, 2, 1, ndim=1), (5,)),
    "2-D, each axis its own": (Layer(3, 2, (2, 3), (2, 1), (0, 1), (1, 0)), (3, 4)),
    "2-D, even kernel, doubled": (Layer(2, 4, 4, 2, 1, ndim=2), (3, 2)),
    "2-D, longer than the full output": (Layer(1, 2, 2, 3, 0, 2, ndim=2), (2, 2)),
    "3-D, each axis its own": (Layer(2, 2, (1, 2, 3), (1, 2, 3), (0, 0, 1), 0), (2, 3, 2)),
}


@pytest.fixture(scope="module", params=FRAMEWORKS)
def targets(request: pytest.FixtureRequest) -> Iterator[tuple[Pool, list[Chosen]]]:
    """Every mode of one installed framework, in processes of their own."""
    (chosen,) = select([request.param]).values()
    missing = [one.missing for one in chosen if one.missing]
    present = [one for one in chosen if not one.missing]
    if not present:
        pytest.skip(missing[0] or "")
    with Pool([seat(one) for one in present]) as pool:
        yield pool, present


def observed(targets: tuple[Pool, list[Chosen]], case: Case) -> dict[str, Observation]:
    """What each mode did with the case, and the judge's word that nothing is wrong with it."""
    pool, chosen = targets
    judged = Investigation(pool, Baseline.empty(), {}).ask(case, chosen)
    assert judged.verdict.disagreements == ()
    return dict(judged.observations)


@pytest.mark.parametrize("name", LAYERS)
def test_every_mode_gives_the_references_answer(targets: tuple[Pool, list[Chosen]], name: str) -> None:
    """Same shape, same numbers, from the same arrays; abstract modes show the shape, gradient ones the gradients."""
    layer, n = LAYERS[name]
    case = Case(layer, batch=2, input_size=n, seed=3)
    x, weight, bias = case.arrays()
    expected = reference.conv_transpose(x, weight, bias, layer)
    inputs = digest(np.concatenate([x.ravel(), weight.ravel(), *([] if bias is None else [bias.ravel()])]))
    parts = reference.vjp(x, weight, bias, layer, case.cotangent())
    gradients = digest(np.concatenate([part.ravel() for part in parts if part is not None]))
    gradient_modes = {one.target.name for one in targets[1] if one.mode.gradient}
    assert gradient_modes
    for target, seen in observed(targets, case).items():
        if target in gradient_modes:
            assert (seen.outcome, seen.reason, seen.digest) == (Outcome.OK, None, gradients)
            continue
        assert (seen.outcome, seen.shape) == (Outcome.OK, expected.shape)
        assert seen.digest in (None, digest(expected))
        assert seen.input_digest in (None, inputs)


def test_groups_are_moved_to_where_each_api_wants_them(targets: tuple[Pool, list[Chosen]]) -> None:
    """Two groups of two inputs and one output each; an API without groups says so."""
    case = Case(Layer(4, 2, 3, 2, groups=2, ndim=2), input_size=(2, 3))
    for seen in observed(targets, case).values():
        assert seen.outcome is Outcome.OK or (seen.outcome is Outcome.SKIPPED and "groups" in (seen.reason or ""))


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_dtypes_go_through(targets: tuple[Pool, list[Chosen]], dtype: str) -> None:
    """The output has the dtype that was asked for, and small integers are exact in it."""
    for seen in observed(targets, Case(Layer(2, 2, 2, 2, ndim=1), input_size=3, dtype=dtype)).values():
        assert seen.outcome is Outcome.OK
        assert seen.dtype in (None, dtype)


def test_reals_are_within_the_bound(targets: tuple[Pool, list[Chosen]]) -> None:
    """The judge compares them with the reference and has nothing to object."""
    assert observed(targets, Case(Layer(5, 4, 3, 2, 1, 1, ndim=2), batch=2, input_size=(5, 6), values="normal"))


def ask_spelling(api: str, arguments: dict[str, object], input_size: tuple[int, ...]) -> list[Kind]:
    """What the judge objects to when one API's modes are asked its own words."""
    (found,) = select([api]).values()
    chosen = [one for one in found if not one.missing]
    if not chosen:
        pytest.skip(found[0].missing or "")
    with Pool([seat(one) for one in chosen]) as pool:
        case = Case.spelled(Spelling(api, arguments), input_size=input_size)
        judged = Investigation(pool, Baseline.empty(), {}).ask(case, chosen)
        return [objection.kind for objection in judged.verdict.disagreements]


CHANNELS = {"in_channels": 2, "out_channels": 3}


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("padding", ["SAME", "VALID", ((1, 2),)])
def test_jax_orients_the_kernel_as_documented(transposed: bool, padding: object) -> None:
    """The correlated kernel of the default and PyTorch's orientation, with words and with pairs."""
    words = {**CHANNELS, "kernel_size": (3,), "strides": (2,), "padding": padding, "transpose_kernel": transposed}
    assert ask_spelling("jax.lax.conv_transpose", words, (4,)) == []


FLAX = {
    "flax.linen.ConvTranspose": {"in_features": 2, "features": 3},
    "flax.nnx.ConvTranspose": {"in_features": 2, "out_features": 3},
}


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("padding", ["SAME", "VALID", ((1, 2),), 1, (3,), None])
@pytest.mark.parametrize("api", FLAX)
def test_flax_pads_and_orients_the_kernel_as_documented(api: str, padding: object, transposed: bool) -> None:
    """Words, pairs, integers and what is left out; both orientations; a bias that the layer adds."""
    words = {"kernel_size": (3,), "strides": 2, "padding": padding, "transpose_kernel": transposed}
    assert ask_spelling(api, {**FLAX[api], **words}, (4,)) == []


@pytest.mark.parametrize("api", FLAX)
def test_flax_takes_each_axis_by_itself(api: str) -> None:
    """An integer beside a pair, a dilation of one axis, no bias."""
    words = {"kernel_size": (3, 2), "strides": (1, 2), "padding": (1, (2, 0)), "kernel_dilation": (2, 1)}
    assert ask_spelling(api, {**FLAX[api], **words, "use_bias": False}, (4, 3)) == []


def test_jax_pads_like_the_forward_convolution_where_it_is_told_to() -> None:
    """``use_consistent_padding`` is understood where the installed version has it, and skipped where it has not."""
    words = {**CHANNELS, "kernel_size": (3,), "strides": (2,), "padding": ((1, 1),), "use_consistent_padding": True}
    assert ask_spelling("jax.lax.conv_transpose", words, (4,)) == []


def test_torch_takes_the_size_itself() -> None:
    """``output_size=`` in the call, 5 and 6 for n = 3, k = 3, s = 2, p = 1."""
    for size in (5, 6):
        words = {**CHANNELS, "kernel_size": 3, "stride": 2, "padding": 1, "output_size": (size,)}
        assert ask_spelling("torch.nn.ConvTranspose", words, (3,)) == []


def test_keras_tells_no_output_padding_from_zero() -> None:
    """``output_padding=None`` gives n s = 6, 0 gives 5; both are as documented."""
    for added in (None, 0, 1):
        words = {
            "in_channels": 2,
            "filters": 3,
            "kernel_size": 3,
            "strides": 2,
            "padding": "same",
            "output_padding": added,
        }
        assert ask_spelling("keras.layers.ConvTranspose", words, (3,)) == []


def test_tensorflow_takes_explicit_pairs_in_two_dimensions() -> None:
    """The begin decides the crop, the output shape the rest."""
    words = {**CHANNELS, "kernel_size": (3, 3), "output_shape": (5, 6), "strides": (2, 2), "padding": ((1, 1), (1, 0))}
    assert ask_spelling("tf.nn.conv_transpose", words, (3, 3)) == []
