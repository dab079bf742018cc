"""The member `contrary` of criteria."""

from tests.spec.pieces import EXERCISE, HUM, answered, exercise, is_yes
from tests.spec.tables import Row, Table, also, held

AGAINST = {"fact": "exercised", "says": "whether it made the patient hoarse is not recorded", "source": "primer"}


def hums(*, date: str = "2026-03-01", by: str = "clinician", despite: str = "Procedure/exercise", why: str = "rested"):
    said = {"hum": True, "hum.despite": despite, "hum.despite-why": why}
    return {"form": {"answers": {name: text for name, text in said.items() if text}, "date": date, "by": by}}


def by_words():
    return {"exercise": {"procedure": "SNOMED CT|1", "text": "Knee exercise", "date": "2026-02-01"}}


CONTRARY = Table(
    "contrary",
    "Facts that contradict the criterion. While one is on record, no answer meets the criterion, whatever the dates, "
    "until a clinician answers despite that record (`ITEM.despite`) and says why (`ITEM.despite-why`). `says` states "
    "what is still not recorded, and `source` names the cited source that it concerns; set `own_reading` if that "
    "source does not name such records.",
    {"hum": HUM, "exercised": EXERCISE},
    is_yes("hum"),
    (
        Row("attested, nothing contrary", answered(hum=True), "met"),
        Row("attested, contrary record before", answered(hum=True) | exercise(), "unknown"),
        Row("attested, contrary record after", answered(hum=True) | exercise("2026-03-10"), "unknown"),
        Row("attested despite that record", hums() | exercise(), "met"),
        Row("despite that record, and a later one", hums() | exercise("2026-03-10"), "unknown"),
        Row("attested despite another record", hums(despite="Procedure/other") | exercise(), "unknown"),
        Row("attested no", answered(hum=False) | exercise(), "not-met"),
    ),
    shows={"contrary": [AGAINST | {"own_reading": True}]},
    beside={"contrary": [AGAINST]},
)
EDGES = also(
    CONTRARY.facts,
    CONTRARY.test,
    Row("despite it, without a reason", hums(why="") | exercise(), "unknown"),
    Row("despite it, by staff", hums(by="staff") | exercise(), "unknown"),
    Row("despite it, on the same day", hums(date="2026-02-01") | exercise(), "met"),
    Row("despite it, in the same month", hums(date="2026-02-15") | exercise("2026-02"), "unknown"),
    Row("despite one that has no date", hums() | exercise(None), "met"),
    Row("by words beside a code that is not listed", answered(hum=True) | by_words(), "unknown"),
    Row("despite words beside a code that is not listed", hums() | by_words(), "met"),
    Row("despite one of two", hums() | exercise() | exercise(name="second"), "unknown"),
    Row(
        "only on record",
        exercise(),
        "unknown",
        reason="whether it made the patient hoarse is not recorded",
    ),
    Row(
        "attested, and on record",
        answered(hum=True) | exercise(),
        "unknown",
        reason="record and attestation disagree",
    ),
    Row(
        "despite it, in words",
        hums() | exercise(),
        "met",
        reason="attested despite exercise (97110, 2026-02-01), a practitioner: rested",
    ),
    beside=CONTRARY.beside,
)
TABLES = (CONTRARY, EDGES)

test_rows = held(*TABLES)
