"""Packets closed for the browser that shows a page: whoever opens the page can have its letter and its download made.

A packet is closed under the server's key alone and is in a page that shows what is in it. Nothing is kept here.
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
    """Closes and opens packets; ``keys`` are those of pages, None where there are none."""

    def __init__(
        self,
        keys: PageKeys | None,
        now: Callable[[], datetime] = _now,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._keys, self._now, self._random = keys, now, random

    @property
    def are_made(self) -> bool:
        """Whether there are keys to close any."""
        return self._keys is not None

    def closed(self, packet: Packet) -> str:
        """A packet as text, for half an hour; "" where it cannot be closed: the page is shown without it."""
        if self._keys is None:
            return ""
        until = f"{int(self._now().timestamp()) + SECONDS:0{_DIGITS}}"
        try:
            closed = self._keys.at(self._now()).seal(until.encode() + packet.as_json(), _BOUND_TO, self._random)
        except StoreError:
            return ""
        return f"{closed['key']}.{closed['sealed']}"

    def opened(self, text: str) -> Packet | None:
        """What ``closed`` closed; None for anything else, and once half an hour has gone by. Raises StoreError."""
        key, _, sealed = text.partition(".")
        if self._keys is None or len(text) > LONGEST:
            return None
        try:
            content = self._keys.at(self._now()).open({"key": key, "sealed": sealed}, _BOUND_TO)
        except SealError:
            return None
        until = int(content[:_DIGITS])
        return Packet.of_json(content[_DIGITS:]) if self._now().timestamp() < until else None
