"""The checks of a token's claims, except its issuer: address, times, id, tenant (RFC 7519, section 4.1)."""

import json
from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from typing import Any

from cds_service.spelling import shortened
from cds_service.trust.checks import Passed, UntrustedError
from cds_service.trust.entries import Client

LONGEST_JTI = 512
YEAR_10000 = 253_402_300_800 - 86_400


def audience(claims: Mapping[str, Any], client: Client, urls: tuple[str, ...]) -> str:
    """The aud that names the called address, of which ``urls`` are the spellings. Raises UntrustedError."""
    claimed = claims.get("aud")
    listed = claimed if isinstance(claimed, list) else [claimed]
    for item in listed:
        if isinstance(item, str) and client.is_audience(item, urls):
            return shortened(item, 200)
    # A malicious list could be long.
    got = ", ".join(
        shortened(item, 200) if isinstance(item, str) else "a value that is not text" for item in listed[:3]
    )
    allowed = " or ".join((*urls, *client.audiences))
    raise UntrustedError("audience", f"exactly {allowed}", got if "aud" in claims else "no aud")


def times(claims: Mapping[str, Any], now: float, skew: float, longest_life: float) -> Generator[Passed, None, float]:
    """Check the times of a token (RFC 7519, section 4.1) one by one; returns its expiry. Raises UntrustedError.

    ``now`` is the time by our clock, ``skew`` the allowed error of other clocks, ``longest_life`` the maximum lifetime
    of a token; all in seconds.
    """
    issued = _instant(claims, "iat", "issued")
    if issued > now + skew:
        raise UntrustedError("issued", f"iat at or before the service's clock, {_when(now)}", _when(issued))
    yield Passed("issued", _when(issued))
    if "nbf" in claims and (begins := _instant(claims, "nbf", "not-yet")) > now + skew:
        raise UntrustedError("not-yet", f"nbf at or before the service's clock, {_when(now)}", _when(begins))
    yield Passed("not-yet", "valid already")
    expires = _instant(claims, "exp", "expired")
    if expires <= now - skew:
        raise UntrustedError("expired", f"exp after the service's clock, {_when(now)}", _when(expires))
    yield Passed("expired", f"valid until {_when(expires)}")
    if not 0 <= expires - issued <= longest_life:
        raise UntrustedError(
            "lifetime", f"exp at most {longest_life:g} s after iat", f"{expires - issued:.0f} s after iat"
        )
    yield Passed("lifetime", f"{expires - issued:.0f} s")
    return expires


def _instant(claims: Mapping[str, Any], name: str, check: str) -> float:
    """A NumericDate (RFC 7519, section 2), possibly with a fraction. Raises UntrustedError."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UntrustedError(check, f"{name}: a number of seconds since 1970, UTC", shown(claims, name))
    # The calendar ends there; the comparison also refuses NaN and infinity.
    if not 0 <= value < YEAR_10000:
        raise UntrustedError(check, f"{name}: seconds since 1970, UTC, before the year 10000", "a number out of range")
    return float(value)


def token_id(claims: Mapping[str, Any]) -> str:
    """The jti. Raises UntrustedError."""
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= LONGEST_JTI:
        got = f"{len(jti)} characters" if isinstance(jti, str) else shown(claims, "jti")
        raise UntrustedError("jti", f"text of 1 to {LONGEST_JTI} characters", got)
    return jti


def tenant_of(claims: Mapping[str, Any], client: Client) -> str | None:
    """The tenant, which must be one of the client's if it has any. Raises UntrustedError."""
    tenant = claims.get("tenant")
    if client.tenants and tenant not in client.tenants:
        expected = f"one of {', '.join(map(shortened, client.tenants))}"
        raise UntrustedError("tenant", expected, shown(claims, "tenant"))
    return tenant if isinstance(tenant, str) else None


def shown(members: Mapping[str, Any], name: str) -> str:
    """A member for the operator's screen: as JSON, shortened."""
    return shortened(json.dumps(members[name]), 200) if name in members else f"no {name}"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
