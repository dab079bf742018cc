"""The words of the evidence page, in one place for sites that reword and for translators.

``explain`` prints the same words.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cds_service.card import evidence_rows
from cds_service.card.words.counting import criteria, form


class Message(NamedTuple):
    """A message instead of a page: the status of the answer, a heading, and a sentence."""

    status: int
    title: str
    says: str


# The same text for an unknown id and an expired one, so that guessing reveals nothing.
GONE = Message(
    404, "This page is not available", "The link has expired or is not valid. Open it again from the card in the chart."
)
ELSEWHERE = Message(
    403,
    "Open it again from the chart",
    "This page was opened in another browser. For privacy each link works in one browser. Open the order in your own "
    "chart and use the link on its card.",
)
NOT_NOW = Message(503, "This page cannot be opened now", "Try again in a few seconds.")
TOO_MANY = Message(429, "Too many pages were opened", "Wait a minute, then open it again from the chart.")


PACKET_GONE = Message(
    404, "This packet is not available", "It is made for 30 minutes. Open the page again from the card in the chart."
)


class Result(NamedTuple):
    """The result of a criterion: a word, a mark for the eye, and the kind of badge."""

    word: str
    mark: str
    badge: str


RESULTS: Mapping[str, Result] = {
    evidence_rows.NOT_MET: Result("Not met", "✕", "not-met"),
    evidence_rows.CONFLICT: Result("Conflict", "≠", "not-met"),
    evidence_rows.NOT_READ: Result("Not checked", "?", "unknown"),
    evidence_rows.OPEN: Result("Documentation needed", "▲", "unknown"),
    evidence_rows.MET: Result("Met in chart", "✓", "met"),
    evidence_rows.ATTESTED: Result("Attested", "✓", "met attested"),
    evidence_rows.WAIVED_ROW: Result("Waived", "–", "met"),
    evidence_rows.NOT_APPLICABLE: Result("Not applicable", "–", "plain"),
}
SEXES: Mapping[str, str] = {"female": "Female", "male": "Male", "other": "Sex: other", "unknown": "Sex: unknown"}
SEEN: Mapping[str, str] = {
    "verbatim": "wording checked",
    "paraphrase": "paraphrase, wording not checked",
    "unverified": "not verified",
}
SPEAKS: Mapping[str, str] = {"for": "Supports", "against": "Does not support", "mixed": "Mixed"}
STATES: Mapping[str, str] = {
    "whole": "received",
    "in-part": "received in part",
    "failed": "not received: the request failed",
    "missing": "not received",
}
# Headings and labels, by the names that the template uses.
WORDS: Mapping[str, str] = {
    "patient": "Patient",
    "order": "Order",
    "side": "Side",
    "payer": "Payer",
    "checked": "Checked",
    "attach": "Attach or document before submission",
    "resolve": "Resolve first",
    "criterion": "Criterion",
    "result": "Result",
    "found": "Evidence",
    "against": "Against",
    "wording": "Source and wording",
    "looked_for": "What was checked",
    "confirm": "Confirm (not part of a result)",
    "clauses": "Clauses of the payer",
    "codes": "Codes",
    "studies": "Evidence for and against the therapy",
    "received": "Data received",
    "about": "About this page",
    "sources": "Sources",
    "card": "Card",
    "changed": "The rule set changed after this card was made. Wording and sources below are of the current version.",
}
NOT_RECORDED = "not recorded"
NOT_FOUND = "Not found in chart"
# The evaluator's words for a criterion without evidence; the page replaces them, depending on what was received.
NOTHING = "nothing on record"
UNSIGNED = "signer not recorded"
UNNAMED = "an unnamed author"
NEEDED, RESOLVE = "Needed", "Resolve"
NO_PAYER_POLICY = "no medical policy on file; check prior authorization requirements."
CORRECT = "correct the entry that is wrong"
NO_CODES = "No codes were suggested on this card."
NO_DECISION = "Not a coverage decision."
NOT_REVIEWED = "Not yet checked by a clinician reviewer."
CPT_NOTICE = "CPT codes are copyright American Medical Association."
NONE_FOUND = "none found"
CODE_NOT_VERIFIED = "code not verified"


def not_received(types: str) -> str:
    """Types of record that were not received in full."""
    return f"Not received in full: {types}"


def attested(value: str, by: str, role: str) -> str:
    """An attested answer; ``value`` is "" or "yes" if the answer has no other value."""
    signer = f"{by} ({role})" if role else by
    return f"Attested by {signer}" if value in ("", "yes") else f"Attested: {value}, by {signer}"


def observed(when: str) -> str:
    """The date of the attested observation."""
    return f"observed {when}"


def based_on(basis: str) -> str:
    """The basis of an attestation."""
    return f"based on {basis}"


def not_counted(name: str, why: str) -> str:
    """A record that does not count."""
    return f"Not counted: {name}: {why}"


def type_not_counted(number: int, why: str) -> str:
    """Records of one type that do not count."""
    return f"{number} not counted: {why}"


def our_reading(choice: str) -> str:
    """The rule set's reading of its sources."""
    return f"Our reading: {choice}"


def wording(source: str, place: str, says: str, seen: str) -> str:
    """A source with its place and text, and whether the wording was checked."""
    return f"{source}, {place}: {says} ({SEEN.get(seen, seen)})"


def more_in_chart(number: int) -> str:
    """Evidence that does not fit."""
    return f"{number} more in the chart, not listed here"


def more_payers(number: int) -> str:
    """Payers that do not fit."""
    return f"{number} more in the chart."


def payer(document: str, seen: str, background: str, doubts: str) -> str:
    """The policy on file of a payer; ``seen``: a day on which it was in force, ``doubts``: why it is not used."""
    in_force = f"{document}; seen in force {seen}." if seen else f"{document}."
    not_used = f"Not used in this result: {doubts}." if doubts else ""
    return " ".join(filter(None, (in_force, background, not_used)))


def not_applicable(why: str) -> str:
    """Criteria that do not apply."""
    return f"Not applicable: {why}"


def not_applied(why: str) -> str:
    """Criteria that were not evaluated."""
    return f"Not applied: {why}"


def met_as_far(as_far_as: str) -> str:
    """Criteria that are met with a limit."""
    return f"Met {as_far_as}."


def counted_above(number: int) -> str:
    """Criteria that also count under an earlier heading."""
    return f"{number} {criteria(number)} listed above {form(number, 'counts', 'count')} here too."


def looked_for(title: str, age: str) -> str:
    """What was looked for, and its maximum age; ``age`` is "" for any date."""
    return f"{title} ({age or 'any date'})"


def days(first: str, last: str) -> str:
    """The days of several events."""
    return f"{first} to {last}"


def ages(numbers: Sequence[int]) -> str:
    """An age, which may be either of two."""
    return " or ".join(map(str, numbers))


def received(state: str, number: int) -> str:
    """How much of a type was received; ``state`` is one of STATES."""
    if state == "whole" and not number:
        return NONE_FOUND
    return f"{number} {STATES[state]}" if number else STATES[state]


def text_not_read(came: str, unread: int, number: int) -> str:
    """The same, if the text of some could not be read."""
    return f"{came}, text not read of {unread}" if number > 1 else f"{came}, text not read"


def not_valid(on: str) -> str:
    """A code that is not valid on a day."""
    return f"not valid on {on}"


def cited(citation: str, seen: str) -> str:
    """A source, and the form in which it was available."""
    return f"{citation}. Seen: {seen}"


def version(title: str, edition: str) -> str:
    """The rule set and its version."""
    return f"{title}, version {edition}."


def reviewed(by: str) -> str:
    """The reviewer of the rule set."""
    return f"Reviewed by {by}."


def later(title: str, date: str) -> str:
    """A later text of the society."""
    return f"A later text of the society is not evaluated: {title}, {date}."
