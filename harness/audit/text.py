"""The text that a porter takes home: a function for the weight, one for the layer, and a check against the definition.

A snippet imports NumPy and its framework and nothing else, and asserts. What is shown of it has been executed
(``running``). The definition stands in it as its own dozen lines, so that nobody's operator judges itself.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.audit.recipe import Recipe
from harness.audit.wanted import Wanted
from harness.frameworks.base import Api, Mode
from harness.layer import Case, Layer
from harness.layout import CANONICAL, Layout, conversion
from harness.records import Size
from harness.values import largest_magnitude
from harness.writing import Lines

#: images in a check
BATCH = 2

#: largest integer of a check
_LARGEST = 3

DEFINITION = '''\
def definition(x, weight, bias, stride, dilation, groups, crop):
    """Every input element adds its kernel at stride times its place; the crop is cut off, or filled up with zeros."""
    size, kernel = x.shape[2:], weight.shape[2:]
    full = [(n - 1) * s + d * (k - 1) + 1 for n, k, s, d in zip(size, kernel, stride, dilation)]
    y = np.zeros((len(x), groups, weight.shape[1], *full))
    x = x.reshape(len(x), groups, -1, *size)
    weight = weight.reshape(groups, -1, *weight.shape[1:])
    for tap in np.ndindex(*kernel):
        at = [slice(t * d, t * d + (n - 1) * s + 1, s) for t, n, s, d in zip(tap, size, stride, dilation)]
        y[(..., *at)] += np.einsum("bgi...,gio->bgo...", x, weight[(..., *tap)])
    y = y.reshape(len(x), -1, *full)
    y = np.pad(y, [(0, 0), (0, 0)] + [(max(-lo, 0), max(-hi, 0)) for lo, hi in crop])
    y = y[(..., *[slice(max(lo, 0), m - max(hi, 0)) for m, (lo, hi) in zip(y.shape[2:], crop)])]
    return y + bias.reshape(-1, *[1] * len(size))
'''


@dataclass(frozen=True, slots=True)
class Port:
    """A layer in the words of another API, as text: what is called, and how its weight is made of the source's."""

    name: str
    said: tuple[str, ...]
    layer: Layer
    trials: Mapping[Size, Layer]
    start: Layout
    convert: str
    lines: Lines
    after: tuple[str, ...]

    @property
    def imports(self) -> list[str]:
        """What stands at the top of a file; on which device it runs is left to who runs it."""
        settings = ("import os", "os.environ")
        return [*(line for line in self.lines.imports if not line.startswith(settings)), "import numpy as np"]

    @property
    def arguments(self) -> list[str]:
        """The names that the function takes."""
        return ["x", "weight", "bias"] if self.layer.bias else ["x", "weight"]

    def functions(self) -> list[str]:
        """The function of the weight and that of the layer, with what is said of them."""
        said = "\n    ".join(map(_harmless, self.said))
        return [
            f"def convert_weight_{self.name}(weight):",
            f"    return {self.convert}.copy()",
            "",
            "",
            f"def {self.name}({', '.join(self.arguments)}):",
            f'    """{said}"""',
            *(f"    {line}" for line in (*self.lines.call, *self.after, "return y")),
        ]

    def call(self) -> list[str]:
        """Lines that call the function on NumPy's x, weight and bias, in the source's layout, and make y canonical."""
        lines = self.lines
        texts = {
            "x": "np.moveaxis(x, 1, -1)" if lines.channels_last else "x",
            "weight": f"convert_weight_{self.name}(weight)",
            "bias": "bias",
        }
        given = ", ".join(lines.array.format(texts[name]) for name in self.arguments)
        seen = f"np.array({lines.host.format('y')}.tolist())"
        return [
            f"y = {self.name}({given})",
            f"y = {f'np.moveaxis({seen}, -1, 1)' if lines.channels_last else seen}",
        ]

    def given(self) -> list[str]:
        """Lines that make NumPy's weight and bias of small integers, the weight in the source's layout."""
        layer = self.layer
        kernel = self.start.shape(layer.in_channels, layer.out_channels, layer.kernel_size, groups=layer.groups)
        return [
            "rng = np.random.default_rng(0)",
            f"weight = {self._drawn(str(kernel))}",
            *([f"bias = {self._drawn(str(layer.out_channels))}"] if layer.bias else []),
        ]

    def x(self, size: str) -> str:
        """The line that makes x of a size, the name of a tuple or its text."""
        return f"x = {self._drawn(f'({BATCH}, {self.layer.in_channels}, *{size})')}"

    def expected(self, name: str, crop: str, layer: Layer | None = None, weight: str | None = None) -> str:
        """The line that names the definition's output: of this layer and weight, or of another with a canonical one."""
        layer = layer or self.layer
        weight = weight or conversion("weight", self.start, CANONICAL, layer)
        words = ", ".join(map(repr, (layer.stride, layer.dilation, layer.groups)))
        bias = "bias" if layer.bias else f"np.zeros({layer.out_channels})"
        return f"{name} = definition(x, {weight}, {bias}, {words}, {crop})"

    def check(self) -> list[str]:
        """Lines that run the function on integers at every trial and assert that it gives the definition's numbers."""
        crops = {size: [tuple(crop) for crop in wanted.crops] for size, wanted in self.trials.items()}
        return [
            *self.given(),
            f"for size, crop in {list(crops.items())}:",
            f"    {self.x('size')}",
            *(f"    {line}" for line in self.call()),
            f"    {self.expected('expected', 'crop')}",
            "    assert y.shape == expected.shape, f'shape {y.shape}, not {expected.shape}'",
            "    assert (y == expected).all(), f'{(y != expected).sum()} of {y.size} elements differ'",
        ]

    def _drawn(self, shape: str) -> str:
        """The expression of integers, none of them 0, that are small enough for every sum to be exact."""
        most = min(largest_magnitude(one.products_per_output(size), "float32") for size, one in self.trials.items())
        integers = [n for n in range(-_LARGEST, _LARGEST + 1) if 0 < abs(n) <= most]
        return f"rng.choice({integers}, {shape}).astype(np.float32)"

    def snippet(self) -> str:
        """A program that stands alone: the functions, the definition, the check."""
        parts = [self.imports, self.functions(), DEFINITION.splitlines(), self.check()]
        return "\n\n\n".join("\n".join(part) for part in parts) + "\n"


def port(name: str, wanted: Wanted, recipe: Recipe) -> Port:
    """A recipe as text, under the name that its functions shall have."""
    target, layer, case = recipe.api, recipe.layer, Case(recipe.layer, input_size=recipe.input_size)
    lines = _traced(target.script(case, recipe.spelling, first_mode(target), bias=recipe.gives_bias))
    late = [lines.biased(layer.ndim)] if layer.bias and not recipe.gives_bias else []
    return Port(
        name=name,
        said=(
            f"{wanted.call} as {target.snippet(recipe.spelling, recipe.input_size)}.",
            f"x and y have their channels {'last' if lines.channels_last else 'right after the batch'}.",
            f"Holds for {recipe.holds}.",
        ),
        layer=layer,
        trials=recipe.trials,
        start=wanted.layout,
        convert=conversion("weight", wanted.layout, target.layout(recipe.spelling), layer),
        lines=_for_any_size(lines, recipe),
        after=(*lines.cropped(recipe.expression.crop), *late),
    )


def first_mode(api: Api) -> Mode:
    """The mode in which an API is usually run."""
    return next(mode for mode in api.all_modes() if not (mode.abstract or mode.gradient or mode.share))


def call_text(recipe: Recipe, lines: Lines) -> str:
    """The exact call: of a function with its arrays, of a layer its construction and its call."""
    signature = recipe.api.signature
    if signature is None or not signature.arrays:
        return recipe.api.snippet(recipe.spelling, recipe.input_size)
    return lines.call[-1].removeprefix("y = ")


def _traced(lines: Lines) -> Lines:
    """The call without what compiles it and waits for it, which is for who calls it to do."""
    if not lines.call[0].startswith("def function("):
        return lines
    return replace(lines, call=(f"y = {lines.call[1].strip().removeprefix('return ')}",))


def _for_any_size(lines: Lines, recipe: Recipe) -> Lines:
    """The call with an output's shape as an expression of x, where the API must be told one."""
    if not lines.sized:
        return lines
    said = ast.literal_eval(lines.sized)
    first = 1 if lines.channels_last else 2
    axes = zip(recipe.call_size, recipe.input_size, recipe.layer.stride, strict=True)
    sizes = [_size_text(f"x.shape[{first + axis}]", *sized) for axis, sized in enumerate(axes)]
    if len(said) == len(sizes) + 2:
        sizes = ["x.shape[0]", *sizes, str(said[-1])]
    call = tuple(line.replace(lines.sized, f"[{', '.join(sizes)}]") for line in lines.call)
    return replace(lines, call=call)


def _size_text(n: str, m: int, size: int, stride: int) -> str:
    more = m - stride * size
    text = n if stride == 1 else f"{stride} * {n}"
    return text if more == 0 else f"{text} {'+' if more > 0 else '-'} {abs(more)}"


def _harmless(text: str) -> str:
    """What a model says of itself can neither end a docstring nor escape in it."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return printable.replace("\\", "/").replace('"""', "'''")
