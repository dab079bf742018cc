"""The self-checks by name, and what each one validates."""

from collections.abc import Mapping

# A failing check makes the service not ready, except those in WARNINGS and those that only degrade the service.
CHECKS: Mapping[str, str] = {
    "answers": "known-answer patients (the cases of the rule sets) get their answer over the whole path of a call; "
    "`cds-service check` says more",
    "discovery": "discovery is answered as at the start, and its templates can be resolved",
    "pages": "the pages that cards lead to are there",
    "metrics": "the numbers can be read",
    "clock": "the time is plausible, does not jump, and is the one on which calls are evaluated",
    "store": "the store can be written, is the file at its path, and (once a day) SQLite finds its pages whole",
    "audit": "the audit log can be written",
    "threads": "background tasks keep running",
    "policies": "rule sets, code packs and value sets on disk can still be loaded; `cds-service check` says why not",
    "changed": "the files on disk are those that were loaded; a restart would load others",
    "left-out": "every rule set folder was loaded at the start; only one that could not be loaded is left out",
    "silence": "each statement that orders asked for has given a card within CDS_SERVICE_SILENT_DAYS",
}
WARNINGS = frozenset({"changed", "left-out", "silence"})
# The service can answer without these; with trust on, it cannot validate tokens without the store.
DEGRADING = frozenset({"store", "threads"})
DEGRADING_WITH_TRUST = frozenset({"threads"})
PARTS_OF_READINESS = frozenset(CHECKS) - WARNINGS
