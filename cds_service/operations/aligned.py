"""Rows of text in aligned columns, as commands print them on a terminal."""

from collections.abc import Sequence


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of at least one row; columns of numbers align right, all others left."""
    lines = [heads, *([_printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    numbers = [all(_is_number(row[column]) for row in rows) for column in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, numbers, strict=True)
        ).rstrip()
        for line in lines
    )


def _is_number(cell: str) -> bool:
    return cell.removesuffix(" %").replace(".", "").isdigit() or cell == "-"


def _printable(text: str) -> str:
    """Text without the characters that would move a terminal's cursor or change its colors."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
