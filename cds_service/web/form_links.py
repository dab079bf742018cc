"""The link of a card to the documentation form: where something is open, and the EHR can launch the form."""

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
    """No EHR can launch a form."""

    def links(self, answers: Sequence[Answer], client: Client, fhir_server: str | None) -> Mapping[str, Json]:
        """None."""
        return {}

    def added(self, response: Json, links: Mapping[str, Json]) -> Json:
        """The response as it is."""
        return response


class FormLinks(NoFormLinks):
    """Links cards to the form; ``registered`` gives the registration at a FHIR server, ``public_url`` is our address,
    without a slash at its end."""

    def __init__(self, registered: Callable[[str], AppRegistration | None], public_url: str) -> None:
        self._registered, self._url = registered, public_url + LAUNCH_PATH

    def links(self, answers: Sequence[Answer], client: Client, fhir_server: str | None) -> Mapping[str, Json]:
        """Card id -> link (type smart; CDS Hooks 2.0, "Link"), for orders whose criteria are not all settled.

        The EHR is known by the ``fhir_server`` of the call, or else by the client's entry. Where a form waits in the
        chart, the link resumes it.
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
