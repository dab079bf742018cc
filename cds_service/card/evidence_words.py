"""The chart's evidence for a criterion, in the few words that fit on a card."""

import re
from collections.abc import Iterable, Sequence

from cds_service.card.assessment import Row
from cds_service.card.markdown import one_line
from cds_service.card.style import Style, with_units
from cds_service.card.words import records as words
from cds_service.card.words.counting import all_of, counted, few
from cds_service.facts.attesters import UNNAMED
from cds_service.facts.evidence import Attested, Evidence
from cds_service.facts.kinds.words import REPORT_NOT_READ, TEXT_NOT_READ, WORDS_NOT_SENT
from cds_service.fhir.sentence_case import inside_sentence
from cds_service.policy.model import Part, Policy
from cds_service.verdicts.criteria import Finding

# The longest text of the chart's own words; a label is shorter.
LONGEST_NAME = 48
_NUMBER = re.compile(r"(-?\d+(?:\.\d+)?) (?:years|kg/m2)")
# The strength that follows the name of a drug.
_STRENGTH = re.compile(r" \d")
_CODE = re.compile(r"[A-Za-z0-9.-]{1,12}")


def parts_in_words(policy: Policy, parts: Sequence[Part]) -> str:
    """Parts of the scope for a sentence: "right", or "both sides" for all parts."""
    every = policy.scope is not None and 1 < len(parts) == len(policy.scope.parts)
    return (policy.phrases.all_parts if every else "") or all_of([part.name for part in parts])


def value_of(evidence: Evidence, style: Style) -> str:
    """The value of a record or answer for a phrase: a date without "since", a number without its unit, 57%."""
    return value_in_words(evidence.value or "", style)


def value_in_words(value: str, style: Style) -> str:
    """Like ``value_of``, for the value of an Evidence."""
    return _value(one_line(value).removeprefix("since "), style)


def _value(text: str, style: Style) -> str:
    number = _NUMBER.fullmatch(text)
    return style.date(number[1] if number else with_units(text))


def code_of(evidence: Evidence) -> str:
    """The code of a record; "" unless it looks like a code, so that no card shows chart text as a code."""
    return evidence.code if evidence.code and _CODE.fullmatch(evidence.code) else ""


def name_of(evidence: Evidence) -> str:
    """The name of a record, for the inside of a sentence."""
    return inside_sentence(one_line(evidence.display, LONGEST_NAME))


def record(evidence: Evidence, style: Style, called: str = "") -> str:
    """A record with its code, its value and its date: "knee repair (12345), 09/2016"."""
    named = words.coded(called or name_of(evidence), code_of(evidence))
    said = _value(one_line(evidence.value), style) if evidence.value else ""
    when = style.date(evidence.date) if evidence.date else ""
    by_words = words.IN_A_REPORT if evidence.quote and not called else ""
    return ", ".join(filter(None, (f"{named} {said}".rstrip(), when, by_words)))


def signer(evidence: Iterable[Evidence], style: Style) -> str:
    """The signer and date: "C. Okafor, MD, 11/22/2026"; for several signers, their number; "" for none."""
    answers = [item for item in evidence if item.attested is not None]
    who = dict.fromkeys((_signed(item.attested), item.date) for item in answers if item.attested is not None)
    if not who:
        return ""
    if len({name for name, _ in who}) > 1:
        return words.signers(len({name for name, _ in who}))
    name, _ = next(iter(who))
    when = max((date for _, date in who if date), default="")
    return ", ".join(filter(None, (name, style.date(when))))


def _signed(by: Attested) -> str:
    return words.SIGNER_NOT_RECORDED if by.kind == UNNAMED else one_line(by.by, LONGEST_NAME)


def attested_by(rows: Sequence[Row], style: Style) -> str:
    """The signer and date of attested rows, and the number of rows without a supporting document."""
    by = signer((item for row in rows for item in row.finding.evidence), style)
    bare = sum(row.without_document for row in rows)
    return "; ".join(filter(None, (by, words.without_document(bare) if bare else "")))


def in_chart(finding: Finding) -> tuple[Evidence, ...]:
    """The chart's records that support or contradict a criterion, without answers."""
    return tuple(item for item in (*finding.evidence, *finding.contrary) if not item.is_attested)


def document(row: Row, style: Style) -> str:
    """What a document must say to settle a criterion, and what the chart already has."""
    found = [item for item in row.finding.evidence if not item.is_attested and not item.quote]
    phrases = row.phrases
    said = phrases.document
    if found and phrases.document_found and not row.finding.contrary:
        said = phrases.document_found.format(**_found(found, style))
    else:
        shown = list(dict.fromkeys(_briefly(item, row, style) for item in in_chart(row.finding)))
        if shown:
            only = len(shown) == 1 and code_of(in_chart(row.finding)[0]) == shown[0]
            said = words.beside_chart(said, shown, only=only)
        elif any(text in row.finding.beside for text in (REPORT_NOT_READ, TEXT_NOT_READ, WORDS_NOT_SENT)):
            said = f"{said} {words.TEXT_NOT_READABLE}"
        elif row.finding.not_counted:
            first = row.finding.not_counted[0]
            said = words.beside_not_counted(said, inside_sentence(one_line(first.display, LONGEST_NAME)))
    return said + (f" ({', '.join(row.sides)})" if row.sides else "")


def _briefly(item: Evidence, row: Row, style: Style) -> str:
    """A record for parentheses: a supporting diagnosis by its code, a contradicting one also by its name."""
    code = code_of(item)
    if item.quote:
        return words.to_confirm(name_of(item), style.date(item.date or ""))
    if item.reference.startswith("Condition") and code:
        return f"{name_of(item)} {code}" if item in row.finding.contrary else code
    return name_of(item) + (f" {value_of(item, style)}" if item.value else "")


def _found(evidence: Sequence[Evidence], style: Style) -> dict[str, str]:
    """The values of {count}, {last} and {names}; events on one day count as one."""
    by_noun: dict[tuple[str, str], set[str]] = {}
    for item in evidence:
        if item.noun:
            by_noun.setdefault(item.noun, set()).add(item.date or item.reference)
    counts = [counted(len(days), *noun) for noun, days in by_noun.items()]
    names = list(dict.fromkeys(_STRENGTH.split(name_of(item))[0] for item in evidence))
    last = max((item.date for item in evidence if item.date), default="")
    return {
        "count": all_of(counts) or words.records(len(evidence)),
        "last": style.date(last) or words.DATE_NOT_RECORDED,
        "names": few(names, ", "),
    }


def met(row: Row, style: Style) -> str:
    """The words for a met criterion: its value in the chart, otherwise its short phrase."""
    with_value = next((item for item in row.finding.evidence if item.value and not item.is_attested), None)
    if row.phrases.met and with_value is not None:
        return row.phrases.met.format(value=value_of(with_value, style))
    return row.phrases.short


def fails(row: Row, style: Style) -> str:
    """The phrase for a failed criterion, with the measured value."""
    value = next((value_of(item, style) for item in row.finding.evidence if item.value), "")
    return row.phrases.fails.format(value=value or words.VALUE_NOT_SHOWN)


def failing_record(row: Row, style: Style) -> str:
    """The evidence that fails a criterion: a record with code and date, a measured value with date, or the signer."""
    measured = "{value}" in row.phrases.fails
    records = [item for item in in_chart(row.finding) if measured or not item.quote]
    if measured or not records:
        when = next((item.date for item in row.finding.evidence if item.date), None)
        by = signer(row.finding.evidence, style)
        if by:
            return words.attested_by(fails(row, style), by)
        return ", ".join(filter(None, (fails(row, style), style.date(when) if when and measured else "")))
    return few([record(item, style) for item in records], "; ", 2)


def in_dispute(row: Row, style: Style) -> str:
    """Both sides of a conflict: the chart's records, and the form's answers."""
    chart = [record(item, style) for item in in_chart(row.finding)]
    answers = [item for item in row.finding.evidence if item.is_attested]
    said = {"yes": row.phrases.short, "no": row.phrases.fails.format(value=words.OTHERWISE)}
    told = [
        words.form_says(
            said.get(item.value or "", _value(one_line(item.value or ""), style)), style.date(item.date or "")
        )
        for item in answers
    ]
    has = [words.chart_has(few(list(dict.fromkeys(chart)), "; ", 2))] if chart else []
    return "; ".join(has + list(dict.fromkeys(told))) or row.phrases.topic
