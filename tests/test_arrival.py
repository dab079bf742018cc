"""A request is put together of whatever pieces it comes in, and what is not HTTP is refused with a sentence."""

import pytest
from gunicorn.config import Config

from cds_service.errors import RequestError
from cds_service.server.arrival import LARGEST_HEAD, Arrival
from cds_service.server.chunks import MOST_FRAMING, Chunks
from tests.growth import Family
from tests.growth_doublings import MOST_FOR_A_DOUBLING, doublings

HEAD = b"POST /cds-services/x HTTP/1.1\r\nHost: cds.example\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LARGEST = 1000


def arrived(data: bytes, step: int = 0) -> Arrival:
    """What comes of bytes that come in pieces of ``step``, or in one."""
    arrival = Arrival(Config(), ("127.0.0.1", 1), 0.0, LARGEST)
    rest = data
    while rest:
        piece, rest = rest[: step or len(rest)], rest[step or len(rest) :]
        if arrival.feed(piece):
            arrival.rest += rest
            break
    return arrival


def status_of(data: bytes) -> set[int]:
    """How it is refused, in one piece and byte by byte."""
    found = [arrived(data, step).error for step in (0, 1)]
    return {error.status if error else 0 for error in found}


@pytest.mark.parametrize("step", [0, 1, 2, 3, 7])
@pytest.mark.parametrize(
    ("data", "body", "rest"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"", b""),
        (b"GET / HTTP/1.0\r\n\r\n", b"", b""),
        (b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\nGET /", b"", b"GET /"),
        (HEAD + b"Content-Length: 5\r\n\r\nhello", b"hello", b""),
        (HEAD + b"Content-Length: 5\r\n\r\nhelloGET", b"hello", b"GET"),
        (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", b"hello", b""),
        (CHUNKED + b'5;a;b=c;d="e;\\"\r"\r\nhello\r\n0\r\n\r\n'.replace(b"\r\"", b'"'), b"hello", b""),
        (CHUNKED + b"5 ; a = b\r\nhello\r\n00005\r\nagain\r\n000\r\nX-Sum: 1\r\n\r\nGET", b"helloagain", b"GET"),
        (CHUNKED + b"0\r\n\r\n", b"", b""),
        (HEAD + b"Transfer-Encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", b"0123456789", b""),
    ],
)  # fmt: skip
def test_a_request_arrives_whole_in_any_pieces(data, body, rest, step):
    arrival = arrived(data, step)
    assert (arrival.error, arrival.whole) == (None, True)
    assert (arrival.request.body.read(), arrival.rest) == (body, rest)
    assert not arrival.request.must_close


@pytest.mark.parametrize(
    "body",
    [
        b"hello\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\rhello\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r0\r\n\r\n",
        b"5\r\nhell\r\n0\r\n\r\n",
        b"5\r\nhelloo\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b"\r\n\r\n",
        b"\n",
        b"g\r\n",
        b"{}",
        b"\x00\r\n",
        b"\xff\xff\r\n",
        b"\xef\xbc\x95\r\nhello\r\n0\r\n\r\n",
        b"11111111111111111\r\n",
        b"5;\r\nhello\r\n0\r\n\r\n",
        b"5;=\r\nhello\r\n0\r\n\r\n",
        b'5;a="\r\nhello\r\n0\r\n\r\n',
        b"5;a=b c\r\nhello\r\n0\r\n\r\n",
        b"5,a\r\nhello\r\n0\r\n\r\n",
        b"5" + b";a" * 4000 + b"\r\nhello\r\n0\r\n\r\n",
        b"5;" + b"a" * 5000,
        b"0\r\nno field\r\n\r\n",
        b"0\r\n: x\r\n\r\n",
        b"0\r\nX-Sum: 1\n\r\n\r\n",
        b"0\r\nX-Sum: \x00\r\n\r\n",
        b"0\r\n" + b"X: 1\r\n" * 50_000 + b"\r\n",
        b"0\n\n",
    ],
)
def test_malformed_chunks_are_refused_as_soon_as_they_are(body):
    assert status_of(CHUNKED + body) == {400}


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"\r\n\r\n", 400),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * LARGEST_HEAD, 431),
        (HEAD + b"Expect: wonders\r\n\r\n", 417),
        (HEAD + b"X Y: 1\r\n\r\n", 400),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
        (HEAD + b"Content-Length: -5\r\n\r\n", 400),
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: identity, chunked\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: wonders\r\n\r\n", 501),
        (HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n", 400),
    ],
)
def test_heads_that_http_does_not_know_are_refused(head, status):
    assert status_of(head) == {status}


@pytest.mark.parametrize("step", [0, 1])
def test_no_more_of_a_body_is_taken_than_allowed(step):
    arrival = arrived(CHUNKED + b"2\r\nab\r\nffffffff\r\n" + b"x" * 2 * LARGEST, step)
    assert (arrival.error, arrival.whole) == (None, False)
    assert len(arrival.request.body.read()) == LARGEST
    assert arrival.request.should_close()


@pytest.mark.parametrize("body", [b"Content-Length: 1001\r\n\r\n", b"Content-Length: 5\r\n\r\nhell"])
def test_what_never_comes_whole_cannot_be_read(body):
    arrival = arrived(HEAD + body)
    arrival.cut_off()
    with pytest.raises(TimeoutError):
        arrival.request.body.read()
    assert arrival.request.should_close()


@pytest.mark.parametrize(
    ("length", "more", "continues"), [(5, b"", True), (5, b"h", False), (LARGEST + 1, b"", False), (0, b"", True)]
)
def test_who_asks_first_is_asked_to_go_on_where_the_body_is_wanted(length, more, continues):
    arrival = arrived(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length + more)
    assert arrival.continues == continues


PIECE = b"1\r\nx\r\n"


def chunks_of(pieces: bytes) -> Chunks:
    """Chunks of one byte, each in a piece of its own."""
    chunks = Chunks(10**7)
    for _ in range(len(pieces) // len(PIECE)):
        assert not chunks.feed(PIECE)
    return chunks


def test_chunks_cost_no_more_for_each_than_for_the_first():
    """As many of one byte as are taken at all."""
    count = MOST_FRAMING // 5 - 1
    grown = doublings(Family(lambda n: PIECE * n, chunks_of), count // 4)
    assert max(grown) <= MOST_FOR_A_DOUBLING
    chunks = chunks_of(PIECE * count)
    assert chunks.data() == b"x" * count
    with pytest.raises(RequestError, match="larger chunks"):
        chunks.feed(PIECE * 3)
