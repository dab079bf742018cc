"""The evidence page of a named patient: a chart read with the user's own authorization, and evaluated again. Pure.

The page is the same as for a card (``card.evidence_page``). If there is none, the words of a card say why.
"""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from cds_service.card import summaries
from cds_service.card.assessment import Assessment
from cds_service.card.evidence_page import evidence_page, page_words
from cds_service.card.form_context import FormContext
from cds_service.card.style import DEFAULT_STYLE
from cds_service.documentation import form_words as words
from cds_service.fhir.elements import Json
from cds_service.service.form_decisions import FormDecision
from cds_service.verdicts import decisions


class PatientPage(NamedTuple):
    """The page, with references to its evidence; None if nothing was decided, and then ``why_not`` is the reason."""

    page: Json | None
    why_not: str = ""


def patient_page(found: FormDecision, context: FormContext, *, digest: str, made: datetime) -> PatientPage:
    """The page of a decision; ``digest`` identifies the rule set's part, ``made`` has a time zone."""
    assessed = Assessment(found.decision, found.chart)
    if not assessed.outcome.decided:
        return PatientPage(None, summaries.summary(assessed, DEFAULT_STYLE))
    if decisions.pathway(found.policy, found.known, found.decision.order) is not None:
        return PatientPage(None, words.LONGER_ROUTED)
    if found.policy.scope is not None and not found.known.parts:
        return PatientPage(None, words.NO_PART)
    page = evidence_page(
        found.decision,
        found.chart,
        replace(page_words(assessed, summaries.summary(assessed, DEFAULT_STYLE)), references=True),
        card=context.card,
        digest=digest,
        made=made,
    )
    if not context.codes:
        # The order came without a code of its own.
        page["orders"] = [{"label": order["label"], "status": order["status"]} for order in page["orders"]]
    return PatientPage(page)
