"""Faults of gradients and of shape inference: ``run`` is right in all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.frameworks.base import Array
from harness.layer import Layer
from harness.planted.fault import MANY, Correct, gather, planted
from harness.records import Kind, Size


@planted(None, cases=MANY)
class Differentiable(Correct):
    """Right, with gradients and shape inference of its own."""

    def vjp(self, x: Array, weight: Array, bias: Array | None, asked: Any, cotangent: Array) -> Any:
        dx, dweight, dbias = gather(x, weight, asked, cotangent)
        return dx.astype(x.dtype), dweight.astype(x.dtype), None if dbias is None else dbias.astype(x.dtype)

    def abstract(self, batch: int, input_size: Size, asked: Any) -> tuple[int, ...]:
        return (batch, asked.out_channels, *asked.output_size(input_size))


@planted(Kind.GRADIENT, cause="dx differs", condition="max(k) > 1")
class InputGradientFlipped(Differentiable):
    """Takes the kernel the other way round for the gradient of the input."""

    def vjp(self, x: Array, weight: Array, bias: Array | None, asked: Any, cotangent: Array) -> Any:
        _, dweight, dbias = super().vjp(x, weight, bias, asked, cotangent)
        flipped = np.flip(weight, tuple(range(2, weight.ndim)))
        return super().vjp(x, flipped, bias, asked, cotangent)[0], dweight, dbias


@planted(Kind.GRADIENT, cause="dweight differs", condition="batch > 1")
class WeightGradientOfFirst(Differentiable):
    """Takes the gradient of the weight from the first batch element alone."""

    def vjp(self, x: Array, weight: Array, bias: Array | None, asked: Any, cotangent: Array) -> Any:
        dx, _, dbias = super().vjp(x, weight, bias, asked, cotangent)
        return dx, super().vjp(x[:1], weight, bias, asked, cotangent[:1])[1], dbias


@planted(Kind.GRADIENT, cause="dweight differs", condition="max(d) > 1", cases=MANY)
class WeightGradientWithDilation(Differentiable):
    """Doubles the gradient of the weight when there is a dilation."""

    def vjp(self, x: Array, weight: Array, bias: Array | None, asked: Any, cotangent: Array) -> Any:
        dx, dweight, dbias = super().vjp(x, weight, bias, asked, cotangent)
        return dx, (2 if max(asked.dilation) > 1 else 1) * dweight, dbias


@planted(Kind.GRADIENT, cause="dbias differs", condition="bias and batch > 1")
class BiasGradientAveraged(Differentiable):
    """Takes the mean over the batch for the gradient of the bias."""

    def vjp(self, x: Array, weight: Array, bias: Array | None, asked: Any, cotangent: Array) -> Any:
        dx, dweight, dbias = super().vjp(x, weight, bias, asked, cotangent)
        return dx, dweight, None if dbias is None else dbias / np.float32(len(x))


@planted(Kind.GRADIENT, cause="a gradient has not the shape of its array", condition="bias")
class BiasGradientMissing(Differentiable):
    """Gives no gradient of the bias."""

    def vjp(self, x: Array, weight: Array, bias: Array | None, asked: Any, cotangent: Array) -> Any:
        return (*super().vjp(x, weight, bias, asked, cotangent)[:2], None)


@planted(Kind.SHAPE_INFERENCE, condition="any(a > 0)")
class InferenceIgnoresOutputPadding(Differentiable):
    """Infers the shape that there would be without output padding."""

    def abstract(self, batch: int, input_size: Size, asked: Layer) -> tuple[int, ...]:
        return super().abstract(batch, input_size, asked.replace(output_padding=0))
