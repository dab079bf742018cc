"""The words of the evidence page, in one place, so that a site can reword and a translator can work.

``explain`` prints the same words.
"""

from collections.abc import Mapping
from typing import NamedTuple

from cds_service.card import evidence_rows


class Message(NamedTuple):
    """What stands in place of a page that is not shown: the status of the answer, a heading, and a sentence."""

    status: int
    title: str
    says: str


# One text for an id that never was and for one that has expired: whoever guesses learns nothing.
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


class Result(NamedTuple):
    """What became of a criterion: a word, a mark for the eye, and the kind of badge."""

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
NOT_FOUND = "Not found in chart"
NOT_RECEIVED = "Not received in full: {types}"
NOTHING = "nothing on record"
ATTESTED_BY = "Attested by {by}"
ATTESTED_AS = "Attested: {value}, by {by}"
UNSIGNED = "signer not recorded"
UNNAMED = "an unnamed author"
NEEDED, RESOLVE = "Needed", "Resolve"
NOT_COUNTED = "Not counted"
OUR_READING = "Our reading"
NO_PAYER_POLICY = "no medical policy on file; check prior authorization requirements."
MORE_PAYERS = "{number} more in the chart."
NOT_USED = "Not used in this result: {why}."
COUNTED_ABOVE = "{number} more that are listed above count here too."
TEXT_NOT_READ = "text not read"
CITED = "{citation}. Seen: {seen}"
CORRECT = "correct the entry that is wrong"
NO_CODES = "No codes were suggested on this card."
NO_DECISION = "Not a coverage decision."
REVIEWED = "Reviewed by {by}."
NOT_REVIEWED = "Not yet checked by a clinician reviewer."
LATER = "A later text of the society is not evaluated: {title}, {date}."
CPT_NOTICE = "CPT codes are copyright American Medical Association."
