"""The pages for people: one HTML file each that needs nothing else, opens from file:// and runs no script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jinja2
from markupsafe import Markup

from harness.portings import Portings
from harness.records import Report, SizeTable
from reports import porting
from reports.overview import TOTALS_COLUMNS
from reports.picture import sizes_page
from reports.text import clean
from reports.view import page


def render(report: Report, size_tables: Sequence[SizeTable] = ()) -> str:
    """The report as one self-contained page; its content security policy allows its own style sheet and nothing else.

    >>> from harness.records import Run
    >>> run = Run("r", "2026-01-01T00:00:00Z", 0, "default", "Linux", "0.1", "deconvdiff fuzz")
    >>> render(Report(run, (), 0, 0.0, {}, {}, (), {})).startswith("<!doctype html>")
    True
    """
    return whole("report.html.j2", page=page(report, size_tables), columns=TOTALS_COLUMNS)


def render_sizes(table: SizeTable, *, command: str = "", version: str = "") -> str:
    """The page of a size table, closed in the same way; ``command`` is what made it.

    >>> from harness.layer import Layer
    >>> render_sizes(SizeTable(Layer(kernel_size=3, ndim=1), ())).startswith("<!doctype html>")
    True
    """
    return whole("sizes.html.j2", page=sizes_page(table, command, version))


def render_portings(portings: Portings) -> str:
    """The porting view as such a page.

    >>> render_portings(Portings(0, 200, (), {})).startswith("<!doctype html>")
    True
    """
    return whole("porting.html.j2", page=porting.page(portings))


def whole(template: str, **context: Any) -> str:
    """A page of a template of ours, with the style sheet of all of them and its hash."""
    environment = _environment()
    style = environment.get_template("report.css").render()
    return environment.get_template(template).render(
        **context,
        style=Markup(style),  # noqa: S704 — our own file, without data
        style_hash=_hash(style),
    )


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _shown(value: Any) -> Any:
    """The net below the view models: no text reaches the page with characters that hide or reorder others."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _hash(style: str) -> str:
    """The style sheet's hash as a content security policy wants it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
