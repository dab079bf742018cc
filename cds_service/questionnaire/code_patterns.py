"""Families of codes as regular expressions (FHIR R4, filter operator regex): a common prefix, or a range."""

import re
from collections.abc import Iterator

from cds_service.policy.codes import Code


def pattern_of(row: Code) -> str:
    """The expression that matches every whole code of a family, without regard to its exceptions."""
    if row.through:
        return f"(?:{'|'.join(_between(row.code, row.through))}).*"
    return f"{re.escape(row.code)}.*"


def pattern_of_exception(kept_out: str) -> str:
    """The expression for one exception of a family: a code, or a prefix if it ends with a dash."""
    return f"{re.escape(kept_out[:-1])}.*" if kept_out.endswith("-") else re.escape(kept_out)


def _between(first: str, last: str) -> Iterator[str]:
    """Expressions for the texts of one length from the first to the last, in character order."""
    shared = next((at for at, (one, other) in enumerate(zip(first, last, strict=True)) if one != other), len(first))
    head, low, high = re.escape(first[:shared]), first[shared:], last[shared:]
    if not low:
        yield head
        return
    yield from (f"{head}{re.escape(low[0])}{rest}" for rest in _from(low[1:]))
    inner = _characters(chr(ord(low[0]) + 1), chr(ord(high[0]) - 1))
    if inner:
        yield f"{head}{inner}{'.' * (len(low) - 1)}"
    yield from (f"{head}{re.escape(high[0])}{rest}" for rest in _up_to(high[1:]))


def _from(text: str) -> Iterator[str]:
    """Expressions for the texts of the same length that do not sort before this text."""
    if not text:
        yield ""
        return
    yield from (f"{re.escape(text[0])}{rest}" for rest in _from(text[1:]))
    if above := _characters(chr(ord(text[0]) + 1), "~"):
        yield f"{above}{'.' * (len(text) - 1)}"


def _up_to(text: str) -> Iterator[str]:
    """Expressions for the texts of the same length that do not sort after this text."""
    if not text:
        yield ""
        return
    if below := _characters("!", chr(ord(text[0]) - 1)):
        yield f"{below}{'.' * (len(text) - 1)}"
    yield from (f"{re.escape(text[0])}{rest}" for rest in _up_to(text[1:]))


def _characters(first: str, last: str) -> str:
    return f"[\\x{ord(first):02x}-\\x{ord(last):02x}]" if first <= last else ""
