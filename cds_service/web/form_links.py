"""The link of a card to the documentation form: where something is open, and the EHR can launch the form."""

from collections.abc import Callable, Mapping, Sequence

from cds_service.card.form_context import app_context
from cds_service.card.words.rest import FORM_LINK
from cds_service.facts.logic import Truth
from cds_service.fhir.elements import Json
from cds_service.service import Answer
from cds_service.trust.entries import Client
from cds_service.trust.smart import AppRegistration

LAUNCH_PATH = "/smart/launch"


class NoFormLinks:
    """No EHR can launch a form."""

    def contexts(self, answers: Sequence[Answer], client: Client, fhir_server: str | None) -> Mapping[str, str]:
        """None."""
        return {}

    def added(self, response: Json, contexts: Mapping[str, str]) -> Json:
        """The response as it is."""
        return response


class FormLinks(NoFormLinks):
    """Links cards to the form; ``registered`` gives the registration at a FHIR server, ``public_url`` is our address,
    without a slash at its end."""

    def __init__(self, registered: Callable[[str], AppRegistration | None], public_url: str) -> None:
        self._registered, self._url = registered, public_url + LAUNCH_PATH

    def contexts(self, answers: Sequence[Answer], client: Client, fhir_server: str | None) -> Mapping[str, str]:
        """Card id -> ``appContext`` of the cards that get the link: those of orders whose criteria are not all settled.

        The EHR is known by the ``fhir_server`` of the call, or else by the client's entry.
        """
        if not (self._registered(fhir_server) if fhir_server else client.smart):
            return {}
        found = {}
        for item in answers:
            assessed = item.assessment
            if assessed is None or item.card is None or not item.outcome.decided or assessed.decision.order is None:
                continue
            if any(row.truth is Truth.UNKNOWN or row.conflict for row in assessed.counted):
                found[item.card["uuid"]] = app_context(item.policy, assessed.decision.order)
        return found

    def added(self, response: Json, contexts: Mapping[str, str]) -> Json:
        """The response with the form's link first on its cards (type smart; CDS Hooks 2.0, "Link")."""
        if not contexts:
            return response
        return response | {"cards": [self._with_form(card, contexts.get(card["uuid"])) for card in response["cards"]]}

    def _with_form(self, card: Json, context: str | None) -> Json:
        if context is None:
            return card
        link = {"label": FORM_LINK, "url": self._url, "type": "smart", "appContext": context}
        return card | {"links": [link, *card["links"]]}


NO_FORM_LINKS = NoFormLinks()
