"""The keys of a client: from the clients file, or from its key set, fetched when a token needs it and then cached.

The only address for a key set is the one in the client's entry, whatever a token says.
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

# The cache time of a key set if its server names none, and the limits of the server's own value, in seconds.
USUAL_SECONDS, LEAST_SECONDS, MOST_SECONDS = 3600, 60, 86_400
# The time since fetching for which keys count while their server is unreachable.
STALE_SECONDS = 86_400
# The minimum time between fetches for unknown kids: real keys change rarely, and anyone can invent a kid.
UNKNOWN_SECONDS = 30
# The minimum time before the next request to a server that failed.
FAILED_SECONDS = 10
# The time limit of one fetch, because the waiting call has its own deadline.
FETCH_SECONDS = 2.0
MAX_BYTES = 256 * 1024
DEEPEST = 20
_MAX_AGE = re.compile(r"\s*max-age\s*=\s*\"?(\d{1,10})\"?\s*", re.IGNORECASE)
_NOT_KEPT = re.compile(r"\s*(?:no-store|no-cache)\b.*", re.IGNORECASE)


class KeysUnavailableError(Exception):
    """The key set is not available, so no token can be checked.

    ``sentence`` contains no address; ``kind`` is that of an OutgoingError, or ``status`` or ``unreadable``.
    """

    def __init__(self, sentence: str, *, kind: str = "unreadable") -> None:
        super().__init__(sentence)
        self.sentence, self.kind = sentence, kind


class Fetched(NamedTuple):
    """A key set from its server, and its cache time in seconds."""

    keys: KeySet
    seconds: int


def fetch_key_set(http: OutgoingClient, client: Client, deadline: Deadline) -> Fetched:
    """Fetch the key set of a client's ``jwks_url`` now. Raises KeysUnavailableError."""
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
        raise KeysUnavailableError(f"the answer is not usable: {error}") from None
    return Fetched(keys, kept_for(received.cache_control))


def kept_for(cache_control: str) -> int:
    """The cache time of a key set in seconds (RFC 9111, section 5.2.2), within our limits."""
    directives = cache_control.split(",")
    if any(_NOT_KEPT.fullmatch(item) for item in directives):
        return LEAST_SECONDS
    ages = [int(found[1]) for item in directives if (found := _MAX_AGE.fullmatch(item))]
    return max(LEAST_SECONDS, min(*ages, MOST_SECONDS)) if ages else USUAL_SECONDS


class _Held(NamedTuple):
    """The cached state of a key set; replaced as a whole, so readers need no lock."""

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
    """One key set; only the holder of the lock may fetch it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    held: _Held = field(default_factory=_Held)


class KeyRing:
    """The keys of all clients, for any thread of one process. It opens no connection before a token needs a key.

    ``clock`` is monotonic, in seconds.
    """

    def __init__(self, http: OutgoingClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._http, self._clock = http, clock
        self._lock = threading.Lock()
        self._sources: dict[tuple[str, Allowance], _Source] = {}

    def keys_of(self, client: Client, kid: str, deadline: Deadline) -> tuple[Key, ...]:
        """The client's keys with that kid; empty if there is none. Raises KeysUnavailableError."""
        if client.jwks_url is None:
            return tuple(key for key in client.keys if key.kid == kid)
        source = self._source(client)
        held = source.held
        if self._settled(held, kid):
            return self._told(held, kid)
        # Keys that are only due for renewal stay in use while another thread fetches.
        waits = not (held.of(kid) and self._counts(held))
        timeout = deadline.left() if waits else -1
        if not source.lock.acquire(blocking=waits, timeout=timeout):
            if waits:
                raise KeysUnavailableError("the key set did not arrive in time", kind="timeout")
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
        """True if a fetch would bring nothing new, or it is too early for one."""
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
        # A kid without an old key may be new, and only the key set could tell.
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
