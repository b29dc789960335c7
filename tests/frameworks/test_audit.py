"""Ports that are run on the installed frameworks: published layers and random spellings, from every API to every API.

All ports of one framework are run in one interpreter, as the command does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import Phase, given, seed, settings

from harness import Case, Spelling
from harness.audit.audit import audit
from harness.audit.found import Cut, FoundLayer, Model
from harness.audit.text import first_mode
from harness.frameworks import registry
from harness.frameworks.base import Api
from harness.frameworks.registry import apis
from harness.ported import Audit, Portability, Ran
from strategies.published import published
from strategies.spelled import spelled_cases

pytestmark = pytest.mark.frameworks

FRAMEWORKS = ("torch", "jax", "tensorflow", "keras", "flax")

ALL: dict[str, Api] = {kind.name: kind() for kind in apis() if kind.signature is not None}


def of(framework: str) -> list[Api]:
    """Its APIs, or a skip."""
    found = [api for api in ALL.values() if api.framework == framework]
    if reason := registry.missing(type(found[0]), first_mode(found[0])):
        pytest.skip(reason)
    return found


@cache
def sample() -> tuple[FoundLayer, ...]:
    """Some published layers as PyTorch writes them, and random spellings of every API, half of them without a size."""
    found: list[FoundLayer] = []
    for entry in published()[::13]:
        expression = ALL["torch.nn.ConvTranspose"].express(entry.layer, entry.input_size)
        spelling: Spelling = expression.spelling  # type: ignore[union-attr,assignment]  # PyTorch has words for them
        found.append(FoundLayer(f"{entry.model} {len(found)}", spelling, entry.layer.ndim))
    cases: list[Case] = []

    @seed(1)
    @settings(max_examples=12, database=None, phases=[Phase.generate], deadline=None)
    @given(spelled_cases(list(ALL.values())))
    def draw(case: Case) -> None:
        cases.append(case)

    draw()
    for number, case in enumerate(cases):
        assert case.spelling is not None
        size = case.input_size if number % 2 else None
        found.append(FoundLayer(f"drawn {number}", case.spelling, case.ndim, size))
    return tuple(found)


def audited(framework: str, layers: Sequence[FoundLayer]) -> Audit:
    """What the layers become there."""
    return audit(Model("sample", tuple(layers)), of(framework))[0]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_no_recipe_is_claimed_that_fails(framework: str) -> None:
    """Each is equal on integers and within the bound on reals; what cannot be had says why."""
    done = audited(framework, sample())
    targets = [(layer, target) for layer in done.layers for target in layer.targets]
    assert len(targets) > 15
    for layer, target in targets:
        if target.verdict is Portability.CANNOT:
            assert target.reason, layer.call
        else:
            assert target.is_verified, (layer.call, target.call, target.verified)
    assert sum(target.is_verified for _, target in targets) > len(targets) // 2


#: what EnCodec, WaveGlow and one end alone leave of the output
CUTS: tuple[Cut, ...] = (((2, -3),), ((0, -8),), ((1, None),))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_cuts_and_weights_are_part_of_what_is_run(framework: str) -> None:
    """Two layers with the same words and cut share an entry; the worse of their errors is told with its name."""
    words = {"in_channels": 2, "out_channels": 3, "kernel_size": (10,), "stride": (5,), "bias": False}
    rng = np.random.default_rng(0)
    found = [
        FoundLayer(name, Spelling("torch.nn.ConvTranspose", words), 1, None, rng.normal(size=(2, 3, 10)), None, cut)
        for cut in CUTS
        for name in (f"{cut} a", f"{cut} b")
    ]
    done = audited(framework, found)
    assert [len(layer.names) for layer in done.layers] == [2, 2, 2]
    for layer in done.layers:
        proved = [target for target in layer.targets if target.is_verified]
        assert len(proved) == len(layer.targets)
        assert {target.verified.weights for target in proved} <= set(layer.names)
        assert all(len(target.verified.sizes) > 1 for target in proved)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_weights_of_other_dtypes_are_rounded_once(dtype: str) -> None:
    """To the float32 that is run: the bound is that of the run. What is not finite is not run."""
    words = Spelling("torch.nn.ConvTranspose", {"in_channels": 2, "out_channels": 3, "kernel_size": (4,)})
    weight = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(dtype)
    bias = np.ones(3, dtype)
    broken = np.where(weight > 1, np.nan, weight).astype(dtype)
    done = audited("torch", [FoundLayer("up", words, 1, None, one, bias) for one in (weight, broken)])
    (target,) = done.layers[0].targets
    proof = target.verified
    assert proof.integers is Ran.EQUAL
    assert proof.bound_ratio is not None
    assert proof.bound_ratio <= 1
