"""A Questionnaire filled in as a form filler does it (FHIR R4, QuestionnaireResponse): every item answered."""

from collections.abc import Iterator
from typing import Any

from cds_service.fhir.elements import Json

# One answer for each type of item.
ANSWERS: dict[str, Json] = {
    "boolean": {"valueBoolean": True},
    "decimal": {"valueDecimal": 1},
    "date": {"valueDate": "2025-01-10"},
    "string": {"valueString": "In words"},
    "reference": {"valueReference": {"reference": "DocumentReference/note", "display": "Clinic note"}},
    "open-choice": {"valueString": "physician"},
}
# Of what is answered with yes, nothing is said that goes with a no.
ONLY_FOR_A_NO = ".why-not"


def filled_in(parent: Json, answers: dict[str, Json] | None = None) -> list[Json]:
    """The items of a response to the items of a form; ``answers`` replaces what is answered to some (linkIds)."""
    return list(_items(parent, answers or {}))


def _items(parent: Json, answers: dict[str, Json]) -> Iterator[Json]:
    for item in parent.get("item", ()):
        link = item["linkId"]
        inner = list(_items(item, answers))
        if item["type"] == "group":
            yield {"linkId": link, "item": inner}
        elif item["type"] != "display" and not link.endswith(ONLY_FOR_A_NO):
            answer = answers.get(link) or _greatest(item) or ANSWERS[item["type"]]
            yield {"linkId": link, "answer": [answer | ({"item": inner} if inner else {})]}


def _greatest(item: Json) -> Json | None:
    """The greatest number that an item allows, where it says one."""
    ends = [found["valueDecimal"] for found in item.get("extension", ()) if found["url"].endswith("/maxValue")]
    return {"valueDecimal": ends[0]} if ends else None


def items(parent: Any) -> Iterator[Json]:
    """All items of a form, or of a response, those inside answers too."""
    for item in parent.get("item", ()):
        yield item
        yield from items(item)
        for answer in item.get("answer", ()):
            yield from items(answer)
