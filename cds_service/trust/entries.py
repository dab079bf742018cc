"""The clients that may call, as frozen entries of the clients file."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from urllib.parse import urlsplit

from cds_service.ehr.addresses import Allowance, Network
from cds_service.hooks.client_names import OPEN
from cds_service.trust.jwk import RECOMMENDED, Key
from cds_service.trust.smart import AppRegistration, SmartApp

ONE_ACTION = "one-action-per-suggestion"
ACTIONS_IN_EXTENSION = "system-actions-in-extension"
# The allowed deviations of answers to a client from the specification, and the effect of each.
QUIRKS: Mapping[str, str] = {
    ONE_ACTION: "the service splits a suggestion with several actions into suggestions with one action each",
    ACTIONS_IN_EXTENSION: "the answer repeats system actions under extension.systemActions",
}
SEALED, SMART, OFF = "sealed", "smart", "off"
# The formats of a card's detail for one client (card.style), the default first.
DETAIL_FORMATS = ("markdown", "text", "html")
DATES = ("us", "iso")
# The versions of Da Vinci DTR for a client's forms, the default first.
DTR_VERSIONS = ("2.2", "2.0.1")
# The modes of a card's evidence page for one client; an empty mode in an entry means the settings' mode.
EVIDENCE_MODES = (SEALED, SMART, OFF)
_THIS_MACHINE = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One caller. It has either ``jwks_url`` or ``keys``; only ``anyone`` has neither.

    ``jku``: the allowed values of a token's jku, if the entry lists them (see ``jkus``).
    ``audiences``: further values of aud; a value that ends in ``/`` stands for each of our paths below it.
    ``tenants``: if there are any, a token must name one. ``networks``: private networks to which the names of its
    servers may resolve. ``topic_aliases``: a statement's topic code -> the client's own code. ``rate_limit``: replaces
    the settings' limit if not empty. ``token_reuse``: a token may come more than once until it expires; all other
    checks still apply. ``evidence``: one of EVIDENCE_MODES, replaces the settings' mode if not empty.
    ``frame_ancestors``: the web origins that may show evidence pages and forms in a frame. ``this_machine``: its calls
    may use FHIR servers on this machine. ``detail_format`` and ``dates``: the format of its cards' detail. ``dtr``: one
    of DTR_VERSIONS, unless a request names another. ``smart``: the registration of this service as an app at its EHR,
    if any.
    """

    id: str
    issuer: str
    jwks_url: str | None = None
    keys: tuple[Key, ...] = ()
    jku: tuple[str, ...] | None = None
    algorithms: tuple[str, ...] = RECOMMENDED
    audiences: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    fhir_servers: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    quirks: frozenset[str] = frozenset()
    topic_aliases: Mapping[str, str] = field(default_factory=dict)
    rate_limit: str = ""
    token_reuse: bool = False
    evidence: str = ""
    frame_ancestors: tuple[str, ...] = ()
    this_machine: bool = False
    detail_format: str = DETAIL_FORMATS[0]
    dates: str = DATES[0]
    dtr: str = DTR_VERSIONS[0]
    smart: SmartApp | None = None

    def jkus(self) -> tuple[str, ...] | None:
        """The allowed values of a token's jku; None if jku does not matter, because no key comes from an address."""
        if self.jku is None and self.jwks_url is not None:
            return (self.jwks_url,)
        return self.jku

    def evidence_mode(self, default: str) -> str:
        """The mode of a card's evidence page: SEALED, SMART or OFF; ``default`` is the settings' mode.

        SMART becomes OFF without an EHR that can launch the page; on this machine, the demo EHR can.
        """
        mode = self.evidence or default
        return OFF if mode == SMART and self.smart is None and not self.this_machine else mode

    def may_fetch(self) -> bool:
        """True if calls of this client may use a FHIR server."""
        return bool(self.fhir_servers) or self.this_machine

    def registrations(self, redirect_uri: str) -> tuple[AppRegistration, ...]:
        """The registrations of this service at the client's FHIR servers; empty without ``smart``."""
        if self.smart is None:
            return ()
        return tuple(
            AppRegistration(
                client=self.id,
                issuer=server.rstrip("/"),
                redirect_uri=redirect_uri,
                app=self.smart,
                allowance=self._allowance((server.rstrip("/"),)),
                frame_ancestors=self.frame_ancestors,
                dates=self.dates,
            )
            for server in self.fhir_servers
        )

    def fhir_allowance(self) -> Allowance:
        """An allowance for the FHIR servers of this client, and nothing else."""
        return replace(self._allowance(self.fhir_servers), loopback=self.this_machine)

    def jwks_allowance(self) -> Allowance:
        """An allowance for the address of the client's key set, and nothing else."""
        return self._allowance((self.jwks_url,) if self.jwks_url else ())

    def _allowance(self, bases: tuple[str, ...]) -> Allowance:
        # An entry with localhost means this machine, whose address is not public.
        here = _THIS_MACHINE if any(urlsplit(base).hostname == "localhost" for base in bases) else ()
        return Allowance(bases, (*self.networks, *here))

    def is_audience(self, claimed: str, urls: tuple[str, ...]) -> bool:
        """True if a value of aud names the called address, of which ``urls`` are the accepted spellings."""
        if claimed in urls or claimed in self.audiences:
            return True
        return any(claimed == base + _path(url) for base in self.audiences if base.endswith("/") for url in urls)


def anyone(*, this_machine: bool = False) -> Client:
    """The entry of all callers if calls are open, and of the service's own calls. Answers follow the specification, and
    no FHIR server may be called, except those on this machine if ``this_machine``."""
    return Client(id=OPEN, issuer="", this_machine=this_machine)


@dataclass(frozen=True, slots=True)
class Clients:
    """All clients that may call, in the order of the file."""

    entries: tuple[Client, ...]

    def of_issuer(self, issuer: str) -> tuple[Client, ...]:
        """The entries of an issuer: one, or several with different tenants. Compares character by character."""
        return tuple(client for client in self.entries if client.issuer == issuer)

    def named(self, identifier: str) -> Client | None:
        """The entry with this id, or None."""
        return next((client for client in self.entries if client.id == identifier), None)


def _path(url: str) -> str:
    """The path after the base of our addresses: ``cds-services/{id}``, or ``cds-services/{id}/feedback``."""
    return url[url.rindex("/cds-services") + 1 :] if "/cds-services" in url else ""
