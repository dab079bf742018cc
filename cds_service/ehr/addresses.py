"""The addresses that the service may call, judged by their spelling and by the IP addresses behind their names.

The service refuses an ambiguous address and never interprets it: attackers bypass a guard through two parsers that
disagree about an address (OWASP, Server-Side Request Forgery Prevention).
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST = 4000
_PORTS = {"http": 80, "https": 443}
_WHOLE = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[^?#]*)?)(?P<query>(?:\?[^#]*)?)",
    re.IGNORECASE,
)
# Anything but printable ASCII, and characters that some parser would drop or take for a separator.
_UNSAFE = re.compile(r"[^!-~]|[\\\"<>^`{}]")
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# A proxy may interpret encoded dots, slashes, semicolons, backslashes, percent signs, and control characters
# differently.
_HIDDEN = re.compile(r"%(?:2[eEfF5]|3[bB]|5[cC]|[01][0-9A-Fa-f]|7[fF])")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NAT64 = ip_network("64:ff9b::/96")
_NAT64_LOCAL = ip_network("64:ff9b:1::/48")
_COMPATIBLE = ip_network("::/96")


class ForbiddenAddressError(Exception):
    """An address that the service may not call; ``sentence`` says why without repeating the address."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Allowance:
    """The servers that a client's entry allows the service to call.

    ``bases`` are absolute http(s) addresses; they and the addresses below them are allowed. ``networks`` are the
    private networks to which their names may resolve; public addresses are always allowed. ``loopback`` allows any
    address on this machine (the open mode of a developer's machine).
    """

    bases: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    loopback: bool = False


class _Parsed(NamedTuple):
    scheme: str
    host: str
    port: int
    path: str
    query: str

    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    def text(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}{self.query}"


def permitted(url: str, allowance: Allowance) -> str:
    """The address in normalized spelling, if the allowance permits it. Raises ForbiddenAddressError."""
    parsed = _parse(url)
    if allowance.loopback and is_loopback(parsed.host):
        return parsed.text()
    for base in allowance.bases:
        if _lies_below(_parse(base), parsed):
            return parsed.text()
    raise ForbiddenAddressError("this client's entry does not allow the server's address")


def is_at_or_below(base: str, url: str) -> bool:
    """True if an address has the origin of a base and is at its path or below. Raises ForbiddenAddressError."""
    return _lies_below(_parse(base), _parse(url))


def is_plain_path(path: str) -> bool:
    """True if every parser finds the same segments in a path: no step upward, nothing encoded, no empty segment.

    Some servers drop the text after a semicolon, and then take ``..;x`` for a step upward.
    """
    segments = [segment.partition(";")[0] for segment in path.split("/")]
    return not (_HIDDEN.search(path) or any(set(segment) == {"."} for segment in segments) or "" in segments[1:-1])


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address (RFC 6454, section 4). Raises ForbiddenAddressError."""
    return _parse(url).origin()


def is_loopback(host: str) -> bool:
    """True if a host, as ``permitted`` spells it, is this machine."""
    literal = literal_address(host)
    return literal.is_loopback if literal else host == "localhost"


def literal_address(host: str) -> Address | None:
    """The IP address in a host, or None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def may_connect(address: Address, allowance: Allowance) -> bool:
    """True if a connection may go to the IP address behind a name: a public address, or one in the allowance."""
    judged = _embedded(address) or address
    if allowance.loopback and judged.is_loopback:
        return True
    if any(one.version == net.version and one in net for one in (address, judged) for net in allowance.networks):
        return True
    public = judged.is_global and not (judged.is_multicast or judged.is_reserved or judged.is_unspecified)
    return public and not (isinstance(judged, IPv6Address) and (judged.is_site_local or judged in _NAT64_LOCAL))


def _embedded(address: Address) -> Address | None:
    """The IPv4 address embedded in an IPv6 address, which is the packets' destination."""
    if not isinstance(address, IPv6Address):
        return None
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _lies_below(base: _Parsed, parsed: _Parsed) -> bool:
    root = base.path.rstrip("/")
    return parsed.origin() == base.origin() and (parsed.path == root or parsed.path.startswith(f"{root}/"))


def _parse(url: str) -> _Parsed:
    found = _WHOLE.fullmatch(url) if len(url) <= LONGEST and not _UNSAFE.search(url) else None
    if found is None or _BROKEN_PERCENT.search(url):
        raise ForbiddenAddressError("the server's address is not a plain http or https address")
    scheme, path = found["scheme"].lower(), found["path"]
    port = int(found["port"] or _PORTS[scheme])
    if not 0 < port < 65536:
        raise ForbiddenAddressError("the server's address has a port that does not exist")
    if not is_plain_path(path):
        raise ForbiddenAddressError("the path of the server's address can be read in two ways")
    return _Parsed(scheme, _host(found["host"]), port, path, found["query"])


def _host(written: str) -> str:
    host = written.strip("[]").lower() if written.startswith("[") else written.lower().removesuffix(".")
    literal = literal_address(host)
    if literal is not None:
        return str(literal)
    labels = host.split(".")
    if written.startswith("[") or len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise ForbiddenAddressError("the host of the server's address is not written as a host name")
    # Some resolvers take 0x7f.1, 2130706433 and 127.1 for addresses.
    if _NUMERIC.fullmatch(labels[-1]):
        raise ForbiddenAddressError("the host of the server's address is a number that is not a plain IP address")
    return host
