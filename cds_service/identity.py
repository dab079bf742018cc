"""Ids of cards and suggestions: the same call gives the same id, and nobody without the key can tell whose it is."""

import hmac
from collections.abc import Callable
from uuid import UUID

IdMaker = Callable[[str], str]


def id_maker(key: bytes, *scope: str) -> IdMaker:
    """A function from a name (such as "card" or "suggestion:generator") to a UUID.

    The UUID is an HMAC-SHA-256 under ``key`` of ``scope`` (client, patient, order, policy edition, findings) and the name.
    """
    seed = hmac.new(key, "\x1f".join(scope).encode("utf-8", "surrogatepass"), "sha256").digest()

    def make(name: str) -> str:
        return str(UUID(bytes=hmac.digest(seed, name.encode(), "sha256")[:16], version=5))

    return make
