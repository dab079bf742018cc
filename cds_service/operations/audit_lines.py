"""Reads the audit log: its files by day, the wanted lines, and their content."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from cds_service.hooks.client_names import WORKBENCH
from cds_service.operations.audit import cannot
from cds_service.operations.sealing import Keys, SealError

_FILE = re.compile(r"audit-(\d{4}-\d\d-\d\d)\.jsonl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A filter of lines by days (both included), card, client, and patient (as hash); None matches any.

    Lines of the workbench's demo calls match only if ``client`` names the workbench.
    """

    since: date | None = None
    until: date | None = None
    card: str | None = None
    client: str | None = None
    patient: str | None = None

    def holds_day(self, day: date) -> bool:
        """Whether the filter includes a day."""
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)

    def holds(self, line: Mapping[str, Any]) -> bool:
        """Whether a line matches, regardless of its day."""
        return (
            (line.get("client") == self.client if self.client else line.get("client") != WORKBENCH)
            and (self.patient is None or line.get("patient") == self.patient)
            and (self.card is None or self.card in _cards(line))
        )


def _cards(line: Mapping[str, Any]) -> list[Any]:
    return [line.get("card"), *(item.get("card") for name in ("policies", "feedback") for item in line.get(name) or ())]


def read(folder: Path, wanted: Wanted, keys: Keys | None, broken: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """The wanted lines, oldest day first, each day in the order written.

    With ``keys`` the content of each line is decrypted; without, it is left out. A line that cannot be read is skipped,
    and ``broken`` gets a sentence about it. Raises AuditError if the folder cannot be read.
    """
    for day, path in files_of(folder):
        if not wanted.holds_day(day):
            continue
        try:
            with path.open("rb") as file:
                for number, text in enumerate(file, 1):
                    line = line_of(text, f"{path.name}, line {number}", broken)
                    if line is not None and wanted.holds(line):
                        yield _opened(line, keys)
        except OSError as error:
            raise cannot("read", folder, error) from None


def line_of(text: bytes, place: str, broken: Callable[[str], None]) -> dict[str, Any] | None:
    """One parsed line, or None; ``broken`` gets a sentence with the ``place`` of a line that cannot be read."""
    if not text.strip():
        return None
    with suppress(orjson.JSONDecodeError):
        line = orjson.loads(text)
        if isinstance(line, dict):
            return line
    broken(f"{place} cannot be read: it was cut off or changed.")
    return None


def _opened(line: dict[str, Any], keys: Keys | None) -> dict[str, Any]:
    closed = line.pop("content", None)
    if keys is None:
        return line
    if not isinstance(closed, dict):
        return {**line, "content": None}
    try:
        content = keys.open(closed, str(line.get("id")))
    except SealError as error:
        return {**line, "content": {"cannot be opened": str(error)}}
    try:
        return {**line, "content": orjson.loads(content)}
    except orjson.JSONDecodeError:
        return {**line, "content": content.decode("utf-8", "replace")}


def files_of(folder: Path) -> list[tuple[date, Path]]:
    """The files of the log with their days, oldest first. Raises AuditError if the folder cannot be read."""
    found = []
    try:
        paths = list(folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise cannot("read", folder, error) from None
    for path in paths:
        if match := _FILE.fullmatch(path.name):
            with suppress(ValueError):
                found.append((date.fromisoformat(match[1]), path))
    return sorted(found)
