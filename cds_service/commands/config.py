"""``cds-service config``: the settings in effect."""

import json

import click

from cds_service.commands.common import settings_of


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, with what each setting means.")
def config(as_json: bool) -> None:
    """Print every setting in effect in this environment, and whether it is set there; secrets are masked."""
    from cds_service.settings.effective import effective, table

    rows = effective(settings_of())
    click.echo(json.dumps([row._asdict() for row in rows], indent=1, ensure_ascii=False) if as_json else table(rows))
