"""When two arrays agree: exactly on integers, within the rounding-error bound on reals.

No tolerance is picked by hand. Exact mode compares numbers (-0.0 equals 0.0). Real mode compares element by element
with the bound of ``reference.error_bound`` and reports the worst quotient of error and bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import reference
from harness.layer import Case, Layer
from harness.records import FirstDifference
from harness.values import digest

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


class Expected:
    """The right answer to a case on a layer; computed when it is first needed."""

    def __init__(self, case: Case, layer: Layer) -> None:
        self.case = case
        self.layer = layer
        self.size = layer.output_size(case.input_size)
        self.shape = (case.batch, layer.out_channels, *self.size)
        self._values: NDArray[np.float64] | None = None
        self._digest: str | None = None

    @property
    def judges_values(self) -> bool:
        """Special values are observed, but their values are not judged yet."""
        return self.case.values != "special"

    @property
    def exact(self) -> bool:
        """Whether the numbers must be equal."""
        return self.case.values == "integers"

    @property
    def values(self) -> NDArray[np.float64]:
        """The reference's output, float64."""
        if self._values is None:
            self._values = reference.conv_transpose(*self.case.arrays(self.layer), self.layer)
        return self._values

    @property
    def digest(self) -> str:
        """Digest of the reference's output."""
        if self._digest is None:
            self._digest = digest(self.values)
        return self._digest

    def compare(self, observed: NDArray[np.float64]) -> Comparison | None:
        """Compare an output of the right shape; None where the bound is too wide to judge.

        Raises:
            OracleFault: the output differs, and so does the second reference from the first.
        """
        bound = self._bound()
        if bound is None:
            return None
        with np.errstate(invalid="ignore"):
            error = np.abs(observed - self.values)
        error = np.where(observed == self.values, 0.0, np.where(np.isnan(error), np.inf, error))
        wrong = error > bound
        if not wrong.any():
            return Comparison(True, _worst(error), self._ratio(error, bound), None)
        self._confirm()
        return Comparison(False, _worst(error), self._ratio(error, bound), _first(wrong, self.values, observed))

    def _bound(self) -> NDArray[np.float64] | None:
        if self.exact:
            return np.zeros(self.shape)
        return reference.error_bound(*self.case.arrays(self.layer), self.layer, self.case.dtype)

    def _ratio(self, error: NDArray[np.float64], bound: NDArray[np.float64]) -> float | None:
        """Worst error/bound; an exact case has no bound to divide by."""
        if self.exact:
            return None
        return _worst(np.divide(error, bound, out=np.zeros_like(error), where=(bound > 0) & np.isfinite(bound)))

    def _confirm(self) -> None:
        second = reference.zero_insertion(*self.case.arrays(self.layer), self.layer)
        bound = 0.0 if self.exact else reference.error_bound(*self.case.arrays(self.layer), self.layer, "float64")
        if bound is not None and (np.abs(second - self.values) > bound).any():
            raise OracleFault(f"the references disagree on {self.case.to_json()}")


def _worst(errors: NDArray[np.float64]) -> float:
    return float(errors.max(initial=0.0))


def _first(wrong: NDArray[np.bool_], expected: NDArray[Any], observed: NDArray[Any]) -> FirstDifference:
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    return FirstDifference(
        index=index,
        expected=float(expected[index]),
        observed=float(observed[index]),
        expected_values=_window(expected, index),
        observed_values=_window(observed, index),
    )


def _window(array: NDArray[Any], index: tuple[int, ...]) -> str:
    """The numbers around an element: along its last axis, and along the one before where that is spatial."""
    axes = 2 if array.ndim > 3 else 1
    cuts = tuple(slice(max(i - _SHOWN, 0), i + _SHOWN + 1) for i in index[-axes:])
    return np.array2string(array[index[:-axes] + cuts], max_line_width=200, precision=9)
