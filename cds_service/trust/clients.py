"""The clients file: parses TOML into frozen entries, or reports every fault at once with the allowed values."""

import re
import tomllib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import orjson

from cds_service.ehr.addresses import Allowance, ForbiddenAddressError, Network, is_loopback, origin_of, permitted
from cds_service.hooks.client_names import OPEN, WORKBENCH
from cds_service.operations.rate import limit_of
from cds_service.spelling import nearest, shortened
from cds_service.trust.entries import (
    DATES,
    DETAIL_FORMATS,
    DTR_VERSIONS,
    EVIDENCE_MODES,
    QUIRKS,
    SMART,
    Client,
    Clients,
)
from cds_service.trust.jwk import ALGORITHMS, RECOMMENDED, Key, UnusableKeyError, read_key_set
from cds_service.trust.smart import SmartApp
from cds_service.trust.smart_entries import smart_app

# The keys of an entry; docs/clients-file.md explains each.
KEYS = (
    *("id", "issuer", "jwks_url", "jwks_file", "keys", "jku", "algorithms", "audiences", "tenants"),
    *("fhir_servers", "private_networks", "quirks", "topic_aliases", "rate_limit", "token_reuse"),
    *("detail_format", "dates", "dtr"),
    *("evidence", "smart", "frame_ancestors"),
)
SOURCES = ("jwks_url", "jwks_file", "keys")
# The names in reports for unauthenticated calls, demo calls, and unknown callers.
RESERVED = (OPEN, WORKBENCH, "other")
LONGEST = 1000
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_ORIGIN = re.compile(r"https://[a-z0-9._-]+(?::[0-9]{1,5})?|http://(?:localhost|127\.0\.0\.1)(?::[0-9]{1,5})?")
_TOPIC = re.compile(r"[!-~]{1,100}")
# Networks without public addresses (RFC 1918, RFC 6598, RFC 4193) and this machine. Link-local addresses are missing,
# because cloud machines request their own credentials there.
_PRIVATE = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"))
) + tuple(map(ip_network, ("fc00::/7", "::1/128")))


class ClientsError(ValueError):
    """An unusable clients file; ``problems`` are sentences with the place, the fault and the allowed values."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load_clients(path: Path) -> Clients:
    """The entries of a clients file. Raises ClientsError with all faults."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ClientsError((f"{path} cannot be read: {error.strerror}",)) from None
    except UnicodeDecodeError:
        raise ClientsError((f"{path} is not UTF-8 text",)) from None
    except tomllib.TOMLDecodeError as error:
        raise ClientsError((f"{path} is not TOML: {error}",)) from None
    problems = [f"{path}: '{key}' is not a key here; {nearest(key, ['client'])}" for key in document if key != "client"]
    listed = document.get("client", [])
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise ClientsError((*problems, f"{path}: 'client' must be a list of tables; begin each with [[client]]"))
    if not listed:
        problems.append(f"{path} has no client; begin each entry with [[client]]")
    readers = [_Reader(entry, number, path.parent) for number, entry in enumerate(listed, 1)]
    clients = [reader.client() for reader in readers]
    problems += [problem for reader in readers for problem in reader.problems]
    problems += _between(clients)
    if problems:
        raise ClientsError(tuple(problems))
    return Clients(tuple(clients))


def _between(clients: list[Client]) -> Iterator[str]:
    """The faults between entries."""
    ids = [client.id for client in clients if client.id]
    for name in dict.fromkeys(name for name in ids if ids.count(name) > 1):
        yield f"client '{name}': the id occurs more than once; each entry needs its own"
    by_issuer: dict[str, list[Client]] = defaultdict(list)
    for client in clients:
        if client.issuer:
            by_issuer[client.issuer].append(client)
    for issuer, same in by_issuer.items():
        if len(same) < 2:
            continue
        names = " and ".join(f"'{client.id}'" for client in same)
        tenants = [tenant for client in same for tenant in client.tenants]
        if not all(client.tenants for client in same) or len(set(tenants)) < len(tenants):
            yield (
                f"clients {names} have the same issuer '{shortened(issuer)}'; give each its own 'tenants', none "
                "of them twice, so that a token belongs to one entry, or make them one entry"
            )


class _Reader:
    """Reads one entry and notes every fault; it omits faulty values, because a faulty file is not used."""

    def __init__(self, entry: Mapping[str, Any], number: int, folder: Path) -> None:
        self.entry, self.folder = entry, folder
        self.problems: list[str] = []
        written = entry.get("id")
        self.name = f"client '{shortened(written)}'" if isinstance(written, str) and written else f"client {number}"

    def client(self) -> Client:
        for key in self.entry:
            if key not in KEYS:
                self._note(key, f"is not a key of a client; {nearest(key, KEYS)}")
        jwks_url, keys = self._keys()
        return Client(
            id=self._id(),
            issuer=self._text("issuer", required=True),
            jwks_url=jwks_url,
            keys=keys,
            jku=self._texts("jku") if "jku" in self.entry else None,
            algorithms=self._choice("algorithms", ALGORITHMS) or RECOMMENDED,
            audiences=self._texts("audiences"),
            tenants=self._texts("tenants"),
            fhir_servers=self._fhir_servers(),
            networks=self._networks(),
            quirks=frozenset(self._choice("quirks", QUIRKS)),
            topic_aliases=self._aliases(),
            rate_limit=self._rate_limit(),
            token_reuse=self._switch("token_reuse"),
            detail_format=self._one_of("detail_format", DETAIL_FORMATS),
            dates=self._one_of("dates", DATES),
            dtr=self._one_of("dtr", DTR_VERSIONS),
            evidence=self._evidence(),
            frame_ancestors=self._origins("frame_ancestors"),
            smart=self._smart(),
        )

    def _note(self, key: str, what: str) -> None:
        self.problems.append(f"{self.name}, {key}: {what}")

    def _id(self) -> str:
        text = self._text("id", required=True)
        if text and (not _SLUG.fullmatch(text) or len(text) > 64):
            self._note("id", "may hold a to z, 0 to 9 and single dashes between them, at most 64 characters")
        if text in RESERVED:
            self._note("id", f"'{text}' is reserved in logs and metrics; choose another id")
        return text

    def _text(self, key: str, *, required: bool = False) -> str:
        value = self.entry.get(key, "")
        if isinstance(value, str) and (0 < len(value) <= LONGEST or (key not in self.entry and not required)):
            return value
        self._note(key, "is missing" if key not in self.entry else f"must be text of 1 to {LONGEST} characters")
        return ""

    def _switch(self, key: str) -> bool:
        value = self.entry.get(key, False)
        if not isinstance(value, bool):
            self._note(key, "must be true or false, without quotes")
        return value is True

    def _texts(self, key: str) -> tuple[str, ...]:
        value = self.entry.get(key, [])
        if not isinstance(value, list):
            self._note(key, 'must be a list of texts in double quotes: ["…", "…"]')
            return ()
        for item in value:
            if not isinstance(item, str) or not 0 < len(item) <= LONGEST:
                self._note(key, f"each item must be text of 1 to {LONGEST} characters in double quotes")
                return ()
        for item in dict.fromkeys(item for item in value if value.count(item) > 1):
            self._note(key, f"'{shortened(item)}' is listed twice")
        if key in self.entry and not value:
            self._note(key, "is empty; list at least one item, or omit the key")
        return tuple(value)

    def _one_of(self, key: str, allowed: Sequence[str]) -> str:
        """One of the allowed words; the first if none is given."""
        text = self._text(key)
        if text and text not in allowed:
            self._note(key, f"'{shortened(text)}' is not allowed; {nearest(text, allowed)}")
        return text if text in allowed else allowed[0]

    def _choice(self, key: str, allowed: Collection[str]) -> tuple[str, ...]:
        items = self._texts(key)
        for item in items:
            if item not in allowed:
                self._note(key, f"'{shortened(item)}' is not allowed; {nearest(item, allowed)}{_why_not(key, item)}")
        return items

    def _keys(self) -> tuple[str | None, tuple[Key, ...]]:
        given = [name for name in SOURCES if name in self.entry]
        if len(given) != 1:
            said = f"{' and '.join(given)} are given" if given else "no key is given"
            self.problems.append(f"{self.name}: {said}; give exactly one of {', '.join(SOURCES)} for the client's keys")
        if "jwks_url" in self.entry:
            return self._address("jwks_url", self._text("jwks_url")) or None, ()
        if "keys" in self.entry:
            return None, self._key_set("keys", {"keys": self.entry["keys"]})
        if "jwks_file" in self.entry:
            return None, self._jwks_file(self._text("jwks_file"))
        return None, ()

    def _jwks_file(self, name: str) -> tuple[Key, ...]:
        if not name:
            return ()
        try:
            document = orjson.loads((self.folder / name).read_bytes())
        except OSError as error:
            self._note("jwks_file", f"{self.folder / name} cannot be read: {error.strerror}")
            return ()
        except orjson.JSONDecodeError as error:
            self._note("jwks_file", f"{self.folder / name} is not JSON: line {error.lineno}: {error.msg}")
            return ()
        return self._key_set("jwks_file", document)

    def _key_set(self, place: str, document: Any) -> tuple[Key, ...]:
        # The operator chose these keys, so an unusable key is a mistake, not a key for another purpose.
        try:
            found = read_key_set(document)
        except UnusableKeyError as error:
            self._note(place, str(error))
            return ()
        for problem in found.problems:
            self._note(place, problem)
        algorithms = self.entry.get("algorithms", RECOMMENDED)
        for key in found.keys:
            if isinstance(algorithms, list | tuple) and not set(key.algorithms) & set(map(str, algorithms)):
                serves = " or ".join(key.algorithms)
                self._note(place, f"key '{shortened(key.kid)}' serves {serves}, which is not among 'algorithms'")
        if not found.keys and not found.problems:
            self._note(place, "contains no key")
        return found.keys

    def _fhir_servers(self) -> tuple[str, ...]:
        return tuple(filter(None, (self._address("fhir_servers", item) for item in self._texts("fhir_servers"))))

    def _address(self, key: str, text: str) -> str:
        """An address that we may call: https, or plain http on this machine."""
        if not text:
            return ""
        try:
            scheme, host, _ = origin_of(text)
            permitted(text, Allowance((text,)))
        except ForbiddenAddressError:
            self._note(key, f"'{shortened(text)}' is not a plain https address; give only scheme, host, and path")
            return ""
        if scheme != "https" and not is_loopback(host):
            self._note(
                key, f"'{shortened(text)}' must begin with https://; plain http is allowed only for this machine"
            )
        if key == "fhir_servers" and "?" in text:
            self._note(key, f"'{shortened(text)}' has a query; the base of a FHIR server has none")
        return text

    def _networks(self) -> tuple[Network, ...]:
        found: list[Network] = []
        for item in self._texts("private_networks"):
            try:
                network = ip_network(item)
            except ValueError as error:
                self._note("private_networks", f"'{shortened(item)}' is not a network such as 10.20.0.0/16 ({error})")
                continue
            if not any(_within(network, private) for private in _PRIVATE):
                self._note(
                    "private_networks",
                    f"'{item}' does not lie within a private network ({', '.join(map(str, _PRIVATE))}); public "
                    "addresses may be called without it",
                )
            found.append(network)
        return tuple(found)

    def _aliases(self) -> dict[str, str]:
        value = self.entry.get("topic_aliases", {})
        if not isinstance(value, dict) or not all(isinstance(alias, str) for alias in value.values()):
            self._note("topic_aliases", 'must be a table of texts: {"the-statement\'s-topic" = "TheirTopic"}')
            return {}
        for topic, alias in value.items():
            if not _TOPIC.fullmatch(alias):
                self._note(
                    "topic_aliases",
                    f"'{shortened(topic)}' must have an alias of 1 to 100 ASCII characters without spaces",
                )
        aliases = [*value.values()]
        for alias in dict.fromkeys(alias for alias in aliases if aliases.count(alias) > 1):
            self._note("topic_aliases", f"'{shortened(alias)}' is used for two topics; give each topic its own alias")
        return value

    def _smart(self) -> SmartApp | None:
        if "smart" not in self.entry:
            return None
        if "fhir_servers" not in self.entry:
            self._note("smart", "needs fhir_servers: the form is launched from these and writes to them")
        return smart_app(self.entry["smart"], self.folder, self._note)

    def _evidence(self) -> str:
        text = self._text("evidence")
        if text == SMART and "smart" not in self.entry:
            self._note("evidence", "'smart' needs the table smart: the EHR launches the page as it launches the form")
        elif text and text not in EVIDENCE_MODES:
            self._note("evidence", f"'{shortened(text)}' is not allowed; {nearest(text, EVIDENCE_MODES)}")
        return text

    def _origins(self, key: str) -> tuple[str, ...]:
        """Web origins, each spelled as in browsers, so that nothing else gets into a header."""
        found = self._texts(key)
        for item in found:
            if not _ORIGIN.fullmatch(item):
                told = "is not a web origin such as https://ehr.example (no path, no slash at its end)"
                self._note(key, f"'{shortened(item)}' {told}")
        return found

    def _rate_limit(self) -> str:
        text = self._text("rate_limit")
        try:
            if text:
                limit_of(text)
        except ValueError as error:
            self._note("rate_limit", str(error))
        return text


def _within(network: Network, private: Network) -> bool:
    return (
        network.version == private.version
        and network.network_address in private
        and network.broadcast_address in private
    )


def _why_not(key: str, item: str) -> str:
    if key == "algorithms" and item.upper() == "NONE":
        return "; a token without a signature proves nothing"
    if key == "algorithms" and item.upper().startswith("HS"):
        return "; with a shared secret, anyone who can check a token can also make one"
    return ""
