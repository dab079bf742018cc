"""The author's phrases in card.json, from which one builder makes every card of a rule set."""

from collections.abc import Mapping
from dataclasses import dataclass, field

FAIL_WORD = "off-label"
CONTRAINDICATION = "contraindication"


@dataclass(frozen=True, slots=True)
class CriterionPhrases:
    """What a card says about one criterion.

    ``short`` is true if the criterion is met ("failed PT"), ``topic`` is neutral ("PT outcome"). ``doc`` is the
    document to attach ("PT notes"), ``document`` what it must say, and ``document_found`` the same next to records in
    the chart ({count}, {last}, {names}). ``fails`` names the finding ({value} of a measurement), ``met`` what is in the
    chart. ``letter`` is a clause for a letter of medical necessity, true if the criterion is met ({value}).
    """

    short: str
    topic: str
    doc: str
    document: str
    fails: str
    letter: str
    document_found: str = ""
    met: str = ""
    kind: str = "indication"
    own_reading: bool = False

    @property
    def is_contraindication(self) -> bool:
        """Whether the label lists it as a contraindication."""
        return self.kind == CONTRAINDICATION


@dataclass(frozen=True, slots=True)
class CardMessage:
    """A card without a decision: its summary and its lines. Words between ** are bold."""

    summary: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Implanted:
    """What a card says if an implant may be in place: the end of the summary, and what to confirm."""

    summary: str
    ask: str


@dataclass(frozen=True, slots=True)
class PagePhrases:
    """Words that appear only on the evidence page."""

    codes: str
    header_code: str
    by_text: str = ""
    evidence: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """The phrases of one rule set. ``urgent`` and ``implanted`` are keyed by fact name, ``criteria`` by id.

    ``trials`` is "" if no second verdict is counted; ``no_label`` says why the first verdict does not apply.
    """

    therapy: str
    label: str
    fail_word: str
    no_label: str
    trials: str
    all_parts: str
    source_label: str
    source_url: str | None
    topic: str
    evidence: str
    pending: str
    messages: Mapping[str, CardMessage]
    pathways: Mapping[str, CardMessage]
    urgent: Mapping[str, str] = field(default_factory=dict)
    implanted: Mapping[str, Implanted] = field(default_factory=dict)
    criteria: Mapping[str, CriterionPhrases] = field(default_factory=dict)
    page: PagePhrases
