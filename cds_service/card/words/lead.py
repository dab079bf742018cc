"""The words of the lead of a card: what to do, and the other lines of a lead. Each phrase is bold text and the rest."""

from cds_service.card.style import Line, Span
from cds_service.card.words.counting import counted, form

NO_CODES = "No codes suggested."
CHART_WRONG: Line = (Span("Chart wrong or outdated?", f"Correct it and sign again. {NO_CODES}"),)
WRONG_PATIENT: Line = (
    Span("Wrong chart?", "Confirm patient identity. Coverage criteria not checked, no codes suggested."),
)
FIRST_IMPLANT: Line = (Span("", f"Criteria below are for a first implant. {NO_CODES}"),)
ATTACH_RECORDS: Line = (Span("Next:", "attach the chart records to the prior authorization packet."),)
NOT_RECEIVED: Line = (Span("Not received from the EHR"),)
DOCUMENTATION_NEEDED = "Documentation needed"
TRIAL_DOCUMENTATION_NEEDED = "Trial criteria: documentation needed"


def in_chart(records: str) -> Line:
    """Urgent records."""
    return (Span("In chart:", f"{records}."),)


def contraindicated(records: str) -> Line:
    """The records behind a contraindication of the label."""
    return (Span("Contraindicated:", f"{records}."),)


def also_fails(fail_word: str, findings: str) -> Line:
    """Indications that are not met, in addition to those in the lead."""
    return (Span(f"Also {fail_word}:", f"{findings}."),)


def resolve_before_ordering(records: str) -> Line:
    """Urgent records and conflicts about them."""
    return (Span("Resolve before ordering:", f"{records}. {NO_CODES}"),)


def fails(fail_word: str, finding: str) -> Line:
    """The indication that is not met."""
    return (Span(f"{fail_word}:", f"{finding}."),)


def several_fail(fail_word: str, number: int) -> Line:
    """The heading over several indications that are not met."""
    return (Span(f"{fail_word} ({number})"),)


def also_open(number: int, topics: str) -> Line:
    """Open criteria, in addition to those in the lead."""
    return (Span(f"Also needs documentation ({number}):", f"{topics}."),)


def confirm_implant(records: str, ask: str) -> Line:
    """Records of an implant that may be in place, and what to confirm about it."""
    return (Span("Confirm before ordering:", f"{records}. {ask}"),)


def payer_excludes(document: str, seen: str, failing: str) -> Line:
    """A payer's own text that excludes the therapy, by its ``failing`` criteria or entirely; ``seen`` is a date."""
    said = f"criteria not met ({failing})" if failing else "not covered"
    checked = f", last checked {seen}" if seen else ""
    return (Span("Payer:", f"{said} per {document}{checked}. Request a benefit exception, or appeal."),)


def resolve(dispute: str) -> Line:
    """Both sides of one conflict."""
    return (Span("Resolve:", f"{dispute}."),)


def also_conflicting(topics: str) -> Line:
    """Further conflicts."""
    return (Span("Also conflicting:", f"{topics}."),)


def conflicting(topics: str) -> Line:
    """Conflicts, if the lead is about something more urgent."""
    return (Span("Conflicting records:", f"{topics}."),)


def source(name: str, why: str) -> Line:
    """A document to attach, or a type of record, with its text."""
    return (Span(f"{name}:", why),)


def documentation_needed(number: int, items: str) -> Line:
    """Open criteria in one line."""
    return (Span(f"{DOCUMENTATION_NEEDED} ({number}):", f"{items}."),)


def side_needs(side: str, number: int, not_studied: str) -> Line:
    """A side with open criteria."""
    return (Span(f"{side}: documentation needed ({number})", _not_studied(not_studied)),)


def side_met(side: str, attested: int, not_studied: str) -> Line:
    """A side with nothing open."""
    said = "all label criteria met" if not_studied else "all criteria met"
    by = f" ({attested} attested)" if attested else ""
    return (Span(f"{side}: {said}{by}", _not_studied(not_studied)),)


def _not_studied(topics: str) -> str:
    return f"not studied: {topics}" if topics else ""


def document_needed(name: str, says: str) -> Line:
    """The one document that is needed."""
    return (Span(f"{name} needed:", f"{says}."),)


def documents_needed(heading: str, number: int) -> Line:
    """The heading over several documents."""
    return (Span(f"{heading} ({number})"),)


def also_documents(names: str) -> Line:
    """Documents without a bullet of their own."""
    return (Span("Also:", names),)


def outside_trials(records: str) -> Line:
    """Findings that the trials did not study."""
    return (Span("Outside trials:", f"{records}."),)


def attach_notes(number: int, by: str, findings: str) -> Line:
    """The attested criteria, and who attested them."""
    return (Span(f"Attach notes for {number} attested {form(number, 'item', 'items')}", f"({by}): {findings}."),)


def not_received(names: str) -> Line:
    """Types of record that were not received."""
    return (Span("Not received from the EHR:", f"{names}."),)


def not_readable(number: int, names: str) -> Line:
    """Records that could not be read."""
    return (Span("Not readable:", f"{counted(number, 'record', 'records')} ({names})."),)


def payer_asks(number: int, payer: str, document: str, topics: str, *, own_text: bool) -> Line:
    """What a payer asks for beyond the verdicts; ``own_text``: according to the payer's own text."""
    verb = "asks" if own_text else "may ask"
    return (Span(f"Payer {verb} for {number} more", f"({payer}, {document}): {topics}."),)


def confirm(records: str) -> Line:
    """Records that decide nothing but need a reader's judgment."""
    return (Span("Confirm:", f"{records}."),)
