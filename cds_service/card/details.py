"""The detail of a card: what to do, the known facts, and a disclaimer, short enough to read at a glance."""

import re
from collections.abc import Iterable, Sequence

from cds_service.card.assessment import Assessment
from cds_service.card.known import known
from cds_service.card.leads import around, asked
from cds_service.card.outcomes import Outcome
from cds_service.card.room import ROOMS, Room
from cds_service.card.style import FOOTER, LINES, Block, Span, Style, plain_lines
from cds_service.card.waiting import waiting_lines
from cds_service.card.words.facts import DISCLAIMER
from cds_service.card.words.lead import WRONG_PATIENT

MOST_WORDS, MOST_LINES, MOST_LEAD_WORDS, MOST_WORDS_OF_A_LINE = 120, 8, 50, 30
_WORD = re.compile(r"\w\S*")


def count_words(text: str) -> int:
    """The number of words in a text; a word has a letter or a digit."""
    return len(_WORD.findall(text))


def detail(found: Assessment, summary: str, style: Style) -> tuple[Block, ...]:
    """The blocks of a card with a decision: the fullest version within the limits, otherwise the shortest."""
    if found.outcome is Outcome.DECEASED:
        return (Block(LINES, (WRONG_PATIENT,)),)
    footer, waiting = _footer(found), Block(LINES, waiting_lines(found, style))
    first, last = around(found, style)
    # The reader reads the summary and the lead together.
    most_lead_words = MOST_LEAD_WORDS - count_words(summary)
    before: Room | None = None
    for room in ROOMS:
        # Recompute a part only if its room changed.
        if before is None or before.for_lead != room.for_lead:
            head = _together(block for block in (first, *asked(found, style, room), last) if block.lines)
        if before is None or before.for_facts != room.for_facts:
            facts = known(found, style, room)
        blocks = (*head, *(block for block in (facts.block(joined=room.joined), waiting, footer) if block.lines))
        if _fits(blocks, sum(len(block.lines) for block in head), most_lead_words):
            break
        before = room
    return blocks


def _together(blocks: Iterable[Block]) -> list[Block]:
    """The blocks, with adjacent blocks of lines joined."""
    joined: list[Block] = []
    for block in blocks:
        if joined and joined[-1].kind == LINES == block.kind:
            joined[-1] = Block(LINES, joined[-1].lines + block.lines)
        else:
            joined.append(block)
    return joined


def _fits(blocks: Sequence[Block], lead_lines: int, most_lead_words: int) -> bool:
    """Whether the blocks are within the limits; the first ``lead_lines`` lines are the lead."""
    if sum(len(block.lines) for block in blocks) > MOST_LINES:
        return False
    lines = plain_lines(blocks)

    def short(words: list[int]) -> bool:
        return (
            sum(words) <= MOST_WORDS
            and max(words) <= MOST_WORDS_OF_A_LINE
            and sum(words[:lead_lines]) <= most_lead_words
        )

    # Splitting at spaces never counts too few words, and is faster than the exact count.
    return short([len(line.split()) for line in lines]) or short([*map(count_words, lines)])


def _footer(found: Assessment) -> Block:
    phrases = found.phrases
    pending = any(item.statement_text == "pending-verification" for item in found.policy.criteria)
    evidence = phrases.evidence if found.outcome not in (Outcome.OFF_LABEL, Outcome.CONTRAINDICATED) else ""
    said = (evidence, DISCLAIMER, phrases.pending if pending else "")
    return Block(FOOTER, ((Span("", " ".join(filter(None, said))),),))
