"""What one hypothesis predicts for a case: an array computed by the reference, and how closely it must be met.

A hypothesis is a function of an ``Evaluation``, which runs whatever it is asked to run on the arrays of the case. With
``reference.conv_transpose`` inside, the function gives the prediction; with ``reference.error_bound`` inside, it gives
how far rounding may take an implementation of just that hypothesis from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness import reference
from harness.judge.causes.sampling import sampled
from harness.layer import Case, Layer
from harness.records import Size
from harness.reference import SMALLEST_NORMAL, UNIT_ROUNDOFF, Array, Float64

Run: TypeAlias = "Callable[[Array, Array, Array | None, Layer], Float64]"


@dataclass(frozen=True, slots=True)
class Cause:
    """What went wrong.

    ``name`` has no numbers and takes part in signatures; ``text`` is for people and may have them.
    """

    name: str
    text: str

    @property
    def shown(self) -> str:
        """Name and text as one phrase.

        >>> Cause("axes swapped", "stride in the order (1, 0)").shown, Cause("shifted", "shifted by (1,)").shown
        ('axes swapped: stride in the order (1, 0)', 'shifted by (1,)')
        """
        return self.text if self.text.startswith(self.name) else f"{self.name}: {self.text}"


class Evaluation:
    """The arrays of a case and how to run them; a call runs them with some of them, or the layer, changed."""

    def __init__(self, run: Run, x: Array, weight: Array, bias: Array | None, layer: Layer) -> None:
        self.x = x
        self.weight = weight
        self.bias = bias
        self.layer = layer
        self._run = run

    def __call__(
        self,
        *,
        x: Array | None = None,
        weight: Array | None = None,
        bias: Array | None = None,
        layer: Layer | None = None,
    ) -> Float64:
        """The output with these changes; what is not named stays."""
        return self._run(
            self.x if x is None else x,
            self.weight if weight is None else weight,
            self.bias if bias is None else bias,
            layer or self.layer,
        )

    @cached_property
    def right(self) -> Float64:
        """The output as it should be."""
        return self()

    @cached_property
    def blank(self) -> Float64:
        """The output where no input is: the bias alone, or zero."""
        return self(x=np.zeros_like(self.x))

    @cached_property
    def bare(self) -> Float64:
        """The output without bias."""
        if self.bias is None:
            return self.right
        return self._run(self.x, self.weight, None, self.layer.replace(bias=False))


Of: TypeAlias = Callable[[Evaluation], Float64]


class Subject:
    """A case on a layer, as hypotheses see it: its arrays, evaluated to numbers and to bounds of their errors."""

    def __init__(self, case: Case, layer: Layer) -> None:
        self.layer = layer
        self.size: Size = layer.output_size(case.input_size)
        self.shape: Size = (case.batch, layer.out_channels, *self.size)
        self.input_size = case.input_size
        self.exact = case.values == "integers"
        self._dtype = case.dtype
        arrays = case.arrays(layer)
        self.numbers = Evaluation(reference.conv_transpose, *arrays, layer)
        self.bounds = Evaluation(self._bound, *arrays, layer)
        self.samples = Evaluation(sampled, *arrays, layer)

    @property
    def has_bias(self) -> bool:
        """Whether a bias is added."""
        return self.layer.bias

    @cached_property
    def slack(self) -> float:
        """At least the error bound of every hypothesis: the largest input meets every kernel position, the bias twice.

        It saves most hypotheses the computation of their own bounds, which takes longer than the prediction.
        """
        if self.exact:
            return 0.0
        inputs, positions = self.layer.in_channels // self.layer.groups, tuple(range(2, self.layer.ndim + 2))
        products, u = inputs * math.prod(self.layer.kernel_size) + 2, UNIT_ROUNDOFF[self._dtype]
        run, bias = self.numbers, 0.0 if self.numbers.bias is None else _largest(self.numbers.bias)
        terms = inputs * _largest(run.x) * _largest(np.abs(run.weight).sum(axis=positions, dtype=float)) + 2 * bias
        if products * u >= 1:
            return math.inf
        bound = products * u / (1 - products * u) * terms + 2 * products * SMALLEST_NORMAL[self._dtype]
        return 2 * bound if self._dtype == "float64" else bound

    def predict(self, of: Of, size: Size | None = None) -> Prediction:
        """The prediction of a hypothesis whose output has this size, the right one if none is named."""
        return Prediction(self, (*self.shape[:2], *(self.size if size is None else size)), of)

    def is_searchable(self, observed: Array) -> bool:
        """Whether the right answer's elements may stand in other places of an observation."""
        return observed.shape == self.shape and observed.size > 0

    def _bound(self, x: Array, weight: Array, bias: Array | None, layer: Layer) -> Float64:
        bound = reference.error_bound(x, weight, bias, layer, self._dtype)
        if bound is None:
            return np.full((len(x), layer.out_channels, *layer.output_size(x.shape[2:])), np.inf)
        return bound


@dataclass(frozen=True, slots=True)
class Prediction:
    """The output that one hypothesis predicts; nothing is computed before it is asked for.

    >>> subject = Subject(case := Case(Layer(kernel_size=2, ndim=1, bias=False), input_size=(3,)), case.layer)
    >>> prediction = subject.predict(lambda run: 2 * run.right)
    >>> prediction.agrees(2 * subject.numbers.right), prediction.agrees(subject.numbers.right)
    (True, False)
    """

    subject: Subject
    shape: Size
    of: Of

    @property
    def values(self) -> Float64:
        """The predicted output, float64."""
        return self.of(self.subject.numbers)

    def agrees(self, observed: Array) -> bool | None:
        """Whether every element is the predicted one: integers exactly, reals within the bound of this hypothesis.

        None where an element has no bound, so that nothing can be told.
        """
        if observed.shape != self.shape or self._is_far(observed):
            return False
        error = np.abs(observed - self.values)
        # A NaN is not below the slack either.
        if not error.max(initial=0.0) <= self.subject.slack:
            return False
        if self.subject.exact:
            return True
        bound = self.of(self.subject.bounds)
        if not np.isfinite(bound).all():
            return None
        return bool((error <= bound).all())

    def _is_far(self, observed: Array) -> bool:
        """Whether a few elements tell already that this is not what was observed."""
        samples = self.of(self.subject.samples)
        known = ~np.isnan(samples)
        return bool((np.abs(observed[known] - samples[known]) > self.subject.slack).any())


Hypothesis: TypeAlias = "tuple[Cause, Prediction | None]"
"""A cause and what it predicts; None where it predicts the right answer, for it changes nothing in this case."""


def with_inputs(taken: NDArray[np.bool_]) -> Of:
    """The output of some of the inputs alone."""
    return lambda run: run(x=run.x * taken)


def _largest(array: Array) -> float:
    return float(np.abs(array).max(initial=0.0))
