"""The self-checks by name, and what each one validates."""

from collections.abc import Mapping

# A failing check makes the service not ready, except those in WARNINGS and those that only degrade the service.
CHECKS: Mapping[str, str] = {
    "answers": "known-answer patients (the cases of the rule sets) get the expected answer through the whole path of a "
    "call; `cds-service check` gives details",
    "discovery": "discovery gives the same answer as at start, and its templates can be resolved",
    "pages": "the pages that cards link to exist",
    "metrics": "the service can read its metrics",
    "clock": "the time is plausible, does not jump, and is the time as of which the service evaluates calls",
    "store": "the service can write to the store, the store is the file at its path, and (once a day) SQLite finds its "
    "pages intact",
    "audit": "the service can write to the audit log",
    "threads": "background tasks keep running",
    "policies": "rule sets, code packs and value sets on disk can still be loaded; if not, `cds-service check` says "
    "why",
    "changed": "the files on disk are the loaded files; if not, a restart would load different files",
    "left-out": "every rule set folder was loaded at start; the service leaves out only a folder that it could not "
    "load",
    "silence": "each statement with orders has shown a card within CDS_SERVICE_SILENT_DAYS",
}
WARNINGS = frozenset({"changed", "left-out", "silence"})
# The service can answer without these; with trust on, it cannot validate tokens without the store.
DEGRADING = frozenset({"store", "threads"})
DEGRADING_WITH_TRUST = frozenset({"threads"})
PARTS_OF_READINESS = frozenset(CHECKS) - WARNINGS
