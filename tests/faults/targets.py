"""Third-party targets for the tests: one that is right, and one for each way of being wrong.

Most are planted faults that a campaign should find; those below are what only a worker must endure.
"""

from __future__ import annotations

import time
from typing import Any

from numpy.typing import NDArray

from harness import Case, Layer
from harness.planted.answers import Chatty, OtherDtype, Ragged, Raises, TooLong
from harness.planted.answers import InputOverwritten as WritesInput
from harness.planted.answers import ReturnsMapping as Garbage
from harness.planted.channels import KernelFlipped as FlippedKernel
from harness.planted.failures import Aborts, Exits
from harness.planted.failures import CountsItsCalls as Unstable
from harness.planted.fault import Correct, scatter
from harness.planted.geometry import CropOnTheOtherSide as ShiftedCrop
from harness.planted.geometry import FirstStride as WrongStrideAxis

__all__ = [
    "Aborts",
    "Chatty",
    "Correct",
    "Exits",
    "FlippedKernel",
    "Garbage",
    "OtherDtype",
    "Ragged",
    "Raises",
    "ShiftedCrop",
    "TooLong",
    "Unstable",
    "WritesInput",
    "WrongStrideAxis",
    "scatter",
]

Array = NDArray[Any]


class Hangs(Correct):
    """Never answers."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Sleeps."""
        time.sleep(3600)
        return x


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


class BreaksOnLoad(Correct):
    """Cannot be loaded."""

    def load(self) -> None:
        """A missing library."""
        raise OSError("libmine.so.3: cannot open shared object file")


NOT_AN_API = object()
