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
    },
    {
        "id": "rented",
        "title": "Rented",
        "orders": {"words": ["rented"], "unless_words": ["bought"]},
        "says": "replacement",
    },
]
AGAIN = {"order": "", "text": "Right knee replacement"}
PATHWAYS = Table(
    "pathways",
    "Orders and patients that the service does not evaluate, recognized by codes or words of the order or by a test. "
    "They get one card that says so; the first row that matches counts. `words` count beside the code or the name of "
    "the procedure, but not beside `unless_words`.",
    {"hum": HUM, "surgery": EXERCISE | {"title": "Knee replacement", "codes": "knee-surgery"}},
    is_yes("hum"),
    (
        Row("no pathway matches", answered(hum=True), "met"),
        Row(
            "replaced before",
            answered(hum=True) | exercise(FIRST_DAY, "surgery", procedure="CPT|27447"),
            "the pathway's card",
            expect={"pathway": "replaced"},
        ),
        Row("ordered in words", {}, "the pathway's card", AGAIN, expect={"pathway": "replaced"}),
        Row("a word beside its code", {}, "the pathway's card", {"text": "Coil, rented"}, expect={"pathway": "rented"}),
        Row("a word beside an unless-word", answered(hum=True), "met", {"text": "Coil, bought, once rented"}),
    ),
    more={"pathways": REPLACED},
    shows={"pathways": REPLACED},
)
TABLES = (PATHWAYS,)

test_rows = held(*TABLES)
