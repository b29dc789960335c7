"""ONNX's ConvTranspose: the crop that the operator's text gives each spelling, and what it forbids."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from harness import Crop, Spelling, reference
from harness.audit.readers.onnx_words import OnnxConvTranspose
from harness.records import Illegal, Resolved, Unspecified

ONNX = OnnxConvTranspose()
CARRIED = {"in_channels": 1, "out_channels": 1, "B": False}


def resolve(input_size: tuple[int, ...], **arguments: Any) -> Any:
    """Resolve a spelling with one channel and no bias."""
    return ONNX.resolve(Spelling(ONNX.name, {**CARRIED, **arguments}), input_size)


def crops(input_size: tuple[int, ...], **arguments: Any) -> tuple[Crop, ...]:
    """The crop that a legal spelling resolves to."""
    answer = resolve(input_size, **arguments)
    assert isinstance(answer, Resolved), answer
    return answer.layer.crops


def test_pads_are_the_crop_and_output_padding_is_taken_off_their_end() -> None:
    """Lo = pb, hi = pe - a, per axis."""
    asked = {"kernel_shape": (3, 4), "strides": (2, 2), "pads": ((1, 0), (2, 1)), "output_padding": (1, 0)}
    assert crops((3, 3), **asked) == ((1, -1), (2, 1))


@pytest.mark.parametrize(("word", "crop"), [("SAME_UPPER", (0, 1)), ("SAME_LOWER", (1, 0)), ("VALID", (0, 0))])
def test_the_word_says_where_the_odd_element_goes(word: str, crop: tuple[int, int]) -> None:
    """N = 4, k = 3, s = 2: F = 9, and SAME keeps 8, so that one element goes: at the end for SAME_UPPER."""
    assert crops((4,), kernel_shape=(3,), strides=(2,), auto_pad=word) == (crop,)


def test_the_output_shape_decides_and_pads_are_ignored() -> None:
    """N = 4, k = 4, s = 2: F = 10; m = 7 leaves T = 3, of which the larger part is at the beginning."""
    asked = {"kernel_shape": (4,), "strides": (2,), "output_shape": (7,)}
    assert crops((4,), **asked, pads=((0, 0),)) == crops((4,), **asked) == ((2, 1),)
    assert crops((4,), **asked, auto_pad="SAME_UPPER") == ((1, 2),)


def test_the_output_padding_takes_part_in_the_padding_of_a_given_shape() -> None:
    """F = 10, a = 1, m = 7: T = 4, pads (2, 2), and the end's is less by a."""
    assert crops((4,), kernel_shape=(4,), strides=(2,), output_shape=(7,), output_padding=(1,)) == ((2, 1),)


def test_a_shape_beyond_the_full_output_is_not_specified() -> None:
    """T < 0: the operator's text says nothing about it."""
    assert isinstance(resolve((2,), kernel_shape=(1,), strides=(3,), auto_pad="SAME_UPPER"), Unspecified)
    assert isinstance(resolve((2,), kernel_shape=(1,), output_shape=(9,)), Unspecified)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"pads": ((0, 0),), "auto_pad": "VALID"}, "pads with auto_pad"),
        ({"output_padding": (2,), "strides": (2,)}, "output_padding not below strides or dilations"),
        ({"pads": ((2, 2),)}, "no output left"),
        ({"pads": ((-1, 0),)}, "pads outside its domain"),
        ({"group": 2}, "group does not divide the channels"),
    ],
)
def test_what_the_text_forbids_is_illegal(arguments: dict[str, Any], code: str) -> None:
    """Each rule by the smallest spelling that breaks it."""
    answer = resolve((2,), kernel_shape=(2,), **arguments)
    assert isinstance(answer, Illegal)
    assert answer.code == code


def test_the_node_is_written_with_flat_pads() -> None:
    """ONNX has the begins of all axes and then the ends."""
    asked = Spelling(ONNX.name, {**CARRIED, "kernel_shape": (1, 1), "pads": ((1, 2), (3, 4))})
    assert "pads=[1, 3, 2, 4]" in ONNX.snippet(asked, (5, 5))


@st.composite
def nodes(draw: st.DrawFn) -> tuple[Spelling, tuple[int, ...]]:
    """A spelling that ONNX's own evaluator knows, with a size."""
    ndim = draw(st.integers(1, 2))

    def axes(least: int, most: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(least, most)) for _ in range(ndim))

    words: dict[str, Any] = {"kernel_shape": axes(1, 3), "strides": axes(1, 3), "dilations": axes(1, 2)}
    words["output_padding"] = axes(0, 1)
    match draw(st.sampled_from(["pads", "SAME_UPPER", "SAME_LOWER", "VALID", "shape"])):
        case "pads":
            words["pads"] = tuple(zip(axes(0, 2), axes(0, 2), strict=True))
        case "shape":
            words |= {"output_shape": axes(1, 6), "auto_pad": "SAME_UPPER"}
        case word:
            words["auto_pad"] = word
    return Spelling(ONNX.name, {"in_channels": 2, "out_channels": 3, "B": True, **words}), axes(1, 4)


def evaluated(asked: Spelling, x: Any, weight: Any, bias: Any) -> Any:
    """What ONNX's own evaluator makes of the node that the snippet writes; None where it cannot."""
    node = eval(ONNX.snippet(asked, x.shape[2:]), {"onnx": onnx})  # our own text
    kinds = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in "XWBY"]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", kinds[:3], kinds[3:]))
    try:
        return ReferenceEvaluator(model).run(None, {"X": x, "W": weight, "B": bias})[0]
    except ValueError:
        return None


@settings(max_examples=150, deadline=None)
@given(nodes(), st.integers(0, 2**32 - 1))
def test_the_resolved_layer_is_what_the_evaluator_computes(node: tuple[Spelling, tuple[int, ...]], seed: int) -> None:
    """Sizes and values, on integers; only spellings that the evaluator is right about (no groups) are asked."""
    asked, size = node
    resolved = ONNX.resolve(asked, size)
    if not isinstance(resolved, Resolved):
        return
    random = np.random.default_rng(seed)
    shapes = ((1, 2, *size), ONNX.native_weight_shape(asked, len(size)), (3,))
    x, weight, bias = (random.integers(-3, 4, shape).astype(np.float32) for shape in shapes)
    found = evaluated(asked, x, weight, bias)
    if found is not None:
        np.testing.assert_array_equal(found, reference.conv_transpose(x, weight, bias, resolved.layer))
