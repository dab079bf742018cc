"""Validation of an answer against CDS Hooks 2.0, with the words and levels of call validation (``validation``)."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from cds_service.workbench import check_words as words
from cds_service.workbench.remarks import (
    ERROR,
    WARNING,
    Check,
    Remark,
    Report,
    models_check,
    report_of,
    split_address,
)

LONGEST_SUMMARY = 139
INDICATORS = ("info", "warning", "critical")
ACTIONS = ("create", "update", "delete")
BEHAVIORS = ("at-most-one", "any")


def response_report(body: Any) -> Report:
    """Validate an answer with status 200 (CDS Hooks 2.0, "CDS Service Response")."""
    if not isinstance(body, dict) or not isinstance(body.get("cards"), list):
        return Report([Remark("cards", ERROR, words.NO_CARDS)], [])
    return report_of(_checks(body))


def _checks(body: Mapping[str, Any]) -> Iterator[Check]:
    """The checks that apply to an answer; validates the resources of its suggestions last."""
    given = [(f"cards[{index}]", card) for index, card in enumerate(body["cards"])]
    cards = [(place, card) for place, card in given if isinstance(card, dict)]
    created: list[tuple[str, Any]] = []
    if given:
        yield Check(words.CARD_COMPLETE, (remark for place, card in given for remark in _card(card, place)))
    if any(card.get("suggestions") for _, card in cards):
        found = (remark for place, card in cards for remark in _suggestions(card, place, created))
        yield Check(words.SUGGESTIONS_COMPLETE, found)
    if any(card.get("links") for _, card in cards):
        found = (remark for place, card in cards for remark in _links(card, place))
        yield Check(words.LINKS_COMPLETE, found)
    if any(card.get("overrideReasons") for _, card in cards):
        found = (remark for place, card in cards for remark in _reasons(card, place))
        yield Check(words.REASONS_COMPLETE, found)
    if body.get("systemActions") is not None:
        yield Check(words.SYSTEM_ACTIONS_COMPLETE, _system_actions(body["systemActions"], created))
    if created:
        yield models_check("cards", created)


def _system_actions(actions: Any, created: list[tuple[str, Any]]) -> Iterator[Remark]:
    if not isinstance(actions, list) or not actions:
        yield Remark("systemActions", ERROR, words.SYSTEM_ACTIONS)
        return
    for index, action in enumerate(actions):
        yield from _action(action, f"systemActions[{index}]", created)


def _card(card: Any, place: str) -> Iterator[Remark]:
    if not isinstance(card, dict):
        yield Remark(place, ERROR, words.CARD)
        return
    summary = card.get("summary")
    if not isinstance(summary, str) or not summary:
        yield Remark(f"{place}.summary", ERROR, words.SUMMARY)
    elif len(summary) > LONGEST_SUMMARY:
        yield Remark(f"{place}.summary", ERROR, words.summary_length(LONGEST_SUMMARY + 1))
    if card.get("indicator") not in INDICATORS:
        yield Remark(f"{place}.indicator", ERROR, words.one_of("indicator", INDICATORS))
    source = card.get("source")
    if not isinstance(source, dict) or not source.get("label"):
        yield Remark(f"{place}.source.label", ERROR, words.SOURCE)
    elif "url" in source and split_address(str(source["url"])) is None:
        yield Remark(f"{place}.source.url", ERROR, words.SOURCE_ADDRESS)
    if not card.get("uuid"):
        yield Remark(f"{place}.uuid", WARNING, words.CARD_ID)


def _suggestions(card: Mapping[str, Any], place: str, created: list[tuple[str, Any]]) -> Iterator[Remark]:
    """The problems of a card's suggestions; adds each resource of an action to ``created``, with its place."""
    suggested = card.get("suggestions")
    suggestions: Collection[Any] = suggested if isinstance(suggested, list) else ()
    if suggestions and card.get("selectionBehavior") not in BEHAVIORS:
        yield Remark(f"{place}.selectionBehavior", ERROR, words.one_of("selectionBehavior", BEHAVIORS))
    for index, suggestion in enumerate(suggestions):
        yield from _suggestion(suggestion, f"{place}.suggestions[{index}]", created)


def _links(card: Mapping[str, Any], place: str) -> Iterator[Remark]:
    for index, link in enumerate(card.get("links") or ()):
        yield from _card_link(link, f"{place}.links[{index}]")


def _reasons(card: Mapping[str, Any], place: str) -> Iterator[Remark]:
    for index, reason in enumerate(card.get("overrideReasons") or ()):
        if not isinstance(reason, dict) or not all(reason.get(name) for name in ("code", "system", "display")):
            yield Remark(f"{place}.overrideReasons[{index}]", ERROR, words.REASON)


def _suggestion(suggestion: Any, place: str, created: list[tuple[str, Any]]) -> Iterator[Remark]:
    if not isinstance(suggestion, dict) or not suggestion.get("label"):
        yield Remark(f"{place}.label", ERROR, words.SUGGESTION)
        return
    if not suggestion.get("uuid"):
        yield Remark(f"{place}.uuid", WARNING, words.SUGGESTION_ID)
    for index, action in enumerate(suggestion.get("actions") or ()):
        yield from _action(action, f"{place}.actions[{index}]", created)


def _action(action: Any, place: str, created: list[tuple[str, Any]]) -> Iterator[Remark]:
    if not isinstance(action, dict) or action.get("type") not in ACTIONS:
        yield Remark(f"{place}.type", ERROR, words.one_of("type", ACTIONS))
        return
    if not action.get("description"):
        yield Remark(f"{place}.description", ERROR, words.ACTION)
    if action["type"] == "delete":
        if not action.get("resourceId"):
            yield Remark(f"{place}.resourceId", ERROR, words.ACTION_DELETES)
    elif not isinstance(action.get("resource"), dict):
        yield Remark(f"{place}.resource", ERROR, words.action_holds(action["type"]))
    else:
        created.append((f"{place}.resource", action["resource"]))


def _card_link(link: Any, place: str) -> Iterator[Remark]:
    if not isinstance(link, dict) or not link.get("label") or link.get("type") not in ("absolute", "smart"):
        yield Remark(place, ERROR, words.LINK)
        return
    if split_address(str(link.get("url"))) is None:
        yield Remark(f"{place}.url", ERROR, words.LINK_ADDRESS)
    if "appContext" in link and link["type"] != "smart":
        yield Remark(f"{place}.appContext", ERROR, words.LINK_CONTEXT)
