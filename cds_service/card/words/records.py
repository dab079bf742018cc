"""A card's words for the chart: records, answers and their signers, and what a document must say."""

from collections.abc import Sequence

from cds_service.card.words.counting import counted, few

SIGNER_NOT_RECORDED = "signer not recorded"
DATE_NOT_RECORDED = "date not recorded"
VALUE_NOT_SHOWN = "value not shown"
# Fills the failing phrase of a criterion if a form says no and gives no value.
OTHERWISE = "otherwise"
IN_A_REPORT = "in a report, to confirm"
TEXT_NOT_READABLE = "(report on file, text not readable)"


def without_document(number: int) -> str:
    """The number of attested criteria without a supporting document."""
    return f"{number} without a document"


def coded(name: str, code: str) -> str:
    """A record with its code."""
    return f"{name} ({code})" if code else name


def signers(number: int) -> str:
    """The number of signers."""
    return counted(number, "signer", "signers")


def records(number: int) -> str:
    """The number of records without a noun of their own."""
    return counted(number, "record", "records")


def attested_by(finding: str, by: str) -> str:
    """A finding that somebody attested."""
    return f"{finding}, attested by {by}"


def beside_chart(document: str, records: Sequence[str], *, only: bool) -> str:
    """What a document must say, and what the chart has; ``only``: just one code, which settles nothing."""
    return f"{document} (chart: {few(records, ', ', 2)}{' only' if only else ''})"


def beside_not_counted(document: str, record: str) -> str:
    """What a document must say, and the record that does not count."""
    return f"{document} (chart: {record}, not counted)"


def to_confirm(name: str, when: str) -> str:
    """A finding in a report."""
    return f"{name} {when}, to confirm" if when else f"{name}, to confirm"


def chart_has(records: str) -> str:
    """One side of a conflict."""
    return f"chart has {records}"


def form_says(said: str, when: str) -> str:
    """The other side of a conflict."""
    return f"form of {when} says {said}" if when else f"form says {said}"
