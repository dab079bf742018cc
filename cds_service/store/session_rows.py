"""Shared parts of rows that a browser names: names and secrets as text, and a limit on their number."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select, true


def key_of(name: bytes) -> bytes:
    """The key of a row: a hash of its name, so that rows do not reveal names."""
    return hashlib.sha256(name).digest()


def text_of(value: bytes) -> str:
    """Base64 for addresses and cookies, without its padding (RFC 4648, section 5)."""
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def bytes_of(text: str, length: int) -> bytes | None:
    """The bytes that ``text_of`` encoded, or None if the text is invalid or has another length."""
    try:
        found = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        return None
    return found if len(found) == length and text_of(found) == text else None


def make_room(
    connection: Connection, table: Table, seconds: int, most: int, counted: ColumnElement[bool] | None = None
) -> None:
    """Remove the rows that have expired by ``seconds`` (since 1970), and then the ``counted`` rows (all if None) that
    expire first, until there is room for one more row within ``most``."""
    columns, among = table.c, true() if counted is None else counted
    connection.execute(delete(table).where(columns.expires <= seconds))
    number = connection.execute(select(func.count()).select_from(table).where(among)).scalar_one()
    if number >= most:
        first = select(columns.key).where(among).order_by(columns.expires, columns.key).limit(number - most + 1)
        connection.execute(delete(table).where(columns.key.in_(list(connection.execute(first).scalars()))))
