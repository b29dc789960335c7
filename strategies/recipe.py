"""``values()``: from which recipe the numbers in a case's arrays are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hypothesis.errors import InvalidArgument
from hypothesis.strategies import SearchStrategy, builds

from harness.values import DTYPES, VALUE_KINDS, largest_magnitude
from strategies.sampling import number, sampled
from strategies.weights import Table

_DTYPES = {"float32": 48, "float64": 1, "float16": 1, "bfloat16": 1}
_KINDS = {"integers": 29, "normal": 3, "special": 1}


class Recipe(NamedTuple):
    """The dtype, the kind of values and the seed of a case."""

    dtype: str = "float32"
    values: str = "integers"
    seed: int = 0


def values(*, dtypes: Sequence[str] = DTYPES, kinds: Sequence[str] = VALUE_KINDS) -> SearchStrategy[Recipe]:
    """Recipes of these dtypes and kinds: float32 integers most of the time, for only those agree bit for bit.

    Where a layer has more products than its dtype counts exactly, ``layer_cases`` asks for ``normal`` values instead.

    Raises:
        InvalidArgument: an unknown or missing dtype or kind; the message has the value.

    >>> from hypothesis import find
    >>> find(values(dtypes=["bfloat16"]), lambda recipe: recipe.values == "normal")
    Recipe(dtype='bfloat16', values='normal', seed=0)
    """
    some_dtypes = Table("dtype", _among("dtypes", dtypes, _DTYPES))
    some_kinds = Table("kind", _among("kinds", kinds, _KINDS))
    dtype, kind = some_dtypes.at(), some_kinds.at()
    recipes = builds(Recipe, dtype, kind, _SEEDS)
    return sampled(recipes, lambda sampler: Recipe(sampler(dtype), sampler(kind), sampler(_SEEDS)))


def exact(recipe: Recipe, products: int) -> Recipe:
    """The recipe, with ``normal`` values where so many products per output element are not exact in its dtype.

    >>> exact(Recipe("bfloat16"), 300).values
    'normal'
    """
    if recipe.values == "normal" or largest_magnitude(products, recipe.dtype):
        return recipe
    return recipe._replace(values="normal")


def _among(name: str, chosen: Sequence[str], weights: Mapping[str, int]) -> dict[str, int]:
    if isinstance(chosen, str) or not chosen:
        raise InvalidArgument(f"{name}={chosen!r}: must be a list of at least one of {', '.join(weights)}")
    if unknown := [value for value in chosen if value not in weights]:
        raise InvalidArgument(f"{name}={chosen!r}: {unknown[0]!r} is none of {', '.join(weights)}")
    return {value: weight for value, weight in weights.items() if value in chosen}


_SEEDS = number(2**32)
