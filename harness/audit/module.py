"""One Python module of a whole model: a function for each distinct layer, one for its weight, and tests."""

from __future__ import annotations

from collections.abc import Sequence

from harness.audit.text import DEFINITION, Port


def module(source: str, ports: Sequence[Port], left_out: Sequence[str] = ()) -> str:
    """The text of the module; its test runs under pytest, or when the module is run.

    >>> print(module("model.onnx", []).splitlines()[0])
    \"\"\"Transposed convolutions of model.onnx, ported.
    """
    imports = list(dict.fromkeys(line for port in ports for line in port.imports)) or ["import numpy as np"]
    tests = [[f"def test_{port.name}():", *(f"    {line}" for line in port.check())] for port in ports]
    run = ['if __name__ == "__main__":', *(f"    test_{port.name}()" for port in ports)]
    functions = [port.functions() for port in ports]
    parts = [[*_head(source, left_out), "", *imports], *functions, DEFINITION.splitlines(), *tests]
    return "\n\n\n".join("\n".join(part) for part in (*parts, *([run] if ports else []))) + "\n"


def _head(source: str, left_out: Sequence[str]) -> list[str]:
    """The docstring: whose layers these are, what the tests prove, and which layers are not among them."""
    missing = ["", f"Left out, for no recipe was proved: {', '.join(map(_shown, left_out))}."] if left_out else []
    proved = "Each test compares one with the definition, exactly, on integers."
    return [f'"""Transposed convolutions of {_shown(source)}, ported.', "", proved, *missing, '"""']


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() and c not in '"\\' else "_" for c in text)
