"""Recognising the order: which drafts ask for a policy's procedure, how surely, and which act each of them names."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from cds_service.chart import Chart, concept_of, inline_concept
from cds_service.elements import Json, Key, concept_text, list_of, readable_keys
from cds_service.policy import Act, OrderRule
from cds_service.standing import reason_concepts
from cds_service.terminology import is_not_reported, words

ORDER_TYPES = ("ServiceRequest", "DeviceRequest")
WITHDRAWN = ("entered-in-error", "revoked", "completed")


@dataclass(frozen=True, slots=True)
class Draft:
    """One recognised draft. ``coded`` are the ids of the acts whose own code it carries; ``covers`` those it orders.

    ``by_text``: known by its words alone; ``certain``: something says that this therapy is meant.
    """

    reference: str
    resource: Json
    act: Act
    by_text: bool
    certain: bool
    coded: frozenset[str]
    covers: frozenset[str]


@dataclass(frozen=True, slots=True)
class ProcedureOrder:
    """The drafts that make up one procedure, in the order sent.

    ``settled`` are the ids of the acts that need no further order: drafted (also by drafts that are not commented on),
    or asked not to be done; to request a device is not yet to order the act that implants it. ``coded`` are those that
    a draft carries the code of. ``certain`` is False where nothing says that this therapy is meant.
    """

    drafts: tuple[Draft, ...]
    settled: frozenset[str]
    coded: frozenset[str]
    certain: bool

    @property
    def references(self) -> str:
        """The references of the drafts, as one text."""
        return " ".join(draft.reference for draft in self.drafts)

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
    found: list[Draft] = []
    refused: set[str] = set()
    for reference, resource in drafts:
        draft = None if resource.get("status") in WITHDRAWN else _read(rule, reference, resource, chart)
        if draft is None:
            continue
        if resource.get("doNotPerform") is True:
            refused |= draft.covers
        else:
            found.append(draft)
    chosen = tuple(draft for draft in found if selected is None or _is_among(draft.reference, selected))
    if not chosen:
        return None
    return ProcedureOrder(
        drafts=chosen,
        settled=frozenset(refused.union(*(draft.covers for draft in found))),
        coded=frozenset().union(*(draft.coded for draft in found)),
        certain=any(draft.certain for draft in found),
    )


def may_concern(rule: OrderRule, resource: Json) -> bool:
    """Whether a draft has a code or words of the policy, or a reference that may; asked before the chart is read."""
    if resource.get("codeReference") is not None:
        return True
    said = _said(rule, inline_concept(resource))
    return bool(said.acts) or said.named


def _is_among(reference: str, selected: Collection[str]) -> bool:
    """Whether a draft is selected; a bare id, as some clients send, selects it too."""
    return reference in selected or reference.rpartition("/")[2] in selected


class _Said(NamedTuple):
    """What a draft's concept says: its codes, words, the acts its codes name, whether its words name the therapy."""

    keys: list[Key]
    text: str
    acts: list[Act]
    named: bool


def _said(rule: OrderRule, concept: Any) -> _Said:
    keys = readable_keys(concept)
    text = words(concept_text(concept))
    acts = [act for act in rule.acts if any(act.codes.match(key) for key in keys)]
    named = any(phrase in text and not is_not_reported(text, phrase) for phrase in rule.named_in_text)
    return _Said(keys, text, acts, named and not any(phrase in text for phrase in rule.not_the_procedure_in_text))


def _read(rule: OrderRule, reference: str, resource: Json, chart: Chart) -> Draft | None:
    said = _said(rule, concept_of(resource, chart, resource))
    if not said.acts and not said.named:
        return None
    pointing = True if said.named else _points_here(rule, resource, said.text, chart)
    if pointing is False:
        return None
    acts = said.acts or [_act_in_words(rule, said.text)]
    coded = frozenset(act.id for act in acts if (act.code.system, act.code.code) in said.keys)
    orders_acts = resource.get("resourceType") == "ServiceRequest"
    return Draft(
        reference=reference,
        resource=resource,
        act=acts[0],
        by_text=not said.acts,
        certain=pointing is True,
        coded=coded,
        covers=frozenset(act.id for act in acts) if orders_acts else coded,
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
    keys = readable_keys(concept)
    if any(rule.here.match(key) for key in keys):
        return True
    text = words(concept_text(concept))
    here, elsewhere = rule.here.match_words(text), any(phrase in text for phrase in rule.elsewhere_in_text)
    if here or elsewhere:
        return None if here and elsewhere else here
    if any(key[0] in rule.elsewhere_by_code and not rule.unspecific.match(key) for key in keys):
        return False
    return None
