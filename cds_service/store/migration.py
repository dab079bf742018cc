"""The schema brought up to date, once, however many processes start at the same time."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from cds_service.store.address import Address
from cds_service.store.engines import WRITES
from cds_service.store.failures import NewerStoreError

SCRIPTS = Path(__file__).parent / "migrations"
# In order; the last is the version that this program works with. Alembic is slow to load, and mostly not needed.
REVISIONS = ("0001", "0002", "0003", "0004", "0005")
NEWEST = REVISIONS[-1]
# An arbitrary number that no other program of the database may take as its lock.
_ADVISORY_LOCK = 7_205_759_403


def bring_up_to_date(engine: Engine, address: Address, seconds: float) -> bool:
    """Migrates to the newest version; whether anything had to be done.

    One process at a time does so: in PostgreSQL under a lock of its own, for which it waits ``seconds``; of SQLite the
    caller holds the lock beside the file, since the switch to WAL waits for nobody. The migration is one transaction: a
    process that dies on the way leaves the version that was there.
    Raises NewerStoreError for a database of a version that this program does not know.
    """
    with engine.connect().execution_options(**{WRITES: True}) as connection:
        if address.file is not None:
            # Readers and one writer at the same time; it is kept in the file. It cannot be set inside a transaction.
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA journal_mode=WAL").close()
        with connection.begin():
            if address.file is None:
                connection.execute(text(f"SET LOCAL statement_timeout = '{max(1, round(seconds))}s'"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
            found = version(connection)
            if found is not None and found not in REVISIONS:
                raise NewerStoreError(
                    f"The store ({address.shown}) is of version {found}, and this program knows versions up to "
                    f"{NEWEST}: it was written by a newer one. Start that program, or restore the copy that was made "
                    "before it was installed."
                )
            if found == NEWEST:
                return False
            migrate(connection, NEWEST)
            return True


def version(connection: Connection) -> str | None:
    """The version of the schema, or None in an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def migrate(connection: Connection, revision: str) -> None:
    """Brings the schema to a version, upwards or, for ``base``, back to an empty database."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    if revision == "base":
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)
