"""Sessions of the workbench: one browser's changes to the demo charts, in rows encrypted with a key of this start.

The service makes the key when it starts, and stores it nowhere: all workers have it, and after a restart no row opens.
"""

import hashlib
import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy import Connection, delete, select, update

from cds_service.clock import Deadline
from cds_service.operations.sealing import Keys, SealError, key_id
from cds_service.store.database import SECONDS_OF_A_CALL, Store
from cds_service.store.session_rows import make_room, text_of
from cds_service.store.tables import WORKBENCH_SESSIONS

MOST_SESSIONS = 500
# A session expires after this time without use.
IDLE_SECONDS = 8 * 3600
# The data shared by all sessions must live as long as the service may run without a restart.
SHARED_SECONDS = 400 * 24 * 3600
NAME_BYTES = 16
_NAME = re.compile(r"[A-Za-z0-9_-]{22}")
_T = WORKBENCH_SESSIONS.c

Result = TypeVar("Result")


def _now() -> datetime:
    return datetime.now(UTC)


class WorkbenchSessions:
    """The sessions of one start of the service. Safe for several threads, and for workers forked after its creation.

    ``key`` (32 bytes) encrypts every row, ``now`` returns the time with a time zone, ``random`` unpredictable bytes.
    """

    def __init__(
        self,
        store: Store,
        key: bytes,
        now: Callable[[], datetime] = _now,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._store, self._keys = store, Keys({key_id(key): key})
        self._shared_as = hashlib.sha256(b"shared by all sessions" + key).digest()
        self._now, self.random = now, random

    def seconds(self) -> int:
        """The current time, in whole seconds since 1970."""
        return int(self._now().timestamp())

    def instant(self) -> str:
        """The current time in UTC, as a FHIR instant."""
        return self._now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def begin(self, content: bytes) -> str:
        """Store a new session and return its name, which is not secret. Raises StoreError.

        If there are too many sessions, removes the one that was idle longest.
        """
        name = text_of(self.random(NAME_BYTES))
        with self._within(), self._store.writing() as connection:
            others = _T.key != self._shared_as
            make_room(connection, WORKBENCH_SESSIONS, self.seconds(), MOST_SESSIONS, others)
            self._insert(connection, _key(name), content, IDLE_SECONDS)
        return name

    def read(self, name: str) -> bytes | None:
        """The content of a session; None if it is missing or expired. Raises StoreError."""
        if not _NAME.fullmatch(name):
            return None
        with self._within(), self._store.reading() as connection:
            return self._open(connection, _key(name))

    def change(self, name: str, change: Callable[[bytes], tuple[bytes | None, Result]]) -> Result | None:
        """Let ``change`` turn a session's content into new content (None: unchanged) and a result; returns that result,
        or None if there is no such session.

        One transaction reads and writes, so the second of two concurrent changes sees the result of the first.
        Raises StoreError.
        """
        if not _NAME.fullmatch(name):
            return None
        key = _key(name)
        with self._within(), self._store.writing() as connection:
            held = self._open(connection, key, locked=True)
            if held is None:
                return None
            content, result = change(held)
            if content is not None:
                until = self.seconds() + IDLE_SECONDS
                row = {"expires": until, "sealed": self._seal(content, key)}
                connection.execute(update(WORKBENCH_SESSIONS).where(_T.key == key).values(row))
        return result

    def shared(self, make: Callable[[], bytes]) -> bytes:
        """The data that all sessions and workers share; the first call makes it with ``make``. Raises StoreError."""
        with self._within(), self._store.reading() as connection:
            held = self._open(connection, self._shared_as)
        if held is not None:
            return held
        made = make()
        with self._within(), self._store.writing() as connection:
            # Another worker may have made it in the meantime.
            held = self._open(connection, self._shared_as, locked=True)
            if held is None:
                connection.execute(delete(WORKBENCH_SESSIONS).where(_T.key == self._shared_as))
                self._insert(connection, self._shared_as, made, SHARED_SECONDS)
        return held or made

    def _within(self) -> AbstractContextManager[None]:
        return self._store.within(Deadline(SECONDS_OF_A_CALL))

    def _insert(self, connection: Connection, key: bytes, content: bytes, seconds: int) -> None:
        row = {"key": key, "expires": self.seconds() + seconds, "sealed": self._seal(content, key)}
        connection.execute(self._store.insert(WORKBENCH_SESSIONS).values(row).on_conflict_do_nothing())

    def _seal(self, content: bytes, key: bytes) -> str:
        return self._keys.seal(content, key.hex(), self.random)["sealed"]

    def _open(self, connection: Connection, key: bytes, *, locked: bool = False) -> bytes | None:
        query = select(_T.sealed).where(_T.key == key, _T.expires > self.seconds())
        sealed = connection.execute(query.with_for_update() if locked else query).scalar()
        if sealed is None:
            return None
        try:
            return self._keys.open({"key": next(iter(self._keys.ids)), "sealed": sealed}, key.hex())
        except SealError:
            # The row comes from an earlier start of the service.
            return None


def _key(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
