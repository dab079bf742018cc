"""The codes by which a rule set recognizes records: rows of its code sets, and the codes that they cover."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from cds_service.fhir.dates import days
from cds_service.fhir.elements import Key
from cds_service.fhir.free_text import FreeText, words
from cds_service.fhir.manners import Said
from cds_service.fhir.phrase_index import PhraseIndex
from cds_service.fhir.terminology import common_beginning

# Stands for the source of a code whose words come from the deployment's code pack.
FROM_PACK = "code-pack"
# Stands for the source of a code that came with one of the deployment's value sets.
FROM_VALUE_SET = "value-set"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One code of a set: canonical ``system`` URI, our own short ``label`` or a code pack's words, provenance.

    ``leaves`` lists, for a header code that is not billable, the billable codes below it.

    A family stands for many codes: a ``prefix`` for every code that begins with it (written with a dash at its end), a
    code with ``through`` for every code from the one to the other, including all codes that begin with either.
    ``exceptions`` are the codes and prefixes (a dash at the end) below it that it excludes.
    """

    system: str
    system_name: str
    code: str
    label: str
    seen: str
    provenance: str
    valid_from: str | None
    valid_until: str | None
    leaves: tuple[str, ...] = ()
    remark: str | None = None
    use: str | None = None
    prefix: bool = False
    through: str = ""
    exceptions: tuple[str, ...] = ()

    @property
    def is_family(self) -> bool:
        """Whether it stands for more than one code."""
        return self.prefix or bool(self.through)

    @property
    def begins(self) -> str:
        """The characters that all its codes begin with."""
        return common_beginning(self.code, self.through) if self.through else self.code

    def covers(self, code: str) -> bool:
        """Whether it covers a code of its system (canonical)."""
        if self.through:
            inside = self.code <= code[: len(self.through)] <= self.through
        else:
            inside = code.startswith(self.code) if self.prefix else code == self.code
        return inside and not any(
            code.startswith(kept_out[:-1]) if kept_out.endswith("-") else code == kept_out
            for kept_out in self.exceptions
        )

    def narrowed_to(self, code: str) -> "Code":
        """The row of a family for one code that it covers."""
        return replace(self, code=code, prefix=False, through="", exceptions=())

    @property
    def labelled_elsewhere(self) -> bool:
        """Whether the label is not ours: a licensed descriptor of any length and any characters."""
        return self.seen in (FROM_PACK, FROM_VALUE_SET)

    @property
    def spelling(self) -> str:
        """The row as its file writes it: with a dash at its end for a prefix, or as a range.

        An ingredient without a known code has its name.
        """
        if self.through:
            return f"{self.code} to {self.through}"
        return f"{self.code}-" if self.prefix else self.code or self.label

    def is_valid(self, on: date) -> bool:
        """Whether the code has this meaning on a day."""
        return not (
            (self.valid_from is not None and on < days(self.valid_from).first)
            or (self.valid_until is not None and on > days(self.valid_until).last)
        )


# Sets are compared by identity: two rule sets may use the same name.
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CodeSet:
    """A named set of codes: exact (system, code) pairs, families of codes, phrases for records without codes.

    ``unless`` are words beside which the phrases mean something else ("pain score" in "knee pain score", "removal" of
    an implant). ``words_beside_codes``: phrases beside a code that the set does not list count like phrases without a
    code (a drug's product code, whose ingredient is in its words); in other sets they are shown and settle nothing
    alone. ``drugs`` maps phrases to the ingredients that they name; these phrases are also in ``phrases``. A phrase of
    ``together`` counts if one of ``beside`` is in the same text, in any order ("L4-L5 laminectomy"); these phrases are
    also in ``phrases``. ``ingredients`` are the names of drugs whose rows are at the end of ``codes``;
    ``family_systems`` are the code systems of its families, and ``alone`` the phrases that count by themselves.
    """

    name: str
    title: str
    codes: tuple[Code, ...]
    exact: Mapping[Key, Code]
    families: tuple[Code, ...]
    phrases: tuple[str, ...]
    words_beside_codes: bool = False
    unless: tuple[str, ...] = ()
    drugs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    ingredients: tuple[str, ...] = ()
    family_systems: frozenset[str] = field(init=False)
    alone: tuple[str, ...] = field(init=False)
    _index: PhraseIndex = field(init=False)
    _beside: PhraseIndex = field(init=False)
    _together: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        # Compute these once for each set: charts check many concepts and texts against it.
        object.__setattr__(self, "family_systems", frozenset(row.system for row in self.families))
        object.__setattr__(self, "alone", tuple(phrase for phrase in self.phrases if phrase not in self.together))
        object.__setattr__(self, "_index", PhraseIndex(self.phrases))
        object.__setattr__(self, "_beside", PhraseIndex(self.beside))
        object.__setattr__(self, "_together", frozenset(self.together))

    @property
    def listed(self) -> tuple[Code, ...]:
        """The rows in its file, without the rows of its ``ingredients``."""
        return self.codes[: len(self.codes) - len(self.ingredients)]

    @property
    def written_phrases(self) -> tuple[str, ...]:
        """The phrases in its file that count by themselves: no drug names, and no phrases that need another beside
        them."""
        return tuple(item for item in self.alone if item not in self.drugs)

    def match(self, key: Key) -> Code | None:
        """The row of a (system, code) pair, or None; the row of a family is narrowed to the code."""
        found = self.exact.get(key)
        if found is None and self.families:
            system, code = key
            family = next((row for row in self.families if row.system == system and row.covers(code)), None)
            found = family and family.narrowed_to(code)
        return found

    def match_on(self, key: Key, on: date) -> Code | None:
        """The row of the pair on a day: a code may change its meaning from one year to the next."""
        found = self.match(key)
        return found if found is not None and found.is_valid(on) else None

    def stands_in(self, text: FreeText) -> bool:
        """Whether a phrase is anywhere in a text."""
        return bool(self._index.found_in(text))

    def manner_in(self, text: FreeText, *, ordered: bool = False) -> Said | None:
        """The manner in which a text reports a phrase of the set; None if it does not, or denies or only mentions it.

        In an order (``ordered``) a mention is what is ordered: "referral to physical therapy".
        """
        found = self._phrases_in(text)
        if not found or any(map(text.plain.__contains__, self.unless)):
            return None
        said = text.manner_of_found(found)
        return None if said is Said.DENIED or (said is Said.MENTIONED and not ordered) else said

    def said_in(self, sentence: FreeText, called: str) -> Said | None:
        """The manner in which a sentence uses a phrase of the set, including denial and mention; None if it has none.
        The words of ``beside`` may also be in what its record is ``called``."""
        found = self._phrases_in(sentence, called)
        if not found or any(map(sentence.plain.__contains__, self.unless)):
            return None
        return sentence.manner_of_found(found)

    def manner_anywhere(self, text: FreeText) -> Said | None:
        """The manner in which a text uses any phrase, whatever is beside it; None if it has none."""
        return text.manner_of_found(self._index.found_in(text))

    def may_be_of(self, called: str) -> bool:
        """Whether the name of a record suggests that its words may concern this set."""
        return any(map(words(called).__contains__, self.beside))

    def _phrases_in(self, text: FreeText, called: str = "") -> list[str]:
        """The phrases in a text that may count: phrases of ``together`` only beside one of ``beside``."""
        found = self._index.found_in(text)
        if self._together.isdisjoint(found):
            return found
        if self._beside.found_in(text) or self.may_be_of(called):
            return found
        return [phrase for phrase in found if phrase not in self._together]

    def drugs_in(self, text: FreeText) -> tuple[str, ...]:
        """The ingredients that a text names, in the order of their names."""
        if not self.drugs:
            return ()
        found = self._index.found_in(text)
        return tuple(sorted({name for phrase in found for name in self.drugs.get(phrase, ())}))

    def match_words(self, text: str) -> bool:
        """Whether a phrase is in a text, neither denied nor only mentioned."""
        return self.manner_in(FreeText(text)) is not None
