"""The picture of a size table: input sizes down, output sizes across, for each API a grid with a mark in every cell.

Marks are shapes, so that nothing rests on colour; what they say stands in words in the table beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.records import ApiSizes, AxisSizes, SizeTable
from reports.ambiguity import LayerSizes, layer_sizes, left_out
from reports.details import layer_line
from reports.text import clip, collapse, either

#: output sizes across: as many as can be looked at
WIDEST = 200

#: of a cell, and of the margins with the numbers
_STEP, _LEFT, _TOP = 22, 34, 24
_DIGIT = 7


@dataclass(frozen=True, slots=True)
class Mark:
    """One cell: where its middle is, whether the API reaches the size (same, shifted, cannot) and picks it.

    ``picks`` is empty, "same" or "shifted": the size that is picked may have another crop than it can be reached with.
    """

    x: int
    y: int
    size: int
    state: str
    picks: str
    words: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A number at the margin."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Panel:
    """The grid of one API; ``limit`` says why there is none."""

    api: str
    marks: tuple[Mark, ...]
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One input size in words: the forward view, and for each API the sizes with what becomes of them."""

    input_size: int
    forward: str
    cells: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """One axis, or several that are the same in every mark."""

    axes: tuple[int, ...]
    width: int
    height: int
    across: tuple[Tick, ...]
    down: tuple[Tick, ...]
    band: tuple[Mark, ...]
    panels: tuple[Panel, ...]
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        """The axes by number, counted from 0."""
        names = " and ".join(str(axis) for axis in self.axes)
        return f"Axis {names}" if len(self.axes) == 1 else f"Axes {names} (the same)"


@dataclass(frozen=True, slots=True)
class SizesPage:
    """Everything on the page of ``deconvdiff sizes``, top to bottom."""

    heading: str
    layer: str
    source: str
    command: str
    skipped: tuple[str, ...]
    pictures: tuple[Picture, ...]
    tables: LayerSizes
    open: bool
    version: str


def sizes_page(table: SizeTable, command: str, version: str) -> SizesPage:
    """What the page of a table shows; ``command`` made it."""
    tables = layer_sizes(table)
    source = table.source
    words = "" if source is None else ", ".join(f"{name}={value!r}" for name, value in source.arguments)
    return SizesPage(
        heading=_heading(table),
        layer=clip(layer_line(table.layer), 300),
        source="" if source is None else clip(f"{source.api}: {words}", 600),
        command=clip(command, 600),
        skipped=left_out(table),
        pictures=pictures(table),
        tables=tables,
        open=len(tables.axes) <= 2,
        version=clip(version, 100),
    )


def pictures(table: SizeTable) -> tuple[Picture, ...]:
    """A picture for each axis, equal ones merged."""
    merged: list[Picture] = []
    for axis in dict.fromkeys(one.axis for one in table.axes):
        found = _picture(axis, [one for one in table.axes if one.axis == axis])
        same = [i for i, other in enumerate(merged) if replace(other, axes=()) == replace(found, axes=())]
        if same:
            merged[same[0]] = replace(merged[same[0]], axes=merged[same[0]].axes + found.axes)
        else:
            merged.append(found)
    return tuple(merged)


def width_of(table: SizeTable) -> int:
    """How many output sizes the widest picture of the table has across."""
    axes = dict.fromkeys(one.axis for one in table.axes)
    return max(len(_span([one for one in table.axes if one.axis == axis])) for axis in axes)


def _heading(table: SizeTable) -> str:
    inputs = sorted({one.input_size for one in table.axes})
    found = {one.valid for one in table.axes}
    if len(inputs) == len(found) == 1:
        return f"{inputs[0]} may become {either(table.axes[0].valid)}"
    return f"{'Input size' if len(inputs) == 1 else 'Input sizes'} {either(inputs)}, and what they may become"


def _span(axes: Sequence[AxisSizes]) -> range:
    """The output sizes from the smallest to the largest that is valid or picked."""
    shown = [m for one in axes for m in _shown(one)]
    return range(min(shown), max(shown) + 1) if shown else range(0)


def _shown(axis: AxisSizes) -> list[int]:
    return [*axis.valid, *(api.default for api in axis.apis if api.default is not None)]


def _picture(axis: int, entries: Sequence[AxisSizes]) -> Picture:
    span = _span(entries)
    every = -(-(len(str(span[-1])) * _DIGIT + 4) // _STEP) if span else 1
    across = tuple(Tick(_LEFT + _STEP * i + _STEP // 2, str(m)) for i, m in enumerate(span) if i % every == 0)
    lines = [_TOP + _STEP * i + _STEP // 2 for i in range(len(entries))]
    names = [api.api for api in entries[0].apis]
    return Picture(
        axes=(axis,),
        width=_LEFT + _STEP * len(span) + 6,
        height=_TOP + _STEP * len(entries) + 6,
        across=across,
        down=tuple(Tick(y, str(one.input_size)) for y, one in zip(lines, entries, strict=True)),
        band=tuple(
            _mark(span, y, m, "valid", "", "") for y, one in zip(lines, entries, strict=True) for m in one.valid
        ),
        panels=tuple(_panel([one.apis[i] for one in entries], entries, lines, span) for i in range(len(names))),
        rows=tuple(_row(one) for one in entries),
    )


def _mark(span: range, y: int, m: int, state: str, picks: str, words: str) -> Mark:
    return Mark(_LEFT + _STEP * (m - span.start) + _STEP // 2, y, m, state, picks, words)


def _panel(apis: Sequence[ApiSizes], entries: Sequence[AxisSizes], lines: Sequence[int], span: range) -> Panel:
    limit = apis[0].limit
    if limit is not None:
        return Panel(clip(apis[0].api, 80), (), clip(limit, 300))
    marks = [
        _mark(span, y, m, _state(api, m), _picks(api, m), f"{axis.input_size} → {_words(api, m)}")
        for api, axis, y in zip(apis, entries, lines, strict=True)
        for m in _sizes(api, axis)
    ]
    return Panel(clip(apis[0].api, 80), tuple(marks))


def _sizes(api: ApiSizes, axis: AxisSizes) -> Iterator[int]:
    """The valid sizes, and the one that is picked although it is not valid."""
    yield from axis.valid
    if api.default is not None and api.default not in axis.valid:
        yield api.default


def _state(api: ApiSizes, m: int) -> str:
    reach = api.reach.get(m)
    if reach is not None:
        return "same" if reach.same_crop else "shifted"
    return "cannot" if m in api.unreachable else "beyond"


def _picks(api: ApiSizes, m: int) -> str:
    if api.default != m:
        return ""
    return "same" if api.picked is None or api.picked.same_crop else "shifted"


_STATES = {"same": "reached", "shifted": "shifted", "cannot": "cannot", "beyond": "not valid"}
_PICKS = {"": "", "same": ", picked", "shifted": ", picked shifted"}


def _words(api: ApiSizes, m: int) -> str:
    return f"{m}: {_STATES[_state(api, m)]}{_PICKS[_picks(api, m)]}"


def _row(axis: AxisSizes) -> Row:
    cells = tuple(tuple(_words(api, m) for m in _sizes(api, axis)) for api in axis.apis)
    return Row(axis.input_size, collapse(axis.valid, axis.input_size), cells)
