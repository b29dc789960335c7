"""How a wanted layer is asked of another API: its words, a crop or extension, and the sizes for which they hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.audit.trials import trials
from harness.audit.wanted import RANGE, Wanted
from harness.frameworks.base import Api, Role
from harness.layer import Case, Layer, Spelling
from harness.records import Expression, Size, Skipped


@dataclass(frozen=True, slots=True)
class Recipe:
    """The call of an API and the crop after it, at one input size.

    ``sizes`` are the input sizes for which the same arguments and the same crop hold; an argument that names the
    output's size goes with the input's, at the same distance from stride times it. ``trials`` are those at which it is
    to be run, each with the layer that is wanted there.
    """

    api: Api
    expression: Expression
    input_size: Size
    layer: Layer
    sizes: tuple[Size, ...]
    trials: Mapping[Size, Layer]
    holds: str

    @property
    def spelling(self) -> Spelling:
        """The call's arguments."""
        assert self.expression.spelling is not None, "a target has words"  # noqa: S101 # kept by recipes
        return self.expression.spelling

    @property
    def call_size(self) -> Size:
        """The size of the call's output, before it is cut or extended."""
        return _call_size(self.expression, self.layer, self.input_size)

    @property
    def is_cropped(self) -> bool:
        """Whether the output is cut or extended after the call."""
        return any(map(any, self.expression.crop))

    @property
    def gives_bias(self) -> bool:
        """Whether the call itself is given the bias, which an extension after it must bear, too."""
        extends = any(end < 0 for crop in self.expression.crop for end in crop)
        return self.layer.bias and self.api.bears_bias(self.spelling) and not extends


def recipes(wanted: Wanted, api: Api) -> tuple[Recipe, ...] | Skipped:
    """The recipes of a wanted layer, the one for the shown size first; or why there is none.

    Every recipe is what ``resolve`` says of its words, so that it gives the layer's crop by the documentation; that it
    does so when it is run is another's to see.
    """
    found: dict[object, list[tuple[Size, Expression]]] = {}
    for size, layer in wanted.meanings.items():
        expression = _express(api, layer, size)
        if isinstance(expression, Skipped):
            if size == wanted.input_size:
                return expression
            continue
        found.setdefault(_key(api, expression, layer, size), []).append((size, expression))
    ordered = sorted(found.values(), key=lambda same: wanted.input_size not in dict(same))
    return tuple(_recipe(wanted, api, same) for same in ordered)


def alternatives(wanted: Wanted, api: Api) -> Iterator[Recipe]:
    """Other recipes for the shown size, for where the first one fails when it is run: other words, then a crop."""
    distinct = list(dict.fromkeys(_ways(api, wanted.layer, wanted.input_size)))
    return (_recipe(wanted, api, _where(wanted, api, expression)) for expression in distinct[1:])


def _express(api: Api, layer: Layer, size: Size) -> Expression | Skipped:
    limit = api.limit(Case(layer, input_size=size))
    return Skipped(limit, api.documentation) if limit is not None else api.express(layer, size)


def _ways(api: Api, layer: Layer, size: Size) -> Iterator[Expression]:
    """Every expression of a layer, the one with a crop last."""
    for expression, _ in api.exactly(layer, size):
        yield expression
    cropped = api.cropped(layer, size)
    if not isinstance(cropped, Skipped):
        yield cropped[0]


def _where(wanted: Wanted, api: Api, expression: Expression) -> list[tuple[Size, Expression]]:
    """The sizes at which an expression with such arguments is one for the layer."""
    key = _key(api, expression, wanted.layer, wanted.input_size)
    return [
        (size, way) for size, layer in wanted.meanings.items() if (way := _alike(api, key, layer, size)) is not None
    ]


def _alike(api: Api, key: object, layer: Layer, size: Size) -> Expression | None:
    return next((way for way in _ways(api, layer, size) if _key(api, way, layer, size) == key), None)


def _recipe(wanted: Wanted, api: Api, same: list[tuple[Size, Expression]]) -> Recipe:
    sizes = tuple(size for size, _ in same)
    shown = wanted.input_size if wanted.input_size in sizes else sizes[0]
    expression, layer = dict(same)[shown], wanted.meanings[shown]
    key = _key(api, expression, layer, shown)
    smaller = {size: one for size, one in wanted.smaller.items() if _alike(api, key, one, size) is not None}
    tried = trials(shown, {size: wanted.meanings[size] for size in sizes}, smaller)
    return Recipe(api, expression, shown, layer, sizes, tried, _holds(wanted, sizes))


def _key(api: Api, expression: Expression, layer: Layer, size: Size) -> object:
    """What must be the same at two sizes: the arguments and the crop; of a named output size, what is added."""
    assert expression.spelling is not None, "a target has words"  # noqa: S101 # kept by the caller
    named = {parameter.name for parameter in api.parameters if parameter.role is Role.OUTPUT_SIZE}
    arguments = tuple(one for one in expression.spelling.arguments if one[0] not in named)
    if len(arguments) == len(expression.spelling.arguments):
        return arguments, expression.crop
    axes = zip(_call_size(expression, layer, size), size, layer.stride, strict=True)
    return arguments, expression.crop, tuple(m - s * n for m, n, s in axes)


def _call_size(expression: Expression, layer: Layer, size: Size) -> Size:
    return tuple(m + lo + hi for m, (lo, hi) in zip(layer.output_size(size), expression.crop, strict=True))


def _holds(wanted: Wanted, sizes: tuple[Size, ...]) -> str:
    """For which input sizes, in words: from one on, those with some residues of the stride, or one by one."""
    if len(sizes) == 1 and (wanted.fixed or len(wanted.meanings) == 1):
        return f"the input size {sizes[0]}"
    if wanted.fixed or any(len(set(size)) > 1 for size in wanted.meanings):
        return "the input sizes " + ", ".join(map(str, sizes))
    numbers, looked_at = [size[0] for size in sizes], [size[0] for size in wanted.meanings]
    if numbers == list(range(numbers[0], RANGE + 1)):
        return f"every input size from {numbers[0]} on (looked at up to {RANGE})"
    stride = max(wanted.layer.stride)
    residues = sorted({n % stride for n in numbers})
    if len(numbers) > len(residues) < stride and numbers == [n for n in looked_at if n % stride in residues]:
        return f"input sizes n with n % {stride} in {residues} (looked at up to {RANGE})"
    return "the input sizes " + ", ".join(map(str, numbers))
