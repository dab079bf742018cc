"""``cds-service charts``: evaluates a folder of FHIR files and reports what was read."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from cds_service.commands.common import CODES, DAY, day_of, guide_of, settings_of

if TYPE_CHECKING:
    from cds_service.authoring.charts import ChartsReport, TypeLedger
    from cds_service.fhir.elements import Json

_STATES = ("whole", "in-part", "failed", "missing")


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--draft",
    "draft_file",
    type=click.File(encoding="utf-8"),
    help="A JSON file with the order to sign (a resource, a Bundle, or a hook request with draftOrders); default: the "
    "first order of each rule set's own cases.",
)
@click.option("--today", type=DAY, help="The day to evaluate on (default: today, UTC).")
@click.option("--most", default=40, show_default=True, help="The most lines of records without a known code.")
@CODES
def charts(directory: Path, draft_file: TextIO | None, today: datetime | None, most: int, codes: Path | None) -> None:
    """Evaluate each patient of each FHIR JSON file in DIRECTORY, and report what was read of each.

    Prints what was delivered, the records whose codes no rule set lists (the most frequent first), and crashes. Exit
    status 1 where the service crashed on a chart, or no chart was found.
    """
    from cds_service.authoring.charts import drafts_of, report

    guide, day = guide_of(settings_of(codes)), day_of(today)
    drafts = _drafts(draft_file) if draft_file else drafts_of(guide.library.policies, guide)
    found = report(directory, guide, drafts, day)
    if not found.calls:
        raise click.ClickException("\n  ".join([f"{directory} holds no chart that can be read:", *found.skipped]))
    click.echo(f"{found.files} files, {found.calls} patients, {len(drafts)} draft orders each, on {day}")
    for line in _lines(found, most):
        click.echo(line)
    sys.exit(1 if found.crashes else 0)


def _drafts(file: TextIO) -> "list[Json]":
    """The orders in a file; resources of other types are skipped. Raises ClickException if there are none."""
    from cds_service.fhir.bundles import read_value
    from cds_service.fhir.types import ORDERS

    try:
        written: Any = json.load(file)
    except ValueError as error:
        raise click.ClickException(f"{file.name} is not JSON: {error}") from None
    context = written.get("context") if isinstance(written, dict) else None
    drafted = context.get("draftOrders") if isinstance(context, dict) else written
    orders = [order for kind, found in read_value(drafted).by_type.items() if kind in ORDERS for order in found]
    if not orders:
        allowed = ", ".join(ORDERS)
        raise click.ClickException(f"{file.name} holds no order; an order is one of {allowed}, alone or in a Bundle.")
    return orders


def _lines(found: "ChartsReport", most: int) -> Iterator[str]:
    yield from ("", "Cards")
    for policy, cards in sorted(found.cards.items()):
        yield f"  {policy}: {_counted(sorted(cards.items()))}"
    yield from ("", "Delivered, of the types that rule sets read")
    head = ("type", *_STATES, "received", "counted", "not counted, and why")
    yield from _table([head, *(_ledger(kind, ledger) for kind, ledger in sorted(found.ledgers.items()))])
    if found.unread:
        yield f"  Not read by any rule set: {_counted(sorted(found.unread.items()))}"
    total, kinds = found.uncoded.total(), len(found.uncoded)
    yield from (
        "",
        f"Without a code that a rule set lists: {total} of {found.records} records and parts, in {kinds} ways",
    )
    ways = sorted(found.uncoded.items(), key=lambda item: (-item[1], item[0]))
    rows = [("records", "patients", "type", "code", "words")]
    for item, count in ways[:most]:
        words = f"{item.words} (read by its words)" if item.by_words else item.words
        rows.append((str(count), str(found.patients[item]), item.type, item.code or "none", words))
    yield from _table(rows)
    if kinds > most:
        yield f"  and {kinds - most} more; --most {kinds} shows them all"
    for title, told in (
        ("Files without a chart", found.skipped),
        ("Refused calls", found.refused),
        ("Crashes", found.crashes),
    ):
        yield from ("", f"{title}: {len(told) or 'none'}", *(f"  {line}" for line in told))


def _ledger(kind: str, ledger: "TypeLedger") -> tuple[str, ...]:
    states = (str(ledger.states[state] or "") for state in _STATES)
    why = _counted(ledger.why_not.most_common())
    return (kind, *states, str(ledger.received), str(ledger.counted), why)


def _counted(items: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {count}" for name, count in items)


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  " + "  ".join([*cells, row[-1]]).rstrip()
