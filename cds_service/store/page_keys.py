"""The server's keys for evidence pages: from the settings, or from a file in the state folder with key rotation.

A page lives for at most a day, so keeping an old key for 24 hours is enough to open every page that it encrypted.
"""

import base64
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol

from cds_service.operations.sealing import KEY_BYTES, Keys, key_id
from cds_service.store import files
from cds_service.store.failures import StoreError

FILE_NAME = "evidence.key"
USED_FOR = timedelta(days=30)
KEPT_FOR = timedelta(hours=24)
SECONDS_TO_LOCK = 2.0


class PageKeys(Protocol):
    """A source of keys: the first key encrypts, and all keys decrypt."""

    def at(self, now: datetime) -> Keys:
        """The keys at an instant with a time zone. Raises StoreError."""


class GivenKeys:
    """The keys of the setting, unchanged. After a rotation, the setting must list the old keys for 24 hours."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def at(self, now: datetime) -> Keys:
        """The same keys at any time."""
        return self._keys


class _Kept(NamedTuple):
    key: bytes
    since: datetime

    def written(self) -> str:
        return f"{self.since.isoformat()} {base64.b64encode(self.key).decode()}\n"


class KeptKeys:
    """The keys in a file: one line for each, with the time of its first use, newest first.

    The first use creates the file; after 30 days a new key replaces the newest. All processes of a machine share the
    file. ``random`` makes the keys.
    """

    def __init__(self, file: Path, random: Callable[[int], bytes] = os.urandom) -> None:
        self._file, self._random = file, random
        self._known: tuple[files.Look, list[_Kept]] | None = None

    def at(self, now: datetime) -> Keys:
        """The keys; the first is less than 30 days old. Raises StoreError."""
        try:
            kept = self._read()
            if not kept or now - kept[0].since >= USED_FOR:
                kept = self._rotated(now)
        except OSError as error:
            raise StoreError(f"The keys in {self._file} cannot be read or written: {error.strerror}.") from None
        return Keys({key_id(item.key): item.key for item in _still_needed(kept, now)})

    def _read(self) -> list[_Kept]:
        look = files.look_at(self._file)
        if look is None:
            return []
        # The file is replaced and never modified, so another content has another identity.
        if self._known is None or self._known[0] != look:
            self._known = look, _kept_in(self._file)
        return self._known[1]

    def _rotated(self, now: datetime) -> list[_Kept]:
        """Write the keys with a new one in front, or return the keys that another process has just written."""
        with files.locked(self._file, SECONDS_TO_LOCK):
            kept = self._read()
            if kept and now - kept[0].since < USED_FOR:
                return kept
            kept = [_Kept(self._random(KEY_BYTES), now.astimezone(UTC)), *_still_needed(kept, now)]
            new = Path(f"{self._file}.new")
            with suppress(FileNotFoundError):
                new.unlink()
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, files.FILE_MODE)
            with open(descriptor, "w", encoding="ascii") as written:
                written.writelines(item.written() for item in kept)
                written.flush()
                os.fsync(written.fileno())
            os.replace(new, self._file)
            return kept


def _still_needed(kept: list[_Kept], now: datetime) -> list[_Kept]:
    """The newest key, and each older key whose successor is less than 24 hours old; ``kept`` has the newest first."""
    followed = zip(kept[1:], kept, strict=False)
    return [*kept[:1], *(item for item, newer in followed if now - newer.since < KEPT_FOR)]


def _kept_in(file: Path) -> list[_Kept]:
    """The keys in a file. Raises StoreError for a file in another format."""
    try:
        lines = [line.split(" ") for line in file.read_text(encoding="ascii").splitlines()]
        kept = [_Kept(base64.b64decode(key, validate=True), datetime.fromisoformat(since)) for since, key in lines]
        if any(len(item.key) != KEY_BYTES or item.since.tzinfo is None for item in kept):
            raise ValueError
    except ValueError:
        raise StoreError(
            f"{file} does not hold the keys of evidence pages; remove it, and a new one is made."
        ) from None
    return kept
