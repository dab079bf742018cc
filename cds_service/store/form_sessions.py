"""Sessions of the documentation form, encrypted with a server key and a secret that only the cookie has. They end
after 30 minutes without use.

A row contains an EHR token, chart data and answers. The database and the server's keys together cannot decrypt a row
without the browser's cookie.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import delete, select, update

from cds_service.clock import Deadline
from cds_service.operations.sealing import SealError
from cds_service.store.database import SECONDS_OF_A_CALL, Store
from cds_service.store.page_keys import PageKeys
from cds_service.store.session_rows import bytes_of, key_of, make_room, text_of
from cds_service.store.tables import FORM_SESSIONS

IDLE_SECONDS = 30 * 60
# With more sessions, the one that was idle longest is removed.
MOST_SESSIONS = 5_000
# The maximum content of one session, in bytes before encryption.
MOST_BYTES = 4 * 1024 * 1024
NAME_BYTES, SECRET_BYTES = 16, 32
_T = FORM_SESSIONS.c


class Begun(NamedTuple):
    """A new session: the name for its addresses, and the secret for the cookie."""

    name: str
    secret: str


def _now() -> datetime:
    return datetime.now(UTC)


class FormSessions:
    """The sessions of one installation. Safe for several threads and processes.

    ``now`` returns the time with a time zone, ``random`` unpredictable bytes.
    """

    def __init__(
        self,
        store: Store,
        keys: PageKeys,
        now: Callable[[], datetime] = _now,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._store, self._keys, self._now, self.random = store, keys, now, random

    @property
    def now(self) -> datetime:
        """The time, in UTC."""
        return self._now().astimezone(UTC)

    def begin(self, content: bytes) -> Begun:
        """Store a new session. Raises StoreError, and ValueError for more than MOST_BYTES."""
        name, secret = self.random(NAME_BYTES), self.random(SECRET_BYTES)
        row = self._row(name, secret, content) | {"key": key_of(name)}
        with self._within(), self._store.writing() as connection:
            make_room(connection, FORM_SESSIONS, self._seconds(), MOST_SESSIONS)
            connection.execute(self._store.insert(FORM_SESSIONS).values(row))
        return Begun(text_of(name), text_of(secret))

    def read(self, name: str, secret: str) -> bytes | None:
        """The content of a session; None if there is no such session, it has expired, or the secret is wrong.

        Raises StoreError.
        """
        given = _given(name, secret)
        if given is None:
            return None
        query = select(_T.server_key, _T.sealed).where(_T.key == key_of(given[0]), _T.expires > self._seconds())
        with self._within(), self._store.reading() as connection:
            row = connection.execute(query).first()
        return self._opened(row.server_key, row.sealed, given) if row is not None else None

    def keep(self, name: str, secret: str, content: bytes) -> bool:
        """Store new content of a session, for another 30 minutes; returns False if there is no such session.

        Raises StoreError, and ValueError for more than MOST_BYTES.
        """
        given = _given(name, secret)
        if given is None:
            return False
        kept = update(FORM_SESSIONS).where(_T.key == key_of(given[0]), _T.expires > self._seconds())
        with self._within(), self._store.writing() as connection:
            changed = connection.execute(
                kept.values(self._row(*given, content)), execution_options={"preserve_rowcount": True}
            )
            return changed.rowcount == 1

    def take(self, name: str, secret: str) -> bytes | None:
        """The content of a session, which ends with this; only one of two callers gets it. Raises StoreError."""
        held = self.read(name, secret)
        return held if held is not None and self.end(name) else None

    def end(self, name: str) -> bool:
        """Delete a session; returns True if it existed. Raises StoreError."""
        given = bytes_of(name, NAME_BYTES)
        if given is None:
            return False
        with self._within(), self._store.writing() as connection:
            ended = connection.execute(
                delete(FORM_SESSIONS).where(_T.key == key_of(given)), execution_options={"preserve_rowcount": True}
            )
            return ended.rowcount == 1

    def _row(self, name: bytes, secret: bytes, content: bytes) -> dict[str, object]:
        if len(content) > MOST_BYTES:
            raise ValueError(f"a session may hold {MOST_BYTES} bytes")
        keys = self._keys.at(self._now()).with_secret(secret)
        closed = keys.seal(content, key_of(name).hex(), self.random)
        return {"expires": self._seconds() + IDLE_SECONDS, "server_key": closed["key"], "sealed": closed["sealed"]}

    def _opened(self, server_key: str, sealed: str, given: tuple[bytes, bytes]) -> bytes | None:
        name, secret = given
        try:
            return (
                self._keys.at(self._now())
                .with_secret(secret)
                .open({"key": server_key, "sealed": sealed}, key_of(name).hex())
            )
        except SealError:
            return None

    def _seconds(self) -> int:
        return int(self._now().timestamp())

    def _within(self) -> AbstractContextManager[None]:
        return self._store.within(Deadline(SECONDS_OF_A_CALL))


def remove_ended(store: Store, now: datetime) -> int:
    """Remove the expired sessions; returns their number. Raises StoreError."""
    ended = delete(FORM_SESSIONS).where(_T.expires <= int(now.timestamp()))
    with store.writing() as connection:
        return connection.execute(ended, execution_options={"preserve_rowcount": True}).rowcount


def _given(name: str, secret: str) -> tuple[bytes, bytes] | None:
    one, other = bytes_of(name, NAME_BYTES), bytes_of(secret, SECRET_BYTES)
    return (one, other) if one is not None and other is not None else None
