"""The kind of fact `order`."""

from tests.spec.pieces import is_yes
from tests.spec.tables import Row, Table, held

ORDER = Table(
    "order",
    "Yes if a draft order of the call carries a code of `codes` that is valid on the date of service, or its words; "
    "otherwise no. With `reason` instead of `codes`: yes if a draft is for a reason in that set, otherwise unknown.",
    {"coil-ordered": {"kind": "order", "title": "Old coil", "codes": "old-coil", "when_absent": "unknown"}},
    is_yes("coil-ordered"),
    (
        Row("for the last day of the code's old meaning", {}, "met", {"service": "2025-12-31"}),
        Row("for the day after", {}, "not-met", {"service": "2026-01-01"}),
        Row(
            "ordered in the old year for a day in the new year",
            {},
            "not-met",
            {"date": "2025-12-30", "service": "2026-01-05"},
        ),
    ),
    sets={"old-coil": {"title": "Coil, old meaning", "codes": [{"code": "CPT|11111", "valid_until": "2025-12-31"}]}},
)
TABLES = (ORDER,)

test_rows = held(*TABLES)
