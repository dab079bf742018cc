"""Where the store is: the address as configured, as the driver needs it, and as it may be shown."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

FILE_NAME = "store.sqlite"
ALLOWED = "postgresql+psycopg://user:password@host/name, or nothing for SQLite in the state folder"
NO_DRIVER = (
    "The address of the store is one of PostgreSQL, whose driver psycopg is not installed. Install it with "
    "pip install 'cds-service[postgresql]', or name no store, for SQLite in the state folder."
)
POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class Address:
    """``url`` may hold a password and is never shown; ``shown`` never does; ``file`` is set for SQLite alone."""

    url: URL
    shown: str
    file: Path | None


def address_of(url: str | None, state: Path) -> Address:
    """The address of the store: ``url`` as configured, or SQLite in the folder ``state``.

    Raises ValueError with a sentence for an address that cannot be used, one of PostgreSQL without its driver included;
    it repeats nothing of the address, which may hold a password.
    """
    if not url:
        return _sqlite(state / FILE_NAME)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError(f"The address of the store cannot be read; it is {ALLOWED}.") from None
    if parsed.drivername in POSTGRESQL:
        if not parsed.database:
            raise ValueError(f"The address of the store names no database; it is {ALLOWED}.")
        try:
            import psycopg  # noqa: F401 - is it there? It is used when the store is opened
        except ImportError:
            raise ValueError(NO_DRIVER) from None
        where = f"{parsed.host or 'local socket'}{f':{parsed.port}' if parsed.port else ''}"
        return Address(parsed.set(drivername="postgresql+psycopg"), f"PostgreSQL {parsed.database} on {where}", None)
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:") and not parsed.query:
        return _sqlite(Path(str(parsed.database)))
    raise ValueError(f"The address of the store is of a kind that is not supported; it is {ALLOWED}.")


def _sqlite(file: Path) -> Address:
    absolute = file.absolute()
    # Opened for writing and never made: where the file is gone, that is an error and no new, empty database.
    options = {"mode": "rw", "uri": "true"}
    url = URL.create("sqlite", database=f"file:{quote(str(absolute))}", query=options)
    return Address(url, f"SQLite {absolute}", absolute)
