"""Answers as a client's profile has them: only what its entry asks for changes, and nothing is lost without a word."""

import copy

import pytest

from cds_service.card.ids import derived
from cds_service.trust.entries import Client, anyone
from cds_service.web.client_profiles import spoken

UUID = "5cbb9b1e-0000-5000-8000-000000000001"
UPDATE = {"type": "update", "description": "Add the code", "resource": {"resourceType": "ServiceRequest", "id": "1"}}
DELETE = {"type": "delete", "resourceId": "ServiceRequest/2"}


def client(*quirks: str, **aliases: str) -> Client:
    return Client(id="general", issuer="https://ehr.example", quirks=frozenset(quirks), topic_aliases=aliases)


def card(*suggestions: dict, **more: object) -> dict:
    topic = {"system": "https://x.example/topics", "code": "a_topic", "display": "A topic"}
    usual = {"summary": "s", "detail": "d", "source": {"label": "l", "topic": topic}, "selectionBehavior": "any"}
    return usual | {"suggestions": [*suggestions]} | more


def suggestion(*actions: dict, **more: object) -> dict:
    return {"label": "Change it", "uuid": UUID, "isRecommended": True, "actions": [*actions]} | more


ONE = client("one-action-per-suggestion")
RESPONSE = {"cards": [card(suggestion(UPDATE, DELETE), suggestion(UPDATE))], "systemActions": [UPDATE]}


@pytest.mark.parametrize("speaker", [anyone(), client()], ids=["open", "a client without a dialect"])
def test_without_a_dialect_nothing_changes(speaker):
    assert spoken(RESPONSE, speaker) is RESPONSE


@pytest.mark.parametrize(
    "speaker", [ONE, client("system-actions-in-extension"), client(a_topic="T"), client(*ONE.quirks, a_topic="T")]
)
def test_what_was_given_stays_as_it_was(speaker):
    before = copy.deepcopy(RESPONSE)
    spoken(RESPONSE, speaker)
    assert before == RESPONSE


def test_a_suggestion_of_two_actions_becomes_two_that_say_they_belong_together():
    first, second, third = spoken(RESPONSE, ONE)["cards"][0]["suggestions"]
    assert [first["actions"], second["actions"], third] == [[UPDATE], [DELETE], suggestion(UPDATE)]
    assert first["label"] == "Change it (1 of 2, take all): Add the code"
    assert second["label"] == "Change it (2 of 2, take all): delete"
    assert first["isRecommended"] is second["isRecommended"] is True


def test_feedback_on_a_part_can_be_distinguished_from_the_id_of_the_whole():
    """The first part keeps the id; that of the others follows from it and is the same in every answer."""
    first, second, _ = spoken(RESPONSE, ONE)["cards"][0]["suggestions"]
    assert (first["uuid"], second["uuid"]) == (UUID, derived(UUID, "action:2"))
    assert derived(UUID, "action:2") != derived(UUID, "action:3")
    assert second["uuid"][14] == "5"


def test_a_suggestion_without_an_id_gets_parts_without_one():
    plain = {"label": "Change it", "actions": [UPDATE, DELETE]}
    parts = spoken({"cards": [card(plain)]}, ONE)["cards"][0]["suggestions"]
    assert [part.keys() & {"uuid", "isRecommended"} for part in parts] == [set(), set()]


def test_alternatives_are_not_taken_apart_but_named_in_the_detail():
    """Where one suggestion at most can be chosen, the parts of one would shut each other out."""
    only_one = card(suggestion(UPDATE, DELETE, label="Swap *it*"), suggestion(UPDATE), selectionBehavior="at-most-one")
    told = spoken({"cards": [only_one]}, ONE)["cards"][0]
    assert told["suggestions"] == [suggestion(UPDATE)]
    assert told["detail"] == "d\n\nNot offered here because it needs several changes at once: Swap \\*it\\*."


def test_a_card_that_is_left_without_suggestions_has_no_selection_behavior():
    told = spoken({"cards": [card(suggestion(UPDATE, DELETE), selectionBehavior="at-most-one")]}, ONE)["cards"][0]
    assert not {"suggestions", "selectionBehavior"} & told.keys()


def test_system_actions_stand_in_the_extension_as_well():
    told = spoken(RESPONSE | {"extension": {"x": 1}}, client("system-actions-in-extension"))
    assert told["systemActions"] == [UPDATE]
    assert told["extension"] == {"x": 1, "systemActions": [UPDATE]}


def test_without_system_actions_there_is_no_extension():
    assert spoken({"cards": []}, client("system-actions-in-extension")) == {"cards": []}


def test_a_topic_is_reported_by_its_alias_and_all_else_of_it_stays():
    told = spoken(RESPONSE, client(a_topic="Topic1", other="Topic2"))["cards"][0]
    assert told["source"]["topic"] == card()["source"]["topic"] | {"code": "Topic1"}
    assert told["suggestions"] == RESPONSE["cards"][0]["suggestions"]


def test_a_card_without_a_topic_stays():
    bare = {"cards": [{"summary": "s", "source": {"label": "l"}}]}
    assert spoken(bare, client(a_topic="T")) == bare
