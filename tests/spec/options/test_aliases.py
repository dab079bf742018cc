"""The option `aliases` of facts."""

from tests.spec.pieces import BUZZ, HUM, answered, is_yes
from tests.spec.tables import Row, Table, held

ALIASES = Table(
    "aliases",
    "Other linkIds of the same finding. The finding counts once, no matter how often or under which linkId it was "
    "answered.",
    {"hum": HUM | {"aliases": ["murmur"]}, "buzz": BUZZ},
    {"of": [is_yes("hum"), is_yes("buzz")], "at_least": 2},
    (
        Row("one finding under both names", answered(hum=True, murmur=True), "unknown"),
        Row("the other name, and a second finding", answered(murmur=True, buzz=True), "met"),
    ),
    shows={"item": "hum", "aliases": ["murmur"]},
)
TABLES = (ALIASES,)

test_rows = held(*TABLES)
