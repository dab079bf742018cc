"""The answer adapted to one client that departs from the specification; decisions do not change."""

from collections.abc import Mapping
from typing import Any

from cds_service.card.ids import derived
from cds_service.card.style import HTML, LINES, Block, Style, written
from cds_service.card.words import rest as words
from cds_service.fhir.elements import Json
from cds_service.trust.entries import ACTIONS_IN_EXTENSION, ONE_ACTION, Client


def spoken(response: Json, client: Client) -> Json:
    """A CDS Hooks response in the client's dialect (``quirks`` and ``topic_aliases`` of its entry).

    Pure: ``response`` does not change. For an entry without either, it comes back as is.
    """
    if not (client.quirks or client.topic_aliases):
        return response
    cards = [_card(card, client) for card in response.get("cards", [])]
    answer = response | {"cards": cards}
    if ACTIONS_IN_EXTENSION in client.quirks and "systemActions" in response:
        extension = response.get("extension", {})
        answer["extension"] = extension | {"systemActions": response["systemActions"]}
    return answer


def _card(card: Json, client: Client) -> Json:
    topic = card.get("source", {}).get("topic", {})
    alias = client.topic_aliases.get(topic.get("code"))
    if alias is not None:
        card = card | {"source": card["source"] | {"topic": topic | {"code": alias}}}
    if ONE_ACTION in client.quirks and any(_is_split(item) for item in card.get("suggestions", [])):
        return _with_single_actions(card, client.detail_format)
    return card


def _is_split(suggestion: Mapping[str, Any]) -> bool:
    return len(suggestion.get("actions", [])) > 1


def _with_single_actions(card: Json, detail_format: str) -> Json:
    """The card with one action in each suggestion.

    If at most one suggestion may be chosen, the parts of a suggestion would become alternatives. The card then leaves
    the suggestion out and says so.
    """
    if card.get("selectionBehavior") != "at-most-one":
        return card | {"suggestions": [part for item in card["suggestions"] for part in _parts(item)]}
    kept = [item for item in card["suggestions"] if not _is_split(item)]
    lines = tuple(words.not_offered(item["label"]) for item in card["suggestions"] if _is_split(item))
    parts = (card.get("detail", ""), written((Block(LINES, lines),), Style(detail_format)))
    told = card | {"suggestions": kept, "detail": ("" if detail_format == HTML else "\n\n").join(filter(None, parts))}
    if not kept:
        del told["suggestions"], told["selectionBehavior"]
    return told


def _parts(suggestion: Json) -> list[Json]:
    """A suggestion split into one for each action, each labeled as a part, so that nobody reads one as the whole.

    The first part keeps the id; the other ids derive from it (``card.ids.derived``), so that feedback identifies each
    part.
    """
    actions = suggestion.get("actions", [])
    if len(actions) < 2:
        return [suggestion]
    parts = []
    for number, action in enumerate(actions, 1):
        said = action.get("description") or action["type"]
        part = suggestion | {
            "label": words.part_of_suggestion(suggestion["label"], number, len(actions), said),
            "actions": [action],
        }
        if number > 1 and "uuid" in suggestion:
            part["uuid"] = derived(suggestion["uuid"], f"action:{number}")
        parts.append(part)
    return parts
