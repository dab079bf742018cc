"""Metrics of documentation forms, and audit log lines about who answered which criteria, without the answers."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from cds_service.documentation.answers import FormAnswer
from cds_service.documentation.open_form import OpenForm
from cds_service.documentation.writing import WriteResult
from cds_service.facts.logic import Truth
from cds_service.installation import Installation
from cds_service.policy.model import Policy
from cds_service.verdicts.criteria import Finding
from cds_service.web.record import write_audit

LONGEST_USER = 200
DRAFT, SIGNED, REFUSED = "draft", "signed", "refused"


class FormRecorder:
    """Writes to the metrics and the audit log of an installation; ``clock`` returns the time in UTC."""

    def __init__(self, installation: Installation, clock: Callable[[], datetime]) -> None:
        self._installation, self._clock = installation, clock

    def opened(self, policy: Policy) -> None:
        """Record that a user opened a form."""
        self._installation.metrics.form(policy.id, "opened")

    def sent(
        self,
        opened: OpenForm,
        client: str,
        policy: Policy,
        answered: Sequence[FormAnswer],
        results: Sequence[WriteResult],
        *,
        draft: bool = False,
    ) -> None:
        """Record that a user sent a form to the EHR of a client; the first of ``results`` is about the answers."""
        metrics = self._installation.metrics
        refused = {item.kind: item.refusal.value for item in results if item.refusal is not None}
        for item in results:
            if item.refusal is not None:
                metrics.form_write_refused(item.kind, item.refusal.value)
        event = REFUSED
        if results[0].reference:
            event = DRAFT if draft else SIGNED
            metrics.form(policy.id, event)
            if not draft:
                minutes = (self._clock().timestamp() - opened.opened) / 60
                metrics.form_took(policy.id, max(0.0, minutes))
        criteria = {name for item in answered for name in item.question.criteria}
        told = {
            "client": client,
            "user": "/".join(opened.access.user.rstrip("/").split("/")[-2:])[:LONGEST_USER],
            "role": opened.role,
            "forms": [f"{policy.id}|{policy.edition}"],
            "criteria": [rule.id for rule in policy.criteria if rule.id in criteria],
            "written": list(dict.fromkeys(item.kind for item in results if item.reference)),
            "refused": refused,
        }
        write_audit(self._installation, lambda log: log.form_written(event, opened.access.patient, told))

    def settled(self, policy: Policy, before: Mapping[str, str], findings: Mapping[str, Finding]) -> None:
        """Record criteria met after a form; ``before`` is the truth of each finding at the form's opening."""
        for key, finding in findings.items():
            if before.get(key) == Truth.UNKNOWN.value and finding.truth is Truth.MET:
                self._installation.metrics.form_met(policy.id, finding.criterion.id)
