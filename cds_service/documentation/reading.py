"""The patient's chart for a form, read with the user's own authorization in the same way as for a hook call."""

from collections.abc import Mapping
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from cds_service.card.form_context import FormContext
from cds_service.card.style import Style
from cds_service.clock import Deadline
from cds_service.documentation import form_words as words
from cds_service.documentation.context import drafts_of
from cds_service.documentation.earlier import EarlierForm, attested_before, earlier_forms
from cds_service.documentation.scopes import RESPONSES
from cds_service.documentation.tokens import Access
from cds_service.ehr.complete import complete_call
from cds_service.ehr.fetch import Fetcher, NoFetcher
from cds_service.errors import RequestError
from cds_service.fhir.elements import Json
from cds_service.hooks import hook_request
from cds_service.hooks.hook_request import HookRequest
from cds_service.policy.model import Policy
from cds_service.questionnaire.questions import questions
from cds_service.service.concerned import wanted_templates
from cds_service.service.form_decisions import FormDecision, form_decisions
from cds_service.service.guide import Guide
from cds_service.trust.smart import AppRegistration
from cds_service.verdicts.decisions import Decision

NOBODY = "Practitioner/unknown"
_SERVICE = hook_request.SERVICE_OF[hook_request.ORDER_SIGN]


class ChartRead(NamedTuple):
    """A chart as a form needs it: the patient, the decision, the facts with answers to forms and without them
    (``recorded``), and the reason for each unreadable list, by prefetch key.

    If nothing could be decided, ``found`` is None and ``why_not`` says why. ``request`` is the call through which the
    service read the chart. ``drafts`` are the forms that wait in the chart, ``attested`` the answers of signed forms to
    each attestation, in words, by linkId.
    """

    patient: Json | None
    found: FormDecision | None
    unread: Mapping[str, str]
    request: HookRequest
    why_not: str = ""
    drafts: tuple[EarlierForm, ...] = ()
    attested: Mapping[str, str] = MappingProxyType({})

    @property
    def decision(self) -> Decision | None:
        """The decision."""
        return self.found.decision if self.found else None


class Sitting(NamedTuple):
    """The context of reading a chart: the statement, the card's context, the access, and the server's registration.

    ``without_order``: the card's context names no order, and the service makes up none.
    """

    policy: Policy
    context: FormContext
    access: Access
    registration: AppRegistration
    without_order: bool = False


def read_chart(
    sitting: Sitting, guide: Guide, fetcher: Fetcher | NoFetcher, today: date, deadline: Deadline
) -> ChartRead:
    """Read the data that the statement needs, and decide as for a card. Server failures never raise."""
    policies = (sitting.policy,)
    request = hook_request.parse(_SERVICE, _call(sitting), guide.limits)
    wanted = partial(wanted_templates, candidates=policies, guide=guide, today=today)
    request = complete_call(request, wanted, fetcher, sitting.registration.allowance, deadline).request
    patient = _patient(request.prefetch.get("patient"))
    if patient is None:
        why = request.unfetched.get("patient", words.NO_PATIENT_SENT)
        return ChartRead(None, None, request.unfetched, request, words.patient_unread(why))
    try:
        found = next(form_decisions(request, guide, today, policies))
    except RequestError as error:
        return ChartRead(patient, None, request.unfetched, request, error.sentence)
    asked, style = list(questions(sitting.policy)), style_of(sitting.registration)
    forms = guide.library.questionnaires(sitting.policy)
    responses = {record.reference: record.resource for record in found.chart.records(RESPONSES)}
    return ChartRead(
        patient,
        found,
        request.unfetched,
        request,
        drafts=earlier_forms(responses, found.decision.drafts, asked, style),
        attested=attested_before(responses.values(), forms, asked, style),
    )


def style_of(registration: AppRegistration) -> Style:
    """The date style of the form at one EHR."""
    return Style(dates=registration.dates)


def _call(sitting: Sitting) -> dict[str, Any]:
    access, registration = sitting.access, sitting.registration
    drafts = [] if sitting.without_order else drafts_of(sitting.context, sitting.policy, access.patient)
    return {
        "hook": hook_request.ORDER_SIGN,
        "hookInstance": "00000000-0000-4000-8000-000000000000",
        "fhirServer": registration.issuer,
        "fhirAuthorization": {
            "access_token": access.token,
            "token_type": "Bearer",
            "expires_in": access.seconds,
            "scope": access.scopes,
            "subject": registration.app.client_id,
        },
        "context": {
            "userId": access.user or NOBODY,
            "patientId": access.patient,
            "draftOrders": {
                "resourceType": "Bundle",
                "type": "collection",
                "entry": [{"resource": draft} for draft in drafts],
            },
        },
        "prefetch": {},
    }


def _patient(value: Any) -> Json | None:
    return value if isinstance(value, dict) and value.get("resourceType") == "Patient" else None
