"""Every metric: its name, kind, labels and meaning, and the source of each label's values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cds_service.chart.arrivals import State
from cds_service.operations.names import STATUSES, Names

PREFIX = "cds_service_"
OTHER = "other"

CALL_OUTCOMES = ("card", "ask", "none", "failed", "late")
# The outcomes of cards (``card.outcomes``), and ``late``.
CARD_OUTCOMES = (
    *("deceased", "failed", "unclear", "routed", "contraindicated", "conflict-urgent", "off-label", "implanted"),
    *("payer-excludes", "conflict", "not-read", "two-sides", "gaps", "not-studied", "trial-gaps", "met", "late"),
)
PREFETCH_STATES = tuple(state.value for state in State)
FETCH_FAILURES = (
    *("forbidden", "unreachable", "timeout", "too-large", "redirected", "tls"),
    *("refused", "not-found", "not-accepted", "server-error", "reported", "invalid"),
    *("scope", "unresolved", "busy", "error"),
)
# Stored data by kind; the last three appear only in removals.
STORAGE_KINDS = ("audit", "cards", "feedback", "evidence", "audit-content", "activity", "set-aside")
REMOVAL_REASONS = ("age", "cap")
FEEDBACK_OUTCOMES = ("new", "repeated", "unknown-card")
FHIR_OPERATIONS = ("metadata", "read", "search", "package", "errors", "expand", "token")
FORM_EVENTS = ("opened", "draft", "signed")
# The resource types of a form, and the reasons why an EHR refuses one (``documentation.writing.WriteRefusal``).
FORM_WRITES = ("QuestionnaireResponse", "DocumentReference", "Observation", "Provenance")
FORM_REFUSALS = (
    *("scope", "signed-out", "forbidden", "unsupported"),
    *("changed", "invalid", "unavailable", "unreadable"),
)
ANSWERED = "answered"
REFUSALS = tuple(f"refused:{status}" for status in STATUSES if status >= 400)

CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.5, 5.0, 10.0)
FORM_MINUTES = (0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 20.0, 30.0)
FETCH_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.5, 5.0)

Kind = Literal["counter", "gauge", "histogram"]
# How the values of several workers combine: least, greatest, or newest; "live" leaves out workers that ended.
Merge = Literal["livemin", "livemax", "max", "livemostrecent"]


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric. ``name`` is the scraped name, without the suffixes of a histogram; ``merge`` is only for gauges."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    merge: Merge = "livemax"


def _spec(
    name: str, kind: Kind, help_: str, *labels: str, buckets: tuple[float, ...] = (), merge: Merge = "livemax"
) -> MetricSpec:
    return MetricSpec(PREFIX + name, kind, help_, labels, buckets, merge)


METRICS = (
    _spec(
        "calls_total",
        "counter",
        "Hook calls, by service and outcome: card, ask, none, failed, late or refused:STATUS.",
        "service",
        "outcome",
    ),
    _spec(
        "call_seconds",
        "histogram",
        "Seconds from reading the first byte of a call to the finished answer.",
        "service",
        buckets=CALL_SECONDS,
    ),
    _spec(
        "cards_total",
        "counter",
        "Cards by statement and outcome, such as gaps, met, off-label, failed or late.",
        "policy",
        "outcome",
    ),
    _spec(
        "policy_failures_total",
        "counter",
        "Failed evaluations of a statement; its card says so. Each one is a bug.",
        "policy",
    ),
    _spec(
        "unknowns_total",
        "counter",
        "Criteria with the result unknown: charts lack the data, or have it in a form that does not count.",
        "policy",
        "criterion",
    ),
    _spec(
        "prefetch_total",
        "counter",
        "Prefetch by key and state after fetching (filled, empty, missing, failed), for calls that read it.",
        "key",
        "state",
    ),
    _spec("fetch_failures_total", "counter", "Failed requests to FHIR servers, by kind.", "kind"),
    _spec("fetch_seconds", "histogram", "Seconds that one call spent fetching.", buckets=FETCH_SECONDS),
    _spec(
        "tokens_refused_total",
        "counter",
        "Callers that the service refused to trust, by the check that failed.",
        "check",
    ),
    _spec("overload_total", "counter", "Requests refused with 503 because too many were waiting."),
    _spec("rate_limited_total", "counter", "Calls beyond the rate limit, by client.", "client"),
    _spec(
        "feedback_total",
        "counter",
        "Feedback by outcome: items that are new, repeated, or for an unknown card; requests by refused:STATUS.",
        "outcome",
    ),
    _spec(
        "fhir_requests_total",
        "counter",
        "Requests to the FHIR routes, by operation and outcome: answered or refused:STATUS.",
        "operation",
        "outcome",
    ),
    _spec(
        "form_errors_total",
        "counter",
        "Form errors that clients reported ($log-questionnaire-errors), by statement; the service does not keep "
        "their text.",
        "policy",
    ),
    _spec(
        "forms_total",
        "counter",
        "Documentation forms by statement and event: opened, draft (saved in the EHR), signed (accepted by the EHR).",
        "policy",
        "event",
    ),
    _spec(
        "form_minutes",
        "histogram",
        "Minutes from opening a form to its signed answers in the EHR, by statement.",
        "policy",
        buckets=FORM_MINUTES,
    ),
    _spec(
        "form_writes_refused_total",
        "counter",
        "Form resources that an EHR refused, by type and kind, such as forbidden, changed or unavailable.",
        "type",
        "kind",
    ),
    _spec(
        "form_criteria_met_total",
        "counter",
        "Criteria that were unknown when a form was opened, and met when the service read the chart after signing.",
        "policy",
        "criterion",
    ),
    _spec(
        "storage_used_ratio",
        "gauge",
        "Used share of each storage cap, 0 to 1: audit (bytes), cards, feedback and evidence pages (rows).",
        "kind",
        merge="livemostrecent",
    ),
    _spec(
        "storage_removed_total",
        "counter",
        "Data removed because of its age or its cap: audit (days), audit-content (lines), otherwise rows.",
        "kind",
        "reason",
    ),
    _spec("store_failures_total", "counter", "Failed reads and writes of the store."),
    _spec(
        "audit_failures_total",
        "counter",
        "Lines that the audit log could not write; the calls still got their answers.",
    ),
    _spec(
        "log_fields_dropped_total",
        "counter",
        "Fields dropped from the log because they are not on its list. Each one is a bug.",
    ),
    _spec("self_check_failing", "gauge", "1 if a self-check fails now, by check.", "check"),
    _spec(
        "ready",
        "gauge",
        "1 if a part of the service is ready, by part; the lowest value of all workers.",
        "part",
        merge="livemin",
    ),
    _spec("policy_left_out", "gauge", "1 if a rule set could not be loaded and is silent, by its folder.", "policy"),
    _spec(
        "degraded",
        "gauge",
        "1 if a part fails but the service still answers calls, by part; readiness then reports degraded.",
        "part",
    ),
    _spec(
        "days_without_a_card",
        "gauge",
        "Days in a row with orders and without a card, by statement.",
        "policy",
        merge="livemostrecent",
    ),
    _spec("build_info", "gauge", "Always 1; the label gives the running version.", "version", merge="max"),
)


def described() -> tuple[MetricSpec, ...]:
    """All metrics of the service, for documentation, dashboards and alert rules."""
    return METRICS


def allowed(names: Names, version: str) -> Mapping[str, Mapping[str, frozenset[str]]]:
    """For each metric, the allowed values of each label, in addition to ``other``."""
    values: dict[str, dict[str, frozenset[str]]] = {
        "calls_total": {"service": names.services, "outcome": frozenset((*CALL_OUTCOMES, *REFUSALS))},
        "call_seconds": {"service": names.services},
        "cards_total": {"policy": names.policies, "outcome": frozenset(CARD_OUTCOMES)},
        "policy_failures_total": {"policy": names.policies},
        "unknowns_total": {"policy": names.policies, "criterion": names.criteria},
        "prefetch_total": {"key": names.keys, "state": frozenset(PREFETCH_STATES)},
        "fetch_failures_total": {"kind": frozenset(FETCH_FAILURES)},
        "tokens_refused_total": {"check": names.checks},
        "rate_limited_total": {"client": names.clients},
        "storage_used_ratio": {"kind": frozenset(STORAGE_KINDS)},
        "storage_removed_total": {"kind": frozenset(STORAGE_KINDS), "reason": frozenset(REMOVAL_REASONS)},
        "feedback_total": {"outcome": frozenset((*FEEDBACK_OUTCOMES, *REFUSALS))},
        "fhir_requests_total": {
            "operation": frozenset(FHIR_OPERATIONS),
            "outcome": frozenset((ANSWERED, *REFUSALS)),
        },
        "form_errors_total": {"policy": names.policies},
        "forms_total": {"policy": names.policies, "event": frozenset(FORM_EVENTS)},
        "form_minutes": {"policy": names.policies},
        "form_writes_refused_total": {"type": frozenset(FORM_WRITES), "kind": frozenset(FORM_REFUSALS)},
        "form_criteria_met_total": {"policy": names.policies, "criterion": names.criteria},
        "self_check_failing": {"check": names.self_checks},
        "ready": {"part": names.parts},
        "policy_left_out": {"policy": names.policies},
        "degraded": {"part": names.parts},
        "days_without_a_card": {"policy": names.policies},
        "build_info": {"version": frozenset({version})},
    }
    return {PREFIX + name: labels for name, labels in values.items()}
