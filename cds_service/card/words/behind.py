"""The words of the text behind a card (``evidence_text``), which cases test."""

from cds_service.card.words.counting import AND, few, form, needs
from cds_service.facts.evaluated import DOES_NOT_APPLY, WAIVED
from cds_service.facts.logic import Truth

MARKS = {Truth.NOT_MET: "**Not met:** ", Truth.UNKNOWN: "**Documentation needed:** ", Truth.MET: "Met: "}
CONFLICT = "**Conflict:** "
# Marks of criteria met only by a waiver, or because their condition does not hold.
MANNERS = {WAIVED: "Waived: ", DOES_NOT_APPLY: "Does not apply: "}
RESULTS = {Truth.NOT_MET: "not met", Truth.UNKNOWN: "documentation needed", Truth.MET: "met"}
NOTHING = "nothing"
ALL_MET = "all met"
NO_CODES = "Codes: none suggested."
CODE_UNVERIFIED = ", code unverified"
_PLURALS = {"names": "name", "has": "have", "is": "are"}


def needed(record: str, needs: str) -> str:
    """The evidence, and what would settle the criterion."""
    return f"{record}. Needs: {needs}"


def unread(types: list[str]) -> str:
    """Types of record that were not read in full."""
    return f"not read in full: {few(types, ', ', last=AND)}"


def attested(value: str) -> str:
    """An answer."""
    return {"yes": "attested", "no": "attested no", "": "attested"}.get(value, f"{value}, attested")


def attested_by(value: str, who: str, when: str | None) -> str:
    """An answer with its signer and date."""
    return f"{attested(value)} by {who}, {when}"


def observed(when: str) -> str:
    """The date of the attested observation."""
    return f", observed {when}"


def rests_on(basis: str) -> str:
    """The basis of an attestation."""
    return f", rests on {basis}"


def span(first: str, last: str) -> str:
    """The first and last day of events."""
    return f", {first} to {last}" if first != last else f", last {last}"


def in_addition(title: str) -> str:
    """A verdict that adds criteria to earlier verdicts."""
    return f"{title}, in addition"


def met_as_far(title: str, as_far_as: str) -> str:
    """A verdict that is met with a limit."""
    return f"{title}: met {as_far_as}"


def not_applied(title: str, why: str, *, applicable: bool) -> str:
    """A verdict without criteria."""
    return f"{title}: {'not applied' if applicable else 'does not apply'}: {why}"


def to_confirm(records: str) -> str:
    """Records and criteria that no verdict counts."""
    return f"To confirm: {records}."


def codes(said: str) -> str:
    """The codes that go with the order."""
    return f"Codes: {said}"


def evidence(said: str) -> str:
    """The author's sentence on the evidence."""
    return f"Evidence: {said}"


def note(said: str) -> str:
    """The author's note."""
    return f"Note: {said}"


def part_stands(not_met: int, unknown: int) -> str:
    """The result of one part in all verdicts."""
    said = [f"{not_met} not met"] * bool(not_met)
    said += [f"{unknown} {needs(unknown)} documentation"] * bool(unknown)
    return ", ".join(said) or ALL_MET


def part(name: str, stands: str) -> str:
    """One part of several."""
    return f"**{name}:** {stands}."


def not_fetched(said: str) -> str:
    """The reasons why records could not be fetched."""
    return f"**Not fetched:** {said}."


def roles_not_recorded(names: str) -> str:
    """People whose answers count as a clinician's although the chart has no role for them."""
    return f"**Role not recorded:** {names}."


def not_counted(said: str) -> str:
    """Records that were not evaluated."""
    return f"**Not counted:** {said}."


def of_kind(kind: str, number: int, why: str) -> str:
    """Records of one type that were not evaluated; ``why`` starts with its verb."""
    verb, _, rest = why.partition(" ")
    return f"{kind}: {number} that {form(number, verb, _PLURALS.get(verb, verb))} {rest}"


def needs_documentation(titles: str) -> str:
    """Criteria without evidence in the chart."""
    return f"{titles}: {RESULTS[Truth.UNKNOWN]}"


def payer_unknown(why: str) -> str:
    """A payer that is unknown."""
    return f"**Payer:** {why}."


def payers(said: str) -> str:
    """The payers."""
    return f"**Payer** {said}"


def payer_background(name: str, why: str, background: str, held: str) -> str:
    """A payer whose text decides nothing."""
    return f"{name}: {why}. Background: {background}{held}"


def payer_decides(name: str, document: str, seen: object, *, met: bool) -> str:
    """A payer whose own text decides."""
    return f"{name}: {'criteria met' if met else 'criteria not met'} ({document}, last seen in force {seen})."


def more_payers(number: int) -> str:
    """Payers that are not named."""
    return f"{number} more on record."


def held(stands: str) -> str:
    """The results under a payer's rule that may not decide."""
    return f" Checked against it: {stands}."


def not_valid(on: object) -> str:
    """A code that is not valid on a day."""
    return f", not valid on {on}"
