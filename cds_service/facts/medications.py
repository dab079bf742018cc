"""Merges the records of one drug into one line: how many, since when, and why the drug was stopped."""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from cds_service.chart.records import Match
from cds_service.facts.evidence import Evidence
from cds_service.fhir.dates import days
from cds_service.fhir.elements import concept_label, list_of
from cds_service.policy.drugs import together

# Show at most this many characters of a reason that somebody typed.
LONGEST_REASON = 80


class DrugRecord(NamedTuple):
    """One record of a drug that counts: its match, its date as text ("" if it has none), its evidence."""

    match: Match
    when: str
    evidence: Evidence


def merged(records: list[DrugRecord]) -> list[tuple[str, Evidence]]:
    """(date, evidence) of each drug, from its newest record; the words say how many records there are and since when.

    The recorded reason for stopping is beside the drug: it shows that the drug failed, and settles nothing.
    """
    by_drug: dict[str, list[DrugRecord]] = {}
    for record in records:
        by_drug.setdefault(_drug(record.match), []).append(record)
    return [_one_line(drug, of_drug) for drug, of_drug in by_drug.items()]


def _drug(match: Match) -> str:
    if match.code is not None:
        return match.code.label
    return together(match.drugs) or match.text


def _one_line(drug: str, records: list[DrugRecord]) -> tuple[str, Evidence]:
    # Use the record that may be the newest, so that an answer despite an older record does not remove it.
    newest = max(records, key=lambda record: (_last_day(record.when), record.when, record.evidence.reference))
    said = [_called(drug, newest.match) or newest.evidence.display]
    dates = sorted(record.when for record in records if record.when)
    if len(records) > 1:
        since = f" since {dates[0]}" if dates and dates[0] != newest.when else ""
        said.append(f"{len(records)} records{since}")
    stopped = list(
        dict.fromkeys(reason for record in records if (reason := _why_stopped(record.match.record.resource)))
    )
    said += [f"stopped: {reason}" for reason in stopped[:2]]
    return newest.when, newest.evidence._replace(display=", ".join(said))


def _last_day(when: str) -> date:
    """The last possible day of a record; an undated record counts as the oldest."""
    return days(when).last if when else date.min


def _called(drug: str, match: Match) -> str:
    """The name of a drug in the chart's words, after its ingredients if the words do not name them; "" if it has our
    own label."""
    if match.code is not None or not match.drugs:
        return ""
    text = match.text.casefold()
    return match.text if all(name in text for name in match.drugs) else f"{drug}: {match.text}"


def _why_stopped(resource: Mapping[str, Any]) -> str:
    """Why a drug was stopped, as written (FHIR R4, statusReason)."""
    reasons = [concept_label(concept) for concept in list_of(resource.get("statusReason"))]
    return ", ".join(filter(None, reasons))[:LONGEST_REASON]
