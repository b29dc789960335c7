"""The proof of a port: its snippet on integers, its function on the real weights against the bound of rounding."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import reference
from harness.audit.found import FoundLayer
from harness.audit.running import run
from harness.audit.text import Port
from harness.audit.wanted import Wanted
from harness.layer import Case, Layer
from harness.layout import CANONICAL, convert
from harness.ported import Proof, Ran

_DRAWN = "random ones, for there are none in what was given"


@dataclass(frozen=True, slots=True)
class Claim:
    """A port that is to be proved, with the found layers whose weights it must take."""

    port: Port
    wanted: Wanted
    found: Sequence[FoundLayer]


@dataclass(frozen=True, slots=True)
class _Measured:
    """A run on weights: what is run, what it writes, what it should write, and how far it may be from that."""

    name: str
    text: str
    output: Path
    expected: NDArray[np.float64]
    bound: NDArray[np.float64] | None

    def ratio(self) -> float | None:
        """The largest error over its bound; infinite where the shape is another one."""
        seen = np.load(self.output, allow_pickle=False)
        if seen.shape != self.expected.shape:
            return float("inf")
        if self.bound is None:
            return None
        errors = np.abs(seen - self.expected)
        return float(np.max(errors / np.where(self.bound > 0, self.bound, 1), initial=0.0))


def prove(claims: Sequence[Claim], *, also: Sequence[str] = ()) -> tuple[list[Proof], list[str | None]]:
    """Run the ports of one framework, all in one interpreter; beside the proofs, how the programs of ``also`` ended."""
    with _folder() as folder:
        measured = [list(_measured(claim, folder / str(number))) for number, claim in enumerate(claims)]
        texts = [claim.port.snippet() for claim in claims]
        ended = iter(run([*texts, *(one.text for many in measured for one in many), *also]))
        integers = [next(ended) for _ in claims]
        both = zip(integers, measured, strict=True)
        proofs = [_proof(error, [(one, next(ended)) for one in many]) for error, many in both]
        return proofs, list(ended)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="deconvdiff-") as name:
        yield Path(name)


def _proof(error: str | None, measured: Sequence[tuple[_Measured, str | None]]) -> Proof:
    integers = Ran.EQUAL if error is None else Ran.DIFFERS
    error = error or next((wrong for _, wrong in measured if wrong is not None), None)
    if error is not None:
        return Proof(integers, error=error)
    ratios = [(ratio, one.name) for one, _ in measured if (ratio := one.ratio()) is not None]
    worst, name = max(ratios, default=(None, measured[0][0].name if measured else None))
    return Proof(integers, worst, name)


def _measured(claim: Claim, folder: Path) -> Iterator[_Measured]:
    """A run for each found layer's weights, or for random ones."""
    folder.mkdir()
    layer, size = claim.port.layer, claim.port.input_size
    x, weight, bias = Case(layer, input_size=size, values="normal", seed=1).arrays()
    drawn = convert(weight, CANONICAL, claim.wanted.layout, groups=layer.groups)
    given = [one for one in claim.found if one.weight is not None]
    if not given:
        yield _on_weights(claim, folder / "0", _DRAWN, layer, x, drawn, bias)
    for number, one in enumerate(given):
        own = bias if one.bias is None else one.bias
        yield _on_weights(claim, folder / str(number), one.name, layer, x, np.asarray(one.weight), own)


def _on_weights(
    claim: Claim, folder: Path, name: str, layer: Layer, x: NDArray[Any], weight: NDArray[Any], bias: Any
) -> _Measured:
    folder.mkdir()
    arrays = {"x": x, "weight": weight, "bias": bias if layer.bias else None}
    single = {name: np.asarray(array, np.float32) for name, array in arrays.items() if array is not None}
    loads = []
    for key, array in single.items():
        np.save(folder / f"{key}.npy", array)
        loads.append(f"{key} = np.load({str(folder / f'{key}.npy')!r})")
    output = folder / "y.npy"
    body = [*loads, *claim.port.call(), f"np.save({str(output)!r}, y)"]
    text = "\n\n\n".join("\n".join(part) for part in (claim.port.imports, claim.port.functions(), body)) + "\n"
    canonical = convert(single["weight"], claim.wanted.layout, CANONICAL, groups=layer.groups)
    asked = (single["x"], canonical, single.get("bias"), layer)
    expected, bound = reference.conv_transpose(*asked), reference.error_bound(*asked, "float32")
    return _Measured(name, text, output, expected, bound)
