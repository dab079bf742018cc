"""Shared by several commands: options, settings, rule sets, clients, the guide, and the day."""

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds_service.clock import utc_today
from cds_service.errors import PolicyError

if TYPE_CHECKING:
    from cds_service.library import Library
    from cds_service.service.guide import Guide
    from cds_service.settings.settings import Settings
    from cds_service.trust.entries import Clients

DAY = click.DateTime(["%Y-%m-%d"])
CODES = click.option(
    "--codes",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of code packs whose words and numbers replace ours (default: CDS_SERVICE_CODES).",
)


def settings_of(codes: Path | None = None) -> "Settings":
    """The settings; a command-line option overrides its variable. Raises ClickException."""
    from cds_service.settings.settings import load_settings

    try:
        settings = load_settings()
        return settings.model_copy(update={"codes": codes}) if codes else settings
    except ValueError as error:
        raise click.ClickException(f"The settings cannot be used:\n{error}") from None


def clients_of(settings: "Settings") -> "Clients":
    """The clients file of the settings. Raises ClickException."""
    from cds_service.trust.clients import ClientsError, load_clients

    path = settings.clients
    if path is None:
        raise click.ClickException("Set CDS_SERVICE_CLIENTS to the clients file; without one calls are open.")
    try:
        return load_clients(path)
    except ClientsError as error:
        raise click.ClickException(f"The clients file of CDS_SERVICE_CLIENTS cannot be used:\n{error}") from None


def library_of(settings: "Settings") -> "Library":
    """The rule sets of the settings. Raises ClickException."""
    from cds_service.library import load_library

    try:
        return load_library(settings.cards, settings.canonical_base, settings.codes, settings.value_sets)
    except PolicyError as error:
        raise click.ClickException("The rule sets cannot be used:\n" + str(error)) from None


def guide_of(settings: "Settings") -> "Guide":
    """The guide that evaluates calls; rule sets that did not load are reported on standard error."""
    from cds_service.service import guide

    library = library_of(settings)
    warn_of_left_out(library)
    return guide.guide_of(settings, library, settings.public_url or "http://127.0.0.1:8080")


def warn_of_left_out(library: "Library") -> None:
    """Reports on standard error each rule set folder that did not load, and why."""
    for item in library.left_out:
        click.echo(f"{'Skipped the draft' if item.draft else 'LEFT OUT the rule set'} {item.name}:", err=True)
        for problem in item.problems:
            click.echo(f"  {problem}", err=True)


def day_of(given: datetime | None) -> date:
    return given.date() if given else utc_today()
