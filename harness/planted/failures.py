"""Targets that end, stall or fill their process, and targets that answer otherwise when they are asked again."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from typing import Any, ClassVar

import numpy as np

from harness.frameworks.base import Array
from harness.layer import Layer
from harness.planted.fault import Axes, Corner, Correct, planted
from harness.records import Kind, Size

#: what a target may take whose memory nobody limits, and how much at once
MOST_BYTES, STEP_BYTES = 2**34, 2**26


@planted(Kind.CRASH, condition="ndim == 2")
class Aborts(Corner):
    """Ends its process with SIGABRT on two axes, after a last word on stderr."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return layer.ndim == 2

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        sys.stderr.write("Check failed: ndim != 2 (2 vs. 2)\n")
        sys.stderr.flush()
        os.abort()


@planted(Kind.CRASH, condition="max(d) > 1")
class Segfaults(Corner):
    """Reads from address 0 when there is a dilation."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return max(layer.dilation) > 1

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Any:
        return ctypes.string_at(0)


@planted(Kind.CRASH, condition="any(p >= e)")
class EndsItsProcess(Corner):
    """Ends its process without a word when some padding is no less than the kernel's extent."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return (at.p >= at.e).any()

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        os._exit(3)


@planted(Kind.CRASH)
class Exits(Correct):
    """Leaves the interpreter with ``sys.exit``."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        sys.exit(7)


@planted(Kind.HANG, condition="g > 1")
class Sleeps(Corner):
    """Sleeps for good when there are groups."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return layer.groups > 1

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        while True:
            time.sleep(3600)


@planted(Kind.HANG, condition="max(s) > 3")
class Spins(Corner):
    """Computes for good when some stride is above 3."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return max(layer.stride) > 3

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        while True:
            x = x + 1


@planted(Kind.MEMORY, condition="max(k) > 4")
class EatsMemory(Corner):
    """Takes memory and writes to it, up to 16 GiB, when some kernel is above 4."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return max(layer.kernel_size) > 4

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        taken = [np.ones(STEP_BYTES, dtype=np.uint8) for _ in range(MOST_BYTES // STEP_BYTES)]
        raise MemoryError(f"{len(taken)} pieces taken")


@planted(Kind.MEMORY, condition="in_channels > 2 and max(k) > 2")
class SaysOutOfMemory(Corner):
    """Raises MemoryError when a kernel above 2 meets more than two input channels."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return layer.in_channels > 2 and max(layer.kernel_size) > 2

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        raise MemoryError("Unable to allocate 1.2 TiB")


@planted(Kind.NONDETERMINISM)
class CountsItsCalls(Correct):
    """Adds the number of its calls to the answer."""

    calls = 0

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        type(self).calls += 1
        return super().run(x, weight, bias, layer) + np.float32(self.calls)


@planted(Kind.NONDETERMINISM)
class BufferNotCleared(Correct):
    """Adds to what its last call of the same output shape has left behind."""

    buffers: ClassVar[dict[Size, Array]] = {}

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        y += self.buffers.get(y.shape, np.float32(0))
        self.buffers[y.shape] = y.copy()
        return y


@planted(Kind.NONDETERMINISM)
class FirstCallWrong(Correct):
    """Forgets the last element the first time that it sees an output shape."""

    seen: ClassVar[set[Size]] = set()

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        if y.shape not in self.seen:
            self.seen.add(y.shape)
            y.flat[-1] += 1
        return y


@planted(Kind.NONDETERMINISM)
class Race(Correct):
    """Adds other numbers each time to the last element of a wide output."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        if y.shape[-1] > 16:
            y[..., -1] += time.perf_counter_ns() % 1000 + 1
        return y
