"""A client's style for cards: the format of the detail, the dates, and what is spelled out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape as html_escape
from typing import NamedTuple

from cds_service.card.markdown import escape, one_line

# Markdown is the format of CDS Hooks; text is for clients that do not render it; HTML is Epic's extension.
MARKDOWN, TEXT, HTML = "markdown", "text", "html"
US, ISO = "us", "iso"
# Matches neither digits within a code nor a dateTime.
_DATE = re.compile(r"(?<![\w-])((?:19|20)\d\d)-(0[1-9]|1[0-2])(?:-([0-2]\d|3[01]))?(?![\w-])")
_PERCENT = re.compile(r"(?<=\d) %")


@dataclass(frozen=True, slots=True)
class Style:
    """The ``detail_format`` and ``dates`` of a client.

    With ``spells_out``, a card ends with the content that the evidence page would show.
    """

    detail_format: str = MARKDOWN
    dates: str = US
    spells_out: bool = False

    def date(self, text: str) -> str:
        """The text with each ISO date as MM/DD/YYYY or MM/YYYY, or unchanged for a client with ISO dates."""
        return text if self.dates == ISO else _DATE.sub(_in_us_order, text)


def _in_us_order(found: re.Match[str]) -> str:
    year, month, day = found.groups()
    return f"{month}/{day}/{year}" if day else f"{month}/{year}"


DEFAULT_STYLE = Style()


def with_units(text: str) -> str:
    """A text with units as people write them: "57%", "29.4 kg/m²"."""
    return _PERCENT.sub("%", text).replace(" kg/m2", " kg/m²")


class Span(NamedTuple):
    """A part of a line: bold text, and the plain text after it."""

    bold: str
    plain: str = ""


Line = tuple[Span, ...]


class Block(NamedTuple):
    """Lines that belong together: ``lines``, ``bullets`` or the ``footer``."""

    kind: str
    lines: tuple[Line, ...]


LINES, BULLETS, FOOTER = "lines", "bullets", "footer"


def plain_lines(blocks: Sequence[Block]) -> list[str]:
    """The lines as shown, without markup; the limits of a card count these."""
    return [" ".join([part for span in line for part in span if part]) for block in blocks for line in block.lines]


def written(blocks: Sequence[Block], style: Style) -> str:
    """The detail of a card in one of the ``DETAIL_FORMATS``.

    The Markdown renders alike in GitHub and CommonMark: a line ends in two spaces, and blank lines separate blocks.
    HTML uses p, ul, li, strong and em. All text is escaped here, whatever its source.
    """
    return {MARKDOWN: _markdown, TEXT: _text, HTML: _html}[style.detail_format](blocks)


def _joined(line: Line, safe: Callable[[str], str], bold: Callable[[str], str]) -> str:
    parts = []
    for said in line:
        parts += [bold(safe(said.bold))] if said.bold else []
        parts += [safe(said.plain)] if said.plain else []
    return " ".join(parts)


# Each part of a line is already short, so this limit never cuts a line.
_LINE = 2_000


def _markdown(blocks: Sequence[Block]) -> str:
    def line_of(line: Line) -> str:
        return _joined(line, lambda text: escape(text, _LINE), lambda text: f"**{text}**")

    said = []
    for block in blocks:
        if block.kind == BULLETS:
            said.append("\n".join(f"- {line_of(line)}" for line in block.lines))
        elif block.kind == FOOTER:
            said.append("  \n".join(f"*{line_of(line)}*" for line in block.lines))
        else:
            said.append("  \n".join(line_of(line) for line in block.lines))
    return _apart(blocks, said)


def _text(blocks: Sequence[Block]) -> str:
    def line_of(line: Line) -> str:
        return _joined(line, lambda text: one_line(text, _LINE), str)

    said = [
        "\n".join(f"- {line_of(line)}" if block.kind == BULLETS else line_of(line) for line in block.lines)
        for block in blocks
    ]
    return _apart(blocks, said)


def _html(blocks: Sequence[Block]) -> str:
    def line_of(line: Line) -> str:
        return _joined(line, lambda text: html_escape(one_line(text, _LINE)), lambda text: f"<strong>{text}</strong>")

    said = []
    for block in blocks:
        if block.kind == BULLETS:
            said.append("<ul>" + "".join(f"<li>{line_of(line)}</li>" for line in block.lines) + "</ul>")
        elif block.kind == FOOTER:
            said.append("".join(f"<p><em>{line_of(line)}</em></p>" for line in block.lines))
        else:
            said.append("".join(f"<p>{line_of(line)}</p>" for line in block.lines))
    return "".join(said)


def _apart(blocks: Sequence[Block], said: Sequence[str]) -> str:
    """The blocks separated by blank lines, except between a list and its heading."""
    text = ""
    for place, (block, part) in enumerate(zip(blocks, said, strict=True)):
        heads = block.kind == BULLETS and place > 0 and blocks[place - 1].kind == LINES
        text += ("" if place == 0 else "\n" if heads else "\n\n") + part
    return text
