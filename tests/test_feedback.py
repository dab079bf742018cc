"""Feedback as EHRs send it (CDS Hooks 2.0, "Feedback"), liberally read, and what is refused with its place."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.errors import RequestError
from cds_service.hooks.feedback import CUT, LONGEST_COMMENT, MOST_ITEMS, FeedbackItem, Reason, parse

AT = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
ITEM = {"card": "4e0a3a1e-3283-4575-ab82-028d55fe2719", "outcome": "overridden"}
SYSTEM = "https://cds-service.example/fhir/CodeSystem/override-reasons"
EPIC = "com.epic.cdshooks.feedback.overrideReason"


def one(**members: object) -> FeedbackItem:
    (item,) = parse({"feedback": [ITEM | members]})
    return item


def refusal(body: object) -> RequestError:
    with pytest.raises(RequestError) as caught:
        parse(body)
    return caught.value


def test_what_the_standard_sends_is_read():
    accepted = {
        "card": "f6b95768-b1c8-40dc-8385-bf3504b82ffb",
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": "e56e1945-20b3-4393-8503-a1a20fd73152"}, {"id": "s-2"}],
        "outcomeTimestamp": "2026-11-25T10:30:00Z",
    }
    overridden = ITEM | {
        "overrideReason": {
            "reason": {"code": "patient-requested-later", "system": SYSTEM, "display": "Patient asked to wait"},
            "userComment": "to be seen again",
        },
        "outcomeTimestamp": "2026-11-25T10:30:00Z",
    }
    assert parse({"feedback": [accepted, overridden]}) == [
        FeedbackItem(accepted["card"], "accepted", AT, ("e56e1945-20b3-4393-8503-a1a20fd73152", "s-2")),
        FeedbackItem(
            ITEM["card"],
            "overridden",
            AT,
            (),
            Reason("patient-requested-later", SYSTEM, "Patient asked to wait"),
            "to be seen again",
        ),
    ]


LIBERAL = {
    "G Epic: overrideReasons for overrideReason": (
        {"overrideReasons": {"reason": {"code": "c", "system": "s", "display": "d"}, "userComment": "u"}},
        {"reason": Reason("c", "s", "d"), "comment": "u"},
    ),
    "G Epic: an extension in place of a reason": (
        {
            "overrideReasons": {
                "extension": {
                    f"{EPIC}.reasonCategory": "45",
                    f"{EPIC}.reasonDisplay": "Does not meet criteria",
                    f"{EPIC}.reasonTitle": "Title",
                },
                "userComment": "free text",
            }
        },
        {"reason": Reason("45", EPIC, "Does not meet criteria"), "comment": "free text"},
    ),
    "Epic: a title where there is no display": (
        {"overrideReason": {"extension": {f"{EPIC}.reasonTitle": "Title"}}},
        {"reason": Reason("", EPIC, "Title")},
    ),
    "an extension of somebody else": ({"overrideReason": {"extension": {"org.example": 1}}}, {"reason": None}),
    "G sandbox: a reason without system": (
        {"overrideReason": {"reason": {"code": "c"}}},
        {"reason": Reason("c", "", "")},
    ),
    "a reason that is displayed alone": (
        {"overrideReason": {"reason": {"display": "d"}}},
        {"reason": Reason("", "", "d")},
    ),
    "a comment alone": ({"overrideReason": {"userComment": "u"}}, {"reason": None, "comment": "u"}),
    "an empty reason": ({"overrideReason": {"reason": {}, "userComment": ""}}, {"reason": None, "comment": None}),
    "nulls": ({"overrideReason": None, "acceptedSuggestions": None, "outcomeTimestamp": None}, {"happened_at": None}),
    "a list of one reason": ({"overrideReason": [{"userComment": "u"}]}, {"comment": "u"}),
    "a list of no reason": ({"overrideReason": []}, {"reason": None}),
    "no timestamp": ({}, {"happened_at": None}),
    "a time with another zone": ({"outcomeTimestamp": "2026-11-25T11:30:00+01:00"}, {"happened_at": AT}),
    "a time without a zone is UTC": ({"outcomeTimestamp": "2026-11-25T10:30:00.000"}, {"happened_at": AT}),
    "a time without seconds": ({"outcomeTimestamp": "2026-11-25T10:30Z"}, {"happened_at": AT}),
    "a time in small letters": ({"outcomeTimestamp": "2026-11-25t10:30:00z"}, {"happened_at": AT}),
    "nanoseconds": (
        {"outcomeTimestamp": "2026-11-25T10:30:00.123456789Z"},
        {"happened_at": AT.replace(microsecond=123456)},
    ),
    "ids that are not UUIDs": ({"card": "eKx.9-B" * 20}, {"card": "eKx.9-B" * 20}),
    "one suggestion in place of a list": ({"acceptedSuggestions": {"id": "s"}}, {"suggestions": ("s",)}),
    "a suggestion named twice": ({"acceptedSuggestions": [{"id": "s"}, {"id": "s"}]}, {"suggestions": ("s",)}),
    "an unknown member": ({"extension": {"a": [1]}, "else": 1}, {}),
}


@pytest.mark.parametrize("name", LIBERAL)
def test_what_ehrs_send_beside_the_standard_is_read(name):
    members, read = LIBERAL[name]
    item = one(**members)
    assert {member: getattr(item, member) for member in read} == read


def test_accepted_without_suggestions_is_read():
    assert one(outcome="accepted").outcome == "accepted"


def test_one_object_in_place_of_a_list_is_read():
    assert parse({"feedback": ITEM}) == parse({"feedback": [ITEM]})


def test_no_feedback_is_no_error():
    assert parse({"feedback": []}) == []


REFUSED = {
    "a body that is not an object": ([ITEM], None, "object"),
    "no feedback": ({}, "feedback", "required"),
    "feedback that is text": ({"feedback": "x"}, "feedback", "list"),
    "an item that is text": ({"feedback": [ITEM, "x"]}, "feedback[1]", "object"),
    "no card": ({"feedback": [{"outcome": "accepted"}]}, "feedback[0].card", "required"),
    "an empty card": ({"feedback": [ITEM | {"card": ""}]}, "feedback[0].card", "required"),
    "a card that is a number": ({"feedback": [ITEM | {"card": 1}]}, "feedback[0].card", "text"),
    "a long card": ({"feedback": [ITEM | {"card": "c" * 201}]}, "feedback[0].card", "200"),
    "a card with a control character": ({"feedback": [ITEM | {"card": "c\0"}]}, "feedback[0].card", "printed"),
    "no outcome": ({"feedback": [{"card": "c"}]}, "feedback[0].outcome", "'accepted' or 'overridden'"),
    "another outcome": ({"feedback": [ITEM | {"outcome": "ignored"}]}, "feedback[0].outcome", "'accepted'"),
    "an outcome that is a list": ({"feedback": [ITEM | {"outcome": []}]}, "feedback[0].outcome", "'accepted'"),
    "a timestamp that is a number": (
        {"feedback": [ITEM | {"outcomeTimestamp": 1764066600}]},
        "feedback[0].outcomeTimestamp",
        "2026-11-25T10:00:00Z",
    ),
    "a day in place of a time": (
        {"feedback": [ITEM | {"outcomeTimestamp": "2026-11-25"}]},
        "feedback[0].outcomeTimestamp",
        "time",
    ),
    "a day that there is not": (
        {"feedback": [ITEM | {"outcomeTimestamp": "2026-02-30T10:00:00Z"}]},
        "feedback[0].outcomeTimestamp",
        "time",
    ),
    "a time before all times": (
        {"feedback": [ITEM | {"outcomeTimestamp": "0001-01-01T00:00:00+14:00"}]},
        "feedback[0].outcomeTimestamp",
        "time",
    ),
    "suggestions that are text": (
        {"feedback": [ITEM | {"acceptedSuggestions": "s"}]},
        "feedback[0].acceptedSuggestions",
        "list",
    ),
    "a suggestion without id": (
        {"feedback": [ITEM | {"acceptedSuggestions": [{"id": "s"}, {}]}]},
        "feedback[0].acceptedSuggestions[1].id",
        "required",
    ),
    "many suggestions": (
        {"feedback": [ITEM | {"acceptedSuggestions": [{"id": "s"}] * 21}]},
        "feedback[0].acceptedSuggestions",
        "20",
    ),
    "two reasons": (
        {"feedback": [ITEM | {"overrideReason": [{"userComment": "a"}, {"userComment": "b"}]}]},
        "feedback[0].overrideReason",
        "one",
    ),
    "a reason that is text": (
        {"feedback": [ITEM | {"overrideReasons": {"reason": "x"}}]},
        "feedback[0].overrideReasons.reason",
        "object",
    ),
    "a code that is a number": (
        {"feedback": [ITEM | {"overrideReason": {"reason": {"code": 4}}}]},
        "feedback[0].overrideReason.reason.code",
        "text",
    ),
    "a comment that is a list": (
        {"feedback": [ITEM | {"overrideReason": {"userComment": []}}]},
        "feedback[0].overrideReason.userComment",
        "text",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_a_400_that_names_the_place(name):
    body, place, words = REFUSED[name]
    error = refusal(body)
    assert (error.status, error.expression) == (400, place)
    assert words in error.sentence
    assert (place or "The body") in error.sentence


def test_the_largest_batch_is_read():
    assert len(parse({"feedback": [ITEM] * MOST_ITEMS})) == MOST_ITEMS


def test_more_items_than_one_request_may_hold_are_a_413_that_says_how_many():
    error = refusal({"feedback": [ITEM] * (MOST_ITEMS + 1)})
    assert (error.status, error.code, error.expression) == (413, "too-long", "feedback")
    assert "1000" in error.sentence


def test_a_long_comment_is_cut_with_a_mark():
    comment = one(overrideReason={"userComment": "x" * 5000}).comment
    assert comment == "x" * (LONGEST_COMMENT - len(CUT)) + CUT
    assert one(overrideReason={"userComment": "x" * LONGEST_COMMENT}).comment == "x" * LONGEST_COMMENT


def test_a_comment_loses_what_no_database_can_keep_and_keeps_its_lines():
    assert one(overrideReason={"userComment": "a\0b\nc\ud800"}).comment == "a\ufffdb\nc\ufffd"


def test_no_refusal_repeats_what_was_sent():
    secret = "Mrs-Canary-1951"
    bodies = [
        {"feedback": [ITEM | {member: value}]}
        for member in ("card", "outcome", "outcomeTimestamp", "acceptedSuggestions", "overrideReason")
        for value in (secret * 30, [secret], {secret: secret}, [{"id": [secret]}], [[secret]], {"reason": [secret]})
    ]
    refusals = [found for body in bodies if isinstance(found := outcome(body), RequestError)]
    assert len(refusals) >= 20
    assert all(secret not in f"{error} {error.expression}" for error in refusals)


def outcome(body: object) -> list[FeedbackItem] | RequestError:
    try:
        return parse(body)
    except RequestError as error:
        return error


MEMBERS = (
    "feedback",
    "card",
    "outcome",
    "acceptedSuggestions",
    "id",
    "overrideReason",
    "overrideReasons",
    "reason",
    "code",
    "system",
    "display",
    "userComment",
    "extension",
    "outcomeTimestamp",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.sampled_from(["accepted", "c"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_read_or_refused_with_400(value):
    members = value if isinstance(value, dict) else {"overrideReason": value}
    for body in (value, {"feedback": [{"card": "c", "outcome": "accepted"} | members]}):
        found = outcome(body)
        assert found.status == 400 if isinstance(found, RequestError) else all(item.card for item in found)
