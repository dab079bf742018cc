"""An answered form written into the EHR: what is written is what the granted scopes allow, and saved means read again.

The ladder: a QuestionnaireResponse, else a DocumentReference, else nothing is written and the answers can be downloaded
and printed. If-None-Exist with the form's identifier makes a second try harmless (FHIR R4, "Conditional create").
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
    said of it, in its own words, cut. ``version`` is the one that it has now, "" where the EHR does not say. ``older``:
    what the EHR has under that reference is of an earlier try, and not what was sent.
    """

    kind: str
    reference: str = ""
    read_back: bool = False
    refusal: WriteRefusal | None = None
    said: str = ""
    version: str = ""
    older: bool = False


class WritePlan(NamedTuple):
    """What will be written, computed from the granted scopes: ``form`` is the type for the answers, "" where none is
    allowed; ``observations`` and ``provenance`` whether these are; ``can_read``: whether the answers can be read again,
    ``can_update``: whether a draft can be written over.
    """

    form: str
    observations: bool
    provenance: bool
    can_read: bool
    can_update: bool = False


def plan(registration: AppRegistration, granted: str) -> WritePlan:
    """What the granted scopes and the registration allow."""
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
    """The type to be written where the EHR refused one; "" where there is none."""
    rungs = [kind for kind in registration.app.writes if scopes.may(granted, kind, "c")]
    after = rungs[rungs.index(refused) + 1 :] if refused in rungs else []
    return after[0] if after else ""


class WritingClient(PostingClient, Protocol):
    """What is needed of ``OutgoingClient`` to write."""

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
    """A resource that the EHR holds already, and its version ("" where the EHR does not say)."""

    reference: str
    version: str = ""


class EhrWriter:
    """Writes resources with one access token; every call ends by the ``deadline``."""

    def __init__(self, http: WritingClient, registration: AppRegistration, token: str, deadline: Deadline) -> None:
        self._http, self._registration, self._token, self._deadline = http, registration, token, deadline

    def create(self, resource: Json, *, unless: Json | None, read_back: bool) -> WriteResult:
        """Creates a resource, unless there is one with the identifier ``unless``; reads it again if so.

        The one that is there may be of an earlier try and say something else: then it is ``older``.
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
        """Stores the next version of a resource, unless somebody else stored one meanwhile (FHIR R4, If-Match).

        Where the newest version says already what is sent, an earlier try got through.
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
        """A resource as the EHR has it; empty where it does not give it."""
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
        """The answer to a write that was taken, otherwise what became of it."""
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
        """A write that was taken, read again if so: the EHR gives back the same kind with the same status."""
        found = self.read(reference) if read_back else {}
        alike = all(found.get(name) == resource.get(name) for name in ("resourceType", "status") if name in resource)
        version = version_of(found) or version_of(_object(answer.body)) or _tagged(answer.etag)
        return WriteResult(resource["resourceType"], reference, bool(found) and alike, version=version)

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


def version_of(resource: Mapping[str, Any]) -> str:
    """The version that a resource says it is, "" where it does not."""
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
