"""SQLite's file: private to its owner, identified by device and inode, with companion files that must belong to it.

SQLite finds its companion files (``-wal``, ``-shm``) by name. If somebody removes or replaces the file under running
processes, the companions still belong to the earlier file and would damage the new one (SQLite, "How To Corrupt An
SQLite Database File", section 2.4). So the first process that notices renames them.
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
    """The identity that distinguishes a file from another at the same path."""

    device: int
    inode: int


class Look(NamedTuple):
    """The current state of a file; ``size`` in bytes."""

    identity: Identity
    size: int


def look_at(file: Path) -> Look | None:
    """The current state of the file at the path, or None if there is no reachable file."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return Look(Identity(found.st_dev, found.st_ino), found.st_size)


def make_private(file: Path) -> None:
    """Create a missing folder and file, for their owner alone (0700, 0600). Raises StoreError."""
    with _told(f"The store's file {file} cannot be made or opened"):
        file.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        # Created before SQLite does it with the umask; SQLite gives the companion files the same mode.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
        if file.stat().st_uid == os.geteuid():
            file.chmod(FILE_MODE)


class Lock:
    """The lock file; it stores the identity of the file to which the companion files belong."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def marked(self) -> Identity | None:
        """The file that any process last opened under this lock; None if unknown."""
        with suppress(ValueError):
            device, inode = os.pread(self._descriptor, 100, 0).split()
            return Identity(int(device), int(inode))
        return None

    def mark(self, identity: Identity) -> None:
        """Store the identity of the opened file."""
        os.truncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{identity.device} {identity.inode}\n".encode(), 0)


@contextmanager
def locked(file: Path, seconds: float) -> Iterator[Lock]:
    """Hold the lock file, which only one process can at a time. Raises StoreError after waiting ``seconds``.

    Creates a missing folder.
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
    """Rename the files whose names are ``file`` plus one of ``names``; returns their new paths.

    A new name contains ``word`` and the time (UTC). Skips missing files. Raises StoreError.
    """
    stem = aside(file, word)
    renamed = []
    for name in names:
        with _told(f"{file}{name} cannot be renamed"), suppress(FileNotFoundError):
            os.rename(f"{file}{name}", f"{stem}{name}")
            renamed.append(Path(f"{stem}{name}"))
    return renamed


def aside(file: Path, word: str) -> Path:
    """A new path for the file, with a word for the reason and the time (UTC)."""
    return Path(f"{file}.{word}-{datetime.now(UTC):{_WHEN}}")


def remove_aside(file: Path, before: datetime, most: int) -> tuple[int, int]:
    """Remove files set aside earlier than ``before``, and all but the newest ``most`` of the others.

    Files with the same word and time count as one. Returns the numbers removed for the two reasons.
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
