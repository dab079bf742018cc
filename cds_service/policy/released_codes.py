"""What releases of public code systems have under the rows of a rule set: ``code-tables.json`` beside its documents.

Authors write it (``cds-service codes update``); it decides nothing, and lists the codes for which a family stands.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cds_service.errors import PolicyError
from cds_service.fhir.terminology import canonical_system
from cds_service.policy.codes import Code
from cds_service.policy.json_files import read_json

FILE = "code-tables.json"


class ReleasedCodes(NamedTuple):
    """What one release of a code system has: its name, and the codes under each row, by how the row is written."""

    release: str
    codes: Mapping[str, tuple[str, ...]]

    def under(self, row: Code) -> tuple[str, ...]:
        """The codes for which a row of this system stands; none where the tables were not asked for it."""
        written = f"{row.spelling} except {', '.join(row.exceptions)}" if row.exceptions else row.spelling
        return self.codes.get(written, ())


def answers_of(folder: Path) -> Mapping[str, Any]:
    """The file of a folder as it is written; nothing where the tables were never asked. Raises PolicyError."""
    return read_json(folder / FILE) if (folder / FILE).exists() else {}


def released_codes(folder: Path, systems: Mapping[str, Any]) -> Mapping[str, ReleasedCodes]:
    """What is kept in a folder by canonical system; ``systems`` are those of its codes.json. Raises PolicyError."""
    answers = answers_of(folder)
    try:
        return {
            canonical_system(systems[name]["url"]): ReleasedCodes(
                str(told["release"]), {str(row): tuple(map(str, codes)) for row, codes in told["codes"].items()}
            )
            for name, told in answers.items()
            if name in systems
        }
    except (AttributeError, KeyError, TypeError):
        sentence = "is not as 'cds-service codes update' writes it; run that command to write it again"
        raise PolicyError([f"{folder / FILE}: {sentence}"]) from None
