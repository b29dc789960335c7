"""Third-party targets for the tests: one that is right, and one for each way of being wrong.

They import what a third party would: ``harness.frameworks.Api``, the canonical types, NumPy.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import Case, Layer
from harness.frameworks import Api

Array = NDArray[Any]


def scatter(x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
    """A transposed convolution of its own: one kernel position after the other, added at its stride."""
    n, groups = x.shape[2:], layer.groups
    grouped = x.astype(np.float64).reshape(len(x), groups, layer.in_channels // groups, *n)
    kernels: Any = weight.astype(np.float64).reshape(groups, layer.in_channels // groups, *weight.shape[1:])
    full = np.zeros((len(x), groups, kernels.shape[2], *layer.full_size(n)))
    for tap in itertools.product(*map(range, layer.kernel_size)):
        start = [t * d for t, d in zip(tap, layer.dilation, strict=True)]
        index: Any = (..., *(slice(b, b + (i - 1) * s + 1, s) for b, i, s in zip(start, n, layer.stride, strict=True)))
        full[index] += np.einsum("ngc...,gco->ngo...", grouped, kernels[(..., *tap)])
    full = full.reshape(len(x), layer.out_channels, *full.shape[3:])
    wide = np.pad(full, [(0, 0), (0, 0)] + [(max(-lo, 0), max(-hi, 0)) for lo, hi in layer.crops])
    ends = [size - max(hi, 0) for size, (_, hi) in zip(wide.shape[2:], layer.crops, strict=True)]
    cut: Any = (..., *(slice(max(lo, 0), end) for (lo, _), end in zip(layer.crops, ends, strict=True)))
    output: Array = wide[cut]
    return output if bias is None else output + bias.reshape(-1, *[1] * layer.ndim)


class Correct(Api):
    """Right on everything that it does not decline."""

    name = "correct"

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """The right answer."""
        return scatter(x, weight, bias, layer).astype(x.dtype)


class WrongStrideAxis(Correct):
    """Takes the first axis's stride for all, and cuts or extends to the right size."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right shape, wrong values, where the strides differ."""
        wrong = layer.replace(stride=layer.stride[0])
        size, found = layer.output_size(x.shape[2:]), wrong.output_size(x.shape[2:])
        added = [a + m - f for a, m, f in zip(wrong.output_padding, size, found, strict=True)]
        return super().run(x, weight, bias, wrong.replace(output_padding=added))


class FlippedKernel(Correct):
    """Correlates the kernel as it stands."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right shape, wrong values."""
        return super().run(x, np.flip(weight, tuple(range(2, weight.ndim))), bias, layer)


class ShiftedCrop(Correct):
    """Puts output_padding at the near end."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right shape, shifted values, where there is an output_padding."""
        near = [p - a for p, a in zip(layer.padding, layer.output_padding, strict=True)]
        far = layer.replace(padding=near, output_padding=[-a for a in layer.output_padding])
        return super().run(x, weight, bias, far)


class TooLong(Correct):
    """One element too many at the end of the last axis."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Wrong shape."""
        return np.concatenate([y := super().run(x, weight, bias, layer), y[..., :1]], axis=-1)


class OtherDtype(Correct):
    """Answers in float64."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right numbers, wrong dtype."""
        return super().run(x, weight, bias, layer).astype(np.float64)


class Raises(Correct):
    """Rejects strides above 1."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """An exception with a message that has numbers and markup in it."""
        if max(layer.stride) > 1:
            raise ValueError(f"<b>stride</b> {layer.stride} is too large\x1b[31m")
        return super().run(x, weight, bias, layer)


class Aborts(Correct):
    """Ends its process on two axes."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """SIGABRT, after a last word on stderr."""
        if layer.ndim == 2:
            sys.stderr.write("Check failed: ndim != 2 (2 vs. 2)\n")
            sys.stderr.flush()
            os.abort()
        return super().run(x, weight, bias, layer)


class Exits(Correct):
    """Leaves the interpreter."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """``sys.exit``."""
        sys.exit(7)


class Hangs(Correct):
    """Never answers."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Sleeps."""
        time.sleep(3600)
        return x


class Chatty(Correct):
    """Prints megabytes, some of it binary."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Noise on both streams, then the right answer."""
        for stream in (sys.stdout, sys.stderr):
            stream.write("noise {} \x00\x1b[31m" * 100_000)
            stream.flush()
        os.write(1, bytes(range(256)) * 1000)
        return super().run(x, weight, bias, layer)


class Garbage(Correct):
    """Returns something that is no array."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Any:
        """A dictionary."""
        return {"y": 1}


class Ragged(Correct):
    """Returns lists of different lengths."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Any:
        """No array can be made of them."""
        return [[1.0, 2.0], [3.0]]


class LimitRaises(Correct):
    """Fails to say what it declines."""

    def limit(self, case: Case) -> str | None:
        """An error of its own."""
        raise KeyError("limit")


class Unprintable(Correct):
    """Raises what cannot be printed."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """An exception whose text raises, too."""

        class Mute(Exception):
            def __str__(self) -> str:
                raise ValueError("no text")

        raise Mute


class Surrogate(Correct):
    """Raises a text that no file takes."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """A lone surrogate."""
        raise ValueError("\udcff")


class OddVersion(Correct):
    """Its version is no text."""

    def version(self) -> Any:
        """A tuple."""
        return (1, 2)


class WritesInput(Correct):
    """Writes into its input."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """The input is read-only, so this raises."""
        x[...] = 0
        return super().run(x, weight, bias, layer)


class Unstable(Correct):
    """Counts its calls into the answer."""

    calls = 0

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Other numbers each time."""
        type(self).calls += 1
        return super().run(x, weight, bias, layer) + np.float32(self.calls)


class BreaksOnLoad(Correct):
    """Cannot be loaded."""

    def load(self) -> None:
        """A missing library."""
        raise OSError("libmine.so.3: cannot open shared object file")


NOT_AN_API = object()
