"""The clients that may call, each as its entry of the clients file describes it, frozen."""

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
# Each way in which the answers to a client may differ from the specification, and what it does.
QUIRKS: Mapping[str, str] = {
    ONE_ACTION: "a suggestion of several actions becomes several suggestions of one action",
    ACTIONS_IN_EXTENSION: "system actions are repeated under extension.systemActions of the answer",
}
SEALED, SMART, OFF = "sealed", "smart", "off"
# How the detail of a card may be written for one client (card.style), the default first.
DETAIL_FORMATS = ("markdown", "text", "html")
DATES = ("us", "iso")
# Versions of Da Vinci DTR in which forms are given to one client, the default first.
DTR_VERSIONS = ("2.2", "2.0.1")
# Where the evidence page of a card is, for one client; empty in an entry is as the settings say.
EVIDENCE_MODES = (SEALED, SMART, OFF)
_THIS_MACHINE = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One caller. It has either ``jwks_url`` or ``keys``; see ``anyone`` for the one that has neither.

    ``jku``: the values that a token's jku may have, if the entry lists them (see ``jkus``).
    ``audiences``: further values of aud; one that ends in ``/`` stands for each of our paths below it.
    ``tenants``: if there are any, a token must name one. ``networks``: private networks that the names of its servers
    may lead to. ``topic_aliases``: a statement's topic code -> what this client receives. ``rate_limit``: in place of
    that of the settings, if not empty. ``token_reuse``: a token may come more than once until it expires; all its other
    checks are made. ``evidence``: one of EVIDENCE_MODES in place of that of the settings, if not empty;
    ``frame_ancestors`` are the web origins that may show evidence pages and forms in a frame. ``this_machine``: FHIR
    servers on this machine may be called for it. ``detail_format`` and ``dates``: how the detail of its cards is
    written. ``dtr``: one of DTR_VERSIONS, unless a request says another. ``smart``: how this service is registered as
    an app at its EHR, if it is.
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
        """The values that a token's jku may have; None where it is not looked at: no key comes from an address then."""
        if self.jku is None and self.jwks_url is not None:
            return (self.jwks_url,)
        return self.jku

    def evidence_mode(self, default: str) -> str:
        """Where the evidence page of a card is: SEALED, SMART or OFF; ``default`` is that of the settings.

        Without an EHR that can launch it SMART is OFF; on this machine that is the demo EHR.
        """
        mode = self.evidence or default
        return OFF if mode == SMART and self.smart is None and not self.this_machine else mode

    def may_fetch(self) -> bool:
        """Whether there is a FHIR server that may be called for this client."""
        return bool(self.fhir_servers) or self.this_machine

    def registrations(self, redirect_uri: str) -> tuple[AppRegistration, ...]:
        """The registrations of this service at the client's FHIR servers; none without ``smart``."""
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
        """The FHIR servers that may be called for this client, and nothing else."""
        return replace(self._allowance(self.fhir_servers), loopback=self.this_machine)

    def jwks_allowance(self) -> Allowance:
        """The one address of the client's key set."""
        return self._allowance((self.jwks_url,) if self.jwks_url else ())

    def _allowance(self, bases: tuple[str, ...]) -> Allowance:
        # Whoever writes localhost into the entry means this machine, which is not a public address.
        here = _THIS_MACHINE if any(urlsplit(base).hostname == "localhost" for base in bases) else ()
        return Allowance(bases, (*self.networks, *here))

    def is_audience(self, claimed: str, urls: tuple[str, ...]) -> bool:
        """Whether a value of aud means the address called, of which ``urls`` are the accepted spellings."""
        if claimed in urls or claimed in self.audiences:
            return True
        return any(claimed == base + _path(url) for base in self.audiences if base.endswith("/") for url in urls)


def anyone(*, this_machine: bool = False) -> Client:
    """The entry of everybody where calls are open, and of the service's own calls: nothing departs from the
    specification, and no FHIR server may be called but, if so, those on this machine."""
    return Client(id=OPEN, issuer="", this_machine=this_machine)


@dataclass(frozen=True, slots=True)
class Clients:
    """All that may call, in the order of the file."""

    entries: tuple[Client, ...]

    def of_issuer(self, issuer: str) -> tuple[Client, ...]:
        """The entries of an issuer: one, or several that their tenants tell apart. Compared character by character."""
        return tuple(client for client in self.entries if client.issuer == issuer)

    def named(self, identifier: str) -> Client | None:
        """The entry with this id."""
        return next((client for client in self.entries if client.id == identifier), None)


def _path(url: str) -> str:
    """What follows the base of our addresses: ``cds-services/{id}``, or ``cds-services/{id}/feedback``."""
    return url[url.rindex("/cds-services") + 1 :] if "/cds-services" in url else ""
