"""The report for people: one HTML file that needs nothing else, opens from file:// and runs no script."""

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
from reports.text import clean
from reports.view import page


def render(report: Report, size_tables: Sequence[SizeTable] = ()) -> str:
    """The report as one self-contained page; its content security policy allows its own style sheet and nothing else.

    >>> from harness.records import Run
    >>> run = Run("r", "2026-01-01T00:00:00Z", 0, "default", "Linux", "0.1", "deconvdiff fuzz")
    >>> render(Report(run, (), 0, 0.0, {}, {}, (), {})).startswith("<!doctype html>")
    True
    """
    return _placed("report.html.j2", page=page(report, size_tables), columns=TOTALS_COLUMNS)


def render_portings(portings: Portings) -> str:
    """The porting view as such a page.

    >>> render_portings(Portings(0, 200, (), {})).startswith("<!doctype html>")
    True
    """
    return _placed("porting.html.j2", page=porting.page(portings))


def _placed(template: str, **shown: Any) -> str:
    environment = _environment()
    style = environment.get_template("report.css").render()
    trusted = Markup(style)  # noqa: S704 — our own file, without data
    return environment.get_template(template).render(**shown, style=trusted, style_hash=_hash(style))


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
