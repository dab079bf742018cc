"""The authorization metadata of a FHIR server: ``.well-known/smart-configuration`` (SMART App Launch, conformance).

The configuration comes only from a registered server. The same guard protects calls to the addresses that it names,
which must be https unless the server is on this machine.
"""

from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from cds_service.clock import Deadline
from cds_service.documentation import sign_in_words as words
from cds_service.documentation.messages import LaunchError
from cds_service.ehr.addresses import Allowance, is_loopback
from cds_service.ehr.fetch import Getter
from cds_service.ehr.received import OutgoingError
from cds_service.trust.smart import AppRegistration

MOST_BYTES = 256 * 1024
_LONGEST = 2000


class SmartServer(NamedTuple):
    """The authorization endpoints of a FHIR server.

    ``issuer`` signs its id_tokens ("" if it does not say), ``names_itself``: its authorization responses carry ``iss``
    (RFC 9207), ``old_scopes``: it knows only the scopes of SMART 1.
    """

    authorize: str
    token: str
    keys: str
    issuer: str
    names_itself: bool
    old_scopes: bool


def smart_server(http: Getter, registration: AppRegistration, deadline: Deadline) -> SmartServer:
    """The parsed configuration of a registered server, fetched over HTTP. Raises LaunchError."""
    return read_configuration(smart_configuration(http, registration, deadline), registration)


def smart_configuration(http: Getter, registration: AppRegistration, deadline: Deadline) -> dict[str, Any]:
    """The configuration of a registered server, fetched over HTTP, as a JSON object. Raises LaunchError."""
    try:
        received = http.get(
            f"{registration.issuer}/.well-known/smart-configuration",
            accept="application/json",
            allowance=registration.allowance,
            deadline=deadline,
            max_bytes=MOST_BYTES,
        )
    except OutgoingError as error:
        raise LaunchError(words.CANNOT_REACH, error.sentence) from None
    if received.status != 200:
        raise LaunchError(words.NO_SMART, words.status(received.status))
    try:
        told = orjson.loads(received.body)
    except orjson.JSONDecodeError:
        raise LaunchError(words.NO_SMART, words.NOT_JSON) from None
    if not isinstance(told, dict):
        raise LaunchError(words.NO_SMART, words.NOT_AN_OBJECT)
    return told


def allowance_of(registration: AppRegistration, address: str) -> Allowance:
    """An allowance for calls to one address that the server named, and to no other."""
    return replace(registration.allowance, bases=(address,))


def read_configuration(told: dict[str, Any], registration: AppRegistration) -> SmartServer:
    """The part of a configuration that a sign-in needs. Raises LaunchError."""
    authorize, token = (_address(told, name, registration) for name in ("authorization_endpoint", "token_endpoint"))
    keys = _address(told, "jwks_uri", registration) if "jwks_uri" in told else ""
    capabilities = told.get("capabilities")
    known = capabilities if isinstance(capabilities, list) else []
    issuer = told.get("issuer")
    return SmartServer(
        authorize,
        token,
        keys,
        issuer if isinstance(issuer, str) else "",
        told.get("authorization_response_iss_parameter_supported") is True,
        "permission-v1" in known and "permission-v2" not in known,
    )


def _address(told: dict[str, Any], name: str, registration: AppRegistration) -> str:
    value = told.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        raise LaunchError(words.NO_SMART, words.not_named(name))
    here = is_loopback(urlsplit(registration.issuer).hostname or "")
    try:
        parts = urlsplit(value)
        is_safe = parts.scheme == "https" or (here and parts.scheme == "http" and is_loopback(parts.hostname or ""))
    except ValueError:
        is_safe = False
    if not is_safe or parts.fragment or parts.username is not None:
        raise LaunchError(words.NO_SMART, words.not_https(name))
    return value
