"""The cards that were shown, with their statements: feedback names a card only by its uuid."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ClauseElement, ColumnElement, delete, func, select, true

from cds_service.hooks.client_names import WORKBENCH
from cds_service.hooks.feedback import CardsShown, DayRange
from cds_service.store.database import Store
from cds_service.store.tables import CARDS_SHOWN, FEEDBACK, SUGGESTIONS_SHOWN

LONGEST_LABEL = 500
# The rows of one transaction; concurrent calls that write wait no longer than it takes.
REMOVED_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One card of an answer. ``outcome`` is the card's message in the fixed words of ``web.outcomes``;
    ``suggestions`` are uuid and label of the card's offers; ``day`` is the UTC day.
    """

    card: str
    client: str
    policy: str
    edition: str
    outcome: str
    service: str
    day: date
    suggestions: tuple[tuple[str, str], ...] = ()


def record(store: Store, cards: Iterable[Shown]) -> None:
    """Store the subjects of cards. Showing the same card again changes nothing: its first day counts.

    Raises StoreError; the answer need not wait for this, because a failure costs only a line of the report.
    """
    # Without a fixed order, two transactions could each wait for the other.
    rows = sorted(cards, key=lambda row: row.card)
    if not rows:
        return
    columns = ("card", "client", "policy", "edition", "outcome", "service")
    shown = [{name: getattr(row, name) for name in columns} | {"day": row.day.isoformat()} for row in rows]
    offered = [
        {"suggestion": uuid, "card": row.card, "label": label[:LONGEST_LABEL]}
        for row in rows
        for uuid, label in sorted(row.suggestions)
    ]
    store.write_quickly((_insert_card, shown), *([(_insert_suggestion, offered)] if offered else []))


def _insert_card(store: Store) -> ClauseElement:
    return store.insert(CARDS_SHOWN).on_conflict_do_nothing()


def _insert_suggestion(store: Store) -> ClauseElement:
    return store.insert(SUGGESTIONS_SHOWN).on_conflict_do_nothing()


def counts(store: Store, days: DayRange, *, workbench: bool = False) -> list[CardsShown]:
    """The number of cards first shown in those days, by statement and outcome of the card.

    ``workbench``: the cards of the workbench's demo calls instead of all others. Raises StoreError.
    """
    table = CARDS_SHOWN.c
    query = (
        select(table.policy, table.outcome, func.count())
        .where((table.client == WORKBENCH) == workbench)
        .group_by(table.policy, table.outcome)
        .order_by(table.policy, table.outcome)
    )
    if days.since:
        query = query.where(table.day >= days.since.isoformat())
    if days.until:
        query = query.where(table.day <= days.until.isoformat())
    with store.reading() as connection:
        return [CardsShown(*row) for row in connection.execute(query)]


def number(store: Store) -> int:
    """The number of cards on record. Raises StoreError."""
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(CARDS_SHOWN)).scalar_one()


def remove_old(store: Store, first: date) -> Iterator[int]:
    """Remove the cards without feedback first shown before the day ``first``, batch by batch; yields each number.

    A card stays on record as long as its feedback does. Raises StoreError.
    """
    return _remove(store, CARDS_SHOWN.c.day < first.isoformat())


def remove_oldest(store: Store, most: int) -> Iterator[int]:
    """Remove the ``most`` oldest cards without feedback, batch by batch; yields each number. Raises StoreError."""
    return _remove(store, true(), most)


def _remove(store: Store, which: ColumnElement[bool], most: int | None = None) -> Iterator[int]:
    card = CARDS_SHOWN.c
    answered = select(FEEDBACK.c.card).where(FEEDBACK.c.client == card.client, FEEDBACK.c.card == card.card)
    # Cards with feedback stay, and the next batch need not search their days again.
    since = ""
    while most is None or most > 0:
        size = REMOVED_AT_ONCE if most is None else min(REMOVED_AT_ONCE, most)
        oldest = (
            select(card.card, card.day)
            .where(which, card.day >= since, ~answered.exists())
            .order_by(card.day)
            .limit(size)
        )
        with store.writing() as connection:
            found = [(name, day) for name, day in connection.execute(oldest)]
            if found:
                # Checked again, because feedback may have come in the meantime.
                gone = delete(CARDS_SHOWN).where(card.card.in_([name for name, _ in found]), ~answered.exists())
                removed = connection.execute(gone).rowcount
        if not found:
            return
        since = found[-1][1]
        most = None if most is None else most - len(found)
        yield removed
