"""What releases of public code systems list under the rows of a rule set: ``code-tables.json`` next to its documents.

Authors write it (``cds-service codes update``). It lists the codes that each family covers and affects no result.
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
    """The content of one release of a code system: its name, and the codes under each row, keyed by the row's
    spelling."""

    release: str
    codes: Mapping[str, tuple[str, ...]]

    def under(self, row: Code) -> tuple[str, ...]:
        """The codes that a row of this system covers; none if the tables were not queried for it."""
        written = f"{row.spelling} except {', '.join(row.exceptions)}" if row.exceptions else row.spelling
        return self.codes.get(written, ())


def answers_of(folder: Path) -> Mapping[str, Any]:
    """The file of a folder as written; empty if the tables were never queried. Raises PolicyError."""
    return read_json(folder / FILE) if (folder / FILE).exists() else {}


def released_codes(folder: Path, systems: Mapping[str, Any]) -> Mapping[str, ReleasedCodes]:
    """The released codes of a folder by canonical system; ``systems`` comes from its codes.json. Raises PolicyError."""
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
