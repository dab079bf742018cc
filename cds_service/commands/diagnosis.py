"""Why a token is refused, and whether a client's entry works. Details appear only on the operator's terminal."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from cds_service.clock import Deadline
from cds_service.ehr.client import OutgoingClient
from cds_service.ehr.received import OutgoingError
from cds_service.hooks import hook_request
from cds_service.library import Library
from cds_service.spelling import nearest
from cds_service.trust.checks import CHECKS, TrustUnavailableError, UntrustedError
from cds_service.trust.entries import OFF, SMART, Client, Clients
from cds_service.trust.keys import KeyRing, KeysUnavailableError, fetch_key_set
from cds_service.trust.tokens import REUSE_ALLOWED, Verifier

# What the operator can do if a check fails. For checks not listed here, the client must fix the problem.
ADVICE: Mapping[str, str] = {
    "header": "Give the value of the Authorization header, or the token alone, as it was sent and on one line.",
    "form": "The token is not a signed JWT as RFC 7515 defines it; ask the client's vendor to fix it.",
    "critical": "Have the client sign plain tokens (RFC 7515, compact form) without extensions.",
    "type": "Have the client set typ to JWT. A call cannot use an access token or a nested token.",
    "kid": "Have the client send the kid of its key; kid is required.",
    "issuer": "If this is the client that you mean, copy iss exactly into 'issuer' of the entry.",
    "algorithm": "Have the client sign with one of these, or add its algorithm to 'algorithms' of the entry.",
    "jku": "If the client's key set moved, confirm it through another channel, then change 'jwks_url' or 'jku'.",
    "key": "Compare kid with the client's keys, which 'cds-service doctor client ID' lists.",
    "signature": "The token changed in transit, or another key with this kid signed it. Compare the key sets.",
    "audience": "Have the client send the exact address, or add what it sends to 'audiences' of the entry.",
    "issued": "Compare the clocks of the service and the client, and check that iat is in seconds.",
    "not-yet": "Compare the clocks of the service and the client, and check that nbf is in seconds.",
    "expired": "Have the client send a new token. If the token was new, compare the clocks.",
    "lifetime": "Have the client make a token for each call, valid for a few minutes.",
    "jti": "Have the client give each token a new jti.",
    "tenant": "If the tenant may call, add it to 'tenants' of the entry.",
    "replay": "Have the client make a new token for each call.",
}
SECONDS = 5.0
MAX_METADATA = 10_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a diagnosis: whether the check passed (None: not made), its name, and the explanation."""

    passed: bool | None
    check: str
    says: str

    def text(self) -> str:
        """The line as printed."""
        mark = {True: "ok", False: "FAILED", None: "-"}[self.passed]
        return f"{mark:6}  {self.check:12}  {self.says}"


def authorization_of(text: str) -> str:
    """The Authorization header in a file, with or without the header name; a bare token gets the scheme Bearer."""
    value = text.strip()
    name, colon, rest = value.partition(":")
    if colon and name.strip().lower() == "authorization":
        value = rest.strip()
    return value if " " in value or "\t" in value else f"Bearer {value}"


def diagnose_token(
    text: str,
    url: str,
    clients: Clients,
    http: OutgoingClient,
    clock: Callable[[], float] = time.time,
    seconds: float = SECONDS,
) -> list[Line]:
    """The checks of a token that was sent to ``url``, up to the first failure; this does not use up the token.

    ``authorization_of`` interprets ``text``. Only keys that are not in the clients file are fetched.
    """
    verifier = Verifier(clients, KeyRing(http), _not_remembered, clock)
    lines: list[Line] = []
    try:
        for passed in verifier.examine(authorization_of(text), (url,), Deadline(seconds)):
            found = passed.found
            if passed.check == "replay" and found != REUSE_ALLOWED:
                found = "not checked here; this command does not use up the token"
            lines.append(Line(True, passed.check, found))
    except UntrustedError as error:
        says = f"expected {error.expected}; got {error.got}. {ADVICE[error.check]}"
        lines.append(Line(False, error.check, says))
    except TrustUnavailableError as error:
        lines.append(
            Line(
                False,
                "key",
                f"{error.sentence} The service answers such calls with 503. Run 'cds-service doctor client ID'.",
            )
        )
    made = {line.check for line in lines}
    return lines + [Line(None, check, f"not checked: {asks}") for check, asks in CHECKS.items() if check not in made]


def _not_remembered(issuer: str, jti: str, expires_at: datetime, deadline: Deadline) -> bool:
    return True


def find_client(clients: Clients, identifier: str) -> Client:
    """The entry with this id. Raises ValueError that names the nearest id."""
    client = clients.named(identifier)
    if client is None:
        allowed = nearest(identifier, (entry.id for entry in clients.entries))
        raise ValueError(f"There is no client '{identifier}'; {allowed}.")
    return client


def diagnose_client(
    client: Client, http: OutgoingClient, library: Library, public_url: str, evidence: str = OFF
) -> Iterator[Line]:
    """The parts of a client's entry that work: its keys, its FHIR servers, and what the service offers this client.

    ``evidence`` is the evidence-page mode of clients whose entry does not set one.
    """
    yield from _keys(client, http)
    for base in client.fhir_servers:
        yield _fhir(client, base, http)
    if not client.fhir_servers:
        yield Line(None, "fhir", "no 'fhir_servers': the service fetches no data that this client does not send")
    if client.token_reuse:
        yield Line(
            None,
            "replay",
            "token_reuse is on: anyone who obtains a token of this client can use it any number of times until it "
            "expires. Use this setting only for test kits, never with real patients",
        )
    yield from _topics(client, library)
    yield _cards(client)
    yield _evidence(client, evidence)
    for service_id, hook in hook_request.SERVICES.items():
        url = f"{public_url}/cds-services/{service_id}"
        yield Line(
            True, "service", f"{hook}: {url} (aud of its tokens); prefetch {_listed(library.prefetch_templates)}"
        )
    for alias in client.audiences:
        below = ", with the service's paths below it" if alias.endswith("/") else ""
        yield Line(True, "audience", f"{alias} is also accepted{below}")


def _keys(client: Client, http: OutgoingClient) -> Iterator[Line]:
    if client.jwks_url is None:
        keys, where = client.keys, "in the clients file"
    else:
        try:
            fetched = fetch_key_set(http, client, Deadline(SECONDS))
        except KeysUnavailableError as error:
            yield Line(False, "keys", f"{client.jwks_url}: {error.sentence}")
            return
        keys, where = fetched.keys.keys, client.jwks_url
        for problem in fetched.keys.problems:
            yield Line(None, "key", f"not used: {problem}")
    useful = [key for key in keys if set(key.algorithms) & set(client.algorithms)]
    for key in keys:
        says = f"{key.kid}: {' or '.join(key.algorithms)}, {key.strength}"
        if key in useful:
            yield Line(True, "key", says)
        else:
            yield Line(None, "key", f"not used: {says}; not in 'algorithms'")
    yield Line(bool(useful), "keys", f"{len(useful)} usable for {', '.join(client.algorithms)} {where}")


def _fhir(client: Client, base: str, http: OutgoingClient) -> Line:
    try:
        received = http.get(
            f"{base.rstrip('/')}/metadata",
            accept="application/fhir+json",
            allowance=client.fhir_allowance(),
            deadline=Deadline(SECONDS),
            max_bytes=MAX_METADATA,
        )
    except OutgoingError as error:
        return Line(False, "fhir", f"{base}: {error.sentence}")
    if received.status != 200:
        return Line(False, "fhir", f"{base}/metadata answers with status {received.status}; a FHIR server answers 200")
    try:
        statement: Any = orjson.loads(received.body)
    except orjson.JSONDecodeError:
        statement = None
    if not isinstance(statement, dict) or statement.get("resourceType") != "CapabilityStatement":
        return Line(False, "fhir", f"{base}/metadata is not a CapabilityStatement; give the base of a FHIR server")
    version = statement.get("fhirVersion")
    if not isinstance(version, str) or not version.startswith("4.0"):
        return Line(False, "fhir", f"{base} speaks FHIR {json.dumps(version)[:20]}; the service reads R4 (4.0.1)")
    return Line(True, "fhir", f"{base} answers, FHIR {version}")


def _topics(client: Client, library: Library) -> Iterator[Line]:
    topics = library.topics
    for topic, alias in client.topic_aliases.items():
        if topic in topics:
            yield Line(True, "topic", f"{topic} is reported as {alias}")
        else:
            yield Line(False, "topic", f"'{topic}' is not the topic of a statement; {nearest(topic, topics)}")


def _cards(client: Client) -> Line:
    """The format of a client's cards."""
    quirks = f"; quirks: {', '.join(sorted(client.quirks))}" if client.quirks else ""
    return Line(True, "cards", f"detail_format {client.detail_format}, dates {client.dates}{quirks}")


def _evidence(client: Client, default: str) -> Line:
    """Whether a client's cards link to an evidence page, and where the page may be shown."""
    where = "its entry" if client.evidence else "the settings"
    mode = client.evidence_mode(default)
    if mode == OFF and default == SMART and not client.evidence:
        return Line(
            True,
            "evidence",
            "off: the settings say smart, but the entry has no table smart, which launching the page requires",
        )
    if mode == OFF:
        return Line(True, "evidence", f"off by {where}: cards have no link to an evidence page")
    frames = f"in a frame of {', '.join(client.frame_ancestors)} also" if client.frame_ancestors else "in no frame"
    opens = "the EHR launches" if mode == SMART else "the card's link opens"
    return Line(True, "evidence", f"{mode} by {where}: {opens} the evidence page, {frames}")


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(names)
