"""The published layers: every row of the table is there, and its worked sizes hold."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import InvalidArgument

from harness.layer import Case, Layer
from strategies import PublishedLayer, published, published_cases, published_layers
from strategies.bounds import MAX_BYTES, PUBLISHED_MULTIPLY_ADDS, case_bytes

FULL = published(full_size=True)
QUIET = settings(max_examples=100, database=None, deadline=None, suppress_health_check=list(HealthCheck))


def named(number: int) -> list[PublishedLayer]:
    return [entry for entry in FULL if entry.number == number]


def test_every_row_of_the_table_is_there() -> None:
    """38 models, each with at least one layer, a name and a source."""
    assert {entry.number for entry in FULL} == set(range(1, 39))
    assert all(entry.model and entry.source for entry in FULL)


@pytest.mark.parametrize("entry", FULL, ids=lambda entry: f"{entry.number}-{entry.model}")
def test_worked_sizes_hold(entry: PublishedLayer) -> None:
    """The output size that the model's own rule gives is the formula's."""
    assert entry.layer.output_size(entry.input_size) == entry.output_size


@pytest.mark.parametrize("number", [2, 18, 19, 21, 23, 24, 25, 26, 28, 30, 32, 35, 36])
def test_doubling_models_double(number: int) -> None:
    """Where the stride is 2, the output is twice the input for every input size."""
    doubling = [entry.layer for entry in named(number) if set(entry.layer.stride) == {2}]
    assert doubling
    for layer in doubling:
        assert all(layer.output_size((n,) * layer.ndim) == (2 * n,) * layer.ndim for n in range(1, 9))


@pytest.mark.parametrize(
    ("number", "rule"),
    [
        (6, lambda n: 256 * n + 768),
        (11, lambda n: 5 * n - 1),
        (15, lambda n: 32 * n + 32),
        (22, lambda n: 2 * n + 1),
    ],
)
def test_single_rules(number: int, rule: object) -> None:
    """WaveGlow, DAC's odd stride, FCN-32s and StyleGAN2 keep their own rules for every input size."""
    (entry,) = named(number)
    for n in range(1, 9):
        assert set(entry.layer.output_size((n,) * entry.layer.ndim)) == {rule(n)}  # type: ignore[operator]  # a lambda


@pytest.mark.parametrize("number", [3, 4, 5, 10, 12, 20, 27, 31, 33, 34])
def test_upsampling_models_multiply_by_the_stride(number: int) -> None:
    """Every layer multiplies each axis by its stride."""
    for entry in named(number):
        axes = zip(entry.input_size, entry.layer.stride, strict=True)
        assert entry.layer.output_size(entry.input_size) == tuple(n * s for n, s in axes)


@pytest.mark.parametrize(("number", "factor"), [(3, 256), (4, 256), (5, 256), (10, 512)])
def test_strides_of_a_vocoder_multiply_up(number: int, factor: int) -> None:
    """A stack's strides make up its hop length."""
    assert math.prod(entry.layer.stride[0] for entry in named(number)) == factor


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, Layer(100, 512, 4, 1, 0, 0, 1, 1, False, ndim=2)),
        (6, Layer(80, 80, 1024, 256, 0, 0, 1, 1, True, ndim=1)),
        (14, Layer(1090, 1090, 3, 2, 1, 1, 1, 1090, True, ndim=1)),
        (27, Layer(56, 1, 9, 4, 4, 3, 1, 1, True, ndim=2)),
        (33, Layer(320, 320, (1, 2, 2), (1, 2, 2), 0, 0, 1, 1, True)),
        (37, Layer(1024, 512, 3, 1, 0, 0, 1, 1, True, ndim=2)),
        (38, Layer(64, 1, 4, 2, 1, 0, 1, 1, False, ndim=3)),
    ],
)
def test_full_size_keeps_the_published_numbers(number: int, expected: Layer) -> None:
    """A layer of each kind stands as its model's source writes it."""
    assert expected in [entry.layer for entry in named(number)]


def test_reduced_layers_keep_all_but_the_channels() -> None:
    """Only channel counts and groups shrink; the sizes stay the worked ones."""
    for reduced, full in zip(published(), FULL, strict=True):
        channels = {name: getattr(full.layer, name) for name in ("in_channels", "out_channels", "groups")}
        assert reduced.layer.replace(**channels) == full.layer
        assert reduced.layer.output_size(reduced.input_size) == full.output_size


def test_reduced_layers_divide_both_channels_alike() -> None:
    """A ratio of two stays a ratio of two; depthwise layers stay depthwise."""
    for reduced, full in zip(published(), FULL, strict=True):
        if full.layer.groups == 1 and min(reduced.layer.in_channels, reduced.layer.out_channels) > 1:
            factor = full.layer.in_channels / reduced.layer.in_channels
            assert reduced.layer.out_channels == int(full.layer.out_channels / factor) or factor % 1
        if full.layer.groups == full.layer.in_channels:
            assert reduced.layer.groups == reduced.layer.in_channels


def test_reduced_cases_keep_the_work_bound() -> None:
    """Every reduced case is small at its representative input size, in float64 too."""
    for entry in published():
        assert entry.layer.multiply_adds(entry.input_size) <= PUBLISHED_MULTIPLY_ADDS
        assert case_bytes(entry.layer, entry.input_size, dtype="float64") <= MAX_BYTES


def test_channels_are_not_reduced_without_need() -> None:
    """A published layer that fits stands as it is; one that does not has as many channels as the bound allows."""
    for reduced, full in zip(published(), FULL, strict=True):
        if full.layer.multiply_adds(full.input_size) <= PUBLISHED_MULTIPLY_ADDS // 2:
            assert reduced.layer == full.layer


@QUIET
@given(published_layers())
def test_published_layers_draws_reduced_layers(layer: Layer) -> None:
    """The strategy draws the reduced layers."""
    assert layer in {entry.layer for entry in published()}


@QUIET
@given(published_layers(full_size=True))
def test_published_layers_full_size(layer: Layer) -> None:
    """``full_size=True`` draws the published ones."""
    assert layer in {entry.layer for entry in FULL}


@QUIET
@given(published_cases())
def test_published_cases_are_complete(case: Case) -> None:
    """Each case can make its arrays."""
    x, weight, _ = case.arrays()
    assert case.layer is not None
    assert (x.shape[1], weight.shape) == (case.layer.in_channels, case.layer.weight_shape)


@pytest.mark.parametrize("make", [published_layers, published_cases])
def test_full_size_is_a_flag(make: object) -> None:
    """A number is not taken for a flag."""
    with pytest.raises(InvalidArgument, match="full_size=2: must be True or False"):
        make(full_size=2)  # type: ignore[operator]  # one of two functions
