"""``deconvdiff report``: a database in, reports out."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.output import check_distinct, check_writable, write, write_json


@click.command()
@click.argument("database", type=click.Path(path_type=Path), default=Path(".deconvdiff/results.sqlite"))
@click.option("--run", "run_id", help="Id of the run. Default: the latest.")
@click.option("--html", type=click.Path(path_type=Path), help="Write the HTML report here.")
@click.option("--json", "json_path", metavar="FILE|-", help="Write the result as JSON; '-' is stdout.")
def report(database: Path, run_id: str | None, html: Path | None, json_path: str | None) -> int:
    """Report a run of a database again; without --html or --json, a summary on stdout. The database is only read.

    \b
    deconvdiff report
    deconvdiff report .deconvdiff/results.sqlite --html report.html --json report.json
    """
    from harness.cli.summary import summary
    from harness.cli.tables import size_tables
    from harness.store import Store
    from reports import html as html_report
    from reports import json as json_report

    json_file = None if json_path in (None, "-") else Path(str(json_path))
    check_distinct(database=database, **{"--html": html, "--json": json_file})
    if html is not None:
        check_writable("--html", html)
    store = Store(database, create=False)
    try:
        result = store.report(run_id)
        if html is not None:
            write("--html", html, html_report.render(result, size_tables(store.cases(result.run.id))))
        if json_path is not None:
            write_json(json_path, json_report.render(result))
        if json_path != "-":
            click.echo(summary(result, html, database))
    finally:
        store.close()
    return 0
