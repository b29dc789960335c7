"""What ``output_padding`` appends, by three calls: without it, with it, and with nothing cropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import reference
from harness.frameworks.base import Api
from harness.layer import Layer
from harness.rules.calls import exactly
from harness.rules.checks import arrays, full, layer
from harness.rules.statement import Answer, Questions, Row


def _three(one: Row) -> tuple[Layer, Layer, Layer]:
    """Without output padding, with it, and uncropped, each with a bias."""
    padded = layer(one, bias=True)
    return padded.replace(output_padding=0), padded, full(one, bias=True)


def by_gathering(one: Row) -> list[Answer]:
    """By the reference that pads and correlates, which does not make the full output first."""
    given = arrays(one, bias=True)
    return [reference.zero_insertion(*given, asked) for asked in _three(one)]


def ask_three(of: Api | None, one: Row) -> Questions:
    """The three calls in an API's own words."""
    return tuple(question for asked in _three(one) for question in exactly(of, asked, one["n"]))


def appends_computed(one: Row, answers: Sequence[Answer]) -> bool:
    """Whether all before what is added stays, and what is added is the full output's."""
    found = _appended(one, answers)
    return found is not None and np.array_equal(*found)


def appends_bias(one: Row, answers: Sequence[Answer]) -> bool:
    """Whether all before what is added stays, and what is added beyond the padding is the bias alone."""
    found, (*_, bias) = _appended(one, answers), arrays(one, bias=True)
    return found is not None and bias is not None and bool((found[0][:, :, one["p"] :] == bias[:, None]).all())


def _appended(one: Row, answers: Sequence[Answer]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """What is added, and what the full output has there, which may be less.

    None where a call was rejected, gave another size than it should, or what stands before is not as without padding.
    """
    without, padded, whole = answers
    if without is None or padded is None or whole is None:
        return None
    end, full_size = one["m"] - one["a"], (one["n"] - 1) * one["s"] + one["e"]
    if [answer.shape[2] for answer in (without, padded, whole)] != [end, one["m"], full_size]:
        return None
    if not np.array_equal(padded[:, :, :end], without):
        return None
    start = one["p"] + end
    return padded[:, :, end:], whole[:, :, start : start + one["a"]]
