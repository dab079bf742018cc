"""Calls of our own: nothing but what is allowed, nothing past the deadline (CDS Hooks 2.0, "Trusting CDS Clients")."""

import gzip
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from itertools import chain, product, repeat
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from cds_service.clock import Deadline
from cds_service.ehr.addresses import Allowance, ForbiddenAddressError, may_connect, permitted
from cds_service.ehr.client import OutgoingClient
from cds_service.ehr.received import OutgoingError
from tests import hostile_addresses
from tests.hostile_addresses import BASE, Hostile
from tests.waiting import wait_for

EHR = Allowance((BASE,))
HERE = Allowance(loopback=True)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json; charset=utf-8\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
AWAY = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "
SMALL = OK + b"Content-Length: 2\r\n\r\n{}"


def get(client: OutgoingClient, url: str, allowance: Allowance, seconds: float = 5, max_bytes: int = 1000):
    return client.get(
        url,
        accept="application/fhir+json",
        allowance=allowance,
        deadline=Deadline(seconds),
        max_bytes=max_bytes,
        token="t",
    )


def refused(url: str, allowance: Allowance, **named) -> OutgoingError:
    client = OutgoingClient()
    try:
        with pytest.raises(OutgoingError) as caught:
            get(client, url, allowance, **named)
    finally:
        client.close()
    return caught.value


@pytest.fixture
def connections(monkeypatch) -> list[tuple]:
    """Every connection that anything tries to open; none is."""
    tried: list[tuple] = []

    def connect(self, address):
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    return tried


def test_there_are_enough_hostile_addresses():
    assert len(hostile_addresses.WRITTEN) + len(hostile_addresses.RESOLVED) >= 60


@pytest.mark.parametrize("hostile", hostile_addresses.WRITTEN, ids=lambda hostile: hostile.trick)
def test_a_hostile_address_is_refused_as_written(hostile: Hostile, connections):
    asked: list[str] = []
    client = OutgoingClient(resolve=lambda host, port: asked.append(host) or ["93.184.216.34"])
    with pytest.raises(OutgoingError) as caught:
        get(client, hostile.url, EHR)
    client.close()
    assert caught.value.kind == "forbidden"
    assert (asked, connections) == ([], [])


@pytest.mark.parametrize("hostile", hostile_addresses.RESOLVED, ids=lambda hostile: hostile.trick)
def test_a_name_that_leads_to_a_hostile_address_is_not_called(hostile: Hostile, connections):
    answers = chain(hostile.leads_to, repeat(hostile.leads_to[-1]))
    client = OutgoingClient(resolve=lambda host, port: next(answers))
    for _ in hostile.leads_to:
        with pytest.raises(OutgoingError) as caught:
            get(client, hostile.url, EHR)
    client.close()
    assert caught.value.kind == "forbidden"
    # The public address of an answer is the only one that was ever tried.
    assert {address for address, _ in connections} <= {"93.184.216.34"}


def test_the_address_that_was_checked_is_the_one_that_is_called(connections):
    client = OutgoingClient(resolve=lambda host, port: ["93.184.216.34"])
    with pytest.raises(OutgoingError, match="could not be reached"):
        get(client, f"{BASE}/Patient/1", EHR)
    client.close()
    assert connections == [("93.184.216.34", 443)]


@pytest.mark.parametrize("hidden", ["secret", "Patient", "example", "http"])
def test_an_error_repeats_neither_address_nor_token(hidden, connections):
    client = OutgoingClient(resolve=lambda host, port: ["93.184.216.34"])
    with pytest.raises(OutgoingError) as caught:
        client.get(
            f"{BASE}/Patient?secret=1", accept="", allowance=EHR, deadline=Deadline(1), max_bytes=1, token="secret"
        )
    client.close()
    assert hidden not in str(caught.value)


ALLOWED = [
    # remark, address, allowance, its one spelling
    ("the base itself", BASE, EHR, BASE),
    ("below the base", f"{BASE}/Patient?_id=1|2", EHR, f"{BASE}/Patient?_id=1|2"),
    ("the host in capitals", "HTTPS://EHR.Example/fhir/R4/x", EHR, f"{BASE}/x"),
    ("the host with its last dot", "https://ehr.example./fhir/R4/x", EHR, f"{BASE}/x"),
    ("the default port", "https://ehr.example:443/fhir/R4/x", EHR, f"{BASE}/x"),
    ("a base with a slash", f"{BASE}/x", Allowance((f"{BASE}/",)), f"{BASE}/x"),
    ("any port of this machine", "http://127.0.0.1:9/x", HERE, "http://127.0.0.1:9/x"),
    ("this machine by name", "http://localhost:9/x", HERE, "http://localhost:9/x"),
    ("this machine by IPv6", "http://[::1]:9/x", HERE, "http://[::1]:9/x"),
]


@pytest.mark.parametrize(
    ("url", "allowance", "spelling"), [row[1:] for row in ALLOWED], ids=[row[0] for row in ALLOWED]
)
def test_what_is_allowed_has_one_spelling(url, allowance, spelling):
    assert permitted(url, allowance) == spelling


@pytest.mark.parametrize(
    ("address", "networks", "may"),
    [
        ("93.184.216.34", (), True),
        ("2606:2800:220:1:248:1893:25c8:1946", (), True),
        ("10.1.2.3", (), False),
        ("10.1.2.3", ("10.1.0.0/16",), True),
        ("::ffff:10.1.2.3", ("10.1.0.0/16",), True),
        ("10.2.0.1", ("10.1.0.0/16",), False),
        ("fd00::1", ("fd00::/8",), True),
        ("fec0::1", (), False),
        ("64:ff9b:1::1", (), False),
    ],
)
def test_a_private_network_is_called_where_it_is_listed(address, networks, may):
    assert may_connect(ip_address(address), Allowance(networks=tuple(map(ip_network, networks)))) is may


def is_permitted(url: str) -> bool:
    """Whether an address is permitted; where it is, it lies below the base."""
    try:
        parts = urlsplit(permitted(url, EHR))
    except ForbiddenAddressError:
        return False
    assert (parts.scheme, parts.hostname, parts.port, parts.username) == ("https", "ehr.example", None, None)
    assert (parts.path + "/").startswith("/fhir/R4/")
    assert not {"", "..", "."} & set(parts.path.split("/")[1:-1])
    return True


PIECES = (
    "/x",
    "/R4",
    "?a=/../b",
    "/.",
    "/..",
    "/..;",
    "%2e",
    "/%2e%2e",
    "%2f",
    "\\",
    "//",
    "#",
    ":443",
    "@b",
    "\u2024",
)


def test_whatever_is_permitted_of_what_follows_a_base_lies_below_it():
    permitted_ones = [pieces for pieces in product(PIECES, repeat=3) if is_permitted(BASE + "".join(pieces))]
    assert ("/x", "/R4", "?a=/../b") in permitted_ones
    assert len(permitted_ones) < len(PIECES) ** 3 / 2


@given(st.text(max_size=60) | st.from_regex(r"https?://ehr\.example[:/\\@.%?#a-zA-Z0-9]*", fullmatch=True))
def test_whatever_is_permitted_lies_below_a_base(url):
    is_permitted(url)


# --- servers that misbehave, over real connections ---

Serve = Callable[[socket.socket], None]


@contextmanager
def serving(serve: Serve, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on loopback that hands each connection to ``serve``; gives its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                with context.wrap_socket(connection, server_side=True) if context else connection as secured:
                    serve(secured)
            except OSError:
                pass

    def accept() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        # Wakes accept, which a close alone does not.
        socket.create_connection(listener.getsockname()).close()
        listener.close()
        thread.join(5)


def request_of(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        piece = connection.recv(4096)
        if not piece:
            break
        data += piece
    return data


def answering(*pieces: bytes) -> Serve:
    def serve(connection: socket.socket) -> None:
        request_of(connection)
        for piece in pieces:
            connection.sendall(piece)

    return serve


# How long a server goes on that nobody hangs up on, in seconds: long, for a machine that is busy is slow.
LONGEST = 60
GIVEN_UP_WITHIN = LONGEST / 2


def dripping(start: bytes, piece: bytes) -> Serve:
    """A server that sends a piece again and again until its client hangs up."""

    def serve(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(start)
        for _ in range(LONGEST * 20):
            if select.select([connection], [], [], 0.05)[0]:
                return
            connection.sendall(piece)

    return serve


def hanging(connection: socket.socket) -> None:
    request_of(connection)
    select.select([connection], [], [], LONGEST)


BOMB = gzip.compress(b"0" * 20_000_000)
MISBEHAVING = [
    ("hangs after accept", hanging, "timeout"),
    ("drips the status line", dripping(b"", b"H"), "timeout"),
    ("drips headers", dripping(b"HTTP/1.1 200 OK\r\nX: ", b"a"), "timeout"),
    ("drips header lines", dripping(b"HTTP/1.1 200 OK\r\n", b"X: a\r\n"), "timeout"),
    ("drips the body", dripping(OK + b"Content-Length: 900\r\n\r\n", b"a"), "timeout"),
    ("drips chunks", dripping(CHUNKED, b"1\r\na\r\n"), "timeout"),
    ("endless body", answering(OK + b"\r\n", *[b"a" * 1000] * 50), "too-large"),
    ("says it is huge", answering(OK + b"Content-Length: 999999999\r\n\r\n" + b"a" * 2000), "too-large"),
    ("packs a huge body", answering(OK + b"Content-Encoding: gzip\r\n\r\n" + BOMB), "too-large"),
    ("redirects to the metadata service", answering(AWAY + b"http://169.254.169.254/\r\n\r\n"), "redirected"),
    ("redirects to itself", answering(AWAY + b"/x\r\n\r\n"), "redirected"),
    ("breaks off in the body", answering(OK + b"Content-Length: 100\r\n\r\n{"), "unreachable"),
    ("breaks off in a chunk", answering(CHUNKED + b"ff\r\n{"), "unreachable"),
    ("is not HTTP", answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "unreachable"),
    ("closes at once", lambda connection: None, "unreachable"),
    ("has a header without end", answering(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000), "unreachable"),
    ("has headers without end", answering(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 500 + b"\r\n"), "unreachable"),
    ("packs nonsense", answering(OK + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!"), "unreachable"),
]  # fmt: skip


@pytest.mark.parametrize(("serve", "kind"), [row[1:] for row in MISBEHAVING], ids=[row[0] for row in MISBEHAVING])
def test_a_server_that_misbehaves_is_given_up_in_time(serve, kind):
    # What neither hangs nor drips has time enough on a busy machine too.
    seconds = 0.6 if kind == "timeout" else GIVEN_UP_WITHIN
    with serving(serve) as port:
        started = time.monotonic()
        error = refused(f"http://127.0.0.1:{port}/x", HERE, seconds=seconds)
        took = time.monotonic() - started
    assert error.kind == kind
    assert took < GIVEN_UP_WITHIN


def test_a_name_that_is_slow_to_resolve_is_given_up_in_time():
    release = threading.Event()
    resolved: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        release.wait(LONGEST)
        resolved.append(host)
        return ["93.184.216.34"]

    client = OutgoingClient(resolve=resolve)
    with pytest.raises(OutgoingError) as caught:
        get(client, f"{BASE}/x", EHR, seconds=0.3)
    before = list(resolved)
    release.set()
    client.close()
    assert (caught.value.kind, before) == ("timeout", [])


def test_a_name_that_nobody_knows_cannot_be_reached():
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror

    client = OutgoingClient(resolve=unknown)
    with pytest.raises(OutgoingError, match="name is not known"):
        get(client, f"{BASE}/x", EHR)
    client.close()


def test_what_is_sent_is_the_token_and_what_is_accepted_and_nothing_of_the_machine(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        for _ in range(2):
            seen.append(request_of(connection))
            connection.sendall(SMALL.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b; Path=/\r\n\r\n"))

    with serving(serve) as port:
        client = OutgoingClient()
        received = [get(client, f"http://127.0.0.1:{port}/x?y=1", HERE) for _ in range(2)]
        client.close()
    assert [(one.status, one.content_type, one.body) for one in received] == [(200, "application/fhir+json", b"{}")] * 2
    lines = seen[0].decode().split("\r\n")
    assert lines[0] == "GET /x?y=1 HTTP/1.1"
    assert {"Accept: application/fhir+json", "Authorization: Bearer t"} <= set(lines)
    assert not any(b"Cookie" in one for one in seen)


def test_a_kept_connection_that_the_server_closed_is_opened_again():
    opened: list[int] = []

    def serve(connection: socket.socket) -> None:
        if request_of(connection):
            connection.sendall(SMALL)
            connection.close()
            opened.append(1)

    with serving(serve) as port:
        client = OutgoingClient()
        for number in range(3):
            assert get(client, f"http://127.0.0.1:{port}/x", HERE).body == b"{}"
            wait_for(lambda number=number: len(opened) > number, "the server has closed the connection")
        client.close()
    assert len(opened) == 3


def certificate(folder, name: str) -> tuple[ssl.SSLContext, str]:
    """A server's TLS with a certificate of its own for a host name, and the file to trust it by."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    own, private = folder / f"{name}.pem", folder / f"{name}.key"
    own.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own, private)
    return context, str(own)


@pytest.mark.parametrize(
    ("name", "trusted", "came"),
    [("ehr.example", True, 200), ("ehr.example", False, "tls"), ("other.example", True, "tls")],
)
def test_the_certificate_must_be_trusted_and_name_the_host_although_we_connect_by_address(
    tmp_path, name, trusted, came
):
    context, own = certificate(tmp_path, name)
    with serving(answering(SMALL), context) as port:
        allowance = Allowance((f"https://ehr.example:{port}",), (ip_network("127.0.0.0/8"),))
        client = OutgoingClient(resolve=lambda host, port: ["127.0.0.1"], ca_bundle=own if trusted else None)
        try:
            found = get(client, f"https://ehr.example:{port}/x", allowance).status
        except OutgoingError as error:
            found = error.kind
        client.close()
    assert found == came


def test_many_threads_share_a_client():
    with serving(answering(SMALL)) as port:
        client = OutgoingClient()
        found: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: found.append(get(client, f"http://127.0.0.1:{port}/x", HERE).body))
            for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.close()
    assert found == [b"{}"] * 16
