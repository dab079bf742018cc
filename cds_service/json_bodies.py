"""Request bytes in, JSON out, or a RequestError: what every later reader may rely on is settled here, once.

JSON is RFC 8259 in UTF-8 without a byte order mark. Of two members of one name the last counts, as in every other
reader of this program. Numbers are those that a double can hold; orders keep their digits
(``hooks.with_exact_numbers``).
"""

from typing import Any

import orjson

from cds_service.errors import RequestError

MEDIA_TYPES = ("application/json", "application/fhir+json")
# FHIR resources nest about ten levels deep, a Bundle of Bundles in a prefetch about twenty. orjson writes no deeper.
DEEPEST = 254
# orjson reads no deeper than 1024 levels, and says so in these words.
_NO_DEEPER = "depth limit exceeded"


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
        # Refused here, what nests too deeply breaks no later reader; writing is many times quicker than any other look.
        orjson.dumps(value)
    except orjson.JSONDecodeError as error:
        if error.msg.startswith(_NO_DEEPER):
            raise _too_deep() from None
        place = f"line {error.lineno}, column {error.colno}"
        raise RequestError(400, "structure", f"The body is not JSON: {place}: {_reason(data, error)}.") from None
    except orjson.JSONEncodeError:
        raise _too_deep() from None
    return value


def is_deeper(value: Any, limit: int) -> bool:
    """Whether objects and lists of a JSON value nest deeper than ``limit`` levels; it looks at each part once."""
    level = [value]
    for _ in range(limit + 1):
        level = [item for item in level if isinstance(item, dict | list)]
        if not level:
            return False
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return True


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
