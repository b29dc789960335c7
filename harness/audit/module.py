"""One Python module of a whole model: a function for each distinct layer, one for its weight, and tests."""

from __future__ import annotations

from collections.abc import Sequence

from harness.audit.text import DEFINITION, Port


def module(source: str, ports: Sequence[Port]) -> str:
    """The text of the module; its test runs under pytest, or when the module is run.

    >>> print(module("model.onnx", []).splitlines()[0])
    \"\"\"Transposed convolutions of model.onnx, ported.
    """
    imports = list(dict.fromkeys(line for port in ports for line in port.imports)) or ["import numpy as np"]
    head = ['"""Transposed convolutions of ' + _shown(source) + ", ported.", "", "Each test compares one with the "]
    head[-1] += 'definition, exactly, on integers."""'
    tests = [[f"def test_{port.name}():", *(f"    {line}" for line in port.check())] for port in ports]
    run = ['if __name__ == "__main__":', *(f"    test_{port.name}()" for port in ports)]
    parts = [[*head, "", *imports], *(port.functions() for port in ports), DEFINITION.splitlines(), *tests]
    return "\n\n\n".join("\n".join(part) for part in (*parts, *([run] if ports else []))) + "\n"


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() and c not in '"\\' else "_" for c in text)
