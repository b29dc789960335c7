"""A third-party target that needs nothing but NumPy and what a worker is lent; it runs in another environment."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from numpy.typing import NDArray

from harness import Layer, reference
from harness.frameworks import Api


class Surroundings(Api):
    """Its version says where it runs and what is to be had there."""

    name = "surroundings"

    def version(self) -> str:
        """The environment, the modules of ours that are loaded, and whether Hypothesis could be imported."""
        ours = sorted(name for name in sys.modules if name.partition(".")[0] in ("harness", "strategies", "reports"))
        return f"{sys.prefix}; {' '.join(ours)}; hypothesis {importlib.util.find_spec('hypothesis') is not None}"

    def run(self, x: NDArray[Any], weight: NDArray[Any], bias: NDArray[Any] | None, layer: Layer) -> NDArray[Any]:
        """Right."""
        return reference.conv_transpose(x, weight, bias, layer).astype(x.dtype)
