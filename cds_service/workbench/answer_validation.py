"""An answer validated against CDS Hooks 2.0, in the same words and levels as a call (``validation``)."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

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
    """Validates an answer of 200 (CDS Hooks 2.0, "CDS Service Response")."""
    if not isinstance(body, dict) or not isinstance(body.get("cards"), list):
        return Report([Remark("cards", ERROR, "An answer is a JSON object with a list 'cards'.")], [])
    return report_of(_checks(body))


def _checks(body: Mapping[str, Any]) -> Iterator[Check]:
    """The checks that apply to an answer; what its suggestions create is validated last."""
    given = [(f"cards[{index}]", card) for index, card in enumerate(body["cards"])]
    cards = [(place, card) for place, card in given if isinstance(card, dict)]
    created: list[tuple[str, Any]] = []
    if given:
        title = "Every card has a uuid, a summary under 140 characters, an indicator, and a source"
        yield Check(title, (remark for place, card in given for remark in _card(card, place)))
    if any(card.get("suggestions") for _, card in cards):
        found = (remark for place, card in cards for remark in _suggestions(card, place, created))
        yield Check("Every suggestion has a label, a uuid, and actions that can be taken", found)
    if any(card.get("links") for _, card in cards):
        found = (remark for place, card in cards for remark in _links(card, place))
        yield Check("Every link is absolute and says its type", found)
    if any(card.get("overrideReasons") for _, card in cards):
        found = (remark for place, card in cards for remark in _reasons(card, place))
        yield Check("Every override reason has a code, a system, and words", found)
    if body.get("systemActions") is not None:
        yield Check("Every system action can be taken", _system_actions(body["systemActions"], created))
    if created:
        yield models_check("cards", created)


def _system_actions(actions: Any, created: list[tuple[str, Any]]) -> Iterator[Remark]:
    if not isinstance(actions, list) or not actions:
        yield Remark("systemActions", ERROR, "systemActions must be a list of actions, or be left out.")
        return
    for index, action in enumerate(actions):
        yield from _action(action, f"systemActions[{index}]", created)


def _card(card: Any, place: str) -> Iterator[Remark]:
    if not isinstance(card, dict):
        yield Remark(place, ERROR, "A card must be an object.")
        return
    summary = card.get("summary")
    if not isinstance(summary, str) or not summary:
        yield Remark(f"{place}.summary", ERROR, "A card needs a summary.")
    elif len(summary) > LONGEST_SUMMARY:
        yield Remark(f"{place}.summary", ERROR, f"A summary has less than {LONGEST_SUMMARY + 1} characters.")
    if card.get("indicator") not in INDICATORS:
        yield Remark(f"{place}.indicator", ERROR, f"indicator must be one of {', '.join(INDICATORS)}.")
    source = card.get("source")
    if not isinstance(source, dict) or not source.get("label"):
        yield Remark(f"{place}.source.label", ERROR, "A card needs a source with a label.")
    elif "url" in source and split_address(str(source["url"])) is None:
        yield Remark(f"{place}.source.url", ERROR, "The address of a source must be absolute.")
    if not card.get("uuid"):
        yield Remark(f"{place}.uuid", WARNING, "Without a uuid no feedback can name the card.")


def _suggestions(card: Mapping[str, Any], place: str, created: list[tuple[str, Any]]) -> Iterator[Remark]:
    """What is wrong with suggestions; the resources of their actions go to ``created``, each with its place."""
    suggested = card.get("suggestions")
    suggestions: Collection[Any] = suggested if isinstance(suggested, list) else ()
    if suggestions and card.get("selectionBehavior") not in BEHAVIORS:
        yield Remark(f"{place}.selectionBehavior", ERROR, f"With suggestions it must be one of {', '.join(BEHAVIORS)}.")
    for index, suggestion in enumerate(suggestions):
        yield from _suggestion(suggestion, f"{place}.suggestions[{index}]", created)


def _links(card: Mapping[str, Any], place: str) -> Iterator[Remark]:
    for index, link in enumerate(card.get("links") or ()):
        yield from _card_link(link, f"{place}.links[{index}]")


def _reasons(card: Mapping[str, Any], place: str) -> Iterator[Remark]:
    for index, reason in enumerate(card.get("overrideReasons") or ()):
        if not isinstance(reason, dict) or not all(reason.get(name) for name in ("code", "system", "display")):
            yield Remark(f"{place}.overrideReasons[{index}]", ERROR, "A reason needs code, system and display.")


def _suggestion(suggestion: Any, place: str, created: list[tuple[str, Any]]) -> Iterator[Remark]:
    if not isinstance(suggestion, dict) or not suggestion.get("label"):
        yield Remark(f"{place}.label", ERROR, "A suggestion needs a label.")
        return
    if not suggestion.get("uuid"):
        yield Remark(f"{place}.uuid", WARNING, "Without a uuid no feedback can name the suggestion.")
    for index, action in enumerate(suggestion.get("actions") or ()):
        yield from _action(action, f"{place}.actions[{index}]", created)


def _action(action: Any, place: str, created: list[tuple[str, Any]]) -> Iterator[Remark]:
    if not isinstance(action, dict) or action.get("type") not in ACTIONS:
        yield Remark(f"{place}.type", ERROR, f"type must be one of {', '.join(ACTIONS)}.")
        return
    if not action.get("description"):
        yield Remark(f"{place}.description", ERROR, "An action needs a description.")
    if action["type"] == "delete":
        if not action.get("resourceId"):
            yield Remark(f"{place}.resourceId", ERROR, "An action of type delete names what it deletes.")
    elif not isinstance(action.get("resource"), dict):
        yield Remark(f"{place}.resource", ERROR, f"An action of type {action['type']} holds the whole resource.")
    else:
        created.append((f"{place}.resource", action["resource"]))


def _card_link(link: Any, place: str) -> Iterator[Remark]:
    if not isinstance(link, dict) or not link.get("label") or link.get("type") not in ("absolute", "smart"):
        yield Remark(place, ERROR, "A link needs label, url and type (absolute or smart).")
        return
    if split_address(str(link.get("url"))) is None:
        yield Remark(f"{place}.url", ERROR, "The address of a link must be absolute.")
    if "appContext" in link and link["type"] != "smart":
        yield Remark(f"{place}.appContext", ERROR, "Only a link of type smart has an appContext.")
