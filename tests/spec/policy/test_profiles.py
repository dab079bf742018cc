"""The part `profiles` of policy.json."""

from tests.spec.pieces import SCORE, score
from tests.spec.tables import CRITERION, Row, Table, held

BULLETIN_AND_UNSEEN = {
    "bulletin": {
        "title": "As a bulletin asks",
        "source": "primer",
        "parameters": {"least": 50},
        "all": [CRITERION],
        "next_review": "2027-01-01",
    },
    "unseen": {
        "title": "As an unseen rule asks",
        "source": "primer",
        "pending": "Its text was not available.",
        "next_review": "2027-01-01",
    },
}
PROFILES = Table(
    "profiles",
    "The rule of one other source: its own `parameters`, the tests that it `replaces`, and `all` of its criteria. A "
    "rule whose text was not available is `pending`: the service refuses it or reports unknown, with that reason.",
    {"function": SCORE},
    {"fact": "function", "at_least": "$least"},
    (
        Row("40, with the rule set's own number", score(40), "met"),
        Row(
            "40, with the bulletin's number",
            score(40),
            "not-met",
            expect={"criteria": {"asked@bulletin": "not-met"}},
            profile="bulletin",
        ),
        Row("a pending rule", score(40), "refused", expect={"refused": "was not available"}, profile="unseen"),
    ),
    more={
        "parameters": {"least": {"title": "Least", "value": 30, "source": "primer", "place": "page 2"}},
        "profiles": BULLETIN_AND_UNSEEN,
    },
    shows={"profiles": BULLETIN_AND_UNSEEN},
)
TABLES = (PROFILES,)

test_rows = held(*TABLES)
