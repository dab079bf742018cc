"""The events that the service counts; ``metrics`` stores the numbers."""

from collections.abc import Iterable
from typing import ClassVar


class NoMetrics:
    """Metrics that are off: one method for each event that the service counts, storing nothing."""

    kept: ClassVar[bool] = False

    def call(self, service: str, outcome: str, seconds: float) -> None:
        """One hook call; ``outcome`` is one of CALL_OUTCOMES, or ``refused:400`` with the status."""
        self._add(1, "calls_total", service, outcome)
        self._observe(seconds, "call_seconds", service)

    def card(self, policy: str, outcome: str) -> None:
        """One card of a rule set; ``outcome`` is one of CARD_OUTCOMES."""
        self._add(1, "cards_total", policy, outcome)

    def policy_failed(self, policy: str) -> None:
        """A rule set could not be evaluated."""
        self._add(1, "policy_failures_total", policy)

    def unknowns(self, policy: str, criteria: Iterable[str]) -> None:
        """The unknown criteria of one decision."""
        for criterion in criteria:
            self._add(1, "unknowns_total", policy, criterion)

    def prefetch(self, key: str, state: str) -> None:
        """The state of one prefetch key; ``state`` is one of PREFETCH_STATES."""
        self._add(1, "prefetch_total", key, state)

    def fetch_failed(self, kind: str) -> None:
        """A request to a FHIR server failed; ``kind`` is one of FETCH_FAILURES."""
        self._add(1, "fetch_failures_total", kind)

    def fetched(self, seconds: float) -> None:
        """The total fetch time of one call."""
        self._observe(seconds, "fetch_seconds")

    def token_refused(self, check: str) -> None:
        """A check refused a caller."""
        self._add(1, "tokens_refused_total", check)

    def overloaded(self, count: int) -> None:
        """``count`` requests were refused because too many were waiting."""
        self._add(count, "overload_total")

    def rate_limited(self, client: str) -> None:
        """A call beyond the client's limit; an unknown caller counts as ``other``."""
        self._add(1, "rate_limited_total", client)

    def feedback(self, outcome: str, count: int = 1) -> None:
        """Items of feedback, by one of FEEDBACK_OUTCOMES; or a refused request, as ``refused:400`` with its status."""
        self._add(count, "feedback_total", outcome)

    def fhir_request(self, operation: str, outcome: str) -> None:
        """A request to the FHIR routes.

        ``operation`` is one of FHIR_OPERATIONS, ``outcome`` "answered" or ``refused:400`` with the status.
        """
        self._add(1, "fhir_requests_total", operation, outcome)

    def form_error(self, policy: str) -> None:
        """A client reported an error in the form of a rule set."""
        self._add(1, "form_errors_total", policy)

    def form(self, policy: str, event: str) -> None:
        """An event of a rule set's documentation form; ``event`` is one of FORM_EVENTS."""
        self._add(1, "forms_total", policy, event)

    def form_took(self, policy: str, minutes: float) -> None:
        """The minutes from opening a form to its signed answers in the EHR."""
        self._observe(minutes, "form_minutes", policy)

    def form_write_refused(self, kind: str, refusal: str) -> None:
        """An EHR refused a resource of a form: one of FORM_WRITES, and one of FORM_REFUSALS."""
        self._add(1, "form_writes_refused_total", kind, refusal)

    def form_met(self, policy: str, criterion: str) -> None:
        """A form met a criterion that was unknown when the form was opened."""
        self._add(1, "form_criteria_met_total", policy, criterion)

    def storage(self, kind: str, share: float) -> None:
        """The share of its cap that stored data uses, 0 to 1; ``kind`` is one of STORAGE_KINDS."""
        self._set(share, "storage_used_ratio", kind)

    def removed(self, kind: str, reason: str, count: int) -> None:
        """Stored data was removed; ``reason`` is one of REMOVAL_REASONS."""
        self._add(count, "storage_removed_total", kind, reason)

    def store_failed(self) -> None:
        """The store could not be read or written."""
        self._add(1, "store_failures_total")

    def audit_failed(self) -> None:
        """A line could not be written to the audit log."""
        self._add(1, "audit_failures_total")

    def log_fields_dropped(self, count: int) -> None:
        """The log dropped fields; the ``on_drop`` of ``logs.configure``."""
        self._add(count, "log_fields_dropped_total")

    def self_check(self, check: str, failing: bool) -> None:
        """The latest result of one self-check."""
        self._set(int(failing), "self_check_failing", check)

    def ready(self, part: str, ready: bool) -> None:
        """Whether a part of the service is ready."""
        self._set(int(ready), "ready", part)

    def policy_left_out(self, policy: str) -> None:
        """A rule set folder could not be loaded at start."""
        self._set(1, "policy_left_out", policy)

    def degraded(self, part: str, failing: bool) -> None:
        """Whether a part fails that calls do not need."""
        self._set(int(failing), "degraded", part)

    def days_without_a_card(self, policy: str, days: int) -> None:
        """Consecutive days with orders for a rule set but no card."""
        self._set(days, "days_without_a_card", policy)

    def exposition(self) -> tuple[bytes, str]:
        """An empty text in Prometheus' text format, and its content type."""
        return b"", "text/plain; charset=utf-8"

    def worker_ended(self, pid: int) -> None:
        """Drop the state of a worker that ended. gunicorn's ``child_exit``."""

    def _add(self, number: float, name: str, *labels: str) -> None:
        pass

    def _set(self, value: float, name: str, *labels: str) -> None:
        pass

    def _observe(self, value: float, name: str, *labels: str) -> None:
        pass
