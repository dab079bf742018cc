"""An answered form, written into the EHR as far as the granted scopes allow; a write counts as saved once read back.

The order of preference: a QuestionnaireResponse, else a DocumentReference, else nothing, and the user can download or
print the answers. If-None-Exist with the form's identifier makes a retry harmless (FHIR R4, "Conditional create").
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode, urlsplit

import orjson

from cds_service.clock import Deadline
from cds_service.documentation import form_words, scopes
from cds_service.documentation.scopes import OBSERVATIONS, PROVENANCE, RESPONSES
from cds_service.documentation.tokens import PostingClient
from cds_service.ehr.addresses import Allowance, ForbiddenAddressError, is_at_or_below
from cds_service.ehr.received import OutgoingError, Received
from cds_service.fhir.elements import Json
from cds_service.trust.smart import AppRegistration

MEDIA_TYPE = "application/fhir+json"
MOST_BYTES = 1024 * 1024
_LONGEST_SAID = 300


class WriteRefusal(StrEnum):
    """The reason that the EHR refused a resource, in the fixed words of metrics."""

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
    """The result of writing one resource: its reference in the EHR ("" if the EHR refused it).

    ``read_back``: the service read it again and found what it sent. ``refusal`` is the reason for a refusal, ``said``
    the EHR's own message, cut. ``version`` is the current version, "" if the EHR does not say. ``older``: the resource
    under that reference is from an earlier attempt, and not the one sent.
    """

    kind: str
    reference: str = ""
    read_back: bool = False
    refusal: WriteRefusal | None = None
    said: str = ""
    version: str = ""
    older: bool = False


class WritePlan(NamedTuple):
    """The writes that the granted scopes allow. ``form`` is the type for the answers, "" if none is allowed.

    ``observations`` and ``provenance``: these may be written; ``can_read``: the answers can be read again;
    ``can_update``: a draft can be replaced.
    """

    form: str
    observations: bool
    provenance: bool
    can_read: bool
    can_update: bool = False


def plan(registration: AppRegistration, granted: str) -> WritePlan:
    """The writes that the granted scopes and the registration allow."""
    kind = next((kind for kind in registration.app.writes if scopes.may(granted, kind, "c")), "")
    responses = kind == RESPONSES
    return WritePlan(
        kind,
        responses and registration.app.observations and scopes.may(granted, OBSERVATIONS, "c"),
        responses and scopes.may(granted, PROVENANCE, "c"),
        bool(kind) and scopes.may(granted, kind, "r"),
        responses and scopes.may(granted, kind, "u"),
    )


def next_rung(registration: AppRegistration, granted: str, refused: str) -> str:
    """The type to write after the EHR refused one; "" if there is none."""
    rungs = [kind for kind in registration.app.writes if scopes.may(granted, kind, "c")]
    after = rungs[rungs.index(refused) + 1 :] if refused in rungs else []
    return after[0] if after else ""


class WritingClient(PostingClient, Protocol):
    """The part of ``OutgoingClient`` that writing needs."""

    def put(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str],
        allowance: Allowance,
        deadline: Deadline,
        max_bytes: int,
    ) -> Received:
        """The answer of a server. Raises OutgoingError."""


class Stored(NamedTuple):
    """A resource that the EHR already has, and its version ("" if the EHR does not say)."""

    reference: str
    version: str = ""


class EhrWriter:
    """Writes resources with one access token; every call ends by the ``deadline``."""

    def __init__(self, http: WritingClient, registration: AppRegistration, token: str, deadline: Deadline) -> None:
        self._http, self._registration, self._token, self._deadline = http, registration, token, deadline

    def create(self, resource: Json, *, unless: Json | None, read_back: bool) -> WriteResult:
        """Create a resource, unless one with the identifier ``unless`` exists; ``read_back`` reads it again.

        An existing resource from an earlier attempt may differ: then the result is ``older``.
        """
        kind = resource["resourceType"]
        condition = {}
        if unless is not None:
            condition["If-None-Exist"] = urlencode({"identifier": f"{unless['system']}|{unless['value']}"})
        answer = self._sent(self._http.post, kind, resource, condition)
        if isinstance(answer, WriteResult):
            return answer
        body = _object(answer.body)
        reference = self._reference(kind, answer.location, body)
        if not reference:
            return WriteResult(kind, refusal=WriteRefusal.UNREADABLE, said=form_words.NO_PLACE)
        if answer.status == 200 and (found := self.read(reference)) and not _says_the_same(found, resource):
            return WriteResult(kind, reference, version=version_of(found), older=True)
        return self._written(resource, reference, answer, read_back=read_back)

    def update(self, resource: Json, stored: Stored, *, read_back: bool) -> WriteResult:
        """Store the next version of a resource, unless another user stored one in the meantime (FHIR R4, If-Match).

        If the newest version already has the same content, an earlier attempt succeeded.
        """
        kind = resource["resourceType"]
        identified = resource | {"id": stored.reference.rpartition("/")[2]}
        condition = {"If-Match": f'W/"{stored.version}"'} if stored.version else {}
        answer = self._sent(self._http.put, stored.reference, identified, condition)
        if not isinstance(answer, WriteResult):
            return self._written(resource, stored.reference, answer, read_back=read_back)
        if answer.refusal is WriteRefusal.CHANGED and _says_the_same(self.read(stored.reference), resource):
            return WriteResult(kind, stored.reference, read_back=True)
        return answer._replace(kind=kind)

    def read(self, reference: str) -> Json:
        """A resource as the EHR has it; empty if the EHR does not return it."""
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
            return {}
        return dict(_object(answer.body)) if answer.status == 200 else {}

    def _sent(
        self, send: Callable[..., Received], path: str, resource: Json, headers: Mapping[str, str]
    ) -> Received | WriteResult:
        """The answer to an accepted write, otherwise the result of the refusal."""
        kind = resource["resourceType"]
        always = {"Content-Type": MEDIA_TYPE, "Accept": MEDIA_TYPE, "Authorization": f"Bearer {self._token}"}
        try:
            answer = send(
                f"{self._registration.issuer}/{path}",
                orjson.dumps(resource),
                headers={**always, **headers},
                allowance=self._registration.allowance,
                deadline=self._deadline,
                max_bytes=MOST_BYTES,
            )
        except OutgoingError as error:
            return WriteResult(kind, refusal=WriteRefusal.UNAVAILABLE, said=error.sentence)
        if answer.status in (200, 201):
            return answer
        refusal = _OF_STATUS.get(answer.status)
        if refusal is None:
            refusal = WriteRefusal.INVALID if 400 <= answer.status < 500 else WriteRefusal.UNAVAILABLE
        return WriteResult(kind, refusal=refusal, said=_said(_object(answer.body)))

    def _written(self, resource: Json, reference: str, answer: Received, *, read_back: bool) -> WriteResult:
        """The result of an accepted write; ``read_back`` compares the type and status that the EHR returns."""
        found = self.read(reference) if read_back else {}
        alike = all(found.get(name) == resource.get(name) for name in ("resourceType", "status") if name in resource)
        version = version_of(found) or version_of(_object(answer.body)) or _tagged(answer.etag)
        return WriteResult(resource["resourceType"], reference, bool(found) and alike, version=version)

    def _reference(self, kind: str, location: str, body: Mapping[str, Any]) -> str:
        """The reference of a created resource, from a Location below our server, or else from the body."""
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


def version_of(resource: Mapping[str, Any]) -> str:
    """The version in a resource's ``meta``; "" if there is none."""
    meta = resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else ""
    return version if isinstance(version, str) and _is_id(version) else ""


def _tagged(etag: str) -> str:
    version = etag.removeprefix("W/").strip('"')
    return version if _is_id(version) else ""


def _says_the_same(found: Json, sent: Json) -> bool:
    return bool(found) and all(
        found.get(name) == sent.get(name) for name in ("status", "author", "item", "valueQuantity")
    )


def _same_path(base: str, location: str) -> str:
    """The path below the base, for an address with the server's internal host name."""
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
    """The message of an OperationOutcome, only for the user of the chart, because it may mention the patient."""
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
