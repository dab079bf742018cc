"""Failures of the store, as sentences for the operator, without passwords, statements, or values of rows."""

from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

_SQLITE: Final = {
    "SQLITE_FULL": "its disk is full",
    "SQLITE_READONLY": "it is read-only",
    "SQLITE_BUSY": "it is busy",
    "SQLITE_LOCKED": "it is busy",
    "SQLITE_CANTOPEN": "its file cannot be opened",
    "SQLITE_PERM": "access to its file was denied",
    "SQLITE_CORRUPT": "its file is damaged",
    "SQLITE_NOTADB": "its file is not a database",
    "SQLITE_IOERR": "its disk cannot be read or written",
}
# PostgreSQL's documentation, appendix A: by code, otherwise by class (the first two characters).
_POSTGRESQL: Final = {
    "53100": "its disk is full",
    "53300": "it has no connection free",
    "25006": "it is read-only",
    "57014": "it is busy",
    "55P03": "it is busy",
    "28": "it rejected this user",
    "3D": "there is no such database",
    "08": "it cannot be reached",
    "57": "it is shutting down",
    "53": "it has too little memory or space",
    "58": "its disk cannot be read or written",
    "42": "its tables are not as expected, or this user may not use them",
}


class StoreError(Exception):
    """The store could not be read or written, and nothing was stored. Its text is a sentence."""


class NewerStoreError(StoreError):
    """The store has a version that this program does not know; only another program or another store helps."""


def failure(error: Exception, shown: str) -> StoreError:
    """The error with the sentence for a database error at the address ``shown``."""
    why, code = _why(error)
    return StoreError(f"The store ({shown}) cannot be used: {why} ({code}).")


def _why(error: Exception) -> tuple[str, str]:
    if isinstance(error, NoConnectionFreeError):
        return "it is busy", "no connection is free"
    original = error.orig if isinstance(error, DBAPIError) else error
    if (name := getattr(original, "sqlite_errorname", None)) is not None:
        kind = next((kind for kind in _SQLITE if name.startswith(kind)), None)
        return (_SQLITE[kind] if kind else "it rejected a statement"), name
    if (state := getattr(original, "sqlstate", None)) is not None:
        return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2], "it rejected a statement"), state
    if type(original).__module__.startswith("psycopg"):
        return _unreached(str(original)), type(original).__name__
    return "it rejected a statement", type(original).__name__


def _unreached(told: str) -> str:
    """The reason for a failed connection: PostgreSQL's refusal has no code then, and its text is not safe to repeat."""
    if "authentication" in told or "pg_hba" in told:
        return _POSTGRESQL["28"]
    if "does not exist" in told:
        return "there is no such database or user"
    return _POSTGRESQL["08"]
