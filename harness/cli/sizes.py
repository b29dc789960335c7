"""``deconvdiff sizes``: the legal output sizes of a layer, and what every API makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import InputSizes, PerAxis
from harness.cli.output import check_distinct, check_writable, write, write_json
from harness.cli.text import clean
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.ambiguity import Spelled
    from harness.layer import Layer
    from harness.records import SizeTable

PerAxisValue = tuple[int, ...]


@click.command()
@click.option("--input-size", type=InputSizes(), required=True, help="Size of the input, or a range of sizes.")
@click.option("--layer", "text", metavar="CALL", help="The layer in an API's own words, instead of the options below.")
@click.option(
    "--from", "source", metavar="NAME", help="Whose words --layer is in: a framework or an API. Default: torch."
)
@click.option("--kernel-size", type=PerAxis(), help="Size of the kernel.")
@click.option("--stride", type=PerAxis(), help="Stride. Default: 1.")
@click.option("--padding", type=PerAxis(), help="Padding in PyTorch's sense. Default: 0.")
@click.option("--dilation", type=PerAxis(), help="Dilation. Default: 1.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Draw a picture with all tables.")
@click.option("--json", "json_path", metavar="FILE|-", help="Write the tables as JSON; '-' is stdout.")
def sizes(
    input_size: tuple[range, ...],
    text: str | None,
    source: str | None,
    html: Path | None,
    json_path: str | None,
    **per_axis: PerAxisValue | None,
) -> int:
    """Show the valid output sizes, which one each API picks by itself, and which it reaches with which crop.

    With stride above 1 several sizes convolve forward to the same size, so the transposed convolution may give any of
    them. Two APIs may reach one size with another crop of the full output: same size, shifted values. Everything is
    what the documentation of an API makes of its arguments; no framework is run.

    \b
    deconvdiff sizes --input-size 3 --kernel-size 3 --stride 2               7 or 8
    deconvdiff sizes --input-size 3 --kernel-size 3 --stride 2 --padding 1   5 or 6
    deconvdiff sizes --input-size 1..12 --kernel-size 3 --stride 2 --html sizes.html
                                                                             a range, as a picture
    deconvdiff sizes --input-size 7,9 --kernel-size 3,4 --stride 2 --json -  two axes, as JSON
    deconvdiff sizes --input-size 16 --layer "ConvTranspose2d(64, 32, 4, stride=2, padding=1)"
                                                                             a layer of PyTorch's
    deconvdiff sizes --input-size 16 --from keras --layer "Conv2DTranspose(32, 4, strides=2, padding='same')"
                                                                             what do others make of its SAME?

    A layer's own words decide which sizes are valid, the crop that the others are asked for, and what its own API
    picks. Each axis is looked at by itself.
    """
    import json

    from harness.ambiguity import size_table
    from harness.frameworks import registry

    _check_outputs(html, json_path)
    given = {name: value for name, value in per_axis.items() if value is not None}
    if text is None and source is not None:
        raise UsageError(f"--from {source}: says whose words --layer is in: give --layer, too")
    asked = _options(given, len(input_size)) if text is None else _written(text, source, given, len(input_size))
    ndim = asked.ndim
    table = size_table(asked, input_size * ndim if len(input_size) == 1 else input_size, [a() for a in registry.apis()])
    _tell_skipped(table)
    if html is not None:
        _write_html(html, table)
    if json_path is not None:
        write_json(json_path, json.dumps(table.to_json(), indent=2))
    if json_path != "-":
        _print(table, html)
    return 0


def _check_outputs(html: Path | None, json_path: str | None) -> None:
    written = None if json_path in (None, "-") else Path(str(json_path))
    check_distinct(**{"--html": html, "--json": written})
    for option, path in (("--html", html), ("--json", written)):
        if path is not None:
            check_writable(option, path)


def _options(given: Mapping[str, PerAxisValue], axes: int) -> Layer:
    """The layer that the options say."""
    from harness.layer import Layer

    if "kernel_size" not in given:
        raise UsageError("--kernel-size: is missing: give it, or the layer as --layer")
    ndim = max(axes, *(len(value) for value in given.values()))
    spread: dict[str, Any] = {name: value[0] if len(value) == 1 else value for name, value in given.items()}
    return Layer(**spread, bias=False, ndim=ndim)


def _written(text: str, source: str | None, given: Mapping[str, PerAxisValue], axes: int) -> Spelled:
    """The layer that a call says."""
    from harness.ambiguity import Spelled
    from harness.audit.written import parse_layer
    from harness.frameworks import registry

    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"--layer with {options}: the layer says it: leave one of them out")
    spelling, ndim = parse_layer(text, source or "torch", ndim=axes if axes > 1 else None)
    if axes not in (1, ndim):
        raise UsageError(f"--input-size: has {axes} axes, and the layer {ndim}: give one size, or one for each axis")
    api = next(api for api in registry.apis() if api.name == spelling.api)
    return Spelled(api(), spelling, ndim)


def _tell_skipped(table: SizeTable) -> None:
    from reports.ambiguity import left_out

    for line in left_out(table):
        click.echo(f"deconvdiff: without {clean(line)}", err=True)


def _write_html(path: Path, table: SizeTable) -> None:
    from harness import __version__
    from reports import html
    from reports.picture import WIDEST, width_of

    if (wide := width_of(table)) > WIDEST:
        raise UsageError(
            f"--html {path}: the picture would be {wide} output sizes wide, and at most {WIDEST} can be looked at: "
            "ask for fewer input sizes"
        )
    write("--html", path, html.render_sizes(table, command=_command(), version=__version__))


def _command() -> str:
    """What was typed."""
    import shlex
    import sys

    return shlex.join(["deconvdiff", *sys.argv[1:]])


def _print(table: SizeTable, html: Path | None) -> None:
    from harness.cli.size_tables import print_table

    print_table(table)
    if html is not None:
        click.echo(f"picture: {html}")
