"""A size table on the terminal: with arguments for one input size, an overview for a range of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Column, Table

from harness.records import ApiSizes, AxisSizes, Reach, SizeTable
from reports.ambiguity import rule_line
from reports.text import collapse, either

#: columns of a table where there is no terminal to ask
_PLAIN_WIDTH = 140

_LEGEND = "same: the asked crop of the full output; shifted: same size, shifted values; -: no arguments reach it"
_PICKED = "*: picked where no size is named; * shifted: picked with shifted values"


def print_table(table: SizeTable) -> None:
    """The table of each axis: by input size where there is one, as an overview where there are several."""
    console = Console()
    console = console if console.is_terminal else Console(width=_PLAIN_WIDTH)
    is_range = len({one.axis for one in table.axes}) < len(table.axes)
    for title, entries in _by_axis(table):
        if is_range:
            _print_range(console, title, entries)
        else:
            _print_axis(console, title, entries[0])
    _say(console, _LEGEND)
    if is_range:
        _say(console, f"{_PICKED}; --html and --json have the arguments, and so has one input size")
    for api in table.axes[0].apis:
        if api.limit is not None:
            _say(console, f"{api.api} cannot be asked: {api.limit}")


def _by_axis(table: SizeTable) -> list[tuple[str, list[AxisSizes]]]:
    """The entries of each axis; axes that are the same share theirs."""
    merged: list[tuple[list[int], list[AxisSizes]]] = []
    for axis in dict.fromkeys(one.axis for one in table.axes):
        entries = [replace(one, axis=0) for one in table.axes if one.axis == axis]
        same = next((axes for axes, others in merged if others == entries), None)
        if same is None:
            merged.append(([axis], entries))
        else:
            same.append(axis)
    return [(f"{'axis' if len(axes) == 1 else 'axes'} {' and '.join(map(str, axes))}", some) for axes, some in merged]


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _print_axis(console: Console, title: str, axis: AxisSizes) -> None:
    """A table where it fits the terminal, a list where it does not."""
    _say(console, f"{title}: input size {axis.input_size} -> valid output sizes {either(axis.valid)}")
    if not axis.valid:
        return
    _say(console, f"forward: {_forward(axis)}")
    table = _table(axis)
    if _fits(console, table):
        console.print(table)
        return
    for api in axis.apis:
        _say(console, f"{api.api}\n  by its own rule  {_rules(api)}\n  picks by itself  {_on_one_line(_picks(api))}")
        for m in axis.valid:
            _say(console, f"  {m:>15}  {_on_one_line(_how(api.reach.get(m)))}")


def _table(axis: AxisSizes) -> Table:
    head = Column("API: valid by its own rule", no_wrap=True)
    table = Table(head, "picks by itself", *map(str, axis.valid))
    for api in axis.apis:
        table.add_row(f"{api.api}\n{_rules(api)}", _picks(api), *(_how(api.reach.get(m)) for m in axis.valid))
    return table


def _print_range(console: Console, title: str, entries: Sequence[AxisSizes]) -> None:
    first, last = entries[0].input_size, entries[-1].input_size
    _say(console, f"{title}: input sizes {first} to {last}" if last > first else f"{title}: input size {first}")
    alike = _alike(entries)
    table = _overview(entries, alike)
    if _fits(console, table):
        console.print(table)
        return
    for i, axis in enumerate(entries):
        _say(console, _forward(axis))
        for marks, names in alike.items():
            _say(console, f"  {'; '.join(marks[i]) or '-':<40}  {', '.join(names)}")


def _alike(entries: Sequence[AxisSizes]) -> dict[tuple[tuple[str, ...], ...], list[str]]:
    """The APIs' names by their marks at every input size: those that do the same share a column."""
    found: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for i, api in enumerate(entries[0].apis):
        marks = tuple(tuple(_marks(axis.apis[i], axis)) for axis in entries)
        found.setdefault(marks, []).append(api.api)
    return found


def _overview(entries: Sequence[AxisSizes], alike: Mapping[tuple[tuple[str, ...], ...], Sequence[str]]) -> Table:
    table = Table("forward", *map(_in_lines, alike.values()))
    for i, axis in enumerate(entries):
        table.add_row(_forward(axis), *("\n".join(marks[i]) for marks in alike))
    return table


def _in_lines(names: Sequence[str]) -> str:
    """A line for each name; one alone is narrower in two."""
    if len(names) > 1:
        return "\n".join(names)
    package, dot, last = names[0].rpartition(".")
    return f"{package}{dot}\n{last}" if dot else last


def _marks(api: ApiSizes, axis: AxisSizes) -> Iterator[str]:
    """Each valid size with its mark, then the one that is picked although it is not valid."""
    for m in axis.valid:
        yield f"{m} {_mark(api.reach.get(m))}{_star(api, m)}"
    if api.default is not None and api.default not in axis.valid:
        yield f"{api.default} not valid{_star(api, api.default)}"


def _star(api: ApiSizes, m: int) -> str:
    if api.default != m or api.picked is None:
        return ""
    reach = api.reach.get(m)
    apart = not api.picked.same_crop and (reach is None or reach.same_crop)
    return " * shifted" if apart else " *"


def _mark(reach: Reach | None) -> str:
    if reach is None:
        return "-"
    return "same" if reach.same_crop else "shifted"


def _fits(console: Console, table: Table) -> bool:
    return console.measure(table, options=console.options.update(max_width=10_000)).maximum <= console.width


def _forward(axis: AxisSizes) -> str:
    return collapse(axis.valid, axis.input_size).replace("→", "->")


def _rules(api: ApiSizes) -> str:
    if api.limit is not None:
        return "cannot be asked"
    return ", ".join(map(rule_line, api.rules)) or "no forward rule"


def _picks(api: ApiSizes) -> str:
    if api.limit is not None:
        return "-"
    return "must be told" if api.picked is None else f"{api.default}: {_how(api.picked)}"


def _on_one_line(text: str) -> str:
    return text.replace("\n", " ")


def _how(reach: Reach | None) -> str:
    if reach is None:
        return "-"
    written = ", ".join(f"{name}={value}" for name, value in reach.arguments.items() if value is not None)
    return f"{_mark(reach)} ({reach.crop.lo}, {reach.crop.hi})\n{written}"
