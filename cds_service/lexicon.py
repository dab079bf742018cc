"""All code sets that the loaded policies read, as one index: a chart is read once, however many policies look."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from cds_service.elements import coding_key
from cds_service.errors import UnreadableError
from cds_service.policy import Code, CodeSet


class Known(NamedTuple):
    """What is known of a coding: whether its system is standard, its code as that system spells it, who reads it."""

    standard: bool
    code: str
    without_system: bool
    rows: tuple[tuple[CodeSet, Code], ...]


class Lexicon:
    """Looks up codings in many code sets at once, and remembers what it found; codes are no patient's own."""

    def __init__(self, code_sets: Iterable[CodeSet]) -> None:
        self._code_sets = tuple(code_sets)
        self.look_up = lru_cache(maxsize=16384)(self._look_up)

    def _look_up(self, system: Any, code: Any) -> Known:
        """Raises UnreadableError where system or code is no text; a coding without a code is known as nothing."""
        if code is None:
            return Known(False, "", False, ())
        if not isinstance(code, str) or not (system is None or isinstance(system, str)):
            raise UnreadableError("has a coding whose code or system is not text")
        key = coding_key(system, code)
        if key is None:
            return Known(False, "", False, ())
        rows = tuple((codes, row) for codes in self._code_sets if (row := codes.match(key)))
        return Known(True, key[1], not system, rows)
