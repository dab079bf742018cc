"""The words below the lead of a card: met criteria, results of trials and payer, and the disclaimer."""

from cds_service.card.style import Line, Span
from cds_service.card.words.counting import counted, needs

DISCLAIMER = "Not a coverage decision."
_CHECK = "check prior authorization"


def criteria(label: str, counts: str, *, others: bool) -> Line:
    """The label's criteria as numbers; ``others``: except those in the lead."""
    other = "Other " if others else ""
    return (Span(f"{other}{label} criteria:", f"{counts}."),)


def count_met(number: int) -> str:
    """Criteria met by the chart."""
    return f"{number} met in chart"


def count_attested(by: str, number: int) -> str:
    """Criteria met by attestation, and the signer."""
    return f"{number} attested ({by})"


def count_conflicts(number: int) -> str:
    """Criteria in conflict."""
    return f"{number} in conflict"


def count_open(number: int) -> str:
    """Open criteria."""
    return f"{number} {needs(number)} documentation"


def count_not_applicable(number: int) -> str:
    """Criteria that do not apply."""
    return f"{number} not applicable"


def met(number: int, findings: str) -> Line:
    """Criteria that the chart meets."""
    return (Span(f"Met in chart ({number}):", f"{findings}."),)


def attested(number: int, by: str, findings: str) -> Line:
    """Criteria that are met by attestation, with the signer."""
    return (Span(f"Attested ({number}), {by}:", f"{findings}."),)


def not_applicable(number: int, topics: str) -> Line:
    """Criteria that do not apply."""
    return (Span(f"Not applicable ({number}):", f"{topics}."),)


def trials_met(title: str, number: int, attested: int) -> Line:
    """All criteria of the trials are met."""
    by = f" ({attested} attested)" if attested else ""
    return (Span(f"{title}:", f"all {number} met{by}."),)


def trials_open(title: str, met: int, total: int, gaps: int, outside: str) -> Line:
    """The results of the trials' criteria; ``gaps`` and ``outside`` are empty if the lead has them."""
    said = f"{met} of {total} met"
    if gaps:
        said += f"; {count_open(gaps)}"
    if outside:
        said += f"; outside: {outside}"
    return (Span(f"{title}:", f"{said}."),)


def payer_unknown(why: str) -> Line:
    """A payer that is unknown."""
    return (Span("Payer:", f"{why}; {_CHECK}."),)


def several_payers(names: str) -> Line:
    """More than one payer."""
    return (Span("Payers:", f"{names}; check which one pays, and prior authorization."),)


def no_medical_policy(payer: str) -> Line:
    """A payer without a policy on file."""
    return (Span("Payer:", f"{payer}, no medical policy on file; {_CHECK}."),)


def payer_met(payer: str, document: str, seen: str) -> Line:
    """A payer whose criteria are met; ``seen`` is a date."""
    checked = f" (last checked {seen})" if seen else ""
    return (Span("Payer:", f"{payer}, criteria of {document} met{checked}; {_CHECK}."),)


def policy_on_file(payer: str, document: str, *, own_text: bool) -> Line:
    """A payer whose text decides nothing, because it is not the payer's own or was not checked for a year."""
    why = "not checked in the last 12 months" if own_text else "own text not seen"
    return (Span("Payer:", f"{payer}, medical policy on file ({document}), {why}; verify the current version."),)


def draft_waits(begun: str, answers: int, for_clinician: int) -> Line:
    """An unsigned form: its start date, its answers, and the number of criteria left for a clinician."""
    left = f", {for_clinician} for the clinician" if for_clinician else ""
    return (Span(f"Draft of {begun}", f"with {counted(answers, 'answer', 'answers')}{left}."),)
