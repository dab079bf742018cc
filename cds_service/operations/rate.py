"""Rate limits for clients, counted in this process's memory: each worker counts for itself."""

import ipaddress
import time
from functools import cache

from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

# Refused calls per address, regardless of client limits: slows guessing callers, but lets mistaken ones continue.
REFUSALS = "30/minute"
# Evidence pages opened from one address, which a whole hospital may share.
OPENINGS = "600/minute"


@cache
def limit_of(text: str) -> RateLimitItem:
    """A limit such as ``600/minute`` or ``10 per second``. Raises ValueError with a sentence that explains the form."""
    try:
        items = parse_many(text)
    except ValueError:
        items = []
    if len(items) != 1 or items[0].amount < 1 or items[0].get_expiry() < 1:
        raise ValueError(
            f"'{text}' is not a rate limit; write one number of calls and one time: 600/minute, 10/second, 20000/day"
        )
    return items[0]


class RateLimiter:
    """Counts calls over a moving window: a limit of 600/minute applies to any 60 seconds.

    The counts are in this process's memory, so N workers allow up to N times the limit. Make it in the worker, after
    the fork: it runs a thread that drops expired counts.
    """

    def __init__(self) -> None:
        self._storage = MemoryStorage()
        self._window = MovingWindowRateLimiter(self._storage)

    def check(self, client_id: str, limit: str) -> float | None:
        """Count one call of a client; None, or the seconds to wait for a call over the limit (which is not counted).

        An empty ``limit`` means no limit. Raises ValueError for an invalid limit.
        """
        return self._count("client", client_id, limit) if limit else None

    def feedback(self, client_id: str, limit: str, items: int) -> float | None:
        """Count a client's feedback items, all or none of them; returns what ``check`` returns."""
        return self._count("feedback", client_id, limit, items) if limit else None

    def refused(self, address: str, limit: str = REFUSALS) -> float | None:
        """Count one refused call from a remote address; None, or the seconds to wait if there were too many.

        Call it after refusing a token, never before checking one: callers behind a proxy may share an address, and one
        that guesses must not lock out the others.
        """
        return self._count("address", neighbourhood(address), limit)

    def opening(self, address: str, limit: str = OPENINGS) -> float | None:
        """Count one attempt to open an evidence page from a remote address; returns what ``check`` returns."""
        return self._count("evidence", neighbourhood(address), limit)

    def close(self) -> None:
        """End the thread that drops expired counts."""
        self._storage.timer.cancel()

    def _count(self, kind: str, key: str, limit: str, cost: int = 1) -> float | None:
        item = limit_of(limit)
        if self._window.hit(item, kind, key, cost=cost):
            return None
        return max(self._window.get_window_stats(item, kind, key).reset_time - time.time(), 0.0)


def neighbourhood(address: str) -> str:
    """The network of one caller: an IPv4 address, or the /64 of an IPv6 address, which one caller has to itself."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
