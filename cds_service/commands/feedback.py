"""``cds-service feedback``: reports what clinicians did with the cards."""

from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import click

from cds_service.commands.common import DAY, library_of, settings_of

if TYPE_CHECKING:
    from cds_service.hooks.feedback import DayRange
    from cds_service.store.database import Store


Found = TypeVar("Found")
SINCE = click.option("--since", type=DAY, help="The first day (UTC; default: the oldest that is kept).")
UNTIL = click.option("--until", type=DAY, help="The last day (UTC; default: today).")
OF_WORKBENCH = click.option(
    "--workbench", is_flag=True, help="The feedback on the workbench's demo calls, in place of that of EHRs."
)


@click.group()
def feedback() -> None:
    """Report and export what clinicians did with the cards."""


@feedback.command("report")
@SINCE
@UNTIL
@OF_WORKBENCH
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one row for each line of each table.")
def feedback_report(since: datetime | None, until: datetime | None, workbench: bool, as_csv: bool) -> None:
    """Print how often cards were accepted and overridden, by statement, by what the card said and by reason.

    Each card counts once, by its newest feedback.
    """
    from cds_service.operations import feedback_report as reports
    from cds_service.store import feedback as stored
    from cds_service.store import shown
    from cds_service.store.database import Store

    days, settings = _days(since, until), settings_of()
    library = library_of(settings)

    def made(store: Store) -> reports.FeedbackReport:
        kept, counts = stored.kept(store, days, workbench=workbench), shown.counts(store, days, workbench=workbench)
        return reports.report(days, kept, counts, library.reason_label, workbench=workbench)

    found = _from_store(made)
    click.echo(reports.as_csv(found) if as_csv else reports.table(found), nl=not as_csv)


@feedback.command("export")
@SINCE
@UNTIL
@OF_WORKBENCH
@click.option("--ndjson", is_flag=True, help="Print JSON, one object per line, instead of CSV.")
def feedback_export(since: datetime | None, until: datetime | None, workbench: bool, ndjson: bool) -> None:
    """Print each piece of feedback: intervention, action taken, user feedback, user, date, location.

    CDS Hooks sends neither user nor location with feedback; both columns are empty. The users' own words are part of
    it and may speak of patients: keep the output as you keep a chart.
    """
    from cds_service.operations.feedback_report import export_csv, export_ndjson
    from cds_service.store.feedback import kept

    days = _days(since, until)
    found = _from_store(lambda store: kept(store, days, workbench=workbench))
    click.echo(export_ndjson(found) if ndjson else export_csv(found), nl=False)


def _days(since: datetime | None, until: datetime | None) -> "DayRange":
    from cds_service.hooks.feedback import DayRange

    if since and until and until < since:
        raise click.ClickException("--until is a day before --since; the first day comes first.")
    return DayRange(since.date() if since else None, until.date() if until else None)


def _from_store(read: "Callable[[Store], Found]") -> "Found":
    """The result of ``read`` on the store of the settings. Raises ClickException."""
    from cds_service.store.database import open_store
    from cds_service.store.failures import StoreError

    settings = settings_of()
    try:
        with closing(open_store(settings.store_url.get_secret_value(), settings.state, create=False)) as store:
            return read(store)
    except StoreError as error:
        raise click.ClickException(str(error)) from None
