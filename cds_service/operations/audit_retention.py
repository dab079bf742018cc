"""How long and how large the audit log is kept: old days deleted, and under a cap the content before the lines."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path

import orjson

from cds_service.operations.audit import FILE_MODE, cannot
from cds_service.operations.audit_lines import files_of, line_of

CONTENT, LINES = "audit-content", "audit"


def size(folder: Path) -> int:
    """The bytes of all files of the log. Raises AuditError."""
    return sum(_size(path) for _, path in files_of(folder))


def remove_old(folder: Path, first: date) -> int:
    """Deletes the files of days before ``first``; how many. No other file is touched. Raises AuditError."""
    return _delete(folder, [path for day, path in files_of(folder) if day < first])


def shrink(folder: Path, most: int, today: date) -> Iterator[tuple[str, int]]:
    """Makes the log at most ``most`` bytes: the content of the oldest days goes first, then whole days.

    Yields CONTENT and how many lines of a day lost theirs, or LINES and 1 for a day deleted. The files of ``today``
    (UTC) and of the day before stay as they are, because workers may still write to them. Of several workers one does
    it and the others do nothing. Raises AuditError.
    """
    with _alone(folder) as alone:
        settled = [path for day, path in files_of(folder) if day < today - timedelta(days=1)] if alone else []
        for path in settled:
            if size(folder) <= most:
                return
            if lines := _without_content(folder, path):
                yield CONTENT, lines
        for path in settled:
            if size(folder) <= most:
                return
            yield LINES, _delete(folder, [path])


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether no other process shrinks the log now; a lock that ends with the process that has it."""
    try:
        locked = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    except OSError as error:
        raise cannot("read", folder, error) from None
    try:
        try:
            fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(locked)


def _without_content(folder: Path, path: Path) -> int:
    """Writes a file again without the content of its lines; how many had one. Broken lines stay as they are."""
    aside, lost = path.with_suffix(".new"), 0
    try:
        with path.open("rb") as file, open(aside, "wb", opener=_private) as written:
            for text in file:
                line = line_of(text, "", lambda sentence: None) if b'"content":' in text else None
                if line is None or line.get("content") is None:
                    written.write(text)
                else:
                    lost += 1
                    written.write(orjson.dumps({**line, "content": None}) + b"\n")
        if lost:
            aside.replace(path)
        else:
            aside.unlink()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise cannot("write to", folder, error) from None
    return lost


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)


def _delete(folder: Path, paths: Sequence[Path]) -> int:
    deleted = 0
    try:
        for path in paths:
            # Another worker may do the same.
            with suppress(FileNotFoundError):
                path.unlink()
                deleted += 1
    except OSError as error:
        raise cannot("delete from", folder, error) from None
    return deleted


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0
