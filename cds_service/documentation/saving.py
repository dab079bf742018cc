"""The resources that a form writes, in order: the response, then Observations of its numbers, then the Provenance.

A form that continues a draft replaces it if the EHR allows that; otherwise it creates a new response. It never replaces
a draft that another user changed before this user sees the change.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cds_service.card.style import Style
from cds_service.documentation import scopes
from cds_service.documentation.answers import FormAnswer
from cds_service.documentation.earlier import EarlierForm, form_of
from cds_service.documentation.open_form import OpenForm
from cds_service.documentation.resources import ResponseWriter
from cds_service.documentation.writing import EhrWriter, Stored, WritePlan, WriteRefusal, WriteResult
from cds_service.facts.drafts import DRAFT
from cds_service.fhir.elements import Json
from cds_service.questionnaire.questions import FormQuestion

SIGNED = "completed"
_CANNOT_UPDATE = (WriteRefusal.FORBIDDEN, WriteRefusal.UNSUPPORTED)


class FormSaver(NamedTuple):
    """Writes one form with an EHR writer, a source of its resources, and the plan that the granted scopes allow."""

    ehr: EhrWriter
    writer_of: Callable[[OpenForm], ResponseWriter]
    plan: WritePlan

    def sign(self, opened: OpenForm, answered: Sequence[FormAnswer], kind: str) -> tuple[WriteResult, ...]:
        """Write a signed form as ``kind``, and with a QuestionnaireResponse also the resources derived from it."""
        if kind != scopes.RESPONSES:
            writer = self.writer_of(opened)
            return (self._created(writer.document(writer.response(answered, status=SIGNED)), writer),)
        first = self._response(opened, answered, SIGNED)
        if not first.reference:
            return (first,)
        written, writer = [first], self.writer_of(opened)
        if self.plan.observations:
            for observation in writer.observations(answered, first.reference):
                unless = observation["identifier"][0]
                written.append(self.ehr.create(observation, unless=unless, read_back=False))
        if self.plan.provenance:
            targets = [item.reference for item in written if item.reference]
            written.append(self.ehr.create(writer.provenance(targets, first.reference), unless=None, read_back=False))
        return tuple(written)

    def keep_draft(self, opened: OpenForm, answered: Sequence[FormAnswer]) -> WriteResult:
        """Write a draft; the next write replaces it."""
        result = self._response(opened, answered, DRAFT)
        if result.reference:
            opened.saves += 1
            opened.stored = Stored(result.reference, result.version) if self.plan.can_update else None
        return result

    def other_version(self, opened: OpenForm, asked: Sequence[FormQuestion], style: Style) -> EarlierForm | None:
        """The draft as another user changed it; the next write replaces it, because the user has now seen it.

        If another user signed it, it stays, and the next write creates a new response.
        """
        if opened.stored is None:
            return None
        found = self.ehr.read(opened.stored.reference)
        if not found:
            return None
        theirs = form_of(found, asked, style)
        if found.get("status") == DRAFT:
            opened.stored = Stored(opened.stored.reference, theirs.version)
        else:
            opened.stored, opened.saves = None, opened.saves + 1
        return theirs

    def _response(
        self, opened: OpenForm, answered: Sequence[FormAnswer], status: str, *, again: bool = True
    ) -> WriteResult:
        if opened.stored is not None and self.plan.can_update:
            response = self.writer_of(opened).response(answered, status=status)
            result = self.ehr.update(response, opened.stored, read_back=self.plan.can_read)
            if result.refusal not in _CANNOT_UPDATE:
                return result
            # A new response next to the draft needs its own identifier.
            opened.stored, opened.saves = None, opened.saves + 1
        writer = self.writer_of(opened)
        result = self._created(writer.response(answered, status=status), writer)
        if not result.older:
            return result
        if not again:
            return WriteResult(result.kind, refusal=WriteRefusal.CHANGED)
        # An earlier attempt succeeded, and the answers changed since then.
        opened.stored, opened.saves = Stored(result.reference, result.version), opened.saves + 1
        if not self.plan.can_update:
            opened.stored = None
        return self._response(opened, answered, status, again=False)

    def _created(self, resource: Json, writer: ResponseWriter) -> WriteResult:
        return self.ehr.create(resource, unless=writer.identifier, read_back=self.plan.can_read)
