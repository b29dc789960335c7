"""``deconvdiff targets``: what is installed, what it supports, and why not."""

from __future__ import annotations

import click

from harness.cli.output import write_json


@click.command()
@click.option("--json", "json_path", metavar="FILE|-", help="Write the list as JSON; '-' is stdout.")
def targets(json_path: str | None) -> int:
    """List every target: API, mode, installed version, its own arguments, and what to install where it is missing.

    \b
    deconvdiff targets
    deconvdiff targets --json -
    """
    import json

    from harness.campaign.select import all_targets
    from harness.frameworks import registry

    entries = [
        {
            "name": chosen.target.name,
            "framework": chosen.framework,
            "version": registry.installed_version(type(chosen.api)) if chosen.api else None,
            "api": chosen.target.api,
            "mode": chosen.target.mode,
            "asked": "of a share of the cases" if chosen.mode.share else "always",
            "available": chosen.missing is None,
            "reason": chosen.missing,
            "arguments": [p.name for p in chosen.api.parameters if not p.carried] if chosen.api else [],
            "documentation": chosen.api.documentation if chosen.api else "",
        }
        for chosen in all_targets()
    ]
    if json_path is not None:
        write_json(json_path, json.dumps({"schema": 1, "targets": entries}, indent=2))
    if json_path != "-":
        for entry in entries:
            state = f"installed {entry['version']}" if entry["available"] else entry["reason"]
            click.echo(f"{entry['name']:<40} {state}; asked {entry['asked']}")
            click.echo(f"    arguments: {', '.join(entry['arguments'])}")  # type: ignore[arg-type] # a list by construction
    return 0
