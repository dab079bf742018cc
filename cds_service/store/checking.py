"""A check of the whole store: its version, its tables, and in SQLite every page, index and reference."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any, NamedTuple

from sqlalchemy import func, select

from cds_service.store.database import Store
from cds_service.store.failures import StoreError
from cds_service.store.tables import METADATA

_MOST_PROBLEMS = 20


class Checked(NamedTuple):
    """The result: ``rows`` is the count by table, None for an unreadable table; ``problems`` has a line for each."""

    version: str | None
    rows: Mapping[str, int | None]
    problems: tuple[str, ...]


def check(store: Store) -> Checked:
    """Check the whole store, however long that takes. Raises StoreError if it cannot be opened."""
    rows: dict[str, int | None] = {}
    problems: list[str] = []
    for name, table in sorted(METADATA.tables.items()):
        rows[name] = None
        try:
            with store.reading() as connection:
                rows[name] = connection.execute(select(func.count()).select_from(table)).scalar_one()
        except StoreError as error:
            problems.append(str(error))
    if store.address.file is not None:
        problems += _sqlite_problems(store)
    return Checked(store.version(), rows, tuple(problems))


def _sqlite_problems(store: Store) -> list[str]:
    found: list[Any] = []
    with closing(sqlite3.connect(store.address.file or "", isolation_level=None)) as connection:
        try:
            found = [row for (row,) in connection.execute(f"PRAGMA integrity_check({_MOST_PROBLEMS})") if row != "ok"]
        except sqlite3.DatabaseError as error:
            found = [error.sqlite_errorname]
        with suppress(sqlite3.DatabaseError):
            found += [f"a row of {table} without its {parent}" for table, _, parent, _ in _broken(connection)]
    return found


def _broken(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST_PROBLEMS)
