"""What an installation has around the rules: whom a call may be completed from, and who is told of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds_service.fetching.fetch import Fetcher
from cds_service.library import Library
from cds_service.operations.audit import AuditError, AuditLog, audit_folder
from cds_service.operations.names import Names, names_of
from cds_service.operations.rate import limit_of
from cds_service.operations.sealing import keys_of
from cds_service.outgoing.addresses import Allowance
from cds_service.outgoing.client import OutgoingClient
from cds_service.settings import Settings
from cds_service.trust.clients import load_clients
from cds_service.trust.entries import Clients
from cds_service.trust.keys import KeyRing
from cds_service.trust.tokens import CHECKS, Remember, Verifier

if TYPE_CHECKING:
    from cds_service.operations.metrics import Metrics

NOBODY = Allowance()
NO_NAMES = Names()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Each part may be missing: then nothing is fetched, counted, or kept.

    ``verifier`` says who calls; without one calls are open. ``allowance`` says which FHIR servers may be called for
    open calls; ``call_seconds`` is the deadline of a call, ``rate_limit`` what one client may call (empty: no limit).
    ``trusted_proxies`` stand in front; ``names`` are those that logs may hold.
    """

    fetcher: Fetcher | None = None
    allowance: Allowance = NOBODY
    call_seconds: float = 3.5
    metrics: "Metrics | None" = None
    audit: AuditLog | None = None
    rate_limit: str = ""
    verifier: Verifier | None = None
    trusted_proxies: int = 0
    names: Names = NO_NAMES


def surroundings_of(
    settings: Settings, library: Library, *, only_this_machine: bool, remember: Remember | None = None
) -> Surroundings:
    """Makes the parts that the settings ask for; no connection is opened and no thread started, for a fork may follow.

    ``only_this_machine``: nobody else can call the service. Only then are FHIR servers on this machine called for open
    calls; for all others anyone could have us call what stands behind a firewall. ``remember`` notes the tokens that
    were used, for all processes of the service, and is needed with a clients file. Raises ValueError for a setting that
    cannot be used.
    """
    # Loaded here, because the launcher must first say where several workers' numbers meet.
    from cds_service.operations.metrics import Metrics

    if settings.rate_limit:
        limit_of(settings.rate_limit)
    clients = load_clients(settings.clients) if settings.clients else None
    http = OutgoingClient()
    names = names_of(library, [client.id for client in clients.entries] if clients else (), CHECKS)
    fetches = settings.fetch_missing and _may_fetch(clients, only_this_machine)
    return Surroundings(
        Fetcher(http, settings.fhir_max_bytes, settings.fhir_max_pages) if fetches else None,
        Allowance(loopback=only_this_machine),
        settings.call_seconds,
        Metrics(names),
        _audit(settings) if settings.audit else None,
        settings.rate_limit,
        _verifier(clients, http, remember) if clients else None,
        settings.trusted_proxies,
        names,
    )


def _may_fetch(clients: Clients | None, only_this_machine: bool) -> bool:
    if clients is None:
        return only_this_machine
    return any(client.fhir_servers for client in clients.entries)


def _verifier(clients: Clients, http: OutgoingClient, remember: Remember | None) -> Verifier:
    if remember is None:
        raise ValueError("CDS_SERVICE_CLIENTS needs a store that remembers which tokens were used, and there is none")
    return Verifier(clients, KeyRing(http), remember)


def _audit(settings: Settings) -> AuditLog:
    """The audit log, which must be writable at start. Raises ValueError."""
    sealed = settings.audit_key.get_secret_value()
    if settings.audit_content and not sealed:
        raise ValueError("CDS_SERVICE_AUDIT_CONTENT keeps calls encrypted, and needs CDS_SERVICE_AUDIT_KEY for it")
    keys = keys_of(sealed) if settings.audit_content else None
    audit = AuditLog(audit_folder(settings.state), settings.key(), keys)
    try:
        audit.check()
        audit.delete_old(settings.audit_days)
    except AuditError as error:
        raise ValueError(f"{error} CDS_SERVICE_STATE names the folder, CDS_SERVICE_AUDIT=false keeps no log.") from None
    return audit
