"""A finding's script: what its text holds, for every API, mode and kind; third parties' scripts are run here, too."""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from hypothesis.strategies import sampled_from

from harness import Case, Crop, Layer, Spelling, reference
from harness.campaign.ask import Chosen, ask
from harness.campaign.script import LONGEST, script
from harness.campaign.select import all_targets, select
from harness.frameworks.base import Answer, Api, Array, Gradients, Mode, crop_output
from harness.frameworks.torch import ConvTranspose
from harness.records import (
    Disagreement,
    FirstDifference,
    Illegal,
    Kind,
    Observation,
    Oracle,
    Outcome,
    Resolved,
    Rule,
    Size,
    Unspecified,
)
from harness.values import DTYPES, VALUE_KINDS, storage_dtype
from harness.writing import literal

TARGETS = {chosen.target.name: chosen for chosen in all_targets()}
CONCRETE = [name for name, chosen in TARGETS.items() if not (chosen.mode.abstract or chosen.mode.gradient)]
ABSTRACT = [name for name, chosen in TARGETS.items() if chosen.mode.abstract]
GRADIENT = [name for name, chosen in TARGETS.items() if chosen.mode.gradient]

LAYERS = {
    "plain": (Layer(2, 3, 3, 2, 1, 1, ndim=1), (4,)),
    "cut on one axis": (Layer(1, 2, (3, 2), (2, 1), (0, 1), (1, -1)), (3, 4)),
    "extended": (Layer(1, 2, 2, 3, 0, 4, ndim=1), (3,)),
    "extended and cut": (Layer(2, 1, (2, 3), 2, (-1, 2), (-1, 1)), (2, 3)),
    "3-D without bias": (Layer(2, 2, (1, 2, 3), (1, 2, 3), (0, 0, 1), 0, bias=False), (2, 3, 2)),
}
MODULES = {
    "torch": {"torch"},
    "jax": {"jax"},
    "tensorflow": {"tensorflow"},
    "keras": {"keras"},
    "flax": {"jax", "flax.linen", "flax.nnx"},
}


def kinds(name: str) -> list[Kind]:
    """The kinds that can be told of a mode: numbers are told of what has numbers."""
    always = [Kind.REJECTION, Kind.CRASH, Kind.HANG, Kind.MEMORY]
    if name in GRADIENT:
        return [Kind.GRADIENT, Kind.DTYPE, Kind.NONDETERMINISM, *always]
    if name in ABSTRACT:
        return [Kind.SIZE, Kind.SHAPE_INFERENCE, Kind.ACCEPTANCE, *always]
    return [Kind.SIZE, Kind.VALUE, Kind.DTYPE, Kind.NONDETERMINISM, Kind.ACCEPTANCE, *always]


def found(case: Case, chosen: Chosen, kind: Kind, array: str = "y", **changes: Any) -> Disagreement:
    """A disagreement of this kind with the case as it is put to a target, first different at the first element."""
    asked = ask(case, chosen)
    assert asked is not None
    layer = case.layer
    shape = None if layer is None else (case.batch, layer.out_channels, *layer.output_size(case.input_size))
    seen = Observation(chosen.target.name, Outcome.OK, shape=shape, error="ValueError: no", exit="SIGABRT")
    index = (0,) * {"dbias": 1}.get(array, case.ndim + 2)
    first = FirstDifference(index, 1.0, 2.0, "[1.]", "[2.]", array)
    whole = Disagreement(Oracle.AGREEMENT, kind, asked, seen, first_difference=first, contrast="it returns (1,)")
    return replace(whole, **changes)


def text_of(case: Case, name: str, kind: Kind, *, array: str = "y", version: str | None = "1.2", **changes: Any) -> str:
    """The script of a disagreement of one installed or missing target."""
    chosen = TARGETS[name]
    array = "dx" if chosen.mode.gradient and array == "y" else array
    told = found(case, chosen, kind, array, **changes)
    return script(case, told, chosen.api, mode=chosen.mode, version=version)


def code_of(text: str) -> list[str]:
    """The lines without comments."""
    return [line for line in text.splitlines() if not line.strip().startswith("#")]


def literals(text: str) -> dict[str, Any]:
    """What each name is given: the literal itself, or the first argument of the call around it."""
    given: dict[str, Any] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value.args[0] if isinstance(node.value, ast.Call) and node.value.args else node.value
            if isinstance(value, ast.List):
                written = compile(ast.Expression(value), "script", "eval")
                given[node.targets[0].id] = eval(written, {"nan": math.nan, "inf": math.inf})
    return given


def native(api: Api, array: Array) -> Array:
    """x, y or a cotangent as the API takes it."""
    return array if api.framework == "torch" else np.moveaxis(array, 1, -1)


def same(written: Any, array: Array, dtype: str) -> bool:
    """Whether a literal, read in a dtype, is the array bit for bit."""
    read = np.array(written, dtype=storage_dtype(dtype))
    return read.shape == array.shape and read.tobytes() == np.ascontiguousarray(array, read.dtype).tobytes()


def run(text: str) -> None:
    """Run a script here."""
    exec(compile(text, "finding.py", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("name", TARGETS)
def test_every_script_is_short_python_that_imports_its_framework_alone(name: str) -> None:
    """For every kind: at most 25 lines, the comment first; Keras's gradient is TensorFlow's tape, Flax runs on JAX."""
    allowed = {"os"} | MODULES[str(TARGETS[name].framework)]
    if name == "keras.layers.ConvTranspose+gradient":
        allowed |= {"tensorflow"}
    other = "normal" if name in GRADIENT else "special"
    for kind, (layer, input_size) in itertools.product(kinds(name), LAYERS.values()):
        values = other if layer.ndim == 1 else "integers"
        text = text_of(Case(layer, batch=2, input_size=input_size, values=values), name, kind)
        nodes = list(ast.walk(ast.parse(text)))
        assert {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names} <= allowed
        assert not [node for node in nodes if isinstance(node, ast.ImportFrom)]
        assert len(text.splitlines()) <= LONGEST
        assert text.startswith("# ")
        assert f"# Observed on {TARGETS[name].framework} 1.2." in text.splitlines()


@pytest.mark.parametrize("name", TARGETS)
def test_every_script_but_that_of_an_ended_process_asserts_something(name: str) -> None:
    """An exception is turned into an AssertionError; an ended process has a comment that says how it ended."""
    layer, input_size = LAYERS["plain"]
    for kind in kinds(name):
        text = text_of(Case(layer, input_size=input_size), name, kind)
        asserts = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Assert)]
        if kind in (Kind.CRASH, Kind.HANG):
            assert not asserts
            assert "# What was observed here: SIGABRT." in text.splitlines()
        elif kind in (Kind.REJECTION, Kind.MEMORY):
            assert code_of(text)[-1].strip().startswith("raise AssertionError(")
        else:
            assert isinstance(ast.parse(text).body[-1], ast.Assert)


@pytest.mark.parametrize("name", CONCRETE)
def test_the_inputs_are_the_cases_bit_for_bit(name: str) -> None:
    """In the API's layout; NaN, infinities, signed zeros and subnormals too."""
    layer, input_size = LAYERS["plain"]
    for dtype, values in itertools.product(DTYPES, VALUE_KINDS):
        case = Case(layer, batch=2, input_size=input_size, dtype=dtype, values=values, seed=5)
        given = literals(text_of(case, name, Kind.NONDETERMINISM))
        x, weight, bias = case.arrays()
        api, asked = TARGETS[name].api, ask(case, TARGETS[name])
        assert api is not None
        assert asked is not None
        assert asked.expression.spelling is not None
        assert same(given["x"], native(api, x), dtype)
        assert same(given["weight"], api.native_weight(weight, asked.expression.spelling), dtype)
        assert bias is not None
        assert same(given["bias"], bias, dtype)


@pytest.mark.parametrize("name", CONCRETE)
def test_the_expected_integers_are_the_references(name: str) -> None:
    """In the API's layout, and the shape is asserted before them."""
    for layer, input_size in LAYERS.values():
        case = Case(layer, batch=2, input_size=input_size)
        api, text = TARGETS[name].api, text_of(case, name, Kind.VALUE)
        assert api is not None
        expected = native(api, reference.conv_transpose(*case.arrays(), layer))
        assert same(literals(text)["expected"], expected, "float64")
        assert f"assert list(y.shape) == {list(expected.shape)}, f'shape {{list(y.shape)}}'" in text.splitlines()


@pytest.mark.parametrize("name", CONCRETE)
def test_expected_reals_stand_with_the_bound_of_each(name: str) -> None:
    """Exactly as the judge has them."""
    layer, input_size = LAYERS["extended"]
    case = Case(layer, batch=2, input_size=input_size, values="normal")
    api, given = TARGETS[name].api, literals(text_of(case, name, Kind.VALUE))
    bound = reference.error_bound(*case.arrays(), layer, "float32")
    assert api is not None
    assert bound is not None
    expected = native(api, reference.conv_transpose(*case.arrays(), layer))
    assert same(given["expected"], expected.ravel(), "float64")
    assert same(given["bounds"], native(api, bound).ravel(), "float64")


@pytest.mark.parametrize("name", GRADIENT)
@pytest.mark.parametrize(("array", "values"), [("dx", "integers"), ("dweight", "normal")])
def test_the_expected_gradient_is_the_references(name: str, array: str, values: str) -> None:
    """That of which the disagreement is, in the API's layout, for the cotangent of what the call itself returns."""
    layer, input_size = LAYERS["plain"]
    case = Case(layer, batch=2, input_size=input_size, values=values)
    api, given = TARGETS[name].api, literals(text_of(case, name, Kind.GRADIENT, array=array))
    asked = ask(case, TARGETS[name])
    assert api is not None
    assert asked is not None
    assert asked.expression.spelling is not None
    uncropped = tuple(Crop(-lo, -hi) for lo, hi in asked.expression.crop)
    dx, dweight, _ = reference.vjp(*case.arrays(), layer, case.cotangent())
    expected = native(api, dx) if array == "dx" else api.native_weight(dweight, asked.expression.spelling)
    assert same(given["expected"], expected.ravel() if values == "normal" else expected, "float64")
    assert ("bounds" in given) is (values == "normal")
    assert same(given["cotangent"], native(api, crop_output(case.cotangent(), uncropped)), "float32")


def test_the_cotangent_of_a_cut_output_has_zeros_where_it_was_cut() -> None:
    """The script takes the gradient of the call alone: what is cut has no cotangent, what is added passes none on."""
    layer = Layer(1, 1, 2, 2, (2,), (3,), bias=False)
    case = Case(layer, input_size=(3,))
    chosen = TARGETS["torch.nn.ConvTranspose+gradient"]
    asked = ask(case, chosen)
    assert asked is not None
    ((lo, hi),) = asked.expression.crop
    assert (lo, hi) == (2, -1)
    text = script(case, found(case, chosen, Kind.GRADIENT, "dx"), chosen.api, mode=chosen.mode, version=None)
    cotangent = case.cotangent()[0, 0].tolist()
    assert literals(text)["cotangent"] == [[[0, 0, *cotangent[:-1]]]]


CROPPED = {
    "torch.nn.ConvTranspose+eager": [
        "y = torch.nn.functional.pad(y, [0, 0, 1, 0])",
        "y = y[:, :, :, 2:-1]",
        "y = y + bias.reshape(-1, 1, 1)",
    ],
    "tf.nn.conv_transpose+eager": [
        "y = tf.pad(y, [(0, 0), (1, 0), (0, 0), (0, 0)])",
        "y = y[:, :, 2:-1]",
        "y = y + bias",
    ],
    "keras.layers.ConvTranspose+jax": [
        "y = keras.ops.pad(y, [(0, 0), (1, 0), (0, 0), (0, 0)])",
        "y = y[:, :, 2:-1]",
        "y = y + bias",
    ],
    "jax.lax.conv_transpose+jit": ["y = y + bias"],
}


@pytest.mark.parametrize("name", CROPPED)
def test_a_crop_after_the_call_is_written_in_the_frameworks_own_words(name: str) -> None:
    """First the extension, then the cut, then the bias that the call was not given, each on its line."""
    layer, input_size = LAYERS["extended and cut"]
    lines = text_of(Case(layer, input_size=input_size), name, Kind.VALUE).splitlines()
    start = lines.index(CROPPED[name][0])
    assert lines[start : start + len(CROPPED[name])] == CROPPED[name]
    assert "layer.bias" not in "".join(lines)


def test_a_bias_that_the_call_takes_is_given_to_it() -> None:
    """And nothing is added afterwards."""
    layer, input_size = LAYERS["plain"]
    text = text_of(Case(layer, input_size=input_size), "torch.nn.ConvTranspose+eager", Kind.VALUE)
    assert "layer.bias = torch.nn.Parameter(bias)" in text.splitlines()
    assert "y + bias" not in text


def test_a_mode_is_written_as_it_runs() -> None:
    """Each mode by what only it has."""
    layer, input_size = LAYERS["plain"]
    case = Case(layer, input_size=input_size)
    marks = {
        "tf.nn.conv_transpose+eager": "TF_ENABLE_ONEDNN_OPTS='1'",
        "tf.nn.conv_transpose+no_onednn": "TF_ENABLE_ONEDNN_OPTS='0'",
        "tf.nn.conv_transpose+xla": "jit_compile=True",
        "jax.lax.conv_transpose+jit": "jax.jit(function)(x, weight)",
        "flax.linen.ConvTranspose+jit": ".apply({'params': {'kernel': weight, 'bias': bias}}, x)",
        "flax.nnx.ConvTranspose+jit": "kernel_init=lambda *_: weight, bias_init=lambda *_: bias, rngs=",
        "keras.layers.ConvTranspose+jax": "KERAS_BACKEND='jax'",
        "keras.layers.ConvTranspose+torch": "KERAS_BACKEND='torch'",
    }
    for name, mark in marks.items():
        assert mark in text_of(case, name, Kind.REJECTION)
    marks = {
        "torch": "device='meta'",
        "jax": "jax.eval_shape",
        "tensorflow": "placeholder",
        "keras": "compute_output_spec",
        "flax": "jax.eval_shape",
    }
    for name in ABSTRACT:
        assert marks[str(TARGETS[name].framework)] in text_of(case, name, Kind.REJECTION)
        assert "weight = " not in text_of(case, name, Kind.REJECTION)


@pytest.mark.parametrize("name", ABSTRACT)
def test_shape_inference_is_held_against_the_first_mode_that_runs(name: str) -> None:
    """Both calls stand in the script, each of which may raise; numbers do not matter."""
    layer, input_size = LAYERS["extended and cut"]
    lines = code_of(text_of(Case(layer, input_size=input_size), name, Kind.SHAPE_INFERENCE))
    assert lines.count("try:") == 2
    assert not any(line.startswith("x = ") and "ones" not in line for line in lines)
    assert lines[-1].startswith("assert inferred == returned, ")


@pytest.mark.parametrize("name", [*ABSTRACT, *CONCRETE])
def test_the_expected_shape_is_that_of_the_asked_layer(name: str) -> None:
    """After the crop where numbers are cut, before it where only a shape is inferred."""
    layer, input_size = LAYERS["extended and cut"]
    case = Case(layer, batch=2, input_size=input_size)
    asked, api = ask(case, TARGETS[name]), TARGETS[name].api
    assert asked is not None
    assert api is not None
    size = list(layer.output_size(input_size))
    if asked.abstract:
        size = [m + lo + hi for m, (lo, hi) in zip(size, asked.expression.crop, strict=True)]
    shape = [2, 1, *size] if api.framework == "torch" else [2, *size, 1]
    assert code_of(text_of(case, name, Kind.SIZE))[-1].startswith(f"assert list(y.shape) == {shape}, ")


def test_an_empty_array_has_its_shape() -> None:
    """No literal says it."""
    layer, input_size = LAYERS["plain"]
    text = text_of(Case(layer, batch=0, input_size=input_size), "jax.lax.conv_transpose+jit", Kind.VALUE)
    assert "x = jax.numpy.zeros([0, 4, 2], dtype=jax.numpy.float32)" in text.splitlines()
    assert "expected = []" in text.splitlines()


def test_a_call_without_meaning_gets_ones() -> None:
    """In the shapes that its words ask for, and its acceptance is what fails."""
    words = {"in_channels": 2, "out_channels": 3, "kernel_size": (2,), "stride": (0,)}
    case = Case.spelled(Spelling("torch.nn.ConvTranspose", words), input_size=(4,), dtype="float16")
    rule = Rule("stride must be at least 1", "https://example.org")
    lines = text_of(case, "torch.nn.ConvTranspose+eager", Kind.ACCEPTANCE, rule=rule).splitlines()
    assert "x = torch.ones([1, 2, 4], dtype=torch.float16)" in lines
    assert "weight = torch.ones([2, 3, 2], dtype=torch.float16)" in lines
    assert lines[-1].startswith("assert y is None, ")
    assert rule.text in lines[-1]


def test_a_size_outside_the_forward_rule_may_be_mended_by_another_size_or_a_rejection() -> None:
    """The valid sizes of each axis stand in the script."""
    case = Case(Layer(1, 1, 2, (1, 2), 0, (1, 0), 2, bias=False), input_size=(2, 3))
    lines = text_of(case, "torch.nn.ConvTranspose+eager", Kind.ACCEPTANCE).splitlines()
    assert "valid = [[4], [7, 8]]" in lines
    assert lines[-1].startswith("assert y is None or all(")


SPECIAL = {
    "NaN must be": (math.nan, "seen != seen", True),
    "a number": (3.0, "seen == 3 or abs(seen - 3) <= ", False),
    "a number or NaN": (3.0, " or seen != seen, ", True),
    "infinity": (-math.inf, "assert seen == -inf, ", False),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_of_special_values_the_first_differing_element_is_asserted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN where it must be; NaN besides the number where zero-insertion makes one; no tolerance for infinity."""
    expected, written, inserted_nan = SPECIAL[name]
    monkeypatch.setattr(reference, "zero_insertion", lambda *_: np.full((1, 3, 8), math.nan if inserted_nan else 0.0))
    first = FirstDifference((0, 2, 5), expected, 7.0, "", "")
    case = Case(Layer(1, 3, 3, 2, 1, 1, ndim=1), input_size=(4,), values="special")
    lines = text_of(case, "tf.nn.conv_transpose+eager", Kind.VALUE, first_difference=first).splitlines()
    assert "seen = y.numpy().tolist()[0][5][2]" in lines
    assert written in lines[-1]


def test_names_of_nan_and_infinity_are_defined_where_they_are_used() -> None:
    """And nowhere else, whatever a message says."""
    layer, input_size = LAYERS["plain"]
    name = "torch.nn.ConvTranspose+eager"
    definition = "nan, inf = float('nan'), float('inf')"
    special = Case(layer, input_size=input_size, values="special", batch=4)
    assert definition in text_of(special, name, Kind.SIZE).splitlines()
    plain = special.replace(values="integers")
    assert definition not in text_of(plain, name, Kind.ACCEPTANCE, rule=Rule("nan and inf")).splitlines()


def test_a_long_sentence_leaves_out_the_call_that_the_script_shows() -> None:
    """And is clipped to three lines; the version stands on a line of its own."""
    layer, input_size = LAYERS["plain"]
    name = "torch.nn.ConvTranspose+eager"
    seen = Observation(name, Outcome.REJECTED, error="ValueError: " + "very " * 100 + "wrong")
    text = text_of(Case(layer, input_size=input_size), name, Kind.REJECTION, observation=seen)
    comment = [line for line in text.splitlines() if line.startswith("#")]
    assert len(comment) == 4
    assert comment[0].startswith("# This call on a float32 input of size (4,) in eager mode raises ValueError: very")
    assert max(map(len, comment)) <= 120


def test_a_short_sentence_stands_whole() -> None:
    """With the call in it."""
    case = Case(Layer(1, 1, 2, bias=False, ndim=1), input_size=(4,))
    (chosen,) = select(["targets:Correct+default"]).popitem()[1]
    asked = found(case, chosen, Kind.NONDETERMINISM).asked
    told = found(case, chosen, Kind.NONDETERMINISM, asked=replace(asked, call="f(x)"))
    text = script(case, told, None, mode=chosen.mode, version=None)
    assert text.splitlines()[0].startswith("# f(x) on a float32 input of size (4,) gave other numbers the second time.")
    assert "# Observed on targets:Correct (version unknown)." in text.splitlines()


def test_nothing_that_a_framework_said_ends_the_comment() -> None:
    """Line ends, control characters and lone surrogates become blanks."""
    layer, input_size = LAYERS["plain"]
    name = "torch.nn.ConvTranspose+eager"
    said = "ValueError: a\nraise SystemExit\x0cb\u2028c\rd\x1b[31m\udcff"
    for kind in (Kind.REJECTION, Kind.CRASH):
        seen = Observation(name, Outcome.REJECTED, error=said, exit=said, log_tail=f"Check failed: {said}")
        text = text_of(Case(layer, input_size=input_size), name, kind, observation=seen)
        assert not any(line.startswith(("raise", "b", "c", "d")) for line in text.splitlines() if "bias = " not in line)
        assert text.encode().decode() == text


def test_where_numbers_differ_must_be_said() -> None:
    """Of special values and of gradients the script asserts no more than what is known to differ."""
    layer, input_size = LAYERS["plain"]
    case = Case(layer, input_size=input_size, values="special")
    with pytest.raises(ValueError, match=r"torch\.nn\.ConvTranspose\+eager"):
        text_of(case, "torch.nn.ConvTranspose+eager", Kind.VALUE, first_difference=None)
    with pytest.raises(ValueError, match=r"jax\.lax\.conv_transpose\+gradient"):
        text_of(
            Case(layer, input_size=input_size), "jax.lax.conv_transpose+gradient", Kind.GRADIENT, first_difference=None
        )


@given(
    sampled_from(["float16", "float32", "float64"]).flatmap(
        lambda dtype: arrays(dtype, array_shapes(max_dims=3, max_side=3))
    )
)
def test_a_literal_reads_back_bit_for_bit(array: Array) -> None:
    """In the array's own dtype; the payload of a NaN is nobody's."""
    array = np.where(np.isnan(array), np.array(np.nan, array.dtype), array)
    names: Mapping[str, object] = {"nan": math.nan, "inf": math.inf}
    read = np.array(eval(literal(array), dict(names)), dtype=array.dtype)
    assert read.tobytes() == array.tobytes()
    assert read.shape == array.shape


THIRD = Layer(2, 2, (3, 2), (2, 1), (1, 0), (1, 0))


def third(name: str, kind: Kind, *, mode: str = "default", case: Case | None = None, **changes: Any) -> str:
    """The script of a class of ``tests/faults/targets.py``."""
    case = case or Case(THIRD, batch=2, input_size=(3, 4))
    (chosen,) = select([f"targets:{name}+{mode}"]).popitem()[1]
    return script(case, found(case, chosen, kind, **changes), None, mode=chosen.mode, version=None)


FAULTY = {
    "TooLong": Kind.SIZE,
    "FlippedKernel": Kind.VALUE,
    "ShiftedCrop": Kind.VALUE,
    "OtherDtype": Kind.DTYPE,
    "Raises": Kind.REJECTION,
    "Garbage": Kind.REJECTION,
    "Ragged": Kind.REJECTION,
    "WritesInput": Kind.VALUE,
    "Unstable": Kind.NONDETERMINISM,
    "Correct": Kind.ACCEPTANCE,
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_third_partys_script_fails_until_the_class_is_mended(name: str) -> None:
    """By assertion; with the right class in its place it passes."""
    text = third(name, FAULTY[name])
    assert "from harness import Layer" in text.splitlines()
    assert len(text.splitlines()) <= LONGEST
    with pytest.raises(AssertionError):
        run(text)
    mended = "Raises" if name == "Correct" else "Correct"
    run(text.replace(f"import {name}", f"import {mended}").replace(f"{name}()", f"{mended}()"))


@pytest.mark.parametrize("name", ["Correct", "FlippedKernel"])
def test_reals_pass_within_the_bound_and_fail_outside(name: str) -> None:
    """Of a class that sums in float64 and rounds once."""
    case = Case(THIRD, batch=2, input_size=(3, 4), values="normal")
    text = third(name, Kind.VALUE, case=case)
    if name == "Correct":
        run(text)
    else:
        with pytest.raises(AssertionError, match="out of bounds"):
            run(text)


def test_an_elements_own_infinite_bound_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may overflow is not judged."""
    case = Case(THIRD, batch=2, input_size=(3, 4), values="normal")
    bound = np.full((2, 2, *THIRD.output_size((3, 4))), math.inf)
    monkeypatch.setattr(reference, "error_bound", lambda *_: bound)
    run(third("FlippedKernel", Kind.VALUE, case=case))


class Worded(Api):
    """A third party's class with a vocabulary, a declared mode and answers in bfloat16."""

    name = "worded"
    modes = (Mode("default"), Mode("fast"), Mode("abstract", abstract=True), Mode("gradient", gradient=True))
    parameters = ConvTranspose.parameters
    wrong = 0.0

    def resolve(self, spelling: Spelling, input_size: Size) -> Resolved | Illegal | Unspecified:
        """As torch."""
        return ConvTranspose().resolve(spelling, input_size)

    def candidates(self, layer: Layer, input_size: Size) -> Iterator[Spelling]:
        """As torch."""
        return ConvTranspose().candidates(layer, input_size)

    def widest(self, layer: Layer, input_size: Size) -> Spelling:
        """As torch."""
        return ConvTranspose().widest(layer, input_size)

    def native_weight(self, weight: Array, spelling: Spelling) -> Array:
        """A layout of its own."""
        return np.moveaxis(weight, 0, 1)

    def apply(self, x: Array, weight: Array, bias: Array | None, spelling: Spelling) -> Answer:
        """The reference's answer, or one that is as wrong as it is told to be."""
        assert (self.mode, self.dtype) == ("fast", "bfloat16")
        right = reference.conv_transpose(x, np.moveaxis(weight, 1, 0), bias, self._layer(spelling, x.shape[2:]))
        return Answer(right + self.wrong, "bfloat16")

    def abstract(self, batch: int, input_size: Size, asked: Any) -> tuple[int, ...]:
        """The reference's shape."""
        layer = self._layer(asked, input_size)
        return (batch, layer.out_channels, *layer.output_size(input_size))

    def vjp(self, x: Array, weight: Array, bias: Array | None, asked: Any, cotangent: Array) -> Gradients:
        """The reference's products."""
        layer = self._layer(asked, x.shape[2:])
        dx, dweight, dbias = reference.vjp(x, np.moveaxis(weight, 1, 0), bias, layer, cotangent)
        return dx + self.wrong, np.moveaxis(dweight, 0, 1), dbias

    def _layer(self, spelling: Spelling, input_size: Size) -> Layer:
        resolved = self.resolve(spelling, input_size)
        assert isinstance(resolved, Resolved)
        return resolved.layer


@pytest.mark.parametrize(
    ("kind", "mode"),
    [(Kind.VALUE, "fast"), (Kind.DTYPE, "fast"), (Kind.SIZE, "abstract"), (Kind.GRADIENT, "gradient")],
)
def test_an_api_that_writes_no_script_is_asked_in_its_own_words(
    kind: Kind, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its layout, its mode and dtype, with a crop after the call; it fails where the class is wrong."""
    monkeypatch.setattr("targets.Worded", Worded, raising=False)
    monkeypatch.setattr(Worded, "__module__", "targets")
    monkeypatch.setattr(Worded, "load", lambda self: None)
    case = Case(Layer(2, 1, 3, 2, 3, 1, ndim=1), input_size=(4,), dtype="bfloat16")
    chosen = replace(
        TARGETS["torch.nn.ConvTranspose+eager"], api=Worded(), mode={m.name: m for m in Worded.modes}[mode]
    )
    text = script(case, found(case, chosen, kind, "dx"), chosen.api, mode=chosen.mode, version=None)
    assert "from harness import Spelling" in text.splitlines()
    run(text)
    if kind in (Kind.VALUE, Kind.GRADIENT):
        monkeypatch.setattr(Worded, "wrong", 1.0)
        with pytest.raises(AssertionError):
            run(text)


def test_the_longest_script_still_says_where_it_was_observed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third party's shape inference in a mode and a dtype that must be set."""
    monkeypatch.setattr(Worded, "__module__", "targets")
    case = Case(Layer(2, 1, 3, 2, 3, 1, ndim=1), input_size=(4,), dtype="bfloat16", values="special")
    mode = next(mode for mode in Worded.modes if mode.abstract)
    chosen = replace(TARGETS["torch.nn.ConvTranspose+abstract"], api=Worded(), mode=mode)
    text = script(case, found(case, chosen, Kind.SHAPE_INFERENCE), chosen.api, mode=mode, version="3")
    assert len(text.splitlines()) <= LONGEST
    assert text.startswith("# Observed on worded 3.")
