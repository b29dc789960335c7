"""Option types that several commands share."""

from __future__ import annotations

import re

import click

from harness.errors import UsageError

#: input sizes of a range
MOST_INPUTS = 100

_BYTES = {"M": 2**20, "G": 2**30}
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


class PerAxis(click.ParamType[tuple[int, ...]]):
    """One integer for every axis, or one for each with commas: ``3`` or ``3,5``."""

    name = "INT[,INT...]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Read the integers."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not an integer or integers with commas, such as 3 or 3,5", param, ctx)


class InputSizes(click.ParamType[tuple[range, ...]]):
    """Input sizes, for every axis or for each with commas: ``3``, ``7,9``, ``1..12``, ``1..4,9``. Both ends count."""

    name = "N|FROM..TO[,...]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[range, ...]:
        """Read the sizes.

        Raises:
            UsageError: what is no size and no range, a range that is empty or has more sizes than anybody reads.
        """
        return value if isinstance(value, tuple) else tuple(map(_input_sizes, str(value).split(",")))


def _input_sizes(text: str) -> range:
    match = re.fullmatch(r"\s*(-?\d{1,30})(?:\.\.(-?\d{1,30}))?\s*", text, re.ASCII)
    if match is None:
        shown = repr(text if len(text) <= 40 else f"{text[:40]} ...")
        raise UsageError(
            f"--input-size {shown}: is neither a size nor a range: write 3, or 1..12, with commas for axes"
        )
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise UsageError(f"--input-size {first}..{last}: is empty: write the smaller size first")
    if last - first >= MOST_INPUTS:
        count = last - first + 1
        raise UsageError(
            f"--input-size {first}..{last}: {count} sizes are more than anybody reads; at most {MOST_INPUTS}"
        )
    return range(first, last + 1)


class Duration(click.ParamType[float]):
    """Seconds, or a number with s, m or h: ``90``, ``10m``, ``1.5h``."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the duration in seconds."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", str(value))
        if match is None or not float(match[1]):
            self.fail(f"{value!r} is not a duration such as 90, 10m or 1.5h", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


class Memory(click.ParamType[int]):
    """A number of bytes with M or G: ``800M``, ``4G``."""

    name = "SIZE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the size in bytes."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([MG])", str(value))
        if match is None or float(match[1]) <= 0:
            self.fail(f"{value!r} is not a size such as 800M or 4G", param, ctx)
        return int(float(match[1]) * _BYTES[match[2]])


#: ``--env``, as every command has it that asks targets
env_option = click.option(
    "--env",
    "env",
    multiple=True,
    metavar="NAME=PYTHON",
    help="Another environment's interpreter, for --target torch@NAME; repeatable. Also [env] in deconvdiff.toml.",
)
