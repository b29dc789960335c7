"""``deconvdiff report``: a database in, reports out."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.outputs import Outputs


@click.command()
@click.argument("database", type=click.Path(path_type=Path), default=Path(".deconvdiff/results.sqlite"))
@click.option("--run", "run_id", help="Id of the run. Default: the latest.")
@click.option("--html", type=click.Path(path_type=Path), help="Write the HTML report here.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit XML here.")
@click.option("--summary", "summary_file", type=click.Path(path_type=Path), help="Write a Markdown summary here.")
@click.option("--json", "json_path", metavar="FILE|-", help="Write the result as JSON; '-' is stdout.")
def report(
    database: Path,
    run_id: str | None,
    html: Path | None,
    junit: Path | None,
    summary_file: Path | None,
    json_path: str | None,
) -> int:
    """Report a run of a database again; a summary on stdout, files where asked. The database is only read.

    A run that was killed is reported as far as it came, and a database without a run as one.

    \b
    deconvdiff report
    deconvdiff report .deconvdiff/results.sqlite --html report.html --json report.json
    deconvdiff report --junit report.xml --summary report.md
    """
    from harness.cli.summary import summary
    from harness.store import Store

    outputs = Outputs(html, junit, summary_file, json_path)
    outputs.check(database=database)
    store = Store(database, create=False)
    try:
        result = store.report(run_id)
        outputs.write(result, store.cases(result.run.id))
        if json_path != "-":
            click.echo(summary(result) + outputs.told() + f"\ndatabase: {database}")
    finally:
        store.close()
    return 0
