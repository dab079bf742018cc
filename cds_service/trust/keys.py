"""The keys of a client: from the clients file, or its key set, fetched when a token needs it and then kept.

A key set is fetched from the one address of the client's entry, whatever a token says, and only when a token needs it.
"""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from cds_service.clock import Deadline
from cds_service.ehr.addresses import Allowance
from cds_service.ehr.client import OutgoingClient
from cds_service.ehr.received import OutgoingError
from cds_service.json_bodies import is_deeper
from cds_service.operations import logs
from cds_service.trust.entries import Client
from cds_service.trust.jwk import Key, KeySet, UnusableKeyError, read_key_set

# How long a key set is kept if its server does not say, and the bounds of what it may say, in seconds.
USUAL_SECONDS, LEAST_SECONDS, MOST_SECONDS = 3600, 60, 86_400
# How long keys count whose server cannot be reached, since they were fetched.
STALE_SECONDS = 86_400
# How often an unknown kid may lead to a new fetch: keys are replaced seldom, and kids cost nothing to invent.
UNKNOWN_SECONDS = 30
# How soon a server that failed is asked again.
FAILED_SECONDS = 10
# What one fetch may take: the call that waits for it has its own deadline to keep.
FETCH_SECONDS = 2.0
MAX_BYTES = 256 * 1024
DEEPEST = 20
_MAX_AGE = re.compile(r"\s*max-age\s*=\s*\"?(\d{1,10})\"?\s*", re.IGNORECASE)
_NOT_KEPT = re.compile(r"\s*(?:no-store|no-cache)\b.*", re.IGNORECASE)


class KeysUnavailableError(Exception):
    """The key set is not available, so nothing can be said of a token.

    ``sentence`` holds no address; ``kind`` is that of an OutgoingError, or ``status`` or ``unreadable``.
    """

    def __init__(self, sentence: str, *, kind: str = "unreadable") -> None:
        super().__init__(sentence)
        self.sentence, self.kind = sentence, kind


class Fetched(NamedTuple):
    """A key set as its server gave it, and for how many seconds it may be kept."""

    keys: KeySet
    seconds: int


def fetch_key_set(http: OutgoingClient, client: Client, deadline: Deadline) -> Fetched:
    """Fetches the key set of a client's ``jwks_url`` now. Raises KeysUnavailableError."""
    assert client.jwks_url is not None
    try:
        received = http.get(
            client.jwks_url,
            accept="application/jwk-set+json, application/json",
            allowance=client.jwks_allowance(),
            deadline=Deadline(min(FETCH_SECONDS, deadline.left())),
            max_bytes=MAX_BYTES,
        )
    except OutgoingError as error:
        raise KeysUnavailableError(error.sentence, kind=error.kind) from None
    if received.status != 200:
        raise KeysUnavailableError(f"the server answered with status {received.status}", kind="status")
    try:
        document = orjson.loads(received.body)
        if is_deeper(document, DEEPEST):
            raise KeysUnavailableError("the answer is nested too deeply for a JWK Set")
        keys = read_key_set(document)
    except orjson.JSONDecodeError:
        raise KeysUnavailableError("the answer is not JSON") from None
    except UnusableKeyError as error:
        raise KeysUnavailableError(f"of the answer: {error}") from None
    return Fetched(keys, kept_for(received.cache_control))


def kept_for(cache_control: str) -> int:
    """For how many seconds a key set may be kept (RFC 9111, section 5.2.2), within our bounds."""
    directives = cache_control.split(",")
    if any(_NOT_KEPT.fullmatch(item) for item in directives):
        return LEAST_SECONDS
    ages = [int(found[1]) for item in directives if (found := _MAX_AGE.fullmatch(item))]
    return max(LEAST_SECONDS, min(*ages, MOST_SECONDS)) if ages else USUAL_SECONDS


class _Held(NamedTuple):
    """What is known of a key set; replaced as a whole, so that it can be read without a lock."""

    keys: tuple[Key, ...] = ()
    fetched: float = 0.0
    expires: float = 0.0
    asked: float | None = None
    failure: KeysUnavailableError | None = None
    was_fetched: bool = False

    def of(self, kid: str) -> tuple[Key, ...]:
        return tuple(key for key in self.keys if key.kid == kid)


@dataclass(slots=True)
class _Source:
    """One key set; whoever holds the lock may fetch it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    held: _Held = field(default_factory=_Held)


class KeyRing:
    """The keys of all clients, for any thread of one process. It opens no connection before a token needs a key.

    ``clock`` counts seconds and never runs backwards.
    """

    def __init__(self, http: OutgoingClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._http, self._clock = http, clock
        self._lock = threading.Lock()
        self._sources: dict[tuple[str, Allowance], _Source] = {}

    def keys_of(self, client: Client, kid: str, deadline: Deadline) -> tuple[Key, ...]:
        """The client's key of that name; none if it has no such key. Raises KeysUnavailableError."""
        if client.jwks_url is None:
            return tuple(key for key in client.keys if key.kid == kid)
        source = self._source(client)
        held = source.held
        if self._settled(held, kid):
            return self._told(held, kid)
        # Keys that are merely due for renewal go on being used while another thread fetches.
        waits = not (held.of(kid) and self._counts(held))
        timeout = deadline.left() if waits else -1
        if not source.lock.acquire(blocking=waits, timeout=timeout):
            if waits:
                raise KeysUnavailableError("the key set did not come in time", kind="timeout")
            return held.of(kid)
        try:
            if not self._settled(source.held, kid):
                source.held = self._fetched(client, source.held, deadline)
            return self._told(source.held, kid)
        finally:
            source.lock.release()

    def _source(self, client: Client) -> _Source:
        assert client.jwks_url is not None
        with self._lock:
            return self._sources.setdefault((client.jwks_url, client.jwks_allowance()), _Source())

    def _settled(self, held: _Held, kid: str) -> bool:
        """Whether there is nothing to gain by fetching, or it is too soon for it."""
        if held.asked is None:
            return False
        now = self._clock()
        is_fresh = held.was_fetched and now < held.expires
        if is_fresh and held.of(kid):
            return True
        if held.failure is not None:
            return now - held.asked < FAILED_SECONDS
        return is_fresh and now - held.asked < UNKNOWN_SECONDS

    def _counts(self, held: _Held) -> bool:
        return held.was_fetched and self._clock() - held.fetched <= STALE_SECONDS

    def _told(self, held: _Held, kid: str) -> tuple[Key, ...]:
        found = held.of(kid) if self._counts(held) else ()
        # A key that is not among the old ones may be new: without the set nobody knows.
        if held.failure is not None and not found:
            raise KeysUnavailableError(held.failure.sentence, kind=held.failure.kind)
        return found

    def _fetched(self, client: Client, before: _Held, deadline: Deadline) -> _Held:
        asked = self._clock()
        try:
            fetched = fetch_key_set(self._http, client, deadline)
        except KeysUnavailableError as error:
            logs.logger().warning("keys-failed", client=client.id, kind=error.kind)
            return before._replace(asked=asked, failure=error)
        now = self._clock()
        logs.logger().info("keys-fetched", client=client.id, count=len(fetched.keys.keys))
        return _Held(fetched.keys.keys, now, now + fetched.seconds, asked, None, True)
