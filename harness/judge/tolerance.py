"""When two arrays agree: exactly on integers, within the rounding-error bound on reals.

No tolerance is picked by hand. Exact mode compares numbers (-0.0 equals 0.0). Real mode compares element by element
with the bound of ``reference.error_bound`` and reports the worst quotient of error and bound. With special values an
element must be NaN where the scatter makes it NaN, and may be where zero-insertion does, which multiplies the zeros
that it inserts. Gradients are quantities like the output.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness import reference
from harness.layer import Case, Layer
from harness.records import FirstDifference
from harness.values import Arrays, digest

Float64: TypeAlias = NDArray[np.float64]

_SHOWN = 5


class OracleFault(Exception):
    """Two references of ours disagree: no framework may be blamed."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether observed values agree, the worst error, its quotient with the bound, and the first difference."""

    agrees: bool
    max_abs_error: float
    bound_ratio: float | None
    first_difference: FirstDifference | None


class Quantity(ABC):
    """The right answer to one question about a case on a layer; computed when it is first needed."""

    def __init__(self, case: Case, layer: Layer) -> None:
        self.case = case
        self.layer = layer

    @property
    @abstractmethod
    def exact(self) -> bool:
        """Whether the numbers must be equal."""

    @property
    @abstractmethod
    def values(self) -> Float64:
        """The reference's answer, float64."""

    @cached_property
    def digest(self) -> str:
        """Digest of the reference's answer."""
        return digest(self.values)

    def compare(self, observed: Float64) -> Comparison | None:
        """Compare an answer of the right shape; None where the bound is too wide to judge.

        Raises:
            OracleFault: the answer differs, and so does the second reference from the first.
        """
        bound = self._limits
        if bound is None:
            return None
        error = _error(observed, self.values)
        wrong = error > bound
        ratio = None if self.exact else _worst_ratio(error, bound)
        if not wrong.any():
            return Comparison(True, _worst(error), ratio, None)
        self._confirm()
        return Comparison(False, _worst(error), ratio, self._first(wrong, observed))

    @cached_property
    def _limits(self) -> Float64 | None:
        """How far each number may be off, for every target alike."""
        return np.zeros(self.values.shape) if self.exact else self._bound()

    @abstractmethod
    def _bound(self) -> Float64 | None:
        """How far each number may be off; None where that cannot be said."""

    @abstractmethod
    def _confirm(self) -> None:
        """Hold the reference against a second one."""

    def _first(self, wrong: NDArray[np.bool_], observed: Float64) -> FirstDifference:
        return _first(wrong, self.values, observed)

    @cached_property
    def _arrays(self) -> Arrays:
        return self.case.arrays(self.layer)


class Expected(Quantity):
    """The right output of a case on a layer."""

    def __init__(self, case: Case, layer: Layer) -> None:
        super().__init__(case, layer)
        self.size = layer.output_size(case.input_size)
        self.shape = (case.batch, layer.out_channels, *self.size)

    @property
    def exact(self) -> bool:
        """Integers add exactly in every order."""
        return self.case.values == "integers"

    @cached_property
    def values(self) -> Float64:
        """The output by scatter-add."""
        with np.errstate(invalid="ignore"):
            return reference.conv_transpose(*self._arrays, self.layer)

    @cached_property
    def gradient(self) -> Gradient:
        """The right vector-Jacobian products of the same case."""
        return Gradient(self.case, self.layer)

    def compare(self, observed: Float64) -> Comparison | None:
        """As of every quantity; special values by where NaN must and may be."""
        if self.case.values != "special":
            return super().compare(observed)
        wrong = ~np.logical_or.reduce([_fits_special(observed, *pair) for pair in self._specials])
        with np.errstate(invalid="ignore"):
            error = np.where(wrong, _error(observed, self.values), 0.0)
        return Comparison(not wrong.any(), _worst(error), None, self._first(wrong, observed) if wrong.any() else None)

    @cached_property
    def _specials(self) -> list[tuple[Float64, Float64, float]]:
        return list(self._special_answers())

    def _special_answers(self) -> Iterator[tuple[Float64, Float64, float]]:
        """What the scatter and the zero-insertion make of the arrays, as they are and with subnormals flushed to zero.

        The third is how much subnormals can matter beside: each of the products at most their largest factor times
        the smallest normal number, once where it is flushed and once where a partial sum is rounded.
        """
        x, weight, bias = self._arrays
        tiny = reference.SMALLEST_NORMAL[self.case.dtype]
        slack = 2 * (self.layer.products_per_output(self.case.input_size) + 2) * _largest_finite(x, weight) * tiny
        flushed = (_flush(x, tiny), _flush(weight, tiny), None if bias is None else _flush(bias, tiny))
        for inputs, kernel, added in ((x, weight, bias), flushed):
            with np.errstate(invalid="ignore"):
                scatter = reference.conv_transpose(inputs, kernel, added, self.layer)
                yield scatter, reference.zero_insertion(inputs, kernel, added, self.layer), slack

    def _bound(self) -> Float64 | None:
        return reference.error_bound(*self._arrays, self.layer, self.case.dtype)

    def _confirm(self) -> None:
        second = reference.zero_insertion(*self._arrays, self.layer)
        bound = 0.0 if self.exact else reference.error_bound(*self._arrays, self.layer, "float64")
        if bound is not None and (np.abs(second - self.values) > bound).any():
            raise OracleFault(f"the references disagree on {self.case.to_json()}")


class Gradient(Quantity):
    """The right dx, dweight and dbias of a case, laid end to end."""

    @cached_property
    def exact(self) -> bool:
        """Integers add exactly where so many of them are exact in the dtype."""
        return self.case.has_exact_gradients(self.layer)

    @cached_property
    def values(self) -> Float64:
        """The reference's products."""
        return _end_to_end(reference.vjp(*self._arrays, self.layer, self.case.cotangent(self.layer)))

    def _bound(self) -> Float64 | None:
        parts = self._bounds(self.case.dtype)
        return _end_to_end(tuple(parts))

    def _bounds(self, dtype: str) -> Iterator[Float64]:
        """The bound of each part; infinite where it is not to be judged."""
        bounds = reference.gradient_bounds(*self._arrays, self.layer, self.case.cotangent(self.layer), dtype)
        for shape, bound in zip(self._shapes().values(), bounds, strict=False):
            yield np.full(shape, np.inf) if bound is None else bound

    def _confirm(self) -> None:
        """Each product again, as the transposed convolution of what the cotangent meets: ⟨y, cotangent⟩ by its parts.

        The output is linear in x and in the weight, so ``⟨conv_transpose(x, w), c⟩ = ⟨x, dx⟩ = ⟨w, dweight⟩`` without a
        bias, and ``⟨bias, dbias⟩`` is what it adds.
        """
        x, weight, bias = (None if a is None else a.astype(np.float64) for a in self._arrays)
        assert x is not None  # noqa: S101 # for the type checker: only the bias may be missing
        assert weight is not None  # noqa: S101 # likewise
        cotangent = self.case.cotangent(self.layer).astype(np.float64)
        dx, dweight, dbias = reference.vjp(x, weight, bias, self.layer, cotangent)
        output = reference.zero_insertion(x, weight, None, self.layer.replace(bias=False))
        terms = reference.zero_insertion(abs(x), abs(weight), None, self.layer.replace(bias=False))
        whole = float((output * cotangent).sum())
        rounded = 2 * reference.UNIT_ROUNDOFF["float64"] * (self._products + 2)
        slack = 0.0 if self.exact else rounded * float((terms * abs(cotangent)).sum())
        apart = [whole - float((x * dx).sum()), whole - float((weight * dweight).sum())]
        if bias is not None and dbias is not None:
            added = reference.zero_insertion(0 * x, weight, bias, self.layer)
            apart.append(float((added * cotangent).sum()) - float((bias * dbias).sum()))
            slack += 0.0 if self.exact else rounded * float((abs(added) * abs(cotangent)).sum()) * added.size
        if max(map(abs, apart)) > slack:
            raise OracleFault(f"the references of the gradients disagree on {self.case.to_json()}")

    @property
    def _products(self) -> int:
        """All products of the case: no sum has more."""
        return self.layer.multiply_adds(self.case.input_size, batch=self.case.batch)

    def _first(self, wrong: NDArray[np.bool_], observed: Float64) -> FirstDifference:
        """The first difference in the first part that has one, by its place in that part."""
        start = 0
        for name, shape in self._shapes().items():
            end = start + math.prod(shape)
            if wrong[start:end].any():
                parts = (array[start:end].reshape(shape) for array in (wrong, self.values, observed))
                return _first(*parts, array=name)
            start = end
        raise ValueError("nothing is wrong")

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        layer = self.layer
        shapes = {
            "dx": (self.case.batch, layer.in_channels, *self.case.input_size),
            "dweight": layer.weight_shape,
        }
        return {**shapes, "dbias": (layer.out_channels,)} if layer.bias else shapes


def _end_to_end(parts: tuple[Float64 | None, ...]) -> Float64:
    return np.concatenate([part.ravel() for part in parts if part is not None])


def _error(observed: Float64, expected: Float64) -> Float64:
    """Absolute error; a NaN on one side alone is infinitely wrong."""
    with np.errstate(invalid="ignore"):
        error = np.abs(observed - expected)
    return np.where(observed == expected, 0.0, np.where(np.isnan(error), np.inf, error))


def _fits_special(observed: Float64, scatter: Float64, inserted: Float64, slack: float) -> NDArray[np.bool_]:
    """Where an element is NaN as it must or may be, or has the scatter's value."""
    is_nan = np.isnan(observed)
    return np.where(is_nan, np.isnan(inserted), _error(observed, scatter) <= slack)


def _flush(array: NDArray[Any], tiny: float) -> NDArray[Any]:
    return np.where(np.abs(array) < tiny, np.zeros_like(array), array)


def _largest_finite(*arrays: NDArray[Any]) -> float:
    finite = [np.abs(array[np.isfinite(array)]).max(initial=1.0) for array in arrays]
    return float(max(finite))


def _worst(errors: Float64) -> float:
    return float(errors.max(initial=0.0))


def _worst_ratio(error: Float64, bound: Float64) -> float:
    return _worst(np.divide(error, bound, out=np.zeros_like(error), where=(bound > 0) & np.isfinite(bound)))


def _first(wrong: NDArray[Any], expected: NDArray[Any], observed: NDArray[Any], *, array: str = "y") -> FirstDifference:
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    return FirstDifference(
        index=index,
        expected=float(expected[index]),
        observed=float(observed[index]),
        expected_values=_window(expected, index),
        observed_values=_window(observed, index),
        array=array,
    )


def _window(array: NDArray[Any], index: tuple[int, ...]) -> str:
    """The numbers around an element: along its last axis, and along the one before where that is spatial."""
    axes = 2 if array.ndim > 3 else 1
    cuts = tuple(slice(max(i - _SHOWN, 0), i + _SHOWN + 1) for i in index[-axes:])
    return np.array2string(array[index[:-axes] + cuts], max_line_width=200, precision=9)
