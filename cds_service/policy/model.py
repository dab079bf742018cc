"""A rule set in memory: one edition of one statement, frozen. ``policy.loading`` builds it from a folder."""

from abc import ABC
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, ClassVar

from cds_service.fhir.elements import Key
from cds_service.policy.cases import CaseFiles
from cds_service.policy.codes import Code, CodeSet
from cds_service.policy.payer_names import NO_PAYER_NAMES, PayerNames
from cds_service.policy.phrases import Phrases
from cds_service.policy.places import Steps
from cds_service.policy.released_codes import ReleasedCodes
from cds_service.policy.sources import (
    Attributes,
    Citation,
    Information,
    LaterText,
    Parameter,
    Review,
    Source,
    StudyResult,
)

# Who may attest to a criterion that does not name anyone.
CLINICIANS = frozenset(("clinician",))


class Kind(ABC):
    """A kind of fact, as far as a rule set needs to know; ``facts.kind`` has the rest."""

    name: ClassVar[str]
    # How tests compare it: "is" for yes or no, "limits" for numbers, "count" for events.
    compared_by: ClassVar[str]
    # Whether it counts the parts of the scope, and is therefore read after they are known.
    counts_parts: ClassVar[bool] = False
    # Whether a test may ask what came after its newest record.
    has_dates: ClassVar[bool] = False
    # Whether a reduction can be computed between two facts of this kind.
    may_be_reduced: ClassVar[bool] = False
    # Whether it comes from free text: it is shown for confirmation, and no test may use it.
    is_of_words: ClassVar[bool] = False

    def types(self, rule: "FactRule") -> frozenset[str]:
        """The types of FHIR resource that a fact of this kind reads, apart from answers."""
        return frozenset(rule.resources)


class Word(ABC):
    """A word of tests, as far as a rule set needs to know; ``facts.word`` has the rest."""

    name: ClassVar[str]
    # Whether its inner tests apply to each event of its fact.
    asks_of_events: ClassVar[bool] = False

    def facts(self, test: "Test") -> Iterator[str]:
        """The names of the facts that the test reads, in reading order, without the attributes of events."""
        for inner in test.inner:
            yield from inner.facts()


@dataclass(frozen=True, slots=True)
class StatedNumber:
    """A number that a sentence may state: its label, the ``phrases`` that name it, its ``unit`` ("" if none), the
    ``units`` as written in text, and its valid range."""

    label: str
    phrases: tuple[str, ...]
    unit: str
    units: tuple[str, ...]
    range: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Ask:
    """How a form asks for the answer to a fact: the question, its ``help`` ("" if none), and the question for the end
    date (``until``)."""

    text: str
    help: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class FactRule:
    """What a fact reads from the chart; cards/README.md explains the words.

    ``per_part``: it is read for each part of the statement's scope. ``start`` and ``end`` name the two numbers of a
    reduction, and ``attributes`` are read for each of several events. A measurement without a record of its own is
    computed from ``weight`` and ``height``. ``attested_by`` are the kinds of people whose answers count ("clinician",
    "staff", "patient"), and ``criteria`` the ids of the criteria that read the fact. ``ask`` is the form's question for
    ``item``.

    A record does not count if a set of ``not_in`` also recognizes it, if its body site, words or reasons name only what
    is in ``elsewhere``, or if none of its reasons is in ``only_for``.

    For a fact found by words, only the words of ``records`` are read, and a missing or unread text is reported for
    those of ``expected_of``. ``said`` is how the phrase must be stated ("so", "not so" or "either"), and ``number`` is
    read with it.
    """

    name: str
    kind: Kind
    title: str
    when_absent: str
    absent_because: str | None = None
    codes: CodeSet | None = None
    resources: tuple[str, ...] = ()
    state: str = "ever"
    site: CodeSet | None = None
    reason: CodeSet | None = None
    not_in: tuple[CodeSet, ...] = ()
    elsewhere: CodeSet | None = None
    only_for: tuple[CodeSet, ...] = ()
    noun: tuple[str, str] | None = None
    item: str | None = None
    look_back_days: int | None = None
    answer_look_back_days: int | None = None
    unit: str = ""
    units: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    range: tuple[float, float] = (float("-inf"), float("inf"))
    aliases: tuple[str, ...] = ()
    until: str | None = None
    in_months: bool = False
    per_part: bool = False
    start: str = ""
    end: str = ""
    attributes: Mapping[str, "FactRule"] = field(default_factory=dict)
    attested_by: frozenset[str] = CLINICIANS
    criteria: tuple[str, ...] = ()
    weight: CodeSet | None = None
    height: CodeSet | None = None
    records: CodeSet | None = None
    expected_of: CodeSet | None = None
    said: str = "so"
    number: StatedNumber | None = None
    ask: Ask | None = None

    @property
    def code_sets(self) -> tuple[CodeSet, ...]:
        """The code sets that find its records."""
        sets = (self.codes, self.weight, self.height, self.records, self.expected_of)
        return tuple(codes for codes in sets if codes is not None)

    @property
    def narrowed_by(self) -> tuple[CodeSet, ...]:
        """The code sets that decide whether a found record counts."""
        one_each = (self.site, self.reason, self.elsewhere)
        return (*(codes for codes in one_each if codes is not None), *self.only_for, *self.not_in)

    @property
    def items(self) -> tuple[str, ...]:
        """The linkIds whose answers count: the fact's own, and its aliases for the same finding."""
        return (self.item, *self.aliases) if self.item else ()

    def ending(self) -> "FactRule":
        """The same rule for the end date."""
        return replace(self, item=self.until, aliases=())

    def types(self) -> frozenset[str]:
        """The types of FHIR resource that the fact reads."""
        read = self.kind.types(self)
        return read | {"QuestionnaireResponse"} if self.item else read


@dataclass(frozen=True, slots=True)
class Test:
    """A node of a test: a ``word`` of the vocabulary, and its members.

    ``inner`` are the tests inside it. ``fact`` and ``after`` name facts, and the value is compared with ``wanted`` and
    the limits. ``place`` is its place in policy.json; ``parameters`` maps a limit to the parameter that it names.
    """

    word: Word
    inner: tuple["Test", ...] = ()
    fact: str = ""
    wanted: bool | None = None
    at_least: float | None = None
    at_most: float | None = None
    more_than: float | None = None
    less_than: float | None = None
    after: str = ""
    place: Steps = field(default=(), compare=False)
    parameters: Mapping[str, str] = field(default_factory=dict, compare=False)
    # Cached, because every call reads the facts of every criterion.
    _facts: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_facts", tuple(self.word.facts(self)))

    def facts(self) -> tuple[str, ...]:
        """The names of the facts that the test reads, in reading order, without the attributes of events."""
        return self._facts


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a scope: the codes and words that name it, and a test that applies if the order names no part."""

    id: str
    label: str
    codes: CodeSet
    when: Test | None

    @property
    def name(self) -> str:
        """Its name in a sentence: the id, in words."""
        return self.id.replace("-", " ")


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """What a statement judges separately, such as each of two sides; the weakest part decides for the whole."""

    name: str
    parts: tuple[Part, ...]

    def part(self, name: str) -> Part:
        """The part with that id. Raises StopIteration if there is none."""
        return next(part for part in self.parts if part.id == name)


@dataclass(frozen=True, slots=True)
class Hint:
    """A fact that is shown next to a criterion but does not settle it, and what the fact lacks.

    ``settled_by`` is what would settle the criterion next to this fact, if different from usual. With ``unless``, no
    record is shown twice, and nothing is reported missing if one of those facts is found.
    """

    fact: str
    says: str
    settled_by: str = ""
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contrary:
    """A fact that contradicts a criterion while it is on record, and what is still not recorded about it.

    ``source`` is the source of the criterion that the fact concerns; ``own_reading``: that source does not name the
    fact, and the link is our reading. ``to_confirm``: the fact is shown as contrary evidence and does not change the
    criterion.
    """

    fact: str
    says: str
    source: str
    own_reading: bool = False
    to_confirm: bool = False


@dataclass(frozen=True, slots=True)
class ReviewLine:
    """A fact that is shown for review if it is yes; ``withholds_codes``: then no code is suggested."""

    fact: str
    says: str
    withholds_codes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One numbered clause: its sentence, its test, and its sources. ``fails_as`` names what makes it fail.

    While a fact of ``contrary`` is on record, only an answer given despite that record can meet the criterion.
    ``types`` are the FHIR resource types whose records may settle it, sorted. ``reads`` names the facts of its test,
    each once; ``beside`` the facts that contradict the criterion, then the facts shown next to it; ``names`` both, each
    once. ``key`` is the id; if a profile changes its numbers or test, also "@" and the profile.
    """

    id: str
    title: str
    fails_as: str
    test: Test
    hints: tuple[Hint, ...]
    contrary: tuple[Contrary, ...]
    attested_by: frozenset[str]
    settled_by: str
    citations: tuple[Citation, ...]
    statement_text: str
    product_choice: str | None
    note: str | None
    next_review: str
    types: tuple[str, ...]
    profile: str = ""
    per_part: bool = False
    reads: tuple[str, ...] = field(init=False)
    beside: tuple[str, ...] = field(init=False)
    names: tuple[str, ...] = field(init=False)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        # Computed once: a call reads them more than a hundred times.
        beside = (*(item.fact for item in self.contrary), *(item.fact for item in self.hints))
        object.__setattr__(self, "reads", tuple(dict.fromkeys(self.test.facts())))
        object.__setattr__(self, "beside", beside)
        object.__setattr__(self, "names", tuple(dict.fromkeys((*self.reads, *beside))))
        object.__setattr__(self, "key", f"{self.id}@{self.profile}" if self.profile else self.id)


def own_id(key: str) -> str:
    """The id of the statement's own criterion in a criterion key."""
    return key.partition("@")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The rule of one source: its ``criteria`` (keys), or why it is ``pending`` and cannot be applied.

    ``parameters`` are its own numbers, which replace the statement's.
    """

    id: str
    title: str
    source: str
    pending: str | None
    criteria: tuple[str, ...]
    next_review: str
    parameters: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRule:
    """A verdict: all of ``criteria`` (keys), or (``payer``) the position of the patient's payer.

    ``profile`` is the rule that the criteria come from, if they are not the rule set's own. The verdict does not apply
    if ``applies_unless`` is met. ``as_far_as`` says how much of its sources a met verdict covers.
    """

    id: str
    title: str
    criteria: tuple[str, ...]
    payer: bool
    profile: Profile | None = None
    applies_unless: Test | None = None
    as_far_as: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act of the procedure: the codes that name it, the one code suggested for it, the words that name it.

    ``names_site``: the codes themselves name the site, so they need no other word.
    """

    id: str
    label: str
    codes: CodeSet
    code: Code
    phrases: tuple[str, ...]
    names_site: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pathway:
    """An order that takes another path: recognized by its content, or by the test ``when``.

    ``codes`` and ``phrases`` alone assign an order to this pathway, at any site if ``names_site``. ``reasons`` by code
    or words, and words of ``routing`` without any of ``keeps``, redirect an order that already concerns the rule set.
    ``says`` names the message that the card then shows.
    """

    id: str
    title: str
    codes: CodeSet | None
    phrases: tuple[str, ...]
    when: Test | None
    says: str
    names_site: bool = False
    routing: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    reasons: CodeSet | None = None


# Compared by identity, like its sets, because results for a concept are cached.
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OrderRule:
    """How an order is recognized: the acts, the words that name the therapy, and the site that it must name.

    In a system of ``elsewhere_by_code`` (its URI -> the rule set's name for it), every code that is neither ``here``
    nor ``unspecific`` means another site; an unknown code of another system means nothing. Without ``names_site``, the
    acts' codes mean one thing at any site.

    ``known_by`` is given if other therapies share the acts' codes. Then an order at the site is recognized by its name,
    or by a code or words of that set in the order itself, its sites, or its reasons.
    """

    acts: tuple[Act, ...]
    named_in_text: tuple[str, ...]
    not_the_procedure_in_text: tuple[str, ...]
    here: CodeSet
    unspecific: CodeSet
    elsewhere_by_code: Mapping[str, str]
    elsewhere_in_text: tuple[str, ...]
    names_site: bool = True
    known_by: CodeSet | None = None
    pathways: tuple[Pathway, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """What is known of one payer's position.

    ``position`` is one of covered_when_all, profile, covered (false) and not_encoded. ``sources`` are the documents
    read for it, by their names in the rule set's register.
    """

    id: str
    name: str
    identifiers: frozenset[Key]
    aliases: frozenset[str]
    document: str
    position: Mapping[str, Any]
    own_text: bool
    seen_in_force: date | None
    in_force_from: date | None
    in_force_until: date | None
    background: str
    verified: str
    next_review: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One edition of one statement. ``effective_from`` and ``effective_until`` are partial dates; the second may be
    None.

    ``criteria`` are the rule set's own, in its order; ``always_evaluated`` leaves out those that only a profile uses.
    ``variants`` are the criteria with a profile's numbers or test, by key. ``resource_types`` are the FHIR resource
    types that its facts and payers read. ``wording`` is card.json as written, ``phrases`` are the card's phrases, and
    ``cases`` come from all case files. ``digest`` identifies the documents that a library loaded
    (``loading.folder.digest_of``), and ``released_codes`` list the codes of its families by system. Outside a library
    both are empty; neither affects a result.
    """

    id: str
    statement: str
    edition: str
    title: str
    procedure: str
    effective_from: str
    effective_until: str | None
    review: Review
    attributes: Attributes
    sources: Mapping[str, Source]
    evidence: tuple[StudyResult, ...]
    information: tuple[Information, ...]
    code_systems: Mapping[str, Any]
    code_sets: Mapping[str, CodeSet]
    facts: Mapping[str, FactRule]
    criteria: tuple[Criterion, ...]
    verdicts: tuple[VerdictRule, ...]
    orders: OrderRule
    patient_view_when: Test | None
    patient_view_unless: Test | None
    for_review: tuple[ReviewLine, ...]
    payers: tuple[Payer, ...]
    wording: Mapping[str, Any]
    phrases: Phrases
    cases: CaseFiles
    resource_types: frozenset[str]
    scope: Scope | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    variants: Mapping[str, Criterion] = field(default_factory=dict)
    always_evaluated: tuple[Criterion, ...] = ()
    payer_names: PayerNames = NO_PAYER_NAMES
    status: str = ""
    superseded_by: LaterText | None = None
    digest: str = ""
    released_codes: Mapping[str, ReleasedCodes] = field(default_factory=dict)

    @property
    def is_draft(self) -> bool:
        """Whether the edition is a draft: it is listed but not evaluated."""
        return self.status == "draft"

    def criterion(self, key: str) -> Criterion:
        """The criterion with that key. Raises StopIteration if there is none, which the loader prevents."""
        return self.variants.get(key) or next(item for item in self.criteria if item.id == key)

    def behind(self, names: Iterable[str]) -> Iterator[str]:
        """The facts with these names, each preceded by the two facts that it is computed from, if any."""
        for name in names:
            yield from filter(None, (self.facts[name].start, self.facts[name].end))
            yield name
