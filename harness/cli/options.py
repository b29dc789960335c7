"""Option types that several commands share."""

from __future__ import annotations

import re

import click

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
