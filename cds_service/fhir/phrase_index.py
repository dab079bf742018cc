"""Phrases to look for in many texts, filed by word."""

from collections import Counter
from collections.abc import Iterable

from cds_service.fhir.free_text import FreeText


class PhraseIndex:
    """Phrases in the form of ``words``, each filed under its word that the fewest phrases share.

    Finding the phrases of a text costs a look at the words of that text, not at each phrase.
    """

    __slots__ = ("_alone", "_by_word")

    def __init__(self, phrases: Iterable[str]) -> None:
        listed = [(phrase, frozenset(phrase.split())) for phrase in phrases]
        shared = Counter(word for _, inside in listed for word in inside)
        # A text that has the word of such a phrase has the phrase: no need to search a long text for it.
        self._alone: dict[str, str] = {}
        self._by_word: dict[str, list[tuple[str, frozenset[str]]]] = {}
        for phrase, inside in listed:
            if not inside:
                continue
            if len(phrase.split()) == 1:
                (word,) = inside
                self._alone[word] = phrase
                self._by_word.setdefault(word, [])
            else:
                rarest = min(inside, key=lambda word: (shared[word], -len(word), word))
                self._by_word.setdefault(rarest, []).append((phrase, inside))

    def found_in(self, text: FreeText) -> list[str]:
        """The phrases in a text, in no particular order."""
        words = text.words
        told = self._by_word.keys() & words
        if not told:
            return []
        plain = text.plain
        found = [
            phrase for word in told for phrase, inside in self._by_word[word] if inside <= words and phrase in plain
        ]
        found += [self._alone[word] for word in told if word in self._alone]
        return found
