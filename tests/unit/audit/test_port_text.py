"""What a porter takes home as text: it runs by itself, and fails by assertion where it must. Run on NumPy alone."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

import numpy as np
import pytest

from harness import Layer, reference
from harness.audit.audit import source_of
from harness.audit.found import FoundLayer
from harness.audit.module import module
from harness.audit.recipe import Recipe, recipes
from harness.audit.text import DEFINITION, Port, call_text, port
from harness.audit.wanted import Wanted, want
from harness.audit.written import parse_layer
from harness.frameworks.base import Api
from harness.frameworks.registry import apis
from harness.records import Skipped
from harness.writing import Lines
from strategies.published import published

ALL: dict[str, Api] = {kind.name: kind() for kind in apis() if kind.signature is not None}

#: NumPy in a framework's place: the definition itself
NUMPY = Lines((), "{}", "", ("y = definition(x, weight, {bias}, {words}, crop)",), channels_last=False)


def ported(text: str, target: str, name: str = "up") -> tuple[Port, Recipe]:
    """The first recipe of a PyTorch layer, as text."""
    found = FoundLayer(name, *parse_layer(text, "torch"))
    wanted = want(found, source_of(found))
    assert isinstance(wanted, Wanted)
    answer = recipes(wanted, ALL[target])
    assert not isinstance(answer, Skipped)
    return port(name, wanted, answer[0]), answer[0]


@pytest.mark.parametrize("entry", published()[::7], ids=lambda entry: f"{entry.number}")
def test_the_definition_is_the_references(entry: object) -> None:
    """On published layers; written a third time, so that no snippet needs ours."""
    layer, size = getattr(entry, "layer", Layer(kernel_size=1, ndim=1)), getattr(entry, "input_size", (1,))
    rng = np.random.default_rng(1)
    x = rng.integers(-3, 4, (2, layer.in_channels, *size)).astype(np.float32)
    weight = rng.integers(-3, 4, layer.weight_shape).astype(np.float32)
    bias = rng.integers(-3, 4, layer.out_channels).astype(np.float32)
    names: dict[str, object] = {"np": np}
    exec(DEFINITION, names)
    y = names["definition"](x, weight, bias, layer.stride, layer.dilation, layer.groups, layer.crops)  # type: ignore[operator]
    np.testing.assert_array_equal(y, reference.conv_transpose(x, weight, bias, layer.replace(bias=True)))


def run_on_numpy(text: str, call: str) -> None:
    """The snippet of a PyTorch layer with a NumPy expression in the framework's place."""
    one, _ = ported(text, "torch.nn.ConvTranspose")
    exec(replace(one, lines=replace(NUMPY, call=(f"y = {call}",), host="{}"), after=()).snippet(), {"__name__": "no"})


RIGHT = "definition(x, weight, bias, (2,), (1,), 1, [(1, 1)])"


def test_a_right_call_passes() -> None:
    """At every size that is tried."""
    run_on_numpy("ConvTranspose1d(2, 3, 4, stride=2, padding=1)", RIGHT)


WRONG = {
    "shifted": RIGHT.replace("(1, 1)", "(0, 2)"),
    "too short": RIGHT.replace("(1, 1)", "(1, 2)"),
    "flipped": RIGHT.replace("weight", "weight[..., ::-1]"),
    "without bias": RIGHT.replace("bias", "0 * bias"),
    "right at the shown size alone": f"{RIGHT} if x.shape[2] == 3 else 0 * {RIGHT}",
    "zeros": f"0 * {RIGHT}",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_call_fails_by_assertion(name: str) -> None:
    """Also where it is right at one size."""
    with pytest.raises(AssertionError):
        run_on_numpy("ConvTranspose1d(2, 3, 4, stride=2, padding=1)", WRONG[name])


def test_no_drawn_integer_is_zero() -> None:
    """A product with it would prove nothing; many products are drawn smaller."""
    for text, integers in {
        "ConvTranspose1d(1, 1, 1)": "[-3, -2, -1, 1, 2, 3]",
        "ConvTranspose1d(4000000, 1, 1)": "[-2, -1, 1, 2]",
    }.items():
        assert f"rng.choice({integers}, " in ported(text, "torch.nn.ConvTranspose")[0].snippet()


@pytest.mark.parametrize("target", ALL)
def test_the_function_is_one_that_can_be_compiled_and_placed(target: str) -> None:
    """It neither compiles nor waits, and sets no device for who imports it; what it takes is said."""
    one, recipe = ported("ConvTranspose1d(2, 3, 4, stride=2, padding=1, bias=False)", target)
    text = one.snippet()
    assert not re.search(r"environ|block_until_ready|jax\.jit", text)
    assert "x and y have their channels" in text
    assert set(re.findall(r"^import (\w+)", text, re.MULTILINE)) <= {
        "torch",
        "jax",
        "tensorflow",
        "keras",
        "flax",
        "numpy",
    }
    ast.parse(call_text(recipe, one.lines))


HOSTILE = 'a"""\nimport os\n\\N{DASH}\u202e\x1b[31m{x}'


def test_a_hostile_name_ends_no_docstring() -> None:
    """Neither of the function nor of the module; nothing of it is executed."""
    one, _ = ported("ConvTranspose1d(1, 1, 1)", "torch.nn.ConvTranspose")
    text = module(HOSTILE, [replace(one, said=(HOSTILE,))], [HOSTILE])
    tree = ast.parse(text)
    assert "os" not in {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_module_has_a_function_a_conversion_and_a_test_of_each() -> None:
    """And runs its tests when it is run."""
    ports = [ported("ConvTranspose1d(1, 1, 2)", "torch.nn.ConvTranspose", name)[0] for name in ("up", "down")]
    tree = ast.parse(module("m.onnx", ports))
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert functions == [
        *("convert_weight_up", "up", "convert_weight_down", "down", "definition", "test_up", "test_down")
    ]
    assert isinstance(tree.body[-1], ast.If)
    assert ast.get_docstring(tree) is not None
    assert [type(node) for node in ast.parse(module("m.onnx", [])).body] == [ast.Expr, ast.Import, ast.FunctionDef]
