"""The size tables of a run: the sampled layers with a stride above 1, for the report's size-ambiguity section."""

from __future__ import annotations

import json
from collections.abc import Iterable

from harness.ambiguity import size_table
from harness.frameworks import registry
from harness.layer import Case, Layer
from harness.records import SizeTable
from harness.sizes import valid_output_sizes

#: how many layers are shown, and how large a table may be to be read
SHOWN, WIDEST = 12, 8


def size_tables(cases: Iterable[Case]) -> tuple[SizeTable, ...]:
    """Tables of the first cases whose layer has several valid output sizes, no two of the same geometry."""
    apis = [api() for api in registry.apis()]
    tables: dict[str, SizeTable] = {}
    for case in cases:
        if len(tables) == SHOWN:
            break
        if case.layer is not None and _is_shown(case.layer, case.input_size):
            geometry = (
                case.layer.kernel_size,
                case.layer.stride,
                case.layer.padding,
                case.layer.dilation,
                case.input_size,
            )
            layer = case.layer.replace(in_channels=1, out_channels=1, groups=1, bias=False)
            tables.setdefault(json.dumps(geometry), size_table(layer, [(n,) for n in case.input_size], apis))
    return tuple(tables.values())


def _is_shown(layer: Layer, input_size: tuple[int, ...]) -> bool:
    axes = zip(input_size, layer.kernel_size, layer.stride, layer.padding, layer.dilation, strict=True)
    counts = [
        len(valid_output_sizes(n, kernel_size=k, stride=s, padding=p, dilation=d)) if p >= 0 and n else 0
        for n, k, s, p, d in axes
    ]
    return all(counts) and 1 < max(counts) <= WIDEST
