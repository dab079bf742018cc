"""One request as it arrives: takes bytes in any pieces, and produces the request or an error.

Only gunicorn parses the head and decides the length of the body, so no two parsers can disagree about it (request
smuggling). This module refuses requests that gunicorn accepts but HTTP forbids.
"""

import io
import re
from typing import Any

from gunicorn import http as gunicorn_http
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidHTTPVersion,
    InvalidRequestLine,
    InvalidRequestMethod,
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
    UnsupportedTransferCoding,
)

from cds_service.errors import RequestError
from cds_service.server.chunks import Chunks

LARGEST_HEAD = 64 * 1024
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: *([0-9]{1,12})\r\n")
_NO_LINE = "The request does not begin with a request line of HTTP/1.1, such as: GET /cds-services HTTP/1.1."
_LARGE_HEAD = f"The header fields are larger than the {LARGEST_HEAD} bytes that the service reads."
_NO_HOST = "The request has no Host header; HTTP/1.1 asks for one (RFC 9112, section 3.2)."
_CODING = "The body comes in a Transfer-Encoding other than chunked alone; send it uncompressed."
_WRONG_FIELD = "A header field is not as HTTP/1.1 has them (RFC 9112, sections 5 and 6)."
# For each gunicorn error: status, issue type and sentence. Any other error is a wrong header field.
_TOLD = (
    (LimitRequestLine, (414, "too-long", "The address is longer than what is read.")),
    (LimitRequestHeaders, (431, "too-long", _LARGE_HEAD)),
    (ExpectationFailed, (417, "not-supported", "The only Expect that can be met is 100-continue.")),
    (UnsupportedTransferCoding, (501, "not-supported", _CODING)),
    (InvalidRequestLine, (400, "structure", _NO_LINE)),
    (InvalidRequestMethod, (400, "structure", _NO_LINE)),
    (InvalidHTTPVersion, (400, "structure", _NO_LINE)),
    (Exception, (400, "structure", _WRONG_FIELD)),
)


def looks_whole(data: bytes) -> bool:
    """True if a request seems complete by its Content-Length; used for requests that are refused in any case.

    This costs a hundredth of parsing the head, and decides only that the worker need not wait for the rest.
    """
    end = data.find(_END)
    length = _LENGTH.search(data, 0, end + 2) if end >= 0 else None
    return length is not None and len(data) >= end + len(_END) + int(length[1])


class CutOff(io.RawIOBase):
    """The body of a request that did not arrive completely."""

    def readable(self) -> bool:
        """Return True, although there are no bytes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Raise TimeoutError."""
        raise TimeoutError


class Arrival:
    """One request. ``cfg``: gunicorn's configuration; ``client``: the caller's address; ``begun``: the monotonic time
    of its first byte; ``largest``: the maximum size of the body in bytes.

    ``request`` is gunicorn's, as soon as its head is complete; ``error`` is the reason for having none. ``whole``: the
    body arrived completely, so the connection can carry another request; ``rest`` are the bytes after it.
    """

    def __init__(self, cfg: Any, client: Any, begun: float, largest: int) -> None:
        self.begun = begun
        self.request: Any = None
        self.error: RequestError | None = None
        self.whole = False
        self.rest = b""
        self.continues = False
        self._cfg, self._client, self._largest = cfg, client, largest
        self._head = bytearray()
        self._pieces: list[bytes] = []
        self._missing = 0
        self._chunks: Chunks | None = None

    def feed(self, data: bytes) -> bool:
        """Take the next bytes; returns True if the request needs no more."""
        try:
            if self.request is None:
                found = self._read_head(data)
                if found is None:
                    return False
                data = found
                if self._missing > self._largest:
                    return self._end(CutOff())
            return self._read_body(data)
        except RequestError as error:
            self.error = error
            return True

    def wanted(self) -> int:
        """The known minimum number of bytes still to come."""
        return self._missing

    def cut_off(self) -> None:
        """End the request without more bytes; a head alone becomes a request with an unreadable body."""
        self._end(CutOff())

    def _read_head(self, data: bytes) -> bytes | None:
        """The bytes after the head, or None before its end. Raises RequestError."""
        first = not self._head
        searched = max(0, len(self._head) - len(_END) + 1)
        self._head += data
        # Bytes that are not HTTP would never end the head.
        if first and not (data[:1].isalpha() or data[:1] == b"\r"):
            raise RequestError(400, "structure", _NO_LINE)
        end = self._head.find(_END, searched)
        if end < 0:
            if len(self._head) > LARGEST_HEAD:
                raise RequestError(431, "too-long", _LARGE_HEAD)
            return None
        behind = end + len(_END)
        self.request = _parsed(self._cfg, bytes(self._head[:behind]), self._client)
        reader = self.request.body.reader
        if isinstance(reader, ChunkedReader):
            self._chunks = Chunks(self._largest)
        else:
            self._missing = reader.length
        rest = bytes(self._head[behind:])
        self._head.clear()
        # gunicorn would send it only when the application reads the body.
        self.continues = self.request._expected_100_continue and not rest and self._missing <= self._largest
        self.request._expected_100_continue = False
        return rest

    def _read_body(self, data: bytes) -> bool:
        if self._chunks is not None:
            if not self._chunks.feed(data):
                return False
            self.rest = self._chunks.rest()
            return self._end(io.BytesIO(self._chunks.data()), whole=not self._chunks.too_large)
        self._pieces.append(data[: self._missing])
        self.rest = data[self._missing :]
        self._missing -= len(self._pieces[-1])
        return not self._missing and self._end(io.BytesIO(b"".join(self._pieces)), whole=True)

    def _end(self, body: io.IOBase, whole: bool = False) -> bool:
        self.request.body = body
        self.whole = whole
        if not whole:
            # The start of a next request is unknown.
            self.request.force_close()
        return True


def _parsed(cfg: Any, head: bytes, client: Any) -> Any:
    """gunicorn's request for a complete head. Raises RequestError."""
    try:
        request = next(gunicorn_http.get_parser(cfg, [head], client))
    except (ParseException, NoMoreData, StopIteration) as error:
        told = next(told for kind, told in _TOLD if isinstance(error, kind))
        raise RequestError(*told) from None
    if request.version != (1, 0) and not any(value for name, value in request.headers if name == "HOST"):
        raise RequestError(400, "structure", _NO_HOST)
    if any(value.lower() != "chunked" for name, value in request.headers if name == "TRANSFER-ENCODING"):
        raise RequestError(501, "not-supported", _CODING)
    return request
