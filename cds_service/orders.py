"""Recognising the order: which drafts ask for a policy's procedure, how surely, and which act each of them names."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from cds_service.chart import Chart, concept_of
from cds_service.elements import Json, Key, concept_keys, concept_text, list_of
from cds_service.errors import UnreadableError
from cds_service.policy import Act, OrderRule
from cds_service.standing import reason_concepts
from cds_service.terminology import words

ORDER_TYPES = ("ServiceRequest", "DeviceRequest")
_NO_CHART = Chart("")
WITHDRAWN = ("entered-in-error", "revoked", "completed")


@dataclass(frozen=True, slots=True)
class Draft:
    """One recognised draft. ``coded``: it carries the act's own code; ``by_text``: known by its words alone.

    ``covers`` are the ids of all acts that it names by code, or the one that its words name.
    """

    reference: str
    resource: Json
    act: Act
    coded: bool
    by_text: bool
    certain: bool
    covers: frozenset[str]


@dataclass(frozen=True, slots=True)
class ProcedureOrder:
    """The drafts that make up one procedure, in the order sent.

    ``drafted`` are the ids of all acts already ordered, also by drafts that are not commented on; to request a device
    is not yet to order the act that implants it;
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
    drafted = frozenset(act for draft in found for act in draft.covers)
    return ProcedureOrder(chosen, drafted, any(draft.certain for draft in found))


def may_concern(rule: OrderRule, resource: Json) -> bool:
    """Whether a draft has a code or words of the policy, or a reference that may; asked before the chart is read."""
    if resource.get("codeReference") is not None:
        return True
    try:
        said = _said(rule, concept_of(resource, _NO_CHART, resource))
    except UnreadableError:
        return False
    return bool(said.acts) or said.named


class _Said(NamedTuple):
    """What a draft's concept says: its codes, words, the acts its codes name, whether its words name the therapy."""

    keys: list[Key]
    text: str
    acts: list[Act]
    named: bool


def _said(rule: OrderRule, concept: Any) -> _Said:
    keys = [key for key, _ in concept_keys(concept)]
    text = words(concept_text(concept))
    acts = [act for act in rule.acts if any(act.codes.match(key) for key in keys)]
    return _Said(keys, text, acts, any(phrase in text for phrase in rule.named_in_text))


def _read(rule: OrderRule, reference: str, resource: Json, chart: Chart) -> Draft | None:
    if resource.get("doNotPerform") is True or resource.get("status") in WITHDRAWN:
        return None
    try:
        keys, text, by_code, named = _said(rule, concept_of(resource, chart, resource))
        if not by_code and not named:
            return None
        pointing = True if named else _points_here(rule, resource, text, chart)
    except UnreadableError:
        return None
    if pointing is False:
        return None
    acts = by_code or [_act_in_words(rule, text)]
    coded = {act.id for act in acts if (act.code.system, act.code.code) in keys}
    covers = {act.id for act in acts} if resource.get("resourceType") == "ServiceRequest" else coded
    return Draft(
        reference=reference,
        resource=resource,
        act=acts[0],
        coded=acts[0].id in coded,
        by_text=not by_code,
        certain=pointing is True,
        covers=frozenset(covers),
    )


def _act_in_words(rule: OrderRule, text: str) -> Act:
    return next((act for act in rule.acts if any(phrase in text for phrase in act.phrases)), rule.acts[0])


def _points_here(rule: OrderRule, resource: Json, text: str, chart: Chart) -> bool | None:
    """True: at the policy's site; False: elsewhere; None: not said. The body site speaks before the reason."""
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
        return None if here and elsewhere else here
    if any(not rule.unspecific.match(key) for key in keys):
        return False
    return None
