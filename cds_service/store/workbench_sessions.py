"""Sessions of the workbench: rows that hold what one browser did to the demo charts, closed under a key of this start.

The key is made when the service starts and is written nowhere: all workers have it, and after a restart no row opens.
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
# A session that is not used for so long is gone.
IDLE_SECONDS = 8 * 3600
# What all sessions share lives as long as a service that is not restarted may run.
SHARED_SECONDS = 400 * 24 * 3600
NAME_BYTES = 16
_NAME = re.compile(r"[A-Za-z0-9_-]{22}")
_T = WORKBENCH_SESSIONS.c

Result = TypeVar("Result")


def _now() -> datetime:
    return datetime.now(UTC)


class WorkbenchSessions:
    """The sessions of one start of the service. Safe for several threads and for workers forked after it was made.

    ``key`` (32 bytes) closes every row, ``now`` gives the time with a time zone, ``random`` bytes that nobody can
    guess.
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
        """The time now, in whole seconds since 1970."""
        return int(self._now().timestamp())

    def instant(self) -> str:
        """The time now in UTC, as FHIR writes an instant."""
        return self._now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def begin(self, content: bytes) -> str:
        """Keeps a new session; its name, which is no secret. Of too many the one that was idle longest goes.

        Raises StoreError.
        """
        name = text_of(self.random(NAME_BYTES))
        with self._within(), self._store.writing() as connection:
            others = _T.key != self._shared_as
            make_room(connection, WORKBENCH_SESSIONS, self.seconds(), MOST_SESSIONS, others)
            self._insert(connection, _key(name), content, IDLE_SECONDS)
        return name

    def read(self, name: str) -> bytes | None:
        """What a session holds; None where there is none of that name, or no longer. Raises StoreError."""
        if not _NAME.fullmatch(name):
            return None
        with self._within(), self._store.reading() as connection:
            return self._open(connection, _key(name))

    def change(self, name: str, change: Callable[[bytes], tuple[bytes | None, Result]]) -> Result | None:
        """Has ``change`` make what a session holds into what it holds from now on (None: the same), and answers with
        what else it returns; None where there is no such session.

        One transaction reads and writes: of two changes at a time the second sees what the first made.
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
        """What all sessions and workers share, made when it is first asked for. Raises StoreError."""
        with self._within(), self._store.reading() as connection:
            held = self._open(connection, self._shared_as)
        if held is not None:
            return held
        made = make()
        with self._within(), self._store.writing() as connection:
            # Another worker may have made it by now.
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
            # Of an earlier start of the service.
            return None


def _key(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
