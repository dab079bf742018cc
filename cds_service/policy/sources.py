"""Where a rule set comes from: sources and their findings, parameters, authors and reviews, and its intended use."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A document in the register: what and where it is, how much of it was ``seen``, and when (a partial date)."""

    title: str
    citation: str
    url: str | None
    seen: str
    read_on: str


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a criterion comes from: source id, place in the source, our paraphrase, and how far it is verified.

    ``quote`` is the source's own text, if it was available.
    """

    source: str
    place: str
    says: str
    verified: str
    quote: str | None = None


@dataclass(frozen=True, slots=True)
class LaterText:
    """A later text of the same society, with its date (may be partial) and register id. The service does not evaluate
    it."""

    title: str
    date: str
    url: str | None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number of the statement that limits name as "$name", and the place in the source where it was found."""

    title: str
    value: float
    source: str
    place: str


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What a study found; ``speaks`` is "for", "against" or "mixed"."""

    finding: str
    speaks: str
    limits: str
    source: str


@dataclass(frozen=True, slots=True)
class Information:
    """A note on a topic, which affects no result, and its source, if it has one."""

    topic: str
    note: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Funded:
    """Who paid for something, or that this is unknown, and the source that was checked."""

    says: str
    source: str


@dataclass(frozen=True, slots=True)
class Attributes:
    """A rule set's purpose, users and population, what it is not for, who paid, and its limits."""

    purpose: str
    intended_user: str
    intended_population: str
    not_for: str
    funding: str
    funding_of_statement: Funded
    funding_of_studies: tuple[Funded, ...]
    limits: str


@dataclass(frozen=True, slots=True)
class Revision:
    """What changed in a rule set on a day (ISO 8601), and what clinicians see differently on cards since then ("": not
    stated). ``turns`` are the ids of the criteria whose result the change can affect."""

    on: str
    what: str
    on_cards: str = ""
    turns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Review:
    """Who wrote a rule set and who checked it (None: not checked yet), on which days (ISO 8601), and its revisions."""

    written_by: str
    checked_by: str | None
    last_review: str
    next_review: str
    revisions: tuple[Revision, ...]
