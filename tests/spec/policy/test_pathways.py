"""The part `pathways` of policy.json."""

from tests.spec.pieces import EXERCISE, FIRST_DAY, HUM, answered, exercise, is_yes
from tests.spec.tables import Row, Table, held

REPLACED = [
    {
        "id": "replaced",
        "title": "Replacement",
        "orders": {"text": ["knee replacement"]},
        "when": is_yes("surgery"),
        "says": "replacement",
    }
]
AGAIN = {"order": "", "text": "Right knee replacement"}
PATHWAYS = Table(
    "pathways",
    "Orders and patients that go another way, known by codes or words of the order or by a test: they get one card "
    "that says so, and nothing is evaluated. The first row that matches counts.",
    {"hum": HUM, "surgery": EXERCISE | {"title": "Knee replacement", "codes": "knee-surgery"}},
    is_yes("hum"),
    (
        Row("nothing of the kind", answered(hum=True), "met"),
        Row(
            "replaced before",
            answered(hum=True) | exercise(FIRST_DAY, "surgery", procedure="CPT|27447"),
            "the pathway's card",
            expect={"pathway": "replaced"},
        ),
        Row("ordered by its words", {}, "the pathway's card", AGAIN, expect={"pathway": "replaced"}),
    ),
    more={"pathways": REPLACED},
    shows={"pathways": REPLACED},
)
TABLES = (PATHWAYS,)

test_rows = held(*TABLES)
