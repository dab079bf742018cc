"""How a clause uses the phrases in it: reported, past, suspected, mentioned, about a relative, or denied.

The tables are published in docs/how-a-chart-is-read.md. A text is read in clauses. A word that qualifies the words
after it does so up to ``;``, a full stop, a new line, or ``but``, or up to a comma outside a list ("no fever, chills or
discitis" denies all three).
"""

import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple


class Said(IntEnum):
    """The manner in which a text uses a phrase, from the firmest to the least firm."""

    REPORTED = 0
    PAST = 1
    SUSPECTED = 2
    MENTIONED = 3
    RELATIVE = 4
    DENIED = 5


# Replaces each byte that is not a letter or digit by a space: many times faster than a pattern.
TO_WORDS = bytes(byte if chr(byte) in "0123456789abcdefghijklmnopqrstuvwxyz" else ord(" ") for byte in range(256))
_MARKS = ",:;?"
_TO_CLAUSES = bytes(byte if chr(byte) in _MARKS else TO_WORDS[byte] for byte in range(256))

# Before a phrase of the same clause: the phrase is denied.
DENIALS = (
    *("no", "not", "without", "w o", "denies", "denied", "denying", "negative for", "neg for", "neg", "free of"),
    *("absence of", "never", "excludes", "exclude", "excluded", "excluding", "ruled out", "lack of", "lacks"),
)
# These begin like a denial, and deny nothing: a treatment "without relief" was tried.
NO_DENIALS = (
    *("no relief", "no improvement", "no change", "no benefit", "no response", "no success", "no better"),
    *("no lasting relief", "no significant relief", "no significant improvement", "no lasting improvement"),
    *("not only", "not improved", "not relieved", "not resolved", "not responded", "not helped", "not better"),
    *("without relief", "without improvement", "without benefit", "without success", "without response"),
    *("without lasting relief", "without contrast", "w o contrast", "w o relief", "w o improvement"),
    *("not otherwise", "not elsewhere", "lack of relief", "lack of improvement", "lack of effect", "lack of benefit"),
    *("not excluded", "not been excluded", "not exclude", "not ruled out", "not be ruled out", "not rule out"),
    *("cannot exclude", "can not exclude", "could not exclude"),
)
# Directly after a phrase: the phrase is denied.
DENIED_BEHIND = (
    *("denied", "excluded", "unlikely", "ruled out", "was ruled out", "is ruled out", "has been ruled out"),
    *("not present", "is not present", "not seen", "not found", "not identified", "not demonstrated", "not noted"),
    *("not evident", "not detected", "not suspected", "not confirmed"),
)
# Directly after a phrase, if no new statement follows: "negative straight leg raise" begins a new one.
DENIED_ALONE_BEHIND = ("absent", "negative", "neg", "none")
GOES_ON = ("on", "at", "by", "in", "per", "today", "this")
# After a phrase and a colon or a dash, alone.
DENIED_BEHIND_A_COLON = ("no", "n", "not", "nil", "false", "denies", "no evidence")
# Before a phrase: the phrase is only suspected.
SUSPICIONS = (
    *("rule out", "r o", "suspected", "suspicion of", "suspicion for", "suspicious for", "possible", "possibly"),
    *("probable", "probably", "questionable", "concern for", "concerning for", "concern about", "worrisome for"),
    *("cannot exclude", "can not exclude", "could not exclude", "not excluded", "not exclude", "not ruled out"),
    *("differential", "ddx", "assess for", "versus", "vs", "presumed"),
    *("may represent", "could represent", "might represent", "in question", "?"),
)
# Directly after a phrase: the phrase is only suspected.
SUSPECTED_BEHIND = (
    *("suspected", "possible", "probable", "questionable", "in question", "versus", "vs", "?", "not excluded"),
    *("cannot be excluded", "can not be excluded", "to be ruled out", "not ruled out", "not been ruled out"),
)
# Anywhere in the sentence: a plan, a question or education, not what the patient has or had.
MENTIONS = (
    *("screening", "screen", "protocol", "education", "counseling", "counselling", "discussed", "discussion"),
    *("consult", "consultation", "referral", "evaluation", "evaluate", "risk", "prophylaxis", "candidate"),
    *("planned", "scheduled", "declined", "refused", "cancelled", "canceled", "postponed"),
)
# Before a phrase only: after a surgery, "after fall" gives its date.
MENTIONS_BEFORE = ("before", "pre", "after", "following")
RELATIVES = ("mother", "father", "son", "daughter", "parent", "sister", "brother", "sibling", "uncle", "aunt", "cousin")
# Anywhere in the sentence: it is about a relative.
OF_ANOTHER = (
    *("family history", "family hx", "fh", "fhx", "maternal", "paternal"),
    *(f"{before}{relative}{after}" for relative in RELATIVES for before in ("", "grand") for after in ("", "s")),
)
# Before a phrase: the phrase is past.
PAST = ("history of", "hx of", "h o", "status post", "s p", "resolved", "previous", "previously", "prior")
# Directly after a phrase: the phrase is past.
PAST_BEHIND = ("resolved", "in the past", "in remission")


def _any_of(phrases: Iterable[str]) -> str:
    """A pattern for one of the phrases with the space before it; the space after it is only a look-ahead."""
    longest_first = sorted(phrases, key=len, reverse=True)
    return f" (?:{'|'.join(map(re.escape, longest_first))})(?= )"


_NO_DENIAL = re.compile(_any_of(NO_DENIALS))
_DENIAL, _SUSPICION, _PAST = (re.compile(_any_of(phrases)) for phrases in (DENIALS, SUSPICIONS, PAST))
_MENTION, _BEFORE = re.compile(_any_of(MENTIONS)), re.compile(_any_of(MENTIONS_BEFORE))
_OF_ANOTHER = re.compile(_any_of(OF_ANOTHER))
_ALONE = rf"(?: $|(?= (?:{'|'.join(GOES_ON)}) ))"
_BEHIND = {
    Said.DENIED: re.compile(
        f"{_any_of(DENIED_BEHIND)}|{_any_of(DENIED_ALONE_BEHIND)}{_ALONE}"
        f"| :{_any_of((*DENIED_BEHIND_A_COLON, *DENIED_ALONE_BEHIND))} $| :{_any_of(DENIED_BEHIND)}"
    ),
    Said.SUSPECTED: re.compile(_any_of(SUSPECTED_BEHIND)),
    Said.PAST: re.compile(_any_of(PAST_BEHIND)),
}
_ENDS = re.compile(r"\.(?=\s|$)|[;\n\r]| but | however | although | though ", re.IGNORECASE)
_DASH = re.compile(r"\s[-\u2013\u2014]\s")
# The first words of all these phrases: most texts have none of them and need no further analysis.
TELLTALE = frozenset(
    phrase.partition(" ")[0]
    for phrase in (
        *(*DENIALS, *DENIED_BEHIND, *DENIED_ALONE_BEHIND, *DENIED_BEHIND_A_COLON, *SUSPICIONS, *SUSPECTED_BEHIND),
        *(*MENTIONS, *MENTIONS_BEFORE, *OF_ANOTHER, *PAST, *PAST_BEHIND),
    )
)


class TextClause(NamedTuple):
    """A part of a sentence between commas.

    ``denied_from`` to ``mentioned_from`` are the places after which a phrase is denied, suspected, past or mentioned;
    ``whole`` is the manner that the sentence, or the clause after it ("discitis, denied"), gives the whole clause.
    ``is_plain``: it has none of the words that change the manner.
    """

    text: str
    denied_from: int
    suspected_from: int
    past_from: int
    mentioned_from: int
    whole: Said
    is_plain: bool

    def manner_at(self, start: int, end: int) -> Said:
        """The manner of a phrase at a place."""
        said = [self.whole]
        if not self.is_plain:
            said += [manner for manner, pattern in _BEHIND.items() if pattern.match(self.text, end)]
        if start >= self.denied_from:
            said.append(Said.DENIED)
        if start >= self.suspected_from:
            said.append(Said.SUSPECTED)
        if start >= self.mentioned_from:
            said.append(Said.MENTIONED)
        if start >= self.past_from:
            said.append(Said.PAST)
        return max(said)

    @property
    def manner(self) -> Said:
        """The manner of the clause as a whole."""
        ends = [manner for manner, pattern in _BEHIND.items() if _ends_with(pattern, self.text)]
        if Said.SUSPECTED in ends:
            ends = [Said.SUSPECTED]
        begins = Said.DENIED if self.denied_from < len(self.text) and _begins_denied(self.text) else Said.REPORTED
        suspected = Said.SUSPECTED if self.suspected_from < len(self.text) else Said.REPORTED
        past = Said.PAST if self.past_from < len(self.text) else Said.REPORTED
        return max(self.whole if self.whole is not Said.MENTIONED else Said.REPORTED, begins, suspected, past, *ends)


def clauses_of(text: str) -> Iterator[TextClause]:
    for sentence in _ENDS.split(text):
        marked = _DASH.sub(" : ", sentence.lower())
        for mark in ",:?":
            marked = marked.replace(mark, f" {mark} ")
        plain = marked.encode("ascii", "ignore").translate(_TO_CLAUSES).decode()
        yield from _in_sentence([listed for part in plain.split(",") if (listed := part.split())])


def _in_sentence(listed: list[list[str]]) -> Iterator[TextClause]:
    """The clauses of one sentence, from the words of each."""
    parts = [f" {' '.join(part)} " for part in listed]
    plain = [TELLTALE.isdisjoint(part) for part in listed]
    telling = [part for part, is_plain in zip(parts, plain, strict=True) if not is_plain]
    of_another = any(map(_OF_ANOTHER.search, telling))
    mentioned = Said.MENTIONED if any(map(_MENTION.search, telling)) else Said.REPORTED
    # Only a denial needs the end of the list.
    listing = enumerate(listed) if telling else ()
    last_of_list = max((place for place, part in listing if "or" in part or "nor" in part), default=-1)
    carried = labeled = False
    usual = Said.RELATIVE if of_another else mentioned
    for place, part in enumerate(parts):
        whole = usual
        if not of_another and place + 1 < len(parts) and not plain[place + 1]:
            alone = [manner for manner, pattern in _BEHIND.items() if _is_all_of(pattern, parts[place + 1])]
            whole = max(mentioned, *alone) if alone else mentioned
        if plain[place]:
            nowhere = len(part)
            yield TextClause(part, 0 if carried else nowhere, nowhere, nowhere, nowhere, whole, is_plain=True)
            carried = labeled or (carried and place < last_of_list)
            continue
        # Blank out what denies nothing, letter for letter, so that places stay the same.
        bare = _NO_DENIAL.sub(lambda found: " " + "." * (len(found[0]) - 1), part)
        denial = _DENIAL.search(bare)
        yield TextClause(
            part,
            0 if carried else _end_of(denial, part),
            _end_of(_SUSPICION.search(part), part),
            _end_of(_PAST.search(part), part),
            _end_of(_BEFORE.search(part), part),
            whole,
            is_plain=False,
        )
        # A denial continues after a comma in a list, up to its "or", and after a label ("denies: fever, discitis") up
        # to the end of the sentence.
        labeled = labeled or (denial is not None and bare.startswith(" : ", denial.end()))
        carried = labeled or ((carried or denial is not None) and place < last_of_list)


def _end_of(found: re.Match[str] | None, text: str) -> int:
    return found.end() if found else len(text)


def _is_all_of(pattern: re.Pattern[str], text: str) -> bool:
    found = pattern.match(text)
    return found is not None and found.end() >= len(text) - 1


def _ends_with(pattern: re.Pattern[str], text: str) -> bool:
    return any(found.end() >= len(text) - 1 for found in pattern.finditer(text))


def _begins_denied(text: str) -> bool:
    return _DENIAL.match(_NO_DENIAL.sub(" .", text.replace(" patient ", " ", 1))) is not None
