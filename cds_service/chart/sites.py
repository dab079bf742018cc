"""Where a record points: the part of the body that it names, and what it was for.

A record that names another part of the body, or another reason, is not evidence of what a fact asks for; one that names
none may be.
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
from cds_service.fhir.free_text import NEXT_TEXT, FreeText, Said
from cds_service.policy.codes import CodeSet
from cds_service.policy.model import FactRule

NEVER_SO = ("entered-in-error", "refuted")
# The elements that say why.
_REASONS = ("reasonCode", "reasonReference", "addresses", "reason")
# Of a site or a reason that somebody typed, so much is shown.
LONGEST_NAME = 60


def why_elsewhere(rule: FactRule, match: Match, chart: Chart, *, wherever: bool = False) -> str | None:
    """Why a record does not count for what it names, in words ("": for a reason not worth a word); None where it may.

    ``wherever``: the site that the fact asks for is judged by the caller. The body site speaks before the words of the
    record, and these before its reasons.
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
    """Where the sites, or the reasons, of a record or of its element point: the ``concepts`` that say it, and whether
    ``all`` of them are in a set or ``one`` is."""

    concepts: Sequence[Any]
    all: bool
    one: bool


def _why_not_here(match: Match, elsewhere: CodeSet, chart: Chart) -> str | None:
    elements = _own_and_element(match)
    # Of a record with many elements its own sites and reasons are gone through once.
    sites = [chart.told(_sites, element, elsewhere, chart) for element in elements if "bodySite" in element]
    sites = [found for found in sites if found.concepts]
    if sites:
        # One that is not known to lie elsewhere may be the one that is meant.
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
    # No other element has these sites, so that what each of them says need not be kept.
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
    """The record, and that element of it which was found, where that is not the whole."""
    resource, element = match.record.resource, match.element
    return (resource,) if element is resource else (resource, element)


def _says_something(concept: Any, reasons: tuple[CodeSet, ...]) -> bool:
    """Whether a concept can be determined: it has words, or a code of a system of which the sets list families."""
    return bool(concept_text(concept)) or any(
        system in codes.family_systems for system, _ in readable_keys(concept) for codes in reasons
    )


def _lies_in(concept: Any, codes: CodeSet, chart: Chart) -> bool:
    """Whether a concept has a code of a set, or reports its words.

    In a system of which the set lists families its codes decide, and words beside them are not asked.
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
    """What the first two of the sites or reasons are called."""
    labels = dict.fromkeys(label for item in found for label in chart.told(_labels, item.concepts))
    return f" ({', '.join(list(labels)[:2])})" if labels else ""


def _labels(concepts: Sequence[Any]) -> tuple[str, ...]:
    labels = dict.fromkeys(label[:LONGEST_NAME] for concept in concepts if (label := concept_label(concept)))
    return tuple(labels)[:2]


def reasons_of(match: Match, chart: Chart) -> list[Any]:
    """The concepts that say why a record, or the element of it that was found, was made."""
    return [concept for element in _own_and_element(match) for concept in reason_concepts(element, chart)]


def _may_give_a_reason(element: Mapping[str, Any]) -> bool:
    """Whether a record or its element has an element that says why; most have none."""
    return not element.keys().isdisjoint(_REASONS)


def reason_concepts(resource: Mapping[str, Any], chart: Chart) -> list[Any]:
    """The concepts that say why: reasonCode, and the code of each Condition that reasonReference points at (of a
    CarePlan: addresses).

    A diagnosis that was refuted, or entered in error, is no reason. FHIR R5 has both in ``reason``.
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
            # What is referred to again says nothing new.
            if id(target) not in said and not _is_withdrawn(target):
                said.add(id(target))
                concepts.append(target.get("code"))
        elif isinstance(reference, dict) and reference.get("display"):
            concepts.append({"text": reference["display"]})
    return concepts


def _is_withdrawn(condition: Mapping[str, Any]) -> bool:
    """Whether a diagnosis was refuted or entered in error; what cannot be read does not say so."""
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
    """Whether a resource's body site (or its code's words) is in the site: True, False, or None if not said."""
    concepts = list(list_of(resource.get("bodySite")))
    if any(_concept_in(concept, site) for concept in concepts):
        return True
    if any(concept_keys(concept) or concept_text(concept) for concept in concepts):
        return _names(" ".join(concept_text(concept) for concept in concepts), site)
    return True if _names(concept_text(concept_of(resource, chart.references, resource)), site) else None


def _names(text: str, site: CodeSet) -> bool:
    """Whether a text names a site, in whatever manner: what is only planned there is planned there."""
    return bool(text) and FreeText(text).manner(site.phrases) not in (None, Said.DENIED)
