"""The store's address: as configured, as the driver needs it, and as it is safe to show."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

FILE_NAME = "store.sqlite"
ALLOWED = "postgresql+psycopg://user:password@host/name, or leave it out to use SQLite in the state folder"
NO_DRIVER = (
    "The store is PostgreSQL, but its driver psycopg is not installed. Install it with "
    "pip install 'cds-service[postgresql]', or leave the address out to use SQLite in the state folder."
)
POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class Address:
    """``url`` may contain a password and must not be shown; ``shown`` is safe to show; only SQLite has a ``file``."""

    url: URL
    shown: str
    file: Path | None


def address_of(url: str | None, state: Path) -> Address:
    """The address of the store: ``url`` as configured, or SQLite in the folder ``state``.

    Raises ValueError with a sentence for an unusable address, including PostgreSQL without its driver. The sentence
    repeats nothing of the address, which may contain a password.
    """
    if not url:
        return _sqlite(state / FILE_NAME)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError(f"The address of the store cannot be read; use {ALLOWED}.") from None
    if parsed.drivername in POSTGRESQL:
        if not parsed.database:
            raise ValueError(f"The address of the store names no database; use {ALLOWED}.")
        try:
            import psycopg  # noqa: F401 - is it there? It is used when the store is opened
        except ImportError:
            raise ValueError(NO_DRIVER) from None
        where = f"{parsed.host or 'local socket'}{f':{parsed.port}' if parsed.port else ''}"
        return Address(parsed.set(drivername="postgresql+psycopg"), f"PostgreSQL {parsed.database} on {where}", None)
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:") and not parsed.query:
        return _sqlite(Path(str(parsed.database)))
    raise ValueError(f"This kind of store address is not supported; use {ALLOWED}.")


def _sqlite(file: Path) -> Address:
    absolute = file.absolute()
    # Opened for writing but never created: a missing file is an error, and must not become a new, empty database.
    options = {"mode": "rw", "uri": "true"}
    url = URL.create("sqlite", database=f"file:{quote(str(absolute))}", query=options)
    return Address(url, f"SQLite {absolute}", absolute)
