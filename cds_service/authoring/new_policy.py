"""The starter folder of a new rule set: every file with its comments, and FILL IN texts for the author."""

import re
from pathlib import Path

from cds_service.errors import PolicyError
from cds_service.policy.json_files import FILES
from cds_service.settings.folders import data_folder

_TEMPLATES = Path(__file__).parent / "starting_folder"
_PACKAGE = Path(__file__).resolve().parent.parent
_ID = "NEW-POLICY-ID"
# As in policy.schema.json.
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST = 80


def write_starting_folder(identifier: str, directory: Path) -> Path:
    """Writes the folder ``directory/identifier``, creates ``directory`` if needed, and returns the folder's path.

    Raises PolicyError if the id is invalid, the folder exists, or the directory belongs to the program.
    """
    if not _SLUG.fullmatch(identifier) or len(identifier) > _LONGEST:
        raise PolicyError(
            [
                f"'{identifier}' cannot be the id of a rule set. An id is lower-case words and numbers joined by "
                f"dashes, {_LONGEST} characters at most, for example society-procedure-2024."
            ]
        )
    if any(directory.resolve().is_relative_to(ours) for ours in (_PACKAGE, data_folder("cards").resolve())):
        raise PolicyError([f"{directory} belongs to the program; nothing was written. Choose a directory of your own."])
    folder = directory / identifier
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise PolicyError([f"{folder} exists already; nothing was written. Choose another id or directory."]) from None
    for name in FILES:
        text = (_TEMPLATES / f"{name}.json").read_text(encoding="utf-8")
        (folder / f"{name}.json").write_text(text.replace(_ID, identifier), encoding="utf-8")
    return folder
