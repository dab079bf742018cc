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
DATES = ("onsetDateTime", "recordedDate", "abatementDateTime", "effectiveDateTime", "performedDateTime", "authoredOn")


def shared(share: int) -> Random:
    return Random(f"charts {share}")


def unsettled(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple[str, str]]:
    """The criteria that came out otherwise, and not as unknown."""
    return {name: (before[name], now) for name, now in after.items() if now not in (before[name], "unknown")}


@pytest.mark.parametrize("share", range(SHARES))
def test_a_source_that_fails_only_ever_makes_unknown(share):
    random, seen = shared(share), Counter()
    for _ in range(CHARTS // SHARES):
        chart = records(random)
        kind = random.choice([record["resourceType"] for record in chart[1:]])
        before, after = truths(chart), truths(chart, frozenset([kind]))
        assert unsettled(before, after) == {}, (kind, chart)
        seen[before != after] += 1
    assert seen[True] > seen[False] / 10


@pytest.mark.parametrize("share", range(SHARES))
def test_a_record_that_cannot_be_read_only_ever_makes_unknown(share):
    random, seen = shared(share), Counter()
    for _ in range(CHARTS // SHARES):
        chart = records(random)
        place = random.randrange(1, len(chart))
        broken = [*chart[:place], spoiled(random, chart[place]), *chart[place + 1 :]]
        before, after = truths(chart), truths(broken)
        assert unsettled(before, after) == {}, (chart[place], broken[place], chart)
        seen[before != after] += 1
    assert seen[True] > seen[False] / 10


def spoiled(random: Random, record: Json) -> Json:
    """The record in a shape in which it cannot be told what it says."""
    if record["resourceType"] == "QuestionnaireResponse":
        return record | {"item": [{**item, "answer": [{"valueAttachment": {}}]} for item in record["item"]]}
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


@pytest.mark.parametrize("share", range(SHARES))
def test_a_date_known_more_closely_never_turns_what_is_settled(share):
    random = shared(share)
    for _ in range(CHARTS // SHARES):
        chart = records(random)
        partial = [
            (place, name)
            for place, record in enumerate(chart)
            for name in (*DATES, "authored")
            if len(record.get(name, "2026-01-01")) < 10
        ]
        if not partial:
            continue
        place, name = random.choice(partial)
        refined = [*chart[:place], chart[place] | {name: closer(random, chart[place][name])}, *chart[place + 1 :]]
        before, after = truths(chart), truths(refined)
        turned = {key: (before[key], now) for key, now in after.items() if {before[key], now} == {"met", "not-met"}}
        assert turned == {}, (chart[place], refined[place], chart)


def closer(random: Random, written: str) -> str:
    """A day that a partial date may mean; nothing on record happened after today."""
    span = days(written)
    last = min(span.last, TODAY)
    chosen: date = span.first + timedelta(days=random.randint(0, max(0, (last - span.first).days)))
    return chosen.isoformat()
