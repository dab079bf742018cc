"""The other words of a card: messages, the part that replaces an evidence page, links, suggestions, reasons, topics."""

from collections.abc import Mapping

from cds_service.card.style import Line, Span
from cds_service.card.words.counting import and_more

CRITERIA_LINK = "Criteria and sources"
EVIDENCE_LINK = "Evidence for this patient"
FORM_LINK = "Complete documentation form"
RESUMED_FORM_LINK = "Resume documentation form"
FAILED: Line = (
    Span("Not checked:", "an internal error stopped the evaluation. There is no result for or against this order."),
)
LATE: Line = (Span("Not checked:", "the evaluation took too long. There is no result for or against this order."),)
TRY_AGAIN: Line = (Span("", "The order is unchanged. Sign again to retry, or check the criteria yourself."),)

# Titles in the part that replaces an evidence page.
CONFLICTING = "Conflicting records:"
NOT_MET = "Not met:"
DOCUMENTATION_NEEDED = "Documentation needed:"
NOT_RECEIVED = "Not received:"
NOT_COUNTED = "Not counted:"


def topic(therapy: str, outcome: str) -> str:
    """The display of a card's topic."""
    return f"{therapy}: {outcome}"


def named(title: str, names: str, more: int) -> Line:
    """One line of the part that replaces an evidence page, with the number of names that do not fit."""
    return (Span(title, f"{names}; {and_more(more)}." if more else f"{names}."),)


def one_record(kind: str, why: str) -> str:
    """A record that could not be evaluated; ``why`` starts with its verb."""
    return f"{kind}, one record {why}"


def notice(pack: str, text: str) -> Line:
    """The notice of a code pack."""
    return (Span(f"{pack}:", text),)


def add_code(system: str, code: str, label: str) -> str:
    """The label of a suggestion that changes the order."""
    return f"Add {system} {code} ({label}) to this order"


def add_order(system: str, code: str, label: str) -> str:
    """The label of a suggestion that adds an order."""
    return f"Add order: {label} ({system} {code})"


def part_of_suggestion(label: str, number: int, total: int, said: str) -> str:
    """One action of a suggestion, for a client that accepts only one action at a time."""
    return f"{label} ({number} of {total}, take all): {said}"


def not_offered(label: str) -> Line:
    """A suggestion that such a client cannot accept."""
    return (Span("", f"Not offered here because it needs several changes at once: {label}."),)


# Override reasons, code -> label.
REASONS: Mapping[str, str] = {
    "documented-outside-chart": "Documented outside this chart",
    "will-document": "Will document before submission",
    "authorization-approved": "Prior authorization already approved",
    "different-therapy": "Different therapy or device",
    "clinical-judgment": "Other clinical judgment",
    "chart-wrong": "Chart is wrong or outdated",
    "off-label-intended": "Off-label use intended",
    "aware-appropriate": "Aware; appropriate for this patient",
    "payer-approved": "Payer has approved",
    "different-plan": "Different plan now",
    "appeal-or-self-pay": "Will appeal or self-pay",
    "not-this-therapy": "Not this therapy",
    "will-complete-order": "Will add diagnosis, site, or side",
    "order-correct": "Order is correct as written",
}
# Reasons of earlier cards, on which feedback may still come.
EARLIER_REASONS: Mapping[str, str] = {
    "documented-elsewhere": "Already documented elsewhere",
    "clinical-judgement": "Patient differs, clinical judgment",
    "authorization-on-file": "Authorization already on file",
    "not-this-procedure": "Not this procedure",
}
# Outcomes by id, in the words of topics and reports.
OUTCOMES: Mapping[str, str] = {
    "deceased": "patient deceased",
    "failed": "not checked",
    "unclear": "order unclear",
    "routed": "not evaluated",
    "contraindicated": "contraindicated",
    "conflict-urgent": "resolve before ordering",
    "off-label": "off-label",
    "implanted": "implant already in chart",
    "payer-excludes": "payer excludes",
    "conflict": "conflicting records",
    "not-read": "chart data not received",
    "two-sides": "sides differ",
    "gaps": "documentation needed",
    "not-studied": "not studied",
    "trial-gaps": "trial criteria need documentation",
    "met": "criteria met",
}
