"""The reasons why a payer's position is not met or unknown, as card, evidence page and ``explain`` show them."""

# Replaces the name of a payer that the coverage does not give.
NOT_READABLE = "payer not readable"
PAYER_NOT_NAMED = "the coverage does not say who the payer is, or by a reference that was not sent"
NO_COVERAGE = "no active coverage in chart"
SEVERAL_PAYERS = "more than one payer in chart"
NO_MEDICAL_POLICY = "no medical policy on file"
NOT_OWN_TEXT = "the payer's own text was not available"
NOT_CHECKED_IN_A_YEAR = "its text was not checked in the last 12 months"
NOT_IN_FORCE = "not in force on this date"
NOT_ENCODED = "the medical policy is not written as criteria"


def not_readable(record: str, why: str) -> str:
    """A coverage that cannot be read; ``why`` starts with its verb."""
    return f"{record} {why}"


def other_plan(payer: str) -> str:
    """An unlisted plan of a payer that is on file."""
    return f"a plan of {payer}; which of the payer's policies applies was not verified"


def not_covered(document: str) -> str:
    """The payer never covers the therapy."""
    return f"{document}: not covered"


def criteria_not_met(document: str) -> str:
    """One of the payer's criteria is not met."""
    return f"{document}: criteria not met"


def criteria_open(document: str) -> str:
    """One of the payer's criteria is open, and none is not met."""
    return f"{document}: criteria need documentation"


def identifier(value: str) -> str:
    """A payer without a name."""
    return f"identifier {value}"
