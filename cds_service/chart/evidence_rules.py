"""Whether a resource with the right code counts as evidence: its status, whose it is, where it points, when it was."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from cds_service.chart.chart import Chart, Match, Record, concept_of
from cds_service.errors import UnreadableError
from cds_service.fhir.dates import day_before, days, is_future
from cds_service.fhir.elements import (
    concept_keys,
    concept_text,
    days_of,
    first_of,
    list_of,
    object_of,
    status_of,
    text_of,
)
from cds_service.fhir.terminology import speaks_of_another, speaks_of_the_past, words
from cds_service.fhir.types import TYPES
from cds_service.policy.codes import CodeSet
from cds_service.policy.model import FactRule

_PRESENT = TYPES["Condition"].statuses


def why_not_evidence(rule: FactRule, match: Match, chart: Chart, today: date) -> str | None:
    """Why a matching resource does not count ("": for a reason not worth a word), or None where it does."""
    resource = match.record.resource
    if match.record.type == "Condition":
        why_not = why_condition_does_not_count(resource, rule.state, chart, today)
        if why_not:
            return why_not
    else:
        status = resource.get("status")
        if status not in TYPES[match.record.type].statuses:
            return f"status is {status_word(status)}"
        if resource.get("doNotPerform") is True or resource.get("intent") in ("proposal", "plan"):
            return "is no order"
        if chart.told(is_of_another, concept_of(match.part, chart, resource)):
            return "does not speak of the patient's own history"
    if rule.site and chart.told(points_at, resource, rule.site, chart) is not True:
        return ""
    if rule.reason and not _has_reason(resource, rule.reason, chart):
        return ""
    return None


def is_of_another(concept: Any) -> bool:
    """Whether the words of a concept speak of a relative or a mere suspicion."""
    return speaks_of_another(concept_text(concept))


def is_of_the_past(concept: Any) -> bool:
    """Whether the words of a concept name it as over."""
    return speaks_of_the_past(concept_text(concept))


def why_condition_does_not_count(condition: Mapping[str, Any], state: str, chart: Chart, today: date) -> str | None:
    """Why a Condition does not count in the state asked for ("active" or "ever"), or None where it does."""
    verification = status_of(condition.get("verificationStatus"))
    if verification in ("entered-in-error", "refuted"):
        return f"is {verification.replace('-', ' ')}"
    if verification not in (None, "confirmed"):
        return f"is {status_word(verification)}, not confirmed"
    if state == "active":
        clinical = status_of(condition.get("clinicalStatus"))
        if clinical not in _PRESENT:
            return f"is {status_word(clinical)}"
        ended = first_of(condition, "abatementDateTime")
        if ended is not None and clinical is None and days_of(ended).first <= today:
            return f"ended {days_of(ended).text}"
    code = condition.get("code")
    if chart.told(is_of_another, code) or (state == "active" and chart.told(is_of_the_past, code)):
        return "does not speak of the patient's present state"
    recorded = condition.get("recordedDate")
    if recorded is not None and is_future(text_of(recorded), today):
        return "is dated in the future"
    return None


def is_confirmed_and_active(condition: Mapping[str, Any]) -> bool:
    """Whether a Condition says of itself that it is confirmed and active; silence on either is not enough."""
    clinical = status_of(condition.get("clinicalStatus"))
    is_confirmed = status_of(condition.get("verificationStatus")) == "confirmed"
    return is_confirmed and clinical is not None and clinical in _PRESENT


def _has_reason(resource: Mapping[str, Any], reasons: CodeSet, chart: Chart) -> bool:
    return any(chart.told(_concept_in, concept, reasons) for concept in reason_concepts(resource, chart))


def reason_concepts(resource: Mapping[str, Any], chart: Chart) -> list[Any]:
    """The concepts that say why: reasonCode, and the code of each Condition that reasonReference points at.

    A diagnosis that was refuted, or entered in error, is no reason. FHIR R5 has both in ``reason``.
    """
    concepts = list(list_of(resource.get("reasonCode")))
    references = list(list_of(resource.get("reasonReference")))
    for later in list_of(resource.get("reason")) if "reason" in resource else ():
        if isinstance(later, dict):
            concepts += [later["concept"]] if "concept" in later else []
            references += [later["reference"]] if "reference" in later else []
    said = set()
    for reference in references:
        target = chart.resolve(reference, resource)
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
        return status_of(condition.get("verificationStatus")) in ("refuted", "entered-in-error")
    except UnreadableError:
        return False


def _concept_in(concept: Any, codes: CodeSet) -> bool:
    keys = concept_keys(concept)
    if keys:
        return any(codes.match(key) for key, _ in keys)
    text = concept_text(concept)
    return bool(text) and not speaks_of_another(text) and codes.match_words(words(text))


def points_at(resource: Mapping[str, Any], site: CodeSet, chart: Chart) -> bool | None:
    """Whether a resource's body site (or its code's words) lies in the site: True, False, or None if not said."""
    concepts = list(list_of(resource.get("bodySite")))
    if any(_concept_in(concept, site) for concept in concepts):
        return True
    if any(concept_keys(concept) or concept_text(concept) for concept in concepts):
        return site.match_words(words(" ".join(concept_text(concept) for concept in concepts)))
    text = words(concept_text(concept_of(resource, chart, resource)))
    return True if site.match_words(text) else None


def too_old_or_future(look_back_days: int | None, written: str, today: date) -> str | None:
    """Why a date as written does not count (in the future; beyond the look-back; too coarse to tell), or None."""
    when = days(written)
    if is_future(written, today):
        return f"{when.text} lies in the future"
    if look_back_days is not None:
        oldest = day_before(today, look_back_days)
        if when.last < oldest:
            return f"{when.text} is more than {look_back_days} days ago"
        if when.first < oldest:
            return f"{when.text} may be more than {look_back_days} days ago"
    return None


def when_of(record: Record, today: date) -> str | None:
    """The date, as written, to show for a record, by its type; None where it has none that is a date.

    A period counts by its end, or by its start while it lasts.
    """
    resource, row = record.resource, TYPES[record.type]
    period = resource.get(row.period) if row.period else None
    if period is not None:
        bounds = [bound for bound in (object_of(period).get("end"), period.get("start")) if bound is not None]
        past = [bound for bound in bounds if not is_future(text_of(bound), today)]
        if bounds:
            return text_of((past or bounds)[0])
    written = first_of(resource, *row.dates, *row.recorded)
    if written is not None:
        days_of(written)
        return text_of(written)
    described = resource.get(row.date_in_words) if row.date_in_words else None
    try:
        days_of(described)
    except UnreadableError:
        return None
    return text_of(described)


def status_word(status: Any) -> str:
    """A status as it may be repeated to a reader: the code itself where it looks like one."""
    return (
        status if isinstance(status, str) and len(status) < 30 and status.replace("-", "").isalpha() else "unreadable"
    )
