"""What the service counts; ``metrics`` keeps it."""

from collections.abc import Iterable
from typing import ClassVar


class NoMetrics:
    """What is counted, one method for each thing that can happen. Nothing of it is kept: metrics that are off."""

    kept: ClassVar[bool] = False

    def call(self, service: str, outcome: str, seconds: float) -> None:
        """One hook call; ``outcome`` is one of CALL_OUTCOMES, or ``refused:400`` with the status."""
        self._add(1, "calls_total", service, outcome)
        self._observe(seconds, "call_seconds", service)

    def card(self, policy: str, outcome: str) -> None:
        """One card of a statement; ``outcome`` is one of CARD_OUTCOMES."""
        self._add(1, "cards_total", policy, outcome)

    def policy_failed(self, policy: str) -> None:
        """A statement could not be evaluated."""
        self._add(1, "policy_failures_total", policy)

    def unknowns(self, policy: str, criteria: Iterable[str]) -> None:
        """The criteria of one decision that came out unknown."""
        for criterion in criteria:
            self._add(1, "unknowns_total", policy, criterion)

    def prefetch(self, key: str, state: str) -> None:
        """What became of one prefetch key; ``state`` is one of PREFETCH_STATES."""
        self._add(1, "prefetch_total", key, state)

    def fetch_failed(self, kind: str) -> None:
        """A request to a FHIR server failed; ``kind`` is one of FETCH_FAILURES."""
        self._add(1, "fetch_failures_total", kind)

    def fetched(self, seconds: float) -> None:
        """All fetching of one call took that long."""
        self._observe(seconds, "fetch_seconds")

    def token_refused(self, check: str) -> None:
        """A caller was not trusted, by that check."""
        self._add(1, "tokens_refused_total", check)

    def overloaded(self, count: int) -> None:
        """So many requests were refused because too many were waiting."""
        self._add(count, "overload_total")

    def rate_limited(self, client: str) -> None:
        """A call beyond the client's limit; of a caller who is not known, ``other``."""
        self._add(1, "rate_limited_total", client)

    def feedback(self, outcome: str, count: int = 1) -> None:
        """Items of feedback; ``outcome`` is one of FEEDBACK_OUTCOMES. Or a request, ``refused:400`` with the status."""
        self._add(count, "feedback_total", outcome)

    def fhir_request(self, operation: str, outcome: str) -> None:
        """A request to the FHIR routes; ``operation`` is one of FHIR_OPERATIONS, ``outcome`` "answered" or
        ``refused:400`` with the status."""
        self._add(1, "fhir_requests_total", operation, outcome)

    def form_error(self, policy: str) -> None:
        """A client reported an error in the form of a policy."""
        self._add(1, "form_errors_total", policy)

    def form(self, policy: str, event: str) -> None:
        """What became of a documentation form of a policy; ``event`` is one of FORM_EVENTS."""
        self._add(1, "forms_total", policy, event)

    def form_took(self, policy: str, minutes: float) -> None:
        """From opening a form to its signed answers in the EHR it took so many minutes."""
        self._observe(minutes, "form_minutes", policy)

    def form_write_refused(self, kind: str, refusal: str) -> None:
        """An EHR did not take a resource of a form: a type of FORM_WRITES, and a refusal of FORM_REFUSALS."""
        self._add(1, "form_writes_refused_total", kind, refusal)

    def form_met(self, policy: str, criterion: str) -> None:
        """A criterion that was unknown when a form was opened is met by it."""
        self._add(1, "form_criteria_met_total", policy, criterion)

    def storage(self, kind: str, share: float) -> None:
        """How much of its cap something kept has used, 0 to 1; ``kind`` is one of STORAGE_KINDS."""
        self._set(share, "storage_used_ratio", kind)

    def removed(self, kind: str, reason: str, count: int) -> None:
        """Something kept was removed; ``reason`` is one of REMOVAL_REASONS."""
        self._add(count, "storage_removed_total", kind, reason)

    def store_failed(self) -> None:
        """The store could not be read or written."""
        self._add(1, "store_failures_total")

    def audit_failed(self) -> None:
        """The audit log could not take a line."""
        self._add(1, "audit_failures_total")

    def log_fields_dropped(self, count: int) -> None:
        """The log kept fields out; the ``on_drop`` of ``logs.configure``."""
        self._add(count, "log_fields_dropped_total")

    def self_check(self, check: str, failing: bool) -> None:
        """The last result of one known-answer check."""
        self._set(int(failing), "self_check_failing", check)

    def ready(self, part: str, ready: bool) -> None:
        """Whether a part of the service is ready."""
        self._set(int(ready), "ready", part)

    def policy_left_out(self, policy: str) -> None:
        """A policy folder could not be loaded at the start."""
        self._set(1, "policy_left_out", policy)

    def degraded(self, part: str, failing: bool) -> None:
        """Whether a part fails without which calls are still answered."""
        self._set(int(failing), "degraded", part)

    def days_without_a_card(self, policy: str, days: int) -> None:
        """Days in a row with orders for a statement and without a card of it."""
        self._set(days, "days_without_a_card", policy)

    def exposition(self) -> tuple[bytes, str]:
        """All metrics in Prometheus' text format, of which there are none, and its content type."""
        return b"", "text/plain; charset=utf-8"

    def worker_ended(self, pid: int) -> None:
        """Forgets what a worker that ended said of its state. gunicorn's ``child_exit``."""

    def _add(self, number: float, name: str, *labels: str) -> None:
        pass

    def _set(self, value: float, name: str, *labels: str) -> None:
        pass

    def _observe(self, value: float, name: str, *labels: str) -> None:
        pass
