"""``cds-service store``: checks the store, recovers a damaged one, and prunes expired data."""

import sys
from contextlib import closing

import click

from cds_service.commands.common import settings_of


@click.group()
def store() -> None:
    """Check, recover or prune what is kept: feedback, cards shown, tokens seen, activity."""


@store.command()
def check() -> None:
    """Check the whole store, and print how much of each kind it holds; ends with 1 where it is damaged."""
    from cds_service.store import checking
    from cds_service.store.database import open_store
    from cds_service.store.failures import StoreError

    settings = settings_of()
    try:
        with closing(open_store(settings.store_url.get_secret_value(), settings.state, create=False)) as opened:
            found = checking.check(opened)
    except StoreError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{opened.address.shown}, version {found.version}")
    for table, number in found.rows.items():
        click.echo(f"{table}: {'cannot be read' if number is None else number}")
    for problem in found.problems:
        click.echo(f"damaged: {problem}")
    if found.problems:
        click.echo("Run `cds-service store recover` to save what can be read.")
    sys.exit(1 if found.problems else 0)


@store.command()
def recover() -> None:
    """Save what can be read of a damaged SQLite file into a new one, which takes its place.

    The damaged file stays beside it under a name with the date. The service may run: it goes on with the new file.
    """
    from cds_service.store import salvage
    from cds_service.store.address import address_of
    from cds_service.store.failures import StoreError

    settings = settings_of()
    try:
        found = salvage.recover(address_of(settings.store_url.get_secret_value(), settings.state))
    except (StoreError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    for table, number in found.rows.items():
        click.echo(f"{table}: {number} rows saved")
    if found.orphans:
        click.echo(f"{found.orphans} rows were left out: what they belong to could not be read.")
    click.echo(f"The damaged file is {found.damaged}.")


@store.command()
def prune() -> None:
    """Remove now what the running service removes once a day: what is past its days or beyond its cap."""
    from cds_service.clock import utc_today
    from cds_service.installation import retention_limits
    from cds_service.store.database import open_store
    from cds_service.store.failures import StoreError
    from cds_service.store.retention import SET_ASIDE, added_up, prune_store

    settings = settings_of()
    try:
        with closing(open_store(settings.store_url.get_secret_value(), settings.state, create=False)) as opened:
            removed = added_up(prune_store(opened, retention_limits(settings), utc_today()))
    except StoreError as error:
        raise click.ClickException(str(error)) from None
    for (kind, reason), number in removed.items():
        what = "files" if kind == SET_ASIDE else "rows"
        click.echo(f"{kind}: {number} {what} removed, {'past their days' if reason == 'age' else 'beyond the cap'}")
    if not removed:
        click.echo("Nothing is past its days or beyond its cap.")
