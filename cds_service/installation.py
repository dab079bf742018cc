"""What an installation has around the rules: trust, fetching, counting, storing; each part may be off."""

import os
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from cds_service.ehr.client import OutgoingClient
from cds_service.ehr.fetch import Fetcher, NoFetcher
from cds_service.ehr.search import FetchLimits
from cds_service.hooks import hook_request
from cds_service.hooks.client_names import OPEN, WORKBENCH
from cds_service.hooks.feedback import MOST_ITEMS
from cds_service.library import Library
from cds_service.operations import logs, metrics_folder
from cds_service.operations.audit import AuditError, AuditLog, EvidencePageEvent, NoAuditLog, audit_folder
from cds_service.operations.check_names import CHECKS as SELF_CHECKS
from cds_service.operations.check_names import DEGRADING, DEGRADING_WITH_TRUST, PARTS_OF_READINESS
from cds_service.operations.computing import Turn
from cds_service.operations.counting import NoMetrics
from cds_service.operations.names import Names
from cds_service.operations.rate import limit_of
from cds_service.operations.readiness import Readiness
from cds_service.operations.sealing import KEY_BYTES, keys_of
from cds_service.operations.traces import NoTraces, OpenTelemetry, TracesError, open_traces
from cds_service.settings.settings import LONGEST_CALL, Settings
from cds_service.store.database import Store, store_at
from cds_service.store.evidence_pages import Ended
from cds_service.store.failures import NewerStoreError, StoreError
from cds_service.store.form_sessions import FormSessions
from cds_service.store.ledger import Ledger, NoLedger
from cds_service.store.page_keys import FILE_NAME, GivenKeys, KeptKeys, PageKeys
from cds_service.store.replay import ReplayStore
from cds_service.store.retention import NoRetention, Retention, RetentionLimits
from cds_service.store.sealed_pages import SealedPages
from cds_service.store.workbench_sessions import WorkbenchSessions
from cds_service.trust.checks import CHECKS
from cds_service.trust.clients import load_clients
from cds_service.trust.entries import SEALED, Client, Clients, anyone
from cds_service.trust.keys import KeyRing
from cds_service.trust.tokens import Verifier

NO_NAMES = Names()
NO_TRACES = NoTraces()
NO_METRICS = NoMetrics()
NO_FETCHER = NoFetcher()
NO_AUDIT_LOG = NoAuditLog()
NO_LEDGER = NoLedger()
NO_RETENTION = NoRetention()
ANYONE = anyone()
# A worker counts as silent after this many self-check intervals without a report, plus the time of one full run.
PATIENCE = 2.5
SECONDS_OF_A_RUN = 30.0


@dataclass(frozen=True, slots=True)
class Forms:
    """What documentation forms need: the ``sessions`` of open forms, and the clients that call the EHR for them."""

    sessions: FormSessions
    http: OutgoingClient
    fetcher: Fetcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The parts of an installation. A part that is off fetches, counts, or stores nothing.

    ``call_seconds`` is the deadline of a call (default: the longest), ``rate_limit`` the limit of calls for one client
    (empty: no limit). ``verifier`` identifies callers; without one, calls are open and every caller has the entry
    ``open_client``. Without a ``store``, the service takes no feedback.

    ``trusted_proxies`` is the number of proxies in front; ``names`` are those that log and metrics may contain.
    ``workbench``: the start page is a demo EHR. ``feedback_items`` limits the feedback of one request,
    ``feedback_limit`` that of one client (empty: no limit). ``retention`` keeps stored data within its limits.
    ``evidence_mode`` applies to clients whose entry sets no mode; ``evidence_pages`` is None if no client has pages.
    ``page_keys`` encrypt the packets of pages; None if there are neither evidence pages nor forms.

    ``turn`` lets one thread of the process compute at a time. ``workbench_sessions`` hold what browsers do in the
    workbench; None if nothing is stored, and then the workbench is read-only. ``own_app_secret`` is the secret of our
    own SMART app at the workbench's demo EHR, and lasts as long as the service.
    """

    fetcher: Fetcher | NoFetcher = NO_FETCHER
    call_seconds: float = LONGEST_CALL
    metrics: NoMetrics = NO_METRICS
    audit: AuditLog | NoAuditLog = NO_AUDIT_LOG
    rate_limit: str = ""
    store: Store | None = None
    ledger: Ledger | NoLedger = NO_LEDGER
    readiness: Readiness = field(default_factory=Readiness)
    verifier: Verifier | None = None
    open_client: Client = ANYONE
    trusted_proxies: int = 0
    names: Names = NO_NAMES
    traces: NoTraces | OpenTelemetry = NO_TRACES
    workbench: bool = False
    retention: Retention | NoRetention = NO_RETENTION
    feedback_items: int = MOST_ITEMS
    feedback_limit: str = ""
    turn: Turn = field(default_factory=Turn)
    evidence_mode: str = SEALED
    evidence_pages: SealedPages | None = None
    page_keys: PageKeys | None = None
    forms: Forms | None = None
    workbench_sessions: WorkbenchSessions | None = None
    own_app_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    def clients(self) -> tuple[Client, ...]:
        """The entries of all clients that may call."""
        return self.verifier.clients.entries if self.verifier else (self.open_client,)

    def close(self) -> None:
        """Writes pending entries, sends remaining traces, and closes everything, for the end of the process."""
        self.traces.stop()
        self.ledger.close()
        if self.store is not None:
            self.store.close()


def installation_of(settings: Settings, library: Library, *, only_this_machine: bool) -> Installation:
    """Builds the parts that the settings ask for, without connections or threads, because a fork may follow.

    ``only_this_machine``: nobody else can call the service. Only then may open calls use FHIR servers on this machine;
    otherwise any caller could make the service call addresses behind a firewall. Raises ValueError for an invalid
    setting or clients file.
    """
    # Imported late, because the launcher must first set the folder that workers share for metrics.
    from cds_service.operations.metrics import Metrics

    _check_limit("RATE_LIMIT", settings.rate_limit)
    _check_limit("FEEDBACK_LIMIT", settings.feedback_limit)
    clients = load_clients(settings.clients) if settings.clients else None
    names = _names(library, clients)
    metrics = Metrics(names)
    store = _store(settings)
    http = OutgoingClient()
    open_client = anyone(this_machine=only_this_machine)
    callers = clients.entries if clients else (open_client,)
    evidence = settings.evidence_mode(is_open=only_this_machine and not clients)
    shown_evidence = _with_evidence(callers, evidence)
    audit = _audit(settings) if settings.audit else NO_AUDIT_LOG
    workbench = settings.workbench == "on" or (settings.workbench == "auto" and only_this_machine and not clients)
    launches = workbench or any(caller.smart for caller in callers)
    fetches = settings.fetch_missing and any(client.may_fetch() for client in callers)
    return Installation(
        fetcher=_fetcher(settings, http) if fetches else NO_FETCHER,
        call_seconds=settings.call_seconds,
        metrics=metrics,
        audit=audit,
        rate_limit=settings.rate_limit,
        store=store,
        ledger=Ledger(store, _unwritten(metrics)),
        readiness=_readiness(settings, trusts=clients is not None),
        verifier=Verifier(clients, KeyRing(http), ReplayStore(store).remember) if clients else None,
        open_client=open_client,
        trusted_proxies=settings.trusted_proxies,
        names=names,
        traces=_traces(settings, names),
        retention=Retention(
            store,
            audit_folder(settings.state),
            retention_limits(settings),
            metrics,
            clients=shown_evidence,
            ended=_expired(audit, metrics),
        ),
        feedback_items=settings.feedback_max_items,
        feedback_limit=settings.feedback_limit,
        workbench=workbench,
        workbench_sessions=WorkbenchSessions(store, os.urandom(KEY_BYTES)) if workbench else None,
        evidence_mode=evidence,
        evidence_pages=_evidence_pages(settings, store, shown_evidence) if shown_evidence else None,
        page_keys=_page_keys(settings) if shown_evidence or launches else None,
        forms=_forms(settings, store, http) if launches else None,
    )


def _with_evidence(callers: Collection[Client], mode: str) -> frozenset[str]:
    """The names of the clients whose cards link to a sealed evidence page."""
    names = {caller.id for caller in callers if caller.evidence_mode(mode) == SEALED}
    return frozenset(names | {WORKBENCH} if OPEN in names else names)


def _forms(settings: Settings, store: Store, http: OutgoingClient) -> Forms:
    return Forms(FormSessions(store, _page_keys(settings)), http, _fetcher(settings, http))


def _evidence_pages(settings: Settings, store: Store, clients: Collection[str]) -> SealedPages:
    return SealedPages(store, _page_keys(settings), settings.evidence_hours, clients)


def _page_keys(settings: Settings) -> PageKeys:
    """The keys of content that a browser opens together with its own secret."""
    given = settings.evidence_key.get_secret_value()
    if given:
        return GivenKeys(keys_of(given, "CDS_SERVICE_EVIDENCE_KEY"))
    return KeptKeys(settings.state / FILE_NAME)


def _expired(audit: AuditLog | NoAuditLog, metrics: NoMetrics) -> Callable[[Ended], None]:
    """Reports expired evidence pages to the audit log."""
    if isinstance(audit, NoAuditLog):
        return lambda page: None

    def told(page: Ended) -> None:
        try:
            audit.evidence(EvidencePageEvent(event="expired", card=page.card, client=page.client))
        except AuditError as error:
            logs.logger().error("audit-failed", exc_info=error)
            metrics.audit_failed()

    return told


def _check_limit(name: str, text: str) -> None:
    try:
        if text:
            limit_of(text)
    except ValueError as error:
        raise ValueError(f"CDS_SERVICE_{name}: {error}") from None


def _names(library: Library, clients: Clients | None) -> Names:
    """The names of this installation that log and metrics may contain."""
    ids = [client.id for client in clients.entries] if clients else []
    return names_of(library, ids, CHECKS, SELF_CHECKS, PARTS_OF_READINESS)


def _fetcher(settings: Settings, http: OutgoingClient) -> Fetcher:
    limits = FetchLimits(
        settings.fhir_max_bytes, settings.fhir_max_pages, settings.max_resources, settings.fhir_max_call_bytes
    )
    return Fetcher(http, limits)


def _traces(settings: Settings, names: Names) -> NoTraces | OpenTelemetry:
    try:
        return open_traces(settings.traces, names)
    except TracesError as error:
        raise ValueError(str(error)) from None


def _readiness(settings: Settings, *, trusts: bool) -> Readiness:
    patience = settings.self_check_seconds * PATIENCE + SECONDS_OF_A_RUN
    return Readiness(metrics_folder.workers(), patience, degrading=DEGRADING_WITH_TRUST if trusts else DEGRADING)


def _store(settings: Settings) -> Store:
    """The store, migrated if it can be opened.

    A store that cannot be opened now opens itself later. Raises ValueError for an invalid address or a store of a newer
    version, because waiting fixes neither.
    """
    try:
        store = store_at(settings.store_url.get_secret_value(), settings.state)
        try:
            store.open()
        finally:
            store.close()
    except (ValueError, NewerStoreError) as error:
        raise ValueError(
            f"{error} CDS_SERVICE_STORE_URL names it, or CDS_SERVICE_STATE the folder of SQLite."
        ) from None
    except StoreError as error:
        logs.logger().error("store-failed", exc_info=error)
    return store


def _unwritten(metrics: NoMetrics) -> Callable[[Exception, int], None]:
    def told(error: Exception, forgotten: int) -> None:
        metrics.store_failed()
        if isinstance(error, StoreError):
            logs.logger().error("store-failed", exc_info=error, count=forgotten)
        else:
            logs.logger().error("background-failed", exc_info=error, count=forgotten)

    return told


def _audit(settings: Settings) -> AuditLog:
    """The audit log, which must be writable at start. Raises ValueError if it is not."""
    sealed = settings.audit_key.get_secret_value()
    if settings.audit_content and not sealed:
        raise ValueError("CDS_SERVICE_AUDIT_CONTENT keeps calls encrypted, and needs CDS_SERVICE_AUDIT_KEY for it")
    keys = keys_of(sealed) if settings.audit_content else None
    audit = AuditLog(audit_folder(settings.state), settings.key(), keys, most_bytes=settings.audit_max_bytes)
    try:
        audit.check()
    except AuditError as error:
        raise ValueError(f"{error} CDS_SERVICE_STATE names the folder, CDS_SERVICE_AUDIT=false keeps no log.") from None
    return audit


def names_of(
    library: Library,
    clients: Collection[str] = (),
    checks: Collection[str] = (),
    self_checks: Collection[str] = (),
    parts: Collection[str] = (),
) -> Names:
    """The names of a deployment: those of its rule sets, and those in the other arguments."""
    return Names(
        services=frozenset(hook_request.SERVICES),
        policies=frozenset(policy.id for policy in library.policies).union(item.name for item in library.left_out),
        criteria=frozenset(criterion.id for policy in library.policies for criterion in policy.criteria),
        keys=frozenset(library.prefetch_keys),
        clients=frozenset(clients) | {OPEN, WORKBENCH},
        checks=frozenset(checks),
        self_checks=frozenset(self_checks),
        parts=frozenset(parts),
    )


def retention_limits(settings: Settings) -> RetentionLimits:
    """The retention limits of the settings: days, bytes and numbers of items."""
    return RetentionLimits(
        settings.audit_days,
        settings.feedback_days,
        settings.audit_max_bytes,
        settings.store_max_cards,
        settings.store_max_feedback,
        settings.evidence_max_pages,
    )
