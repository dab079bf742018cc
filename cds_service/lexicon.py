"""All code sets that the loaded policies read, as one index: a chart is read once, however many policies look."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from cds_service.elements import coding_key
from cds_service.errors import UnreadableError
from cds_service.policy import Code, CodeSet
from cds_service.terminology import ICD10PCS

_NOT_TEXT = "has a coding whose code or system is not text"

LONGEST_CODE = 100


class Known(NamedTuple):
    """What is known of a coding: whether its system is standard, its code as that system spells it, who reads it.

    ``without_system``: the system was left out and judged by the code's shape. ``rows`` pairs each code set that reads
    the coding with the row that it falls under.
    """

    standard: bool
    code: str
    without_system: bool
    rows: tuple[tuple[CodeSet, Code], ...]


class Lexicon:
    """Looks up codings in many code sets at once, and remembers what it found; codes are no patient's own."""

    def __init__(self, code_sets: Iterable[CodeSet]) -> None:
        self._code_sets = tuple(code_sets)
        self._remembered = lru_cache(maxsize=16384)(self._look_up)

    def look_up(self, system: Any, code: Any) -> Known:
        """What is known of a coding, whatever JSON its system and code are; without a code it is nothing.

        Raises UnreadableError where the system or the code is not text.
        """
        if not isinstance(code, str | None) or not isinstance(system, str | None):
            raise UnreadableError(_NOT_TEXT)
        # Only what is short enough to be a code is remembered: a chart must not fill the memory with what it likes.
        if len(code or "") > LONGEST_CODE or len(system or "") > LONGEST_CODE:
            return self._look_up(system, code)
        return self._remembered(system, code)

    def _look_up(self, system: str | None, code: str | None) -> Known:
        key = coding_key(system, code) if code is not None else None
        if key is None:
            return Known(False, "", False, ())
        rows = tuple((codes, row) for codes in self._code_sets if (row := codes.match(key)))
        # Policies list few codes of this system, so that one they do not list must not silence the words beside it.
        return Known(key[0] != ICD10PCS or bool(rows), key[1], not system, rows)
