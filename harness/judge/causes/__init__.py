"""Named causes: what explains every element of a wrong output.

A hypothesis predicts an output for a case, and counts only if each element that was observed is the predicted one.
``FAMILIES`` has them by name, in order of specificity: first those tied to a hyper-parameter, last what is only a
shift.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from harness.errors import InvalidField
from harness.judge.causes import bias, channels, geometry, outputs
from harness.judge.causes.prediction import Cause, Hypothesis, Prediction, Subject
from harness.judge.tolerance import Expected
from harness.layer import Case, Layer
from harness.reference import Array

__all__ = ["FAMILIES", "Cause", "Prediction", "consistent", "explain", "hypotheses", "is_right"]

_Family: TypeAlias = "Callable[[Subject, Array | None], Iterator[Hypothesis]]"


def explain(
    expected: Expected, observed: Array, likely: Iterable[str] = (), *, thorough: bool = True
) -> tuple[Cause, ...]:
    """Every cause that explains all of an output that is not the right answer, the most specific first.

    ``observed`` is canonical, of any shape. One cause of a name, with its simplest detail; none for special values.
    Where one of the ``likely`` names explains it, no other is tried; nor is any where it is not to be ``thorough``.

    >>> case = Case(Layer(kernel_size=3, ndim=1), input_size=(4,))
    >>> expected = Expected(case, case.layer)
    >>> [cause.text for cause in explain(expected, 2 * expected.values)]
    []
    >>> x, weight, bias = case.arrays()
    >>> from harness import reference
    >>> explain(expected, reference.conv_transpose(x, weight[..., ::-1], bias, case.layer))
    (Cause(name='kernel flipped', text='kernel flipped'),)
    """
    if expected.case.values == "special":
        return ()
    subject, numbers = Subject(expected.case, expected.layer), observed.astype(np.float64)
    first = [name for name in FAMILIES if name in frozenset(likely)]
    return _explaining(subject, numbers, first) or _explaining(subject, numbers, FAMILIES if thorough else ())


def consistent(name: str, case: Case, layer: Layer, observed: Array) -> bool:
    """Whether a cause may have made this output: some hypothesis of that name predicts it, were it the right answer.

    A hypothesis that makes no sense for the case predicts the right answer. Nothing speaks against a cause where values
    are special or too many products meet to tell.

    Raises:
        InvalidField: there is no cause of that name.

    >>> case = Case(Layer(kernel_size=3, ndim=1), input_size=(4,))
    >>> right = Expected(case, case.layer).values
    >>> consistent("dilation ignored", case, case.layer, right), consistent("kernel flipped", case, case.layer, right)
    (True, False)
    """
    if name not in FAMILIES:
        raise InvalidField("name", name, f"must be one of {', '.join(FAMILIES)}")
    if case.values == "special":
        return True
    subject, numbers = Subject(case, layer), observed.astype(np.float64)
    right = subject.predict(lambda run: run.right)
    predictions = (prediction or right for _, prediction in FAMILIES[name](subject, numbers))
    return any(prediction.agrees(numbers) is not False for prediction in predictions)


def is_right(case: Case, layer: Layer, observed: Array) -> bool:
    """Whether this output is the right answer, or too many products meet to tell.

    >>> case = Case(Layer(kernel_size=3, ndim=1), input_size=(4,))
    >>> right = Expected(case, case.layer).values
    >>> is_right(case, case.layer, right), is_right(case, case.layer, 2 * right)
    (True, False)
    """
    return Subject(case, layer).predict(lambda run: run.right).agrees(observed.astype(np.float64)) is not False


def hypotheses(case: Case, layer: Layer, observed: Array | None = None) -> Iterator[tuple[Cause, Prediction]]:
    """Every hypothesis that says something about the case, in order of specificity.

    Orders of channels and shifts are those that fit the observation; without one, a few simple ones stand for all.

    >>> case = Case(Layer(kernel_size=3, ndim=1, bias=False), input_size=(4,))
    >>> next(hypotheses(case, case.layer))[0].text
    'kernel flipped'
    """
    subject = Subject(case, layer)
    for family in FAMILIES.values():
        for cause, prediction in family(subject, observed):
            if prediction is not None:
                yield cause, prediction


def _explaining(subject: Subject, observed: Array, names: Iterable[str]) -> tuple[Cause, ...]:
    explaining = (_first_explaining(FAMILIES[name](subject, observed), observed) for name in names)
    return tuple(cause for cause in explaining if cause is not None)


def _first_explaining(tried: Iterable[Hypothesis], observed: Array) -> Cause | None:
    for cause, prediction in tried:
        if prediction is not None and prediction.agrees(observed):
            return cause
    return None


def _unguided(family: Callable[[Subject], Iterator[Hypothesis]]) -> _Family:
    """A family that tries the same whatever was observed."""
    return lambda subject, _: family(subject)


def _of_field(family: Callable[[Subject, str], Iterator[Hypothesis]], field: str) -> _Family:
    return lambda subject, _: family(subject, field)


#: hypotheses by the name of their cause, the most specific first
FAMILIES: Mapping[str, _Family] = MappingProxyType(
    {
        "output_padding multiplied by stride": _unguided(geometry.output_padding_multiplied),
        "output_padding ignored": _of_field(geometry.ignored, "output_padding"),
        "output_padding filled with zeros": _unguided(outputs.output_padding_filled),
        "stride ignored": _of_field(geometry.ignored, "stride"),
        "dilation ignored": _of_field(geometry.ignored, "dilation"),
        "padding ignored": _of_field(geometry.ignored, "padding"),
        "one axis's stride used for all axes": _of_field(geometry.one_axis_for_all, "stride"),
        "one axis's dilation used for all axes": _of_field(geometry.one_axis_for_all, "dilation"),
        "one axis's padding used for all axes": _of_field(geometry.one_axis_for_all, "padding"),
        "one axis's output_padding used for all axes": _of_field(geometry.one_axis_for_all, "output_padding"),
        "axes swapped": _unguided(geometry.axes_swapped),
        "crop on the other side": _unguided(geometry.crop_on_the_other_side),
        "bias missing": _unguided(bias.bias_missing),
        "bias doubled": _unguided(bias.bias_doubled),
        "bias per group": _unguided(bias.bias_per_group),
        "bias not in the extension": _unguided(bias.bias_not_in_extension),
        "kernel flipped": _unguided(channels.kernel_flipped),
        "groups permuted": channels.groups_permuted,
        "channels permuted": channels.channels_permuted,
        "batch broadcast": _unguided(channels.batch_broadcast),
        "last channel lost": _unguided(channels.last_channel_lost),
        "last lane lost": _unguided(outputs.last_lane_lost),
        "shifted": outputs.shifted,
    }
)
