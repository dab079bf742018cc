"""The header and the claims of the token in an Authorization header, which must have the canonical spelling.

RFC 6750 (Bearer), RFC 7515 (JWS), RFC 8725 (best current practice). Nothing here is verified yet.
"""

import json
import re
from typing import Any, NoReturn

from cds_service.json_bodies import is_deeper
from cds_service.trust.checks import UntrustedError
from cds_service.trust.jwk import decoded

# Less than gunicorn's limit for a header field (8190), beyond which it sends its own answer; a token with a certificate
# still fits.
LONGEST_TOKEN = 8000
DEEPEST = 10
_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)
_SIGNED = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")


def token_of(authorization: str | None) -> str:
    """The token of an Authorization header. Raises UntrustedError."""
    if authorization is None:
        raise UntrustedError("header", "Authorization: Bearer, followed by a token", "no Authorization header")
    if len(authorization) > LONGEST_TOKEN:
        raise UntrustedError("header", f"at most {LONGEST_TOKEN} characters", f"{len(authorization)} characters")
    found = _BEARER.fullmatch(authorization)
    if found is None:
        raise UntrustedError("header", "'Bearer', a space, and one token", _kind_of(authorization))
    return found[1]


def _kind_of(authorization: str) -> str:
    scheme = re.match(r"(basic|digest|negotiate|bearer)\b", authorization, re.IGNORECASE)
    if scheme is None:
        return "another scheme, or only a token"
    return (
        "'Bearer' that is not followed by a space and one token"
        if scheme[1].lower() == "bearer"
        else f"the scheme {scheme[1]}"
    )


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token (RFC 7515, section 7.1). Raises UntrustedError."""
    found = _SIGNED.fullmatch(token)
    if found is None:
        number = token.count(".") + 1
        got = "five parts, which is an encrypted token" if number == 5 else f"{number} part(s), or other characters"
        raise UntrustedError("form", "three nonempty parts in base64url, separated by dots", got)
    if decoded(found[3]) is None:
        raise UntrustedError("form", "a signature in base64url without padding", "something else")
    return _object("header", found[1]), _object("payload", found[2])


def _object(part: str, text: str) -> dict[str, Any]:
    """A part as a JSON object (RFC 8725, section 2.4: exactly one reading). Raises UntrustedError."""
    data = decoded(text)
    if data is None:
        raise UntrustedError("form", f"a {part} in base64url without padding", "something else")
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
        # An unpaired surrogate is not a character, and no log or database could store it.
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeError:
        raise UntrustedError("form", f"a {part} in UTF-8", "other bytes") from None
    except RecursionError:
        raise _too_deep(part) from None
    except ValueError:
        raise UntrustedError("form", f"a {part} that is JSON without repeated names", "something else") from None
    if is_deeper(value, DEEPEST):
        raise _too_deep(part)
    if not isinstance(value, dict):
        raise UntrustedError("form", f"a {part} that is a JSON object", "another JSON value")
    return value


def _too_deep(part: str) -> UntrustedError:
    return UntrustedError("form", f"a {part} nested at most {DEEPEST} levels deep", "a deeper one")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError
    return members


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)
