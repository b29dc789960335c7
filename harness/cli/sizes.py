"""``deconvdiff sizes``: the legal output sizes of a layer, and what every API makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import PerAxis
from harness.cli.output import write_json
from harness.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from harness.records import AxisSizes, Reach, SizeTable

#: columns of the table where there is no terminal to ask
_PLAIN_WIDTH = 140
#: as many sizes as anybody reads
_MOST_SIZES = 1000


@click.command()
@click.option("--input-size", type=PerAxis(), required=True, help="Size of the transposed convolution's input.")
@click.option("--kernel-size", type=PerAxis(), required=True, help="Size of the kernel.")
@click.option("--stride", type=PerAxis(), default="1", show_default=True, help="Stride.")
@click.option("--padding", type=PerAxis(), default="0", show_default=True, help="Padding in PyTorch's sense.")
@click.option("--dilation", type=PerAxis(), default="1", show_default=True, help="Dilation.")
@click.option("--json", "json_path", metavar="FILE|-", help="Write the tables as JSON; '-' is stdout.")
def sizes(
    input_size: tuple[int, ...],
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    json_path: str | None,
) -> int:
    """Show the valid output sizes, which one each API picks by itself, and which it reaches with which crop.

    With stride above 1 several sizes convolve forward to the same size, so the transposed convolution may give any of
    them. Two APIs may reach one size with another crop of the full output: same size, shifted values.

    \b
    deconvdiff sizes --input-size 3 --kernel-size 3 --stride 2               7 or 8
    deconvdiff sizes --input-size 3 --kernel-size 3 --stride 2 --padding 1   5 or 6
    deconvdiff sizes --input-size 7,9 --kernel-size 3,4 --stride 2 --json -
    """
    import json

    from harness.ambiguity import size_table
    from harness.frameworks import registry
    from harness.layer import Layer

    per_axis = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    ndim = max(len(value) for value in (input_size, *per_axis.values()))
    spread: dict[str, Any] = {name: _spread(value) for name, value in per_axis.items()}
    layer = Layer(**spread, bias=False, ndim=ndim)
    if max(layer.stride) > _MOST_SIZES:
        raise UsageError(
            f"--stride {max(layer.stride)}: has as many valid output sizes; at most {_MOST_SIZES} are shown"
        )
    table = size_table(
        layer, input_size * ndim if len(input_size) == 1 else input_size, [api() for api in registry.apis()]
    )
    if json_path is not None:
        write_json(json_path, json.dumps(table.to_json(), indent=2))
    if json_path != "-":
        _print(table)
    return 0


def _spread(value: tuple[int, ...]) -> int | tuple[int, ...]:
    return value[0] if len(value) == 1 else value


def _print(table: SizeTable) -> None:
    from rich.console import Console

    console = Console()
    console = console if console.is_terminal else Console(width=_PLAIN_WIDTH)
    for axis in table.axes:
        valid = " or ".join(map(str, axis.valid)) or "none"
        console.print(f"axis {axis.axis}: input size {axis.input_size} -> valid output sizes {valid}", highlight=False)
        if axis.valid:
            _print_axis(console, axis)
    console.print(
        "same: the asked crop of the full output; shifted: same size, other values; -: no arguments reach it",
        highlight=False,
    )


def _print_axis(console: Console, axis: AxisSizes) -> None:
    """A table where it fits the terminal, a list where it does not."""
    table = _table(axis)
    if console.measure(table, options=console.options.update(max_width=10_000)).maximum <= console.width:
        console.print(table)
        return
    for api in axis.apis:
        picked = "must be told" if api.picked is None else f"{api.default}: {_on_one_line(api.picked)}"
        console.print(f"{api.api}\n  picks by itself  {picked}", highlight=False, soft_wrap=True)
        for m in axis.valid:
            console.print(f"  {m:>15}  {_on_one_line(api.reach.get(m))}", highlight=False, soft_wrap=True)


def _on_one_line(reach: Reach | None) -> str:
    return _how(reach).replace("\n", " ")


def _table(axis: AxisSizes) -> Table:
    from rich.table import Column, Table

    table = Table(Column("API", no_wrap=True), "picks by itself", *map(str, axis.valid))
    for api in axis.apis:
        picked = "must be told" if api.picked is None else f"{api.default}: {_how(api.picked)}"
        table.add_row(api.api, picked, *(_how(api.reach.get(m)) for m in axis.valid))
    return table


def _how(reach: Reach | None) -> str:
    if reach is None:
        return "-"
    written = ", ".join(f"{name}={value}" for name, value in reach.arguments.items() if value is not None)
    mark = "same" if reach.same_crop else "shifted"
    return f"{mark} ({reach.crop.lo}, {reach.crop.hi})\n{written}"
