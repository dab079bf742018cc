"""The codes by which a policy recognizes things: rows of its code sets, and what falls under them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from cds_service.fhir.dates import days
from cds_service.fhir.elements import Key
from cds_service.fhir.free_text import reports_any, words
from cds_service.fhir.terminology import common_beginning

# In place of how a code was seen: its words are those of the deployment's code pack.
FROM_PACK = "code-pack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One code of a set: canonical ``system`` URI, our own short ``label`` or a code pack's words, provenance.

    ``leaves`` is filled for a header code that is not billable: the codes below it that are.

    A family stands for many codes: a ``prefix`` for every code that begins with it (written with a dash at its end), a
    code with ``through`` for every code from the one to the other, both with all that begins so. ``exceptions`` are the
    codes and prefixes (a dash at the end) below it that it leaves out.
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
        """The characters with which every code begins that it stands for."""
        return common_beginning(self.code, self.through) if self.through else self.code

    def covers(self, code: str) -> bool:
        """Whether it stands for a code of its system (canonical)."""
        if self.through:
            inside = self.code <= code[: len(self.through)] <= self.through
        else:
            inside = code.startswith(self.code) if self.prefix else code == self.code
        return inside and not any(
            code.startswith(kept_out[:-1]) if kept_out.endswith("-") else code == kept_out
            for kept_out in self.exceptions
        )

    @property
    def from_pack(self) -> bool:
        """Whether the label is not ours: a licensed descriptor of any length, in which any character may stand."""
        return self.seen == FROM_PACK

    @property
    def spelling(self) -> str:
        """A code as its file writes it: with a dash at its end where it stands for all that begin so, or as a range."""
        if self.through:
            return f"{self.code} to {self.through}"
        return f"{self.code}-" if self.prefix else self.code

    def is_valid(self, on: date) -> bool:
        """Whether the code has this meaning on a day."""
        return not (
            (self.valid_from is not None and on < days(self.valid_from).first)
            or (self.valid_until is not None and on > days(self.valid_until).last)
        )


# Sets are told apart by identity: two policies may name theirs alike.
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CodeSet:
    """A named set of codes: exact (system, code) pairs, families of codes, phrases for records without codes.

    ``words_beside_codes``: the phrases count for coded records too (a drug's product code, whose ingredient is in its
    words). Where one of ``unless`` stands in a text, no phrase counts: a stimulator that was removed is none.
    """

    name: str
    title: str
    codes: tuple[Code, ...]
    exact: Mapping[Key, Code]
    families: tuple[Code, ...]
    phrases: tuple[str, ...]
    words_beside_codes: bool = False
    unless: tuple[str, ...] = ()

    def match(self, key: Key) -> Code | None:
        """The row that a (system, code) pair falls under, or None."""
        found = self.exact.get(key)
        if found is None and self.families:
            system, code = key
            found = next((row for row in self.families if row.system == system and row.covers(code)), None)
        return found

    def match_on(self, key: Key, on: date) -> Code | None:
        """The row that the pair falls under on a day: a code may change its meaning from one year to the next."""
        found = self.match(key)
        return found if found is not None and found.is_valid(on) else None

    def stands_in(self, text: str) -> bool:
        """Whether a phrase stands anywhere in normalised text."""
        return any(phrase in text for phrase in self.phrases)

    def match_words(self, text: str) -> bool:
        """Whether a phrase stands in a text, neither denied nor only mentioned."""
        return reports_any(text, self.phrases) and not (self.unless and self._is_ruled_out(text))

    def _is_ruled_out(self, text: str) -> bool:
        plain = words(text)
        return any(phrase in plain for phrase in self.unless)
