"""What a report shows of the size ambiguity: which valid output size each API picks, which it reaches, and how."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.records import ApiSizes, AxisSizes, Reach, SizeTable
from reports.details import layer_line
from reports.text import clip, count, crop

_MUST_BE_GIVEN = "must be given"


@dataclass(frozen=True, slots=True)
class Column:
    """One output size; ``crop`` is the crop that the layer asks for at this size."""

    size: int
    crop: str
    valid: bool


@dataclass(frozen=True, slots=True)
class SizeCell:
    """How one API reaches one size: state is same, shifted, unreachable or unknown."""

    state: str
    default: bool
    arguments: str = ""
    crop: str = ""
    call: str = ""


@dataclass(frozen=True, slots=True)
class SizeRow:
    """One API: the size it picks by itself, and a cell per column."""

    api: str
    default: str
    cells: tuple[SizeCell, ...]


@dataclass(frozen=True, slots=True)
class AxisView:
    """One axis of a layer, or several that are the same in every cell."""

    axes: tuple[int, ...]
    parameters: str
    input_size: int
    valid: str
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


def _axis(table: SizeTable, axis: AxisSizes) -> AxisView:
    columns = _columns(table, axis)
    return AxisView(
        axes=(axis.axis,),
        parameters=_parameters(table, axis),
        input_size=axis.input_size,
        valid=_either(axis.valid),
        summary=_summary(axis),
        columns=columns,
        rows=tuple(_row(api, columns) for api in axis.apis),
    )


def _columns(table: SizeTable, axis: AxisSizes) -> tuple[Column, ...]:
    """The valid sizes, and beyond them those that an API picks or reaches although they are not valid."""
    beyond = {api.default for api in axis.apis if api.default is not None} | {m for a in axis.apis for m in a.reach}
    return tuple(Column(m, _asked_crop(table, axis, m), m in axis.valid) for m in sorted(beyond | set(axis.valid)))


def _asked_crop(table: SizeTable, axis: AxisSizes, output_size: int) -> str:
    """PyTorch's crop at this size: ``padding`` in front, what remains behind."""
    layer = table.layer
    full = (axis.input_size - 1) * layer.stride[axis.axis] + layer.effective_kernel_size[axis.axis]
    return crop(layer.padding[axis.axis], full - layer.padding[axis.axis] - output_size)


def _parameters(table: SizeTable, axis: AxisSizes) -> str:
    names = ("kernel_size", "stride", "padding", "dilation")
    return ", ".join(f"{name} {getattr(table.layer, name)[axis.axis]}" for name in names)


def _either(values: Sequence[int]) -> str:
    *most, last = [str(value) for value in values] or ["none"]
    return f"{', '.join(most)} or {last}" if most else last


def _summary(axis: AxisSizes) -> str:
    """What the APIs do when nobody names a size: the mistake waiting to be made."""
    defaults = Counter(api.default for api in axis.apis if api.default is not None)
    parts = [f"{count(n, 'API picks', 'APIs pick')} {m}" for m, n in sorted(defaults.items())]
    silent = sum(api.default is None for api in axis.apis)
    parts += [f"{count(silent, 'must be', 'must be')} told"] if silent else []
    shifted = sum(any(not reach.same_crop for reach in api.reach.values()) for api in axis.apis)
    warning = f" {count(shifted, 'API reaches', 'APIs reach')} a size only with shifted values." if shifted else ""
    return f"Left to themselves, {', '.join(parts)}.{warning}" if parts else ""


def _row(api: ApiSizes, columns: Sequence[Column]) -> SizeRow:
    default = _MUST_BE_GIVEN if api.default is None else f"{api.default}{_shift(api.picked)}"
    return SizeRow(clip(api.api, 80), default, tuple(_cell(api, column.size) for column in columns))


def _shift(picked: Reach | None) -> str:
    """What to say of the size an API picks when its crop is not the layer's."""
    return "" if picked is None or picked.same_crop else f", shifted by crop {crop(*picked.crop)}"


def _cell(api: ApiSizes, output_size: int) -> SizeCell:
    default = api.default == output_size
    reach = api.reach.get(output_size)
    if reach is None:
        return SizeCell("unreachable" if output_size in api.unreachable else "unknown", default)
    state = "same" if reach.same_crop else "shifted"
    return SizeCell(state, default, _arguments(reach), crop(*reach.crop), clip(reach.call, 400))


def _arguments(reach: Reach) -> str:
    return clip(", ".join(f"{name}={value!r}" for name, value in reach.arguments.items()), 160)
