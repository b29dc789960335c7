"""The effective weight of a layer among named tensors, with the normalisations that are folded into it.

Names are PyTorch's: ``<name>.weight``; ``weight_g`` and ``weight_v`` or ``parametrizations.weight.original0`` and
``original1`` of weight_norm; ``weight_orig``, ``weight_u`` and ``weight_v`` or ``parametrizations.weight.original``,
``0._u`` and ``0._v`` of spectral_norm. Other frameworks' tensors are called ``<name>.kernel`` or ``<name>/kernel``.

Sources: Salimans and Kingma, *Weight Normalization* (2016), w = g v / ‖v‖; Miyato et al., *Spectral Normalization*
(2018), w / (uᵀ W v).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.audit.readers.arrays import NoWeight

Floats: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Tensors:
    """Tensors by name; one is loaded when it is asked for."""

    names: frozenset[str]
    load: Callable[[str], Floats]


@dataclass(frozen=True, slots=True)
class _Fold:
    """One normalisation: the tensors that it keeps in the place of the weight, and what it makes of them."""

    note: str
    parts: tuple[str, ...]
    folded: Callable[..., Floats]


def weight_normed(g: Floats, v: Floats) -> Floats:
    """``g v / ‖v‖``, the norm taken over the axes along which g has one entry.

    >>> weight_normed(np.array([[[10.0]]]), np.array([[[3.0, 4.0]]])).tolist()
    [[[6.0, 8.0]]]
    """
    wide = v.astype(np.float64)
    if g.ndim not in (0, v.ndim) or any(n not in (1, m) for n, m in zip(g.shape, v.shape, strict=False)):
        raise NoWeight(f"weight_norm has g of shape {g.shape} for v of shape {v.shape}")
    axes = tuple(i for i in range(v.ndim) if g.ndim == 0 or g.shape[i] == 1)
    norm = np.sqrt((wide * wide).sum(axis=axes, keepdims=True))
    return np.asarray(wide * (g / np.where(norm == 0, 1, norm)), v.dtype)


def spectrally_normed(weight: Floats, u: Floats, v: Floats) -> Floats:
    """``W / (uᵀ W v)``, W as a matrix whose rows are the axis that u belongs to: a transposed convolution's second.

    >>> spectrally_normed(np.array([[[2.0]], [[0.0]]]), np.ones(1), np.array([1.0, 0.0])).ravel().tolist()
    [1.0, 0.0]
    """
    if (axis := next((i for i in (1, 0) if u.shape == (weight.shape[i],)), None)) is None:
        raise NoWeight(f"spectral_norm has u of shape {u.shape} for a weight of shape {weight.shape}")
    matrix = np.moveaxis(weight.astype(np.float64), axis, 0).reshape(weight.shape[axis], -1)
    if v.shape != (matrix.shape[1],):
        raise NoWeight(f"spectral_norm has v of shape {v.shape} for a weight of shape {weight.shape}")
    return np.asarray(weight / (u @ matrix @ v), weight.dtype)


_ORIGINAL = "parametrizations.weight.original"
_STEP = "parametrizations.weight.0."
_FOLDS = (
    _Fold("spectral_norm", ("weight_orig", "weight_u", "weight_v"), spectrally_normed),
    _Fold("weight_norm", ("weight_g", "weight_v"), weight_normed),
    _Fold("weight_norm", (f"{_ORIGINAL}0", f"{_ORIGINAL}1"), weight_normed),
    _Fold("spectral_norm", (_ORIGINAL, f"{_STEP}_u", f"{_STEP}_v"), spectrally_normed),
)


def effective(tensors: Tensors, name: str) -> tuple[Floats, Floats | None, tuple[str, ...]]:
    """Weight, bias and notes of the layer of a name.

    Raises:
        NoWeight: there is no such layer, or its weight is parametrized in a way that is not known.
    """
    prefix, notes = _prefix(tensors.names, name)
    second = f"{prefix}parametrizations.weight.1."
    if any(known.startswith(second) for known in tensors.names):
        raise NoWeight("its weight has several parametrizations: name a factory with --trust, which computes it")
    bias = tensors.load(f"{prefix}bias") if f"{prefix}bias" in tensors.names else None
    for fold in _FOLDS:
        if all(prefix + part in tensors.names for part in fold.parts):
            parts = [tensors.load(prefix + part) for part in fold.parts]
            return fold.folded(*parts), bias, (*notes, f"{fold.note} folded")
    plain = next((prefix + word for word in ("weight", "kernel") if prefix + word in tensors.names), None)
    if plain is None:
        raise NoWeight("its parametrization is not known: name a factory with --trust, which computes its weight")
    return tensors.load(plain), bias, notes


def _prefix(names: frozenset[str], name: str) -> tuple[str, tuple[str, ...]]:
    """What stands before "weight", also where the whole model stands under a name of its own."""
    starts = _starts(names)
    exact = [name + separator for separator in "./" if name + separator in starts]
    if exact:
        return exact[0], ()
    below = [start for start in starts if any(start.endswith(f"{s}{name}{s}") for s in "./")]
    if len(below) == 1:
        return below[0], (f"found as {below[0][:-1]!r}",)
    known = [start[:-1] for start in below] or difflib.get_close_matches(name, [s[:-1] for s in starts], 3)
    near = f": near are {', '.join(map(repr, sorted(known)[:3]))}" if known else ""
    raise NoWeight(f"there is no tensor {f'{name}.weight'!r}{near}")


def _starts(names: Iterable[str]) -> set[str]:
    """The names of layers that have a weight, each with the separator behind it."""
    ends = ("weight", "kernel", "weight_g", "weight_orig", f"{_ORIGINAL}0", _ORIGINAL)
    found = set()
    for name in names:
        for end in ends:
            if name.endswith((f".{end}", f"/{end}")):
                found.add(name.removesuffix(end))
    return found
