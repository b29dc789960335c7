"""How a wanted layer is asked of another API: its words, a crop or extension, and the sizes for which they hold."""

from __future__ import annotations

from dataclasses import dataclass

from harness.audit.wanted import RANGE, Wanted
from harness.frameworks.base import Api, Role
from harness.layer import Case, Layer, Spelling
from harness.records import Expression, Size, Skipped


@dataclass(frozen=True, slots=True)
class Recipe:
    """The call of an API and the crop after it, at one input size.

    ``sizes`` are the input sizes for which the same arguments and the same crop hold; an argument that names the
    output's size, which goes with the input's, is not counted among them.
    """

    api: Api
    expression: Expression
    input_size: Size
    layer: Layer
    sizes: tuple[Size, ...]
    holds: str

    @property
    def spelling(self) -> Spelling:
        """The call's arguments."""
        assert self.expression.spelling is not None, "a target has words"  # noqa: S101 # kept by recipes
        return self.expression.spelling

    @property
    def call_size(self) -> Size:
        """The size of the call's output, before it is cut or extended."""
        size = self.layer.output_size(self.input_size)
        return tuple(m + lo + hi for m, (lo, hi) in zip(size, self.expression.crop, strict=True))

    @property
    def is_cropped(self) -> bool:
        """Whether the output is cut or extended after the call."""
        return any(map(any, self.expression.crop))

    @property
    def gives_bias(self) -> bool:
        """Whether the call itself is given the bias, which an extension after it must bear, too."""
        extends = any(end < 0 for crop in self.expression.crop for end in crop)
        return self.layer.bias and self.api.bears_bias(self.spelling) and not extends


def alternatives(wanted: Wanted, api: Api) -> tuple[Recipe, ...]:
    """Other recipes for the shown size, for where the first one fails when it is run: other words, then a crop."""
    layer, size = wanted.layer, wanted.input_size
    cropped = api.cropped(layer, size)
    others = [*api.exactly(layer, size), *([] if isinstance(cropped, Skipped) else [cropped])]
    distinct = list(dict.fromkeys(expression for expression, _ in others))
    return tuple(_recipe(wanted, api, _where(wanted, api, expression)) for expression in distinct[1:])


def _where(wanted: Wanted, api: Api, expression: Expression) -> list[tuple[Size, Expression]]:
    """The sizes at which an expression with such arguments is one for the layer."""
    found = []
    for size, layer in wanted.meanings.items():
        cropped = api.cropped(layer, size)
        ways = [*api.exactly(layer, size), *([] if isinstance(cropped, Skipped) else [cropped])]
        found += [(size, way) for way, _ in ways if _key(api, way) == _key(api, expression)][:1]
    return found


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
        found.setdefault(_key(api, expression), []).append((size, expression))
    ordered = sorted(found.values(), key=lambda same: wanted.input_size not in dict(same))
    return tuple(_recipe(wanted, api, same) for same in ordered)


def _recipe(wanted: Wanted, api: Api, same: list[tuple[Size, Expression]]) -> Recipe:
    sizes = tuple(size for size, _ in same)
    shown = wanted.input_size if wanted.input_size in sizes else sizes[0]
    return Recipe(api, dict(same)[shown], shown, wanted.meanings[shown], sizes, _holds(wanted, sizes))


def _express(api: Api, layer: Layer, size: Size) -> Expression | Skipped:
    limit = api.limit(Case(layer, input_size=size))
    return Skipped(limit, api.documentation) if limit is not None else api.express(layer, size)


def _key(api: Api, expression: Expression) -> object:
    """The arguments but for the output's size, and the crop."""
    assert expression.spelling is not None, "a target has words"  # noqa: S101 # kept by the caller
    sized = {parameter.name for parameter in api.parameters if parameter.role is Role.OUTPUT_SIZE}
    return tuple(one for one in expression.spelling.arguments if one[0] not in sized), expression.crop


def _holds(wanted: Wanted, sizes: tuple[Size, ...]) -> str:
    """For which input sizes, in words.

    All the sizes that were looked at, a residue of the stride, or the sizes themselves.
    """
    numbers, all_numbers = [size[0] for size in sizes], [size[0] for size in wanted.meanings]
    if wanted.fixed or len(all_numbers) == 1:
        return f"the input size {wanted.input_size}"
    if numbers == list(range(numbers[0], RANGE + 1)) == all_numbers:
        return f"every input size from {numbers[0]} on (looked at up to {RANGE})"
    stride = max(wanted.layer.stride)
    residues = sorted({n % stride for n in numbers})
    if numbers == [n for n in all_numbers if n % stride in residues]:
        return f"input sizes n with n % {stride} in {residues} (looked at up to {RANGE})"
    return "the input sizes " + ", ".join(map(str, numbers))
