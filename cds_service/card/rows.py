"""The rows of criteria behind a card: each criterion with its evidence, in one line."""

from collections.abc import Iterable

from cds_service.card.markdown import escape
from cds_service.card.words import behind as words
from cds_service.card.words.counting import counted, few
from cds_service.facts.attesters import NO_ROLE
from cds_service.facts.evidence import Attested, Evidence
from cds_service.facts.logic import Truth
from cds_service.fhir.sentence_case import inside_sentence
from cds_service.fhir.types import TYPES
from cds_service.verdicts.criteria import Finding

LONGEST_QUOTE = 200

_ROW_ORDER = ((Truth.NOT_MET, False), (Truth.UNKNOWN, True), (Truth.UNKNOWN, False), (Truth.MET, False))


def rows_of(findings: list[Finding], merge: bool, apart: bool) -> list[tuple[str, str]]:
    """The rows, those that need action first; with ``merge``, rows with the same result and wording share a line.

    With ``apart``, a row names its part of the scope; the summary names a single part.
    """
    rows: list[tuple[str, str]] = []
    for truth, conflict in _ROW_ORDER:
        shared: dict[tuple[str, str], list[str]] = {}
        alike = (finding for finding in findings if finding.truth is truth and finding.conflict is conflict)
        for number, finding in enumerate(alike):
            record = on_record(finding, with_need=not merge)
            mark = words.CONFLICT if finding.conflict else words.MANNERS.get(finding.manner, words.MARKS[truth])
            shared.setdefault((mark, record if merge else f"{number}\0{record}"), []).append(title_of(finding, apart))
        rows += [(mark + "; ".join(titles), record.split("\0")[-1]) for (mark, record), titles in shared.items()]
    return rows


def title_of(finding: Finding, apart: bool) -> str:
    """The criterion's title in a row, after its part if there are several."""
    title = inside_sentence(finding.criterion.title)
    return f"{finding.part.label}: {title}" if finding.part and apart else title


def on_record(finding: Finding, with_need: bool) -> str:
    """The chart's evidence for a criterion, in one line; with ``with_need`` also what would settle it if unknown."""
    in_spite = [item.in_words(escape) for item in finding.answered]
    left = () if in_spite else finding.contrary
    shown = evidence_in_words((*left, *finding.evidence))
    said = filter(None, (*in_spite, shown, escape_sentence(finding.beside), _unread(finding)))
    text = "; ".join(said) or words.NOTHING
    needs = finding.needs or finding.criterion.settled_by
    return words.needed(text, needs) if with_need and finding.truth is Truth.UNKNOWN else text


def _unread(finding: Finding) -> str:
    """The types of record that were not read in full, if only that keeps a criterion open."""
    names = [TYPES[name].called for name in finding.unread]
    return words.unread(names) if names else ""


def escape_sentence(reason: str) -> str:
    """A finding's reason, with each part escaped, because it may repeat the chart's words."""
    return "; ".join(escape(part) for part in reason.split("; "))


def evidence_in_words(evidence: Iterable[Evidence]) -> str:
    """The evidence, each item once, limited to the first few."""
    shown: dict[str, None] = {}
    by_noun: dict[tuple[str, str], dict[str, str]] = {}
    for item in evidence:
        if item.noun:
            by_noun.setdefault(item.noun, {})[item.date or item.reference] = item.date or ""
        else:
            shown.setdefault(_shown(item))
    # Several records of one day are one event, because a session is billed in several lines.
    for noun, dates in by_noun.items():
        days = sorted(filter(None, dates.values()))
        shown.setdefault(counted(len(dates), *noun) + (words.span(days[0], days[-1]) if days else ""))
    return few(list(shown))


def _shown(item: Evidence) -> str:
    if item.attested is not None:
        text = words.attested_by(item.value or "", _who(item.attested), item.date)
    elif item.quote:
        said = ", ".join(filter(None, (item.value, f"“{escape(item.quote, LONGEST_QUOTE)}”")))
        text = f"{escape(item.display)}: {said}" + (f", {item.date}" if item.date else "")
    elif item.value is not None:
        text = ", ".join(part for part in (item.value, item.date) if part)
    else:
        code = f"{escape(item.code)} " if item.code and item.reference.startswith("Condition") else ""
        text = code + escape(item.display) + (f", {item.date}" if item.date else "")
    return f"{text} ({item.remark})" if item.remark else text


def _who(by: Attested) -> str:
    """The signer, with role, date of observation, and basis if recorded."""
    role = "" if by.role in (NO_ROLE, by.by) else f" ({escape(by.role)})"
    observed = words.observed(by.observed) if by.observed else ""
    basis = words.rests_on(escape(by.basis)) if by.basis else ""
    return escape(by.by) + role + observed + basis
