"""Migration of the schema to the newest version, once, even if many processes start at the same time."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from cds_service.store.address import Address
from cds_service.store.engines import WRITES
from cds_service.store.failures import NewerStoreError

SCRIPTS = Path(__file__).parent / "migrations"
# In order; the last is the version that this program needs. Asking Alembic would be slow, and is mostly unnecessary.
REVISIONS = ("0001", "0002", "0003", "0004", "0005")
NEWEST = REVISIONS[-1]
# An arbitrary number that no other program of the database may use for a lock.
_ADVISORY_LOCK = 7_205_759_403


def bring_up_to_date(engine: Engine, address: Address, seconds: float) -> bool:
    """Migrate to the newest version; returns True if there was anything to do.

    Only one process at a time migrates. In PostgreSQL it takes an advisory lock, and waits ``seconds`` for it. For
    SQLite the caller holds the lock file, because the switch to WAL does not wait. The migration is one transaction: if
    the process dies, the earlier version stays.
    Raises NewerStoreError for a database with a version that this program does not know.
    """
    with engine.connect().execution_options(**{WRITES: True}) as connection:
        if address.file is not None:
            # WAL allows readers next to one writer. The file stores the mode, which no transaction can set.
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
                    f"The store ({address.shown}) has version {found}, and this program supports versions up to "
                    f"{NEWEST}: a newer program wrote it. Run that program, or restore the backup made before it was "
                    "installed."
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
    """Migrate the schema to a version: upward, or, for ``base``, back to an empty database."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    if revision == "base":
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)
