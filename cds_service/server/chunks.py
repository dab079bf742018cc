"""A chunked body (RFC 9112, section 7.1), assembled as it arrives: strict, in linear time, and bounded."""

import re
from collections.abc import Generator

from cds_service.errors import RequestError

# The bytes around the data: sizes, extensions, trailers. For chunks of 1 KiB and more, they are 1% of the body.
MOST_FRAMING = 256 * 1024
LONGEST_LINE = 4096
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"'
# RFC 9112, sections 7.1 and 7.1.1.
_VALUE = rb"(?:[ \t]*+=[ \t]*+(?:" + _TOKEN + rb"|" + _QUOTED + rb"))"
_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})(?:[ \t]*+;[ \t]*+" + _TOKEN + _VALUE + rb"?+)*+")
_TRAILER = re.compile(_TOKEN + rb":[\t\x20-\x7e\x80-\xff]*")
# The beginnings of such lines, to refuse at once a line that cannot become valid.
_SIZE_BEGUN = re.compile(rb"(?:[0-9a-fA-F]{1,16}(?:[ \t]*|[ \t]*;[^\r\n]*))?\r?")
_TRAILER_BEGUN = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\r?")
_NOTHING_BEGUN = re.compile(rb"\r?")
_WRONG_SIZE = "a chunk begins with its size in hexadecimal digits"
_WRONG_END = "the data of a chunk has the size that was announced, and CRLF follows it"
_WRONG_TRAILER = "after the last chunk come header fields or an empty line"
_TOO_SMALL = f"what surrounds the data is limited to {MOST_FRAMING} bytes; send fewer and larger chunks"

Reading = Generator[None, None, bytes]


class Chunks:
    """One body of at most ``largest`` bytes of data; ``too_large`` is true for a larger one."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._waiting, self._at = bytearray(), 0
        self._pieces: list[bytes] = []
        self._size = self._framing = 0
        self._reading = self._body()
        self.too_large = False

    def feed(self, data: bytes) -> bool:
        """Take the next bytes; returns True if the body is complete. Raises RequestError 400 for invalid chunks."""
        del self._waiting[: self._at]
        self._at = 0
        self._waiting += data
        try:
            next(self._reading)
        except StopIteration:
            return True
        return False

    def data(self) -> bytes:
        """The data so far."""
        return b"".join(self._pieces)

    def rest(self) -> bytes:
        """The bytes after the end of the body."""
        return bytes(self._waiting[self._at :])

    def _body(self) -> Reading:
        """Parse as far as the bytes reach at each step."""
        while True:
            found = _SIZE.fullmatch((yield from self._line(_SIZE_BEGUN, _WRONG_SIZE)))
            if found is None:
                raise _malformed(_WRONG_SIZE)
            left = int(found[1], 16)
            if not left:
                break
            allowed = self._largest - self._size
            yield from self._chunk(min(left, allowed))
            if left > allowed:
                self.too_large = True
                return b""
            if (yield from self._line(_NOTHING_BEGUN, _WRONG_END)):
                raise _malformed(_WRONG_END)
        while line := (yield from self._line(_TRAILER_BEGUN, _WRONG_TRAILER)):
            if not _TRAILER.fullmatch(line):
                raise _malformed(_WRONG_TRAILER)
        return b""

    def _chunk(self, left: int) -> Reading:
        while left:
            piece = bytes(self._waiting[self._at : self._at + left])
            self._pieces.append(piece)
            self._at += len(piece)
            self._size += len(piece)
            left -= len(piece)
            if left:
                yield
        return b""

    def _line(self, begun: re.Pattern[bytes], rule: str) -> Reading:
        """The next line without its CRLF. Raises RequestError with ``rule`` if ``begun`` does not match it."""
        while (end := self._waiting.find(b"\r\n", self._at, self._at + LONGEST_LINE)) < 0:
            if not begun.fullmatch(self._waiting, self._at) or len(self._waiting) - self._at >= LONGEST_LINE:
                raise _malformed(rule)
            yield
        line = bytes(self._waiting[self._at : end])
        self._framing += end + 2 - self._at
        if self._framing > MOST_FRAMING:
            raise _malformed(_TOO_SMALL)
        self._at = end + 2
        return line


def _malformed(rule: str) -> RequestError:
    return RequestError(400, "structure", f"The body is not sent in chunks as HTTP has them (RFC 9112, 7.1): {rule}.")
