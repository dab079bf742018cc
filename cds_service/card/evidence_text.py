"""Everything behind a card, in lines: each criterion with what is on record for it, and all that was set aside.

It is what cases ask for; the card itself has a few words of it.
"""

from collections.abc import Iterator

from cds_service.card.evidence_page import reasons_here
from cds_service.card.evidence_words import MOST_NAMES, few
from cds_service.card.markdown import escape
from cds_service.card.rows import evidence_in_words, on_record, rows_of, title_of
from cds_service.chart.chart import Chart
from cds_service.facts.attesters import NO_ROLE
from cds_service.facts.evaluated import DOES_NOT_APPLY
from cds_service.facts.logic import Truth
from cds_service.facts.roles import CLINICIAN
from cds_service.fhir.free_text import capital
from cds_service.fhir.types import TYPES
from cds_service.policy.codes import Code
from cds_service.policy.editions import date_of_service
from cds_service.policy.model import Act
from cds_service.verdicts.decisions import Decision
from cds_service.verdicts.payers import NOT_READABLE, PayerPosition


def lines(decision: Decision, chart: Chart, codes_offered: bool) -> Iterator[str]:
    """The lines, most pressing first within each verdict; Markdown in which the chart's own words are made safe."""
    yield from _by_part(decision)
    listed: set[str] = set()
    for verdict in decision.verdicts:
        fresh = [finding for finding in verdict.findings if finding.key not in listed]
        if fresh:
            title = verdict.rule.title if not listed else f"{verdict.rule.title}, in addition"
            if verdict.truth is Truth.MET and verdict.rule.as_far_as:
                title += f": met {verdict.rule.as_far_as}"
            yield f"{title}:"
            for named, record in rows_of(fresh, merge=bool(listed), apart=len(decision.parts) > 1):
                yield f"- {named}: {record}"
        elif verdict.reason and not verdict.rule.payer:
            word = "does not apply" if verdict.truth is Truth.NOT_APPLICABLE else "not applied"
            yield f"{verdict.rule.title}: {word}: {verdict.reason}"
        listed |= {finding.key for finding in verdict.findings}
    yield from _roles_not_recorded(decision)
    yield from _not_fetched(decision, chart)
    yield from _not_counted(decision, chart)
    if review := _review(decision):
        yield f"To confirm: {review}."
    yield _payer(decision)
    if decision.order is not None:
        page = decision.policy.phrases.page
        yield f"Codes: {_codes(decision, chart)}" if codes_offered else "Codes: none suggested."
        if decision.order.by_text and page.by_text:
            yield page.by_text
    phrases = decision.policy.phrases
    yield from (
        f"{name}: {text}" for name, text in (("Evidence", phrases.page.evidence), ("Note", phrases.page.note)) if text
    )
    yield f"Not a coverage decision. {phrases.pending}".rstrip()


def _by_part(decision: Decision) -> Iterator[str]:
    """One line that says of each part how it stands in all verdicts that rest on criteria; none for a single part."""
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
        not_met, unknown = truths.count(Truth.NOT_MET), truths.count(Truth.UNKNOWN)
        stands = [f"{not_met} not met"] * bool(not_met) + [
            f"{unknown} {'needs' if unknown == 1 else 'need'} documentation"
        ] * bool(unknown)
        said.append(f"**{capital(part.label)}:** {', '.join(stands) or 'all met'}.")
    yield " ".join(said)


def _not_fetched(decision: Decision, chart: Chart) -> Iterator[str]:
    """One line that says why records could not be fetched, each reason once; none where all came or was sent."""
    kinds: dict[str, list[str]] = {}
    for name in sorted(({"Patient"} | decision.policy.resource_types) & chart.unfetched.keys()):
        what, _, why = chart.unfetched[name].partition(": ")
        kinds.setdefault(why, []).append(what)
    if kinds:
        said = "; ".join(f"{', '.join(what)}: {why}" for why, what in kinds.items())
        yield f"**Not fetched:** {said}."


def _roles_not_recorded(decision: Decision) -> Iterator[str]:
    """One line that names whose answers count as a clinician's although the chart does not say so."""
    findings = [*decision.findings.values(), *decision.lent]
    people = [item.attested for finding in findings for item in finding.evidence if item.attested]
    names = dict.fromkeys(escape(person.by) for person in people if person.role == NO_ROLE and person.kind == CLINICIAN)
    if names:
        yield f"**Role not recorded:** {few(list(names), ', ', last=' and ')}."


def _not_counted(decision: Decision, chart: Chart) -> Iterator[str]:
    """One line for the records of kinds that criteria read that were not weighed at all; none where all were."""
    said = []
    for name in sorted(decision.policy.resource_types):
        reasons: dict[str, int] = {}
        for item in chart.delivery(name).dropped:
            reasons[item.why] = reasons.get(item.why, 0) + 1
        said += [f"{TYPES[name].called}: {number} {_of_records(number, why)}" for why, number in reasons.items()]
    if said:
        yield f"**Not counted:** {few(said)}."


def _of_records(number: int, why: str) -> str:
    """Why records were not weighed, with the verb of their number."""
    return (
        f"that {why}"
        if number == 1
        else "that "
        + {"names": "name", "has": "have", "is": "are"}.get(why.partition(" ")[0], why.partition(" ")[0])
        + f" {why.partition(' ')[2]}"
    )


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
        parts.append(f"{', '.join(title_of(finding, apart) for finding in silent)}: documentation needed")
    for finding in outside:
        if finding not in silent:
            word = {Truth.MET: "met", Truth.NOT_MET: "not met", Truth.UNKNOWN: "documentation needed"}[finding.truth]
            parts.append(f"{title_of(finding, apart)}: {finding.manner or word}, {on_record(finding, with_need=False)}")
    return "; ".join(parts)


def _payer(decision: Decision) -> str:
    position = decision.payer
    if not position.payers:
        return f"**Payer:** {escape(position.reason)}."
    lines = []
    for name, payer in position.payers[:MOST_NAMES]:
        if payer is None:
            why = position.reason if name == NOT_READABLE else "no position on file"
            lines.append(f"{escape(name)}: {why}.")
        elif position.truth is Truth.UNKNOWN:
            held = _held(position, apart=len(decision.parts) > 1)
            lines.append(f"{escape(name)}: {escape(position.reason)}. Background: {payer.background}{held}")
        else:
            word = "criteria met" if position.truth is Truth.MET else "criteria not met"
            lines.append(f"{escape(name)}: {word} ({payer.document}, last seen in force {payer.seen_in_force}).")
    more = len(position.payers) - MOST_NAMES
    if more > 0:
        lines.append(f"{more} more on record.")
    return f"**Payer** {' '.join(lines)}"


def _held(position: PayerPosition, apart: bool) -> str:
    """How the case stands against a payer's rule that may not decide, where there is one."""
    if not position.held:
        return ""
    stands = []
    for truth, word in ((Truth.NOT_MET, "not met"), (Truth.UNKNOWN, "documentation needed")):
        names = dict.fromkeys(title_of(finding, apart) for finding in position.held if finding.truth is truth)
        stands += [f"{len(names)} {word} ({few(list(names))})"] if names else []
    return f" Checked against it: {', '.join(stands) or 'all met'}."


def _codes(decision: Decision, chart: Chart) -> str:
    policy, order = decision.policy, decision.order
    page = policy.phrases.page
    drafts = order.drafts if order else ()
    on = date_of_service((draft.resource for draft in drafts), decision.today)
    by_system: dict[str, list[str]] = {}
    for act in policy.orders.acts:
        doubt = _unverified(act.code) + ("" if act.code.is_valid(on) else f", not valid on {on}")
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
    """What an act is called beside its code: a licensed descriptor where there is one, else the policy's own words."""
    return _label(act.code) if act.code.labelled_elsewhere else act.label


def _label(code: Code) -> str:
    return escape(code.label) if code.labelled_elsewhere else code.label


def _unverified(code: Code) -> str:
    return ", code unverified" if code.seen == "unverified" else ""
