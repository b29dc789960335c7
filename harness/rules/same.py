"""The word SAME: how it is asked of an API for a size, and on which side it crops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from harness.frameworks.base import Api, Role
from harness.layer import Case, Crop, Layer, Spelling
from harness.records import Resolved
from harness.rules.calls import JAX, KERAS, TF, api, question, size
from harness.rules.checks import arrays, layer, output
from harness.rules.statement import Answer, Question, Questions, Row, Telling


def same(of: Api | None, one: Row, m: int, *, added: bool = False) -> Questions:
    """A call with the word SAME that gives this size, with an ``output_padding`` where ``added``."""
    if of is None:
        return ()
    asked = layer({**one, "p": 0, "a": 0})
    asked = asked.replace(output_padding=m - asked.output_size((one["n"],))[0])
    for spelling in of.candidates(asked, (one["n"],)):
        resolved = of.resolve(spelling, (one["n"],))
        if not _says_same(of, spelling) or (added and of.role(spelling, Role.OUTPUT_PADDING) is None):
            continue
        if isinstance(resolved, Resolved) and resolved.layer.output_size((one["n"],)) == (m,):
            return (question(spelling, resolved.layer, one["n"]),)
    return ()


def same_of_any_size(of: Api | None, one: Row) -> Questions:
    """SAME from m to both of its neighbours in m / s; documented or not, what is taken tells what SAME makes of m."""
    if of is None:
        return ()
    found = []
    for n in sorted({one["m"] // one["s"], -(-one["m"] // one["s"])} - {0}):
        asked = layer({**one, "p": 0, "a": 0})
        asked = asked.replace(output_padding=one["m"] - asked.output_size((n,))[0])
        said = [spelling for spelling in of.candidates(asked, (n,)) if _says_same(of, spelling)]
        found += [Question(Case.spelled(spelling, input_size=(n,)), None) for spelling in said[:1]]
    return tuple(found)


def same_crop(name: str, one: Row, m: int) -> Crop | None:
    """The crop that SAME of this size is by the API's documentation; None where it has no such size."""
    found = same(api(name), one, m)
    return None if not found or found[0].layer is None else found[0].layer.crops[0]


def cropped(one: Row, crop: Crop) -> Layer:
    """The layer of a tuple with another crop."""
    return layer({**one, "p": crop.lo, "a": crop.lo - crop.hi})


def onnx_upper(one: Row) -> Crop:
    """The crop of SAME_UPPER by the specification, which says nothing of a negative total."""
    total = one["e"] - one["s"]
    return Crop(total // 2, total - total // 2)


def onnx_lower(one: Row) -> Crop:
    """The crop of SAME_LOWER: the other way round."""
    lo, hi = onnx_upper(one)
    return Crop(hi, lo)


def same_agrees(one: Row) -> bool:
    """Whether TensorFlow's SAME and JAX's have this size, and the same crop."""
    crop = same_crop(TF, one, one["m"])
    return crop is not None and crop == same_crop(JAX, one, one["m"])


def onnx_agrees(one: Row, *, lower: bool) -> bool:
    """Whether SAME_UPPER, and SAME_LOWER if asked for, has the crop of TensorFlow's SAME and of JAX's."""
    crops = {onnx_upper(one), same_crop(TF, one, one["m"]), same_crop(JAX, one, one["m"])}
    return len(crops | ({onnx_lower(one)} if lower else set())) == 1


def same_has_these_values(one: Row) -> bool:
    """Whether SAME of every API that gives this size gives the values, too."""
    asked = output(arrays(one), layer(one))
    crops = [same_crop(name, one, one["m"]) for name in (TF, JAX, KERAS)]
    return all(np.array_equal(asked, output(arrays(one), cropped(one, crop))) for crop in crops if crop is not None)


def crop_of(name: str, one: Row) -> Crop:
    """The crop of SAME where it has the tuple's size."""
    crop = same_crop(name, one, one["m"])
    assert crop is not None, "SAME has this size"  # noqa: S101 # for the type checker
    return crop


def crop_is(*of: Callable[[Row], Crop]) -> Telling:
    """Tells whether the one answer has each of these crops; nothing where they are several that look alike."""

    def tells(one: Row, _: Questions, answers: Sequence[Answer]) -> bool | None:
        crops = {crop(one) for crop in of}
        outputs = [output(arrays(one), cropped(one, crop)) for crop in crops]
        if len(crops) > 1 and all(np.array_equal(outputs[0], other) for other in outputs):
            return None
        return None if answers[0] is None else all(np.array_equal(answers[0], each) for each in outputs)

    return tells


def accepted_is_quotient(one: Row, questions: Questions, answers: Sequence[Answer]) -> bool:
    """Whether the n that was accepted for m is m / s."""
    taken = [q.case.input_size[0] for q, answer in zip(questions, answers, strict=True) if size(answer) == one["m"]]
    return bool(taken) and all(n * one["s"] == one["m"] for n in taken)


def _says_same(of: Api, spelling: Spelling) -> bool:
    return str(of.role(spelling, Role.PADDING)).upper() == "SAME"
