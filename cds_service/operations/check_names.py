"""The checks by name, and what each looks at."""

from collections.abc import Mapping

# What each check looks at. A check that fails makes the service not ready, except those of WARNINGS and those that
# only degrade it.
CHECKS: Mapping[str, str] = {
    "answers": "patients whose answer is known (the cases of the rule sets) get it, over the whole way of a call; "
    "`cds-service check` tells more",
    "discovery": "discovery is answered as at the start, and its templates can be resolved",
    "pages": "the pages that cards lead to are there",
    "metrics": "the numbers can be read",
    "clock": "the time is possible, does not jump, and is that on which calls are evaluated",
    "store": "the store can be written, is the file at its path, and (once a day) SQLite finds its pages whole",
    "audit": "the audit log can be written",
    "threads": "what runs beside the calls goes on",
    "policies": "rule sets, code packs and value sets on disk can still be loaded; `cds-service check` tells why not",
    "changed": "the files on disk are those that were loaded; a restart would load others",
    "left-out": "every rule set folder was loaded at the start; one that could not be is left out alone",
    "silence": "each statement that orders asked for has given a card within CDS_SERVICE_SILENT_DAYS",
}
WARNINGS = frozenset({"changed", "left-out", "silence"})
# Cards are answered without these; with trust on no token can be checked without the store.
DEGRADING = frozenset({"store", "threads"})
DEGRADING_WITH_TRUST = frozenset({"threads"})
PARTS_OF_READINESS = frozenset(CHECKS) - WARNINGS
