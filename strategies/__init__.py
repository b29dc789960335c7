"""Hypothesis strategies for transposed convolution: layers, cases, recipes of values, APIs' own arguments.

Everything drawn is built within the work bound of ``strategies.bounds``; nothing is drawn and thrown away. Options are
keyword-only and checked when the strategy is made.
"""

from strategies.case import cases, layer_cases
from strategies.invalid import invalid_cases
from strategies.layer import layers
from strategies.published import PublishedLayer, published, published_cases, published_layers
from strategies.recipe import Recipe, values
from strategies.spelled import spelled_cases, spellings

__all__ = [
    "PublishedLayer",
    "Recipe",
    "cases",
    "invalid_cases",
    "layer_cases",
    "layers",
    "published",
    "published_cases",
    "published_layers",
    "spelled_cases",
    "spellings",
    "values",
]
