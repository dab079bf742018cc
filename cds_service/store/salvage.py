"""Recovery of a damaged SQLite file: saves the readable rows into a new file that replaces it, and deletes nothing."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from cds_service.store import files, migration
from cds_service.store.address import Address, address_of
from cds_service.store.engines import WRITES, make_engines
from cds_service.store.failures import StoreError

SECONDS = 10.0
# The minimum bytes of a row in the file, which limits the number of rows after the last readable one.
_LEAST_BYTES_OF_A_ROW = 16
# The failed reads of one table before the rest of it is given up; they take some seconds.
_MOST_FAILURES = 100_000


class Salvaged(NamedTuple):
    """The saved rows by table, the number of rows dropped because their parent row was unreadable, and the new path of
    the damaged file.
    """

    rows: Mapping[str, int]
    orphans: int
    damaged: Path


def recover(address: Address) -> Salvaged:
    """Save the readable rows and replace the damaged file with the new one.

    Blocks writers meanwhile, so that no acknowledged data stays behind; a running service opens the new file by itself.
    Raises StoreError for a store that is not SQLite, a file that another process holds, or an unreadable schema; then
    nothing has changed.
    """
    file = address.file
    if file is None:
        raise StoreError(f"The store ({address.shown}) is not a file; PostgreSQL is recovered with its own tools.")
    if not file.exists():
        raise StoreError(f"There is no store at {file}.")
    new = files.aside(file, "recovered")
    with files.locked(file, SECONDS) as lock, closing(_opened(file)) as damaged:
        try:
            _hold_off_writers(damaged, file)
            revision = _make(new, damaged, file)
            rows, orphans = _copied(damaged, new, file)
            _bring_up_to_date(new, revision)
            stem = files.aside(file, "damaged")
            # The path always has a file: link a second name first, then replace the old name with the new file.
            os.link(file, stem)
            for name in files.BESIDE:
                with suppress(FileNotFoundError):
                    os.rename(f"{file}{name}", f"{stem}{name}")
            os.replace(new, file)
        except OSError as error:
            raise StoreError(f"The store's file {file} cannot be replaced: {error.strerror}.") from None
        finally:
            for name in ("", "-journal", *files.BESIDE):
                Path(f"{new}{name}").unlink(missing_ok=True)
        if (look := files.look_at(file)) is not None:
            lock.mark(look.identity)
    return Salvaged(rows, orphans, stem)


def _opened(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, timeout=SECONDS, isolation_level=None)


def _hold_off_writers(damaged: sqlite3.Connection, file: Path) -> None:
    try:
        damaged.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        raise StoreError(f"The store's file {file} is held by another process ({error.sqlite_errorname}).") from None
    except sqlite3.DatabaseError as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: sqlite3.DatabaseError) -> StoreError:
    return StoreError(
        f"The tables of {file} cannot be read at all ({error.sqlite_errorname}), so that no row can be saved. Move the "
        "file away (a running service then makes a new one) or put a backup in its place."
    )


def _make(new: Path, damaged: sqlite3.Connection, file: Path) -> str:
    """Create a file with the tables of the damaged file's version; returns the version."""
    try:
        found = damaged.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise _unreadable(file, error) from None
    revision = found[0] if found and found[0] in migration.REVISIONS else migration.NEWEST
    files.make_private(new)
    _migrate(new, revision)
    return str(revision)


def _migrate(file: Path, revision: str) -> None:
    engines = make_engines(address_of(f"sqlite:///{file}", file.parent))
    try:
        with engines.durable.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
            migration.migrate(connection, revision)
    finally:
        engines.dispose()


def _bring_up_to_date(new: Path, revision: str) -> None:
    if revision != migration.NEWEST:
        _migrate(new, migration.NEWEST)


def _copied(damaged: sqlite3.Connection, new: Path, file: Path) -> tuple[dict[str, int], int]:
    rows: dict[str, int] = {}
    most = file.stat().st_size // _LEAST_BYTES_OF_A_ROW
    with closing(_opened(new)) as target:
        target.execute("PRAGMA foreign_keys=OFF")
        target.execute("BEGIN")
        tables = target.execute("SELECT name, wr FROM pragma_table_list WHERE schema='main' AND type='table'")
        for table, without_rowid in tables.fetchall():
            if table.startswith("sqlite_") or table == "alembic_version":
                continue
            columns = [name for (name,) in target.execute(f"SELECT name FROM pragma_table_info('{table}')")]
            listed = ", ".join(f'"{name}"' for name in columns)
            insert = f"INSERT OR IGNORE INTO {table} ({listed}) VALUES ({', '.join('?' * len(columns))})"
            read = _by_key(damaged, table, listed) if without_rowid else _by_rowid(damaged, table, listed, most)
            rows[table] = sum(target.execute(insert, row).rowcount for row in read)
        orphans = 0
        while broken := {(table, row) for table, row, _, _ in target.execute("PRAGMA foreign_key_check")}:
            for table, row in broken:
                target.execute(f"DELETE FROM {table} WHERE rowid = ?", (row,))
                rows[table] -= 1
            orphans += len(broken)
        target.execute("COMMIT")
    return rows, orphans


def _by_rowid(damaged: sqlite3.Connection, table: str, columns: str, most: int) -> Iterator[tuple[object, ...]]:
    """Every readable row: after an error, halves the rest of the range until only the damaged rows are left."""
    query = f"SELECT rowid, {columns} FROM {table} WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
    ranges, failures = [(1, _last_rowid(damaged, table, most))], 0
    while ranges:
        first, last = ranges.pop()
        try:
            for rowid, *row in damaged.execute(query, (first, last)):
                yield tuple(row)
                first = rowid + 1
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            failures += 1
            if first < last and failures < _MOST_FAILURES:
                middle = (first + last) // 2
                ranges += [(middle + 1, last), (first, middle)]


def _last_rowid(damaged: sqlite3.Connection, table: str, most: int) -> int:
    last = 0
    with suppress(sqlite3.DatabaseError):
        return int(damaged.execute(f"SELECT coalesce(max(rowid), 0) FROM {table}").fetchone()[0])
    with suppress(sqlite3.DatabaseError):
        for (rowid,) in damaged.execute(f"SELECT rowid FROM {table} NOT INDEXED ORDER BY rowid"):
            last = rowid
    return last + most


def _by_key(damaged: sqlite3.Connection, table: str, columns: str) -> Iterator[tuple[object, ...]]:
    """The rows before the first damage and, from the end, the rows after the last."""
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.DatabaseError):
            yield from damaged.execute(f"SELECT {columns} FROM {table} ORDER BY 1 {order}")
            return
