"""The age and size limits of the audit log: delete old days, and above a cap remove content before lines."""

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
    """The size of all files of the log, in bytes. Raises AuditError."""
    return sum(_size(path) for _, path in files_of(folder))


def remove_old(folder: Path, first: date) -> int:
    """Delete the log files of days before ``first``, and return their number. Raises AuditError."""
    return _delete(folder, [path for day, path in files_of(folder) if day < first])


def shrink(folder: Path, most: int, today: date) -> Iterator[tuple[str, int]]:
    """Shrink the log to at most ``most`` bytes: first remove the content of the oldest days, then delete whole days.

    Yields (CONTENT, number of lines that lost their content) or (LINES, 1 for a deleted day). The files of ``today``
    (UTC) and of the day before stay unchanged, because workers may still write to them. Only one worker shrinks at a
    time; the others do nothing. Raises AuditError.
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
    """Whether no other process is shrinking the log; the lock ends with its process."""
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
    """Rewrite a file without the content of its lines; return how many had content. Broken lines stay unchanged."""
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
            # Another worker may have deleted the file.
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
