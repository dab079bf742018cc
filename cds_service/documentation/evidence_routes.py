"""The evidence page that an EHR launches (SMART App Launch 2.2): the answer to the sign-in, stored nowhere.

The service uses the EHR's data only while it makes the answer. If the user must choose the statement, the service keeps
the access, encrypted, until then.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from flask import Flask, Response, request

from cds_service.card.form_context import read_context
from cds_service.card.ids import results_digest
from cds_service.clock import Deadline
from cds_service.documentation import form_words as words
from cds_service.documentation.form_flow import FormFlow, SignedIn
from cds_service.documentation.messages import LaunchError
from cds_service.documentation.open_form import OpenForm
from cds_service.documentation.packing import RESPONSE, packet_of, with_response, with_signer
from cds_service.documentation.pages import FormPages
from cds_service.documentation.patient_page import patient_page
from cds_service.documentation.reading import ChartRead, Sitting
from cds_service.fhir.elements import Json
from cds_service.installation import Installation
from cds_service.policy.model import Policy
from cds_service.service.form_decisions import form_decisions
from cds_service.service.guide import Guide
from cds_service.web import accepted
from cds_service.web.evidence_links import LAUNCH_PATH, RuleSetParts
from cds_service.web.evidence_view import us_dates, view
from cds_service.web.gate import Gate
from cds_service.web.packets import Packets
from cds_service.web.record import note_opened

SECONDS = 20.0
# The time limit for reading the user's own record, in seconds.
SECONDS_OF_A_USER = 3.0


class SignedResponse(NamedTuple):
    """Signed answers with an id, and the signer's role; ``is_there``: the EHR has them as a record with that id."""

    response: Json
    is_there: bool
    role: str


class EvidenceAnswers:
    """Answers with the evidence pages of named patients; ``parts`` are the texts of pages about rule sets, ``packets``
    encrypts the content of packets."""

    def __init__(
        self, form_flow: FormFlow, guide: Guide, parts: RuleSetParts, installation: Installation, packets: Packets
    ) -> None:
        self._packets = packets
        self._form_flow, self._guide, self._parts = form_flow, guide, parts
        self._library, self._key = guide.library, guide.id_key
        self._around, self._pages = installation, FormPages(form_flow, guide.addresses.public_url)

    def register(self, app: Flask, gate: Gate) -> None:
        """Add the route on which the user chooses a statement."""

        @app.get(f"{LAUNCH_PATH}/<name>")
        def choose_evidence(name: str) -> Response:
            gate.count_opening()
            policy = self._library.policy(request.args.get("statement", ""))
            signed = self._form_flow.chosen(name, self._pages.secret_of(name)) if policy is not None else None
            if policy is None or signed is None:
                return self._pages.told(words.CHOOSE_AGAIN)
            try:
                answer = self.shown(signed, policy, accepted.deadline_of(request.environ, SECONDS))
            except LaunchError as error:
                answer = self._pages.told(error.message, error.detail)
            return self._pages.without_cookie(answer, name)

    def first(self, signed: SignedIn, deadline: Deadline) -> Response:
        """The answer to a sign-in: the page, or a choice of statements. Raises LaunchError."""
        policy = self._form_flow.statement_of(signed)
        if policy is not None:
            return self.shown(signed, policy, deadline)
        begun = self._form_flow.keep_choice(signed)
        answer = self._pages.launched(
            "form_choose.html",
            signed.registration.frame_ancestors,
            name=f"evidence/{begun.name}",
            policies=self._library.policies,
            choice=words.EVIDENCE_OF_WHICH,
        )
        return self._pages.with_cookie(answer, begun)

    def shown(self, signed: SignedIn, policy: Policy, deadline: Deadline) -> Response:
        """The page of one statement. Raises LaunchError."""
        read, sitting = self._form_flow.chart_of(signed, policy, deadline)
        context = sitting.context
        if read.found is None:
            return self._pages.told(words.NOT_EVALUATED._replace(happened=read.why_not))
        part = self._parts.of(read.found.policy)
        made = datetime.now(UTC)
        found = patient_page(read.found, context, digest=part["digest"], made=made)
        if found.page is None:
            return self._pages.told(words.NOT_EVALUATED._replace(happened=words.read_again(found.why_not)))
        note_opened(self._around, context.card, signed.registration.client)
        packet = packet_of(found.page, read, sitting, self._guide)
        return self._pages.launched(
            "evidence_patient.html",
            signed.registration.frame_ancestors,
            page=view(found.page, part),
            packet=self._packets.closed(packet),
            patient=packet.patient,
            us_dates=us_dates,
            card_made=datetime.fromtimestamp(context.made, UTC).isoformat() if context.made else "",
            differs=bool(context.results) and context.results != results_digest(self._key, read.found.decision),
        )

    def packet_of_form(self, opened: OpenForm, read: ChartRead, signed: SignedResponse) -> str:
        """The encrypted packet of a signed form; "" if the service could not evaluate the criteria.

        The packet counts the answers whether or not the EHR returns them.
        """
        if read.found is None:
            return ""
        policy, registration = read.found.policy, self._form_flow.registration_of(opened)
        request = with_response(read.request, signed.response)
        found = next(form_decisions(request, self._guide, self._form_flow.today, (policy,)))
        context = read_context(opened.access.context)
        sitting = Sitting(policy, context, opened.access, registration)
        part = self._parts.of(policy)
        page = patient_page(found, context, digest=part["digest"], made=datetime.now(UTC)).page
        if page is None:
            return ""
        packet = packet_of(page, read._replace(request=request), sitting, self._guide)
        if not signed.is_there:
            packet = replace(packet, own=(*packet.own, f"{RESPONSE}/{signed.response['id']}"))
        by = {
            "reference": opened.access.user,
            "name": opened.user,
            "role": signed.role,
            "signed": signed.response["authored"],
        }
        practitioner = self._form_flow.user(registration, opened.access, Deadline(SECONDS_OF_A_USER))
        return self._packets.closed(with_signer(packet, by, practitioner))
