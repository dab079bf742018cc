"""Attested answers: which count, who gave them, and what each may be."""

import re
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from tests.second_reading.codes import SNOMED, UnreadableError, bare, codings
from tests.second_reading.numbers import ANY, Value, quantity, scaled, spell
from tests.second_reading.page import ROLES, YES_OR_NO, Json
from tests.second_reading.records import Chart, Days, days, future, listed, one_of


class Evidence(NamedTuple):
    """A record or an answer by which a fact is known: its date, and of an answer its author and item."""

    reference: str
    date: str | None
    attester: str = ""
    answer: "Answer | None" = None


class Reading(NamedTuple):
    """What one source says, on which days; ``doubt``: it may be too old."""

    when: Days
    values: tuple[Value, ...]
    evidence: Evidence
    doubt: bool = False


class Event(NamedTuple):
    """Something that happened: when, what is known of it, and whether it is certain."""

    when: Days
    known: dict[str, "Fact"]
    certain: bool


class Fact(NamedTuple):
    """What a fact may be, by what, whether more may be on record, and whether it is open only because what was found is
    known by words beside a code that is not listed."""

    rule: Json
    values: tuple[Value, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    open: bool = False
    events: tuple[Event, ...] = ()
    only_by_words: bool = False


class Answer(NamedTuple):
    """An item of a response that counts."""

    response: Json
    link: str
    item: Json

    @property
    def instant(self) -> datetime | None:
        authored = self.response["authored"]
        moment = datetime.fromisoformat(authored) if len(authored) > 10 else None
        return moment if moment and moment.tzinfo else None

    @property
    def answers(self) -> list[Any]:
        return listed(self.item.get("answer"))

    @property
    def withdrawn(self) -> bool:
        values = any(name.startswith("value") for one in self.answers if isinstance(one, dict) for name in one)
        own = [self.item.get("extension"), self.item.get("answer")]
        return not values and "data-absent-reason" in str(own)


class Here(NamedTuple):
    """One patient, as it is read for the whole or for a part of the scope."""

    chart: Chart
    given: dict[str, list[Answer]]
    groups: list[Answer]
    unread: list[set[str]]
    attested_by: dict[str, set[str]]
    criteria: dict[str, list[str]]
    part: str
    known: dict[str, Fact]

    def link(self, item: str) -> str:
        return f"{item}.{self.part}" if self.part else item


def items_in(level: Any, broken: list[Any]) -> list[Json]:
    found = []
    for item in level or []:
        if not isinstance(item, dict):
            broken.append(item)
            continue
        found.append(item)
        found += items_in(item.get("item"), broken)
        for answer in listed(item.get("answer")):
            found += items_in(answer.get("item"), broken) if isinstance(answer, dict) else []
    return found


def answered(chart: Chart) -> tuple[dict[str, list[Answer]], list[Answer], list[set[str]]]:
    """The items of all responses that count, the groups among them, and the items that unread responses may answer."""
    given: dict[str, list[Answer]] = {}
    groups, unread = [], []
    for response in chart.records.get("QuestionnaireResponse", ()):
        if response.get("questionnaire") not in chart.forms or response.get("status") not in ("completed", "amended"):
            continue
        broken: list[Any] = []
        items = items_in(response.get("item"), broken)
        try:
            days(response.get("authored"))
            readable = not response.get("modifierExtension") and not response.get("implicitRules")
        except UnreadableError:
            readable = False
        if not readable:
            unread.append({item["linkId"] for item in items})
            continue
        unread += [set()] if broken else []
        for item in items:
            one = Answer(response, item["linkId"], item)
            if "answer" in item or one.withdrawn:
                given.setdefault(one.link, []).append(one)
            elif "item" in item:
                groups.append(one)
    return given, groups, unread


# --- who --------------------------------------------------------------------------------------------------------------


def role_of(concept: Any) -> str:
    found = set()
    for coding in codings(concept):
        system, code = coding.get("system", "").rstrip("/"), coding.get("code", "").upper()
        for uri, listed_code, kind in ROLES:
            exact = code == listed_code if not listed_code.endswith("-") else code.startswith(listed_code[:-1])
            found |= {kind} if uri == system and exact else set()
    return "clinician" if "clinician" in found else next(iter(found), "")


def attester_of(response: Json, answer: Json, chart: Chart) -> str:
    """ "clinician", "staff", "patient", or "" for nobody who counts."""
    author = response.get("author")
    origin = next((e for e in listed(answer.get("extension")) if e["url"].endswith("information-origin")), None)
    if origin is not None and any(one.get("valueCode", "").startswith("auto") for one in origin["extension"]):
        return ""
    reference = (author or {}).get("reference", "")
    kind, _, name = reference.partition("/")
    if kind == "Patient":
        return "patient" if any(one["id"] == name for one in chart.records.get("Patient", ())) else ""
    if kind == "RelatedPerson":
        return "patient"
    contained = next((one for one in response.get("contained", ()) if f"#{one['id']}" == reference), None)
    if kind not in ("Practitioner", "PractitionerRole") and contained is None:
        return ""
    roles = list((contained or {}).get("code", ()))
    if id(response) not in chart.stated_roles:
        asked = (item for item in items_in(response.get("item"), []) if item["linkId"] in ("attester.role", "attester"))
        given = [answer for item in asked for answer in listed(item.get("answer"))]
        chart.stated_roles[id(response)] = [{"coding": [answer["valueCoding"]]} for answer in given]
    stated = chart.stated_roles[id(response)]
    qualified = [one["code"] for one in (contained or {}).get("qualification", ())]
    unknown = False
    for concepts in (roles, stated, qualified):
        kinds = {role_of(concept) for concept in concepts}
        if kinds - {""}:
            return "clinician" if "clinician" in kinds else "staff"
        unknown = unknown or bool(concepts)
    return "staff" if unknown else "clinician"


# --- answers ----------------------------------------------------------------------------------------------------------


def too_old(look_back: int | None, written: str, today: date) -> bool:
    """Whether a date is in the future or beyond a look-back."""
    limit = today - timedelta(days=look_back) if look_back is not None else date.min
    return future(written, today) or days(written).last < limit


def maybe_too_old(look_back: int | None, written: str, today: date) -> bool:
    limit = today - timedelta(days=look_back) if look_back is not None else date.min
    return days(written).first < limit <= days(written).last


def attested(name: str, rule: Json, here: Here, read: Any, items: list[str] | None = None) -> list[Reading]:
    """The readings that the answers to a fact's items give."""
    today, chart = here.chart.today, here.chart
    look_back = rule.get("answer_look_back_days", rule.get("look_back_days"))
    allowed = here.attested_by[name] | ({"clinician"} if "staff" in here.attested_by[name] else set())
    readings = []
    for item in items or [rule["item"], *rule.get("aliases", ())]:
        link = here.link(item)
        counted = []
        for one in here.given.get(link, ()):
            if too_old(look_back, one.response["authored"], today):
                continue
            kinds = [attester_of(one.response, answer, chart) for answer in one.answers if isinstance(answer, dict)]
            if not one.withdrawn and kinds and not any(kind in allowed for kind in kinds):
                continue
            stated = beside(here, one, f"{link}.observed")
            observed = one_of(stated[0], "valueDate", "valueDateTime") if stated else None
            try:
                late = observed and days(observed).first > days(one.response["authored"]).last
                if not one.withdrawn and (late or (observed and future(observed[:10], today))):
                    continue
            except UnreadableError:
                pass
            counted.append(one)
        latest = newest_answers(counted)
        for one in latest:
            when, doubt = days(one.response["authored"]), maybe_too_old(look_back, one.response["authored"], today)
            evidence = Evidence(f"QuestionnaireResponse/{one.response['id']}", one.response["authored"][:10], "", one)
            if one.withdrawn:
                readings += [Reading(when, (ANY,), evidence, doubt)] if len(latest) > 1 else []
                continue
            for answer in one.answers:
                kind = attester_of(one.response, answer, chart) if isinstance(answer, dict) else "clinician"
                if kind not in allowed:
                    continue
                try:
                    values = read(answer if isinstance(answer, dict) else {})
                    for stated in beside(here, one, f"{link}.observed")[:1]:
                        days(one_of(stated, "valueDate", "valueDateTime"))
                except UnreadableError:
                    values = (ANY,)
                readings.append(Reading(when, values, evidence._replace(attester=kind), doubt))
    return readings


def beside(here: Here, one: Answer, link: str) -> list[Json]:
    """The answers to another item of the same response."""
    return [a for other in here.given.get(link, ()) if other.response is one.response for a in other.answers]


def newest_answers(given: list[Answer]) -> list[Answer]:
    if len(given) < 2:
        return given
    latest = max((one.instant for one in given if one.instant), default=None)
    first_of_all = max(days(one.response["authored"]).first for one in given)
    first_of_days = max((days(one.response["authored"]).first for one in given if not one.instant), default=date.min)
    kept = [
        one
        for one in given
        if (not one.instant and days(one.response["authored"]).last >= first_of_all)
        or (one.instant and one.instant == latest and days(one.response["authored"]).last >= first_of_days)
    ]
    return kept or given


def yes_or_no(answer: Json) -> tuple[Value, ...]:
    value = answer.get("valueBoolean")
    if value is None and "valueCoding" in answer:
        coding = answer["valueCoding"]
        system = next(
            (uri for uri, _ in YES_OR_NO if bare(uri) == bare(coding.get("system", ""))), coding.get("system")
        )
        system = SNOMED if bare(coding.get("system", "")) == bare(SNOMED) else system
        value = YES_OR_NO.get((system, coding.get("code", "").strip().upper()))
    if not isinstance(value, bool):
        raise UnreadableError
    return (value,)


def number(rule: Json) -> Any:
    """How an answer to a number is read."""

    def read(answer: Json) -> tuple[Value, ...]:
        low, high = rule.get("range", ANY)
        if "valueQuantity" in answer:
            value, units = quantity(answer)
            factors = {spell(unit): factors for unit, factors in rule.get("units", {}).items()}
            factors |= {spell(rule.get("unit", "")): [1], "": [1]}
            unit = next((unit for unit in units if unit in factors), None)
            possible = scaled(value, factors[unit], (low, high)) if unit is not None else ()
            if not possible:
                raise UnreadableError
            return possible
        value = one_of(answer, "valueDecimal", "valueInteger")
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise UnreadableError
        return ((value, value),)

    return read


def percentage(rule: Json) -> Any:
    """How a stated percentage is read."""

    def read(answer: Json) -> tuple[Value, ...]:
        if "valueString" not in answer:
            return number({"range": (-1e9, 100)} | rule)(answer)
        found = re.fullmatch(r"\s*([\d.]+)\s*%?\s*(?:(?:-|–|to)\s*([\d.]+)\s*%?\s*)?", answer["valueString"])
        low, high = (float(found[1]), float(found[2] or found[1])) if found else (1, 0)
        if not 0 <= low <= high <= 100:
            raise UnreadableError
        return ((low, high),)

    return read


def newest(readings: list[Reading]) -> list[Reading]:
    latest = max((one.when.first for one in readings), default=date.min)
    return [one for one in readings if one.when.last >= latest]


def of_newest(rule: Json, readings: list[Reading]) -> Fact:
    latest = newest(readings)
    values = tuple(value for one in latest for value in one.values)
    is_open = bool(readings) and all(one.doubt for one in readings)
    return Fact(rule, values, tuple(one.evidence for one in latest), is_open)


def answers_open(rule: Json, here: Here) -> bool:
    if "item" not in rule:
        return False
    links = {here.link(item) for item in (rule["item"], *rule.get("aliases", ()), rule.get("until", rule["item"]))}
    return "QuestionnaireResponse" in here.chart.not_whole or any(not one or one & links for one in here.unread)
