"""Rows of evidence pages: encrypted, found by the hash of an id, bound to one browser, removed when they expire."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ClauseElement, ColumnElement, delete, func, or_, select, true, update

from cds_service.store.database import Store
from cds_service.store.tables import EVIDENCE_PAGES

# The rows of one transaction; concurrent calls that write wait no longer than it takes.
REMOVED_AT_ONCE = 200
_T = EVIDENCE_PAGES.c


class ClosedPage(NamedTuple):
    """One row. ``key`` is the hash of the id, ``expires`` is in seconds since 1970; ``server_key`` and ``sealed`` come
    from ``Keys.seal``."""

    key: bytes
    card: str
    client: str
    expires: int
    server_key: str
    sealed: str


class Ended(NamedTuple):
    """The card and client of a removed page."""

    card: str
    client: str


def add(store: Store, pages: Sequence[ClosedPage]) -> None:
    """Store pages. Raises StoreError."""
    store.write_quickly((_insert, [page._asdict() for page in pages]))


def _insert(store: Store) -> ClauseElement:
    return store.insert(EVIDENCE_PAGES).values(dict.fromkeys(ClosedPage._fields))


def find(store: Store, key: bytes, now: datetime) -> ClosedPage | None:
    """The page with this key that has not expired, or None. Raises StoreError."""
    query = select(*(_T[name] for name in ClosedPage._fields)).where(_T.key == key, _T.expires > now.timestamp())
    with store.reading() as connection:
        row = connection.execute(query).first()
    return ClosedPage(*row) if row is not None else None


def bind(store: Store, key: bytes, browser: bytes) -> bool:
    """Bind a page to a browser, by a hash of its cookie; returns False if it is bound to another browser, or gone.

    Raises StoreError.
    """
    first = update(EVIDENCE_PAGES).where(_T.key == key, or_(_T.browser.is_(None), _T.browser == browser))
    with store.writing() as connection:
        bound = connection.execute(first.values(browser=browser), execution_options={"preserve_rowcount": True})
        return bound.rowcount == 1


def number(store: Store) -> int:
    """The number of pages. Raises StoreError."""
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(EVIDENCE_PAGES)).scalar_one()


def remove_ended(store: Store, now: datetime, clients: Collection[str]) -> Iterator[list[Ended]]:
    """Remove the pages that have expired, and those of clients that may no longer call, batch by batch.

    ``clients`` are the ids of the clients that may call. Raises StoreError.
    """
    return _remove(store, or_(_T.expires <= now.timestamp(), _T.client.not_in(list(clients))))


def remove_first(store: Store, most: int) -> Iterator[list[Ended]]:
    """Remove the ``most`` pages that expire first, batch by batch. Raises StoreError."""
    return _remove(store, true(), most)


def _remove(store: Store, which: ColumnElement[bool], most: int | None = None) -> Iterator[list[Ended]]:
    while most is None or most > 0:
        size = REMOVED_AT_ONCE if most is None else min(REMOVED_AT_ONCE, most)
        first = select(_T.key, _T.card, _T.client).where(which).order_by(_T.expires, _T.key).limit(size)
        with store.writing() as connection:
            found = connection.execute(first).all()
            if found:
                connection.execute(delete(EVIDENCE_PAGES).where(_T.key.in_([row.key for row in found])))
        if not found:
            return
        most = None if most is None else most - len(found)
        yield [Ended(row.card, row.client) for row in found]
