"""PyTorch's tensors and numbers as ours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.audit.readers.arrays import as_floats


def plain_array(tensor: Any) -> NDArray[Any]:
    """A tensor's numbers, those of bfloat16 in float32."""
    import torch

    held = tensor.detach().to("cpu")
    return np.array((held.float() if held.dtype is torch.bfloat16 else held).numpy())


def as_array(tensor: Any) -> NDArray[Any]:
    """A weight's numbers.

    Raises:
        NoWeight: they are no floating-point numbers.
    """
    return as_floats(plain_array(tensor))
