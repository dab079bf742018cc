"""The texts of one chart: each is read once, and all together are no longer than is read of a chart."""

from cds_service.errors import UnreadableError
from cds_service.fhir.bundles import ReadLimits
from cds_service.fhir.free_text import FreeText


class Texts:
    """Texts in the form in which they are asked for phrases; as many of them as ``limits`` let through."""

    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self._most = limits.all_text_characters
        self._characters = 0
        self._read: dict[str, FreeText] = {}

    def read(self, text: str) -> FreeText:
        """A text, read once, however many ask it for their phrases."""
        if text not in self._read:
            self._read[text] = FreeText(text)
        return self._read[text]

    def count(self, text: str) -> None:
        """Counts the characters of a text that is read. Raises UnreadableError where the chart has more than is
        read."""
        self._characters += len(text)
        if self._characters > self._most:
            raise UnreadableError(self._limits.worded_beyond)
