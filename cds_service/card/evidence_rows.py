"""The rows of an evidence page: each criterion's result, evidence, needs, and records that did not count."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from cds_service.card.markdown import one_line
from cds_service.card.patient_words import Nameless
from cds_service.card.words.page import not_listed
from cds_service.facts.attesters import NO_ROLE
from cds_service.facts.evaluated import DOES_NOT_APPLY, WAIVED
from cds_service.facts.evidence import Attested, Evidence
from cds_service.facts.logic import Truth
from cds_service.facts.words.fact import ONE_DAY
from cds_service.fhir.types import TYPES
from cds_service.verdicts.criteria import Finding

Json = dict[str, Any]
# (document, what it must say)
Need = tuple[str, str]

NOT_MET, CONFLICT, OPEN, NOT_READ = "not-met", "conflict", "open", "not-read"
MET, ATTESTED, WAIVED_ROW, NOT_APPLICABLE = "met", "attested", "waived", "not-applicable"
# Results that need action come first.
ORDER = (NOT_MET, CONFLICT, NOT_READ, OPEN, MET, ATTESTED, WAIVED_ROW, NOT_APPLICABLE)
MOST_EVIDENCE = 12
MOST_NOT_COUNTED = 6
MOST_REFERENCES = 24
LONGEST_TEXT = 300
LONGEST_READ = 3000


def result_of(finding: Finding) -> str:
    """The result of a criterion, one of ORDER."""
    if finding.truth is Truth.NOT_MET:
        return NOT_MET
    if finding.truth is Truth.MET:
        by_hand = ATTESTED if finding.by_attestation else MET
        return {WAIVED: WAIVED_ROW, DOES_NOT_APPLY: NOT_APPLICABLE}.get(finding.manner, by_hand)
    if finding.conflict or ONE_DAY in finding.beside.split("; "):
        return CONFLICT
    return NOT_READ if finding.unread else OPEN


def said(text: str, nameless: Nameless, longest: int = LONGEST_TEXT) -> str:
    """The chart's own words on one line, without names of the patient or invisible characters."""
    # Cut only after removing names: a truncated name would not be found.
    read = one_line(text, LONGEST_READ)
    nobodys = nameless(read)
    return read if nobodys is read and len(read) <= longest else one_line(nobodys, longest)


def _references(records: Sequence[Evidence]) -> list[str]:
    """The references of records, each once, at most MOST_REFERENCES."""
    return list(dict.fromkeys(item.reference for item in records if item.reference))[:MOST_REFERENCES]


class Rows:
    """Makes the rows of one page.

    ``needs`` are by the keys of findings; without one, the rule set's own words apply. With ``apart``, a row names the
    part that it was evaluated for. With ``references``, evidence carries the references of its records.
    """

    def __init__(self, nameless: Nameless, needs: Mapping[str, Need], *, apart: bool, references: bool = False) -> None:
        self._nameless, self._needs, self._apart, self._references = nameless, needs, apart, references
        # Many rows have the same words.
        self._said: dict[str, str] = {}

    def of(self, findings: Iterable[Finding]) -> list[Json]:
        """The rows, those that need action first."""
        return sorted(map(self._row, findings), key=lambda row: ORDER.index(row["result"]))

    def _row(self, finding: Finding) -> Json:
        criterion, result = finding.criterion, result_of(finding)
        part = finding.part.label if finding.part and self._apart else None
        row = {
            "id": criterion.key,
            "part": part,
            "result": result,
            "evidence": self._listed(finding.evidence),
            "against": self._listed(item for item in finding.contrary if item not in finding.evidence),
            "despite": [self._safe(item.in_words(self._safe)) for item in islice(finding.answered, MOST_EVIDENCE)],
            "says": self._safe(finding.reason if finding.truth is not Truth.MET else finding.beside),
            "unread": [TYPES[name].called for name in finding.unread],
            "needed": self._need(finding) if result in (OPEN, NOT_READ) else None,
            "not_counted": self._not_counted(finding),
        }
        return {name: value for name, value in row.items() if value}

    def _need(self, finding: Finding) -> Json:
        document, says = self._needs.get(finding.key) or ("", finding.needs or finding.criterion.settled_by)
        return {"document": document, "says": self._safe(says)} if document else {"says": says}

    def _not_counted(self, finding: Finding) -> list[list[str]]:
        """The relevant records that do not count, at most MOST_NOT_COUNTED, each with the reason."""
        refused = finding.not_counted
        listed = [[self._safe(item.display), self._safe(item.why)] for item in refused[:MOST_NOT_COUNTED]]
        more = len(refused) - MOST_NOT_COUNTED
        return [*listed, not_listed(more)] if more > 0 else listed

    def _listed(self, evidence: Iterable[Evidence]) -> list[Json]:
        """The evidence, each item once, at most MOST_EVIDENCE.

        Countable events share a line with their first and last day.
        """
        shown: dict[str, Json] = {}
        counted: dict[tuple[tuple[str, str], str, str | None], list[Evidence]] = {}
        for item in evidence:
            if item.noun:
                counted.setdefault((item.noun, item.display, item.code), []).append(item)
            else:
                shown.setdefault(repr(item[1:]), self.evidence(item))
        found = [*shown.values(), *(self._events(events) for events in counted.values())]
        more = len(found) - MOST_EVIDENCE
        return [*found[:MOST_EVIDENCE], {"more": more}] if more > 0 else found

    def _events(self, events: Sequence[Evidence]) -> Json:
        """Several records of one day are one event, because a session is billed in several lines."""
        days = sorted({item.date for item in events if item.date})
        noun = events[0].noun or ("", "")
        number = len(days) + sum(not item.date for item in events)
        said = self.evidence(events[0]._replace(date=None, noun=None))
        spans = {"first": self._nameless.date(days[0]), "date": self._nameless.date(days[-1])} if days else {}
        named = {"references": _references(events)} if self._references else {}
        return said | {"count": number, "noun": noun[number != 1]} | spans | named

    def evidence(self, item: Evidence) -> Json:
        """One piece of evidence: what it is, its value, date and code; for an answer, also who gave it."""
        said = {
            "is": self._safe(item.display) if item.attested is None else None,
            "code": item.code and self._safe(item.code),
            "value": item.value and self._safe(item.value),
            "date": self._nameless.date(item.date),
            "remark": item.remark and self._safe(item.remark),
            "quote": self._safe(item.quote),
            "attested": self._who(item.attested) if item.attested else None,
            "references": _references([item]) if self._references else None,
        }
        return {name: value for name, value in said.items() if value}

    def _who(self, by: Attested) -> Json:
        said = {
            "by": self._safe(by.by),
            "role": self._safe(by.role) if by.role not in (NO_ROLE, by.by) else "",
            "observed": by.observed,
            "basis": self._safe(by.basis),
        }
        return {name: value for name, value in said.items() if value}

    def _safe(self, text: str) -> str:
        if text not in self._said:
            self._said[text] = said(text, self._nameless)
        return self._said[text]
