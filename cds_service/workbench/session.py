"""What one browser did in the workbench: what was written into its charts, who may read them, which refusals are on.

Pure: a session is read from bytes, changed, and written as bytes; times are seconds since 1970, chance is passed in.
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
# Kinds of grant: a launch of an app, a consent page that is open, an authorization code, an access token.
LAUNCH, CONSENT, CODE, ACCESS = "launch", "consent", "code", "access"
# Each kind has room of its own, so that many launches never end an access token.
MOST_GRANTS = 30
MOST_WRITTEN = 100
MOST_BYTES = 1_000_000

Random = Callable[[int], bytes]


@dataclass(slots=True)
class Session:
    """One session. ``name`` is no secret; ``cookie`` is the hash of what the browser has.

    ``grants`` maps the hash of a secret to what it opens, ``written`` the name of a patient to the newest version of
    each resource that was written there, and ``changes`` counts what was written and removed.
    """

    name: str
    cookie: str
    refusals: Refusals = field(default_factory=Refusals)
    grants: dict[str, dict[str, Any]] = field(default_factory=dict)
    written: dict[str, list[Json]] = field(default_factory=dict)
    changes: int = 0

    @classmethod
    def read(cls, name: str, content: bytes) -> "Session":
        """The session that ``content`` wrote."""
        held = orjson.loads(content)
        return cls(
            name, held["cookie"], Refusals.read(held["refusals"]), held["grants"], held["written"], held["changes"]
        )

    def content(self) -> bytes:
        """The session as bytes. Raises RequestError 413 where it holds more than a session may."""
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
        """Whether this is what the browser of the session has."""
        return _hash(cookie_secret) == self.cookie

    # --- grants ---

    def grant(self, kind: str, until: int, now: int, random: Random, **opens: Any) -> str:
        """Makes a grant that ends at ``until``; the token for it, which names the session and holds a secret."""
        self.grants = {key: item for key, item in self.grants.items() if item["until"] > now}
        alike = [key for key, item in self.grants.items() if item["kind"] == kind]
        for key in alike[: max(0, len(alike) - MOST_GRANTS + 1)]:
            del self.grants[key]
        secret = new_secret(random)
        self.grants[_hash(secret)] = {"kind": kind, "until": until, **opens}
        return f"{self.name}.{secret}"

    def granted(self, kind: str, token: str, now: int) -> dict[str, Any] | None:
        """What a token opens; None for one that is unknown, of another kind, or over."""
        found = self.grants.get(_hash(secret_of(token)))
        return found if found is not None and found["kind"] == kind and found["until"] > now else None

    def take(self, kind: str, token: str, now: int) -> dict[str, Any] | None:
        """The same, and the token no longer opens anything."""
        found = self.granted(kind, token, now)
        if found is not None:
            del self.grants[_hash(secret_of(token))]
        return found

    def revoke(self, token: str) -> None:
        """Ends every grant that came of a code (RFC 6749, section 4.1.2: a code that is used again)."""
        code = _hash(secret_of(token))
        self.grants = {key: item for key, item in self.grants.items() if item.get("code") != code}

    # --- what was written ---

    def put(self, patient: str, resource: Json) -> None:
        """Keeps the newest version of a resource in the chart of a patient."""
        others = [item for item in self.written.get(patient, []) if not _same(item, resource)]
        self.written[patient] = [*others, resource]
        self.changes += 1

    def remove(self, patient: str, kind: str, identity: str) -> bool:
        """Removes what was written; whether it was there."""
        gone = {"resourceType": kind, "id": identity}
        before = self.written.get(patient, [])
        self.written[patient] = [item for item in before if not _same(item, gone)]
        removed = len(self.written[patient]) < len(before)
        self.changes += removed
        return removed

    def reset(self, patient: str) -> None:
        """Removes all that was written into the chart of a patient."""
        if self.written.pop(patient, []):
            self.changes += 1

    def chart(self, patient: str, shipped: tuple[Json, ...]) -> Iterator[Json]:
        """The chart of a patient: the records that ship, and in place of them or beside them what was written."""
        written = self.written.get(patient, [])
        over = {(item["resourceType"], item["id"]) for item in written}
        yield from (item for item in shipped if (item["resourceType"], item.get("id")) not in over)
        yield from written


def begun(random: Random) -> tuple[Session, str]:
    """A session that has no name yet, and the secret for the cookie of its browser."""
    secret = new_secret(random)
    return Session("", _hash(secret)), secret


def new_secret(random: Random) -> str:
    """A secret that nobody can guess, as text for addresses."""
    return urlsafe_b64encode(random(SECRET_BYTES)).rstrip(b"=").decode()


def name_of(token: str) -> str:
    """The name of the session that a token, or a cookie, belongs to."""
    return token.partition(".")[0]


def secret_of(token: str) -> str:
    """The secret in a token, or in a cookie."""
    return token.partition(".")[2]


def hash_of(token: str) -> str:
    """What of a token can be kept beside what it opens."""
    return _hash(secret_of(token))


def _hash(secret: str) -> str:
    # Kept are hashes alone, so that what is kept opens nothing.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _same(one: Json, other: Json) -> bool:
    return (one["resourceType"], one.get("id")) == (other["resourceType"], other.get("id"))
