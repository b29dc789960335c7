"""Which calls are fused: what XLA does with a convolution is known from its shapes."""

from __future__ import annotations

import pytest

from harness import Layer
from harness.frameworks.base import Api
from harness.frameworks.flax import LinenConvTranspose, NnxConvTranspose
from harness.frameworks.jax import ConvGeneralDilated, ConvTranspose
from harness.layer import Spelling
from harness.records import Expression, Size

APIS = (ConvTranspose(), ConvGeneralDilated(), LinenConvTranspose(), NnxConvTranspose())
NAMES = [api.name for api in APIS]


def spelled(api: Api, layer: Layer, n: Size) -> Spelling:
    expression = api.express(layer, n)
    assert isinstance(expression, Expression)
    assert expression.spelling is not None
    return expression.spelling


@pytest.mark.parametrize("api", APIS, ids=NAMES)
@pytest.mark.parametrize(
    ("layer", "n", "alone"),
    [
        (Layer(1, 1, 2, (2, 1), (1, 0), (0, 1), ndim=2, bias=False), (3, 1), True),
        (Layer(1, 1, 2, (2, 1), (0, 0), (0, 1), ndim=2, bias=False), (3, 1), False),
        (Layer(1, 1, 2, 2, 1, dilation=2, ndim=1, bias=False), (3,), False),
        (Layer(1, 1, 3, 2, 1, ndim=1, bias=False), (3,), False),
    ],
)
def test_what_ends_the_process_takes_nothing_with_it(api: Api, layer: Layer, n: Size, alone: bool) -> None:
    """A kernel of 2 with a stride of 2 and no padding left: the axis that XLA 0.10.2 takes for one of groups."""
    assert api.alone(spelled(api, layer, n), n) == alone


@pytest.mark.parametrize("api", APIS, ids=NAMES)
@pytest.mark.parametrize(
    ("layer", "n", "costly"),
    [
        (Layer(1, 1, 3, 2, 1, ndim=1, bias=False), (4,), False),
        (Layer(1, 1, 3, 2, 1, ndim=1, bias=False), (2,), True),
        (Layer(1, 1, 5, 1, 0, ndim=1, bias=False), (1,), False),
        (Layer(1, 1, 5, 1, 2, ndim=1, bias=False), (1,), True),
    ],
)
def test_a_kernel_larger_than_its_input_is_costly(api: Api, layer: Layer, n: Size, costly: bool) -> None:
    """XLA exchanges the two, but an axis of one element under the full output counts as long as the kernel."""
    assert api.costly(spelled(api, layer, n), n) == costly


def test_a_dtype_without_a_library_is_costly() -> None:
    """Eigen's convolution is for float32; XLA compiles loops for the others."""
    api = ConvGeneralDilated()
    spelling = spelled(api, Layer(1, 1, 3, 2, 1, ndim=1, bias=False), (4,))
    assert not api.costly(spelling, (4,))
    api.dtype = "float64"
    assert api.costly(spelling, (4,))


def test_groups_are_never_exchanged() -> None:
    """``conv_operand_swapper`` leaves grouped convolutions as they are."""
    api = ConvGeneralDilated()
    spelling = spelled(api, Layer(2, 2, 3, 1, 0, groups=2, ndim=1, bias=False), (2,))
    assert not api.costly(spelling, (2,))


@pytest.mark.parametrize("mode", ["jit", "gradient", "abstract"])
def test_only_what_gains_by_it_is_fused(mode: str) -> None:
    """``jit`` alone."""
    api = ConvGeneralDilated()
    api.mode = mode
    assert api.fuses == (mode == "jit")
    assert not Api().fuses
