"""Whether a resource with the right code counts as evidence: its status, its patient, its body site, and its date."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from cds_service.chart.chart import Chart
from cds_service.chart.records import Match, Record
from cds_service.chart.sites import NEVER_SO, reasons_of, why_elsewhere
from cds_service.errors import UnreadableError
from cds_service.fhir.dates import day_before, days, is_future
from cds_service.fhir.elements import (
    days_of,
    first_of,
    list_of,
    object_of,
    status_of,
    text_of,
)
from cds_service.fhir.free_text import FreeText
from cds_service.fhir.manners import Said
from cds_service.fhir.types import TYPES, Ordered, ResourceType
from cds_service.policy.codes import CodeSet
from cds_service.policy.model import FactRule

_PRESENT = TYPES["Condition"].statuses
# The diagnosis of a visit was true then; a year later it does not prove that it still is.
DAYS_OF_A_VISIT = 365
# Treatment that ended within this time may still bear on a procedure, so the card shows it for confirmation.
DAYS_OF_RECENT_TREATMENT = 90
ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"
_ABATEMENTS = ("abatementDateTime", "abatementPeriod", "abatementAge", "abatementRange", "abatementString")
_ONGOING = "in progress"
_NO_REASON = "reason not recorded"
_NOT_DONE = {"not-taken": "was not taken", "not-done": "was not done", "preparation": "is planned"}
_WHY = {
    Said.SUSPECTED: "is only suspected",
    Said.RELATIVE: "is about a relative",
    Said.DENIED: "is reported as absent",
    Said.PAST: "is reported as past",
}


class Judgment(NamedTuple):
    """Whether a record counts.

    ``why_not`` says why it does not count ("" if the reason is not worth a word); None if it counts. ``remark`` is what
    a reader must know about a record that counts.
    """

    why_not: str | None
    remark: str = ""


COUNTS = Judgment(None)
_COUNTS_SO_FAR = Judgment(None, _ONGOING)


def judge(
    rule: FactRule,
    match: Match,
    chart: Chart,
    today: date,
    *,
    wherever: bool = False,
    found_by: CodeSet | None = None,
) -> Judgment:
    """Whether a record that has a fact's code or words is this patient's, at the site, and (state "active") current.

    Every record passes through this function, however it was found; ``wherever``: skip the check of its site.
    ``found_by`` is the code set that found the record, if that is not the fact's ``codes``. Raises UnreadableError if
    the record may or may not count.
    """
    codes = found_by or rule.codes
    resource, row = match.record.resource, TYPES[match.record.type]
    refuse_modified(resource)
    if match.record.type == "Condition":
        judged = Judgment(_why_condition_does_not_count(rule.state, codes, match, chart, today))
    else:
        judged = _judge_by_status(resource, row, rule.state, today)
        said = manner_of(match, chart, codes)
        if judged.why_not is None and said not in (Said.REPORTED, Said.PAST, Said.MENTIONED):
            judged = Judgment(_WHY[said])
    if judged.why_not is not None:
        return judged
    why_not = why_elsewhere(rule, match, chart, wherever=wherever)
    if why_not is not None:
        return Judgment(why_not)
    if row.only_shown and row.reasons and not reasons_of(match, chart):
        return Judgment(None, f"{judged.remark}, {_NO_REASON}" if judged.remark else _NO_REASON)
    return judged


@dataclass(slots=True)
class DatedJudgment:
    """``Judgment`` of a record within a fact's look-back; ``when`` is the record's date as written, if it has one.

    ``may_count``: it does not count because its partial date may be outside the look-back, or within it.
    """

    why_not: str | None
    remark: str
    when: str | None
    may_count: bool = False


def judge_in_time(
    rule: FactRule,
    match: Match,
    chart: Chart,
    today: date,
    *,
    undated_counts: bool = False,
    found_by: CodeSet | None = None,
) -> DatedJudgment:
    """``judge``, and whether the record is within the look-back of the fact, if the fact has one.

    Raises UnreadableError if either cannot be determined.
    """
    judged = judge(rule, match, chart, today, found_by=found_by)
    why_not, remark = judged.why_not, judged.remark
    when = when_of(match.record, today)
    if why_not is not None:
        return DatedJudgment(why_not, remark, when)
    if when is None:
        beyond = rule.look_back_days is not None and not undated_counts
        return DatedJudgment("has no date" if beyond else None, remark, when)
    if why_not := too_old_or_future(rule.look_back_days, when, today):
        return DatedJudgment(why_not, remark, when)
    why_not = may_be_too_old(rule.look_back_days, when, today)
    return DatedJudgment(why_not, remark, when, why_not is not None)


def refuse_modified(resource: Mapping[str, Any]) -> None:
    """Raises UnreadableError for a resource that says that its elements may not mean what they say (FHIR R4, 2.4.0.1
    "Modifier Extensions", and Resource.implicitRules): the service knows no such extension and no such rules."""
    if resource.get("modifierExtension"):
        raise UnreadableError("carries a modifierExtension, which may change what it means")
    if resource.get("implicitRules"):
        raise UnreadableError("follows implicitRules, which may change what it means")


def manner_of(match: Match, chart: Chart, codes: CodeSet | None) -> Said:
    """The manner in which the words of a record assert the fact's finding."""
    if match.code is None:
        return match.said
    text = chart.texts.read(match.words)
    return chart.told(_manner_beside_code, text, codes) if text.is_doubtful else Said.REPORTED


def _manner_beside_code(text: FreeText, codes: CodeSet | None) -> Said:
    said = codes.manner_anywhere(text) if codes else None
    return text.manner_of_code() if said is None else said


def _judge_by_status(resource: Mapping[str, Any], row: ResourceType, state: str, today: date) -> Judgment:
    status = resource.get("status")
    if status not in row.statuses:
        return Judgment(_NOT_DONE.get(status_word(status), f"status is {status_word(status)}"))
    if resource.get("doNotPerform") is True:
        return Judgment("is an order not to do it")
    intent = resource.get("intent")
    # A drug's "plan" is what the patient reports to take (US Core), and a care plan is always a plan.
    if intent == "proposal" or (intent == "plan" and row.orders in (Ordered.ACT, Ordered.DEVICE)):
        return Judgment(f"is a {intent}, not an order")
    if state == "active" and row.of_drugs:
        return _present_treatment(resource, row, today)
    return _COUNTS_SO_FAR if status == "in-progress" else COUNTS


def _present_treatment(resource: Mapping[str, Any], row: ResourceType, today: date) -> Judgment:
    """Whether the patient takes a drug now; a treatment that ended recently counts, for confirmation."""
    bounds = object_of(resource[row.period]) if row.period and resource.get(row.period) is not None else {}
    end = bounds.get("end")
    if end is None and resource.get("status") not in ("completed", "stopped"):
        return COUNTS
    written = end if end is not None else first_of(resource, *row.dates, *row.recorded, "authoredOn")
    if written is None:
        return Judgment("has ended on an unknown date")
    last = days_of(written)
    if end is not None and last.last >= today and resource.get("status") not in ("completed", "stopped"):
        return COUNTS
    if last.last < day_before(today, DAYS_OF_RECENT_TREATMENT):
        return Judgment(f"ended, last of {last.text}")
    return Judgment(None, f"ended, last of {last.text}: to confirm")


def _why_condition_does_not_count(
    state: str, codes: CodeSet | None, match: Match, chart: Chart, today: date
) -> str | None:
    """Why a Condition does not count in the requested state ("active" or "ever"), or None if it counts.

    Raises UnreadableError if the Condition contradicts itself (FHIR R4, con-4: what has abated is not active), if its
    date is in the future, or if its end may be before or after today.
    """
    condition = match.record.resource
    verification = status_of(condition.get("verificationStatus"))
    if verification in NEVER_SO:
        return f"is {verification.replace('-', ' ')}"
    if verification not in (None, "confirmed"):
        return f"is {status_word(verification)}, not confirmed"
    said = manner_of(match, chart, codes)
    if said not in (Said.REPORTED, Said.PAST, Said.MENTIONED):
        return _WHY[said]
    if state == "active":
        why_not = _why_not_active(condition, today)
        if why_not is not None:
            return why_not
        if said is Said.PAST:
            return _WHY[said]
    for written in (condition.get("recordedDate"), condition.get("onsetDateTime") if state == "active" else None):
        if written is not None and is_future(text_of(written), today):
            # The entry is on the list, so the date is wrong, not the entry.
            raise UnreadableError(f"is dated in the future ({days_of(written).text})")
    return None


def _why_not_active(condition: Mapping[str, Any], today: date) -> str | None:
    clinical = status_of(condition.get("clinicalStatus"))
    if clinical not in _PRESENT:
        return f"is {status_word(clinical)}"
    ended = _ended(condition, today)
    if ended is not None and clinical is not None:
        raise UnreadableError(f"is {status_word(clinical)}, and {ended}")
    if ended is not None:
        return ended
    if clinical is None and _is_of_a_visit(condition):
        return _why_visit_is_past(condition, today)
    return None


def _ended(condition: Mapping[str, Any], today: date) -> str | None:
    """A phrase that says that a Condition has abated; None if it has not. Raises UnreadableError if it may have."""
    name = next((name for name in _ABATEMENTS if condition.get(name) is not None), None)
    if name is None:
        # The element of DSTU2 and STU3.
        return "has ended" if condition.get("abatementBoolean") is True else None
    if name not in ("abatementDateTime", "abatementPeriod"):
        return "has ended"
    written = condition[name]
    if name == "abatementPeriod":
        written = first_of(object_of(written), "start", "end")
        if written is None:
            return "has ended"
    when = days_of(written)
    if is_future(text_of(written), today):
        return None
    if when.last > today:
        raise UnreadableError(f"may have ended ({when.text})")
    return f"ended {when.text}"


def _is_of_a_visit(condition: Mapping[str, Any]) -> bool:
    """Whether a Condition is an encounter diagnosis and not an entry of the problem list (US Core)."""
    categories = {status_of(category) for category in list_of(condition.get("category"))}
    return "encounter-diagnosis" in categories and categories.isdisjoint(("problem-list-item", "health-concern"))


def _why_visit_is_past(condition: Mapping[str, Any], today: date) -> str | None:
    asserted = next(
        (
            extension.get("valueDateTime")
            for extension in list_of(condition.get("extension"))
            if isinstance(extension, dict) and extension.get("url") == ASSERTED
        ),
        None,
    )
    written = first_of(condition, "recordedDate") or asserted or first_of(condition, "onsetDateTime")
    if written is None:
        raise UnreadableError("is the diagnosis of a visit without a date")
    when = days_of(written)
    if when.last < day_before(today, DAYS_OF_A_VISIT):
        return f"is the diagnosis of a visit, {when.text}"
    if when.first < day_before(today, DAYS_OF_A_VISIT):
        raise UnreadableError(f"is the diagnosis of a visit that may be more than a year old ({when.text})")
    return None


def too_old_or_future(look_back_days: int | None, written: str, today: date) -> str | None:
    """Why a date as written does not count (future, or outside the look-back); None if it counts or may count."""
    when = days(written)
    if when.first > today and is_future(written, today):
        return f"{when.text} lies in the future"
    if look_back_days is not None and when.last < day_before(today, look_back_days):
        return f"{when.text} is more than {look_back_days} days ago"
    return None


def may_be_too_old(look_back_days: int | None, written: str, today: date) -> str | None:
    """A phrase that says that a partial date may be outside the look-back; None if the look-back settles it."""
    when = days(written)
    # A full date is on one side or the other.
    if look_back_days is None or when.first == when.last:
        return None
    if not when.first < day_before(today, look_back_days) <= when.last:
        return None
    return f"{when.text} may be more than {look_back_days} days ago"


def when_of(record: Record, today: date) -> str | None:
    """The date, as written, to show for a record, by its type; None if it has no valid date.

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
    """A status as a reader may see it: the code itself if it looks like a code, otherwise "unreadable"."""
    return (
        status if isinstance(status, str) and len(status) < 30 and status.replace("-", "").isalpha() else "unreadable"
    )
