"""An answered form written into the EHR: what is written is what the granted scopes allow, and saved means read again.

The ladder: a QuestionnaireResponse, else a DocumentReference, else nothing is written and the answers can be downloaded
and printed. If-None-Exist with the form's identifier makes a second try harmless (FHIR R4, "Conditional create").
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import orjson

from cds_service.clock import Deadline
from cds_service.documentation import scopes
from cds_service.documentation.scopes import OBSERVATIONS, PROVENANCE, RESPONSES
from cds_service.documentation.tokens import PostingClient
from cds_service.ehr.addresses import ForbiddenAddressError, is_at_or_below
from cds_service.ehr.client import OutgoingError
from cds_service.fhir.elements import Json
from cds_service.trust.smart import AppRegistration

MEDIA_TYPE = "application/fhir+json"
MOST_BYTES = 1024 * 1024
_LONGEST_SAID = 300


class WriteRefusal(StrEnum):
    """Why the EHR did not take a resource, in the closed words of metrics."""

    SCOPE = "scope"
    SIGNED_OUT = "signed-out"
    FORBIDDEN = "forbidden"
    UNSUPPORTED = "unsupported"
    CHANGED = "changed"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"
    UNREADABLE = "unreadable"


_OF_STATUS = {
    401: WriteRefusal.SIGNED_OUT,
    403: WriteRefusal.FORBIDDEN,
    404: WriteRefusal.UNSUPPORTED,
    405: WriteRefusal.UNSUPPORTED,
}
_OF_STATUS |= {409: WriteRefusal.CHANGED, 412: WriteRefusal.CHANGED, 501: WriteRefusal.UNSUPPORTED}


class WriteResult(NamedTuple):
    """What became of one resource: its reference in the EHR ("" where it was not taken).

    ``read_back``: it was read again and is what was sent. ``refusal`` says why it was not taken, ``said`` what the EHR
    said of it, in its own words, cut.
    """

    kind: str
    reference: str = ""
    read_back: bool = False
    refusal: WriteRefusal | None = None
    said: str = ""


class WritePlan(NamedTuple):
    """What will be written, computed from the granted scopes: ``form`` is the type for the answers, "" where none is
    allowed; ``observations`` and ``provenance`` whether these are; ``can_read``: whether the answers can be read again.
    """

    form: str
    observations: bool
    provenance: bool
    can_read: bool


def plan(registration: AppRegistration, granted: str) -> WritePlan:
    """What the granted scopes and the registration allow."""
    kind = next((kind for kind in registration.app.writes if scopes.may(granted, kind, "c")), "")
    responses = kind == RESPONSES
    return WritePlan(
        kind,
        responses and registration.app.observations and scopes.may(granted, OBSERVATIONS, "c"),
        responses and scopes.may(granted, PROVENANCE, "c"),
        bool(kind) and scopes.may(granted, kind, "r"),
    )


def next_rung(registration: AppRegistration, granted: str, refused: str) -> str:
    """The type to be written where the EHR refused one; "" where there is none."""
    rungs = [kind for kind in registration.app.writes if scopes.may(granted, kind, "c")]
    after = rungs[rungs.index(refused) + 1 :] if refused in rungs else []
    return after[0] if after else ""


class EhrWriter:
    """Writes resources with one access token; every call ends by the ``deadline``."""

    def __init__(self, http: PostingClient, registration: AppRegistration, token: str, deadline: Deadline) -> None:
        self._http, self._registration, self._token, self._deadline = http, registration, token, deadline

    def create(self, resource: Json, *, unless: Json | None, read_back: bool) -> WriteResult:
        """Creates a resource, unless there is one with the identifier ``unless``; reads it again if so."""
        kind = resource["resourceType"]
        headers = {"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE, "Authorization": f"Bearer {self._token}"}
        if unless is not None:
            headers["If-None-Exist"] = urlencode({"identifier": f"{unless['system']}|{unless['value']}"})
        try:
            answer = self._http.post(
                f"{self._registration.issuer}/{kind}",
                orjson.dumps(resource),
                headers=headers,
                allowance=self._registration.allowance,
                deadline=self._deadline,
                max_bytes=MOST_BYTES,
            )
        except OutgoingError as error:
            return WriteResult(kind, refusal=WriteRefusal.UNAVAILABLE, said=error.sentence)
        body = _object(answer.body)
        if answer.status not in (200, 201):
            refusal = _OF_STATUS.get(answer.status)
            if refusal is None:
                refusal = WriteRefusal.INVALID if 400 <= answer.status < 500 else WriteRefusal.UNAVAILABLE
            return WriteResult(kind, refusal=refusal, said=_said(body))
        reference = self._reference(kind, answer.location, body)
        if not reference:
            return WriteResult(kind, refusal=WriteRefusal.UNREADABLE, said="it did not say where it put it")
        return WriteResult(kind, reference, read_back and self._is_there(reference, resource))

    def _reference(self, kind: str, location: str, body: Mapping[str, Any]) -> str:
        """The reference of what was created, by the Location below our server, or by what came back."""
        base = self._registration.issuer
        path = ""
        if location.startswith(("http://", "https://")):
            try:
                path = location.removeprefix(base) if is_at_or_below(base, location) else _same_path(base, location)
            except ForbiddenAddressError:
                path = ""
        elif location:
            path = location
        segments = path.partition("/_history")[0].strip("/").split("/")[-2:]
        if len(segments) == 2 and segments[0] == kind and _is_id(segments[1]):
            return "/".join(segments)
        identity = body.get("id")
        if body.get("resourceType") == kind and isinstance(identity, str) and _is_id(identity):
            return f"{kind}/{identity}"
        return ""

    def _is_there(self, reference: str, resource: Json) -> bool:
        """Whether the EHR gives back what was sent: the same identifier and status."""
        try:
            answer = self._http.get(
                f"{self._registration.issuer}/{reference}",
                accept=MEDIA_TYPE,
                allowance=self._registration.allowance,
                deadline=self._deadline,
                max_bytes=MOST_BYTES,
                token=self._token,
            )
        except OutgoingError:
            return False
        found = _object(answer.body)
        return answer.status == 200 and all(
            found.get(name) == resource.get(name) for name in ("resourceType", "status") if name in resource
        )


def _same_path(base: str, location: str) -> str:
    """The path below the base of an address whose host is the server's own inner name."""
    root, path = urlsplit(base).path, urlsplit(location).path
    return path.removeprefix(root) if path.startswith(root) else ""


def _is_id(text: str) -> bool:
    return 0 < len(text) <= 64 and all(letter.isascii() and (letter.isalnum() or letter in "-.") for letter in text)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _said(outcome: Mapping[str, Any]) -> str:
    """What an OperationOutcome says, for the user of the chart alone: it may speak of the patient."""
    if outcome.get("resourceType") != "OperationOutcome":
        return ""
    issues = outcome.get("issue")
    for issue in issues if isinstance(issues, list) else ():
        if isinstance(issue, dict):
            details = issue.get("details")
            text = issue.get("diagnostics") or (details.get("text") if isinstance(details, dict) else "")
            if isinstance(text, str) and text:
                return text[:_LONGEST_SAID]
    return ""
