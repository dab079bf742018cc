"""The commands of the store: whether it is whole, what can be saved of a damaged one, and what is past its time."""

import sys
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cds_service.settings import Settings


def store_group(settings_of: "Callable[[], Settings]") -> click.Group:
    """The group ``store``; ``settings_of`` gives the settings, and ends the program where they cannot be used."""

    @click.group()
    def store() -> None:
        """Check, recover or prune what is kept: feedback, cards shown, tokens seen, activity."""

    @store.command()
    def check() -> None:
        """Check the whole store, and print how much of each kind it holds; ends with 1 where it is damaged."""
        _check(settings_of())

    @store.command()
    def recover() -> None:
        """Save what can be read of a damaged SQLite file into a new one, which takes its place.

        The damaged file stays beside it under a name with the date. The service may run: it goes on with the new file.
        """
        _recover(settings_of())

    @store.command()
    def prune() -> None:
        """Remove now what the running service removes once a day: what is past its days or beyond its cap."""
        _prune(settings_of())

    return store


def _check(settings: "Settings") -> None:
    from cds_service.store.checking import check
    from cds_service.store.database import open_store
    from cds_service.store.failures import StoreError

    try:
        with closing(open_store(settings.store_url.get_secret_value(), settings.state, create=False)) as store:
            found = check(store)
    except StoreError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{store.address.shown}, version {found.version}")
    for table, number in found.rows.items():
        click.echo(f"{table}: {'cannot be read' if number is None else number}")
    for problem in found.problems:
        click.echo(f"damaged: {problem}")
    if found.problems:
        click.echo("Run `cds-service store recover` to save what can be read.")
    sys.exit(1 if found.problems else 0)


def _recover(settings: "Settings") -> None:
    from cds_service.store.address import address_of
    from cds_service.store.failures import StoreError
    from cds_service.store.salvage import recover

    try:
        found = recover(address_of(settings.store_url.get_secret_value(), settings.state))
    except (StoreError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    for table, number in found.rows.items():
        click.echo(f"{table}: {number} rows saved")
    if found.orphans:
        click.echo(f"{found.orphans} rows were left out: what they belong to could not be read.")
    click.echo(f"The damaged file is {found.damaged}.")


def _prune(settings: "Settings") -> None:
    from cds_service.clock import utc_today
    from cds_service.retention import limits_of, prune_all
    from cds_service.store.database import open_store
    from cds_service.store.failures import StoreError

    try:
        with closing(open_store(settings.store_url.get_secret_value(), settings.state, create=False)) as store:
            removed = prune_all(store, None, limits_of(settings), utc_today())
    except StoreError as error:
        raise click.ClickException(str(error)) from None
    for (kind, reason), number in removed.items():
        click.echo(f"{kind}: {number} rows removed, {'past their days' if reason == 'age' else 'beyond the cap'}")
    if not removed:
        click.echo("Nothing is past its days or beyond its cap.")
