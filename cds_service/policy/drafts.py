"""Drafts: rule set folders in which a text still begins with FILL IN, as in a starter folder."""

from pathlib import Path

MARK = "FILL IN: "


def places_to_fill(folder: Path) -> int:
    """The number of texts and keys still to fill in, in the JSON files of a folder; 0 for a finished folder.

    Files that are not valid JSON count too, because an author may save a draft at any moment.
    """
    return sum(_text(path).count(f'"{MARK}') for path in folder.glob("*.json"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    # The loader reports what is wrong with the file.
    except OSError:
        return ""
