"""Whether the documentation form can sign in and write at a client's EHR, as far as visible without a user.

Each line names the checked item, its place, and what is allowed (SMART App Launch 2.2, "Conformance"). A missing or
short list passes if the specification allows it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from cds_service.clock import Deadline
from cds_service.commands.diagnosis import MAX_METADATA, SECONDS, Line
from cds_service.documentation import scopes
from cds_service.documentation.messages import LaunchError
from cds_service.documentation.smart_server import (
    SmartServer,
    allowance_of,
    read_configuration,
    smart_configuration,
)
from cds_service.documentation.tokens import key_set
from cds_service.ehr.addresses import is_loopback
from cds_service.ehr.client import OutgoingClient
from cds_service.ehr.received import OutgoingError
from cds_service.fhir.elements import list_of
from cds_service.library import Library
from cds_service.trust.entries import Client
from cds_service.trust.smart import AppRegistration
from cds_service.trust.smart_entries import public_key_of
from cds_service.web.form_links import LAUNCH_PATH
from cds_service.web.registered import CALLBACK_PATH

# The capabilities that an EHR needs for a card to lead to the form.
_NEEDED = ("launch-ehr", "context-ehr-patient")


def diagnose_smart(client: Client, http: OutgoingClient, library: Library, public_url: str) -> Iterator[Line]:
    """The checks of a client's ``smart`` table: what to register, and what each of its FHIR servers declares."""
    if client.smart is None:
        yield Line(None, "smart", "no table 'smart': cards have no link to the documentation form")
        return
    yield _addresses(public_url)
    yield from _app(client)
    for registration in client.registrations(public_url + CALLBACK_PATH):
        yield from _server(registration, http, library)
    if client.frame_ancestors:
        yield Line(True, "frames", f"the form may be shown in a frame of {', '.join(client.frame_ancestors)}")
    else:
        yield Line(True, "frames", "no 'frame_ancestors': the form opens in its own tab, and in no frame")


def _addresses(public_url: str) -> Line:
    says = f"register launch {public_url}{LAUNCH_PATH} and redirect {public_url}{CALLBACK_PATH}, exactly as written"
    parts = urlsplit(public_url)
    if parts.scheme == "https":
        return Line(True, "redirect", says)
    if is_loopback(parts.hostname or ""):
        return Line(None, "redirect", f"{says}; an EHR on another machine needs https, so set CDS_SERVICE_PUBLIC_URL")
    return Line(False, "redirect", f"{public_url} is not https; set CDS_SERVICE_PUBLIC_URL to an https address")


def _app(client: Client) -> Iterator[Line]:
    app = client.smart
    assert app is not None
    yield Line(True, "smart", f"client_id {app.client_id}, by {app.auth_method}")
    if public := public_key_of(app):
        yield Line(True, "smart-key", f"the EHR must hold this public key: {orjson.dumps(public).decode()}")


def _server(registration: AppRegistration, http: OutgoingClient, library: Library) -> Iterator[Line]:
    base = registration.issuer
    try:
        told = smart_configuration(http, registration, Deadline(SECONDS))
        server = read_configuration(told, registration)
    except LaunchError as error:
        where = f"{base}/.well-known/smart-configuration"
        yield Line(
            False, "discovery", f"{where}: {error.message.happened.rstrip('.')}: {error.detail}".removesuffix(": ")
        )
        return
    yield Line(True, "discovery", f"{base} names {server.authorize} and {server.token}")
    yield _issuer(told, server, base)
    yield _pkce(told)
    yield _proof(told, registration)
    yield _signing_keys(server, registration, http)
    yield _abilities(told)
    yield _scopes(told, server, registration, library)
    yield _writes(registration, http)


def _issuer(told: Mapping[str, Any], server: SmartServer, base: str) -> Line:
    if server.issuer.rstrip("/") == base:
        named = "" if server.names_itself else "; its answers do not name it (RFC 9207), which is allowed"
        return Line(True, "issuer", f"the issuer is the FHIR server itself{named}")
    if not server.issuer:
        signs_in = "sso-openid-connect" in list_of(told.get("capabilities"))
        says = "'issuer' is missing; id_tokens must then name the FHIR server"
        return Line(False if signs_in else None, "issuer", says)
    return Line(None, "issuer", f"id_tokens must name {server.issuer}, another address than {base}, which is allowed")


def _pkce(told: Mapping[str, Any]) -> Line:
    listed = _texts(told.get("code_challenge_methods_supported"))
    if not listed:
        return Line(None, "pkce", "'code_challenge_methods_supported' is missing; the form sends S256 anyway")
    if "S256" not in listed:
        return Line(False, "pkce", f"'code_challenge_methods_supported' lists {_some(listed)}; the form needs S256")
    plain = "; 'plain' is also listed, which SMART forbids: tell the vendor" if "plain" in listed else ""
    return Line(not plain or None, "pkce", f"S256{plain}")


def _proof(told: Mapping[str, Any], registration: AppRegistration) -> Line:
    app = registration.app
    methods = _texts(told.get("token_endpoint_auth_methods_supported"))
    algorithms = _texts(told.get("token_endpoint_auth_signing_alg_values_supported"))
    if not methods:
        return Line(
            None,
            "proof",
            "'token_endpoint_auth_methods_supported' is missing; ask the vendor whether the EHR accepts "
            f"{app.auth_method}",
        )
    if app.auth_method not in methods:
        return Line(
            False,
            "proof",
            f"the token endpoint accepts {_some(methods)}, but the entry uses "
            f"{app.auth_method}: change 'auth_method', 'secret_file' or 'key_file'",
        )
    if app.auth_method == "private_key_jwt" and algorithms and app.algorithm not in algorithms:
        return Line(
            False,
            "proof",
            f"the token endpoint accepts signatures by {_some(algorithms)}, but the key of the entry signs "
            f"{app.algorithm}: use a key of another kind",
        )
    return Line(True, "proof", f"the token endpoint accepts {app.auth_method}")


def _signing_keys(server: SmartServer, registration: AppRegistration, http: OutgoingClient) -> Line:
    if not server.keys:
        return Line(
            False, "id-token", "'jwks_uri' is missing: the form cannot check an id_token, so nobody can sign a form"
        )
    try:
        received = http.get(
            server.keys,
            accept="application/jwk-set+json, application/json",
            allowance=allowance_of(registration, server.keys),
            deadline=Deadline(SECONDS),
            max_bytes=MAX_METADATA,
        )
        count = len(key_set(received.body).keys)
    except OutgoingError as error:
        return Line(False, "id-token", f"{server.keys}: {error.sentence}")
    except ValueError:
        return Line(False, "id-token", f"{server.keys} is not a JSON Web Key Set with a usable key (RFC 7517)")
    return Line(True, "id-token", f"{server.keys} has {count} keys")


def _abilities(told: Mapping[str, Any]) -> Line:
    listed = _texts(told.get("capabilities"))
    missing = [name for name in _NEEDED if name not in listed]
    if missing:
        return Line(False, "launch", f"'capabilities' lacks {_some(missing)}, which a card needs to link to the form")
    return Line(True, "launch", f"'capabilities' has {_some(_NEEDED)}")


def _scopes(told: Mapping[str, Any], server: SmartServer, registration: AppRegistration, library: Library) -> Line:
    app = registration.app
    asked = scopes.asked(
        {name for policy in library.policies for name in policy.resource_types},
        app.writes,
        observations=app.observations,
        launched=True,
        old=server.old_scopes,
    ).split()
    listed = _texts(told.get("scopes_supported"))
    if not listed:
        return Line(None, "scopes", f"'scopes_supported' is missing; the form asks for {' '.join(asked)}")
    missing = [scope for scope in asked if not _is_listed(scope, listed)]
    if missing:
        says = f"not in 'scopes_supported', a list that may be incomplete: {' '.join(missing)}"
        return Line(None, "scopes", f"{says}. The form does not read or write what the EHR does not grant, and says so")
    return Line(True, "scopes", f"all {len(asked)} that the form asks for are in 'scopes_supported'")


def _is_listed(scope: str, listed: Iterable[str]) -> bool:
    kind, _, verbs = scope.removeprefix("patient/").rpartition(".")
    if not scope.startswith("patient/"):
        return scope in listed
    words = {"read": "r", "write": "c"}.get(verbs, verbs)
    return all(any(scopes.may(one, kind, verb) for one in listed) for verb in words)


def _writes(registration: AppRegistration, http: OutgoingClient) -> Line:
    rungs = registration.app.writes
    if not rungs:
        return Line(
            None, "writes", "'writes' is empty: the form writes nothing, and users download or print their answers"
        )
    told = _statement(registration, http)
    if told is None:
        return Line(
            None,
            "writes",
            f"tries {_some(rungs)} in this order; {registration.issuer}/metadata does not say whether the EHR "
            "accepts these",
        )
    can = [kind for kind in rungs if "create" in told.get(kind, ())]
    if not can:
        says = f"the CapabilityStatement does not allow creating {_some(rungs)}; ask the vendor, or set writes = []"
        return Line(False, "writes", says)
    rest = f"; {_some([kind for kind in rungs if kind not in can])} cannot be created" if len(can) < len(rungs) else ""
    unread = "" if "read" in told.get(can[0], ()) else f"; {can[0]} cannot be read back, so the card may not change"
    return Line(True, "writes", f"first {can[0]}{rest}{unread}")


def _statement(registration: AppRegistration, http: OutgoingClient) -> dict[str, list[str]] | None:
    """The interactions by resource type in a CapabilityStatement; None if it is missing or unreadable."""
    try:
        received = http.get(
            f"{registration.issuer}/metadata",
            accept="application/fhir+json",
            allowance=registration.allowance,
            deadline=Deadline(SECONDS),
            max_bytes=MAX_METADATA,
        )
        told = orjson.loads(received.body) if received.status == 200 else None
    except (OutgoingError, orjson.JSONDecodeError):
        return None
    if not isinstance(told, dict):
        return None
    rests = list_of(told.get("rest"))
    resources = [item for rest in rests if isinstance(rest, dict) for item in list_of(rest.get("resource"))]
    return {
        str(item.get("type")): [
            str(one.get("code")) for one in list_of(item.get("interaction")) if isinstance(one, dict)
        ]
        for item in resources
        if isinstance(item, dict)
    }


def _texts(value: Any) -> list[str]:
    return [item for item in list_of(value) if isinstance(item, str)]


def _some(items: Iterable[str]) -> str:
    listed = [item[:60] for item in items]
    return ", ".join(listed[:8]) + (f" and {len(listed) - 8} more" if len(listed) > 8 else "")
