"""Names of functions for layers whose own are hostile."""

from __future__ import annotations

import ast

from hypothesis import given
from hypothesis import strategies as st

from harness.audit.names import identifier

ALIKE = st.from_regex(r"(layer_|test_|up_)*[0-9]*", fullmatch=True)
HOSTILE = ["", "0", "np", "print", "class", "test_up", "convert_weight_up", "a" * 999, "\n", "é", '"""', "a.b", "a/b"]


@given(
    st.lists(
        st.one_of(st.text(), st.sampled_from(HOSTILE), st.from_regex(r"(layer_|test_|up_)*[0-9]*", fullmatch=True))
    )
)
def test_a_module_can_hold_them_all(names: list[str]) -> None:
    """Each layer's three functions have names of their own, which are Python's, and pytest collects one of them."""
    taken: set[str] = set()
    made = [identifier(name, taken) for name in names]
    functions = [text for one in made for text in (one, f"convert_weight_{one}", f"test_{one}")]
    assert len(set(functions)) == len(functions)
    assert not any(one.startswith("test") for one in made)
    for one in functions:
        ast.parse(f"def {one}(): pass")
        assert len(one) < 100


def test_nothing_that_a_module_needs_is_hidden() -> None:
    """The framework, NumPy, the definition, what is built in."""
    for name in ("np", "torch", "tf", "definition", "range", "len", "jax", "keras", "flax", "Definition", "zip"):
        assert identifier(name, set()) == f"layer_{name.lower()}"
