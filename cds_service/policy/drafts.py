"""Drafts: policy folders in which a text still begins with FILL IN, as a starting folder has them."""

from pathlib import Path

MARK = "FILL IN: "


def places_to_fill(folder: Path) -> int:
    """How many texts and keys of the JSON files of a folder are still to be filled in; of a finished folder none.

    Files that are not JSON are counted too: an author saves a draft at any moment.
    """
    return sum(_text(path).count(f'"{MARK}') for path in folder.glob("*.json"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    # The reader of the policy says what is wrong with the file.
    except OSError:
        return ""
