"""What cannot be known is never read as silence: over charts made at random, more knowledge only ever settles more."""

from collections import Counter
from datetime import date, timedelta
from random import Random

import pytest

from cds_service.fhir.dates import days
from tests.random_charts import Json, records, truths
from tests.shipped import TODAY

CHARTS = 10_000
# The charts are shared out, so that several processes may take their part.
SHARES = 20
DATES = (
    *("onsetDateTime", "recordedDate", "abatementDateTime", "effectiveDateTime", "performedDateTime", "authoredOn"),
    "authored",
)


def unsettled(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple[str, str]]:
    """The criteria that came out otherwise, and not as unknown."""
    return {name: (before[name], now) for name, now in after.items() if now not in (before[name], "unknown")}


@pytest.mark.parametrize("share", range(SHARES))
def test_what_is_not_known_settles_nothing_and_what_is_known_more_closely_turns_nothing(share):
    """A source that fails and a record that cannot be read only ever make unknown; a date that is known more closely
    never turns what is settled. The three share the evaluation of each chart as it is."""
    random = Random(f"charts {share}")
    seen: dict[str, Counter[bool]] = {"failed": Counter(), "unread": Counter()}
    for _ in range(CHARTS // SHARES):
        chart = records(random)
        before = truths(chart)
        kind = random.choice([record["resourceType"] for record in chart[1:]])
        after = truths(chart, frozenset([kind]))
        assert unsettled(before, after) == {}, (kind, chart)
        seen["failed"][before != after] += 1
        place = random.randrange(1, len(chart))
        broken = spoiled(random, chart[place])
        after = truths([*chart[:place], broken, *chart[place + 1 :]])
        assert unsettled(before, after) == {}, (chart[place], broken, chart)
        seen["unread"][before != after] += 1
        if partial := dates_in_part(chart):
            place, name = random.choice(partial)
            refined = chart[place] | {name: closer(random, chart[place][name])}
            after = truths([*chart[:place], refined, *chart[place + 1 :]])
            turned = {key: (before[key], now) for key, now in after.items() if {before[key], now} == {"met", "not-met"}}
            assert turned == {}, (chart[place], refined, chart)
    assert all(counted[True] > counted[False] / 10 for counted in seen.values())


def dates_in_part(chart: list[Json]) -> list[tuple[int, str]]:
    """The place of each record with a date without its day or month, and the element."""
    return [
        (place, name)
        for place, record in enumerate(chart)
        for name in DATES
        if len(record.get(name, "2026-01-01")) < 10
    ]


def spoiled(random: Random, record: Json) -> Json:
    """The record in a shape in which it cannot be determined what it says."""
    if record["resourceType"] == "QuestionnaireResponse":
        return record | random.choice(
            (
                {"item": [{**item, "answer": [{"valueAttachment": {}}]} for item in record["item"]]},
                {"item": [item["linkId"] for item in record["item"]]},
                {"authored": random.choice((None, "in spring"))},
                {"implicitRules": "https://ehr.example/rules"},
            )
        )
    code = "medicationCodeableConcept" if record["resourceType"] == "MedicationRequest" else "code"
    return record | random.choice(
        (
            {code: {"coding": [{"system": "http://loinc.org", "code": 5}]}},
            {code: {"coding": "M46.46"}},
            {code: ["M46.46"]},
            {"modifierExtension": [{"url": "https://ehr.example/negated", "valueBoolean": True}]},
            {"implicitRules": "https://ehr.example/rules"},
        )
    )


def closer(random: Random, written: str) -> str:
    """A day that a partial date may mean; nothing on record happened after today."""
    span = days(written)
    last = min(span.last, TODAY)
    chosen: date = span.first + timedelta(days=random.randint(0, max(0, (last - span.first).days)))
    return chosen.isoformat()
