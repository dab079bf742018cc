"""The link from a card to its evidence page.

Either the call makes the page, stores it encrypted, and adds the link to the answer; or the EHR launches the page
(SMART App Launch 2.2), and nothing is stored.
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
    """The parts of pages that describe rule sets, made once each for all calls of a process."""

    def __init__(self) -> None:
        self._known: dict[str, Json] = {}

    def of(self, policy: Policy) -> Json:
        """The part of one rule set, with its digest."""
        if policy.id not in self._known:
            self._known[policy.id] = rule_set_part(policy)
        return self._known[policy.id]


class EvidenceLinks:
    """Makes the pages of calls.

    ``registered`` gives the registration at a FHIR server; ``now`` gives the time with a time zone.
    """

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
        """The kind of pages of a call; OFF for an EHR that cannot launch SMART pages."""
        mode = entry.evidence_mode(self._around.evidence_mode)
        if mode != SMART:
            return mode
        known = self._registered(fhir_server) if fhir_server else entry.smart
        return SMART if self._around.forms is not None and known else OFF

    def launches(self, answers: Sequence[Answer], mode: str) -> dict[str, Json]:
        """Card id -> link with which the EHR launches the page, for cards based on criteria."""
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
        """The pages of the answers based on criteria, if the client has pages.

        ``client`` is the name under which the call is stored. A failure to make a page costs only the link, never the
        card.
        """
        kept = self._around.evidence_pages
        if kept is None or entry.evidence_mode(self._around.evidence_mode) != SEALED:
            return []
        made, expires = kept.times()
        pages: list[ToClose] = []
        for item in answers:
            try:
                page = self._page(item, client, made, expires)
            # After any error the card goes out without the link.
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
        """Store the pages; returns card id -> link, empty if the store is down."""
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
    """The response with links on its cards: addresses by card id, and ``launches`` from ``EvidenceLinks``.

    Pure; the arguments and the ids of cards do not change.
    """
    opened: dict[str, Json] = {
        card: {"label": EVIDENCE_LINK, "url": url, "type": "absolute"} for card, url in links.items()
    }
    found = {**opened, **launches}
    if not found:
        return response
    # Replaces the other links: the page has the criteria and their sources too.
    return response | {
        "cards": [
            card | {"links": [found[card["uuid"]]]} if card["uuid"] in found else card for card in response["cards"]
        ]
    }
