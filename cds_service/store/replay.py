"""Tokens seen: each works once, on any worker or host (CDS Hooks 2.0, "Trusting CDS Clients", jti)."""

import hashlib
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import datetime

from sqlalchemy import BigInteger, ClauseElement, bindparam, delete, literal_column, select

from cds_service.clock import Deadline
from cds_service.store.database import Store
from cds_service.store.failures import StoreError
from cds_service.store.tables import TOKENS_SEEN

# Hosts' clocks differ, and a verifier allows some seconds: every clock must refuse a token that is removed here.
GRACE_SECONDS = 900
PRUNE_SECONDS = 300
# Small, so that the call that happens to prune is not late.
PRUNED_AT_ONCE = 200


class ReplayStore:
    """The tokens seen, until they expire; stored as SHA-256 of issuer and jti, so that neither is readable."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        """``clock`` returns seconds since 1970, UTC; it only decides when to remove expired tokens."""
        self._store = store
        self._clock = clock
        self._prune_after = 0.0

    def remember(self, issuer: str, jti: str, expires_at: datetime, deadline: Deadline | None = None) -> bool:
        """Store a token; returns False if any user of the store stored it before.

        ``expires_at`` has a time zone; ``deadline`` is the call's. Raises StoreError: then nobody knows whether the
        token was used, and a store that answered too late may have stored it.
        """
        with self._store.within(deadline) if deadline is not None else nullcontext():
            return self._is_new(issuer, jti, expires_at)

    def _is_new(self, issuer: str, jti: str, expires_at: datetime) -> bool:
        row = {"key": _key(issuer, jti), "expires": int(expires_at.timestamp()) + 1}
        is_new = self._store.write_quickly((_insert, [row])) == 1
        now = self._clock()
        if now >= self._prune_after:
            # Set first, so that usually only one thread prunes.
            self._prune_after = now + PRUNE_SECONDS
            # The result for the token is known, and a failed cleanup is no reason to refuse it.
            with suppress(StoreError):
                if self.prune() == PRUNED_AT_ONCE:
                    self._prune_after = 0.0
        return is_new

    def prune(self) -> int:
        """Remove some of the tokens that expired long ago; returns their number. Raises StoreError."""
        return self._store.write_quickly((_delete_old, [{"before": int(self._clock()) - GRACE_SECONDS}]))


def _insert(store: Store) -> ClauseElement:
    return store.insert(TOKENS_SEEN).on_conflict_do_nothing()


def _delete_old(store: Store) -> ClauseElement:
    table, before = TOKENS_SEEN.c, bindparam("before", type_=BigInteger)
    # Without a fixed order, two hosts could each wait for the other.
    old = select(table.key).where(table.expires < before).order_by(table.expires)
    # Both numbers are literal, because SQLite's syntax for a limit alone would add a parameter.
    some = old.limit(literal_column(str(PRUNED_AT_ONCE))).offset(literal_column("0"))
    return delete(TOKENS_SEEN).where(table.key.in_(some))


def _key(issuer: str, jti: str) -> bytes:
    return hashlib.sha256(f"{issuer}\0{jti}".encode("utf-8", "surrogatepass")).digest()
