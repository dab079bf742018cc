"""The result of a call to another server: an answer or an error, and a byte budget for several answers."""

import threading
from dataclasses import dataclass
from typing import Literal

Kind = Literal["forbidden", "unreachable", "timeout", "too-large", "redirected", "tls"]

_SENTENCES: dict[Kind, str] = {
    "forbidden": "the server's name leads to an address that may not be called",
    "unreachable": "the server could not be reached",
    "timeout": "the server did not answer in time",
    "too-large": "the server's answer is larger than the limit",
    "redirected": "the server answered with a redirect, which is not followed",
    "tls": "the server's certificate is not trusted",
}


class OutgoingError(Exception):
    """A call without a usable answer; ``sentence`` is safe to show: it has no address, token or patient data."""

    def __init__(self, kind: Kind, sentence: str | None = None) -> None:
        self.kind: Kind = kind
        self.sentence = sentence or _SENTENCES[kind]
        super().__init__(self.sentence)


@dataclass(frozen=True, slots=True)
class Received:
    """An answer with any status: its media type without parameters, its decompressed body, the called address.

    ``cache_control``, ``location`` and ``etag`` are the headers with these names, unchanged.
    """

    status: int
    content_type: str
    body: bytes
    url: str
    cache_control: str = ""
    location: str = ""
    etag: str = ""


class ByteBudget:
    """The bytes that may still be read from the answers to several calls, shared by their threads."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._lock = threading.Lock()

    def take(self, count: int) -> bool:
        """Count the bytes read; returns False if they exceed the budget."""
        with self._lock:
            self._left -= count
            return self._left >= 0

    @property
    def is_exceeded(self) -> bool:
        """True if more bytes came than the budget allows."""
        return self._left < 0
