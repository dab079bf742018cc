"""Everything behind a card, in lines: each criterion with its evidence, and everything that was left out.

The cases of rule sets test this text; the card itself shows only a little of it.
"""

from collections.abc import Iterator

from cds_service.card.evidence_page import reasons_here
from cds_service.card.markdown import escape
from cds_service.card.rows import evidence_in_words, on_record, rows_of, title_of
from cds_service.card.words import behind as words
from cds_service.card.words.counting import AND, MOST_NAMES, few
from cds_service.card.words.facts import DISCLAIMER
from cds_service.chart.chart import Chart
from cds_service.facts.attesters import NO_ROLE
from cds_service.facts.evaluated import DOES_NOT_APPLY
from cds_service.facts.logic import Truth
from cds_service.facts.roles import CLINICIAN
from cds_service.fhir.sentence_case import capital
from cds_service.fhir.types import TYPES
from cds_service.policy.codes import Code
from cds_service.policy.editions import date_of_service
from cds_service.policy.model import Act
from cds_service.verdicts.decisions import Decision
from cds_service.verdicts.payer_reasons import NO_MEDICAL_POLICY, NOT_READABLE
from cds_service.verdicts.payers import PayerPosition


def lines(decision: Decision, chart: Chart, codes_offered: bool) -> Iterator[str]:
    """The lines, most urgent first within each verdict; Markdown with the chart's own words escaped."""
    yield from _by_part(decision)
    listed: set[str] = set()
    for verdict in decision.verdicts:
        fresh = [finding for finding in verdict.findings if finding.key not in listed]
        if fresh:
            title = words.in_addition(verdict.rule.title) if listed else verdict.rule.title
            if verdict.truth is Truth.MET and verdict.rule.as_far_as:
                title = words.met_as_far(title, verdict.rule.as_far_as)
            yield f"{title}:"
            for named, record in rows_of(fresh, merge=bool(listed), apart=len(decision.parts) > 1):
                yield f"- {named}: {record}"
        elif verdict.reason and not verdict.rule.payer:
            applicable = verdict.truth is not Truth.NOT_APPLICABLE
            yield words.not_applied(verdict.rule.title, verdict.reason, applicable=applicable)
        listed |= {finding.key for finding in verdict.findings}
    yield from _roles_not_recorded(decision)
    yield from _not_fetched(decision, chart)
    yield from _not_counted(decision, chart)
    if review := _review(decision):
        yield words.to_confirm(review)
    yield _payer(decision)
    if decision.order is not None:
        page = decision.policy.phrases.page
        yield words.codes(_codes(decision, chart)) if codes_offered else words.NO_CODES
        if decision.order.by_text and page.by_text:
            yield page.by_text
    phrases = decision.policy.phrases
    if phrases.page.evidence:
        yield words.evidence(phrases.page.evidence)
    if phrases.page.note:
        yield words.note(phrases.page.note)
    yield f"{DISCLAIMER} {phrases.pending}".rstrip()


def _by_part(decision: Decision) -> Iterator[str]:
    """One line with each part's results in all verdicts based on criteria; none for a single part."""
    if len(decision.parts) < 2:
        return
    said = []
    for part in decision.parts:
        findings = {
            finding.key: finding
            for verdict in decision.verdicts
            for finding in verdict.findings
            if finding.part in (None, part)
        }
        truths = [finding.truth for finding in findings.values()]
        stands = words.part_stands(truths.count(Truth.NOT_MET), truths.count(Truth.UNKNOWN))
        said.append(words.part(capital(part.label), stands))
    yield " ".join(said)


def _not_fetched(decision: Decision, chart: Chart) -> Iterator[str]:
    """One line on why records could not be fetched, each reason once; none if nothing failed."""
    kinds: dict[str, list[str]] = {}
    for name in sorted(({"Patient"} | decision.policy.resource_types) & chart.unfetched.keys()):
        what, _, why = chart.unfetched[name].partition(": ")
        kinds.setdefault(why, []).append(what)
    if kinds:
        said = "; ".join(f"{', '.join(what)}: {why}" for why, what in kinds.items())
        yield words.not_fetched(said)


def _roles_not_recorded(decision: Decision) -> Iterator[str]:
    """One line with the people whose answers count as a clinician's although the chart has no role for them."""
    findings = [*decision.findings.values(), *decision.lent]
    people = [item.attested for finding in findings for item in finding.evidence if item.attested]
    names = dict.fromkeys(escape(person.by) for person in people if person.role == NO_ROLE and person.kind == CLINICIAN)
    if names:
        yield words.roles_not_recorded(few(list(names), ", ", last=AND))


def _not_counted(decision: Decision, chart: Chart) -> Iterator[str]:
    """One line for the records that criteria read but that were not evaluated; none if all were."""
    said = []
    for name in sorted(decision.policy.resource_types):
        reasons: dict[str, int] = {}
        for item in chart.delivery(name).dropped:
            reasons[item.why] = reasons.get(item.why, 0) + 1
        said += [words.of_kind(TYPES[name].called, number, why) for why, number in reasons.items()]
    if said:
        yield words.not_counted(few(said))


def _review(decision: Decision) -> str:
    parts = [
        f"{says} ({evidence_in_words(evidence)})" if evidence else says
        for says, evidence in ((line.says, found) for line, found in decision.for_review)
    ]
    apart = len(decision.parts) > 1
    outside = [finding for finding in decision.outside_verdicts if finding.manner != DOES_NOT_APPLY]
    silent = [
        finding for finding in outside if finding.truth is Truth.UNKNOWN and not (finding.evidence or finding.contrary)
    ]
    if silent:
        parts.append(words.needs_documentation(", ".join(title_of(finding, apart) for finding in silent)))
    for finding in outside:
        if finding not in silent:
            word = finding.manner or words.RESULTS[finding.truth]
            parts.append(f"{title_of(finding, apart)}: {word}, {on_record(finding, with_need=False)}")
    return "; ".join(parts)


def _payer(decision: Decision) -> str:
    position = decision.payer
    if not position.payers:
        return words.payer_unknown(escape(position.reason))
    lines = []
    for name, payer in position.payers[:MOST_NAMES]:
        if payer is None:
            why = position.reason if name == NOT_READABLE else NO_MEDICAL_POLICY
            lines.append(f"{escape(name)}: {why}.")
        elif position.truth is Truth.UNKNOWN:
            held = _held(position, apart=len(decision.parts) > 1)
            lines.append(words.payer_background(escape(name), escape(position.reason), payer.background, held))
        else:
            met = position.truth is Truth.MET
            lines.append(words.payer_decides(escape(name), payer.document, payer.seen_in_force, met=met))
    more = len(position.payers) - MOST_NAMES
    if more > 0:
        lines.append(words.more_payers(more))
    return words.payers(" ".join(lines))


def _held(position: PayerPosition, apart: bool) -> str:
    """The results under a payer's rule that may not decide; "" without such a rule."""
    if not position.held:
        return ""
    stands = []
    for truth in (Truth.NOT_MET, Truth.UNKNOWN):
        names = dict.fromkeys(title_of(finding, apart) for finding in position.held if finding.truth is truth)
        stands += [f"{len(names)} {words.RESULTS[truth]} ({few(list(names))})"] if names else []
    return words.held(", ".join(stands) or words.ALL_MET)


def _codes(decision: Decision, chart: Chart) -> str:
    policy, order = decision.policy, decision.order
    page = policy.phrases.page
    drafts = order.drafts if order else ()
    on = date_of_service((draft.resource for draft in drafts), decision.today)
    by_system: dict[str, list[str]] = {}
    for act in policy.orders.acts:
        doubt = _unverified(act.code) + ("" if act.code.is_valid(on) else words.not_valid(on))
        by_system.setdefault(act.code.system_name, []).append(f"{act.code.code} ({_named(act)}{doubt})")
    headers: list[Code] = []
    for draft in drafts:
        for row in reasons_here(policy, draft.resource, chart):
            if row.leaves:
                headers.append(row)
            elif (shown := f"{row.code}{_unverified(row)}") not in by_system.setdefault(row.system_name, []):
                by_system[row.system_name].append(shown)
    lines = ", ".join(f"{name} {', '.join(codes)}" for name, codes in by_system.items() if codes)
    text = f"{lines}; {page.codes}"
    for row in dict.fromkeys(headers):
        leaves = (policy.orders.here.exact.get((row.system, leaf)) for leaf in row.leaves)
        named = ", ".join(f"{leaf.code} ({_label(leaf)})" for leaf in leaves if leaf)
        text += " " + page.header_code.format(code=f"{row.system_name} {row.code}", leaves=named)
    return text


def _named(act: Act) -> str:
    """The name of an act next to its code: a licensed descriptor if any, otherwise the rule set's own words."""
    return _label(act.code) if act.code.labelled_elsewhere else act.label


def _label(code: Code) -> str:
    return escape(code.label) if code.labelled_elsewhere else code.label


def _unverified(code: Code) -> str:
    return words.CODE_UNVERIFIED if code.seen == "unverified" else ""
