"""The template values of an evidence page: the stored page combined with its rule set, in words and US dates. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from cds_service.card import evidence_rows
from cds_service.card.style import DEFAULT_STYLE, with_units
from cds_service.facts.kind import NO_LIMIT
from cds_service.fhir.sentence_case import capital
from cds_service.web import evidence_words as words
from cds_service.web.evidence_words import RESULTS, WORDS, Result

Json = Mapping[str, Any]
_COUNTED = (evidence_rows.NOT_MET, evidence_rows.CONFLICT, evidence_rows.NOT_READ, evidence_rows.OPEN)
_FIRST = (evidence_rows.NOT_MET, evidence_rows.CONFLICT)
us_dates = DEFAULT_STYLE.date


class EvidenceRow(NamedTuple):
    """One criterion as shown.

    ``lines`` are the chart's evidence and what to do, each a label (or "") and a text. ``checked`` lists the search and
    the records that did not count; ``wording`` quotes the sources; ``first`` is why to resolve the criterion first, or
    "".
    """

    title: str
    result: Result
    lines: tuple[tuple[str, str], ...]
    checked: tuple[str, ...]
    wording: tuple[str, ...]
    first: str


class RowGroup(NamedTuple):
    """The criteria under one heading, their counts by result, and notes on all of them."""

    title: str
    notes: tuple[str, ...]
    counts: tuple[tuple[Result, int], ...]
    rows: tuple[EvidenceRow, ...]


def view(page: Json, part: Json) -> dict[str, Any]:
    """The template values for a page (``card.evidence_page``) and its rule set (``card.evidence_sources``)."""
    shown = _Shown(part)
    groups = [shown.group(group) for group in page["groups"]]
    payer_rows, review_rows = shown.rows(page["payer"]["rows"]), shown.rows(page["review"]["rows"])
    rows = (*(row for group in groups for row in group.rows), *payer_rows, *review_rows)
    return {
        "words": WORDS,
        "summary": page["summary"],
        "card": page["card"],
        "made": page["made"],
        "expires": page["expires"],
        "day": us_dates(page["day"]),
        "patient": _patient(page["patient"]),
        "orders": orders_in_words(page),
        "parts": ", ".join(page["parts"]),
        "payers": "; ".join(page["payers"]) or words.NOT_RECORDED,
        "checklist": page["checklist"],
        "first": [(row.title, row.result.word.lower(), row.first) for row in rows if row.first],
        "groups": groups,
        "confirm": [*map(_confirm, page["review"]["confirm"])],
        "review": review_rows,
        "note": part["note"],
        "payer": [*shown.payer(page["payer"])],
        "clauses": payer_rows,
        "codes": _codes(page["codes"], part["codes"]),
        "evidence": part["evidence"],
        "studies": [
            (words.SPEAKS[item["speaks"]], item["finding"], f"{item['limits']} ({shown.title(item['source'])})")
            for item in part["studies"]
        ],
        "attested_alone": sum(is_without_document(row) for group in page["groups"] for row in group["rows"]),
        "received": [_received(item) for item in page["received"]],
        "about": " ".join(_about(part)),
        "limits": part["about"]["limits"],
        "sources": [
            (item["title"], words.cited(item["citation"], item["seen"]), item["url"])
            for item in part["sources"].values()
        ],
        "changed": page["digest"] != part["digest"],
    }


def orders_in_words(page: Json) -> str:
    """The orders of a page, each with its code and status."""
    return "; ".join(map(_order, page["orders"]))


def sources_in_words(part: Json, criterion: Json) -> list[str]:
    """What the sources of a criterion say, each with its place, followed by our reading."""
    return [*_Shown(part).wording(criterion)]


class _Shown:
    """The rows of one page, with the words of its rule set."""

    def __init__(self, part: Json) -> None:
        self._part = part

    def title(self, source: str) -> str:
        """The title of a document, or its id if unknown."""
        found = self._part["sources"].get(source)
        return str(found["title"]) if found else source

    def group(self, group: Json) -> RowGroup:
        """The criteria of one verdict."""
        rows = self.rows(group["rows"])
        notes = []
        if group["truth"] == "not-applicable":
            notes.append(words.not_applicable(us_dates(group.get("reason", ""))))
        elif not rows and group.get("reason"):
            notes.append(words.not_applied(us_dates(group["reason"])))
        if group.get("as_far_as"):
            notes.append(words.met_as_far(group["as_far_as"]))
        if group.get("above"):
            notes.append(words.counted_above(group["above"]))
        results = [row.result for row in rows]
        counts = tuple((result, results.count(result)) for result in dict.fromkeys(results))
        title = self._part["verdicts"].get(group["id"], group["id"])
        return RowGroup(title, tuple(notes), counts, rows)

    def rows(self, rows: Iterable[Json]) -> tuple[EvidenceRow, ...]:
        """Criteria as shown; a criterion that the rule set no longer has appears as its id."""
        return tuple(self._row(row, self._part["criteria"].get(row["id"], {})) for row in rows)

    def _row(self, row: Json, criterion: Json) -> EvidenceRow:
        title = criterion.get("title") or row["id"]
        evidence = (
            *(evidence_in_words(item) for item in row.get("evidence", ())),
            *map(us_dates, row.get("despite", ())),
        )
        against = tuple(evidence_in_words(item) for item in row.get("against", ()))
        says = _says(row, bool(evidence or against))
        pressing = row["result"] in _FIRST or (row["result"] in _COUNTED and bool(against))
        return EvidenceRow(
            title=f"{row['part']}: {title}" if row.get("part") else title,
            result=RESULTS[row["result"]],
            lines=(
                *(("", text) for text in evidence),
                *((WORDS["against"], text) for text in against),
                *((("", says),) if says else ()),
                *_to_do(row),
            ),
            checked=tuple(_checked(row, criterion, title)),
            wording=tuple(self.wording(criterion)),
            first=("; ".join((*evidence, *against)) or says) if pressing else "",
        )

    def wording(self, criterion: Json) -> Iterator[str]:
        """Each source with its place and text, verbatim text in quotation marks, followed by our reading."""
        for item in criterion.get("sources", ()):
            place = item["place"]
            place = place if place[:2].isupper() else place.lower()
            says = f"“{item['quote']}”" if item["quote"] else item["says"]
            yield words.wording(self.title(item["source"]), place, says, item["seen"])
        if criterion.get("choice"):
            yield words.our_reading(criterion["choice"])

    def payer(self, payer: Json) -> Iterator[tuple[str, str]]:
        """Each payer's name and its policy on file; or why nothing is known."""
        for item in payer["positions"]:
            yield item["name"], self._position(item)
        if not payer["positions"]:
            yield "", f"{us_dates(payer['reason'])}."
        if payer["more"]:
            yield "", words.more_payers(payer["more"])

    def _position(self, item: Json) -> str:
        known = self._part["payers"].get(item.get("payer", ""))
        if known is None:
            return words.NO_PAYER_POLICY
        seen, doubts = us_dates(item.get("seen_in_force") or ""), us_dates("; ".join(item.get("doubts", ())))
        return words.payer(known["document"], seen, known["background"], doubts)


def is_without_document(row: Json) -> bool:
    """Whether a criterion is met only by attestation, without a document that supports it."""
    attested = [item["attested"] for item in row.get("evidence", ()) if "attested" in item]
    return row["result"] == evidence_rows.ATTESTED and not any(by.get("basis") for by in attested)


def _to_do(row: Json) -> Iterator[tuple[str, str]]:
    """What to do about a criterion, with its label."""
    needed = row.get("needed")
    if row["result"] == evidence_rows.CONFLICT:
        yield words.RESOLVE, words.CORRECT
    elif needed:
        yield words.NEEDED, ": ".join(filter(None, (needed.get("document"), needed.get("says"))))


def _checked(row: Json, criterion: Json, title: str) -> Iterator[str]:
    """The criterion's full question if its title is shorter, the search, and the records that did not count."""
    looked_for = criterion.get("looked_for", ())
    if criterion.get("asks", title) not in (title, *(name for name, _ in looked_for)):
        yield criterion["asks"]
    yield from (_looked_for(*item) for item in looked_for)
    yield from (words.not_counted(name, us_dates(why)) for name, why in row.get("not_counted", ()))


def _says(row: Json, has_evidence: bool) -> str:
    """The text about a criterion in addition to its evidence."""
    said = row.get("says", "")
    if not has_evidence and said == words.NOTHING:
        unread = row.get("unread")
        return words.not_received(", ".join(unread)) if unread else words.NOT_FOUND
    return capital(us_dates(said)) if said else ""


def _looked_for(title: str, age: str) -> str:
    return words.looked_for(capital(title), "" if age == NO_LIMIT else age)


def evidence_in_words(item: Json) -> str:
    """One piece of evidence in one line: what it is, its code, value, date, and author."""
    if "more" in item:
        return words.more_in_chart(item["more"])
    by = item.get("attested")
    value = with_units(us_dates(item.get("value", "")))
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
    signer = words.UNSIGNED if by.get("by") in (None, words.UNNAMED) else by["by"]
    beside = (
        by.get("observed") and words.observed(us_dates(by["observed"])),
        by.get("basis") and words.based_on(by["basis"]),
    )
    return ", ".join(filter(None, (words.attested(value, signer, by.get("role", "")), *beside)))


def _when(item: Json) -> str:
    first, last = item.get("first", ""), item.get("date", "")
    if first and first != last:
        return words.days(us_dates(first), us_dates(last))
    return us_dates(last)


def _patient(patient: Json) -> str:
    ages = patient.get("age", [])
    age = words.ages(ages) if len(ages) < 3 else ""
    return ", ".join(filter(None, (words.SEXES.get(patient.get("sex", ""), ""), age))) or words.NOT_RECORDED


def _order(order: Json) -> str:
    code = f"{order['system']} {order['code']}, " if order.get("code") else ""
    status = f" ({order['status']})" if order.get("status") else ""
    return f"{code}{order['label']}{status}"


def _confirm(item: Json) -> str:
    found = "; ".join(evidence_in_words(one) for one in item["evidence"])
    return f"{capital(item['says'])}: {found}" if found else capital(item["says"])


def _codes(codes: Json, part: Json) -> dict[str, Any]:
    """Each code with its label, and the notes on the codes."""
    on = us_dates(codes["on"])
    rows = [
        (f"{act['system']} {act['code']}", " ".join(filter(None, (act["label"], _doubts(act, codes["not_valid"], on)))))
        for act in part["acts"]
    ]
    rows += [(f"{row['system']} {row['code']}", row["label"]) for row in codes["reasons"]]
    said = (
        words.NO_CODES if codes["withheld"] else "",
        part["by_text"] if codes["by_text"] else "",
        *(_header(row, part["header"]) for row in codes["reasons"] if row["leaves"]),
        capital(part["line"]),
    )
    return {"rows": rows, "line": us_dates(" ".join(filter(None, said))), "notices": part["notices"]}


def _header(row: Json, says: str) -> str:
    """The note on a header code, which lists its billable codes."""
    leaves = ", ".join(f"{code} ({label})" for code, label in row["leaves"])
    return says.format(code=f"{row['system']} {row['code']}", leaves=leaves)


def _doubts(act: Json, not_valid: Iterable[str], on: str) -> str:
    doubts = (
        words.not_valid(on) if act["id"] in not_valid else "",
        words.CODE_NOT_VERIFIED if act["unverified"] else "",
    )
    said = ", ".join(filter(None, doubts))
    return f"({said})" if said else ""


def _about(part: Json) -> Iterator[str]:
    """The notes on the whole page, in sentences."""
    about = part["about"]
    yield words.NO_DECISION
    yield words.version(part["title"], part["edition"])
    if about["pending"]:
        yield about["pending"]
    yield words.reviewed(about["checked_by"]) if about["checked_by"] else words.NOT_REVIEWED
    if about["later"]:
        yield words.later(about["later"]["title"], us_dates(about["later"]["date"]))
    yield words.CPT_NOTICE


def _received(item: Json) -> tuple[str, str]:
    """A resource type, and how much was received, what did not count or could not be read, or why none came."""
    number, unread = item["received"], item.get("text_not_read", 0)
    came = words.received(item["state"], number)
    if unread:
        came = words.text_not_read(came, unread, number)
    dropped = [words.type_not_counted(count, why) for why, count in item.get("dropped", ())]
    why = us_dates("; ".join((*filter(None, (item.get("why"),)), *dropped)))
    return capital(item["type"]), ". ".join(filter(None, (came, why)))
