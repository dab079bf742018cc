"""An evidence page made ready to be shown: a kept page and its rule set put together, in words and US dates. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from cds_service.card import evidence_rows
from cds_service.fhir.free_text import capital
from cds_service.web.evidence_words import (
    ATTESTED_AS,
    ATTESTED_BY,
    CORRECT,
    CPT_NOTICE,
    LATER,
    NEEDED,
    NO_CODES,
    NO_DECISION,
    NOT_FOUND,
    NOT_RECEIVED,
    NOT_REVIEWED,
    NOTHING,
    RESOLVE,
    RESULTS,
    REVIEWED,
    SEEN,
    SEXES,
    SPEAKS,
    STATES,
    UNNAMED,
    UNSIGNED,
    Result,
)

Json = Mapping[str, Any]
_ISO = re.compile(r"\b((?:19|20)\d\d)-(0[1-9]|1[0-2])(?:-([0-2]\d|3[01]))?\b(?!-)")
_PERCENT = re.compile(r"(?<=\d) %")
_COUNTED = (evidence_rows.NOT_MET, evidence_rows.CONFLICT, evidence_rows.NOT_READ, evidence_rows.OPEN)
_FIRST = (evidence_rows.NOT_MET, evidence_rows.CONFLICT)


class CitedSource(NamedTuple):
    """Where a criterion comes from: the document and the place in it, what it says, its own words, how far verified."""

    title: str
    place: str
    says: str
    quote: str
    seen: str


class EvidenceRow(NamedTuple):
    """One criterion as it is shown."""

    title: str
    result: Result
    evidence: tuple[str, ...]
    against: tuple[str, ...]
    says: str
    to_do: str
    needed: str
    looked_for: tuple[str, ...]
    not_counted: tuple[str, ...]
    sources: tuple[CitedSource, ...]
    choice: str
    pending: bool
    is_first: bool


class RowGroup(NamedTuple):
    """The criteria under one heading, how many came out how, and what there is to say of all of them."""

    title: str
    notes: tuple[str, ...]
    counts: tuple[tuple[Result, int], ...]
    rows: tuple[EvidenceRow, ...]


def view(page: Json, part: Json) -> dict[str, Any]:
    """What the template shows of a page (``card.evidence_page``) and its rule set (``card.evidence_sources``)."""
    shown = _Shown(part)
    groups = [shown.group(group) for group in page["groups"]]
    payer = page["payer"]
    payer_rows, review_rows = shown.rows(payer["rows"]), shown.rows(page["review"]["rows"])
    first = [row for group in groups for row in group.rows if row.is_first]
    return {
        "summary": page["summary"],
        "card": page["card"],
        "made": page["made"],
        "expires": page["expires"],
        "patient": _patient(page["patient"]),
        "orders": [_order(item) for item in page["orders"]],
        "parts": page["parts"],
        "payers": page["payers"],
        "checklist": page["checklist"],
        "first": [*first, *(row for row in (*payer_rows, *review_rows) if row.is_first)],
        "groups": groups,
        "confirm": [
            (item["says"], [evidence_in_words(one) for one in item["evidence"]]) for item in page["review"]["confirm"]
        ],
        "review": review_rows,
        "payer": {
            "reason": us_dates(payer["reason"]),
            "truth": payer["truth"],
            "positions": [shown.position(item) for item in payer["positions"]],
            "more": payer["more"],
            "rows": payer_rows,
        },
        "codes": _codes(page["codes"], part["codes"]),
        "studies": [
            {**item, "speaks": SPEAKS[item["speaks"]], "source": shown.title(item["source"])}
            for item in part["studies"]
        ],
        "received": [_received(item) for item in page["received"]],
        "about": {"says": [*_about(part)], "limits": part["about"]["limits"]},
        "sources": list(part["sources"].values()),
        "changed": page["digest"] != part["digest"],
    }


class _Shown:
    """Rows of one page, with what its rule set says of them."""

    def __init__(self, part: Json) -> None:
        self._part = part

    def title(self, source: str) -> str:
        """What a document is called."""
        found = self._part["sources"].get(source)
        return str(found["title"]) if found else source

    def group(self, group: Json) -> RowGroup:
        """The criteria of one verdict."""
        rows = self.rows(group["rows"])
        notes = []
        if group["truth"] == "not-applicable":
            notes.append(f"Not applicable: {us_dates(group.get('reason', ''))}")
        elif not rows and group.get("reason"):
            notes.append(f"Not applied: {us_dates(group['reason'])}")
        if group.get("as_far_as"):
            notes.append(f"Met {group['as_far_as']}.")
        if group.get("above"):
            notes.append(f"{group['above']} more that are listed above count here too.")
        results = [row.result for row in rows]
        counts = tuple((result, results.count(result)) for result in dict.fromkeys(results))
        title = self._part["verdicts"].get(group["id"], group["id"])
        return RowGroup(title, tuple(notes), counts, rows)

    def rows(self, rows: Iterable[Json]) -> tuple[EvidenceRow, ...]:
        """Criteria as they are shown; one that the rule set has not any more is left as its id."""
        return tuple(self._row(row, self._part["criteria"].get(row["id"], {})) for row in rows)

    def _row(self, row: Json, criterion: Json) -> EvidenceRow:
        title = row.get("title") or criterion.get("title") or row["id"]
        needed = row.get("needed") or {}
        evidence = (
            *(evidence_in_words(item) for item in row.get("evidence", ())),
            *map(us_dates, row.get("despite", ())),
        )
        against = tuple(evidence_in_words(item) for item in row.get("against", ()))
        return EvidenceRow(
            title=f"{row['part']}: {title}" if row.get("part") else title,
            result=RESULTS[row["result"]],
            evidence=evidence,
            against=against,
            says=_says(row, bool(evidence or against)),
            to_do=RESOLVE if row["result"] == evidence_rows.CONFLICT else NEEDED if needed else "",
            needed=": ".join(filter(None, (needed.get("document"), needed.get("says")))) or CORRECT,
            looked_for=tuple(_looked_for(*item) for item in criterion.get("looked_for", ())),
            not_counted=tuple(f"{name}: {us_dates(why)}" for name, why in row.get("not_counted", ())),
            sources=tuple(self._cited(item) for item in criterion.get("sources", ())),
            choice=criterion.get("choice") or "",
            pending=bool(criterion.get("pending")),
            is_first=row["result"] in _FIRST or (row["result"] in _COUNTED and bool(against)),
        )

    def _cited(self, item: Json) -> CitedSource:
        return CitedSource(
            self.title(item["source"]), item["place"], item["says"], item["quote"] or "", SEEN.get(item["seen"], "")
        )

    def position(self, item: Json) -> dict[str, Any]:
        """What is on file of a payer."""
        payer = self._part["payers"].get(item.get("payer", ""), {})
        seen = us_dates(item.get("seen_in_force") or "")
        doubts = [us_dates(doubt) for doubt in item.get("doubts", ())]
        return {**payer, "name": item["name"], "doubts": doubts, "seen": seen, "is_known": bool(payer)}


def _says(row: Json, has_evidence: bool) -> str:
    """What is to be said of a criterion beside its evidence."""
    said = row.get("says", "")
    if not has_evidence and said == NOTHING:
        unread = row.get("unread")
        return NOT_RECEIVED.format(types=", ".join(unread)) if unread else NOT_FOUND
    return capital(us_dates(said)) if said else ""


def _looked_for(title: str, age: str) -> str:
    return f"{capital(title)} (any date)" if age == "no limit" else f"{capital(title)} ({age})"


def evidence_in_words(item: Json) -> str:
    """One thing on record in one line: what it is, its code, its value, its date, and who says so."""
    if "more" in item:
        return f"{item['more']} more in the chart, not listed here"
    by = item.get("attested")
    value = _PERCENT.sub("%", us_dates(item.get("value", "")))
    if by is not None:
        head = _attested(value, by)
    else:
        code = f" ({item['code']})" if item.get("code") else ""
        quote = f"“{item['quote']}”" if item.get("quote") else ""
        counted = f"{item['count']} {item['noun']}" if item.get("count") else ""
        head = ", ".join(filter(None, (capital(item.get("is", "")) + code, counted, value, quote)))
    remark = f"({us_dates(item['remark'])})" if item.get("remark") else ""
    return " ".join(filter(None, (", ".join(filter(None, (head, _when(item)))), remark)))


def _attested(value: str, by: Json) -> str:
    signer = UNSIGNED if by.get("by") in (None, UNNAMED) else by["by"]
    role = f" ({by['role']})" if by.get("role") else ""
    said = (ATTESTED_BY if value in ("", "yes") else ATTESTED_AS).format(value=value, by=f"{signer}{role}")
    beside = (
        by.get("observed") and f"observed {us_dates(by['observed'])}",
        by.get("basis") and f"based on {by['basis']}",
    )
    return ", ".join(filter(None, (said, *beside)))


def _when(item: Json) -> str:
    first, last = item.get("first", ""), item.get("date", "")
    if first and first != last:
        return f"{us_dates(first)} to {us_dates(last)}"
    return us_dates(last)


def _patient(patient: Json) -> str:
    ages = patient.get("age", [])
    age = " or ".join(map(str, ages)) if len(ages) < 3 else ""
    return ", ".join(filter(None, (SEXES.get(patient.get("sex", ""), ""), age))) or "not recorded"


def _order(order: Json) -> str:
    code = f"{order['system']} {order['code']}, " if order.get("code") else ""
    status = f" ({order['status']})" if order.get("status") else ""
    return f"{code}{order['label']}{status}"


def _codes(codes: Json, part: Json) -> dict[str, Any]:
    on = us_dates(codes["on"])
    acts = [
        (f"{act['system']} {act['code']}", act["label"], ", ".join(_doubts(act, codes["not_valid"], on)))
        for act in part["acts"]
    ]
    reasons = [
        (
            f"{row['system']} {row['code']}",
            row["label"],
            f"not billable; use {', '.join(row['leaves'])}" if row["leaves"] else "",
        )
        for row in codes["reasons"]
    ]
    line = capital(us_dates(part["line"]))
    return {
        "rows": [*acts, *reasons],
        "line": f"{NO_CODES} {line}" if codes["withheld"] else line,
        "notices": part["notices"],
    }


def _doubts(act: Json, not_valid: Iterable[str], on: str) -> Iterator[str]:
    if act["id"] in not_valid:
        yield f"not valid on {on}"
    if act["unverified"]:
        yield "code not verified"


def _about(part: Json) -> Iterator[str]:
    """What a reader must know of all of it, in sentences."""
    about = part["about"]
    yield NO_DECISION
    yield f"{part['title']}, version {part['edition']}."
    if about["pending"]:
        yield about["pending"]
    yield REVIEWED.format(by=about["checked_by"]) if about["checked_by"] else NOT_REVIEWED
    if about["later"]:
        yield LATER.format(title=about["later"]["title"], date=us_dates(about["later"]["date"]))
    yield CPT_NOTICE


def _received(item: Json) -> tuple[str, str, str]:
    """A type, how much of it came, and what did not count or why it did not come."""
    number = item["received"]
    came = f"{number} {STATES[item['state']]}" if number else STATES[item["state"]]
    if item["state"] == "whole" and not number:
        came = "none found"
    dropped = [f"{count} not counted: {why}" for why, count in item.get("dropped", ())]
    return capital(item["type"]), came, us_dates("; ".join((*filter(None, (item.get("why"),)), *dropped)))


def us_dates(text: str) -> str:
    """A text of ours with its ISO dates as MM/DD/YYYY, and months as MM/YYYY."""
    return _ISO.sub(lambda found: "/".join(filter(None, (found[2], found[3], found[1]))), text)
