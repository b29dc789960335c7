"""What a report shows of the size ambiguity: which valid output size each API picks, which it reaches, and how.

``layer_sizes`` are the tables, one for each axis and input size; the picture of many input sizes is ``picture``'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.records import ApiSizes, AxisSizes, OwnRule, Reach, SizeTable
from reports.details import layer_line
from reports.text import clip, collapse, count, crop, either

_MUST_BE_GIVEN = "must be given"


@dataclass(frozen=True, slots=True)
class Column:
    """One output size; ``crop`` is the crop that the layer asks for at this size."""

    size: int
    crop: str
    valid: bool


@dataclass(frozen=True, slots=True)
class SizeCell:
    """How one API reaches one size: state is same, shifted, unreachable or unknown.

    ``default`` is what is said of the size that it picks: it may be picked with another crop than it is reached with.
    """

    state: str
    default: str
    arguments: str = ""
    crop: str = ""
    call: str = ""


@dataclass(frozen=True, slots=True)
class SizeRow:
    """One API: what is valid by its own forward rules, the size it picks by itself, and a cell per column.

    ``limit`` says why it cannot be asked at all.
    """

    api: str
    rules: tuple[str, ...]
    default: str
    cells: tuple[SizeCell, ...]
    limit: str = ""


@dataclass(frozen=True, slots=True)
class AxisView:
    """One axis of a layer, or several that are the same in every cell."""

    axes: tuple[int, ...]
    parameters: str
    input_size: int
    valid: str
    forward: str
    summary: str
    columns: tuple[Column, ...]
    rows: tuple[SizeRow, ...]

    @property
    def title(self) -> str:
        """The axes by number, counted from 0."""
        names = " and ".join(str(axis) for axis in self.axes)
        return f"Axis {names}" if len(self.axes) == 1 else f"Axes {names} (the same)"


@dataclass(frozen=True, slots=True)
class LayerSizes:
    """The size ambiguity of one layer."""

    title: str
    axes: tuple[AxisView, ...]


def layer_sizes(table: SizeTable) -> LayerSizes:
    """One layer's tables, with equal axes merged. ``layer_sizes(table).axes[0].valid`` is "7 or 8"."""
    merged: list[AxisView] = []
    for axis in (_axis(table, axis) for axis in table.axes):
        same = [i for i, view in enumerate(merged) if replace(view, axes=()) == replace(axis, axes=())]
        if same:
            merged[same[0]] = replace(merged[same[0]], axes=merged[same[0]].axes + axis.axes)
        else:
            merged.append(axis)
    return LayerSizes(clip(layer_line(table.layer), 300), tuple(merged))


def left_out(table: SizeTable) -> tuple[str, ...]:
    """The input sizes that are not shown, by reason.

    >>> from harness.layer import Layer
    >>> left_out(SizeTable(Layer(ndim=1), (), None, {(1,): "too small", (2,): "too small"}))
    ('input sizes 1, 2: too small',)
    """
    by_reason: dict[str, list[str]] = {}
    for size, reason in table.skipped.items():
        shown = str(size[0]) if len(set(size)) == 1 else " × ".join(map(str, size))
        by_reason.setdefault(reason, []).append(shown)
    return tuple(
        f"{'input size' if len(some) == 1 else 'input sizes'} {', '.join(some)}: {clip(reason, 300)}"
        for reason, some in by_reason.items()
    )


def _axis(table: SizeTable, axis: AxisSizes) -> AxisView:
    columns = _columns(axis)
    return AxisView(
        axes=(axis.axis,),
        parameters=_parameters(table, axis),
        input_size=axis.input_size,
        valid=either(axis.valid),
        forward=collapse(axis.valid, axis.input_size),
        summary=_summary(axis),
        columns=columns,
        rows=tuple(_row(api, columns) for api in axis.apis),
    )


def _columns(axis: AxisSizes) -> tuple[Column, ...]:
    """The valid sizes, and beyond them those that an API picks or reaches although they are not valid."""
    asked = dict(zip(axis.valid, axis.asked, strict=True))
    beyond = {api.default for api in axis.apis if api.default is not None} | {m for a in axis.apis for m in a.reach}
    return tuple(Column(m, crop(*asked[m]) if m in asked else "", m in asked) for m in sorted(beyond | set(asked)))


def _parameters(table: SizeTable, axis: AxisSizes) -> str:
    names = ("kernel_size", "stride", "padding", "dilation")
    return ", ".join(f"{name} {getattr(table.layer, name)[axis.axis]}" for name in names)


def _summary(axis: AxisSizes) -> str:
    """What the APIs do when nobody names a size: the mistake waiting to be made."""
    defaults = Counter(api.default for api in axis.apis if api.default is not None)
    parts = [f"{count(n, 'API picks', 'APIs pick')} {m}" for m, n in sorted(defaults.items())]
    silent = sum(api.default is None and api.limit is None for api in axis.apis)
    parts += [f"{count(silent, 'must be', 'must be')} told"] if silent else []
    shifted = sum(any(not reach.same_crop for reach in api.reach.values()) for api in axis.apis)
    warning = f" {count(shifted, 'API reaches', 'APIs reach')} a size only with shifted values." if shifted else ""
    return f"Left to themselves, {', '.join(parts)}.{warning}" if parts else ""


def _row(api: ApiSizes, columns: Sequence[Column]) -> SizeRow:
    default = _MUST_BE_GIVEN if api.default is None else f"{api.default}{_shift(api.picked)}"
    cells = tuple(_cell(api, column.size) for column in columns)
    if api.limit is not None:
        return SizeRow(clip(api.api, 80), (), "cannot be asked", cells, clip(api.limit, 300))
    return SizeRow(clip(api.api, 80), tuple(map(rule_line, api.rules)) or ("no forward rule",), default, cells)


def rule_line(rule: OwnRule) -> str:
    """The sizes that are valid by one forward rule of an API, with the padding that it goes with.

    >>> from harness.records import Rule
    >>> rule_line(OwnRule("SAME", (5, 6), Rule(""))), rule_line(OwnRule(1, (5, 6), Rule("")))
    ('SAME: 5 or 6', 'padding=1: 5 or 6')
    """
    named = rule.padding if isinstance(rule.padding, str) else f"padding={rule.padding!r}"
    return f"{clip(named, 60)}: {either(rule.valid)}"


def _shift(picked: Reach | None) -> str:
    """What to say of the size an API picks when its crop is not the layer's."""
    return "" if picked is None or picked.same_crop else f", shifted by crop {crop(*picked.crop)}"


def _cell(api: ApiSizes, output_size: int) -> SizeCell:
    reach = api.reach.get(output_size)
    default = "" if api.default != output_size else _default(api.picked, reach)
    if reach is None:
        return SizeCell("unreachable" if output_size in api.unreachable else "unknown", default)
    state = "same" if reach.same_crop else "shifted"
    return SizeCell(state, default, _arguments(reach), crop(*reach.crop), clip(reach.call, 400))


def _default(picked: Reach | None, reach: Reach | None) -> str:
    apart = picked is not None and reach is not None and reach.same_crop and not picked.same_crop
    return "default is shifted" if apart else "default"


def _arguments(reach: Reach) -> str:
    return clip(", ".join(f"{name}={value!r}" for name, value in reach.arguments.items()), 160)
