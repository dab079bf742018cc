"""What a card says below its lead: what is met, how the trials and the payer stand, and what the card is not."""

from cds_service.card.style import Line, Span
from cds_service.card.words.counting import counted, needs

DISCLAIMER = "Not a coverage decision."
_CHECK = "check prior authorization"


def criteria(label: str, counts: str, *, others: bool) -> Line:
    """The criteria of the label as numbers; ``others``: apart from those that the lead names."""
    other = "Other " if others else ""
    return (Span(f"{other}{label} criteria:", f"{counts}."),)


def count_met(number: int) -> str:
    """Met by the chart."""
    return f"{number} met in chart"


def count_attested(by: str, number: int) -> str:
    """Met by attestation, and whose."""
    return f"{number} attested ({by})"


def count_conflicts(number: int) -> str:
    """In conflict."""
    return f"{number} in conflict"


def count_open(number: int) -> str:
    """Open."""
    return f"{number} {needs(number)} documentation"


def count_not_applicable(number: int) -> str:
    """Not applicable."""
    return f"{number} not applicable"


def met(number: int, findings: str) -> Line:
    """Criteria that the chart meets."""
    return (Span(f"Met in chart ({number}):", f"{findings}."),)


def attested(number: int, by: str, findings: str) -> Line:
    """Criteria that are met by attestation, and whose."""
    return (Span(f"Attested ({number}), {by}:", f"{findings}."),)


def not_applicable(number: int, topics: str) -> Line:
    """Criteria that do not apply."""
    return (Span(f"Not applicable ({number}):", f"{topics}."),)


def trials_met(title: str, number: int, attested: int) -> Line:
    """All criteria of the trials are met."""
    by = f" ({attested} attested)" if attested else ""
    return (Span(f"{title}:", f"all {number} met{by}."),)


def trials_open(title: str, met: int, total: int, gaps: int, outside: str) -> Line:
    """The results of the criteria of the trials; ``gaps`` and ``outside`` where the lead does not say them."""
    said = f"{met} of {total} met"
    if gaps:
        said += f"; {count_open(gaps)}"
    if outside:
        said += f"; outside: {outside}"
    return (Span(f"{title}:", f"{said}."),)


def payer_unknown(why: str) -> Line:
    """Nobody knows who pays."""
    return (Span("Payer:", f"{why}; {_CHECK}."),)


def several_payers(names: str) -> Line:
    """More than one payer."""
    return (Span("Payers:", f"{names}; check which one pays, and prior authorization."),)


def no_medical_policy(payer: str) -> Line:
    """A payer of which nothing is on file."""
    return (Span("Payer:", f"{payer}, no medical policy on file; {_CHECK}."),)


def payer_met(payer: str, document: str, seen: str) -> Line:
    """A payer whose criteria are met; ``seen`` is a date."""
    checked = f" (last checked {seen})" if seen else ""
    return (Span("Payer:", f"{payer}, criteria of {document} met{checked}; {_CHECK}."),)


def policy_on_file(payer: str, document: str, *, own_text: bool) -> Line:
    """A payer whose text decides nothing: it is not its own, or was not checked for a year."""
    why = "not checked in the last 12 months" if own_text else "own text not seen"
    return (Span("Payer:", f"{payer}, medical policy on file ({document}), {why}; verify the current version."),)


def draft_waits(begun: str, answers: int, for_clinician: int) -> Line:
    """A form that is not signed yet: the day on which it was begun, and what of it a clinician must still answer."""
    left = f", {for_clinician} for the clinician" if for_clinician else ""
    return (Span(f"Draft of {begun}", f"with {counted(answers, 'answer', 'answers')}{left}."),)
