"""Connections: their setup, in SQLite and in PostgreSQL, and their number."""

import sqlite3
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

from cds_service.store.address import Address
from cds_service.store.patience import Patience, connection_class

# One for each thread of a worker, and some for background work.
POOL = {"pool_size": 8, "max_overflow": 4, "pool_timeout": 1}
SECONDS_BUSY = 5
SECONDS_TO_CONNECT = 3
WRITES = "cds_service_writes"


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Engines:
    """Two pools for one database.

    ``durable``: a commit returns once it is on disk, so a loss of power takes no acknowledged data.
    ``quick``: a commit survives the death of the process, but a loss of power may take the last commits; a row is never
    damaged or half written. That is enough for tokens seen, cards shown and counts: a loss lets a token be used twice
    within its minutes, or leaves a card without its statement. A disk sync would cost every call more than its
    evaluation.
    ``patience`` limits a thread's wait for either.
    """

    durable: Engine
    quick: Engine
    patience: Patience = field(default_factory=Patience)

    def dispose(self) -> None:
        """Close all idle connections; more open on demand."""
        self.durable.dispose()
        self.quick.dispose()


def make_engines(address: Address) -> Engines:
    """The pools of an address, without connections yet."""
    make, patience = _sqlite if address.file else _postgresql, Patience()
    return Engines(make(address, patience, durable=True), make(address, patience, durable=False), patience)


def _sqlite(address: Address, patience: Patience, durable: bool) -> Engine:
    # Without an isolation level, the driver starts no transaction itself: _begin starts them, also for reads.
    arguments = {"timeout": SECONDS_BUSY, "isolation_level": None}
    engine = create_engine(address.url, hide_parameters=True, paramstyle="named", connect_args=arguments, **POOL)

    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _: Any) -> None:
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")

    @event.listens_for(engine, "checkout")
    def taken(connection: sqlite3.Connection, record: Any, _: Any) -> None:
        milliseconds = int(1000 * patience.seconds(SECONDS_BUSY))
        if record.info.get("busy", 1000 * SECONDS_BUSY) != milliseconds:
            connection.execute(f"PRAGMA busy_timeout={milliseconds}")
            record.info["busy"] = milliseconds

    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail at once if another process wrote in between.
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(address: Address, patience: Patience, durable: bool) -> Engine:
    commit = "on" if durable else "off"
    arguments = {
        "connect_timeout": SECONDS_TO_CONNECT,
        "tcp_user_timeout": 1000 * SECONDS_BUSY,
        "application_name": "cds-service",
        "options": f"-c synchronous_commit={commit} -c statement_timeout={SECONDS_BUSY}s "
        f"-c idle_in_transaction_session_timeout={4 * SECONDS_BUSY}s",
    }
    # The ping notices a connection that a restart of the server cut, before anything uses it.
    options: dict[str, Any] = {"hide_parameters": True, "pool_pre_ping": True, "connect_args": arguments, **POOL}
    engine = create_engine(address.url, **options, **({} if durable else {"isolation_level": "AUTOCOMMIT"}))
    limited = connection_class(patience)

    @event.listens_for(engine, "do_connect")
    def connect(_: Any, __: Any, given: list[Any], named: dict[str, Any]) -> Any:
        return limited.connect(*given, **named)

    return engine
