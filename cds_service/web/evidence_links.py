"""The link from a card to its evidence page: the page is made in the call, kept closed, and added to the answer."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson

from cds_service.card.evidence_page import evidence_page, page_words
from cds_service.card.evidence_sources import rule_set_part
from cds_service.card.words.rest import EVIDENCE_LINK
from cds_service.clock import Deadline
from cds_service.fhir.elements import Json
from cds_service.installation import Installation
from cds_service.operations import logs
from cds_service.policy.model import Policy
from cds_service.service import Answer
from cds_service.store.failures import StoreError
from cds_service.store.sealed_pages import ToClose
from cds_service.trust.entries import SEALED, Client


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
    """Makes the pages of calls; ``public_url`` is our address, without a slash at its end."""

    def __init__(self, installation: Installation, parts: RuleSetParts, public_url: str) -> None:
        self._around, self._parts, self._address = installation, parts, f"{public_url}/evidence"

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
            # Whatever it is: the card stands without the link.
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


def with_links(response: Json, links: Mapping[str, str]) -> Json:
    """The response with the links of its cards. Pure; what is given stays unchanged, and so do the ids of cards."""
    if not links:
        return response
    return response | {"cards": [_with_link(card, links.get(card["uuid"])) for card in response["cards"]]}


def _with_link(card: Json, url: str | None) -> Json:
    if url is None:
        return card
    # The page has the criteria and their sources too.
    return card | {"links": [{"label": EVIDENCE_LINK, "url": url, "type": "absolute"}]}
