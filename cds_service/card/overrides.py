"""The reasons for dismissing a card: four or five, by its outcome."""

from collections.abc import Mapping

from cds_service.card.words.rest import EARLIER_REASONS, REASONS

DOCUMENTATION = (
    *("documented-outside-chart", "will-document", "authorization-approved", "different-therapy"),
    "clinical-judgment",
)
OFF_LABEL = ("chart-wrong", "off-label-intended", "authorization-approved", "different-therapy", "clinical-judgment")
TRIAL = ("aware-appropriate", "chart-wrong", "authorization-approved", "different-therapy")
PAYER = ("payer-approved", "different-plan", "appeal-or-self-pay", "different-therapy")
ORDER = ("not-this-therapy", "will-complete-order", "order-correct", "clinical-judgment")


def known() -> Mapping[str, str]:
    """Every reason that our cards offer or have offered: code -> label."""
    return {**EARLIER_REASONS, **REASONS}
