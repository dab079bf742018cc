"""The log for disputes: one line for each call and each answer, apart from the operational log (CRD 2.2.1, found-37).

Evidence pages have lines of their own: made, opened, expired.

Lines are JSON, in a file for each day (UTC) that several workers append to. Patients and hook instances stand in them
as keyed hashes; the calls and answers themselves only where that is switched on, and then encrypted.
"""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson

from cds_service import __version__
from cds_service.hooks.client_names import OPEN
from cds_service.hooks.feedback import FeedbackItem
from cds_service.operations.sealing import Keys, content_of

FOLDER_MODE, FILE_MODE = 0o700, 0o600
LONGEST_CLAIM = 200
_UUID = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def audit_folder(state: Path) -> Path:
    """Where the log is below the folder of what is kept (the setting ``state``)."""
    return state / "audit"


class AuditError(Exception):
    """The audit log cannot be written or read; the sentence says why and names nothing of a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who called: the client of the clients file, and the claims of its token that may be kept, never the token."""

    client: str = OPEN
    issuer: str | None = None
    tenant: str | None = None
    token_id: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call and its answer, as they are to be remembered.

    ``today`` is the UTC day on which the call was evaluated, and ``told`` is ``outcomes.told`` of the answers.
    ``fetched`` are the prefetch values that came from the FHIR server, ``unfetched`` the reason for each that did not;
    ``secrets`` are texts of the answer that must not be kept, such as links that open something.
    """

    request_id: str
    service: str
    caller: Caller
    today: date
    status: int
    outcome: str
    milliseconds: float
    request: bytes
    response: bytes
    hook: str | None = None
    hook_instance: str | None = None
    patient_id: str | None = None
    told: Sequence[Mapping[str, Any]] = ()
    secrets: Sequence[str] = ()
    fetched: Mapping[str, Any] = field(default_factory=dict)
    unfetched: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One request with feedback; ``items`` are what it said (CDS Hooks 2.0, "Feedback").

    ``reasons`` are the codes of the override reasons that our cards offer; no other code is kept.
    """

    request_id: str
    service: str
    caller: Caller
    status: int
    milliseconds: float
    request: bytes
    items: Sequence[FeedbackItem] = ()
    reasons: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePageEvent:
    """What became of the evidence page of a card: ``event`` is "made", "opened" or "expired".

    ``client`` is the one whose call made it; ``request_id`` is that of the call, where there is one.
    """

    event: str
    card: str
    client: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FormEvent:
    """A request about forms: ``event`` is "package" or "errors"; ``forms`` are the forms that it got, or reported, as
    "policy|edition", and ``patient_id`` is the patient for whom a form was asked.
    """

    event: str
    caller: Caller
    request_id: str
    status: int
    milliseconds: float
    forms: Sequence[str] = ()
    patient_id: str | None = None


class NoAuditLog:
    """An audit log that is off: no line is made, so that none can be written."""

    def form(self, event: FormEvent) -> None:
        """Keeps nothing of a request about forms."""

    def check(self) -> None:
        """There is nothing that could not be written."""


class AuditLog:
    """Writes the log into ``folder``. Safe for several workers of a machine: a line is one write that appends.

    ``id_key`` keys the hashes; ``keys`` close the content, None keeps none; ``clock`` gives the time in UTC. A line
    that was written outlives the process; it is not forced to the disk, so that a loss of power may take the last. A
    day takes at most ``most_bytes`` (0: any number): near that lines lose their content, beyond it none is written.
    """

    def __init__(
        self,
        folder: Path,
        id_key: bytes,
        keys: Keys | None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        version: str = __version__,
        most_bytes: int = 0,
    ) -> None:
        self.folder, self._id_key, self._keys, self._clock, self._version = folder, id_key, keys, clock, version
        self._most = most_bytes

    def call(self, call: Call) -> None:
        """Writes the line of a call. Raises AuditError; the caller still gets the answer."""
        line = {
            **self._head("call", call),
            "today": call.today.isoformat(),
            "hook": call.hook,
            "hookInstance": self._hashed("hookInstance", call.hook_instance),
            "patient": self._hashed("patient", call.patient_id),
            "outcome": call.outcome,
            "policies": list(call.told),
            "requestSha256": hashlib.sha256(call.request).hexdigest(),
            "responseSha256": hashlib.sha256(call.response).hexdigest(),
        }
        if self._keys is not None:
            content = content_of(call.request, call.response, call.fetched, call.unfetched, call.secrets)
            line["content"] = self._keys.seal(content, line["id"]) if content is not None else None
        self._write(line)

    def feedback(self, feedback: Feedback) -> None:
        """Writes the line of a request with feedback, without what users wrote. Raises AuditError."""
        self._write(
            {
                **self._head("feedback", feedback),
                "feedback": [_without_words(item, feedback.reasons) for item in feedback.items],
                "requestSha256": hashlib.sha256(feedback.request).hexdigest(),
            }
        )

    def evidence(self, event: EvidencePageEvent) -> None:
        """Writes the line of an evidence page, without its id, its secret or its address. Raises AuditError."""
        self._write(
            {
                "time": self._time(),
                "id": secrets.token_hex(16),
                "kind": "evidence",
                "event": event.event,
                "request": event.request_id,
                "client": event.client,
                "card": event.card,
                "version": self._version,
            }
        )

    def form(self, event: FormEvent) -> None:
        """Writes the line of a request about forms, without anything of its body. Raises AuditError."""
        self._write(
            {
                "time": self._time(),
                "id": secrets.token_hex(16),
                "kind": "form",
                "event": event.event,
                "request": event.request_id,
                "client": event.caller.client,
                "status": event.status,
                "milliseconds": round(event.milliseconds, 1),
                "patient": self.patient(event.patient_id) if event.patient_id else None,
                "forms": list(event.forms),
                "version": self._version,
            }
        )

    def form_written(self, event: str, patient_id: str, told: Mapping[str, Any]) -> None:
        """Writes the line of a form that was sent to an EHR: ``event`` is "signed", "draft", or "refused".

        ``told`` are the client whose EHR it is, who signed in there, in which role, the form, the criteria on which an
        answer bears, and what the EHR took and refused (``documentation.recording``): no answer. Raises AuditError.
        """
        head = {"time": self._time(), "id": secrets.token_hex(16), "kind": "form", "event": event}
        self._write({**head, **told, "patient": self.patient(patient_id), "version": self._version})

    def check(self) -> None:
        """Opens today's file as a line would, and writes nothing. Raises AuditError where that cannot be done."""
        os.close(self._open(self._clock().date()))

    def patient(self, patient_id: str) -> str:
        """The hash under which a patient is in the log: HMAC-SHA-256 under the id key, in hexadecimal."""
        return _hash(self._id_key, "patient", patient_id)

    def _head(self, kind: str, entry: Call | Feedback) -> dict[str, Any]:
        caller = entry.caller
        return {
            "time": self._time(),
            "id": secrets.token_hex(16),
            "kind": kind,
            "request": entry.request_id,
            "client": caller.client,
            "issuer": _short(caller.issuer),
            "tenant": _short(caller.tenant),
            "jti": _short(caller.token_id),
            "sub": _short(caller.subject),
            "service": entry.service,
            "status": entry.status,
            "milliseconds": round(entry.milliseconds, 1),
            "version": self._version,
        }

    def _time(self) -> str:
        return self._clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def _hashed(self, kind: str, value: str | None) -> str | None:
        return None if value is None else _hash(self._id_key, kind, value)

    def _open(self, day: date) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        path = f"{self.folder}/audit-{day.isoformat()}.jsonl"
        try:
            try:
                return os.open(path, flags, FILE_MODE)
            except FileNotFoundError:
                self.folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
                self.folder.chmod(FOLDER_MODE)
                return os.open(path, flags, FILE_MODE)
        except OSError as error:
            raise cannot("write to", self.folder, error) from None

    def _write(self, line: Mapping[str, Any]) -> None:
        text = orjson.dumps(line) + b"\n"
        file = self._open(date.fromisoformat(line["time"][:10]))
        try:
            size = os.fstat(file).st_size
            if self._most and size + len(text) > self._most:
                # What was asked and answered, as hashes, is the last to go.
                text = orjson.dumps({**line, "content": None}) + b"\n" if line.get("content") else text
                if size + len(text) > self._most:
                    raise AuditError(
                        f"The audit log of today in {self.folder} has reached CDS_SERVICE_AUDIT_MAX_BYTES."
                    )
            # A line that a full disk cut off must not take the next one with it.
            if size and os.pread(file, 1, size - 1) != b"\n":
                text = b"\n" + text
            written = os.write(file, text)
        except OSError as error:
            raise cannot("write to", self.folder, error) from None
        finally:
            os.close(file)
        if written < len(text):
            raise AuditError(f"The audit log in {self.folder} took a part of a line: the disk is full.")


def cannot(what: str, folder: Path, error: OSError) -> AuditError:
    """The error that says what the log in a folder would not do, such as "write to"."""
    return AuditError(f"Cannot {what} the audit log in {folder}: {error.strerror}.")


def _hash(key: bytes, kind: str, value: str) -> str:
    return hmac.digest(key, b"audit\0" + kind.encode() + b"\0" + value.encode("utf-8", "surrogatepass"), "sha256").hex()


def _short(value: str | None) -> str | None:
    return value[:LONGEST_CLAIM] if value else None


def _without_words(item: FeedbackItem, reasons: frozenset[str]) -> dict[str, Any]:
    """What is kept of one piece of feedback: ids of our making, the outcome, a reason that we offer; no other text."""
    told: dict[str, Any] = {"card": item.card} if _is_uuid(item.card) else {}
    told["outcome"] = item.outcome
    if ids := [one for one in item.suggestions if _is_uuid(one)]:
        told["acceptedSuggestions"] = ids
    if item.reason is not None and item.reason.code in reasons:
        told["reason"] = item.reason.code
    return told


def _is_uuid(value: str) -> bool:
    return _UUID.fullmatch(value) is not None
