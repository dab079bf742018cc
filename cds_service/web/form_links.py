"""The link from a card to the documentation form, if a criterion is open and the EHR can launch the form."""

from collections.abc import Callable, Mapping, Sequence

from cds_service.card.form_context import app_context
from cds_service.card.words.rest import FORM_LINK, RESUMED_FORM_LINK
from cds_service.facts.logic import Truth
from cds_service.fhir.elements import Json
from cds_service.service.statement import Answer
from cds_service.trust.entries import Client
from cds_service.trust.smart import AppRegistration

LAUNCH_PATH = "/smart/launch"


class NoFormLinks:
    """Form links for an installation where no EHR can launch a form."""

    def links(self, answers: Sequence[Answer], client: Client, fhir_server: str | None) -> Mapping[str, Json]:
        """No links."""
        return {}

    def added(self, response: Json, links: Mapping[str, Json]) -> Json:
        """The response, unchanged."""
        return response


class FormLinks(NoFormLinks):
    """Links from cards to the form.

    ``registered`` gives the registration at a FHIR server; ``public_url`` is our address, without a trailing slash.
    """

    def __init__(self, registered: Callable[[str], AppRegistration | None], public_url: str) -> None:
        self._registered, self._url = registered, public_url + LAUNCH_PATH

    def links(self, answers: Sequence[Answer], client: Client, fhir_server: str | None) -> Mapping[str, Json]:
        """Card id -> link (type smart; CDS Hooks 2.0, "Link"), for orders with unsettled criteria.

        The ``fhir_server`` of the call identifies the EHR, or else the client's entry. If the chart has a draft of the
        form, the link resumes it.
        """
        if not (self._registered(fhir_server) if fhir_server else client.smart):
            return {}
        found = {}
        for item in answers:
            assessed = item.assessment
            if assessed is None or item.card is None or not item.outcome.decided or assessed.decision.order is None:
                continue
            if any(row.truth is Truth.UNKNOWN or row.conflict for row in assessed.counted):
                drafts = assessed.decision.drafts
                context = app_context(item.policy, assessed.decision.order, drafts[0].reference if drafts else "")
                label = RESUMED_FORM_LINK if drafts else FORM_LINK
                found[item.card["uuid"]] = {"label": label, "url": self._url, "type": "smart", "appContext": context}
        return found

    def added(self, response: Json, links: Mapping[str, Json]) -> Json:
        """The response with the form's link first on its cards."""
        if not links:
            return response
        return response | {"cards": [_with_form(card, links.get(card["uuid"])) for card in response["cards"]]}


def _with_form(card: Json, link: Json | None) -> Json:
    return card if link is None else card | {"links": [link, *card["links"]]}


NO_FORM_LINKS = NoFormLinks()
