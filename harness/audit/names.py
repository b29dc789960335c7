"""The names that functions are given, for layers whose own may be anything."""

from __future__ import annotations

import builtins
import keyword
import re

#: what a module of ours has names for
_OURS = {"definition", "flax", "jax", "keras", "np", "os", "tf", "torch", "x", "y", "weight", "bias", "rng"}

#: what pytest collects, and what the functions of other layers are called
_BEGINNINGS = ("test", "convert_weight")

_LONGEST = 60


def identifier(name: str, taken: set[str]) -> str:
    r"""A function's name for a layer's, none of ``taken``, to which it is added.

    >>> taken = set()
    >>> [identifier(name, taken) for name in ("decoder.up.1", "decoder/up/1", "0", "np", "test_up", "\u00e9")]
    ['decoder_up_1', 'decoder_up_1_2', 'layer_0', 'layer_np', 'layer_test_up', 'layer']
    """
    text = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:_LONGEST].lower() or "layer"
    text = f"layer_{text}" if _is_reserved(text) else text
    unique, number = text, 2
    while unique in taken:
        unique, number = f"{text}_{number}", number + 1
    taken.add(unique)
    return unique


def _is_reserved(text: str) -> bool:
    has_meaning = keyword.iskeyword(text) or hasattr(builtins, text) or text in _OURS
    return has_meaning or text[0].isdigit() or text.startswith(_BEGINNINGS)
