"""The evidence page of each answer as text for a terminal, and the cards, in color if supported."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from cds_service.card.assessment import Assessment
from cds_service.card.evidence_page import evidence_page, page_words
from cds_service.card.evidence_sources import rule_set_part
from cds_service.card.markdown import one_line
from cds_service.card.outcomes import Outcome
from cds_service.card.style import DEFAULT_STYLE
from cds_service.card.summaries import summary
from cds_service.service import hook_call
from cds_service.service.statement import Answer
from cds_service.web.evidence_view import EvidenceRow, RowGroup, view

IF_MEANT = "The order is unclear. If it is for this procedure, these are the results for its criteria."
ROUTED = "The criteria are not written for this order, so they were not evaluated. Route: {route}."
NO_POLICY = "No statement applies to this call, so no card is shown."
NO_CARD = "No card."
# Keyed by the badge of a result on the page.
_COLORS = {"not-met": "bold red", "unknown": "yellow", "met": "green", "met attested": "green", "plain": "dim"}
_QUIET, _STRONG, _HEADING = "dim", "bold", "bold underline"


class Paragraph(NamedTuple):
    """Text that wraps next to its mark."""

    text: Text
    mark: Text = Text()


def print_answers(answers: Sequence[Answer], day: date) -> None:
    """Prints each answer's statement, with its page if criteria were evaluated, and then the cards."""
    # Chart text is not markup, and its numbers must not be colored.
    console = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
    for paragraph in _told(answers, day):
        beside = paragraph.mark.cell_len + bool(paragraph.mark)
        for number, line in enumerate(paragraph.text.wrap(console, max(console.width - beside, 20)) or [Text()]):
            head = paragraph.mark + Text(" ") if paragraph.mark else Text()
            line.rstrip()
            console.print((head if number == 0 else Text(" " * beside)) + line)


def _told(answers: Sequence[Answer], day: date) -> Iterator[Paragraph]:
    for item in answers:
        yield from _answer(item, day)
        yield Paragraph(Text())
    if not answers:
        yield Paragraph(Text(NO_POLICY))
        return
    cards = hook_call.response(answers)["cards"]
    for card in cards:
        yield from _card(card)
    if not cards:
        yield Paragraph(Text(NO_CARD))


def _answer(item: Answer, day: date) -> Iterator[Paragraph]:
    on = DEFAULT_STYLE.date(day.isoformat())
    order = one_line(item.order) if item.order else "no order"
    yield _quiet(f"{item.policy.id}, {order}, evaluated on {on}")
    if item.outcome is Outcome.ROUTED:
        yield Paragraph(Text(ROUTED.format(route=item.pathway), _STRONG))
    found = item.assessment
    if item.if_meant is not None:
        yield Paragraph(Text(IF_MEANT, _STRONG))
        found = item.if_meant
    if found is not None:
        yield from page_as_text(_page(item, found, day))


def _page(item: Answer, found: Assessment, day: date) -> dict[str, Any]:
    part = rule_set_part(item.policy)
    page = evidence_page(
        found.decision,
        found.chart,
        page_words(found, summary(found, DEFAULT_STYLE)),
        card=item.card["uuid"] if item.card else "",
        digest=part["digest"],
        made=datetime.combine(day, time()),
    )
    return view(page, part)


def page_as_text(page: Mapping[str, Any]) -> Iterator[Paragraph]:
    """The output of ``web.evidence_view.view``, section by section."""
    words = page["words"]
    yield Paragraph(Text(page["summary"], _STRONG))
    facts = {"patient": page["patient"], "order": page["orders"], "side": page["parts"], "payer": page["payers"]}
    yield from (_labeled(f"{words[name]}:", said) for name, said in facts.items() if said)
    yield from (_counts(group) for group in page["groups"] if group.counts)
    yield from _section(words["attach"], (_labeled(f"{name}:", says, "☐") for name, says in page["checklist"]))
    first = (_labeled(f"{title} ({result}):", why, "!") for title, result, why in page["first"])
    yield from _section(words["resolve"], first)
    for group in page["groups"]:
        yield from _section(group.title, [*map(_quiet, group.notes), *_criteria(group.rows, words)])
    confirm = [_labeled("", line, "-") for line in page["confirm"]]
    note = [_quiet(page["note"])] if page["note"] else []
    yield from _section(words["confirm"], [*confirm, *_criteria(page["review"], words), *note])
    payer = [_labeled(f"{name}:" if name else "", says) for name, says in page["payer"]]
    yield from _section(words["payer"], [*payer, *_criteria(page["clauses"], words)])
    codes = [_labeled(code, label, "-") for code, label in page["codes"]["rows"]]
    notices = [_labeled(f"{item['name']}:", item["says"]) for item in page["codes"]["notices"]]
    yield from _section(words["codes"], [*codes, _quiet(page["codes"]["line"]), *notices])
    evidence = [Paragraph(Text(page["evidence"]))] if page["evidence"] else []
    studies = [_labeled(f"{speaks}:", f"{finding} {limits}", "-") for speaks, finding, limits in page["studies"]]
    yield from _section(words["studies"], [*evidence, *studies])
    yield from _section(words["received"], (_labeled(f"{name}:", says, "-") for name, says in page["received"]))
    about = [Paragraph(Text(text)) for text in (page["about"], page["limits"]) if text]
    card = [_quiet(f"{words['card']} {page['card']}")] if page["card"] else []
    yield from _section(words["about"], [*about, *card])
    sources = (_labeled(f"{title}:", f"{says} {url or ''}".rstrip(), "-") for title, says, url in page["sources"])
    yield from _section(words["sources"], sources)


def _section(title: str, paragraphs: Iterable[Paragraph]) -> Iterator[Paragraph]:
    """An empty line, a heading, and its content; nothing if there is no content."""
    under = [*paragraphs]
    if under:
        yield from (Paragraph(Text()), Paragraph(Text(title, _HEADING)), *under)


def _counts(group: RowGroup) -> Paragraph:
    said = [(f"{result.mark} {result.word}: {number}", _COLORS[result.badge]) for result, number in group.counts]
    return Paragraph(Text("  ").join([Text(f"{group.title}:"), *(Text(text, color) for text, color in said)]))


def _criteria(rows: Iterable[EvidenceRow], words: Mapping[str, str]) -> Iterator[Paragraph]:
    for row in rows:
        color = _COLORS[row.result.badge]
        yield Paragraph(
            Text.assemble((row.title, _STRONG), ": ", (row.result.word, color)), Text(row.result.mark, color)
        )
        # Aligns further lines with the title.
        under = Text(" ")
        for label, text in row.lines:
            yield _labeled(f"{label}:" if label else "", text)._replace(mark=under)
        if row.checked:
            yield _quiet(f"{words['looked_for']}: {'; '.join(row.checked)}")._replace(mark=under)
        for number, line in enumerate(row.wording):
            yield _quiet(line if number else f"{words['wording']}: {line}")._replace(mark=under)


def _labeled(label: str, text: str, mark: str = "") -> Paragraph:
    return Paragraph(Text.assemble((label, _STRONG), f" {text}" if label else text), Text(mark))


def _quiet(text: str) -> Paragraph:
    return Paragraph(Text(text, _QUIET))


def _card(card: Mapping[str, Any]) -> Iterator[Paragraph]:
    yield Paragraph(Text.assemble((card["summary"], _STRONG), f" ({card['indicator']})"))
    for line in card.get("detail", "").splitlines():
        yield Paragraph(Text(line))
    yield from (_labeled("", item["label"], "+") for item in card.get("suggestions", ()))
