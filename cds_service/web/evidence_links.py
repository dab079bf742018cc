"""The link from a card to its evidence page: the page is made in the call, kept closed, and added to the answer; or
the EHR launches it (SMART App Launch 2.2), and nothing is kept.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import orjson

from cds_service.card.evidence_page import evidence_page, page_words
from cds_service.card.evidence_sources import rule_set_part
from cds_service.card.form_context import app_context
from cds_service.card.ids import results_digest
from cds_service.card.words.rest import EVIDENCE_LINK
from cds_service.clock import Deadline
from cds_service.fhir.elements import Json
from cds_service.installation import Installation
from cds_service.operations import logs
from cds_service.policy.model import Policy
from cds_service.service.guide import Guide
from cds_service.service.statement import Answer
from cds_service.store.failures import StoreError
from cds_service.store.sealed_pages import ToClose
from cds_service.trust.entries import OFF, SEALED, SMART, Client
from cds_service.trust.smart import AppRegistration

LAUNCH_PATH = "/smart/evidence"

Registrations = Callable[[str], AppRegistration | None]


class RuleSetParts:
    """What pages say of rule sets, worked out once for each; for all calls of one process."""

    def __init__(self) -> None:
        self._known: dict[str, Json] = {}

    def of(self, policy: Policy) -> Json:
        """The part of one rule set, with its digest."""
        if policy.id not in self._known:
            self._known[policy.id] = rule_set_part(policy)
        return self._known[policy.id]


class EvidenceLinks:
    """Makes the pages of calls; ``registered`` gives the registration at a FHIR server, ``now`` the time with a time
    zone."""

    def __init__(
        self,
        installation: Installation,
        parts: RuleSetParts,
        guide: Guide,
        registered: Registrations,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        public_url, self._key = guide.addresses.public_url, guide.id_key
        self._around, self._parts, self._address = installation, parts, f"{public_url}/evidence"
        self._launch, self._registered, self._now = public_url + LAUNCH_PATH, registered, now

    def mode(self, entry: Client, fhir_server: str | None) -> str:
        """Where the pages of a call are: an EHR that cannot launch them has none (OFF)."""
        mode = entry.evidence_mode(self._around.evidence_mode)
        if mode != SMART:
            return mode
        known = self._registered(fhir_server) if fhir_server else entry.smart
        return SMART if self._around.forms is not None and known else OFF

    def launches(self, answers: Sequence[Answer], mode: str) -> dict[str, Json]:
        """Card id -> link with which the EHR launches its page, of the cards that rest on criteria."""
        if mode != SMART:
            return {}
        made = int(self._now().timestamp())
        found: dict[str, Json] = {}
        for item in answers:
            if item.assessment is None or item.card is None or not item.outcome.decided:
                continue
            decision, card = item.assessment.decision, item.card["uuid"]
            of_card = {"made": made, "results": results_digest(self._key, decision), "card": card}
            found[card] = {
                "label": EVIDENCE_LINK,
                "url": self._launch,
                "type": "smart",
                "appContext": app_context(item.policy, decision.order, of_card=of_card),
            }
        return found

    def pages(self, answers: Sequence[Answer], entry: Client, client: str) -> list[ToClose]:
        """The pages of the answers that have one: those that rest on criteria, for a client that has pages.

        ``client`` is the name under which the call is kept. A page that cannot be made costs its link and no card.
        """
        kept = self._around.evidence_pages
        if kept is None or entry.evidence_mode(self._around.evidence_mode) != SEALED:
            return []
        made, expires = kept.times()
        pages: list[ToClose] = []
        for item in answers:
            try:
                page = self._page(item, client, made, expires)
            # Whatever it is: the card goes out without the link.
            except Exception as error:
                logs.logger().error("unexpected", exc_info=error)
            else:
                pages += [page] if page is not None else []
        return pages

    def _page(self, item: Answer, client: str, made: datetime, expires: datetime) -> ToClose | None:
        found = item.assessment
        if found is None or item.card is None or not item.outcome.decided:
            return None
        page = evidence_page(
            found.decision,
            found.chart,
            page_words(found, item.card["summary"]),
            card=item.card["uuid"],
            digest=self._parts.of(item.policy)["digest"],
            made=made,
            expires=expires,
        )
        return ToClose(orjson.dumps(page), item.card["uuid"], client, expires)

    def kept(self, pages: Sequence[ToClose], deadline: Deadline) -> Mapping[str, str]:
        """Card id -> link of the pages, which are kept from now on; none where the store is down."""
        kept = self._around.evidence_pages
        if kept is None or not pages:
            return {}
        try:
            ends = kept.add(pages, deadline)
        except StoreError as error:
            logs.logger().error("store-failed", exc_info=error)
            self._around.metrics.store_failed()
            return {}
        return {page.card: f"{self._address}/{end}" for page, end in zip(pages, ends, strict=True)}


def with_links(response: Json, links: Mapping[str, str], launches: Mapping[str, Json]) -> Json:
    """The response with the links of its cards: addresses by card id, and ``launches`` as ``EvidenceLinks`` gives them.

    Pure; what is given stays unchanged, and so do the ids of cards.
    """
    opened: dict[str, Json] = {
        card: {"label": EVIDENCE_LINK, "url": url, "type": "absolute"} for card, url in links.items()
    }
    found = {**opened, **launches}
    if not found:
        return response
    # The page has the criteria and their sources too.
    return response | {
        "cards": [
            card | {"links": [found[card["uuid"]]]} if card["uuid"] in found else card for card in response["cards"]
        ]
    }
