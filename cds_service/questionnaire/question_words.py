"""The words of a form's questions and their notes, in one place so that a site can reword them and a translator can
work. The questions themselves come from the rule set (``ask``).

A Questionnaire, a response, and our own form use the same words, because a response repeats the displayed text of each
item.
"""

from collections.abc import Mapping

# Roles by the codes of ``facts.roles``; other roles are entered as text.
SIGNER_ROLES: Mapping[str, str] = {
    "207XS0117X": "Orthopedic surgeon of the spine",
    "207T00000X": "Neurological surgeon",
    "208VP0014X": "Interventional pain physician",
    "363A00000X": "Physician assistant",
    "363L00000X": "Nurse practitioner",
    "163W00000X": "Registered nurse",
    "225100000X": "Physical therapist",
}
ATTESTER, ATTESTED_BY, ATTESTED_AS = "Who attests", "Attested by", "As"
SAYS_TRUE = "My answers agree with the chart and with my own examination on the dates given."
OBSERVED, DONE_ON = "Observed or done on", "Done on"
BASIS, BASIS_IN_WORDS = "Based on (note, report, or test in the chart)", "Other basis (if not in the chart)"
WHY_NOT = "If no, the reason"
DESPITE, WHY_DESPITE = "Conflicting record in the chart", "Why the answer stands despite that record"
OF_PAYERS, REVIEW = "Asked by payer rules", "For review"
MISSING = "Document missing information"
NOTHING_FOUND = "Nothing found in the chart."
FOUND, CONTRARY = "Found in the chart", "Conflicting in the chart"
REASONS = "Reasons for overriding a card"
TOPICS = "Card topics: therapy and outcome"
SIGNATURE = "Author's Signature"


def form(title: str) -> str:
    """The title of a form."""
    return f"{title}: documentation needed"


def filled_in(by: str) -> str:
    """The author of an unanswered draft."""
    return f"{by}, filled in from the chart"


def which(kind: str) -> str:
    """The heading of the questions that identify the parts of an order."""
    return f"Which {kind}"


def end_of(title: str) -> str:
    """The question for a fact's end date."""
    return f"{title}: end"


def settled_by(what: str) -> str:
    """What would settle a criterion."""
    return f"Settled by: {what}."


def criterion(title: str, settled: str) -> str:
    """A criterion, followed by what would settle it (``settled_by``)."""
    return f"{title}. {settled}"


def criteria(title: str) -> str:
    """The title of the list of a rule set's criteria."""
    return f"{title}: criteria"


def to_add(what: str) -> str:
    """What would settle a question."""
    return f"Add to the chart, or attest here: {what}."


def found(beginning: str, records: str) -> str:
    """The records found; ``beginning`` is FOUND or CONTRARY."""
    return f"{beginning}: {records}."


def not_read(types: str) -> str:
    """Types of record that could not be read."""
    return f"The service could not read: {types}."


def more(number: int) -> str:
    """The number of records that are not shown."""
    return f"{number} more"


def attested_by(said: str, by: str) -> str:
    """A record that somebody attested."""
    return f"{said}, attested by {by}"
