"""A draft letter of medical necessity from an evidence page. Pure.

Each criterion that is met or attested gets a sentence tied to its evidence, and each gap is stated. The letter claims
nothing beyond the page. It decides nothing for the clinician, who must check and sign it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cds_service.card import evidence_rows
from cds_service.card.evidence_words import value_in_words
from cds_service.card.style import DEFAULT_STYLE
from cds_service.fhir.sentence_case import capital, inside_sentence
from cds_service.policy.phrases import CriterionPhrases, Phrases
from cds_service.web import packet_words as words
from cds_service.web.evidence_view import (
    evidence_in_words,
    is_without_document,
    orders_in_words,
    sources_in_words,
    us_dates,
)

Json = Mapping[str, Any]
_GAPS = (evidence_rows.NOT_MET, evidence_rows.CONFLICT, evidence_rows.NOT_READ, evidence_rows.OPEN)
_MET = (evidence_rows.MET, evidence_rows.ATTESTED, evidence_rows.WAIVED_ROW)


class LetterSentence(NamedTuple):
    """One sentence, and the numbers (from 1) of its evidence; it always has at least one."""

    text: str
    ties: tuple[int, ...]


class LetterParagraph(NamedTuple):
    """Sentences under one heading."""

    title: str
    sentences: tuple[LetterSentence, ...]


class Letter(NamedTuple):
    """A draft letter.

    ``ties`` is the evidence of the sentences, in words, in the order of its numbers; ``without_document`` counts the
    criteria attested without a document.
    """

    to: str
    orders: str
    reasons: str
    day: str
    paragraphs: tuple[LetterParagraph, ...]
    ties: tuple[str, ...]
    without_document: int


def letter(page: Json, part: Json, phrases: Phrases) -> Letter:
    """The draft of a page (``card.evidence_page``) and its rule set (``card.evidence_sources``)."""
    return _Writer(page, part, phrases).letter()


class _Writer:
    def __init__(self, page: Json, part: Json, phrases: Phrases) -> None:
        self._page, self._part, self._phrases = page, part, phrases
        self._ties: dict[str, int] = {}

    def letter(self) -> Letter:
        page = self._page
        groups = [(self._part["verdicts"].get(item["id"], item["id"]), item["rows"]) for item in page["groups"]]
        payers = "; ".join(page["payers"])
        if page["payer"]["rows"]:
            groups.append((words.clauses(payers), page["payer"]["rows"]))
        groups = [(title, rows) for title, rows in groups if rows]
        paragraphs = [
            LetterParagraph(words.REQUESTED, tuple(self._request(groups))),
            *(paragraph for title, rows in groups for paragraph in self._group(title, rows)),
            LetterParagraph(words.GAPS, tuple(self._gap(row) for _, rows in groups for row in rows if _is_gap(row))),
            LetterParagraph(words.STUDIES, tuple(self._studies())),
        ]
        rows = {(row["id"], row.get("part")): row for _, rows in groups for row in rows}
        return Letter(
            payers,
            orders_in_words(page),
            "; ".join(words.reason(item["system"], item["code"], item["label"]) for item in page["codes"]["reasons"]),
            us_dates(page["day"]),
            tuple(item for item in paragraphs if item.sentences),
            tuple(self._ties),
            sum(map(is_without_document, rows.values())),
        )

    def _request(self, groups: Sequence[tuple[str, Sequence[Json]]]) -> Iterator[LetterSentence]:
        orders = orders_in_words(self._page)
        asked = words.request(inside_sentence(self._phrases.therapy), ", ".join(self._page["parts"]))
        yield self._sentence(asked, [words.order(orders)])
        checked = words.counted_from(us_dates(self._page["day"]), self._part["title"], self._part["edition"])
        for title, rows in groups:
            yield self._sentence(words.counts(title, _counts(rows)), [checked])
        for group in self._page["groups"]:
            if group["truth"] == "not-applicable":
                title = self._part["verdicts"].get(group["id"], group["id"])
                yield self._sentence(words.not_applicable(title, us_dates(group.get("reason", ""))), [checked])

    def _group(self, title: str, rows: Iterable[Json]) -> Iterator[LetterParagraph]:
        """The met criteria of one heading: by the chart, by attestation with a document, and by attestation alone."""
        kinds: dict[str, list[LetterSentence]] = {words.CHART: [], words.WITH_DOCUMENT: [], words.WITHOUT: []}
        for row in rows:
            if row["result"] in _MET:
                attested = row["result"] == evidence_rows.ATTESTED
                named = words.WITHOUT if is_without_document(row) else words.WITH_DOCUMENT
                kind = named if attested else words.CHART
                kinds[kind] += self._met(row)
        for kind, sentences in kinds.items():
            yield LetterParagraph(words.under(title, kind), tuple(sentences))

    def _met(self, row: Json) -> Iterator[LetterSentence]:
        items = row.get("evidence", ())
        ties = [*map(_tie, items), *self._sources(row)] or [words.result_of(self._asks(row))]
        if row["result"] == evidence_rows.WAIVED_ROW:
            yield self._sentence(self._side(row) + words.waived(self._asks(row)), ties)
            return
        by = next((item["attested"] for item in items if "attested" in item), None)
        if row["result"] == evidence_rows.ATTESTED and by is not None:
            signer = words.signer(by.get("by", ""), by.get("role", ""))
            on = next((us_dates(item["date"]) for item in items if "attested" in item and item.get("date")), "")
            said = words.attested(self._clause(row), signer, on)
        else:
            said = self._clause(row)
        yield self._sentence(f"{self._side(row)}{capital(said)}.", ties)
        for line in row.get("despite", ()):
            yield self._sentence(self._side(row) + words.despite(us_dates(line)), ties)

    def _gap(self, row: Json) -> LetterSentence:
        phrases = self._of(row)
        topic = phrases.topic if phrases else self._asks(row)
        evidence = (*row.get("evidence", ()), *row.get("against", ()))
        ties = [*map(_tie, evidence), *self._sources(row)] or [words.looked_for(self._asks(row))]
        needed = row.get("needed", {})
        needs = ": ".join(filter(None, (needed.get("document"), needed.get("says"))))
        if row["result"] == evidence_rows.NOT_MET:
            found = _filled(phrases.fails, row) if phrases else ""
            text = words.not_met(found or self._asks(row))
        elif row["result"] == evidence_rows.CONFLICT:
            text = words.conflict(topic)
        elif row["result"] == evidence_rows.NOT_READ:
            text = words.not_read(topic)
        else:
            text = words.not_documented(topic, needs)
        return self._sentence(self._side(row) + text, ties)

    def _studies(self) -> Iterator[LetterSentence]:
        for item in self._part["studies"]:
            source = self._part["sources"].get(item["source"], {})
            cited = ", ".join(filter(None, (source.get("title"), source.get("citation")))) or item["source"]
            yield self._sentence(f"{item['finding']} {item['limits']}", [cited])

    def _clause(self, row: Json) -> str:
        """The author's phrase about the patient; the criterion's own words if the phrase lacks a value."""
        phrases = self._of(row)
        said = _filled(phrases.letter, row) if phrases else ""
        return said or words.met(self._asks(row))

    def _of(self, row: Json) -> CriterionPhrases | None:
        """The phrases of a criterion; None for one with the numbers of another rule, which no phrase would fit."""
        return self._phrases.criteria.get(row["id"])

    def _asks(self, row: Json) -> str:
        return str(self._part["criteria"].get(row["id"], {}).get("asks", row["id"]))

    def _side(self, row: Json) -> str:
        return f"{capital(row['part'])}: " if row.get("part") else ""

    def _sources(self, row: Json) -> list[str]:
        """The first source of a criterion, which its verdict is based on."""
        return sources_in_words(self._part, self._part["criteria"].get(row["id"], {}))[:1]

    def _sentence(self, text: str, ties: Iterable[str]) -> LetterSentence:
        numbers = (self._ties.setdefault(tie, len(self._ties) + 1) for tie in dict.fromkeys(ties))
        return LetterSentence(" ".join(text.split()), tuple(numbers))


def _is_gap(row: Json) -> bool:
    return row["result"] in _GAPS


def _tie(item: Json) -> str:
    """One piece of evidence, with the references of its records if the page has them."""
    references = ", ".join(item.get("references", ()))
    return f"{evidence_in_words(item)} [{references}]" if references else evidence_in_words(item)


def _filled(phrase: str, row: Json) -> str:
    """A phrase with the value on record; "" if it needs a value and there is not exactly one."""
    if "{value}" not in phrase:
        return phrase
    values = {item["value"] for item in row.get("evidence", ()) if item.get("value")}
    return phrase.format(value=value_in_words(values.pop(), DEFAULT_STYLE)) if len(values) == 1 else ""


def _counts(rows: Sequence[Json]) -> Iterator[str]:
    """The number of criteria by result; attested without a document counts separately."""
    results = [row["result"] for row in rows]
    without = sum(map(is_without_document, rows))
    attested = {words.COUNTED_WITH_DOCUMENT: results.count(evidence_rows.ATTESTED) - without, words.WITHOUT: without}
    yield words.in_all(len(rows), each_side=any(row.get("part") for row in rows))
    for result in words.COUNTED:
        if number := attested.get(result, results.count(result)):
            yield words.counted(number, result)
