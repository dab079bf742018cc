"""The output of ``cds-service audit affected``: the calls found, as a table or JSON, and how they were found."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.commands.affected import CardReading, CheckedCall, Question
from cds_service.operations.aligned import aligned

EVALUATED, SELECTED = "evaluated", "selected"
NO_CARD = "no card"
# Enough of a hash to distinguish patients in a table; --json prints the whole hash.
SHOWN_OF_HASH = 16
_HEADS = ("time", "client", "patient", "card", "criterion then", "now", "outcome then", "now", "found by")


class AffectedReport:
    """Collects the checked calls; ``patient_ids`` maps a sealed patient id to the EHR's own."""

    def __init__(self, question: Question, patient_ids: Mapping[str, str]) -> None:
        self._question, self._ids = question, patient_ids
        self._found: list[CheckedCall] = []
        self._unchanged = 0

    def add(self, checked: CheckedCall) -> None:
        """Counts one call, and keeps the call if its card would read differently."""
        if checked.is_affected:
            self._found.append(checked)
        else:
            self._unchanged += 1

    def as_json(self) -> Iterator[str]:
        """One JSON object for each call found, in the order of the log."""
        for item in self._found:
            yield json.dumps(self._row(item), ensure_ascii=False)

    def as_table(self) -> Iterator[str]:
        """The calls found, as one table for a terminal; nothing if there are none."""
        if self._found:
            yield aligned(_HEADS, [self._cells(item) for item in self._found])

    def summary(self) -> str:
        """The number of calls found, and how."""
        evaluated = sum(item.evaluated for item in self._found)
        selected = len(self._found) - evaluated
        policy = self._question.policy
        return (
            f"Rule set {policy.id}, version {policy.edition}, digest {policy.digest[:12]}; "
            f"criterion {self._question.criterion}.\n"
            f"Evaluated again: {evaluated + self._unchanged}; of these {evaluated} read otherwise now.\n"
            f"Not evaluated again, selected from the audit line: {selected}."
        )

    def _row(self, item: CheckedCall) -> dict[str, Any]:
        line = item.line
        sealed = str(line.get("patient"))
        named = {"patientId": self._ids[sealed]} if sealed in self._ids else {}
        return {
            **{name: line.get(name) for name in ("time", "id", "request", "client", "service", "hook", "today")},
            "patient": line.get("patient"),
            **named,
            "foundBy": _found_by(item),
            "then": _as_json(item.then),
            "now": _as_json(item.now),
        }

    def _cells(self, item: CheckedCall) -> tuple[str, ...]:
        sealed = str(item.line.get("patient"))
        return (
            str(item.line.get("time"))[:16],
            str(item.line.get("client")),
            self._ids.get(sealed, sealed[:SHOWN_OF_HASH]),
            item.then.card if item.then else NO_CARD,
            _truths(item.then),
            _truths(item.now) if item.evaluated else "?",
            item.then.outcome if item.then else NO_CARD,
            (item.now.outcome if item.now else NO_CARD) if item.evaluated else "?",
            _found_by(item),
        )


def _found_by(item: CheckedCall) -> str:
    return EVALUATED if item.evaluated else SELECTED


def _truths(reading: CardReading | None) -> str:
    """The criterion's result, or its result for each part if these differ."""
    if reading is None:
        return NO_CARD
    if len(set(reading.truths.values())) == 1:
        return next(iter(reading.truths.values()))
    return ", ".join(f"{key.partition(' ')[2] or key} {truth}" for key, truth in reading.truths.items()) or "-"


def _as_json(reading: CardReading | None) -> dict[str, Any] | None:
    if reading is None:
        return None
    return {
        "policy": reading.policy,
        "edition": reading.edition,
        "digest": reading.digest,
        "outcome": reading.outcome,
        "verdicts": dict(reading.verdicts),
        "criteria": dict(reading.truths),
        "card": reading.card,
    }
