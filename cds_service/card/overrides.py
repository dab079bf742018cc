"""Why a reader may turn down a card: four or five reasons, by what the card says."""

from collections.abc import Mapping

# code -> what the reader sees.
REASONS: Mapping[str, str] = {
    "documented-outside-chart": "Documented outside this chart",
    "will-document": "Will document before submission",
    "authorization-approved": "Prior authorization already approved",
    "different-therapy": "Different therapy or device",
    "clinical-judgment": "Other clinical judgment",
    "chart-wrong": "Chart is wrong or outdated",
    "off-label-intended": "Off-label use intended",
    "aware-appropriate": "Aware; appropriate for this patient",
    "payer-approved": "Payer has approved",
    "different-plan": "Different plan now",
    "appeal-or-self-pay": "Will appeal or self-pay",
    "not-this-therapy": "Not this therapy",
    "will-complete-order": "Will add diagnosis, site, or side",
    "order-correct": "Order is correct as written",
}
DOCUMENTATION = (
    *("documented-outside-chart", "will-document", "authorization-approved", "different-therapy"),
    "clinical-judgment",
)
OFF_LABEL = ("chart-wrong", "off-label-intended", "authorization-approved", "different-therapy", "clinical-judgment")
TRIAL = ("aware-appropriate", "chart-wrong", "authorization-approved", "different-therapy")
PAYER = ("payer-approved", "different-plan", "appeal-or-self-pay", "different-therapy")
ORDER = ("not-this-therapy", "will-complete-order", "order-correct", "clinical-judgment")
# Codes of cards shown before: feedback on them may still come.
EARLIER: Mapping[str, str] = {
    "documented-elsewhere": "Already documented elsewhere",
    "clinical-judgement": "Patient differs, clinical judgment",
    "authorization-on-file": "Authorization already on file",
    "not-this-procedure": "Not this procedure",
}


def known() -> Mapping[str, str]:
    """Every reason that our cards offer or have offered: code -> what it is called."""
    return {**EARLIER, **REASONS}
