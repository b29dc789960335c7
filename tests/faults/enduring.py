"""Third-party targets that only isolation can endure: what they do depends on when and where they run."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from targets import Correct

from harness import Layer

Array = NDArray[Any]

#: which cases of a batch are special: those with this many input channels
MARK = 5


class AbortsOnMark(Correct):
    """Ends its process on a marked case, and is right otherwise."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """A last word, then SIGABRT."""
        if layer.in_channels == MARK:
            os.write(2, b"Check failed: a marked case\n")
            os.abort()
        return super().run(x, weight, bias, layer)


class HangsOnMark(Correct):
    """Never answers a marked case, and holds the interpreter's lock meanwhile."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """A call into C that does not let go."""
        if layer.in_channels == MARK:
            ctypes.PyDLL(None).sleep(3600)
        return super().run(x, weight, bias, layer)


class GrowsOnMark(Correct):
    """Takes 64 MiB at a time on a marked case, up to 4 GiB."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Memory that is written to."""
        if layer.in_channels == MARK:
            taken = []
            for _ in range(64):
                taken.append(np.ones(2**26, np.uint8))
                time.sleep(0.01)
        return super().run(x, weight, bias, layer)


class SlowOnce(Correct):
    """Stalls on the first marked case that it ever sees, as on a busy machine, and never again."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """The file says that it has stalled before."""
        seen = Path(os.environ["SLOW_ONCE"])
        if layer.in_channels == MARK and not seen.exists():
            seen.touch()
            time.sleep(3600)
        return super().run(x, weight, bias, layer)


class ReturnsInput(Correct):
    """Gives its input back where it should compute."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """The same memory."""
        return x


class Unlocks(Correct):
    """Makes its input writeable before it writes to it."""

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """What NumPy allows of arrays that own their memory."""
        x.setflags(write=True)
        x[...] = 0
        return super().run(x, weight, bias, layer)


class StartsThread(Correct):
    """Starts a thread when it is loaded: what serves must not be forked from it."""

    def load(self) -> None:
        """A thread that lives on."""
        import threading

        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()

    def version(self) -> str:
        """The process in which it was loaded."""
        return str(os.getpid())

    def run(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Array:
        """Right in the process in which it was loaded, and only there."""
        sys.stdout.write(f"served by {os.getpid()}\n")
        return super().run(x, weight, bias, layer)
