"""The cards that were shown: whose they are, so that feedback, which names a card by its uuid alone, can be counted."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ClauseElement, ColumnElement, and_, delete, func, select

from cds_service.feedback import CardsShown, Days
from cds_service.store.database import Store
from cds_service.store.tables import CARDS_SHOWN, FEEDBACK, SUGGESTIONS_SHOWN

LONGEST_LABEL = 500


@dataclass(frozen=True, slots=True)
class Shown:
    """One card of an answer. ``outcome`` is what the card said in the closed words of ``operations.outcomes``;
    ``suggestions`` are uuid and label of what it offers; ``day`` is the UTC day.
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
    """Keeps what cards are about. The same card shown again changes nothing: its first day counts.

    Raises StoreError; the answer need not wait for that, it costs a line of the report.
    """
    # In one order everywhere, or two transactions could each wait for the other.
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


def counts(store: Store, days: Days) -> list[CardsShown]:
    """How many cards were first shown in those days, by statement and outcome of the card. Raises StoreError."""
    table = CARDS_SHOWN.c
    query = (
        select(table.policy, table.outcome, func.count())
        .group_by(table.policy, table.outcome)
        .order_by(table.policy, table.outcome)
    )
    if days.since:
        query = query.where(table.day >= days.since.isoformat())
    if days.until:
        query = query.where(table.day <= days.until.isoformat())
    with store.reading() as connection:
        return [CardsShown(*row) for row in connection.execute(query)]


def prune(store: Store, today: date, days: int) -> int:
    """Forgets cards first shown more than ``days`` days before ``today`` that nobody gave feedback on; how many.

    A card with feedback stays on record, as feedback does. Raises StoreError.
    """
    with store.writing() as connection:
        return connection.execute(delete(CARDS_SHOWN).where(_old(today, days))).rowcount


def number_of_old(store: Store, today: date, days: int) -> int:
    """How many cards ``prune`` would forget. Raises StoreError."""
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(CARDS_SHOWN).where(_old(today, days))).scalar_one()


def _old(today: date, days: int) -> ColumnElement[bool]:
    answered = select(FEEDBACK.c.card).where(FEEDBACK.c.card == CARDS_SHOWN.c.card)
    return and_(CARDS_SHOWN.c.day < (today - timedelta(days=days)).isoformat(), ~answered.exists())
