"""Ids of cards and suggestions: the same call gives the same id, and nobody without the key can tell whose it is."""

import hmac
import json
from collections.abc import Callable
from uuid import UUID, uuid5

IdMaker = Callable[[str], str]


def reason_system(canonical_base: str) -> str:
    """The code system of the override reasons that our cards offer."""
    return f"{canonical_base}/CodeSystem/override-reasons"


def id_maker(
    key: bytes, *, client: str, patient: str, orders: str, policy: str, edition: str, findings: str
) -> IdMaker:
    """A function from a name (such as "card" or "suggestion:generator") to a UUID.

    The UUID is an HMAC-SHA-256 under ``key`` of who was told what about which orders, and the name.
    """
    scope = [client, patient, orders, policy, edition, findings]
    seed = hmac.digest(key, json.dumps(scope).encode(), "sha256")

    def make(name: str) -> str:
        return str(UUID(bytes=hmac.digest(seed, json.dumps(name).encode(), "sha256")[:16], version=5))

    return make


def derived(uuid: str, name: str) -> str:
    """The id of a part of what has the id ``uuid``: whoever knows that one can tell which part of it this is.

    A UUID of version 5 (RFC 9562, section 5.5) of ``name`` in the namespace ``uuid``.
    """
    return str(uuid5(UUID(uuid), name))
