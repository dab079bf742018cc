"""A Decision put into the words of its policy: one CDS Hooks card (https://cds-hooks.hl7.org/2.0/#card-attributes)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any

from cds_service.card.ids import IdMaker, reason_system
from cds_service.card.markdown import escape, table
from cds_service.card.rows import MOST_EVIDENCE, count, evidence_in_words, few, on_record, rows_of, title_of
from cds_service.card.suggestions import suggestions
from cds_service.chart.chart import Chart
from cds_service.chart.sites import reason_concepts
from cds_service.facts.attesters import NO_ROLE
from cds_service.facts.evaluated import DOES_NOT_APPLY
from cds_service.facts.logic import Truth
from cds_service.facts.roles import CLINICIAN
from cds_service.fhir.elements import Json, readable_keys
from cds_service.fhir.types import TYPES
from cds_service.policy.codes import Code, CodeSet
from cds_service.policy.editions import date_of_service
from cds_service.policy.model import Act, Part, Pathway, Policy
from cds_service.verdicts.decisions import Counts, Decision
from cds_service.verdicts.payers import NOT_READABLE, PayerPosition

SUMMARY_LIMIT = 100
LONGEST_NOTICE = 2000

# What is attested counts, but apart from what the chart holds.
_BY_ATTESTATION = ", {attested} by attestation"
# Words of the service and not of a statement: what was late says nothing of the statement.
_LATE = {
    "summary": "Not evaluated in time: {procedure}",
    "detail": "The criteria could not be evaluated in time, so no result and no suggestion is given. The order is "
    "unchanged. Select or sign it again to try once more.",
}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where our own things live: ``public_url`` (pages), ``canonical_base`` (identities); neither ends in a slash."""

    public_url: str
    canonical_base: str


def guidance_card(decision: Decision, chart: Chart, addresses: Addresses, make_id: IdMaker) -> Json:
    """The card for a decision: outcome, criteria, codes, payer, evidence; with suggestions where codes are offered."""
    policy = decision.policy
    outcome = _outcome(decision)
    card = _frame(policy, addresses, make_id)
    card["summary"] = _summary(decision, outcome) if decision.died is None else _of_the_dead(decision.died)
    conflict = any(finding.conflict for finding in decision.lead.findings)
    against = conflict or Truth.NOT_MET in (decision.lead.truth, decision.payer.truth) or _withheld_by_verdict(decision)
    card["indicator"] = "warning" if against or decision.died is not None else "info"
    card["detail"] = _detail(decision, outcome, chart)
    if decision.order is not None:
        offered = suggestions(decision, chart, make_id)
        if offered:
            card["suggestions"] = offered
            card["selectionBehavior"] = "any"
    return card


def _withheld_by_verdict(decision: Decision) -> bool:
    return any(verdict.rule.withholds_codes and verdict.truth is Truth.NOT_MET for verdict in decision.verdicts)


def ask_card(policy: Policy, at_site: bool, addresses: Addresses, make_id: IdMaker) -> Json:
    """The card that asks whether this is the therapy meant; it suggests nothing.

    ``at_site``: the order says where, and what is asked is which therapy it is for.
    """
    kind = "ask_therapy" if at_site and "ask_therapy" in policy.wording else "ask"
    return _message_card(policy, addresses, make_id, kind)


def failed_card(policy: Policy, addresses: Addresses, make_id: IdMaker) -> Json:
    """The card that says that this statement could not be evaluated; it suggests nothing."""
    return _message_card(policy, addresses, make_id, "failed")


def late_card(policy: Policy, addresses: Addresses, make_id: IdMaker) -> Json:
    """The card that says that this statement could not be evaluated in time; it suggests nothing."""
    return _with_message(_frame(policy, addresses, make_id), policy, _LATE, "")


def ask_scope_card(policy: Policy, addresses: Addresses, make_id: IdMaker) -> Json:
    """The card that asks which part of the scope is meant; it judges and suggests nothing."""
    return _message_card(policy, addresses, make_id, "ask_scope")


def pathway_card(policy: Policy, row: Pathway, parts: Iterable[Part], addresses: Addresses, make_id: IdMaker) -> Json:
    """The card of an order that goes another way, so that the criteria are not those for it; it suggests nothing."""
    named = " and ".join(part.label for part in parts) or (policy.scope.name if policy.scope else policy.procedure)
    return _with_message(_frame(policy, addresses, make_id), policy, policy.wording["pathways"][row.says], named)


def _message_card(policy: Policy, addresses: Addresses, make_id: IdMaker, kind: str) -> Json:
    return _with_message(_frame(policy, addresses, make_id), policy, policy.wording[kind], "")


def _with_message(frame: Json, policy: Policy, message: Mapping[str, str], parts: str) -> Json:
    said = {name: text.format(procedure=policy.procedure, parts=parts) for name, text in message.items()}
    return frame | {"summary": said["summary"], "indicator": "info", "detail": said["detail"]}


def _frame(policy: Policy, addresses: Addresses, make_id: IdMaker) -> Json:
    source, topic = policy.wording["source"], policy.wording["topic"]
    page = f"{addresses.public_url}/policies/{policy.id}"
    return {
        "uuid": make_id("card"),
        "summary": "",
        "indicator": "info",
        "detail": "",
        "source": {
            "label": source["label"],
            # What rests on several documents has its address where they are listed.
            "url": source["url"] or page,
            "topic": {"system": f"{addresses.canonical_base}/CodeSystem/topics", **topic},
        },
        "links": [
            *([{"label": source["label"], "url": source["url"], "type": "absolute"}] if source["url"] else []),
            {
                "label": "Criteria and sources",
                "url": page,
                "type": "absolute",
            },
        ],
        "overrideReasons": [
            {"system": reason_system(addresses.canonical_base), **reason}
            for reason in policy.wording["override_reasons"]
        ],
    }


def _outcome(decision: Decision) -> str:
    lead = decision.lead
    if decision.verdicts[0].truth is Truth.NOT_APPLICABLE:
        return "not_applicable"
    if lead.truth is Truth.NOT_MET:
        return "not_met"
    first = "met" if lead.truth is Truth.MET else "unknown"
    second_fails = any(verdict.truth is Truth.NOT_MET for verdict in decision.verdicts[1:] if verdict.findings)
    return f"{first}_second_not_met" if second_fails else first


def _holes(decision: Decision, names: str, procedure: str) -> dict[str, Any]:
    lead = decision.lead
    not_met = len(lead.with_truth(Truth.NOT_MET))
    counts = Counts.of(lead.findings)
    by_attestation = _BY_ATTESTATION.format(attested=counts.by_attestation) if counts.by_attestation else ""
    return {
        "met": counts.met,
        "by_attestation": by_attestation,
        "procedure": procedure,
        "total": len(lead.findings),
        "undocumented": len(lead.with_truth(Truth.UNKNOWN)),
        "not_met": not_met,
        "criteria": "criterion" if not_met == 1 else "criteria",
        "names": names,
    }


def _failing_names(decision: Decision) -> list[str]:
    """What fails the first verdict that is not met, each thing once."""
    failing = (verdict.with_truth(Truth.NOT_MET) for verdict in decision.verdicts)
    return list(dict.fromkeys(finding.criterion.fails_as for finding in next(filter(None, failing), ())))


def _summary(decision: Decision, outcome: str) -> str:
    template = decision.policy.wording["summaries"][outcome]
    names = _failing_names(decision)
    plain = decision.policy.procedure
    of_parts = ", ".join((plain, *(part.label for part in decision.parts)))
    counted = count(len(names), "criterion", "criteria")
    for shown, procedure in product((", ".join(names), counted), (of_parts, plain)):
        summary = template.format(**_holes(decision, shown, procedure))
        if len(summary) <= SUMMARY_LIMIT:
            break
    return str(summary)


def _detail(decision: Decision, outcome: str, chart: Chart) -> str:
    wording = decision.policy.wording
    names = _failing_names(decision)
    shown = ", ".join(names) if len(names) <= MOST_EVIDENCE else count(len(names), "criterion", "criteria")
    lead = wording["leads"][outcome].format(**_holes(decision, shown, decision.policy.procedure))
    blocks = [lead + _not_read(decision, chart), *_by_part(decision)]
    if decision.died is not None:
        blocks.insert(0, f"**{_of_the_dead(decision.died)}.**")
    listed: set[str] = set()
    for verdict in decision.verdicts:
        fresh = [finding for finding in verdict.findings if finding.key not in listed]
        if fresh:
            title = verdict.rule.title if not listed else f"{verdict.rule.title}, in addition"
            if verdict.truth is Truth.MET and verdict.rule.as_far_as:
                title += f": met {verdict.rule.as_far_as}"
            blocks.append(
                table((title, "On record"), rows_of(fresh, merge=bool(listed), apart=len(decision.parts) > 1))
            )
        elif verdict.reason and not verdict.rule.payer:
            word = "does not apply" if verdict.truth is Truth.NOT_APPLICABLE else "not applied"
            blocks.append(f"**{verdict.rule.title}:** {word}: {verdict.reason}")
        listed |= {finding.key for finding in verdict.findings}
    blocks += _roles_not_recorded(decision)
    blocks += _not_fetched(decision, chart)
    blocks += _not_counted(decision, chart)
    if "note_line" in wording:
        blocks.append(wording["note_line"])
    review = _review(decision)
    if review:
        blocks.append(f"**For review:** {review}.")
    blocks.append(_payer(decision))
    if decision.order is not None:
        blocks[-1] += f" **Codes:** {_codes(decision, chart)}"
        if decision.order.by_text:
            blocks.append(wording["by_text_line"].format(procedure=decision.policy.procedure))
    if "evidence_line" in wording:
        blocks.append(f"**Evidence:** {wording['evidence_line']}")
    blocks += _notices(decision.policy)
    blocks.append(last_line(decision.policy, decision.today))
    return "\n\n".join(blocks)


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
        stands = [f"{not_met} not met"] * bool(not_met) + [f"{unknown} to document"] * bool(unknown)
        said.append(f"**{part.label[0].upper()}{part.label[1:]}:** {', '.join(stands) or 'all met'}.")
    yield " ".join(said)


def _not_read(decision: Decision, chart: Chart) -> str:
    """A sentence that names the kinds of record that criteria read and that did not arrive whole, if there are any."""
    missing = sorted(
        TYPES[name].called
        for name in decision.policy.resource_types & chart.why_missing.keys()
        if not TYPES[name].only_shown
    )
    if not missing:
        return ""
    return " " + str(decision.policy.wording["not_read_line"].format(types=few(missing, ", ", " and ")))


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
        yield f"**Role not recorded:** {few(list(names), ', ', ' and ')}."


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


def _of_the_dead(died: str) -> str:
    when = f" ({escape(died[:10])})" if died else ""
    return f"Patient recorded as deceased{when}: confirm the patient before ordering"


def last_line(policy: Policy, today: date) -> str:
    """The line that ends every card: what people have still to verify, what it is not, its edition and day."""
    wording = policy.wording
    pending = ""
    if any(criterion.statement_text == "pending-verification" for criterion in policy.criteria):
        pending += f"{wording['statement_pending']} "
    if not policy.review.checked_by:
        pending += f"{wording['not_checked']} "
    return str(wording["footer"].format(pending=pending, edition=policy.edition, today=today.isoformat()))


def _review(decision: Decision) -> str:
    parts = [f"{says} ({evidence_in_words(evidence)})" if evidence else says for says, evidence in decision.for_review]
    apart = len(decision.parts) > 1
    outside = [finding for finding in decision.outside_verdicts if finding.manner != DOES_NOT_APPLY]
    silent = [
        finding for finding in outside if finding.truth is Truth.UNKNOWN and not (finding.evidence or finding.contrary)
    ]
    if silent:
        parts.append(f"{', '.join(title_of(finding, apart) for finding in silent)}: to document")
    for finding in outside:
        if finding not in silent:
            word = {Truth.MET: "met", Truth.NOT_MET: "not met", Truth.UNKNOWN: "to document"}[finding.truth]
            parts.append(f"{title_of(finding, apart)}: {finding.manner or word}, {on_record(finding, with_need=False)}")
    return "; ".join(parts)


def _payer(decision: Decision) -> str:
    position = decision.payer
    if not position.payers:
        return f"**Payer:** {escape(position.reason)}."
    lines = []
    for name, payer in position.payers[:MOST_EVIDENCE]:
        if payer is None:
            why = position.reason if name == NOT_READABLE else "no position on file"
            lines.append(f"{escape(name)}: {why}.")
        elif position.truth is Truth.UNKNOWN:
            held = _held(position, apart=len(decision.parts) > 1)
            lines.append(f"{escape(name)}: {escape(position.reason)}. Background: {payer.background}{held}")
        else:
            word = "criteria met" if position.truth is Truth.MET else "criteria not met"
            lines.append(f"{escape(name)}: {word} ({payer.document}, last seen in force {payer.seen_in_force}).")
    more = len(position.payers) - MOST_EVIDENCE
    if more > 0:
        lines.append(f"{more} more on record.")
    return f"**Payer** {' '.join(lines)}"


def _held(position: PayerPosition, apart: bool) -> str:
    """How the case stands against a payer's rule that may not decide, where there is one."""
    if not position.held:
        return ""
    stands = []
    for truth, word in ((Truth.NOT_MET, "not met"), (Truth.UNKNOWN, "to document")):
        names = dict.fromkeys(title_of(finding, apart) for finding in position.held if finding.truth is truth)
        stands += [f"{len(names)} {word} ({few(list(names))})"] if names else []
    return f" Held against it: {', '.join(stands) or 'all met'}."


def _codes(decision: Decision, chart: Chart) -> str:
    policy, order = decision.policy, decision.order
    wording = policy.wording
    if decision.codes_withheld:
        return str(wording["codes_withheld"])
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
    text = f"{lines}; {wording['codes_line']}"
    for row in dict.fromkeys(headers):
        leaves = (policy.orders.here.exact.get((row.system, leaf)) for leaf in row.leaves)
        named = ", ".join(f"{leaf.code} ({_label(leaf)})" for leaf in leaves if leaf)
        text += " " + wording["header_code_line"].format(code=f"{row.system_name} {row.code}", leaves=named)
    return text


def _named(act: Act) -> str:
    """What an act is called beside its code: a licensed descriptor where there is one, else the policy's own words."""
    return _label(act.code) if act.code.labelled_elsewhere else act.label


def _label(code: Code) -> str:
    return escape(code.label) if code.labelled_elsewhere else code.label


def _notices(policy: Policy) -> list[str]:
    """The whole notice of each code pack: its owner wants it wherever the words stand."""
    return [
        f"**{escape(name)} {escape(system['version'])}:** {escape(system['notice'], LONGEST_NOTICE)}"
        for name, system in policy.code_systems.items()
        if "pack" in system
    ]


def _unverified(code: Code) -> str:
    return ", code unverified" if code.seen == "unverified" else ""


def reasons_here(policy: Policy, resource: Json, chart: Chart) -> list[Code]:
    """The rows of the policy's site codes that an order gives as its reasons."""
    concepts = reason_concepts(resource, chart)
    return [row for concept in concepts for row in chart.told(_rows_of, concept, policy.orders.here)]


def _rows_of(concept: Any, codes: CodeSet) -> list[Code]:
    """The rows of a code set under which the codes of a concept fall, each once."""
    return list(dict.fromkeys(row for key in readable_keys(concept) if (row := codes.match(key))))
