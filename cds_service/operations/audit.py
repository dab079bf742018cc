"""The log for disputes: one line for each call and each answer, apart from the operational log (CRD 2.2.1, found-37).

An evidence page adds a line when it is made, opened, or expired.

Lines are JSON, in one file for each day (UTC), and several workers append to it. Patients and hook instances appear
only as keyed hashes. Calls and answers are kept only if the operator asks for it, and then encrypted.
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
    """The folder of the audit log in the folder ``state`` (the setting of that name)."""
    return state / "audit"


class AuditError(Exception):
    """The audit log cannot be written or read; the message says why and names nothing of a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The client of a call, and the claims of its token that may be kept; never the token."""

    client: str = OPEN
    issuer: str | None = None
    tenant: str | None = None
    token_id: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call and its answer, for the log.

    ``today`` is the UTC day on which the call was evaluated; ``told`` is ``outcomes.told`` of the answers. ``fetched``
    are the prefetch values that came from the FHIR server; ``unfetched`` gives the reason for each value that did not.
    ``secrets`` are texts of the answer to remove, such as links that open something.
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
    """One request with feedback; ``items`` are its pieces of feedback (CDS Hooks 2.0, "Feedback").

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
    """An event of a card's evidence page: ``event`` is "made", "opened" or "expired".

    ``client`` is the client whose call made the page; ``request_id`` is the id of that call, if known.
    """

    event: str
    card: str
    client: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FormEvent:
    """A request about forms: ``event`` is "package" or "errors".

    ``forms`` are the forms that the caller got or reported, as "policy|edition"; ``patient_id`` is the patient of the
    form.
    """

    event: str
    caller: Caller
    request_id: str
    status: int
    milliseconds: float
    forms: Sequence[str] = ()
    patient_id: str | None = None


class NoAuditLog:
    """An audit log that is off."""

    def form(self, event: FormEvent) -> None:
        """Write nothing."""

    def check(self) -> None:
        """Do nothing; this log cannot fail."""


class AuditLog:
    """Writes the log into ``folder``. Several workers of a machine may share it: each line is one appending write.

    ``id_key`` keys the hashes; ``keys`` encrypt the content, and None stores no content; ``clock`` gives the time in
    UTC. A written line outlives the process, but is not forced to the disk: a power failure may lose the last lines.
    ``most_bytes`` caps each day (0: no cap). Near the cap lines lose their content; at the cap no line is written.
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
        """Write the line of a call. Raises AuditError; the caller still gets the answer."""
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
        """Write the line of a request with feedback, without the users' own words. Raises AuditError."""
        self._write(
            {
                **self._head("feedback", feedback),
                "feedback": [_without_words(item, feedback.reasons) for item in feedback.items],
                "requestSha256": hashlib.sha256(feedback.request).hexdigest(),
            }
        )

    def evidence(self, event: EvidencePageEvent) -> None:
        """Write the line of an evidence page, without its id, secret, or address. Raises AuditError."""
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
        """Write the line of a request about forms, without its body. Raises AuditError."""
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
        """Write the line of a form sent to an EHR: ``event`` is "signed", "draft", or "refused".

        ``told`` are the EHR's client, the user and their role, the form, the criteria that the answers bear on, and
        what the EHR accepted and refused (``documentation.recording``); no answers. Raises AuditError.
        """
        head = {"time": self._time(), "id": secrets.token_hex(16), "kind": "form", "event": event}
        self._write({**head, **told, "patient": self.patient(patient_id), "version": self._version})

    def check(self) -> None:
        """Open today's file for appending, and write nothing. Raises AuditError if that fails."""
        os.close(self._open(self._clock().date()))

    def patient(self, patient_id: str) -> str:
        """The hash that stands for a patient in the log: HMAC-SHA-256 under the id key, in hexadecimal."""
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
                # Drop the content first; the hashes of request and answer stay as long as they fit.
                text = orjson.dumps({**line, "content": None}) + b"\n" if line.get("content") else text
                if size + len(text) > self._most:
                    raise AuditError(
                        f"The audit log of today in {self.folder} has reached CDS_SERVICE_AUDIT_MAX_BYTES."
                    )
            # After a line cut off by a full disk, start the next one on a line of its own.
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
    """The error for an action on the log that failed, such as "write to"."""
    return AuditError(f"Cannot {what} the audit log in {folder}: {error.strerror}.")


def _hash(key: bytes, kind: str, value: str) -> str:
    return hmac.digest(key, b"audit\0" + kind.encode() + b"\0" + value.encode("utf-8", "surrogatepass"), "sha256").hex()


def _short(value: str | None) -> str | None:
    return value[:LONGEST_CLAIM] if value else None


def _without_words(item: FeedbackItem, reasons: frozenset[str]) -> dict[str, Any]:
    """One piece of feedback without free text: our own ids, the outcome, and a reason that our cards offer."""
    told: dict[str, Any] = {"card": item.card} if _is_uuid(item.card) else {}
    told["outcome"] = item.outcome
    if ids := [one for one in item.suggestions if _is_uuid(one)]:
        told["acceptedSuggestions"] = ids
    if item.reason is not None and item.reason.code in reasons:
        told["reason"] = item.reason.code
    return told


def _is_uuid(value: str) -> bool:
    return _UUID.fullmatch(value) is not None
