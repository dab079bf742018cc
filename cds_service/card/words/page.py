"""Words of a stored evidence page that come from its card; all others are in ``web.evidence_words``."""

from cds_service.card.words.counting import and_more

PATIENT = "patient"


def for_trial(says: str) -> str:
    """What a document must say for a criterion of the trials."""
    return f"{says} (trial)"


def not_listed(number: int) -> list[str]:
    """The row for records that do not count and do not fit."""
    return [and_more(number), "not listed here"]


def label_criteria(label: str) -> str:
    """The heading over the criteria of the label."""
    return f"{label} criteria"
