"""The store: opened and migrated at start, shared by threads, workers and (in PostgreSQL) hosts."""

import os
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ClauseElement, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from cds_service.outgoing.deadline import Deadline
from cds_service.store import migration
from cds_service.store.address import Address, address_of
from cds_service.store.circuit import Circuit
from cds_service.store.engines import WRITES, Engines, make_engines
from cds_service.store.failures import StoreError, failure
from cds_service.store.instants import text_of
from cds_service.store.tables import PULSE

FOLDER_MODE, FILE_MODE = 0o700, 0o600
# What a call waits for the store at most: threads that wait answer nobody, not even those who need no store.
SECONDS_OF_A_CALL = 2.0

Insert = postgresql.Insert | sqlite.Insert
# Makes a statement for one kind of database; it is asked once for each store.
Prepare = Callable[["Store"], ClauseElement]


class Store:
    """One database. Every method raises StoreError, whose text is a sentence, where it cannot do its work.

    Connections are made when first needed. Before this process forks, those it does not use are closed, so that none
    is ever shared with a child (SQLite, "How To Corrupt An SQLite Database File", section 2.6).
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._engines = make_engines(address)
        self._writing = self._engines.durable.execution_options(**{WRITES: True})
        self._prepared: dict[Prepare, str] = {}
        self._circuit = Circuit(address.shown)
        _dispose_before_fork(self._engines)

    @contextmanager
    def within(self, deadline: Deadline) -> Iterator[None]:
        """What a call asks of the store, by its deadline and within ``SECONDS_OF_A_CALL``.

        Just after another call waited in vain it is refused at once. What was asked too late may still be done later.
        """
        soon = Deadline(min(deadline.left(), SECONDS_OF_A_CALL))
        with self._circuit.guarded(), self._engines.patience.until(soon):
            yield

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that reads one state of the database."""
        with self.failures(), self._engines.durable.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is on disk when it ends: what is acknowledged afterwards is never lost."""
        with self.failures(), self._writing.begin() as connection:
            yield connection

    def write_quickly(self, *work: tuple[Prepare, Sequence[Mapping[str, Any]]]) -> int:
        """One transaction of some statements, each with its rows of values, whose commit waits for no disk.

        Returns the number of rows that were written. It is for what every call writes; what must outlive a loss of
        power is written in ``writing``.
        """
        texts = [(self._text(prepare), rows) for prepare, rows in work]
        with self.failures(), closing(self._engines.quick.raw_connection()) as pooled:
            driver: Any = pooled.driver_connection
            alone = len(texts) == 1 and len(texts[0][1]) == 1
            with nullcontext() if alone else self._transaction(driver), closing(driver.cursor()) as cursor:
                return sum(_run(cursor, text, rows) for text, rows in texts)

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
        """Turns errors of the database into StoreError; their own text may repeat what was to be stored."""
        try:
            yield
        except Exception as error:
            driver = self._engines.durable.dialect.loaded_dbapi
            if not isinstance(error, SQLAlchemyError | driver.Error):
                raise
            raise failure(error, self.address.shown) from None

    def insert(self, table: Table) -> Insert:
        """An INSERT that knows ON CONFLICT, in the words of this database."""
        return sqlite.insert(table) if self.address.file else postgresql.insert(table)

    def ping(self) -> None:
        """Whether the store can be written to the disk: one row is. Raises StoreError."""
        row: Mapping[str, Any] = {"name": "ready", "at": text_of(datetime.now(UTC))}
        with self.writing() as connection:
            connection.execute(
                self.insert(PULSE).values(row).on_conflict_do_update(index_elements=["name"], set_={"at": row["at"]})
            )

    def version(self) -> str | None:
        """The version of the schema. Raises StoreError."""
        with self.reading() as connection:
            return migration.version(connection)

    def close(self) -> None:
        """Closes the connections."""
        self._engines.dispose()


def open_store(url: str | None, state: Path, *, create: bool = True) -> Store:
    """The store at ``url``, or SQLite in the folder ``state``, migrated to the newest version; no connection is open.

    Folder and file of SQLite are made for their owner alone (0700, 0600). With ``create`` false a database of SQLite
    that is not there is not made. Raises StoreError: an address that cannot be used, a database that cannot be reached
    or written, or one of a newer version.
    """
    try:
        address = address_of(url, state)
    except ValueError as error:
        raise StoreError(f"CDS_SERVICE_STORE_URL: {error}") from None
    if address.file is not None:
        if not create and not address.file.exists():
            raise StoreError(f"There is no store at {address.file} yet; the service makes it when it starts.")
        _make_private(address.file)
    store = Store(address)
    try:
        # Another process may be at it, and hold the lock as long as that takes.
        waits = store._engines.patience.until(Deadline(2 * migration.LOCK_SECONDS))
        with store.failures(), waits if address.file is None else nullcontext():
            migration.bring_up_to_date(store._engines.durable, address)
    except OSError as error:
        raise StoreError(f"The store ({address.shown}) cannot be opened: {error.strerror}.") from None
    finally:
        store.close()
    return store


def _run(cursor: Any, text: str, rows: Sequence[Mapping[str, Any]]) -> int:
    if len(rows) == 1:
        cursor.execute(text, rows[0])
    else:
        cursor.executemany(text, rows)
    return int(cursor.rowcount)


def _make_private(file: Path) -> None:
    try:
        file.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        # Made before SQLite would, which asks the umask; the files beside it take its mode.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
        if file.stat().st_uid == os.geteuid():
            file.chmod(FILE_MODE)
    except OSError as error:
        raise StoreError(f"The store's file {file} cannot be made or opened: {error.strerror}.") from None


def _dispose_before_fork(engines: Engines) -> None:
    known = weakref.ref(engines)

    def dispose() -> None:
        if (still := known()) is not None:
            still.dispose()

    os.register_at_fork(before=dispose)
