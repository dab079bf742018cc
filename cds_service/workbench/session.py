"""The session of one browser in the workbench: the resources written into its charts, access to them, and refusals.

Pure: a session is parsed from bytes, changed, and serialized again. Times are seconds since 1970; the caller passes in
the random source.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from cds_service.errors import RequestError
from cds_service.fhir.elements import Json
from cds_service.workbench.refusals import Refusals

SECRET_BYTES = 32
# Kinds of grant: an app launch, an open consent page, an authorization code, an access token.
LAUNCH, CONSENT, CODE, ACCESS = "launch", "consent", "code", "access"
# Each kind has its own limit, so many launches never end an access token.
MOST_GRANTS = 30
MOST_WRITTEN = 100
MOST_BYTES = 1_000_000

Random = Callable[[int], bytes]


@dataclass(slots=True)
class Session:
    """One session. ``name`` is not secret; ``cookie`` is the hash of the secret in the browser's cookie.

    ``grants`` maps the hash of a secret to the data that it opens. ``written`` maps a patient's name to the newest
    version of each resource written there. ``changes`` counts writes and removals.
    """

    name: str
    cookie: str
    refusals: Refusals = field(default_factory=Refusals)
    grants: dict[str, dict[str, Any]] = field(default_factory=dict)
    written: dict[str, list[Json]] = field(default_factory=dict)
    changes: int = 0

    @classmethod
    def read(cls, name: str, content: bytes) -> "Session":
        """The session that ``content`` serialized."""
        held = orjson.loads(content)
        return cls(
            name, held["cookie"], Refusals.read(held["refusals"]), held["grants"], held["written"], held["changes"]
        )

    def content(self) -> bytes:
        """The session as bytes. Raises RequestError 413 if it exceeds a session's limits."""
        held = {
            "cookie": self.cookie,
            "refusals": self.refusals.as_json(),
            "grants": self.grants,
            "written": self.written,
            "changes": self.changes,
        }
        content = orjson.dumps(held)
        if len(content) > MOST_BYTES or sum(map(len, self.written.values())) > MOST_WRITTEN:
            raise RequestError(
                413,
                "too-costly",
                f"The demo EHR keeps at most {MOST_WRITTEN} written resources and {MOST_BYTES:,} bytes for one "
                "browser; reset the chart in the workbench.",
            )
        return content

    def is_of(self, cookie_secret: str) -> bool:
        """True if this is the secret in the browser's cookie."""
        return _hash(cookie_secret) == self.cookie

    # --- grants ---

    def grant(self, kind: str, until: int, now: int, random: Random, **opens: Any) -> str:
        """Add a grant that expires at ``until``; returns its token, which names the session and contains a secret."""
        self.grants = {key: item for key, item in self.grants.items() if item["until"] > now}
        alike = [key for key, item in self.grants.items() if item["kind"] == kind]
        for key in alike[: max(0, len(alike) - MOST_GRANTS + 1)]:
            del self.grants[key]
        secret = new_secret(random)
        self.grants[_hash(secret)] = {"kind": kind, "until": until, **opens}
        return f"{self.name}.{secret}"

    def granted(self, kind: str, token: str, now: int) -> dict[str, Any] | None:
        """The data that a token opens; None for a token that is unknown, of another kind, or expired."""
        found = self.grants.get(_hash(secret_of(token)))
        return found if found is not None and found["kind"] == kind and found["until"] > now else None

    def take(self, kind: str, token: str, now: int) -> dict[str, Any] | None:
        """Return the data that a token opens, as ``granted`` does, and remove the token."""
        found = self.granted(kind, token, now)
        if found is not None:
            del self.grants[_hash(secret_of(token))]
        return found

    def revoke(self, token: str) -> None:
        """Remove every grant that came from a code (RFC 6749, section 4.1.2: a code that is used again)."""
        code = _hash(secret_of(token))
        self.grants = {key: item for key, item in self.grants.items() if item.get("code") != code}

    # --- written resources ---

    def put(self, patient: str, resource: Json) -> None:
        """Store the newest version of a resource in the chart of a patient."""
        others = [item for item in self.written.get(patient, []) if not _same(item, resource)]
        self.written[patient] = [*others, resource]
        self.changes += 1

    def remove(self, patient: str, kind: str, identity: str) -> bool:
        """Remove a written resource; returns True if it was there."""
        gone = {"resourceType": kind, "id": identity}
        before = self.written.get(patient, [])
        self.written[patient] = [item for item in before if not _same(item, gone)]
        removed = len(self.written[patient]) < len(before)
        self.changes += removed
        return removed

    def reset(self, patient: str) -> None:
        """Remove everything written into the chart of a patient."""
        if self.written.pop(patient, []):
            self.changes += 1

    def chart(self, patient: str, shipped: tuple[Json, ...]) -> Iterator[Json]:
        """The chart of a patient: its example records, replaced or extended by the written resources."""
        written = self.written.get(patient, [])
        over = {(item["resourceType"], item["id"]) for item in written}
        yield from (item for item in shipped if (item["resourceType"], item.get("id")) not in over)
        yield from written


def begun(random: Random) -> tuple[Session, str]:
    """A session without a name, and the secret for its browser's cookie."""
    secret = new_secret(random)
    return Session("", _hash(secret)), secret


def new_secret(random: Random) -> str:
    """A secret that cannot be guessed, as text that is safe in addresses."""
    return urlsafe_b64encode(random(SECRET_BYTES)).rstrip(b"=").decode()


def name_of(token: str) -> str:
    """The name of the session of a token or cookie."""
    return token.partition(".")[0]


def secret_of(token: str) -> str:
    """The secret in a token or cookie."""
    return token.partition(".")[2]


def hash_of(token: str) -> str:
    """The hash of a token, which is safe to store with the data that the token opens."""
    return _hash(secret_of(token))


def _hash(secret: str) -> str:
    # The session stores only hashes, so stored data opens nothing.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _same(one: Json, other: Json) -> bool:
    return (one["resourceType"], one.get("id")) == (other["resourceType"], other.get("id"))
