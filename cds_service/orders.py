"""Recognising the order: which drafts ask for the procedure of a policy, how surely, and which act each of them names."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.chart import Chart, concept_of
from cds_service.elements import Json, concept_keys, concept_text, list_of
from cds_service.errors import UnreadableError
from cds_service.policy import Act, OrderRule
from cds_service.standing import reason_concepts
from cds_service.terminology import words

ORDER_TYPES = ("ServiceRequest", "DeviceRequest")
WITHDRAWN = ("entered-in-error", "revoked", "completed")


@dataclass(frozen=True, slots=True)
class Draft:
    """One recognised draft. ``coded``: it carries the act's own code; ``by_text``: known by its words alone."""

    reference: str
    resource: Json
    act: Act
    coded: bool
    by_text: bool
    certain: bool


@dataclass(frozen=True, slots=True)
class ProcedureOrder:
    """The drafts that make up one procedure, in the order sent.

    ``drafted`` are the ids of all acts already drafted, also by drafts that are not commented on;
    ``certain`` is False where nothing in the drafts says that this therapy is meant.
    """

    drafts: tuple[Draft, ...]
    drafted: frozenset[str]
    certain: bool

    @property
    def by_text(self) -> bool:
        """Whether the procedure is known by words alone."""
        return all(draft.by_text for draft in self.drafts)


def recognise(
    rule: OrderRule, drafts: Iterable[tuple[str, Json]], chart: Chart, selected: Collection[str] | None
) -> ProcedureOrder | None:
    """The procedure that the drafts ask for, or None where they are none of this policy's business.

    ``drafts`` are (reference, resource) pairs; ``selected`` holds the references to comment on (None: all of them), the
    others only inform.
    """
    found = [draft for reference, resource in drafts if (draft := _read(rule, reference, resource, chart)) is not None]
    chosen = tuple(draft for draft in found if selected is None or draft.reference in selected)
    if not chosen:
        return None
    drafted = frozenset(draft.act.id for draft in found if draft.coded or draft.by_text)
    return ProcedureOrder(chosen, drafted, any(draft.certain for draft in found))


def candidate(rule: OrderRule, resource: Mapping[str, Any], chart: Chart) -> bool:
    """Whether a draft carries one of the policy's codes or words, before asking where it points."""
    return _read(rule, "", dict(resource), chart) is not None


def _read(rule: OrderRule, reference: str, resource: Json, chart: Chart) -> Draft | None:
    if resource.get("doNotPerform") is True or resource.get("status") in WITHDRAWN:
        return None
    try:
        concept = concept_of(resource, chart, resource)
        keys = [key for key, _ in concept_keys(concept)]
        text = words(concept_text(concept))
        named = any(phrase in text for phrase in rule.named_in_text)
        by_code = next((act for act in rule.acts if any(act.codes.match(key) for key in keys)), None)
        if by_code is None and not named:
            return None
        pointing = True if named else _points_here(rule, resource, text, chart)
    except UnreadableError:
        return None
    if pointing is False:
        return None
    act = by_code or _act_in_words(rule, text)
    coded = (act.code.system, act.code.code) in keys
    return Draft(reference, resource, act, coded, by_code is None, pointing is True)


def _act_in_words(rule: OrderRule, text: str) -> Act:
    return next((act for act in rule.acts if any(phrase in text for phrase in act.phrases)), rule.acts[0])


def _points_here(rule: OrderRule, resource: Json, text: str, chart: Chart) -> bool | None:
    """True: at the policy's site; False: elsewhere; None: nothing says where. The body site speaks before the reason."""
    for concepts in (list_of(resource.get("bodySite")), [{"text": text}]):
        said = [_place(rule, concept) for concept in concepts]
        if True in said or False in said:
            return True in said
    said = [_place(rule, concept) for concept in reason_concepts(resource, chart)]
    return True if True in said else False if False in said else None


def _place(rule: OrderRule, concept: Any) -> bool | None:
    keys = [key for key, _ in concept_keys(concept)]
    if any(rule.here.match(key) for key in keys):
        return True
    text = words(concept_text(concept))
    here, elsewhere = rule.here.match_words(text), any(phrase in text for phrase in rule.elsewhere_in_text)
    if here or elsewhere:
        return None if here and elsewhere else bool(here)
    if any(not rule.unspecific.match(key) for key in keys):
        return False
    return None
