"""View models: a ``Report`` and its size tables turned into exactly what a page shows, by pure functions.

Every text in them is cleaned and clipped (``reports.text``) and every number is written out, so that a template only
places things. Escaping is the template's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.records import Report, SizeTable
from reports import overview
from reports.ambiguity import LayerSizes, layer_sizes
from reports.details import Article, articles
from reports.text import clip, count


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the page, top to bottom; ``known`` are the findings that the baseline accepts."""

    header: overview.Header
    settings: overview.Settings
    workers: tuple[overview.Worker, ...]
    totals: tuple[overview.TotalsRow, ...]
    unavailable: tuple[overview.Unavailable, ...]
    skips: tuple[overview.Skips, ...]
    matrix: tuple[overview.MatrixRow, ...]
    articles: tuple[Article, ...]
    known: tuple[Article, ...]
    known_title: str
    sizes: tuple[LayerSizes, ...]
    version: str


def page(report: Report, size_tables: Sequence[SizeTable] = ()) -> Page:
    """What the page shows of a run.

    >>> from harness.records import Run
    >>> run = Run("r", "2026-01-01T00:00:00Z", 0, "default", "Linux", "0.1", "deconvdiff fuzz")
    >>> page(Report(run, (), 0, 0.0, {}, {}, (), {})).header.verdict
    'No case ran, so nothing was found and nothing is claimed'
    """
    shown = articles(report.findings)
    known = tuple(article for article in shown if article.known)
    return Page(
        header=overview.header(report),
        settings=overview.settings(report),
        workers=overview.workers(report),
        totals=overview.totals(report),
        unavailable=overview.unavailable(report),
        skips=overview.skips(report),
        matrix=overview.matrix(report),
        articles=tuple(article for article in shown if not article.known),
        known=known,
        known_title=count(len(known), "known finding"),
        sizes=tuple(layer_sizes(table) for table in size_tables),
        version=clip(report.run.version, 100),
    )
