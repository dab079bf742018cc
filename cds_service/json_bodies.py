"""Request bytes in, JSON out, or a RequestError: what every later reader may rely on is settled here, once.

JSON is RFC 8259 in UTF-8 without a byte order mark. Of two members of one name the last counts, as in every other
reader of this program. Numbers are those that a double can hold; orders keep their digits (``read_envelope``).
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
# FHIR resources nest about ten levels deep, a Bundle of Bundles in a prefetch about twenty. orjson writes no deeper.
DEEPEST = 254
# orjson reads no deeper than 1024 levels, and says so in these words.
_NO_DEEPER = "depth limit exceeded"
# Where each member of a body begins and ends: msgspec passes over a member several times faster than it could be read.
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
LONGEST_INTEGER = 19
_NUMBERS = frozenset({int, float})


def check_media_type(media_type: str, charset: str | None, encoding: str | None) -> None:
    """Refuses a body that is declared as anything but JSON in UTF-8.

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
    # Refused here, what nests too deeply breaks no later reader.
    if is_deeper(value, DEEPEST):
        raise _too_deep()
    return value


@dataclass(frozen=True, slots=True)
class Envelope:
    """A body of which one member was left unread: ``value`` is all else, ``left`` the name of that member.

    ``unread`` is that member as JSON text, None where the body has none.
    """

    data: bytes
    value: Any
    left: str
    unread: msgspec.Raw | None = None

    @property
    def holds_an_object(self) -> bool:
        """Whether the member that was left is an object, as far as its first character tells."""
        return self.unread is not None and bytes(memoryview(self.unread)[:1]) == b"{"

    def read(self) -> Any:
        """The member that was left; None where there is none. Raises RequestError 400 as ``read_json`` does."""
        if self.unread is None:
            return self.value.get(self.left) if isinstance(self.value, dict) else None
        try:
            value = orjson.loads(memoryview(self.unread))
        except orjson.JSONDecodeError:
            # The place of the fault is reported as one of the whole body.
            return read_json(self.data)[self.left]
        if is_deeper(value, DEEPEST - 1):
            raise _too_deep()
        return value


def read_envelope(data: bytes, left: str, exact: str) -> Envelope:
    """The JSON value of a body; of an object without the member ``left``, which costs next to nothing then.

    Of that member no more is known than that its structure is JSON: not its depth, its encoding, or the size of its
    numbers. The numbers of the member ``exact`` that a double may not hold as written are ``decimal.Decimal``: 1.10
    stays 1.10 (FHIR R4 decimal: precision is significant). Raises RequestError 400 as ``read_json`` does.
    """
    try:
        texts = _MEMBERS.decode(data)
        value = {name: orjson.loads(memoryview(text)) for name, text in texts.items() if name != left}
        sound = not is_deeper(value, DEEPEST)
    except (msgspec.DecodeError, RecursionError, UnicodeError, orjson.JSONDecodeError):
        sound = False
    if not sound:
        # What is wrong, and where, is reported by the one reader that reads everything.
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
    """Whether a double may not hold something of a JSON value as it was written; of most orders there is nothing."""
    level = [value]
    while level:
        if not _NUMBERS.isdisjoint(map(type, level)):
            return True
        level = get_referents(*level)
    return False


def is_deeper(value: Any, limit: int) -> bool:
    """Whether objects and lists of a JSON value nest deeper than ``limit`` levels; it looks at each part once."""
    level = [value]
    for _ in range(limit):
        # What an object or a list holds, level by level: five times quicker than any loop that asks each part.
        level = get_referents(*level)
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


def _too_deep() -> RequestError:
    sentence = f"The body is nested more than {DEEPEST} levels deep; FHIR resources nest about ten."
    return RequestError(400, "too-costly", sentence)


def _reason(data: bytes, error: orjson.JSONDecodeError) -> str:
    """What is wrong, in words that repeat nothing of the body."""
    if "utf-8" in error.msg or "UTF-8" in error.msg:
        return "it is not encoded in UTF-8"
    if "infinity" in error.msg:
        return "a number is larger than a double can hold (about 1.8e308)"
    return error.msg


def _unsupported(sentence: str) -> RequestError:
    return RequestError(415, "not-supported", sentence)
