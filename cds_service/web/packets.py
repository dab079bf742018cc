"""Encrypted packets in pages: a browser that shows a page can request its letter and its download.

Only the server's key encrypts a packet, and the page around it shows the same content. The service stores nothing.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime

from cds_service.operations.sealing import SealError
from cds_service.store.failures import StoreError
from cds_service.store.page_keys import PageKeys
from cds_service.web.packet import Packet

SECONDS = 30 * 60
LONGEST = 4 * 1024 * 1024
_BOUND_TO = "packet"
_DIGITS = 12


def _now() -> datetime:
    return datetime.now(UTC)


class Packets:
    """Encrypts and decrypts packets; ``keys`` are the keys of pages, None if there are none."""

    def __init__(
        self,
        keys: PageKeys | None,
        now: Callable[[], datetime] = _now,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._keys, self._now, self._random = keys, now, random

    @property
    def are_made(self) -> bool:
        """Whether there are keys for packets."""
        return self._keys is not None

    def closed(self, packet: Packet) -> str:
        """An encrypted packet, valid for half an hour; "" if the store has no key, and then the page has no packet."""
        if self._keys is None:
            return ""
        until = f"{int(self._now().timestamp()) + SECONDS:0{_DIGITS}}"
        try:
            closed = self._keys.at(self._now()).seal(until.encode() + packet.as_json(), _BOUND_TO, self._random)
        except StoreError:
            return ""
        return f"{closed['key']}.{closed['sealed']}"

    def opened(self, text: str) -> Packet | None:
        """The packet that ``closed`` encrypted; None for any other text, or after half an hour. Raises StoreError."""
        key, _, sealed = text.partition(".")
        if self._keys is None or len(text) > LONGEST:
            return None
        try:
            content = self._keys.at(self._now()).open({"key": key, "sealed": sealed}, _BOUND_TO)
        except SealError:
            return None
        until = int(content[:_DIGITS])
        return Packet.of_json(content[_DIGITS:]) if self._now().timestamp() < until else None
