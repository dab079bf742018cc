"""``words``: free text of reports, notes and findings; shown for confirmation, and settles nothing."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cds_service.chart.evidence_rules import judge_in_time
from cds_service.chart.narratives import Told, narratives, sentences_of
from cds_service.chart.parts import parts_of_words
from cds_service.chart.records import Match
from cds_service.errors import UnreadableError
from cds_service.facts.comparing import compare
from cds_service.facts.context import Context
from cds_service.facts.evidence import Evidence, Fact, NotCounted, evidence_of, not_counted, note_on
from cds_service.facts.kind import Rules, YesOrNoKind
from cds_service.facts.logic import Truth
from cds_service.facts.origins import records
from cds_service.fhir.free_text import FreeText
from cds_service.fhir.manners import Said
from cds_service.fhir.stated_numbers import stated_number
from cds_service.policy.codes import Code, CodeSet
from cds_service.policy.model import FactRule, Test

TO_CONFIRM = "by its words, to confirm"
SUSPECTED = "suspected by its words, to confirm"
CODED = "by its coded conclusion, to confirm"
LONGEST_QUOTE = 160
TEXT_NOT_READ = "its text could not be read"
REPORT_NOT_READ = "its report was not read"
WORDS_NOT_SENT = "its words were not sent"
# The manners of a phrase that count, by the member "said" of a fact.
_MANNERS = {
    "so": (Said.REPORTED, Said.SUSPECTED),
    "not so": (Said.DENIED,),
    "either": (Said.REPORTED, Said.SUSPECTED, Said.PAST, Said.MENTIONED, Said.DENIED),
}


class _Found(NamedTuple):
    """The sentence of a record with the phrase, a remark for the reader, and the number that the sentence states."""

    written: str
    remark: str
    number: float | None


class WordsKind(YesOrNoKind):
    """A phrase in the words of a record; the evidence is the sentence as written."""

    name = "words"
    on_record = "found by words"
    needs = {"required": ["codes", "resources", "state"]}
    is_of_words = True
    is_silent_without_records = True

    def read(self, rule: FactRule, context: Context) -> Fact:
        """The deciding sentence of each record that has a phrase, the newest record first."""
        found: list[tuple[str, Evidence]] = []
        notes: list[str] = []
        refused: list[NotCounted] = []
        is_open = context.records_open(rule)
        for kind in rule.resources:
            all_told = narratives(context.chart, kind)
            is_open = is_open or any(_may_say_it(rule, told) for told in all_told.failed)
            for match, told in _saying(rule, context, kind, all_told.told):
                try:
                    said, placed = _said(rule, context, match, told)
                    if said is None:
                        continue
                    why_not, when = _judged(rule, rule.records, match, context)
                    why_not = why_not or (None if placed else context.no_part)
                except UnreadableError as error:
                    why_not, is_open, said = f"{match.record.reference} {error}", True, None
                if said is not None and why_not is None:
                    found.append((when or "", _evidence(rule, match, said, when)))
                elif why_not:
                    notes.append(note_on(match, why_not))
                    refused.append(not_counted(match, why_not))
        notes += _not_told(rule, context)
        found.sort(key=lambda pair: pair[1].reference)
        found.sort(key=lambda pair: pair[0], reverse=True)
        shown = tuple(evidence for _, evidence in found)
        return Fact(
            rule=rule,
            values=(True,) if found else (),
            evidence=shown,
            notes=tuple(dict.fromkeys(notes)),
            events=(),
            open=is_open,
            not_counted=tuple(refused),
        )

    def truths_if_open(self, test: Test, fact: Fact, truth: Truth) -> frozenset[Truth]:
        """More words can only add a yes."""
        return frozenset((truth, compare(test, True)))

    def compared(self, test: Test, rule: FactRule) -> str:
        """A fixed text: free text is shown, not compared."""
        return "shown where it is found"

    def origin(self, rule: FactRule, facts: Rules) -> str:
        """The records, and the manner in which their words must have a phrase."""
        manner = {"so": "says", "not so": "denies", "either": "speaks of"}[rule.said]
        of = f" ({rule.records.title.lower()})" if rule.records else ""
        return f"the free text of any {records(rule)}{of} that {manner} it; shown to be confirmed, settles nothing"


def _saying(rule: FactRule, context: Context, kind: str, all_told: Iterable[Told]) -> Iterator[tuple[Match, Told]]:
    """Each record whose words have a phrase, as a match of the record itself."""
    saying = [told for told in all_told if rule.codes in told.named]
    if rule.records is None:
        for told in saying:
            yield Match(told.record, told.record.resource, None, told.name, False), told
    elif saying:
        known: dict[int, Match] = {}
        for match in context.chart.matches(kind, rule.records):
            known.setdefault(id(match.record.resource), match)
        for told in saying:
            if (listed := known.get(id(told.record.resource))) is not None:
                yield listed, told


def _said(rule: FactRule, context: Context, match: Match, told: Told) -> tuple[_Found | None, bool | None]:
    """The finding of a record, and whether it concerns the current part; of several sentences, the last (it sums up),
    or the last with a number."""
    assert rule.codes is not None
    coded = _code_in(rule, told) if rule.said == "so" else None
    if coded is not None:
        return _Found(f"{coded.label} ({coded.code})", CODED, None), _is_here(context, match, FreeText(""))
    called = f" {match.code.label} {told.name}" if match.code else told.name
    best: _Found | None = None
    here = False
    for sentence in sentences_of(context.chart, told.narrative):
        said = rule.codes.said_in(sentence.text, called)
        counts = said in _MANNERS[rule.said] or (
            said is Said.MENTIONED and rule.said == "so" and match.record.type == "DiagnosticReport"
        )
        if said is None or not counts:
            continue
        placed = _is_here(context, match, sentence.text)
        if placed is None:
            continue
        number = _number(rule, sentence.written)
        if best is None or number is not None or best.number is None:
            remark = SUSPECTED if said is Said.SUSPECTED else TO_CONFIRM
            best, here = _Found(sentence.written, remark, number), placed
    return best, here


def _is_here(context: Context, match: Match, text: FreeText) -> bool | None:
    """Whether the finding is of the current part, by the sentence, otherwise by the record; None if it is of another
    part."""
    if not context.part or context.scope is None:
        return True
    named = parts_of_words(context.scope, text) or context.parts_of(match)
    return None if named and context.part not in named else bool(named)


def _code_in(rule: FactRule, told: Told) -> Code | None:
    """The first code that asserts the finding (conclusionCode, a coded finding), or None."""
    return next(filter(None, map(rule.codes.match, told.keys)), None) if rule.codes else None


def _judged(rule: FactRule, records: CodeSet | None, match: Match, context: Context) -> tuple[str | None, str | None]:
    """Why a record that was found as one of ``records`` does not count, and its date."""
    judged = judge_in_time(rule, match, context.chart, context.today, found_by=records)
    return judged.why_not, judged.when[:10] if judged.when else None


def _number(rule: FactRule, written: str) -> float | None:
    stated = rule.number
    return None if stated is None else stated_number(written, stated.phrases, stated.units, *stated.range)


def _evidence(rule: FactRule, match: Match, found: _Found, when: str | None) -> Evidence:
    """The name of the record, the number in words, and the sentence as written."""
    value = None
    if found.number is not None and rule.number is not None:
        value = f"{rule.number.label} {found.number:g}" + (f" {rule.number.unit}" if rule.number.unit else "")
    evidence = evidence_of(match, value, when)
    written = found.written.removeprefix(f"{match.text if match.code is None else evidence.display}: ")
    return evidence._replace(remark=found.remark, quote=_quoted(written, rule))


def _quoted(written: str, rule: FactRule) -> str:
    """A sentence; a very long one is cut around its first phrase."""
    if len(written) <= LONGEST_QUOTE:
        return written
    small = written.lower()
    firsts = (phrase.split()[0] for phrase in (rule.codes.phrases if rule.codes else ()))
    place = min((at for first in dict.fromkeys(firsts) if (at := small.find(first)) >= 0), default=0)
    start = max(0, min(place - LONGEST_QUOTE // 4, len(written) - LONGEST_QUOTE))
    cut = written[start : start + LONGEST_QUOTE].strip()
    return f"{'…' if start else ''}{cut}{'…' if start + LONGEST_QUOTE < len(written) else ''}"


def _may_say_it(rule: FactRule, told: Told) -> bool:
    """Whether a record with an unreadable text may have the finding, judged by its name."""
    return rule.codes is None or rule.codes.may_be_of(told.name)


def _not_told(rule: FactRule, context: Context) -> Iterator[str]:
    """A note for each record that should state a finding and whose text was not sent or not read."""
    if rule.expected_of is None:
        return
    for kind in rule.resources:
        told = {id(item.record.resource): item.narrative for item in narratives(context.chart, kind).told}
        seen: set[int] = set()
        for match in context.chart.matches(kind, rule.expected_of):
            resource = match.record.resource
            said = told.get(id(resource))
            if id(resource) in seen or (said is not None and said.texts and not said.failed):
                continue
            seen.add(id(resource))
            try:
                why_not, _ = _judged(rule, rule.expected_of, match, context)
            except UnreadableError as error:
                yield note_on(match, f"{match.record.reference} {error}")
                continue
            if why_not is None:
                yield note_on(match, _why_silent(said.failed if said else "", said.unread if said else ""))


def _why_silent(failed: str, unread: str) -> str:
    if failed:
        return f"{TEXT_NOT_READ}, it {failed}"
    return f"{REPORT_NOT_READ}: {unread}" if unread else WORDS_NOT_SENT


KIND = WordsKind()
