"""SQLite's file: made for its owner alone, known by device and inode, with files beside it that must be its own.

SQLite finds the files beside it (``-wal``, ``-shm``) by name. Where the file was removed or replaced under running
processes, those files still belong to the earlier one and would damage the new one (SQLite, "How To Corrupt An SQLite
Database File", section 2.4), so that the first process that notices renames them.
"""

import fcntl
import glob
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cds_service.store.failures import StoreError

FOLDER_MODE, FILE_MODE = 0o700, 0o600
BESIDE = ("-wal", "-shm")
_SECONDS_BETWEEN_TRIES = 0.05
_WHEN = "%Y%m%dT%H%M%S%fZ"
_ASIDE = re.compile(r"\.(?P<word>[a-z]+)-(?P<when>\d{8}T\d{12}Z)(-wal|-shm|-journal)?")


class Identity(NamedTuple):
    """What tells a file from another at the same path."""

    device: int
    inode: int


class Look(NamedTuple):
    """A file as it is now; ``size`` in bytes."""

    identity: Identity
    size: int


def look_at(file: Path) -> Look | None:
    """The file at the path now, or None where there is none that can be reached."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return Look(Identity(found.st_dev, found.st_ino), found.st_size)


def make_private(file: Path) -> None:
    """Makes folder and file where they are missing, for their owner alone (0700, 0600). Raises StoreError."""
    with _told(f"The store's file {file} cannot be made or opened"):
        file.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        # Made before SQLite would, which asks the umask; the files beside it take its mode.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
        if file.stat().st_uid == os.geteuid():
            file.chmod(FILE_MODE)


class Lock:
    """The lock beside the file; it holds the identity of the file that the files beside it belong to."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def marked(self) -> Identity | None:
        """The file that was opened last under this lock, by whichever process; None where that is not known."""
        with suppress(ValueError):
            device, inode = os.pread(self._descriptor, 100, 0).split()
            return Identity(int(device), int(inode))
        return None

    def mark(self, identity: Identity) -> None:
        """Notes the file that was opened."""
        os.truncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{identity.device} {identity.inode}\n".encode(), 0)


@contextmanager
def locked(file: Path, seconds: float) -> Iterator[Lock]:
    """Holds the lock beside the file, which one process at a time can. Raises StoreError after ``seconds`` of waiting.

    The folder is made where it is missing.
    """
    with _told(f"The store's file {file} cannot be made or opened"):
        file.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        descriptor = os.open(f"{file}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        _wait_for(descriptor, file, seconds)
        yield Lock(descriptor)
    finally:
        os.close(descriptor)


def set_aside(file: Path, *names: str, word: str) -> list[Path]:
    """Renames files that begin with the name of ``file`` and end with one of ``names``; returns their new paths.

    A new name has ``word`` and the time (UTC) in it. One that is not there is left out. Raises StoreError.
    """
    stem = aside(file, word)
    renamed = []
    for name in names:
        with _told(f"{file}{name} cannot be renamed"), suppress(FileNotFoundError):
            os.rename(f"{file}{name}", f"{stem}{name}")
            renamed.append(Path(f"{stem}{name}"))
    return renamed


def aside(file: Path, word: str) -> Path:
    """A name beside the file that says what became of it, and when (UTC)."""
    return Path(f"{file}.{word}-{datetime.now(UTC):{_WHEN}}")


def remove_aside(file: Path, before: datetime, most: int) -> tuple[int, int]:
    """Removes files that were set aside ``before`` that moment, and of the others all but the newest ``most``.

    What bears one name and time is one. Returns how many were removed for each of the two reasons.
    """
    times: dict[str, list[Path]] = {}
    for path in file.parent.glob(f"{glob.escape(file.name)}.*"):
        if (named := _ASIDE.fullmatch(path.name.removeprefix(file.name))) is not None:
            times.setdefault(f"{named['when']} {named['word']}", []).append(path)
    newest_first = sorted(times, reverse=True)
    young = [name for name in newest_first if name >= f"{before:{_WHEN}}"]
    old, many = newest_first[len(young) :], young[most:]
    for path in (path for name in (*old, *many) for path in times[name]):
        path.unlink(missing_ok=True)
    return len(old), len(many)


def _wait_for(descriptor: int, file: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= until:
                raise StoreError(f"The store (SQLite {file}) cannot be used: another process is opening it.") from None
            time.sleep(_SECONDS_BETWEEN_TRIES)


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{what}: {error.strerror}.") from None
