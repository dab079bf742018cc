"""The words of a packet, in one place for sites that reword and for translators.

They cover the draft letter of medical necessity and the FHIR document. The frame of the letter is in its template.
"""

from collections.abc import Iterable, Mapping

from cds_service.card import evidence_rows

# --- the letter -------------------------------------------------------------------------------------------------------

DRAFT = (
    "Draft, not a signed letter. A clinician must check and edit every sentence, then sign. Delete this line before "
    "sending."
)
REQUESTED, CHART = "Request", "in the chart"
WITH_DOCUMENT, WITHOUT = "attested, document named", "attested without a document"
GAPS, STUDIES = "Not documented or not met", "Published evidence, for and against"
NO_ORDER = "No order was read; name it before you sign."
THE_PAYER = "the payer"
NO_SIGNER = "a signer who is not recorded"
COUNTED_WITH_DOCUMENT = "attested with a document named"
# The results in the order in which the letter counts them.
COUNTED: Mapping[str, str] = {
    evidence_rows.MET: "met in the chart",
    COUNTED_WITH_DOCUMENT: COUNTED_WITH_DOCUMENT,
    WITHOUT: WITHOUT,
    evidence_rows.OPEN: "not documented yet",
    evidence_rows.CONFLICT: "with conflicting records",
    evidence_rows.NOT_READ: "not checked",
    evidence_rows.NOT_MET: "not met",
    evidence_rows.WAIVED_ROW: "waived",
    evidence_rows.NOT_APPLICABLE: "not applicable",
}


def clauses(payers: str) -> str:
    """The heading of the payers' criteria; ``payers`` is "" if none is named."""
    return f"Clauses of {payers or THE_PAYER}"


def reason(system: str, code: str, label: str) -> str:
    """A diagnosis code of the card."""
    return f"{system} {code}, {label}"


def request(therapy: str, sides: str) -> str:
    """The request; ``sides`` is "" for an order without sides."""
    return f"I request prior authorization of {therapy}{f', {sides},' if sides else ''} for this patient."


def order(orders: str) -> str:
    """The order behind the request; ``orders`` is "" if none was read."""
    return f"Order: {orders}" if orders else NO_ORDER


def counted_from(day: str, title: str, version: str) -> str:
    """The basis of the counts."""
    return f"Counted from the results below; the chart was checked on {day} against {title}, version {version}"


def counts(title: str, numbers: Iterable[str]) -> str:
    """The results of the criteria under a heading."""
    return f"{title}: {'; '.join(numbers)}."


def in_all(number: int, *, each_side: bool) -> str:
    """The number of criteria."""
    return f"{number} in all{' (each side counted)' if each_side else ''}"


def counted(number: int, result: str) -> str:
    """The number of criteria with a result; ``result`` is one of COUNTED."""
    return f"{number} {COUNTED[result]}"


def not_applicable(title: str, why: str) -> str:
    """Criteria that do not apply."""
    return f"{title}: not applicable. {why}"


def under(title: str, kind: str) -> str:
    """The heading of criteria met in one way: CHART, WITH_DOCUMENT, or WITHOUT."""
    return f"{title}: {kind}"


def result_of(criterion: str) -> str:
    """The basis of a sentence without a record."""
    return f"Result of the rule set: {criterion}"


def waived(criterion: str) -> str:
    """A criterion that is waived."""
    return f"{criterion}: waived."


def signer(name: str, role: str) -> str:
    """The signer; ``name`` and ``role`` are "" if not recorded."""
    return f"{name or NO_SIGNER}{f' ({role})' if role else ''}"


def attested(clause: str, by: str, on: str) -> str:
    """An attested clause; ``on`` is "" if no date is recorded."""
    return f"{clause}, as {by} attested{f' on {on}' if on else ''}"


def despite(record: str) -> str:
    """A record that conflicts with an attestation."""
    return f"A record conflicts with this: {record}."


def met(criterion: str) -> str:
    """The clause of a criterion without a phrase of its author."""
    return f"the criterion “{criterion}” is met"


def looked_for(criterion: str) -> str:
    """The basis of a gap without a record."""
    return f"Looked for: {criterion}"


def not_met(found: str) -> str:
    """A criterion that is not met."""
    return f"Not met: {found}."


def conflict(topic: str) -> str:
    """A criterion on which records conflict."""
    return f"Records conflict on {topic}."


def not_read(topic: str) -> str:
    """A criterion that could not be checked."""
    return f"Not checked, because not all of the chart was received: {topic}."


def not_documented(topic: str, needs: str) -> str:
    """An open criterion; ``needs`` is what would settle it, "" if the author does not say."""
    return f"Not documented yet: {topic}{f' ({needs})' if needs else ''}."


# --- the document -----------------------------------------------------------------------------------------------------

MEDICAL_RECORDS = "Medical records"
TYPE = "Prior authorization packet: criteria, evidence, and attestations"
SUMMARY, CHECKLIST, ANSWERS = "Summary", "Attach or document", "Attested answers"
RECEIVED, SOURCES = "Data received", "Rule set and sources"
NOTHING = "None"


def document(title: str, summary: str) -> str:
    """The title of a document."""
    return f"{title}: {summary}"


def order_of_document(orders: str) -> str:
    """The order; ``orders`` is "" if none was read."""
    return f"Order: {orders or 'not read'}"


def payer(payers: str) -> str:
    """The payers."""
    return f"Payer: {payers}"


def checked(day: str) -> str:
    """The day of the check."""
    return f"Checked: {day}"


def met_in_chart(number: int) -> str:
    """The number of criteria that the chart meets."""
    return f"Met in the chart: {number}"


def attested_without(number: int) -> str:
    """The number of criteria attested without a document."""
    return f"Attested without a document: {number}"


def left_out(number: int) -> str:
    """The number of records that did not fit."""
    return f"{number} records are not in this document"


def forms(number: int, role: str) -> str:
    """The answered forms; ``role`` is the role of the current signer, "" if nobody signed."""
    said = f"{number} answered {'form' if number == 1 else 'forms'}"
    return f"{said}; signed in the role {role}" if role else said


def elsewhere(reference: str) -> str:
    """A record that is not in the document."""
    return f"{reference} (not in this document)"


def row(title: str, result: str, says: str) -> str:
    """A criterion with its result."""
    return f"{title}: {result}. {says}"
