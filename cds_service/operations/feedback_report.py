"""Usage reports: accept and override rates by statement, by card outcome, and by reason; and the export for audits.

45 CFR 170.315(b)(11)(ii) asks for feedback in computable form with intervention, action taken, user feedback, user,
date and location: those are the columns of the export.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.hooks.feedback import ACCEPTED, OVERRIDDEN, CardsShown, DayRange, KeptFeedback
from cds_service.operations.aligned import aligned

UNKNOWN = "unknown"
NO_REASON, OTHER_REASON = "no reason given", "other reason"
OTHER_SUGGESTION = "other suggestion"
WORKBENCH_TITLE = "Feedback from the workbench's demo calls"
EXPORT_COLUMNS = ("intervention", "action_taken", "user_feedback", "user", "date", "location")
CSV_COLUMNS = ("table", "policy", "name", "shown", "answered", "accepted", "overridden", "accept_rate", "override_rate")
# A spreadsheet reads a cell with one of these first characters as a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(frozen=True, slots=True)
class Rates:
    """The counts and rates of one row of a table.

    ``shown`` is the number of cards shown in those days, None if unknown. ``answered`` is the number of different cards
    with feedback; each is either ``accepted`` or ``overridden``, by its newest feedback.
    """

    policy: str
    name: str
    shown: int | None
    answered: int
    accepted: int
    overridden: int

    @property
    def accept_rate(self) -> float | None:
        """The share of answered cards that were accepted, 0 to 1; None without feedback."""
        return _share(self.accepted, self.accepted + self.overridden)

    @property
    def override_rate(self) -> float | None:
        """The share of answered cards that were overridden, 0 to 1; None without feedback."""
        return _share(self.overridden, self.accepted + self.overridden)


@dataclass(frozen=True, slots=True)
class FeedbackReport:
    """The tables: rates by statement and by card outcome, override reasons, accepted suggestions.

    ``reasons`` and ``suggestions`` are (policy, name, number), the most frequent first. ``workbench`` marks a report of
    the workbench's demo calls.
    """

    days: DayRange
    policies: tuple[Rates, ...]
    outcomes: tuple[Rates, ...]
    reasons: tuple[tuple[str, str, int], ...]
    suggestions: tuple[tuple[str, str, int], ...]
    workbench: bool = False


# The label of a reason by code and system; None unless our cards offer it.
ReasonLabel = Callable[[str, str], str | None]


def report(
    days: DayRange,
    kept: Sequence[KeptFeedback],
    shown: Sequence[CardsShown],
    reason_label: ReasonLabel,
    *,
    workbench: bool = False,
) -> FeedbackReport:
    """Count the feedback of some days against the cards shown in them; ``kept`` is in time order.

    Each card counts once, by its newest feedback: a clinician may reconsider, and an EHR may send the same answer
    often. Feedback for an unknown card counts under the statement ``unknown``. Text that is not ours is counted but not
    shown: an unknown reason is ``other reason``, an unknown suggestion ``other suggestion``.
    """
    by_policy: Counter[tuple[str, ...]] = Counter()
    by_outcome: Counter[tuple[str, ...]] = Counter()
    for row in shown:
        by_policy[(row.policy,)] += row.cards
        by_outcome[(row.policy, row.card_outcome)] += row.cards
    newest = {(item.client, item.card): item for item in kept}
    answers = list(newest.values())
    overridden = [item for item in answers if item.outcome == OVERRIDDEN]
    # A clinician may accept several suggestions of a card, one after the other; each counts once.
    taken = dict.fromkeys(
        (item.client, item.card, item.policy or UNKNOWN, name)
        for item in kept
        if item.outcome == ACCEPTED and newest[item.client, item.card].outcome == ACCEPTED
        for name in (*item.suggestions, *[OTHER_SUGGESTION][: len(item.other_suggestions)])
    )
    return FeedbackReport(
        days,
        tuple(_rates(answers, lambda item: (item.policy or UNKNOWN,), by_policy)),
        tuple(_rates(answers, lambda item: (item.policy or UNKNOWN, item.card_outcome or UNKNOWN), by_outcome)),
        _counted((item.policy or UNKNOWN, _reason(item, reason_label)) for item in overridden),
        _counted((policy, name) for _, _, policy, name in taken),
        workbench,
    )


def _rates(
    kept: Sequence[KeptFeedback], key: Callable[[KeptFeedback], tuple[str, ...]], shown: Counter[tuple[str, ...]]
) -> Iterable[Rates]:
    groups: dict[tuple[str, ...], list[KeptFeedback]] = {name: [] for name in shown}
    for item in kept:
        groups.setdefault(key(item), []).append(item)
    for name, items in sorted(groups.items(), key=lambda group: (group[0][0] == UNKNOWN, group[0])):
        yield Rates(
            name[0],
            name[-1] if len(name) > 1 else "",
            None if name[0] == UNKNOWN else shown[name],
            len(items),
            sum(item.outcome == ACCEPTED for item in items),
            sum(item.outcome == OVERRIDDEN for item in items),
        )


def _counted(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str, int], ...]:
    counted = Counter(pairs)
    ordered = sorted(counted.items(), key=lambda item: (item[0][0] == UNKNOWN, item[0][0], -item[1], item[0][1]))
    return tuple((policy, name, number) for (policy, name), number in ordered)


def _reason(item: KeptFeedback, label: ReasonLabel) -> str:
    if item.reason is None:
        return OTHER_REASON if item.comment else NO_REASON
    return label(item.reason.code, item.reason.system) or OTHER_REASON


def table(found: FeedbackReport) -> str:
    """The report for a terminal, in aligned columns."""
    head = f"{title_of(found)}{_of_days(found.days)}"
    if not found.policies:
        return f"{head}: no card was shown and no feedback came."
    parts = [head, aligned(("statement", *_HEADS), [(row.policy, *_cells(row)) for row in found.policies])]
    parts.append("By what the card said")
    parts.append(
        aligned(("statement", "card", *_HEADS), [(row.policy, row.name, *_cells(row)) for row in found.outcomes])
    )
    for title, rows in (("Why cards were overridden", found.reasons), ("What was accepted", found.suggestions)):
        if rows:
            parts += [title, aligned(("statement", "", "times"), [(*row[:2], str(row[2])) for row in rows])]
    if any(row.policy == UNKNOWN for row in found.policies):
        parts.append(f"'{UNKNOWN}' is feedback for unknown cards: not ours, another client's, or shown long ago.")
    if not found.workbench:
        parts.append("The workbench's demo calls are left out; --workbench reports only them.")
    return "\n\n".join(parts)


def title_of(found: FeedbackReport) -> str:
    """The title: which feedback the report covers."""
    return WORKBENCH_TITLE if found.workbench else "Feedback from EHRs"


_HEADS = ("shown", "answered", "accepted", "overridden", "accept rate", "override rate")


def _cells(row: Rates) -> tuple[str, ...]:
    counts = ("-" if row.shown is None else str(row.shown), str(row.answered), str(row.accepted), str(row.overridden))
    return (*counts, percent(row.accept_rate), percent(row.override_rate))


def percent(share: float | None) -> str:
    """A share from 0 to 1 as a percentage; a dash for None."""
    return "-" if share is None else f"{100 * share:.1f}%"


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _of_days(days: DayRange) -> str:
    since = f" from {days.since}" if days.since else ""
    return f"{since} until {days.until}" if days.until else since


def as_csv(found: FeedbackReport) -> str:
    """The report as CSV (RFC 4180) with CSV_COLUMNS; rates from 0 to 1; ``table`` names the table of a row.

    A row of ``reason`` or ``suggestion`` has its number under ``overridden`` or ``accepted``.
    """
    rows: list[tuple[Any, ...]] = []
    for name, group in (("policy", found.policies), ("outcome", found.outcomes)):
        for row in group:
            counts = (row.shown, row.answered, row.accepted, row.overridden)
            rates = (_decimals(row.accept_rate), _decimals(row.override_rate))
            rows.append((name, row.policy, row.name, *counts, *rates))
    rows += [("reason", policy, name, "", "", "", number, "", "") for policy, name, number in found.reasons]
    rows += [("suggestion", policy, name, "", "", number, "", "", "") for policy, name, number in found.suggestions]
    return _csv(CSV_COLUMNS, rows)


def _decimals(share: float | None) -> str:
    return "" if share is None else f"{share:.4f}"


def export_rows(kept: Iterable[KeptFeedback]) -> list[dict[str, str]]:
    """One row with EXPORT_COLUMNS for each piece of feedback.

    CDS Hooks feedback has no user or location, so these two columns are empty. ``user_feedback`` has the user's own
    words, which may describe a patient.
    """
    return [
        dict(
            zip(
                EXPORT_COLUMNS,
                (_intervention(item), _action(item), _words(item), "", item.happened_at.isoformat(), ""),
                strict=True,
            )
        )
        for item in kept
    ]


def export_csv(kept: Iterable[KeptFeedback]) -> str:
    """The export as CSV; a cell that a spreadsheet would read as a formula starts with an apostrophe."""
    return _csv(EXPORT_COLUMNS, [tuple(row.values()) for row in export_rows(kept)])


def export_ndjson(kept: Iterable[KeptFeedback]) -> str:
    """The export as JSON, one object per line, all text unchanged."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in export_rows(kept))


def _intervention(item: KeptFeedback) -> str:
    if item.policy is None:
        return f"card {item.card} of an unknown statement"
    return f"card {item.card} of {item.policy}, edition {item.edition}: {item.card_outcome}"


def _action(item: KeptFeedback) -> str:
    taken = "; ".join([*item.suggestions, *item.other_suggestions])
    return f"{item.outcome}: {taken}" if taken else item.outcome


def _words(item: KeptFeedback) -> str:
    reason = item.reason
    coded = f" ({reason.system}|{reason.code})" if reason and reason.display and reason.code else ""
    said = f"{reason.display or reason.code}{coded}" if reason else ""
    return "; ".join(filter(None, (said, item.comment)))


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
