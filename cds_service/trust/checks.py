"""The checks of a token by name, in order, and the two kinds of failure."""

from collections.abc import Mapping
from typing import NamedTuple

from cds_service.trust.keys import FAILED_SECONDS

# Every check, in order, and its requirement.
CHECKS: Mapping[str, str] = {
    "header": "the call has one Authorization header with 'Bearer' and the token",
    "form": "the token is a signed JWT in its canonical spelling",
    "critical": "the token requires no extensions (crit, b64, zip, enc)",
    "type": "typ is JWT or is missing",
    "kid": "kid names a key",
    "issuer": "iss matches the issuer of a client",
    "algorithm": "alg is an algorithm of the client",
    "jku": "jku is an address of the client's key set or is missing",
    "key": "the client has the key that kid names, and alg can use that key",
    "signature": "the key made the signature",
    "audience": "aud is the address that was called",
    "issued": "iat is present and not ahead of the service's clock",
    "not-yet": "nbf is not ahead of the service's clock",
    "expired": "exp is present and in the future",
    "lifetime": "the time from iat to exp is not too long",
    "jti": "jti identifies the token",
    "tenant": "tenant is a tenant of the client",
    "replay": "the token was not used before",
}


class UntrustedError(Exception):
    """A refused token: the failed check of CHECKS, the expected value, and the actual one.

    ``got`` contains no token or signature, but text from the caller, which only the operator may see. So the text of
    the error is only the name of the check.
    """

    def __init__(self, check: str, expected: str, got: str) -> None:
        super().__init__(check)
        self.check, self.expected, self.got = check, expected, got


class TrustUnavailableError(Exception):
    """A token that cannot be checked now, because its keys, or the memory of used tokens, are not available.

    ``part`` is ``keys`` or ``replay``; ``kind`` is the reason for missing keys; a caller may try again after
    ``retry_seconds``.
    """

    def __init__(self, sentence: str, part: str, kind: str = "", retry_seconds: int = FAILED_SECONDS) -> None:
        super().__init__(sentence)
        self.sentence, self.part, self.kind, self.retry_seconds = sentence, part, kind, retry_seconds


class Passed(NamedTuple):
    """A passed check, and the value that it found, for the operator's screen."""

    check: str
    found: str
