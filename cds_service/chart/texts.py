"""The texts of one chart: each is read once, and their total length is limited."""

from cds_service.errors import UnreadableError
from cds_service.fhir.bundles import ReadLimits
from cds_service.fhir.free_text import FreeText


class Texts:
    """Texts to search for phrases; ``limits`` bound their total length."""

    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self._most = limits.all_text_characters
        self._characters = 0
        self._read: dict[str, FreeText] = {}

    def read(self, text: str) -> FreeText:
        """A text to search for phrases, read once."""
        if text not in self._read:
            self._read[text] = FreeText(text)
        return self._read[text]

    def count(self, text: str) -> None:
        """Counts the characters of a text. Raises UnreadableError if the chart exceeds its limit."""
        self._characters += len(text)
        if self._characters > self._most:
            raise UnreadableError(self._limits.worded_beyond)
