"""A policy in memory: one edition of one statement, frozen. ``policy.loading`` makes it from a folder."""

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

# Who may attest to a criterion that does not say.
CLINICIANS = frozenset(("clinician",))


class Kind(ABC):
    """A kind of fact, as far as a policy tells of it; ``facts.kind`` has the rest."""

    name: ClassVar[str]
    # How it is compared: "is" for yes or no, "limits" for numbers, "count" for events.
    compared_by: ClassVar[str]
    # Whether it counts the parts of the scope, and so is read once these are known.
    counts_parts: ClassVar[bool] = False
    # Whether a test may ask what came after the newest of it.
    has_dates: ClassVar[bool] = False
    # Whether two facts of it have a reduction between them.
    may_be_reduced: ClassVar[bool] = False
    # Whether it is read from free text: it is shown, to be confirmed, and no test may rest on it.
    is_of_words: ClassVar[bool] = False

    def types(self, rule: "FactRule") -> frozenset[str]:
        """The types of FHIR resource that a fact of this kind reads, beside answers."""
        return frozenset(rule.resources)


class Word(ABC):
    """A word of tests, as far as a policy tells of it; ``facts.word`` has the rest."""

    name: ClassVar[str]
    # Whether the tests inside it are asked of each event of its fact.
    asks_of_events: ClassVar[bool] = False

    def facts(self, test: "Test") -> Iterator[str]:
        """The names of the facts that the test reads, in the order of reading; not the attributes of events."""
        for inner in test.inner:
            yield from inner.facts()


@dataclass(frozen=True, slots=True)
class StatedNumber:
    """A number that a sentence may state: what it is called, of which ``phrases`` it is, in which ``units`` ("" in
    words: none), and between which ends it can be."""

    label: str
    phrases: tuple[str, ...]
    unit: str
    units: tuple[str, ...]
    range: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Ask:
    """How a form asks for what answers a fact: the question, ``help`` beside it ("" where there is none), and the
    question for the date that ends it (``until``)."""

    text: str
    help: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class FactRule:
    """What a fact reads from the chart; the words are explained in cards/README.md.

    ``per_part``: it is read for each part of the statement's scope apart. ``start`` and ``end`` name the two numbers of
    a reduction, ``attributes`` are what is asked of each of several events. From ``weight`` and ``height`` a
    measurement is computed that is not on record itself. ``attested_by`` are the kinds of people whose answers count
    ("clinician", "staff", "patient"), and ``criteria`` the ids of the criteria that read it, both as those criteria
    say; ``ask`` is how a form asks for its ``item``. A record that one of ``not_in`` recognizes too does not count, nor
    one that names, as its body site, in its words or as its reasons, nothing but what lies in ``elsewhere``, nor one
    whose reasons lie in none of ``only_for``.

    Of a fact that is found by words: ``records`` are the only ones whose words are read, and ``expected_of`` those of
    which it is reported where their words were not sent or not read; ``said`` is how the phrase must stand there ("so",
    "not so" or "either"), and ``number`` what is read beside it.
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
        """The sets by which its records are found."""
        sets = (self.codes, self.weight, self.height, self.records, self.expected_of)
        return tuple(codes for codes in sets if codes is not None)

    @property
    def narrowed_by(self) -> tuple[CodeSet, ...]:
        """The sets that decide whether a record which is found counts."""
        one_each = (self.site, self.reason, self.elsewhere)
        return (*(codes for codes in one_each if codes is not None), *self.only_for, *self.not_in)

    @property
    def items(self) -> tuple[str, ...]:
        """The linkIds whose answers count: the fact's own, and the other names of the same finding."""
        return (self.item, *self.aliases) if self.item else ()

    def ending(self) -> "FactRule":
        """The same rule for the date that ends what began."""
        return replace(self, item=self.until, aliases=())

    def types(self) -> frozenset[str]:
        """The types of FHIR resource that the fact reads."""
        read = self.kind.types(self)
        return read | {"QuestionnaireResponse"} if self.item else read


@dataclass(frozen=True, slots=True)
class Test:
    """A node of a test: a ``word`` of the vocabulary, and what stands beside it.

    ``inner`` are the tests inside it, ``fact`` and ``after`` the facts that it names, ``wanted`` and the limits what a
    value is compared with. ``place`` is where it is in policy.json; ``parameters`` names the numbers that its
    limits are written as.
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
    # Asked of every criterion of every call.
    _facts: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_facts", tuple(self.word.facts(self)))

    def facts(self) -> tuple[str, ...]:
        """The names of the facts that the test reads, in the order of reading; not the attributes of events."""
        return self._facts


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a scope: the codes and words that name it, and a test that names it where an order does not."""

    id: str
    label: str
    codes: CodeSet
    when: Test | None

    @property
    def name(self) -> str:
        """What it is called in a sentence: its id, in words."""
        return self.id.replace("-", " ")


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """What a statement judges separately, such as each of two sides; a whole is as its weakest part."""

    name: str
    parts: tuple[Part, ...]

    def part(self, name: str) -> Part:
        """The part of that id."""
        return next(part for part in self.parts if part.id == name)


@dataclass(frozen=True, slots=True)
class Hint:
    """A fact that is shown beside a criterion without settling it, and what is missing in it.

    ``settled_by`` is what would settle the criterion beside it, where that is not what settles it else. Where one of
    ``unless`` is found, nothing is said to be missing, and no record is shown twice.
    """

    fact: str
    says: str
    settled_by: str = ""
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contrary:
    """A fact that contradicts a criterion while it is on record, and what is still not recorded about it.

    ``source`` is the source of the criterion that it bears on; ``own_reading``: that it does is our reading of that
    source, which does not name it. ``to_confirm``: it is shown as contrary evidence, and leaves the criterion as it is.
    """

    fact: str
    says: str
    source: str
    own_reading: bool = False
    to_confirm: bool = False


@dataclass(frozen=True, slots=True)
class ReviewLine:
    """A fact that is shown for review where it is a yes; ``withholds_codes``: no code is suggested beside it."""

    fact: str
    says: str
    withholds_codes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One numbered clause: its sentence, its test, and where it comes from. ``fails_as`` names what fails it.

    While a fact of ``contrary`` is on record, the criterion is met only by an answer given despite that record.
    ``beside`` are the names of the facts that contradict it, and of those that are shown beside it; ``key`` is the id,
    and behind it the profile whose numbers or test it has where those are not the policy's own.
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
    profile: str = ""
    per_part: bool = False
    beside: tuple[str, ...] = field(init=False)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        # Once for each criterion: a call asks for them more than a hundred times.
        beside = (*(item.fact for item in self.contrary), *(item.fact for item in self.hints))
        object.__setattr__(self, "beside", beside)
        object.__setattr__(self, "key", f"{self.id}@{self.profile}" if self.profile else self.id)


def own_id(key: str) -> str:
    """The id of the statement's own criterion in the key of a criterion."""
    return key.partition("@")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The rule of one source: its ``criteria`` (keys), or why it is ``pending`` and cannot be applied.

    ``parameters`` are its own numbers in place of the statement's.
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

    ``profile`` is the rule whose criteria these are, if they are not the policy's own; where ``applies_unless`` is met
    the verdict does not apply. ``as_far_as`` says of how much of its sources a met one speaks.
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

    ``names_site``: the codes name the site themselves, so that no other word is needed to know what is meant.
    """

    id: str
    label: str
    codes: CodeSet
    code: Code
    phrases: tuple[str, ...]
    names_site: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pathway:
    """An order that goes another way: known by what it says, or by ``when`` over facts.

    ``codes`` and ``phrases`` make an order this pathway's by themselves, with ``names_site`` wherever it is. Words of
    ``routing``, and ``reasons`` by code or words, send this way an order that concerns the policy already; beside
    one of ``keeps`` the words do not. ``says`` names the words of the card that is all it gets.
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


# Told apart by identity, as its sets are: what it says of a concept is asked for more than once.
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class OrderRule:
    """How an order is recognized: the acts, the words that name the therapy, and the site that must be pointed at.

    In a system of ``elsewhere_by_code`` (its URI -> what the policy calls it) every code that is neither ``here`` nor
    ``unspecific`` points elsewhere; an unknown code of another system says nothing. Without ``names_site`` the acts'
    codes mean one thing wherever it is.

    Other therapies share the acts' codes where ``known_by`` is given: then an order at the site is known as this one by
    its name, or by a code or words of that set in what it says of itself, its sites, its reasons.
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
    that were read for it, by their names in the policy's register.
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
    """One edition of one statement, as far as it is effective: partial dates, of which the second may not be known.

    ``criteria`` are the policy's own, in its order, and ``always_evaluated`` those that more than a profile asks for;
    ``variants`` those with the numbers or the test of a profile, by key. ``resource_types`` are the types of FHIR
    resource that its facts, and its payers, read. ``wording`` is card.json as written, ``phrases`` what cards
    are made of, and ``cases`` are those of all case files. ``digest`` identifies the documents that a library loaded
    (``loading.folder.digest_of``), and ``released_codes`` by system list the codes of its families; elsewhere both are
    empty, and nothing is decided by either.
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
        """Whether it is an edition that is not in force yet: it is listed, and nothing is evaluated by it."""
        return self.status == "draft"

    def criterion(self, key: str) -> Criterion:
        """The criterion of that key. Raises StopIteration where there is none; the loader sees to it."""
        return self.variants.get(key) or next(item for item in self.criteria if item.id == key)

    def behind(self, names: Iterable[str]) -> Iterator[str]:
        """The facts of these names, and before each the two that it is computed from, where it is."""
        for name in names:
            yield from filter(None, (self.facts[name].start, self.facts[name].end))
            yield name
