"""The body site that a record names, and the reason for it.

A record that names another body site, or another reason, is not evidence for a fact; a record that names none may be.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from cds_service.chart.chart import Chart
from cds_service.chart.concepts import read_concept
from cds_service.chart.records import Match
from cds_service.chart.references import concept_of
from cds_service.errors import UnreadableError
from cds_service.fhir.elements import (
    concept_keys,
    concept_label,
    concept_text,
    concept_texts,
    list_of,
    readable_keys,
    status_of,
)
from cds_service.fhir.free_text import NEXT_TEXT, FreeText
from cds_service.fhir.manners import Said
from cds_service.policy.codes import CodeSet
from cds_service.policy.model import FactRule

NEVER_SO = ("entered-in-error", "refuted")
# The elements that give a reason.
_REASONS = ("reasonCode", "reasonReference", "addresses", "reason")
# Show at most this many characters of a site or reason that somebody typed.
LONGEST_NAME = 60


def why_elsewhere(rule: FactRule, match: Match, chart: Chart, *, wherever: bool = False) -> str | None:
    """Why the body site or reason of a record excludes it ("" if not worth a word); None if it may count.

    ``wherever``: the caller checks the fact's site. The body site takes precedence over the words of the record, and
    the words over its reasons.
    """
    resource = match.record.resource
    asked = rule.site if not wherever else None
    if asked and (at_site := chart.told(points_at, resource, asked, chart)) is not True:
        return "" if at_site is None else "is of another body site"
    if rule.reason and not any(chart.told(_concept_in, concept, rule.reason) for concept in reasons_of(match, chart)):
        return ""
    if rule.elsewhere is not None and (why_not := _why_not_here(match, rule.elsewhere, chart)) is not None:
        return why_not
    return _why_not_for_this(match, rule.only_for, chart) if rule.only_for else None


class _Pointing(NamedTuple):
    """The ``concepts`` of the sites, or the reasons, of a record or its element, and whether ``all`` or ``one`` of them
    are in a set."""

    concepts: Sequence[Any]
    all: bool
    one: bool


def _why_not_here(match: Match, elsewhere: CodeSet, chart: Chart) -> str | None:
    elements = _own_and_element(match)
    # The sites and reasons of a record with many elements are checked once.
    sites = [chart.told(_sites, element, elsewhere, chart) for element in elements if "bodySite" in element]
    sites = [found for found in sites if found.concepts]
    if sites:
        # A site that is not known to be elsewhere may be the right one.
        return f"is of another body site{_named(sites, chart)}" if all(found.all for found in sites) else None
    for element in elements:
        own = concept_of(element, chart.references, match.record.resource)
        if chart.told(_lies_in, own, elsewhere, chart):
            return "is about another part of the body"
    reasoned = filter(_may_give_a_reason, elements)
    reasons = [found for item in reasoned if (found := chart.told(_reasons, item, (elsewhere,), chart)).concepts]
    if reasons and all(found.all for found in reasons):
        return f"is for another reason{_named(reasons, chart)}"
    return None


def _why_not_for_this(match: Match, reasons: tuple[CodeSet, ...], chart: Chart) -> str | None:
    elements = filter(_may_give_a_reason, _own_and_element(match))
    given = [found for element in elements if (found := chart.told(_told_reasons, element, reasons, chart)).concepts]
    return None if not given or any(found.one for found in given) else f"is for another reason{_named(given, chart)}"


def _sites(element: Mapping[str, Any], codes: CodeSet, chart: Chart) -> _Pointing:
    concepts = list_of(element.get("bodySite"))
    # No other element has these sites, so their results need not be kept.
    inside = [_lies_in(concept, codes, chart) for concept in concepts]
    return _Pointing(concepts, all(inside), any(inside))


def _reasons(element: Mapping[str, Any], code_sets: tuple[CodeSet, ...], chart: Chart) -> _Pointing:
    return _pointing(reason_concepts(element, chart), code_sets, chart)


def _told_reasons(element: Mapping[str, Any], code_sets: tuple[CodeSet, ...], chart: Chart) -> _Pointing:
    told = [item for item in reason_concepts(element, chart) if chart.told(_says_something, item, code_sets)]
    return _pointing(told, code_sets, chart)


def _pointing(concepts: list[Any], code_sets: tuple[CodeSet, ...], chart: Chart) -> _Pointing:
    inside = 0
    for concept in concepts:
        inside += any(chart.told(_lies_in, concept, codes, chart) for codes in code_sets)
    return _Pointing(concepts, inside == len(concepts), inside > 0)


def _own_and_element(match: Match) -> Sequence[Mapping[str, Any]]:
    """The record, and the element in it that was found, if that is not the whole record."""
    resource, element = match.record.resource, match.element
    return (resource,) if element is resource else (resource, element)


def _says_something(concept: Any, reasons: tuple[CodeSet, ...]) -> bool:
    """Whether a concept is specific: it has words, or a code in a system for which the sets list families."""
    return bool(concept_text(concept)) or any(
        system in codes.family_systems for system, _ in readable_keys(concept) for codes in reasons
    )


def _lies_in(concept: Any, codes: CodeSet, chart: Chart) -> bool:
    """Whether a concept has a code of a set, or reports its words.

    In a system for which the set lists families, the codes decide alone, without the words beside them.
    """
    said = read_concept(concept, chart.lexicon)
    keys = said.codes.keys if not said.codes.broken else readable_keys(concept)
    if codes.family_systems and (decided := [key for key in keys if key[0] in codes.family_systems]):
        return all(map(codes.match, decided))
    if any(map(codes.match, keys)):
        return True
    text = chart.texts.read(said.text)
    return codes.stands_in(text) and codes.match_words(text.plain)


def _named(found: Iterable[_Pointing], chart: Chart) -> str:
    """The names of the first two sites or reasons."""
    labels = dict.fromkeys(label for item in found for label in chart.told(_labels, item.concepts))
    return f" ({', '.join(list(labels)[:2])})" if labels else ""


def _labels(concepts: Sequence[Any]) -> tuple[str, ...]:
    labels = dict.fromkeys(label[:LONGEST_NAME] for concept in concepts if (label := concept_label(concept)))
    return tuple(labels)[:2]


def reasons_of(match: Match, chart: Chart) -> list[Any]:
    """The concepts that give the reason for a record, or for the element that was found."""
    return [concept for element in _own_and_element(match) for concept in reason_concepts(element, chart)]


def _may_give_a_reason(element: Mapping[str, Any]) -> bool:
    """Whether a record or its element has an element for reasons; most have none."""
    return not element.keys().isdisjoint(_REASONS)


def reason_concepts(resource: Mapping[str, Any], chart: Chart) -> list[Any]:
    """The concepts that give a reason: reasonCode, and the code of each Condition that reasonReference names (of a
    CarePlan: addresses).

    A refuted diagnosis, or one entered in error, is no reason. FHIR R5 has both elements in ``reason``.
    """
    if not _may_give_a_reason(resource):
        return []
    concepts = list(list_of(resource.get("reasonCode")))
    references = [*list_of(resource.get("reasonReference")), *list_of(resource.get("addresses"))]
    for later in list_of(resource.get("reason")) if "reason" in resource else ():
        if isinstance(later, dict):
            concepts += [later["concept"]] if "concept" in later else []
            references += [later["reference"]] if "reference" in later else []
    said = set()
    for reference in references:
        target = chart.references.resolve(reference, resource)
        if target is not None:
            # A repeated reference adds nothing.
            if id(target) not in said and not _is_withdrawn(target):
                said.add(id(target))
                concepts.append(target.get("code"))
        elif isinstance(reference, dict) and reference.get("display"):
            concepts.append({"text": reference["display"]})
    return concepts


def _is_withdrawn(condition: Mapping[str, Any]) -> bool:
    """Whether a diagnosis was refuted or entered in error; False if its status is unreadable."""
    try:
        return status_of(condition.get("verificationStatus")) in NEVER_SO
    except UnreadableError:
        return False


def _concept_in(concept: Any, codes: CodeSet) -> bool:
    keys = concept_keys(concept)
    if keys:
        return any(codes.match(key) for key, _ in keys)
    said = FreeText(NEXT_TEXT.join(concept_texts(concept))).manner(codes.phrases)
    return said in (Said.REPORTED, Said.PAST)


def points_at(resource: Mapping[str, Any], site: CodeSet, chart: Chart) -> bool | None:
    """Whether a resource's body site (or its code's words) is in the site: True, False, or None if not stated."""
    concepts = list(list_of(resource.get("bodySite")))
    if any(_concept_in(concept, site) for concept in concepts):
        return True
    if any(concept_keys(concept) or concept_text(concept) for concept in concepts):
        return _names(" ".join(concept_text(concept) for concept in concepts), site)
    return True if _names(concept_text(concept_of(resource, chart.references, resource)), site) else None


def _names(text: str, site: CodeSet) -> bool:
    """Whether a text names a site in any manner but denial: even a plan names the site of what is planned."""
    return bool(text) and FreeText(text).manner(site.phrases) not in (None, Said.DENIED)
