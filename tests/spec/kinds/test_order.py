"""The kind of fact `order`."""

from tests.spec.pieces import is_yes
from tests.spec.tables import Row, Table, held

ORDER = Table(
    "order",
    "Yes where a draft of the call carries a code of `codes` that is valid on the date of service, or its words; "
    "otherwise no. With `reason` in place of `codes`: yes where a draft is for a reason of that set, otherwise "
    "unknown.",
    {"coil-ordered": {"kind": "order", "title": "Old coil", "codes": "old-coil", "when_absent": "unknown"}},
    is_yes("coil-ordered"),
    (
        Row("ordered for the last day of the old meaning", {}, "met", {"service": "2025-12-31"}),
        Row("ordered for the day after", {}, "not-met", {"service": "2026-01-01"}),
        Row(
            "ordered in the old year for the new one",
            {},
            "not-met",
            {"date": "2025-12-30", "service": "2026-01-05"},
        ),
    ),
    sets={"old-coil": {"title": "Coil, old meaning", "codes": [{"code": "CPT|11111", "valid_until": "2025-12-31"}]}},
)
TABLES = (ORDER,)

test_rows = held(*TABLES)
