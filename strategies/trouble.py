"""Layers that a framework once answered wrongly: a small corpus, drawn again and again until they are mended.

Random draws meet some of these once in hundreds of cases; a run that says nothing of them should mean that they are
gone. One case in 200 is one of them and no more, for some take the process with them, and a worker's new start costs
as much as hundreds of cases. Each stands with the version that was observed. What is mended stays, for it may come
back.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.layer import Layer
from harness.records import Size


@dataclass(frozen=True, slots=True)
class Trouble:
    """A layer at an input size, and what was once observed there."""

    layer: Layer
    input_size: Size
    seen: str


TROUBLES = (
    Trouble(
        Layer(1, 2, 2, 1, 0, 1, 2, bias=False, ndim=1),
        (2,),
        "torch 2.13.0: accepts an output size from which the forward convolution does not lead back",
    ),
    Trouble(
        Layer(1, 2, 2, 1, 1, bias=False, ndim=1),
        (5,),
        "keras 3.15.1 on TensorFlow 2.21.0: padding='same', output_padding=0 and an even kernel are refused",
    ),
    Trouble(
        Layer(1, 3, (2, 2), (2, 3), (1, 0), (0, 1), bias=False),
        (3, 1),
        "jax 0.10.2: XLA aborts the process, window dimensions do not match",
    ),
    Trouble(
        Layer(1, 3, (2, 2, 5), (2, 2, 3), (1, 0, 4), (0, 1, 0), bias=False),
        (4, 3, 3),
        "jax 0.10.2: XLA aborts the process, window dimensions do not match",
    ),
)
