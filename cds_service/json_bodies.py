"""Request bytes in, JSON out, or a RequestError: the one place that validates JSON for all later readers.

JSON is RFC 8259 in UTF-8 without a byte order mark. If a name occurs twice, the last member counts, as in all readers
of this program. Numbers must fit into a double; orders keep their digits (``read_envelope``).
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from gc import get_referents
from typing import Any

import msgspec
import orjson

from cds_service.errors import RequestError

MEDIA_TYPES = ("application/json", "application/fhir+json")
# FHIR resources nest about ten levels deep, a Bundle of Bundles in a prefetch about twenty. orjson writes at most this
# depth.
DEEPEST = 254
# The start of orjson's error for more than 1024 levels.
_NO_DEEPER = "depth limit exceeded"
# Finds where each member of a body begins and ends: msgspec skips a member several times faster than it could parse it.
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
LONGEST_INTEGER = 19
_NUMBERS = frozenset({int, float})


def check_media_type(media_type: str, charset: str | None, encoding: str | None) -> None:
    """Refuse a body that is not declared as JSON in UTF-8.

    ``media_type`` is the Content-Type without parameters, ``charset`` its parameter, ``encoding`` the Content-Encoding.
    Raises RequestError 415.
    """
    if media_type not in MEDIA_TYPES:
        said = media_type[:60] or "nothing"
        raise _unsupported(f"The body is sent as '{said}'; send it with Content-Type: application/json.")
    if charset and charset.lower().strip('"').replace("_", "-") not in ("utf-8", "utf8", "us-ascii"):
        raise _unsupported(f"The body is sent in the charset '{charset[:40]}'; JSON is sent in UTF-8.")
    if encoding and encoding.lower() != "identity":
        raise _unsupported(f"The body is sent with Content-Encoding: {encoding[:40]}; send it uncompressed.")


def read_json(data: bytes) -> Any:
    """The JSON value of a body. Raises RequestError 400: empty, not UTF-8, not JSON, too deep, a number too large."""
    if not data.strip(b" \t\r\n"):
        raise RequestError(400, "structure", "The body is empty; send the request as JSON.")
    if data.startswith(b"\xef\xbb\xbf"):
        raise RequestError(400, "structure", "The body begins with a byte order mark; send JSON without one.")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if error.msg.startswith(_NO_DEEPER):
            raise _too_deep() from None
        place = f"line {error.lineno}, column {error.colno}"
        raise RequestError(400, "structure", f"The body is not JSON: {place}: {_reason(data, error)}.") from None
    # Refuse deep nesting here, before it breaks a later reader.
    if is_deeper(value, DEEPEST):
        raise _too_deep()
    return value


@dataclass(frozen=True, slots=True)
class Envelope:
    """A parsed body with one member left unread: ``value`` is the rest, ``left`` the name of that member.

    ``unread`` is that member as JSON text; None if the body has no such member.
    """

    data: bytes
    value: Any
    left: str
    unread: msgspec.Raw | None = None

    @property
    def holds_an_object(self) -> bool:
        """Whether the unread member is an object, according to its first character."""
        return self.unread is not None and bytes(memoryview(self.unread)[:1]) == b"{"

    def read(self) -> Any:
        """The unread member, parsed; None if there is none. Raises RequestError 400 as ``read_json`` does."""
        if self.unread is None:
            return self.value.get(self.left) if isinstance(self.value, dict) else None
        try:
            value = orjson.loads(memoryview(self.unread))
        except orjson.JSONDecodeError:
            # Report the place of the fault within the whole body.
            return read_json(self.data)[self.left]
        if is_deeper(value, DEEPEST - 1):
            raise _too_deep()
        return value


def read_envelope(data: bytes, left: str, exact: str) -> Envelope:
    """The JSON value of a body; an object comes without the member ``left``, which then costs almost nothing.

    Only the structure of that member is validated, not its depth, its encoding, or the size of its numbers. In the
    member ``exact``, numbers that a double may not keep as written are ``decimal.Decimal``: 1.10 stays 1.10 (FHIR R4
    decimal: precision is significant). Raises RequestError 400 as ``read_json`` does.
    """
    try:
        texts = _MEMBERS.decode(data)
        value = {name: orjson.loads(memoryview(text)) for name, text in texts.items() if name != left}
        sound = not is_deeper(value, DEEPEST)
    except (msgspec.DecodeError, RecursionError, UnicodeError, orjson.JSONDecodeError):
        sound = False
    if not sound:
        # ``read_json`` reads everything, so it reports the fault and its place.
        whole = read_json(data)
        if isinstance(whole, dict) and exact in whole:
            whole[exact] = _with_exact_numbers(data)[exact]
        return Envelope(data, whole, left)
    if exact in texts and _holds_a_number(value[exact]):
        value[exact] = _with_exact_numbers(bytes(texts[exact]))
    return Envelope(data, value, left, texts.get(left))


def _with_exact_numbers(data: bytes) -> Any:
    return json.loads(data, parse_float=Decimal, parse_int=_whole)


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) < LONGEST_INTEGER else Decimal(digits)


def _holds_a_number(value: Any) -> bool:
    """Whether a JSON value has a number, which a double may not keep as written; most orders have none."""
    level = [value]
    while level:
        if not _NUMBERS.isdisjoint(map(type, level)):
            return True
        level = get_referents(*level)
    return False


def is_deeper(value: Any, limit: int) -> bool:
    """Whether objects and lists of a JSON value nest deeper than ``limit`` levels; visits each part once."""
    level = [value]
    for _ in range(limit):
        # The contents of objects and lists, level by level: five times faster than a loop over the parts.
        level = get_referents(*level)
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


def _too_deep() -> RequestError:
    sentence = f"The body is nested more than {DEEPEST} levels deep; FHIR resources nest about ten."
    return RequestError(400, "too-costly", sentence)


def _reason(data: bytes, error: orjson.JSONDecodeError) -> str:
    """The fault, in words that repeat nothing of the body."""
    if "utf-8" in error.msg or "UTF-8" in error.msg:
        return "it is not encoded in UTF-8"
    if "infinity" in error.msg:
        return "a number is larger than a double can hold (about 1.8e308)"
    return error.msg


def _unsupported(sentence: str) -> RequestError:
    return RequestError(415, "not-supported", sentence)
