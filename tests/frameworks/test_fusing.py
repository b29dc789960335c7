"""A batch of calls compiled as one module answers what each of them answers alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from child import in_child, loaded

from harness import Case, Layer, reference
from harness.frameworks import flax, jax
from harness.frameworks.base import Api
from harness.layer import Spelling
from harness.records import Expression
from harness.values import digest

pytestmark = pytest.mark.frameworks

CASES = (
    Case(Layer(1, 1, 3, 2, bias=False, ndim=1), input_size=3),
    Case(Layer(2, 3, 4, 2, 1, ndim=1), batch=3, input_size=5, dtype="float64"),
    Case(Layer(3, 2, (2, 3), (2, 1), (0, 1), (1, 0)), batch=2, input_size=(3, 4), dtype="bfloat16"),
    Case(Layer(1, 2, 2, 3, 0, 2, ndim=2), batch=2, input_size=2, dtype="float16"),
    Case(Layer(2, 2, (1, 2, 3), (1, 2, 3), (0, 0, 1), 0), input_size=(2, 3, 2)),
    Case(Layer(4, 2, 3, 2, groups=2, ndim=2), input_size=(2, 3)),
    Case(Layer(1, 1, 2, 2, ndim=1), batch=0, input_size=3),
)


def asked(api: Api, case: Case) -> tuple[Any, ...]:
    """The arrays of a case with its expression, in the dtype of the case."""
    assert case.layer is not None
    expression = api.express(case.layer, case.input_size)
    assert isinstance(expression, Expression)
    api.dtype = case.dtype
    return (*case.arrays(), expression)


def both_ways(kind: type[Api]) -> list[tuple[Any, ...]]:
    """For each case that the API has words for: shape, dtype and digest from the batch, alone, and of the reference."""
    api = loaded(kind)
    cases = [case for case in CASES if api.limit(case) is None]
    calls = [api.prepare(*asked(api, case)) for case in cases]
    found = []
    for case, answer in zip(cases, api.apply_many(calls), strict=True):
        x, weight, bias, expression = asked(api, case)
        fused = api.finish(answer, bias, expression)
        alone = api.run_expression(x, weight, bias, expression)
        assert case.layer is not None
        expected = reference.conv_transpose(x, weight, bias, case.layer)
        ways = [(one.values.shape, one.dtype, digest(one.values)) for one in (fused, alone)]
        found.append((*ways, (expected.shape, case.dtype, digest(expected))))
    return found


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        (jax.ConvTranspose, 6),
        (jax.ConvGeneralDilated, 7),
        (flax.LinenConvTranspose, 6),
        (flax.NnxConvTranspose, 6),
    ],
)
def test_a_batch_answers_what_each_call_answers(kind: type[Api], count: int) -> None:
    """Every rank, dtype and group count in one module, an empty batch among them; the reference says the same."""
    found = in_child(both_ways, kind)
    assert len(found) == count
    for fused, alone, expected in found:
        assert fused == alone == expected


def refusal(kind: type[Api]) -> tuple[str, str]:
    """What a batch raises in which one call has no meaning, and what that call raises alone."""
    api = loaded(kind)
    good = api.prepare(*asked(api, CASES[0]))
    pairs = {"padding": ((0, 0),), "lhs_dilation": (0,), "in_channels": 1, "out_channels": 1, "kernel_size": (1,)}
    bad = (np.ones((1, 1, 3), np.float32), np.ones((1, 1, 1), np.float32), None, Spelling(api.name, pairs))
    raised = []
    for calls in ([good, type(good)(*bad, "float32")], [type(good)(*bad, "float32")]):
        with pytest.raises(Exception) as caught:  # noqa: PT011 # which one is the framework's
            api.apply_many(calls)
        raised.append(f"{caught.type.__name__}: {caught.value}")
    assert api.alone(bad[3], (3,))
    assert not api.alone(good.spelling, (3,))
    return raised[0], raised[1]


def test_a_call_that_is_refused_is_refused_for_its_batch() -> None:
    """The caller gets what the call itself raises, and asks again in parts; such a call is named beforehand."""
    batch, single = in_child(refusal, jax.ConvGeneralDilated)
    assert batch == single


def test_tidying_takes_nothing_from_the_next_batch() -> None:
    """The same answer after everything was forgotten."""
    assert in_child(tidied, jax.ConvGeneralDilated)


def tidied(kind: type[Api]) -> bool:
    api = loaded(kind)
    call = api.prepare(*asked(api, CASES[0]))
    before = api.apply_many([call])[0]
    api.tidy()
    return bool((api.apply_many([call])[0].values == before.values).all())
