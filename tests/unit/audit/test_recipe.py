"""Recipes: their words and crop give what is wanted at every size for which they are said to hold."""

from __future__ import annotations

import ast

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.audit.audit import source_of
from harness.audit.found import FoundLayer
from harness.audit.recipe import Recipe, alternatives, recipes
from harness.audit.text import port
from harness.audit.wanted import Wanted, want
from harness.audit.written import parse_layer
from harness.errors import UsageError
from harness.frameworks.base import Api
from harness.frameworks.registry import apis
from harness.layer import Case
from harness.records import Resolved, Size, Skipped
from strategies.spelled import spelled_cases

ALL: dict[str, Api] = {kind.name: kind() for kind in apis() if kind.signature is not None}


def wanted(
    text: str, source: str = "torch", size: Size | None = None, cut: tuple[tuple[int, int | None], ...] = ()
) -> Wanted:
    """What a text means."""
    found = FoundLayer("up", *parse_layer(text, source), cut=cut)
    answer = want(found, source_of(found), size)
    assert isinstance(answer, Wanted), answer
    return answer


def recipe(asked: Wanted, api: str) -> Recipe:
    """The first recipe."""
    found = recipes(asked, ALL[api])
    assert not isinstance(found, Skipped), found
    return found[0]


def assert_means(one: Recipe, asked: Wanted) -> None:
    """At every size for which it holds, its arguments with the size's own output mean what is wanted, and the crop."""
    for size in one.sizes:
        layer = asked.meanings[size]
        ways = [way for way, _ in one.api.exactly(layer, size)]
        cropped = one.api.cropped(layer, size)
        ways += [] if isinstance(cropped, Skipped) else [cropped[0]]
        same = [way for way in ways if way.crop == one.expression.crop and way.spelling is not None]
        resolved = [one.api.resolve(way.spelling, size) for way in same if way.spelling is not None]
        assert any(
            isinstance(answer, Resolved)
            and all(
                (have.lo + more.lo, have.hi + more.hi) == tuple(want_)
                for have, more, want_ in zip(answer.layer.crops, one.expression.crop, layer.crops, strict=True)
            )
            for answer in resolved
        )


@given(spelled_cases(list(ALL.values())), st.booleans(), st.sampled_from(sorted(ALL)))
@settings(deadline=None)
def test_every_recipe_means_what_is_wanted(case: Case, fixed: bool, target: str) -> None:
    """From any API's own words to any API, by the documentation of both."""
    assert case.spelling is not None
    found = FoundLayer("up", case.spelling, case.ndim, case.input_size if fixed else None)
    try:
        asked = want(found, ALL[case.spelling.api])
    except UsageError:
        asked = ""
    assume(isinstance(asked, Wanted))
    assert isinstance(asked, Wanted)
    answer = recipes(asked, ALL[target])
    for one in () if isinstance(answer, Skipped) else (*answer, *alternatives(asked, ALL[target])):
        assert_means(one, asked)
        assert set(one.trials) <= {*one.sizes, *asked.smaller}
        ast.parse(port("up", asked, one).snippet())


HOLDS = {
    ("ConvTranspose1d(1, 1, 3, stride=2, padding=1)", "jax.lax.conv_transpose"): "every input size from 1 on",
    ("ConvTranspose1d(1, 1, 3, padding=5)", "jax.lax.conv_transpose"): "every input size from 9 on",
    ("ConvTranspose2d(1, 1, 3)(x, (7, 5))", "torch.nn.ConvTranspose"): "the input size (5, 3)",
    ("ConvTranspose2d(1, 1, 3, 2, 1)(x, (7, 8))", "torch.nn.ConvTranspose"): "the input size (4, 4)",
}


@pytest.mark.parametrize(("text", "target"), HOLDS)
def test_the_sizes_are_said_in_words(text: str, target: str) -> None:
    """From one on, or the only one."""
    assert recipe(wanted(text), target).holds.startswith(HOLDS[text, target])


def test_a_named_output_size_goes_with_the_inputs() -> None:
    """TensorFlow is told 2n - 1 at every size: one recipe, whose function works it out of its input."""
    asked = wanted("ConvTranspose1d(1, 1, 3, stride=2, padding=1)")
    one = recipe(asked, "tf.nn.conv_transpose")
    assert one.holds.startswith("every input size from 1 on")
    assert any("[x.shape[0], 2 * x.shape[1] - 1, 1]" in line for line in port("up", asked, one).lines.call)


def test_sizes_that_need_another_output_size_are_another_recipe() -> None:
    """A slice to a fixed length: SAME says it for 5 as for less, but the size is 2n - 1 and not 2n."""
    asked = wanted("ConvTranspose1d(1, 1, 2, stride=2)", cut=((0, 9),))
    found = recipes(asked, ALL["tf.nn.conv_transpose"])
    assert not isinstance(found, Skipped)
    assert [(one.sizes, one.spelling["padding"]) for one in found[:2]] == [
        (((1,), (2,), (3,), (4,)), "SAME"),
        (((5,),), "SAME"),
    ]
    assert found[0].holds == "the input sizes 1, 2, 3, 4"


def test_a_cut_is_in_the_recipe() -> None:
    """Unequal unpadding is one call with unequal pairs in JAX; EnCodec's, of odd strides, is SAME."""
    unequal = recipe(wanted("ConvTranspose1d(2, 1, 10, stride=5)", cut=((1, -4),)), "jax.lax.conv_transpose")
    assert unequal.spelling["padding"] == ((8, 5),)
    encodec = wanted("ConvTranspose1d(2, 1, 10, stride=5)", cut=((2, -3),))
    for target in ("jax.lax.conv_transpose", "tf.nn.conv_transpose", "flax.linen.ConvTranspose"):
        assert recipe(encodec, target).spelling["padding"] == "SAME"
        assert recipe(encodec, target).sizes == tuple(encodec.meanings)


def test_what_has_no_word_is_skipped() -> None:
    """Groups in JAX's function, with the reason."""
    answer = recipes(wanted("ConvTranspose1d(2, 2, 3, groups=2)"), ALL["jax.lax.conv_transpose"])
    assert isinstance(answer, Skipped)
    assert "groups" in answer.reason


def test_other_wordings_end_with_a_crop() -> None:
    """Each once, the first recipe not among them."""
    asked = wanted("ConvTranspose1d(1, 1, 4, stride=2, padding=1)")
    first, others = recipe(asked, "tf.nn.conv_transpose"), tuple(alternatives(asked, ALL["tf.nn.conv_transpose"]))
    assert [(one.spelling["padding"], one.is_cropped) for one in (first, *others)] == [("SAME", False), ("VALID", True)]
    assert others[0].sizes == first.sizes


def test_an_extension_bears_the_bias() -> None:
    """The call is made without it, for zeros are added after it."""
    one = recipe(wanted("nn.ConvTranspose(1, (1,), (3,), padding=[(2, 2)])", "flax"), "torch.nn.ConvTranspose")
    assert one.is_cropped
    assert not one.gives_bias


def test_a_dear_size_is_run_at_shorter_ones() -> None:
    """Where the same recipe holds there."""
    one = recipe(wanted("ConvTranspose2d(64, 64, 4, 2, 1)", size=(2000, 9)), "tf.nn.conv_transpose")
    assert one.holds == "the input size (2000, 9)"
    assert list(one.trials) == [(32, 9), (16, 9)]
