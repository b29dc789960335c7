"""How a tuple is asked of an API in its own words, and what answers tell.

A target without a vocabulary is asked for the layer itself. Sizes and values that are compared with an answer come from
counting and from the NumPy reference, never from another framework.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.frameworks import registry
from harness.frameworks.base import Api
from harness.layer import Case, Layer, Spelling
from harness.records import Resolved, Skipped
from harness.rules.checks import arrays, forward, layer, output
from harness.rules.statement import Answer, Question, Questions, Row, Telling

TORCH, JAX, TF, KERAS = (
    "torch.nn.ConvTranspose",
    "jax.lax.conv_transpose",
    "tf.nn.conv_transpose",
    "keras.layers.ConvTranspose",
)


@cache
def api(name: str) -> Api:
    """The pure half of an API."""
    return next(one() for one in registry.apis() if one.name == name)


def exactly(of: Api | None, asked: Layer, n: int) -> Questions:
    """The call that means the layer, if the API's words alone reach its crop."""
    if of is None or not of.has_vocabulary:
        return (Question(Case(asked, input_size=n), asked),)
    worded = of.worded(asked, (n,))
    if isinstance(worded, Skipped) or any(map(any, worded[0].crop)) or worded[0].spelling is None:
        return ()
    return (question(worded[0].spelling, worded[1].layer, n),)


def reaching(of: Api | None, asked: Layer, n: int) -> Questions:
    """A call that gives the layer's output size, whatever the crop."""
    if of is None or not of.has_vocabulary:
        return (Question(Case(asked, input_size=n), asked),)
    size = asked.output_size((n,))
    found = ((spelling, of.resolve(spelling, (n,))) for spelling in of.candidates(asked, (n,)))
    meant = [(s, r.layer) for s, r in found if isinstance(r, Resolved) and r.layer.output_size((n,)) == size]
    return tuple(question(spelling, layer, n) for spelling, layer in meant[:1])


def two_sizes(of: Api | None, one: Row) -> Questions:
    """Calls that give the size without output padding, and the next one; none where either has no words."""
    found = [reaching(of, layer({**one, "a": a}), one["n"]) for a in (0, 1)]
    return () if () in found else (*found[0], *found[1])


def answer_is(*of: Callable[[Row], NDArray[Any]]) -> Telling:
    """Tells whether the one answer is each of these; a rejection says nothing of values."""
    return lambda one, _, answers: (
        None if answers[0] is None else all(np.array_equal(answers[0], each(one)) for each in of)
    )


def size_is(of: Callable[[Row], int]) -> Telling:
    """Tells whether the one answer has this size, and so is one."""
    return lambda one, _, answers: size(answers[0]) == of(one)


def two_sizes_lead_back(one: Row, _: Questions, answers: Sequence[Answer]) -> bool:
    """Whether both calls gave a size, another one, that the forward convolution takes to n."""
    found = {size(answer) for answer in answers}
    return None not in found and len(found) == 2 and all(leads_back(one, m) for m in found)


def leads_back(one: Row, m: int | None) -> bool:
    """Whether the forward convolution takes a size to the tuple's n."""
    column = {name: np.array([value]) for name, value in one.items()}
    return m is not None and int(forward(column, np.array([m]))[0]) == one["n"]


def size(answer: Answer) -> int | None:
    """The size of an answer."""
    return None if answer is None else int(answer.shape[2])


def right(of: Callable[[Row], Layer]) -> Callable[[Row], NDArray[Any]]:
    """The reference's answer for the layer that is made of a tuple."""
    return lambda one: output(arrays(one), of(one))


def question(spelling: Spelling, meant: Layer, n: int) -> Question:
    """A call that means a layer, on an input of this size."""
    return Question(Case.spelled(spelling, input_size=(n,)), meant)
