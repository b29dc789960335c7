"""``layers()``: every boundary regime has its weight, options hold, draws shrink to the plainest layer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from helpers import accepted_by_pytorch, assert_all_examples, axes, find_any, minimal, sample, sample_straight, share
from hypothesis.errors import InvalidArgument

from harness.layer import Layer
from strategies import layers
from strategies.bounds import fits, least_input_size

PLAINEST = Layer(kernel_size=1, bias=False, ndim=1)


def on_some_axis(condition: Callable[[int, int, int, int, int], bool]) -> Callable[[Layer], bool]:
    return lambda layer: any(condition(*axis) for axis in axes(layer))


def differs(field: str) -> Callable[[Layer], bool]:
    return lambda layer: len(set(getattr(layer, field))) > 1


REGIMES: dict[str, tuple[float, Callable[[Layer], bool]]] = {
    "k < s": (0.1, on_some_axis(lambda k, s, d, p, a: k < s)),
    "k = s > 1": (0.1, on_some_axis(lambda k, s, d, p, a: k == s > 1)),
    "k = 2 s": (0.05, on_some_axis(lambda k, s, d, p, a: k == 2 * s)),
    "even k": (0.2, on_some_axis(lambda k, s, d, p, a: k % 2 == 0)),
    "k = 1": (0.1, on_some_axis(lambda k, s, d, p, a: k == 1)),
    "p = 0": (0.2, lambda layer: 0 in layer.padding),
    "p = d (k - 1) > 0": (0.08, on_some_axis(lambda k, s, d, p, a: p == d * (k - 1) > 0)),
    "p > d (k - 1)": (0.05, on_some_axis(lambda k, s, d, p, a: p > d * (k - 1))),
    "a = s - 1 > 0": (0.1, on_some_axis(lambda k, s, d, p, a: a == s - 1 > 0)),
    "s <= a < d": (0.03, on_some_axis(lambda k, s, d, p, a: s <= a < d)),
    "a > p": (0.1, on_some_axis(lambda k, s, d, p, a: a > p)),
    "d > 1": (0.2, on_some_axis(lambda k, s, d, p, a: d > 1)),
    "different kernel sizes": (0.2, differs("kernel_size")),
    "different strides": (0.2, differs("stride")),
    "different paddings": (0.2, differs("padding")),
    "different output paddings": (0.15, differs("output_padding")),
    "different dilations": (0.15, differs("dilation")),
    "all axes alike": (0.1, lambda layer: layer.ndim > 1 and len(set(axes(layer))) == 1),
    "more than 16 channels": (0.03, lambda layer: max(layer.in_channels, layer.out_channels) > 16),
    "groups": (0.08, lambda layer: layer.groups > 1),
    "depthwise with a multiplier": (0.03, lambda layer: 1 < layer.groups == layer.in_channels < layer.out_channels),
    "kernel beyond 7": (0.03, lambda layer: max(layer.kernel_size) > 7),
    "stride beyond 4": (0.03, lambda layer: max(layer.stride) > 4),
    "a = -1": (0.01, lambda layer: -1 in layer.output_padding),
    "p < 0": (0.01, lambda layer: min(layer.padding) < 0),
    "a >= max(s, d)": (0.005, on_some_axis(lambda k, s, d, p, a: a >= max(s, d))),
    "bias": (0.45, lambda layer: layer.bias),
    "no bias": (0.45, lambda layer: not layer.bias),
    "1-D": (0.28, lambda layer: layer.ndim == 1),
    "2-D": (0.28, lambda layer: layer.ndim == 2),
    "3-D": (0.28, lambda layer: layer.ndim == 3),
}


@pytest.fixture(scope="module")
def drawn() -> list[Layer]:
    return sample_straight(layers(), 800)


@pytest.mark.parametrize("name", REGIMES)
def test_every_boundary_has_its_weight(drawn: list[Layer], name: str) -> None:
    """No boundary regime is rarer than its floor."""
    floor, regime = REGIMES[name]
    assert share(drawn, regime) >= floor


def test_groups_and_layers_beyond_pytorch_stay_few(drawn: list[Layer]) -> None:
    """At most 15 % grouped, at most 10 % that PyTorch has no words for."""
    assert share(drawn, lambda layer: layer.groups > 1) <= 0.15
    assert share(drawn, lambda layer: not accepted_by_pytorch(layer)) <= 0.1


def test_every_layer_fits_at_its_least_input(drawn: list[Layer]) -> None:
    """The work bound can always be kept, in float64 too."""
    assert all(fits(layer, least_input_size(layer)) for layer in drawn)


def test_least_input_size_is_least(drawn: list[Layer]) -> None:
    """One element less on an axis, where there is one, leaves no output there."""
    for layer in drawn:
        least = least_input_size(layer)
        assert min(layer.output_size(least)) >= 1
        less = layer.output_size(tuple(n - 1 for n in least))
        assert all(n == 1 or m < 1 for n, m in zip(least, less, strict=True))


def test_without_layers_beyond_pytorch_none_is_drawn() -> None:
    """``allow_beyond=False`` keeps PyTorch's rule."""
    assert_all_examples(layers(allow_beyond=False), accepted_by_pytorch, 500)


def test_maxima_hold() -> None:
    """Every ``max_`` option bounds what it names, extremes and groups included."""
    strategy = layers(max_ndim=2, max_channels=5, max_kernel_size=9, max_stride=6, max_dilation=2)
    for layer in sample(strategy, 500):
        assert layer.ndim <= 2
        assert max(layer.in_channels, layer.out_channels) <= 5
        assert max(layer.kernel_size) <= 9
        assert max(layer.stride) <= 6
        assert max(layer.dilation) <= 2


@pytest.mark.parametrize("most", [1, 2, 3, 16, 40])
def test_channels_stay_below_their_maximum(most: int) -> None:
    """Grouped and depthwise layers multiply counts and still keep below ``max_channels``."""
    strategy = layers(ndim=1, max_channels=most)
    assert_all_examples(strategy, lambda layer: max(layer.in_channels, layer.out_channels) <= most)


def test_ndim_and_groups_options_hold() -> None:
    """``ndim`` fixes the rank, ``allow_groups=False`` leaves groups out."""
    assert_all_examples(layers(ndim=3, allow_groups=False), lambda layer: (layer.ndim, layer.groups) == (3, 1), 200)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ndim": 4}, "ndim=4: must be an integer from 1 to 3"),
        ({"ndim": 1.5}, "ndim=1.5"),
        ({"max_ndim": 0}, "max_ndim=0"),
        ({"max_channels": 0}, "max_channels=0: must be an integer from 1 to 64"),
        ({"max_kernel_size": 65}, "max_kernel_size=65"),
        ({"max_stride": True}, "max_stride=True"),
        ({"max_dilation": 5}, "max_dilation=5: must be an integer from 1 to 4"),
        ({"allow_groups": 1}, "allow_groups=1: must be True or False"),
        ({"allow_beyond": None}, "allow_beyond=None"),
    ],
)
def test_options_are_checked_early(options: dict[str, object], message: str) -> None:
    """A wrong option is refused where it is written, with its value and the rule."""
    with pytest.raises(InvalidArgument, match=message):
        layers(**options)  # type: ignore[arg-type]  # wrong on purpose


def test_layers_shrink_to_the_plainest() -> None:
    """Nothing asked for, nothing left."""
    assert minimal(layers()) == PLAINEST


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (lambda layer: layer.kernel_size[0] >= 3, PLAINEST.replace(kernel_size=[3])),
        (lambda layer: layer.stride[0] >= 2, PLAINEST.replace(stride=[2])),
        (lambda layer: layer.dilation[0] >= 2, PLAINEST.replace(dilation=[2])),
        (lambda layer: layer.padding[0] >= 1, PLAINEST.replace(padding=[1])),
        (
            lambda layer: layer.output_padding[0] >= 1 and layer.dilation[0] == 1,
            PLAINEST.replace(stride=[2], output_padding=[1]),
        ),
        (lambda layer: layer.bias, PLAINEST.replace(bias=True)),
        (lambda layer: layer.out_channels >= 2, PLAINEST.replace(out_channels=2)),
        (lambda layer: layer.groups >= 2, PLAINEST.replace(in_channels=2, out_channels=2, groups=2)),
        (lambda layer: layer.stride[0] >= 8, PLAINEST.replace(stride=[8])),
        (lambda layer: layer.output_padding[0] < 0, PLAINEST.replace(output_padding=[-1])),
        (lambda layer: layer.ndim == 2, Layer(kernel_size=1, bias=False, ndim=2)),
    ],
)
def test_layers_shrink_to_what_is_asked(condition: Callable[[Layer], bool], expected: Layer) -> None:
    """One field at its boundary, every other at its simplest."""
    assert minimal(layers(), condition) == expected


def test_three_different_axes_are_found() -> None:
    """Axes are drawn independently of each other."""
    found = find_any(layers(ndim=3), lambda layer: len(set(layer.kernel_size)) == len(set(layer.stride)) == 3)
    assert found.ndim == 3
