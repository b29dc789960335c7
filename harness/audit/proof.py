"""The proof of a port: its snippet on integers, its function on the real weights against the bound of rounding."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
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
_INSTEAD = "random ones, for not all of its own are finite numbers"

#: a run on weights is on one input
_SEED = 1


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
    bound: NDArray[np.float64]

    def misshapen(self) -> str | None:
        """How the shape of what was written is another one."""
        shape = np.load(self.output, allow_pickle=False).shape
        return None if shape == self.expected.shape else f"on weights: shape {shape}, not {self.expected.shape}"

    def ratio(self) -> float:
        """The largest error over its bound; what is no number is infinitely far from one."""
        errors = np.nan_to_num(np.abs(np.load(self.output, allow_pickle=False) - self.expected), nan=np.inf)
        ratios = np.divide(errors, self.bound, out=np.where(errors > 0, np.inf, 0.0), where=self.bound > 0)
        return float(np.max(ratios, initial=0.0))


def prove(claims: Sequence[Claim], environment: Mapping[str, str]) -> list[Proof]:
    """Run the ports of one framework, all in one interpreter."""
    with tempfile.TemporaryDirectory(prefix="deconvdiff-") as folder:
        measured = [list(_measured(claim, Path(folder) / str(number))) for number, claim in enumerate(claims)]
        texts = [claim.port.snippet() for claim in claims]
        ended = iter(run([*texts, *(one.text for many in measured for one in many)], environment))
        integers = [next(ended) for _ in claims]
        both = zip(claims, integers, measured, strict=True)
        return [_proof(claim.port, error, [(one, next(ended)) for one in many]) for claim, error, many in both]


def _proof(port: Port, error: str | None, measured: Sequence[tuple[_Measured, str | None]]) -> Proof:
    integers = Ran.EQUAL if error is None else Ran.DIFFERS
    error = error or next((wrong for one, ended in measured if (wrong := ended or one.misshapen())), None)
    if error is not None:
        return Proof(integers, error=error, sizes=tuple(port.trials))
    worst, name = max(((one.ratio(), one.name) for one, _ in measured), key=lambda pair: pair[0])
    return Proof(integers, worst, name, sizes=tuple(port.trials))


def _measured(claim: Claim, folder: Path) -> Iterator[_Measured]:
    """A run for each found layer's weights, or for random ones, at the first size that is tried."""
    folder.mkdir()
    size, layer = next(iter(claim.port.trials.items()))
    x, weight, bias = Case(layer, input_size=size, values="normal", seed=_SEED).arrays()
    drawn = convert(weight, CANONICAL, claim.wanted.layout, groups=layer.groups)
    given = [one for one in claim.found if one.weight is not None]
    if not given:
        yield _on_weights(claim, folder / "0", _DRAWN, layer, {"x": x, "weight": drawn, "bias": bias})
    for number, one in enumerate(given):
        own = {"weight": np.asarray(one.weight), "bias": bias if one.bias is None else one.bias}
        finite = all(np.isfinite(array).all() for array in own.values() if array is not None)
        arrays = {"x": x, **(own if finite else {"weight": drawn, "bias": bias})}
        name = one.name if finite else f"{one.name}: {_INSTEAD}"
        yield _on_weights(claim, folder / str(number), name, layer, arrays)


def _on_weights(
    claim: Claim, folder: Path, name: str, layer: Layer, arrays: Mapping[str, NDArray[Any] | None]
) -> _Measured:
    folder.mkdir()
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
    return _Measured(name, text, output, reference.conv_transpose(*asked), _bound(asked))


def _bound(asked: tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None, Layer]) -> NDArray[np.float64]:
    bound = reference.error_bound(*asked, "float32")
    assert bound is not None, "of so many products no integers are exact"  # noqa: S101 # kept by trials
    return bound
