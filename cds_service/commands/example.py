"""``cds-service example``: prints a synthetic request for curl."""

import json
from datetime import datetime

import click

from cds_service import examples
from cds_service.commands.common import DAY, day_of
from cds_service.settings.folders import data_folder


@click.command()
@click.argument("name", required=False)
@click.option("--today", type=DAY, help="The day to move the dates to (default: today, UTC).")
def example(name: str | None, today: datetime | None) -> None:
    """Print an example request with its dates moved to today, for curl; without NAME, list the examples."""
    found = examples.examples(data_folder("fhir_examples"))
    if name is None:
        width = max(len(item) for item in found)
        for item in found.values():
            click.echo(f"{item.name.ljust(width)}  {item.about['title']}")
        return
    if name not in found:
        raise click.ClickException(f"There is no example '{name}'. The examples are {', '.join(found)}.")
    click.echo(json.dumps(examples.request_as_of(found[name], day_of(today)), indent=1, ensure_ascii=False))
