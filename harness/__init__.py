"""deconvdiff: fuzzing and differential testing of transposed convolution.

The public names load on first use, so that ``import harness`` (and with it ``deconvdiff --help``) costs nothing:

>>> from harness import Layer, sizes
>>> sizes.output_size(3, kernel_size=3, stride=2)
7
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness import reference as reference
    from harness import sizes as sizes
    from harness.layer import Case as Case
    from harness.layer import Crop as Crop
    from harness.layer import Layer as Layer
    from harness.layer import Spelling as Spelling

__version__ = "0.1.0"
__all__ = ["Case", "Crop", "Layer", "Spelling", "__version__", "reference", "sizes"]


def __getattr__(name: str) -> object:
    if name in ("reference", "sizes"):
        return import_module(f"harness.{name}")
    if name in ("Case", "Crop", "Layer", "Spelling"):
        return getattr(import_module("harness.layer"), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
