"""The daily orders and cards of each statement: a statement with orders that no longer gives a card is broken."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ClauseElement, case, delete, func, select

from cds_service.store.database import Store
from cds_service.store.tables import ACTIVITY


@dataclass(frozen=True, slots=True)
class Activity:
    """A statement's work on a UTC day: calls with an order that may concern it, and cards given."""

    day: date
    policy: str
    orders: int
    cards: int


@dataclass(frozen=True, slots=True)
class Silence:
    """The last day with an order that concerned the statement, and the last day with a card; None for never.

    ``days`` counts the days with such orders after that card's day.
    """

    last_order: date | None
    last_card: date | None
    days: int


def record(store: Store, activity: Iterable[Activity]) -> None:
    """Add to the counts of some statements and days. Raises StoreError."""
    # Without a fixed order, two transactions could each wait for the other.
    rows = [
        {"policy": item.policy, "day": item.day.isoformat(), "orders": item.orders, "cards": item.cards}
        for item in sorted(activity, key=lambda item: (item.policy, item.day))
    ]
    if rows:
        store.write_quickly((_add, rows))


def _add(store: Store) -> ClauseElement:
    insert = store.insert(ACTIVITY)
    added = {"orders": ACTIVITY.c.orders + insert.excluded.orders, "cards": ACTIVITY.c.cards + insert.excluded.cards}
    return insert.on_conflict_do_update(index_elements=["policy", "day"], set_=added)


def silence(store: Store, today: date) -> dict[str, Silence]:
    """The silence of each statement, by its id, up to ``today``; omits statements that never had an order.

    Raises StoreError.
    """
    table, up_to = ACTIVITY.c, today.isoformat()
    last = (
        select(
            table.policy,
            func.max(case((table.orders > 0, table.day))).label("last_order"),
            func.max(case((table.cards > 0, table.day))).label("last_card"),
        )
        .where(table.day <= up_to)
        .group_by(table.policy)
        .subquery()
    )
    since = (
        select(func.count())
        .where(
            table.policy == last.c.policy,
            table.orders > 0,
            table.day <= up_to,
            (table.day > last.c.last_card) | last.c.last_card.is_(None),
        )
        .scalar_subquery()
    )
    with store.reading() as connection:
        rows = connection.execute(
            select(last.c.policy, last.c.last_order, last.c.last_card, since).order_by(last.c.policy)
        )
        return {policy: Silence(_day(order), _day(card), days) for policy, order, card, days in rows}


def remove_old(store: Store, first: date) -> int:
    """Remove the days before ``first``, except each statement's last day with a card; returns the number of rows.

    Raises StoreError.
    """
    table, later = ACTIVITY.c, ACTIVITY.alias()
    newer = select(later.c.day).where(later.c.policy == table.policy, later.c.day > table.day, later.c.cards > 0)
    old = delete(ACTIVITY).where(table.day < first.isoformat(), (table.cards == 0) | newer.exists())
    with store.writing() as connection:
        return connection.execute(old).rowcount


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
