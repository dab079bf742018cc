"""Words that a kept evidence page has from its card; all others are in ``web.evidence_words``."""

from cds_service.card.words.counting import and_more

PATIENT = "patient"


def for_trial(says: str) -> str:
    """What a document must say for a criterion of the trials."""
    return f"{says} (trial)"


def not_listed(number: int) -> list[str]:
    """In place of records that do not count and for which there is no room, and why they are not there."""
    return [and_more(number), "not listed here"]


def label_criteria(label: str) -> str:
    """The heading over the criteria of the label."""
    return f"{label} criteria"
