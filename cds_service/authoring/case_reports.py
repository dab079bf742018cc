"""Why a criterion or a verdict has its result, in the terms of the author's own case."""

from collections.abc import Iterable

from cds_service.facts.evidence import Evidence
from cds_service.facts.logic import Truth
from cds_service.verdicts.criteria import Finding

MOST_NAMED = 6


def of_finding(finding: Finding) -> str:
    """The reason for a finding and the items of the case that support it: ``, because …; it rests on …``."""
    because = f", because: {finding.reason}" if finding.reason else ""
    rests = [_item(evidence) for evidence in (*finding.evidence, *finding.contrary)]
    return because + (f"; it rests on {_some(rests)}" if rests else "; no record bears on it")


def of_findings(findings: Iterable[Finding]) -> str:
    """The criteria that keep a verdict from being met; "" if there are none or the verdict is met."""
    open_ones = [f"{finding.key} is {finding.truth.value}" for finding in findings if finding.truth is not Truth.MET]
    return f", because: {_some(open_ones)}" if open_ones else ""


def _item(evidence: Evidence) -> str:
    """An item by its name in the case, with its content and date."""
    said = " ".join(part for part in (evidence.display, evidence.value, evidence.date) if part)
    return f"'{evidence.reference.rpartition('/')[2]}' ({said})"


def _some(parts: list[str]) -> str:
    named = list(dict.fromkeys(parts))
    hidden = len(named) - MOST_NAMED
    return ", ".join(named[:MOST_NAMED]) + (f" and {hidden} more" if hidden > 0 else "")
