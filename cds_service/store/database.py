"""The store: opened and migrated on demand, shared by threads, workers and (in PostgreSQL) hosts."""

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ClauseElement, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from cds_service.clock import Deadline
from cds_service.store import files, migration
from cds_service.store.address import Address, address_of
from cds_service.store.circuit import Circuit
from cds_service.store.engines import WRITES, Engines, make_engines
from cds_service.store.failures import StoreError, failure
from cds_service.store.instants import text_of
from cds_service.store.tables import PULSE

# The longest wait of a call for the store: waiting threads answer nobody, not even calls that need no store.
SECONDS_OF_A_CALL = 2.0
# At the start, several processes may migrate one after the other; a call that finds the store closed waits less.
SECONDS_AT_START = 60.0
SECONDS_WITHIN_A_CALL = 3.0
# After a failed opening, calls are refused at once for this long, because otherwise each would wait for the store.
SECONDS_BETWEEN_TRIES = 2.0
SECONDS_OF_A_CHECK = 60.0
DAMAGED = "its file is damaged; `cds-service store recover` saves what can be read"

Insert = postgresql.Insert | sqlite.Insert
# Creates a statement for one kind of database; called once for each store.
Prepare = Callable[["Store"], ClauseElement]


class Store:
    """One database. Every method raises StoreError, whose text is a sentence, if it fails.

    The store opens and connects on first use. It opens again if the SQLite file was removed or replaced or the tables
    are gone; ``reopened`` counts those. Before this process forks, the store closes idle connections, so no child
    shares one (SQLite, "How To Corrupt An SQLite Database File", section 2.6).
    """

    def __init__(self, address: Address, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.address = address
        self.reopened = 0
        self._engines = make_engines(address)
        self._writing = self._engines.durable.execution_options(**{WRITES: True})
        self._prepared: dict[Prepare, str] = {}
        self._circuit = Circuit(address.shown)
        self._monotonic = monotonic
        self._opening = threading.Lock()
        self._is_open = self._was_open = False
        self._known: files.Look | None = None
        self._failure, self._try_again = "", 0.0
        _dispose_before_fork(self._engines)

    def problem(self) -> str:
        """The reason for the last failure to open the store, as a sentence; empty if it is open or was not needed."""
        return "" if self._is_open else self._failure

    def open(self, seconds: float = SECONDS_AT_START) -> None:
        """Open the database and bring its schema up to date; creates a missing SQLite file.

        Waits at most ``seconds`` for other processes that do the same.
        """
        with self._one_thread():
            self._try(seconds)

    @contextmanager
    def within(self, deadline: Deadline) -> Iterator[None]:
        """A call's work with the store, limited by its deadline and ``SECONDS_OF_A_CALL``.

        Shortly after another call waited in vain, refuses the work at once. Work past the deadline may still be done.
        """
        soon = Deadline(min(deadline.left(), SECONDS_OF_A_CALL))
        with self._circuit.guarded(), self._engines.patience.until(soon):
            yield

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that reads one state of the database."""
        self._ensure()
        with self.failures(), self._engines.durable.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is on disk when it ends, so acknowledged data is never lost."""
        known = self._ensure()
        with self.failures(), self._writing.begin() as connection:
            yield connection
        self._still(known)

    def write_quickly(self, *work: tuple[Prepare, Sequence[Mapping[str, Any]]]) -> int:
        """Run statements, each with its rows of values, in one transaction that does not wait for the disk.

        Returns the number of rows written. It is for data that every call writes; data that must survive a loss of
        power needs ``writing``.
        """
        known = self._ensure()
        texts = [(self._text(prepare), rows) for prepare, rows in work]
        with self.failures(), closing(self._engines.quick.raw_connection()) as pooled:
            driver: Any = pooled.driver_connection
            alone = len(texts) == 1 and len(texts[0][1]) == 1
            with nullcontext() if alone else self._transaction(driver), closing(driver.cursor()) as cursor:
                written = sum(_run(cursor, text, rows) for text, rows in texts)
        self._still(known)
        return written

    @contextmanager
    def _transaction(self, driver: Any) -> Iterator[None]:
        if self.address.file is None:
            with driver.transaction():
                yield
            return
        driver.execute("BEGIN IMMEDIATE").close()
        with driver:
            yield

    def _text(self, prepare: Prepare) -> str:
        if (text := self._prepared.get(prepare)) is None:
            text = self._prepared[prepare] = str(prepare(self).compile(dialect=self._engines.quick.dialect))
        return text

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Turn errors of the database into StoreError, because their own text may repeat the stored values."""
        try:
            yield
        except Exception as error:
            driver = self._engines.durable.dialect.loaded_dbapi
            if not isinstance(error, SQLAlchemyError | driver.Error):
                raise
            raise failure(error, self.address.shown) from None

    def insert(self, table: Table) -> Insert:
        """An INSERT that supports ON CONFLICT, in the dialect of this database."""
        return sqlite.insert(table) if self.address.file else postgresql.insert(table)

    def ping(self) -> None:
        """Write one row to check that the store works. Restores missing tables. Raises StoreError."""
        if self.version() != migration.NEWEST:
            self._is_open = False
        row: Mapping[str, Any] = {"name": "ready", "at": text_of(datetime.now(UTC))}
        with self.writing() as connection:
            connection.execute(
                self.insert(PULSE).values(row).on_conflict_do_update(index_elements=["name"], set_={"at": row["at"]})
            )

    def is_damaged(self) -> bool:
        """True if SQLite's quick check finds damage; False if the check takes longer than SECONDS_OF_A_CHECK.

        PostgreSQL checks its own pages, so the result for it is always False.
        """
        self._ensure()
        if self.address.file is None:
            return False
        with self.failures():
            try:
                return self._finds_damage()
            except sqlite3.DatabaseError as error:
                # Damage may end the check early, or prevent opening the file.
                if error.sqlite_errorname in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
                    return True
                raise

    def _finds_damage(self) -> bool:
        until = self._monotonic() + SECONDS_OF_A_CHECK
        with closing(self._engines.durable.raw_connection()) as pooled:
            driver: Any = pooled.driver_connection
            driver.set_progress_handler(lambda: self._monotonic() > until, 100_000)
            try:
                return bool(driver.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorname == "SQLITE_INTERRUPT":
                    return False
                raise
            finally:
                driver.set_progress_handler(None, 0)

    def version(self) -> str | None:
        """The version of the schema. Raises StoreError."""
        with self.reading() as connection:
            return migration.version(connection)

    def close(self) -> None:
        """Close the connections."""
        self._engines.dispose()

    def _ensure(self) -> files.Look | None:
        """The open file. Opens it again if the path has another file, but retries a failure only after a pause."""
        if self._is_open and not self._has_changed():
            return self._known
        with self._one_thread():
            # Another thread may have opened it in the meantime.
            if self._is_open and not self._has_changed():
                return self._known
            if self._monotonic() < self._try_again:
                raise StoreError(self._failure)
            self._try(SECONDS_WITHIN_A_CALL)
            return self._known

    def _at_most(self, seconds: float) -> float:
        """``seconds``, or the rest of the call's deadline if that is less."""
        return min(seconds, max(0.0, self._engines.patience.seconds(seconds)))

    @contextmanager
    def _one_thread(self) -> Iterator[None]:
        if not self._opening.acquire(timeout=self._at_most(SECONDS_WITHIN_A_CALL)):
            raise StoreError(f"The store ({self.address.shown}) cannot be used: it is being opened.")
        try:
            yield
        finally:
            self._opening.release()

    def _try(self, seconds: float) -> None:
        try:
            with self.failures():
                self._open(seconds)
        except StoreError as error:
            self._failure, self._try_again = str(error), self._monotonic() + SECONDS_BETWEEN_TRIES
            raise

    def _has_changed(self) -> bool:
        """True if the path has another file than the open one, or the file has become smaller.

        An SQLite file never shrinks by itself: somebody truncated it, or ran VACUUM.
        """
        if self.address.file is None or self._known is None:
            return False
        now = files.look_at(self.address.file)
        return now is None or now.identity != self._known.identity or now.size < self._known.size

    def _still(self, known: files.Look | None) -> None:
        """Raise StoreError if the file just written is no longer at its path."""
        if known is None or self.address.file is None:
            return
        now = files.look_at(self.address.file)
        if now is None or now.identity != known.identity:
            self._engines.dispose()
            raise StoreError(f"The store's file {self.address.file} was removed or replaced while it was written.")

    def _open(self, seconds: float) -> None:
        before, self._is_open = self._known, False
        self._engines.dispose()
        file, seconds = self.address.file, self._at_most(seconds)
        try:
            if file is None:
                # The server ends the wait for its lock; for a stopped server, this side does.
                with self._engines.patience.until(Deadline(self._at_most(2 * seconds))):
                    is_new = migration.bring_up_to_date(self._engines.durable, self.address, seconds)
            else:
                with files.locked(file, seconds) as lock:
                    is_new = self._open_file(file, lock, before)
        except OSError as error:
            raise StoreError(f"The store ({self.address.shown}) cannot be opened: {error.strerror}.") from None
        self._is_open = True
        if self._was_open and is_new:
            self.reopened += 1
        self._was_open = True

    def _open_file(self, file: Path, lock: files.Lock, before: files.Look | None) -> bool:
        """Open the file at the path; returns True if it differs from the one ``before``, or was empty."""
        now = files.look_at(file)
        if before is not None and now is not None and now.size == 0:
            # Emptied in place: other processes have the file open too, and must notice a new file.
            files.set_aside(file, "", word="emptied")
            now = None
        files.make_private(file)
        # A file that is created again may get the inode of the one that is gone.
        is_other = before is not None and (now is None or now.identity != before.identity)
        if is_other and (now is None or now.identity != lock.marked()):
            files.set_aside(file, *files.BESIDE, word="replaced")
        migrated = migration.bring_up_to_date(self._engines.durable, self.address, SECONDS_AT_START)
        if not is_other and before is not None and now is not None and now.size < before.size and self._finds_damage():
            raise StoreError(f"The store ({self.address.shown}) cannot be used: {DAMAGED}.")
        self._known = files.look_at(file)
        if self._known is None:
            raise StoreError(f"The store's file {file} was removed while it was opened.")
        lock.mark(self._known.identity)
        return migrated or is_other


def store_at(url: str | None, state: Path) -> Store:
    """The store at ``url``, or SQLite in the folder ``state``; opens and creates nothing before first use.

    Raises ValueError for an unusable address.
    """
    return Store(address_of(url, state))


def open_store(url: str | None, state: Path, *, create: bool = True) -> Store:
    """The store at ``url``, or SQLite in the folder ``state``, migrated to the newest version, without connections.

    Creates SQLite's folder and file for their owner alone (0700, 0600); with ``create`` false, creates no database.
    Raises StoreError for an unusable address, for a database that cannot be reached or written, and for a newer
    version.
    """
    try:
        store = store_at(url, state)
    except ValueError as error:
        raise StoreError(f"CDS_SERVICE_STORE_URL: {error}") from None
    file = store.address.file
    if file is not None and not create and not file.exists():
        raise StoreError(f"There is no store at {file} yet; the service creates it when it starts.")
    try:
        store.open()
    finally:
        store.close()
    return store


def _run(cursor: Any, text: str, rows: Sequence[Mapping[str, Any]]) -> int:
    if len(rows) == 1:
        cursor.execute(text, rows[0])
    else:
        cursor.executemany(text, rows)
    return int(cursor.rowcount)


def _dispose_before_fork(engines: Engines) -> None:
    known = weakref.ref(engines)

    def dispose() -> None:
        if (still := known()) is not None:
            still.dispose()

    os.register_at_fork(before=dispose)
