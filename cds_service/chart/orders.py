"""Recognizes the order: which drafts request a rule set's procedure, how certain that is, and which act each draft
names."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from cds_service.chart.chart import Chart
from cds_service.chart.parts import parts_named
from cds_service.chart.references import concept_of
from cds_service.chart.sites import reason_concepts
from cds_service.errors import UnreadableError
from cds_service.fhir.concepts import billing_options, inline_concept
from cds_service.fhir.elements import Json, Key, concept_keys, concept_text, list_of, readable_keys
from cds_service.fhir.free_text import reports_any, words
from cds_service.fhir.types import ORDERS, WITHDRAWN, Ordered
from cds_service.policy.codes import CodeSet
from cds_service.policy.editions import date_of_service
from cds_service.policy.model import Act, OrderRule, Pathway, Scope


@dataclass(frozen=True, slots=True)
class Draft:
    """One recognized draft. ``coded`` are the ids of the acts whose code it has; ``covers`` are the ids of the acts
    that it orders.

    ``by_text``: recognized only by its words; ``at_site``: known to be at the site of the rule set; ``certain``:
    something says that it means this therapy; ``pathway``: the other pathway that the draft takes, if any.
    """

    reference: str
    resource: Json
    act: Act
    by_text: bool
    certain: bool
    coded: frozenset[str]
    covers: frozenset[str]
    at_site: bool = True
    pathway: Pathway | None = None

    @property
    def orders_an_act(self) -> bool:
        """Whether the draft orders an act itself, not only a device for one."""
        return orders_an_act(self.resource)


@dataclass(frozen=True, slots=True)
class ProcedureOrder:
    """The drafts that make up one procedure, in the order sent.

    ``settled`` are the ids of the acts that need no further order because a draft (commented on or not) orders them or
    asks not to do them; a device request alone does not order the act that implants the device. ``coded`` are the acts
    whose code a draft has. ``certain`` is False if nothing says that the order means this therapy, ``at_site`` if not
    even the site is known. ``parts`` are the parts of the scope that the drafts name; ``pathway`` is the other pathway
    that all drafts take, if they do; ``others`` are further orders of the call, for information only, without "do not
    perform" orders.
    """

    drafts: tuple[Draft, ...]
    settled: frozenset[str]
    coded: frozenset[str]
    certain: bool
    parts: tuple[str, ...] = ()
    pathway: Pathway | None = None
    others: tuple[tuple[str, Json], ...] = ()
    today: date = date.min
    at_site: bool = True

    @property
    def references(self) -> str:
        """The references of the drafts, as one text."""
        return " ".join(draft.reference for draft in self.drafts)

    @property
    def by_text(self) -> bool:
        """Whether only words identify the procedure."""
        return all(draft.by_text for draft in self.drafts)

    def is_readable(self, chart: Chart) -> bool:
        """Whether the codes of all drafts are readable."""
        try:
            for _, resource in (*((draft.reference, draft.resource) for draft in self.drafts), *self.others):
                chart.told(concept_keys, concept_of(resource, chart.references, resource))
        except UnreadableError:
            return False
        return True

    def carriers(self, codes: CodeSet, chart: Chart) -> Iterator[tuple[str, str]]:
        """(reference, words) of each draft that has a code of the set, valid on its date of service, or words of the
        set."""
        for reference, resource in (*((draft.reference, draft.resource) for draft in self.drafts), *self.others):
            concept = concept_of(resource, chart.references, resource)
            carried = chart.told(_carried, concept, codes, date_of_service([resource], self.today))
            if carried is not None:
                yield reference, carried

    def reasons(self, codes: CodeSet, chart: Chart) -> Iterator[tuple[str, str]]:
        """(reference, words) of each draft of the procedure that gives a reason in the set, by code or words."""
        for draft in self.drafts:
            for concept in reason_concepts(draft.resource, chart):
                if chart.told(_is_of, concept, codes):
                    row = next((row for key in readable_keys(concept) if (row := codes.match(key))), None)
                    yield draft.reference, row.label if row is not None else concept_text(concept)


def _carried(concept: Any, codes: CodeSet, on: date) -> str | None:
    """The label of the set's code that a concept has, or else the concept's words if the set matches them; None for
    neither."""
    row = next((row for key in readable_keys(concept) if (row := codes.match_on(key, on))), None)
    if row is not None:
        return row.label
    text = concept_text(concept)
    return text if codes.match_words(text) else None


def may_order(resource: Json) -> bool:
    """Whether a draft's type can order a procedure: an act, or a device for one."""
    return ORDERS.get(resource["resourceType"]) in (Ordered.ACT, Ordered.DEVICE)


def orders_an_act(resource: Json) -> bool:
    """Whether a draft orders an act itself, not only a device for one."""
    return ORDERS.get(resource["resourceType"]) is Ordered.ACT


def recognize(
    rule: OrderRule,
    drafts: Iterable[tuple[str, Json]],
    chart: Chart,
    selected: Collection[str] | None,
    today: date,
    scope: Scope | None = None,
) -> ProcedureOrder | None:
    """The procedure that the drafts request, or None if they do not concern this rule set.

    ``drafts`` are (reference, resource) pairs; ``selected`` has the references to comment on (None: all of them), the
    other drafts only inform. Codes have their meaning on the date of service, or on ``today`` if an order names none.
    """
    found: list[Draft] = []
    elsewhere: list[Draft] = []
    asked_for: list[tuple[str, Json]] = []
    refused: set[str] = set()
    for reference, resource in drafts:
        if resource.get("status") in WITHDRAWN:
            continue
        on = date_of_service([resource], today)
        said = chart.told(_said, concept_of(resource, chart.references, resource), rule, on)
        draft = _read(rule, reference, resource, said, chart)
        if resource.get("doNotPerform") is True:
            # "Do not perform" is not an order; on another pathway it says nothing about the acts.
            refused |= draft.covers if draft is not None and draft.pathway is None else frozenset()
            continue
        asked_for.append((reference, resource))
        if draft is not None:
            (found if draft.pathway is None else elsewhere).append(draft)
    chosen = tuple(draft for draft in found if selected is None or _is_among(draft.reference, selected))
    away = tuple(draft for draft in elsewhere if selected is None or _is_among(draft.reference, selected))
    drafted = chosen or away
    if not drafted:
        return None
    ways = [draft.pathway for draft in away if draft.pathway is not None]
    pathway = None if chosen else min(ways, key=rule.pathways.index)
    commented = {id(draft.resource) for draft in drafted}
    return ProcedureOrder(
        drafts=drafted,
        settled=frozenset(refused.union(*(draft.covers for draft in (*found, *elsewhere)))),
        coded=frozenset().union(*(draft.coded for draft in found)),
        certain=pathway is not None or any(draft.certain for draft in found),
        parts=_parts(scope, drafted, chart) if scope else (),
        pathway=pathway,
        others=tuple(pair for pair in asked_for if id(pair[1]) not in commented),
        today=today,
        at_site=any(draft.at_site for draft in found),
    )


def _parts(scope: Scope, drafts: Iterable[Draft], chart: Chart) -> tuple[str, ...]:
    """The parts that the drafts name; none if an ordered act names no part, because that act may mean any part."""
    said = [(draft, parts_named(scope, draft.resource, chart)) for draft in drafts]
    if any(not named for draft, named in said if draft.orders_an_act):
        return ()
    all_named = {name for _, named in said for name in named}
    return tuple(part.id for part in scope.parts if part.id in all_named)


def may_concern(rule: OrderRule, resource: Json, today: date) -> bool:
    """Whether a draft has a code or words of the rule set, or a reference that may have; called before the chart is
    read."""
    if resource.get("codeReference") is not None:
        return True
    said = _said(inline_concept(resource), rule, date_of_service([resource], today))
    return said.is_something


def _is_among(reference: str, selected: Collection[str]) -> bool:
    """Whether a draft is selected, also by a bare id, as some clients send it."""
    return reference in selected or reference.rpartition("/")[2] in selected


class _Said(NamedTuple):
    """The content of a draft's concept: its codes, its words, the acts that its codes name, whether its words name the
    therapy, and the pathway that it names."""

    keys: list[Key]
    text: str
    acts: list[Act]
    named: bool
    pathway: Pathway | None

    @property
    def is_something(self) -> bool:
        """Whether any of this content concerns the rule set."""
        return bool(self.acts) or self.named or self.pathway is not None


def _said(concept: Any, rule: OrderRule, on: date) -> _Said:
    concepts = (concept, *billing_options(concept))
    keys = [key for one in concepts for key in readable_keys(one)]
    text = words(" ".join(map(concept_text, concepts)))
    acts = [act for act in rule.acts if any(act.codes.match_on(key, on) for key in keys)]
    named = reports_any(text, rule.named_in_text)
    apart = any(map(text.__contains__, rule.not_the_procedure_in_text))
    pathway = None
    if rule.pathways and not acts:
        pathway = next((row for row in rule.pathways if _goes(row, keys, text, apart, on)), None)
    return _Said(keys, text, acts, named and not apart, pathway)


def _goes(row: Pathway, keys: list[Key], text: str, apart: bool, on: date) -> bool:
    """Whether codes or words alone put an order on a pathway."""
    if row.codes is not None and any(row.codes.match_on(key, on) for key in keys):
        return True
    return not apart and reports_any(text, row.phrases)


def _is_sent(row: Pathway, text: str, reasons: list[Any], chart: Chart) -> bool:
    """Whether words or reasons move an order of the rule set to another pathway."""
    if row.reasons is not None and any(chart.told(_is_of, reason, row.reasons) for reason in reasons):
        return True
    return reports_any(text, row.routing) and not reports_any(text, row.keeps)


def _read(rule: OrderRule, reference: str, resource: Json, said: _Said, chart: Chart) -> Draft | None:
    if not said.is_something:
        return None
    details = words(" ".join(concept_text(detail) for detail in list_of(resource.get("orderDetail"))))
    text = f"{said.text.rstrip()}{details}"
    named = said.named or reports_any(details, rule.named_in_text)
    reasons = reason_concepts(resource, chart) if rule.known_by or any(row.reasons for row in rule.pathways) else []
    sent = (row for row in rule.pathways if row is said.pathway or _is_sent(row, text, reasons, chart))
    pathway = next(sent, None)
    plain = not rule.names_site or any(act.names_site for act in said.acts)
    known = plain or named or (pathway is not None and (pathway.names_site or reports_any(text, pathway.phrases)))
    pointing = True if known else _points_here(rule, resource, text, chart)
    # Certainty does not matter on another pathway: if the site is not known to match, the order concerns no rule set.
    if pointing is False or (pathway is not None and pointing is None):
        return None
    acts = said.acts or ([] if said.pathway else [_act_in_words(rule, said.text)])
    coded = frozenset(act.id for act in acts if (act.code.system, act.code.code) in said.keys)
    return Draft(
        reference=reference,
        resource=resource,
        act=acts[0] if acts else rule.acts[0],
        by_text=not said.acts,
        certain=pathway is not None
        or (pointing is True and (named or _is_meant(rule, resource, said.keys, text, reasons, chart))),
        coded=coded,
        covers=frozenset(act.id for act in acts) if orders_an_act(resource) else coded,
        at_site=pointing is True,
        pathway=pathway,
    )


def _is_meant(rule: OrderRule, resource: Json, keys: list[Key], text: str, reasons: list[Any], chart: Chart) -> bool:
    """Whether an order at the site means this therapy: if other therapies share its code, something else must say
    so."""
    meant = rule.known_by
    if meant is None or any(meant.match(key) for key in keys) or meant.match_words(text):
        return True
    concepts = (*list_of(resource.get("bodySite")), *reasons)
    return any(chart.told(_is_of, concept, meant) for concept in concepts)


def _is_of(concept: Any, codes: CodeSet) -> bool:
    """Whether a concept has a code of a set, or reports its words beside any code."""
    return any(codes.match(key) for key in readable_keys(concept)) or codes.match_words(words(concept_text(concept)))


def _act_in_words(rule: OrderRule, text: str) -> Act:
    return next((act for act in rule.acts if any(map(text.__contains__, act.phrases))), rule.acts[0])


def _points_here(rule: OrderRule, resource: Json, text: str, chart: Chart) -> bool | None:
    """True: at the site of the rule set; False: elsewhere; None: not stated. The body site takes precedence over the
    reason."""
    for concepts in (list_of(resource.get("bodySite")), [{"text": text}]):
        said = [_place(concept, rule) for concept in concepts]
        if True in said or False in said:
            return True in said
    said = [chart.told(_place, concept, rule) for concept in reason_concepts(resource, chart)]
    return True if True in said else False if False in said else None


def _place(concept: Any, rule: OrderRule) -> bool | None:
    keys = readable_keys(concept)
    if any(rule.here.match(key) for key in keys):
        return True
    text = words(concept_text(concept))
    here, elsewhere = rule.here.match_words(text), any(map(text.__contains__, rule.elsewhere_in_text))
    if here or elsewhere:
        return None if here and elsewhere else here
    if any(key[0] in rule.elsewhere_by_code and not rule.unspecific.match(key) for key in keys):
        return False
    return None
