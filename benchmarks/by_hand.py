"""The yardstick: cases per second of what a user writes by hand, one Hypothesis test of three frameworks.

It draws a layer with plain integers, calls PyTorch, JAX and TensorFlow in its own process, forward only, and compares
values exactly; it uses nothing of this repository. Imports and one call of each framework are done before the clock
starts; Hypothesis, which draws, is on the clock as it is in a test.

``python benchmarks/by_hand.py --cases 1000 --channels last``
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Layer: TypeAlias = dict[str, Any]
Call: TypeAlias = Callable[[Array, Array, Layer], Array]

WARM_UP = {
    "size": [4, 4],
    "kernel_size": [3, 3],
    "stride": [2, 2],
    "padding": [1, 1],
    "output_padding": [1, 1],
    "dilation": [1, 1],
    "groups": 1,
    "channels": (2, 3),
    "batch": 1,
    "seed": 0,
}

#: how each API wants its axes, channels first and channels last
DIMENSIONS = {
    "first": {1: ("NCH", "OIH", "NCH"), 2: ("NCHW", "OIHW", "NCHW"), 3: ("NCDHW", "OIDHW", "NCDHW")},
    "last": {1: ("NHC", "HIO", "NHC"), 2: ("NHWC", "HWIO", "NHWC"), 3: ("NDHWC", "DHWIO", "NDHWC")},
}

#: XLA takes many times as long over a kernel with more elements than the input, because it exchanges the two
INPUTS = ("any", "long")


class Measured(NamedTuple):
    """What was done, and how long it took."""

    cases: int
    seconds: float
    calls: Counter[str]


@st.composite
def layers(draw: st.DrawFn, *, inputs: str) -> Layer:
    """A layer that PyTorch accepts, with a small input; ``long`` ones are at least as long as the kernel."""
    ndim = draw(st.integers(1, 3))

    def per_axis(least: int, most: int) -> list[int]:
        return draw(st.lists(st.integers(least, most), min_size=ndim, max_size=ndim))

    kernel_size, stride, dilation = per_axis(1, 4), per_axis(1, 3), per_axis(1, 2)
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    return {
        "size": [draw(st.integers(k if inputs == "long" else 1, 8)) for k in kernel_size],
        "kernel_size": kernel_size,
        "stride": stride,
        "padding": per_axis(0, 2),
        "output_padding": [draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)],
        "dilation": dilation,
        "groups": groups,
        "channels": (groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))),
        "batch": draw(st.integers(1, 2)),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }


def output_size(layer: Layer) -> list[int]:
    """The size that PyTorch documents."""
    names = ("size", "kernel_size", "stride", "padding", "output_padding", "dilation")
    axes = zip(*(layer[name] for name in names), strict=True)
    return [(n - 1) * s - 2 * p + d * (k - 1) + a + 1 for n, k, s, p, a, d in axes]


def aborts(layer: Layer) -> bool:
    """Whether XLA may end the process: it takes an axis with k = s = 2, d = 1, p = 1, a = 0 for one of groups.

    JAX 0.10.2 aborts if another axis has an output padding ("Check failed"), which no test can catch; whoever writes
    the test learns to avoid such layers.
    """
    names = ("kernel_size", "stride", "dilation", "padding", "output_padding")
    axes = list(zip(*(layer[name] for name in names), strict=True))
    return (2, 2, 1, 1, 0) in axes and max(layer["output_padding"]) > 0


def arrays(layer: Layer) -> tuple[Array, Array]:
    """Integers as float32, so that every sum is exact; the weight as PyTorch has it."""
    random = np.random.default_rng(layer["seed"])
    inputs, outputs = layer["channels"]
    x = random.integers(-3, 4, (layer["batch"], inputs, *layer["size"]))
    weight = random.integers(-3, 4, (inputs, outputs // layer["groups"], *layer["kernel_size"]))
    return x.astype(np.float32), weight.astype(np.float32)


def torch_call(x: Array, weight: Array, layer: Layer) -> Array:
    """``torch.nn.functional.conv_transpose{1,2,3}d``."""
    import torch  # noqa: PLC0415 # --help and a missing framework must not wait for it

    function = getattr(torch.nn.functional, f"conv_transpose{x.ndim - 2}d")
    names = ("stride", "padding", "output_padding", "groups", "dilation")
    output = function(torch.from_numpy(x), torch.from_numpy(weight), **{name: layer[name] for name in names})
    return np.asarray(output.numpy())


def jax_call(channels: str, *, jit: bool) -> Call:
    """``jax.lax.conv_general_dilated`` on the zero-inserted input, the kernel flipped in NumPy."""

    def call(x: Array, weight: Array, layer: Layer) -> Array:
        import jax  # noqa: PLC0415 # likewise

        spans = [d * (k - 1) for k, d in zip(layer["kernel_size"], layer["dilation"], strict=True)]
        paddings = zip(spans, layer["padding"], layer["output_padding"], strict=True)
        options = {
            "window_strides": (1,) * len(spans),
            "padding": [(span - p, span - p + a) for span, p, a in paddings],
            "lhs_dilation": layer["stride"],
            "rhs_dilation": layer["dilation"],
            "dimension_numbers": DIMENSIONS[channels][len(spans)],
            "feature_group_count": layer["groups"],
        }

        def function(x: Any, kernel: Any) -> Any:
            return jax.lax.conv_general_dilated(x, kernel, **options)

        kernel = oihw(weight, layer["groups"])
        if channels == "first":
            return np.asarray((jax.jit(function) if jit else function)(x, kernel))
        x, kernel = np.moveaxis(x, 1, -1), np.moveaxis(kernel, (1, 0), (-2, -1))
        return np.moveaxis(np.asarray((jax.jit(function) if jit else function)(x, kernel)), -1, 1)

    return call


def oihw(weight: Array, groups: int) -> Array:
    """PyTorch's transposed weight as the flipped kernel of a forward convolution."""
    inputs, outputs, *kernel = weight.shape
    flipped = np.flip(weight, tuple(range(2, weight.ndim))).reshape(groups, inputs // groups, outputs, *kernel)
    return np.swapaxes(flipped, 1, 2).reshape(groups * outputs, inputs // groups, *kernel)


def tensorflow_call(x: Array, weight: Array, layer: Layer) -> Array:
    """``tf.nn.conv{1,2,3}d_transpose``: VALID with the full size, cropped afterwards."""
    import tensorflow as tf  # noqa: PLC0415 # likewise

    ndim = x.ndim - 2
    names = ("size", "kernel_size", "stride", "dilation")
    axes = zip(*(layer[name] for name in names), strict=True)
    full = [(n - 1) * s + d * (k - 1) + 1 for n, k, s, d in axes]
    output = getattr(tf.nn, f"conv{ndim}d_transpose")(
        np.moveaxis(x, 1, -1),
        np.moveaxis(weight, (0, 1), (-1, -2)),
        [len(x), *full, weight.shape[1]],
        layer["stride"],
        padding="VALID",
        dilations=layer["dilation"],
    )
    most = [(0, a) for a in layer["output_padding"]]
    extended = np.pad(np.moveaxis(output.numpy(), -1, 1), [(0, 0), (0, 0), *most])
    kept = [slice(p, p + m) for p, m in zip(layer["padding"], output_size(layer), strict=True)]
    return np.asarray(extended[(slice(None), slice(None), *kept)])


def tensorflow_can(layer: Layer) -> bool:
    """TensorFlow's filters have no groups."""
    return bool(layer["groups"] == 1)


def compare(layer: Layer, jax_function: Call, calls: Counter[str]) -> None:
    """Ask all, compare exactly.

    Raises:
        AssertionError: a framework's answer is not PyTorch's.
    """
    x, weight = arrays(layer)
    expected = torch_call(x, weight, layer)
    answers = {"jax": jax_function(x, weight, layer)}
    if tensorflow_can(layer):
        answers["tensorflow"] = tensorflow_call(x, weight, layer)
    for name, answer in answers.items():
        np.testing.assert_array_equal(answer, expected, err_msg=f"{name} and torch differ on {layer}")
    calls.update(["torch", *answers])


def measure(count: int, seed: int, inputs: str, jax_function: Call) -> Measured:
    """Run the test once with so many examples.

    Raises:
        AssertionError: the frameworks differ, or Hypothesis drew fewer cases than it was to.
    """
    compare(WARM_UP, jax_function, Counter())
    calls: Counter[str] = Counter()

    @seeded(seed)
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(layers(inputs=inputs))
    def test_all_agree(layer: Layer) -> None:
        assume(min(output_size(layer)) > 0 and not aborts(layer))
        compare(layer, jax_function, calls)

    start = perf_counter()
    test_all_agree()
    seconds = perf_counter() - start
    if calls["torch"] < count:
        raise AssertionError(f"Hypothesis drew {calls['torch']} of {count} cases: name a smaller --cases")
    return Measured(calls["torch"], seconds, calls)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the drawing (1)")
    parser.add_argument("--channels", choices=sorted(DIMENSIONS), default="last", help="JAX's layout (last)")
    parser.add_argument("--inputs", choices=INPUTS, default="any", help="of 1 to 8, or of the kernel's size to 8 (any)")
    parser.add_argument("--jit", action="store_true", help="call JAX under jax.jit instead of directly")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # without it TensorFlow has no dilation on some processors
    measured = measure(options.cases, options.seed, options.inputs, jax_call(options.channels, jit=options.jit))
    rate = measured.cases / measured.seconds
    if options.json:
        sys.stdout.write(json.dumps({**measured._asdict(), "cases_per_second": rate}) + "\n")
        return
    sys.stdout.write(f"`python benchmarks/by_hand.py {' '.join(sys.argv[1:] if arguments is None else arguments)}`\n\n")
    sys.stdout.write("| cases | seconds | cases/s | calls |\n|--:|--:|--:|---|\n")
    told = ", ".join(f"{name} {count:,}" for name, count in measured.calls.items())
    sys.stdout.write(f"| {measured.cases:,} | {measured.seconds:.1f} | {rate:.1f} | {told} |\n")


if __name__ == "__main__":
    main()
