"""One CDS Hooks card for the answer of a rule set to a call (https://cds-hooks.hl7.org/2.0/#card-attributes)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cds_service.card import details, evidence_words, leads, summaries
from cds_service.card.assessment import Assessment
from cds_service.card.ids import IdMaker, reason_system
from cds_service.card.markdown import one_line
from cds_service.card.outcomes import Outcome
from cds_service.card.style import LINES, Block, Line, Span, Style, written
from cds_service.card.suggestions import suggestions
from cds_service.card.words import rest as words
from cds_service.card.words.summary import not_checked
from cds_service.facts.logic import Truth
from cds_service.fhir.elements import Json
from cds_service.fhir.types import TYPES
from cds_service.policy.model import Part, Pathway, Policy
from cds_service.policy.phrases import CardMessage
from cds_service.verdicts.decisions import Urgent

# The most words in the second part of a card without an evidence page.
MOST_SPELLED_OUT = 300
_BOLD = re.compile(r"\*\*(.+?)\*\*\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Our own addresses: ``public_url`` (pages) and ``canonical_base`` (identities), without trailing slashes."""

    public_url: str
    canonical_base: str


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything that a card of a rule set needs in addition to its text."""

    policy: Policy
    addresses: Addresses
    make_id: IdMaker
    style: Style

    def card(self, outcome: Outcome, summary: str, detail: str) -> Json:
        """A card without suggestions."""
        phrases, base = self.policy.phrases, self.addresses.canonical_base
        page = f"{self.addresses.public_url}/policies/{self.policy.id}"
        card = {
            "uuid": self.make_id("card"),
            "summary": summary,
            "indicator": outcome.indicator,
            "detail": detail,
            "source": {
                "label": phrases.source_label,
                # A rule set based on several documents links to the page that lists them.
                "url": phrases.source_url or page,
                "topic": {
                    "system": f"{base}/CodeSystem/topics",
                    "code": f"{phrases.topic}{outcome.topic}",
                    "display": words.topic(phrases.therapy, outcome.called),
                },
            },
            "links": [{"label": words.CRITERIA_LINK, "url": page, "type": "absolute"}],
            "overrideReasons": [
                {"system": reason_system(base), "code": code, "display": words.REASONS[code]}
                for code in outcome.reasons
            ],
        }
        if not detail:
            del card["detail"]
        return card


def guidance_card(found: Assessment, frame: Frame) -> Json:
    """The card for a decision; with suggestions if its outcome allows codes.

    For an opened chart it is one line followed by the urgent records, because nothing is ordered yet.
    """
    decision, style = found.decision, frame.style
    summary = summaries.summary(found, style)
    if decision.order is None:
        lines = leads.urgent_lines(found.urgent, style)
        detail = written((Block(LINES, lines),), style) if lines else ""
        return frame.card(found.outcome, summary, detail) | {"indicator": "info"}
    blocks = details.detail(found, summary, style)
    if style.spells_out and found.outcome.decided:
        blocks += (Block(LINES, tuple(_spelled_out(found, style))),)
    blocks += _notices(found.policy)
    card = frame.card(found.outcome, summary, written([block for block in blocks if block.lines], style))
    if found.outcome.suggests:
        offered = suggestions(decision, frame.make_id)
        if offered:
            card["suggestions"] = offered
            card["selectionBehavior"] = "any"
    return card


def ask_card(frame: Frame, at_site: bool, urgent: Sequence[Urgent]) -> Json:
    """The card that asks whether the order is for this therapy; it suggests nothing.

    ``at_site``: the order gives the site, so the card asks which therapy the order is for.
    """
    messages = frame.policy.phrases.messages
    kind = "ask_therapy" if at_site and "ask_therapy" in messages else "ask"
    return _message_card(frame, Outcome.UNCLEAR, messages[kind], "", urgent)


def ask_scope_card(frame: Frame, urgent: Sequence[Urgent]) -> Json:
    """The card that asks which part of the scope is meant; it evaluates and suggests nothing."""
    return _message_card(frame, Outcome.UNCLEAR, frame.policy.phrases.messages["ask_scope"], "", urgent)


def pathway_card(frame: Frame, row: Pathway, parts: Sequence[Part], urgent: Sequence[Urgent]) -> Json:
    """The card for an order that follows another pathway, so that the criteria do not apply; it suggests nothing."""
    named = evidence_words.parts_in_words(frame.policy, parts)
    return _message_card(frame, Outcome.ROUTED, frame.policy.phrases.pathways[row.says], named, urgent)


def failed_card(frame: Frame, late: bool = False) -> Json:
    """The card for a rule set that could not be evaluated, or not in time (``late``); it suggests nothing."""
    lines = (words.LATE if late else words.FAILED, words.TRY_AGAIN)
    return frame.card(
        Outcome.FAILED, not_checked(frame.policy.phrases.therapy), written((Block(LINES, lines),), frame.style)
    )


def _message_card(frame: Frame, outcome: Outcome, message: CardMessage, parts: str, urgent: Sequence[Urgent]) -> Json:
    def filled(text: str) -> str:
        # Without a part, drop its placeholder.
        return text.format(parts=parts) if parts else text.replace(", {parts}", "").replace(" ({parts})", "")

    lines = (*leads.urgent_lines(urgent, frame.style), *(_line(filled(text)) for text in message.lines))
    detail = written((Block(LINES, lines),), frame.style)
    return frame.card(outcome, filled(message.summary), detail)


def _line(text: str) -> Line:
    """An author's line, with the words between ** in bold."""
    found = _BOLD.fullmatch(text)
    return (Span(found[1], found[2]),) if found else (Span("", text),)


def _spelled_out(found: Assessment, style: Style) -> Iterator[Line]:
    """The evidence page's content by name: in conflict, not met, open, not received, and not counted."""
    rows = (*found.counted, *found.outside)
    conflicts = [row for row in rows if row.conflict]
    groups = (
        (words.CONFLICTING, [row.phrases.topic for row in conflicts]),
        (words.NOT_MET, [evidence_words.fails(row, style) for row in rows if row.truth is Truth.NOT_MET]),
        (
            words.DOCUMENTATION_NEEDED,
            [
                f"{row.phrases.topic} ({row.phrases.doc})"
                for row in rows
                if row.truth is Truth.UNKNOWN and row not in conflicts
            ],
        ),
        (words.NOT_RECEIVED, [TYPES[name].called for name in found.not_received]),
        (words.NOT_COUNTED, [*_not_counted(found)]),
    )
    left = MOST_SPELLED_OUT
    for title, names in groups:
        shown = []
        for name in names:
            left -= details.count_words(name)
            if left < 0:
                break
            shown.append(name)
        if names:
            yield words.named(title, "; ".join(shown), len(names) - len(shown))


def _not_counted(found: Assessment) -> Iterator[str]:
    """Each relevant record that does not count or could not be evaluated, with the reason."""
    said: dict[str, str] = {}
    for row in (*found.counted, *found.outside):
        for finding in row.findings:
            for item in finding.not_counted:
                said.setdefault(item.reference, f"{one_line(item.display, 60)}: {one_line(item.why, 80)}")
    for name in sorted(found.policy.resource_types):
        for dropped in found.chart.delivery(name).dropped:
            said.setdefault(dropped.reference, words.one_record(TYPES[name].called, one_line(dropped.why, 80)))
    yield from dict.fromkeys(said.values())


def _notices(policy: Policy) -> tuple[Block, ...]:
    """The full notice of each code pack; its owner requires the notice wherever its words appear."""
    packs = ((name, system) for name, system in policy.code_systems.items() if "pack" in system)
    return tuple(
        Block(LINES, (words.notice(f"{name} {system['version']}", system["notice"]),)) for name, system in packs
    )
