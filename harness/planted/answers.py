"""Answers of another form: shape, dtype, no array at all, the input itself; and targets that are right in every way."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from harness.frameworks.base import Array
from harness.layer import Layer
from harness.planted.fault import MANY, Axes, Corner, Correct, planted
from harness.records import VIEW, Kind

planted(None, cases=MANY)(Correct)


@planted(None)
class Chatty(Correct):
    """Prints megabytes, some of it binary, and is right."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        for stream in (sys.stdout, sys.stderr):
            stream.write("noise {} \x00\x1b[31m" * 100_000)
            stream.flush()
        os.write(1, bytes(range(256)) * 1000)
        return super().run(x, weight, bias, layer)


@planted(Kind.SIZE)
class TooLong(Correct):
    """Gives one element too many at the end of the last axis."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return np.concatenate([y := super().run(x, weight, bias, layer), y[..., :1]], axis=-1)


@planted(Kind.SIZE)
class ChannelsLast(Correct):
    """Gives the channels as the last axis."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return np.moveaxis(super().run(x, weight, bias, layer), 1, -1)


@planted(Kind.SIZE, condition="batch == 1")
class BatchDropped(Correct):
    """Gives no batch axis when it has one element."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        return y[0] if len(y) == 1 else y


@planted(Kind.SIZE)
class Summed(Correct):
    """Gives the sum of all elements."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Any:
        return super().run(x, weight, bias, layer).sum()


@planted(Kind.DTYPE)
class OtherDtype(Correct):
    """Answers in float64."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return super().run(x, weight, bias, layer).astype(np.float64)


@planted(Kind.DTYPE, condition="not bias")
class IntegerAnswer(Correct):
    """Answers in int32 when there is no bias."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        return np.rint(y).astype(np.int32) if bias is None else y


@planted(Kind.VALUE, cause="NaN or infinity in another place", condition="any(p > 0)")
class NotANumber(Correct):
    """Leaves NaN in the last element when there is padding."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        if max(layer.padding) > 0:
            y.flat[-1] = np.nan
        return y


@planted(Kind.VALUE, cause=VIEW, condition="in_channels == out_channels and all(m == n)")
class InputReturned(Correct):
    """Returns a view of its input where that has the right shape."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        y = super().run(x, weight, bias, layer)
        return x[:] if x.shape == y.shape else y


@planted(Kind.REJECTION)
class InputOverwritten(Correct):
    """Writes into its input, which is read-only."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        x[...] = 0
        return super().run(x, weight, bias, layer)


@planted(Kind.REJECTION, condition="max(s) > 1")
class Raises(Correct):
    """Rejects strides above 1, with numbers, markup and a control character in what it says."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        if max(layer.stride) > 1:
            raise ValueError(f"<b>stride</b> {layer.stride} is too large\x1b[31m")
        return super().run(x, weight, bias, layer)


@planted(Kind.REJECTION, condition="g > 2")
class RecursesForever(Corner):
    """Calls itself without end when there are more than two groups."""

    def holds(self, at: Axes, layer: Layer) -> Any:
        return layer.groups > 2

    def wrong(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        return self.wrong(x, weight, bias, layer)


@planted(Kind.REJECTION)
class ReturnsNone(Correct):
    """Returns None."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Any:
        return None


@planted(Kind.REJECTION)
class ReturnsText(Correct):
    """Returns a text."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Any:
        return "done"


@planted(Kind.REJECTION)
class ReturnsMapping(Correct):
    """Returns a dictionary."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Any:
        return {"y": super().run(x, weight, bias, layer)}


@planted(Kind.REJECTION)
class ReturnsObjects(Correct):
    """Returns an array of objects."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Any:
        return super().run(x, weight, bias, layer).astype(object)


@planted(Kind.REJECTION)
class Ragged(Correct):
    """Returns lists of different lengths, of which no array can be made."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Any:
        return [[1.0, 2.0], [3.0]]
