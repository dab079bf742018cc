"""Where a policy comes from: sources and what they found, numbers, authors and reviews, what it is for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A document of the register: what it is, where it lies, how much of it was ``seen``, and when (a partial date)."""

    title: str
    citation: str
    url: str | None
    seen: str
    read_on: str


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a criterion's content was found: source id, place in it, what it says in our words, how far verified.

    ``quote`` are the source's own words, where they were available.
    """

    source: str
    place: str
    says: str
    verified: str
    quote: str | None = None


@dataclass(frozen=True, slots=True)
class LaterText:
    """A later text of the same society, of a day (a partial date), that is not evaluated; its place in the register."""

    title: str
    date: str
    url: str | None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number of the statement that limits name as "$name", and the place of the source in which it was found."""

    title: str
    value: float
    source: str
    place: str


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What a study found; it ``speaks`` "for", "against" or "mixed"."""

    finding: str
    speaks: str
    limits: str
    source: str


@dataclass(frozen=True, slots=True)
class Information:
    """A note on a topic, which decides nothing, and the source in which it was read, where it is of one."""

    topic: str
    note: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Funded:
    """Who paid for a thing, or that it is not known, and the source in which this was looked for."""

    says: str
    source: str


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a policy is for, by whom and for whom it is used, what it is not for, who paid, and its limits."""

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
    """What was changed in a policy on a day (ISO 8601), and what a clinician reads otherwise on cards since (empty: not
    stated). ``turns`` are the ids of the criteria whose result can differ by it."""

    on: str
    what: str
    on_cards: str = ""
    turns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Review:
    """Who wrote a policy and who checked it (None: nobody yet), on which days (ISO 8601), and what was revised."""

    written_by: str
    checked_by: str | None
    last_review: str
    next_review: str
    revisions: tuple[Revision, ...]
