"""What a call to another server brought, or why it brought nothing, and how many bytes may be read of several."""

import threading
from dataclasses import dataclass
from typing import Literal

Kind = Literal["forbidden", "unreachable", "timeout", "too-large", "redirected", "tls"]

_SENTENCES: dict[Kind, str] = {
    "forbidden": "the server's name leads to an address that may not be called",
    "unreachable": "the server could not be reached",
    "timeout": "the server did not answer in time",
    "too-large": "the server's answer is larger than what is read",
    "redirected": "the server answered with a redirect, which is not followed",
    "tls": "the server's certificate is not trusted",
}


class OutgoingError(Exception):
    """A call that brought nothing; ``sentence`` can be shown to anyone: it holds no address, token or patient."""

    def __init__(self, kind: Kind, sentence: str | None = None) -> None:
        self.kind: Kind = kind
        self.sentence = sentence or _SENTENCES[kind]
        super().__init__(self.sentence)


@dataclass(frozen=True, slots=True)
class Received:
    """An answer, whatever its status: its media type without parameters, its body unpacked, the address called.

    ``cache_control``, ``location`` and ``etag`` are the headers of these names, as they came.
    """

    status: int
    content_type: str
    body: bytes
    url: str
    cache_control: str = ""
    location: str = ""
    etag: str = ""


class ByteBudget:
    """How many bytes may still be read of the answers to several calls, by all threads that make them."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._lock = threading.Lock()

    def take(self, count: int) -> bool:
        """Counts what was read, and says whether there was room for it."""
        with self._lock:
            self._left -= count
            return self._left >= 0

    @property
    def is_exceeded(self) -> bool:
        """Whether more came than there was room for."""
        return self._left < 0
