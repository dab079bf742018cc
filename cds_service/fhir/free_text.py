"""Free text as lower-case words, and the manner in which it uses a phrase."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate

from cds_service.fhir.manners import TELLTALE, TO_WORDS, Said, clauses_of

# Separates the texts of one concept (its text, the displays of its codings); each text is read on its own.
NEXT_TEXT = "\x1e"
# Separates two clauses; it is in no phrase and no clause.
_APART = "|"
# Judge at most this many places of one phrase in one clause; more repetitions add nothing.
MOST_PLACES = 20


def words(text: str) -> str:
    """Text as lower-case words with one space around each, so that " phrase " can be found inside it."""
    return FreeText(text).plain


class _Text:
    """The clauses of one text, joined in one string so that a phrase is searched for once, not in each clause."""

    def __init__(self, raw: str) -> None:
        self.clauses = list(clauses_of(raw))
        self.joined = _APART.join(clause.text for clause in self.clauses)
        self.starts = list(accumulate((len(clause.text) + len(_APART) for clause in self.clauses), initial=0))

    def end_of(self, place: int) -> int:
        """Where the clause at a place ends in ``joined``."""
        return self.starts[place + 1]

    @cached_property
    def as_words(self) -> str:
        """The clauses as ``words``, without the separators."""
        return words(" ".join(clause.text for clause in self.clauses))

    @cached_property
    def manner(self) -> Said:
        """The least firm manner of all clauses."""
        return max(clause.manner for clause in self.clauses)


class FreeText:
    """A text to search for many phrases; ``plain`` is the text in the form of ``words``, as are the phrases.

    ``words`` are its different words.
    """

    __slots__ = ("_is_doubtful", "_raw", "_texts", "plain", "words")

    def __init__(self, raw: str) -> None:
        listed = raw.lower().encode("ascii", "replace").translate(TO_WORDS).decode().split()
        self.plain = f" {' '.join(listed)} "
        # As a set: intersecting a sentence with the few phrases of a code set walks only the shorter of the two.
        self.words = set(listed)
        self._raw = raw
        self._texts: list[_Text] | None = None
        self._is_doubtful: bool | None = None

    @property
    def is_doubtful(self) -> bool:
        """Whether any word in it may change the manner; computed on first use, because most texts never need it."""
        if self._is_doubtful is None:
            self._is_doubtful = "?" in self._raw or not TELLTALE.isdisjoint(self.words)
        return self._is_doubtful

    def manner(self, phrases: Iterable[str]) -> Said | None:
        """The manner in which any of the phrases is in the text, or None if none is.

        Of several places in one text the firmest wins. Of several texts of one concept the least firm wins, because
        what a clinician typed beside a code says more than the code's own words.
        """
        if not self.is_doubtful:
            return Said.REPORTED if any(map(self.plain.__contains__, phrases)) else None
        return self.manner_of_found(list(filter(self.plain.__contains__, phrases)))

    def manner_of_found(self, found: Sequence[str]) -> Said | None:
        """``manner`` of phrases that are known to be in the text."""
        if not found:
            return None
        if not self.is_doubtful:
            return Said.REPORTED
        said = [firmest for text in self._parted() if (firmest := _firmest(text, found)) is not None]
        return max(said, default=Said.REPORTED)

    def manner_of_code(self) -> Said:
        """The manner of a text beside a code: the manner of its first clause, because the rest may concern something
        else ("low back pain; sciatica ruled out")."""
        if not self.is_doubtful:
            return Said.REPORTED
        return max((text.clauses[0].manner for text in self._parted() if text.clauses), default=Said.REPORTED)

    def _parted(self) -> list[_Text]:
        if self._texts is None:
            self._texts = [_Text(text) for text in self._raw.split(NEXT_TEXT)]
        return self._texts


def _firmest(text: _Text, phrases: Sequence[str]) -> Said | None:
    """The firmest manner of the phrases in one text, or None if none is in the text."""
    firmest = None
    for said in _manners(text, phrases):
        if said is Said.REPORTED:
            # No other place can be firmer.
            return said
        firmest = said if firmest is None else min(firmest, said)
    return firmest


def _manners(text: _Text, phrases: Sequence[str]) -> Iterator[Said]:
    """The manner of each phrase at each of its places."""
    for phrase in phrases:
        start = text.joined.find(phrase)
        if start < 0 and phrase in text.as_words:
            # The phrase crosses clauses ("fusion, lumbar"): use the manner of all clauses together.
            yield text.manner
        here, places = -1, 0
        while start >= 0:
            place = bisect_right(text.starts, start) - 1
            here, places = place, places + 1 if place == here else 1
            at = start - text.starts[place]
            yield text.clauses[place].manner_at(at, at + len(phrase) - 1)
            start = text.joined.find(phrase, start + 1 if places < MOST_PLACES else text.end_of(place))


def reports_any(text: str, phrases: Iterable[str]) -> bool:
    """Whether one of the phrases (in the form of ``words``) is in a text, neither denied nor only mentioned."""
    return FreeText(text).manner(phrases) not in (None, Said.MENTIONED, Said.DENIED)
