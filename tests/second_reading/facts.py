"""Facts: what each may be, and whether more may be on record. One function for each kind."""

import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from itertools import product
from math import inf, nextafter
from typing import Any, NamedTuple

from tests.second_reading.codes import SNOMED, CodeSet, Unreadable, bare, codings, key_of, texts_of
from tests.second_reading.page import BODY_MASS, KNOWN_UNITS, ROLES, YES_OR_NO, Json
from tests.second_reading.records import Chart, Days, Found, counts, date_of, days, future, listed, names_another_site, one_of, parts_of

ANY = (-inf, inf)
Value = bool | tuple[float, float]


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
    """What a fact may be, by what, and whether more may be on record."""

    rule: Json
    values: tuple[Value, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    open: bool = False
    events: tuple[Event, ...] = ()


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
        return not values and "data-absent-reason" in str(self.item)


class Here(NamedTuple):
    """One patient, as it is read for the whole or for a part of the scope."""

    chart: Chart
    given: list[Answer]
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


def answered(chart: Chart) -> tuple[list[Answer], list[Answer], list[set[str]]]:
    """The items of all responses that count, the groups among them, and the items that unread responses may answer."""
    given, groups, unread = [], [], []
    for response in chart.records.get("QuestionnaireResponse", ()):
        if response.get("questionnaire") not in chart.forms or response.get("status") not in ("completed", "amended"):
            continue
        broken: list[Any] = []
        items = items_in(response.get("item"), broken)
        try:
            days(response.get("authored"))
            readable = not response.get("modifierExtension") and not response.get("implicitRules")
        except Unreadable:
            readable = False
        if not readable:
            unread.append({item["linkId"] for item in items})
            continue
        unread += [set()] if broken else []
        for item in items:
            one = Answer(response, item["linkId"], item)
            if "answer" in item or one.withdrawn:
                given.append(one)
            elif "item" in item:
                groups.append(one)
    return given, groups, unread


# --- who ---------------------------------------------------------------------------------------------------------------


def role_of(concept: Any) -> str:
    found = set()
    for coding in codings(concept):
        system, code = coding.get("system", "").rstrip("/"), coding.get("code", "").upper()
        for uri, listed_code, kind in ROLES:
            exact = code == listed_code if not listed_code.endswith("-") else code.startswith(listed_code[:-1])
            found |= {kind} if uri == system and exact else set()
    return "clinician" if "clinician" in found else next(iter(found), "")


def attester_of(response: Json, answer: Json, chart: Chart) -> str:
    """"clinician", "staff", "patient", or "" for nobody who counts."""
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
    roles = [one for one in (contained or {}).get("code", ())]
    stated = []
    for item in items_in(response.get("item"), []):
        if item.get("linkId") in ("attester.role", "attester"):
            stated += [{"coding": [one["valueCoding"]]} for one in listed(item.get("answer"))]
    qualified = [one["code"] for one in (contained or {}).get("qualification", ())]
    unknown = False
    for concepts in (roles, stated, qualified):
        kinds = {role_of(concept) for concept in concepts}
        if kinds - {""}:
            return "clinician" if "clinician" in kinds else "staff"
        unknown = unknown or bool(concepts)
    return "staff" if unknown else "clinician"


# --- answers -----------------------------------------------------------------------------------------------------------


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
        for one in (one for one in here.given if one.link == link):
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
            except Unreadable:
                pass
            counted.append(one)
        standing = newest_answers(counted)
        for one in standing:
            when, doubt = days(one.response["authored"]), maybe_too_old(look_back, one.response["authored"], today)
            evidence = Evidence(f"QuestionnaireResponse/{one.response['id']}", one.response["authored"][:10], "", one)
            if one.withdrawn:
                readings += [Reading(when, (ANY,), evidence, doubt)] if len(standing) > 1 else []
                continue
            for answer in one.answers:
                kind = attester_of(one.response, answer, chart) if isinstance(answer, dict) else "clinician"
                if kind not in allowed:
                    continue
                try:
                    values = read(answer if isinstance(answer, dict) else {})
                except Unreadable:
                    values = (ANY,)
                readings.append(Reading(when, values, evidence._replace(attester=kind), doubt))
    return readings


def beside(here: Here, one: Answer, link: str) -> list[Json]:
    """The answers to another item of the same response."""
    return [a for other in here.given if other.response is one.response and other.link == link for a in other.answers]


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
        system = next((uri for uri, _ in YES_OR_NO if bare(uri) == bare(coding.get("system", ""))), coding.get("system"))
        system = SNOMED if bare(coding.get("system", "")) == bare(SNOMED) else system
        value = YES_OR_NO.get((system, coding.get("code", "").strip().upper()))
    if not isinstance(value, bool):
        raise Unreadable
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
                raise Unreadable
            return possible
        value = one_of(answer, "valueDecimal", "valueInteger")
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise Unreadable
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
            raise Unreadable
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


# --- numbers -----------------------------------------------------------------------------------------------------------


def spell(unit: str) -> str:
    spelled = "".join(unit.lower().split()).replace("²", "2").replace("**2", "2").replace("^2", "2").replace("(m2)", "m2")
    scale = re.fullmatch(r"[{(]?(?:0-|0to|/|outof|of)(\d{1,3})(?:scale)?[)}]?", spelled)
    return f"/{scale[1]}" if scale else spelled


def quantity(part: Json) -> tuple[tuple[float, float], list[str]]:
    """The number of a value as an interval, and its unit as the code and the text say it."""
    if "valueQuantity" in part:
        value = part["valueQuantity"].get("value")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Unreadable
        ends = {
            None: (value, value),
            "<": (-inf, nextafter(value, -inf)),
            "<=": (-inf, value),
            ">": (nextafter(value, inf), inf),
            ">=": (value, inf),
        }.get(part["valueQuantity"].get("comparator"))
        if ends is None:
            raise Unreadable
        written = [part["valueQuantity"].get(name) for name in ("code", "unit")]
        return ends, list(dict.fromkeys(spell(unit) for unit in written if isinstance(unit, str) and spell(unit))) or [""]
    if "valueInteger" in part:
        return (part["valueInteger"],) * 2, [""]
    if "valueString" in part:
        pattern = r"(\d{1,4}(?:\.\d{1,4})?)(?:\s*(?:-|–|to)\s*(\d{1,4}(?:\.\d{1,4})?))?\s*((?:/|out of|of)\s*\d{1,3}|[a-zA-Z%\[][^,;]{0,20})?"
        found = re.fullmatch(pattern, part["valueString"].strip())
        if found is None or float(found[2] or found[1]) < float(found[1]):
            raise Unreadable
        return (float(found[1]), float(found[2] or found[1])), [spell(found[3] or "")]
    raise Unreadable


def scaled(value: tuple[float, float], factors: list[float], bounds: tuple[float, float]) -> tuple[Value, ...]:
    possible: list[Value] = []
    for factor in factors:
        low, high = value[0] * factor, value[1] * factor
        if low == high:
            low = high = round(low, 9)
        low, high = (low, high) if low == high else (max(low, bounds[0]), min(high, bounds[1]))
        if low <= high and bounds[0] <= low and high <= bounds[1]:
            possible.append((low, high))
    return tuple(possible)


def in_unit(rule: Json, part: Json) -> tuple[Value, ...]:
    """The possible values of an Observation's number. Raises Unreadable."""
    value, units = quantity(part)
    table = {spell(unit): factors for unit, factors in rule["units"].items()}
    accepted = {}
    for unit in units:
        annotation = unit.startswith("{") and unit.find("}") == len(unit) - 1
        factors = table.get(unit, table.get("{score}") if annotation else None)
        if factors is not None:
            accepted[unit] = factors
    others = [unit for unit in units if unit not in accepted]
    coded = part.get("valueQuantity", {}).get("system") == "http://unitsofmeasure.org" and units[0] in others
    if not accepted or coded or set(others) & KNOWN_UNITS:
        raise Unreadable
    factors = min(accepted.values(), key=len)
    if not all(set(factors) <= set(more) for more in accepted.values()):
        raise Unreadable
    possible = scaled(value, factors, tuple(rule["range"]))
    if not possible:
        raise Unreadable
    return possible


def observations(rule: Json, codes: str, here: Here) -> tuple[list[Reading], bool]:
    """The readings of the Observations in a code set, and whether one of them names no part."""
    chart, today, readings = here.chart, here.chart.today, []
    ours = {one["id"] for one in chart.records.get("QuestionnaireResponse", ()) if is_ours(one, chart)}
    for found in chart.found(chart.sets[codes], "Observation"):
        record = found.record
        derived = [one.get("reference", "") for one in record.get("derivedFrom", ())]
        if any(one.removeprefix("QuestionnaireResponse/") in ours for one in derived):
            continue
        when, values, doubt = Days(date.min, today), (ANY,), False
        try:
            broken = False
            try:
                if not counts(rule | {"codes": codes}, found, chart):
                    continue
            except Unreadable:
                broken = True
            written = one_of(record, "effectiveDateTime", "effectiveInstant")
            if written is None and "effectivePeriod" in record:
                written = one_of(record["effectivePeriod"], "end", "start")
            written = one_of(record, "issued") if written is None else written
            if written is not None:
                when = days(written)
                if too_old(rule["look_back_days"], written, today):
                    continue
                doubt = maybe_too_old(rule["look_back_days"], written, today)
            if broken:
                raise Unreadable
            if "site" in rule and names_another_site(record, "Observation", chart.sets[rule["site"]]):
                continue
            if not any(name.startswith("value") and found.part[name] is not None for name in found.part):
                continue
            values = in_unit(rule, found.part)
            if written is None:
                raise Unreadable
        except Unreadable:
            if found.beside_code:
                continue
            values, doubt = (ANY,), False
        readings.append(Reading(when, values, Evidence(found.reference, None), doubt))
    return readings, False


def is_ours(response: Json, chart: Chart) -> bool:
    canonical = response.get("questionnaire")
    return isinstance(canonical, str) and canonical.split("|")[0] in {form.split("|")[0] for form in chart.forms}


def body_mass(rule: Json, here: Here) -> list[Reading]:
    if "computed_from" not in rule:
        return []
    read = {}
    for name, (units, bounds) in BODY_MASS.items():
        asked = {"kind": "measurement", "units": {unit: [factor] for unit, factor in units.items()}, "range": bounds}
        asked |= {"look_back_days": rule["look_back_days"]}
        read[name] = newest(observations(asked, rule["computed_from"][name], here)[0])
    weights, heights = read["weight"], read["height"]
    if not weights or not heights:
        return []
    masses = [value for one in weights for value in one.values]
    lengths = [value for one in heights for value in one.values]
    values = tuple(
        ANY if ANY in (mass, length) else (round(mass[0] / length[1] ** 2, 1), round(mass[1] / length[0] ** 2, 1))
        for mass, length in product(masses, lengths)
    )
    return [Reading(weights[0].when, values, one.evidence) for one in (*weights, *heights)]


# --- kinds -------------------------------------------------------------------------------------------------------------


def months(start: date, end: date) -> float:
    count = (end.year - start.year) * 12 + end.month - start.month

    def later(number: int) -> date:
        year, month = divmod(start.year * 12 + start.month - 1 + number, 12)
        return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))

    count -= later(count) > end
    return count + (end - later(count)).days / 31


def elapsed(rule: Json, start: Days, end: Days) -> tuple[float, float]:
    """The least and the most time from one date to another."""
    unit = months if rule.get("in") == "months" else lambda one, other: (other - one).days
    return unit(min(start.last, end.first), end.first), unit(min(start.first, end.last), end.last)


def of_whom(found: Found, here: Here) -> bool | None:
    """Whether a record is of the part that is looked at; None where it does not say."""
    if not here.part:
        return True
    named = parts_of(found.record, found.kind, here.chart)
    return here.part in named if named else None


class Records(NamedTuple):
    """The records of a fact: (date, evidence) of those that count, whether some only may, and what may be unread."""

    found: list[tuple[str | None, Evidence]]
    may: list[tuple[str | None, Evidence]]
    spoiled: bool
    refused: bool


def recorded(rule: Json, here: Here) -> Records:
    chart, today, look_back = here.chart, here.chart.today, rule.get("look_back_days")
    found: dict[bool, dict[Any, tuple[str | None, Evidence]]] = {False: {}, True: {}}
    spoiled, refused = bool(set(rule["resources"]) & chart.not_whole), False
    for kind in rule["resources"]:
        for one in chart.found(chart.sets[rule["codes"]], kind):
            try:
                here_said = of_whom(one, here)
                if here_said is False:
                    continue
                if not counts(rule, one, chart):
                    refused = True
                    date_of(one, today)
                    continue
                written = date_of(one, today)
                if written is None and look_back is not None:
                    refused = True
                    continue
                if written is not None and too_old(look_back, written, today):
                    refused = True
                    continue
                if here_said is None or (written is not None and maybe_too_old(look_back, written, today)):
                    spoiled = refused = True
                    continue
            except Unreadable:
                spoiled = refused = True
                continue
            written = written[:10] if written else None
            is_drug = one.kind in ("MedicationRequest", "MedicationStatement") and "noun" not in rule
            # Records of one drug are one, by the newest of them.
            which = (one.label or one.drug) if is_drug else (one.reference, id(one.part))
            known = found[one.beside_code].get(which)
            entry = (written, Evidence(one.reference, written))
            if known is None or (entry[0] or "", entry[1].reference) > (known[0] or "", known[1].reference):
                found[one.beside_code][which] = entry
    return Records(list(found[False].values()), list(found[True].values()), spoiled, refused)


def read_record(name: str, rule: Json, here: Here) -> Fact:
    found = recorded(rule, here)
    if found.found:
        return Fact(rule, (True,), tuple(evidence for _, evidence in (*found.found, *found.may)))
    if found.may:
        return Fact(rule, (), tuple(evidence for _, evidence in found.may), True)
    if rule["when_absent"] != "unknown" and not found.spoiled and not found.refused:
        return Fact(rule, (False,))
    return Fact(rule, open=found.spoiled)


def read_since(name: str, rule: Json, here: Here) -> Fact:
    found, today = recorded(rule, here), here.chart.today
    every = [*found.found, *found.may]
    dated = [days(written) for written, _ in every if written]
    newer = found.spoiled or any(written is None for written, _ in every)
    is_open = answers_open(rule, here) or bool(found.may)
    readings = newest(attested(name, rule, here, lambda answer: (past_date(answer, today),))) if "item" in rule else []
    for one in readings:
        newer = newer or one.values == (ANY,)
        dated += [value for value in one.values if value != ANY]
    if not dated:
        return Fact(rule, open=found.spoiled or is_open)
    spans = [elapsed(rule, one, Days(today, today)) for one in dated]
    return Fact(rule, ((0 if newer else min(low for low, _ in spans), min(high for _, high in spans)),), open=is_open)


def past_date(answer: Json, today: date) -> Any:
    when = days(one_of(answer, "valueDate", "valueDateTime"))
    if when.first > today + timedelta(days=1):
        raise Unreadable
    return when


def read_onset(name: str, rule: Json, here: Here) -> Fact:
    chart, today = here.chart, here.chart.today
    spans, unreadable = [], False
    unread = bool({"Patient", "Condition"} & chart.not_whole) if "codes" in rule else False
    others = {id(one.record) for other in rule.get("not_in", ()) for one in chart.found(chart.sets[other], "Condition")}
    for one in chart.found(chart.sets[rule["codes"]], "Condition") if "codes" in rule else ():
        try:
            if not counts(rule, one, chart) or id(one.record) in others:
                continue
            onset = onset_of(one.record, chart)
            if onset is not None:
                if onset.first > today + timedelta(days=1):
                    raise Unreadable
                spans.append(elapsed(rule, onset, Days(today, today)))
        except Unreadable:
            unreadable = True
    values: list[Value] = []
    if spans:
        most = inf if unread or unreadable else max(high for _, high in spans)
        values.append((max(low for low, _ in spans), most))
    elif unreadable:
        values.append(ANY)
    evidence: tuple[Evidence, ...] = ()
    if "item" in rule:
        end: Days | None = Days(today, today)
        if "until" in rule and any(one.link == here.link(rule["item"]) for one in here.given):
            ends = newest(attested(name, rule, here, lambda answer: (days(one_of(answer, "valueDate", "valueDateTime")),), [rule["until"]]))
            different = {value for one in ends for value in one.values}
            end = different.pop() if len(different) == 1 and ANY not in different else None
        readings = newest(attested(name, rule, here, lambda answer: (attested_onset(rule, answer, today, end),)))
        values += [value for one in readings for value in one.values]
        evidence = tuple(one.evidence for one in readings)
    is_open = answers_open(rule, here) or ((unread or unreadable) and not spans)
    return Fact(rule, tuple(values), evidence, is_open)


def attested_onset(rule: Json, answer: Json, today: date, end: Days | None) -> tuple[float, float]:
    onset = past_date(answer, today)
    if end is None:
        return ANY
    if "until" in rule and (end.first > today + timedelta(days=1) or end.last < onset.first):
        raise Unreadable
    return elapsed(rule, onset, Days(min(end.first, today), min(end.last, today)))


def onset_of(condition: Json, chart: Chart) -> Days | None:
    if "onsetDateTime" in condition:
        return days(condition["onsetDateTime"])
    if "onsetPeriod" in condition:
        start = condition["onsetPeriod"].get("start")
        return days(start) if start is not None else None
    if "onsetAge" in condition or "onsetRange" in condition:
        ages = condition.get("onsetRange") or {"low": condition["onsetAge"], "high": condition["onsetAge"]}
        born = {one.get("birthDate") for one in chart.records.get("Patient", ())}
        ends = [ages.get("low"), ages.get("high")]
        if None in ends:
            return None
        years = [one.get("value") for one in ends]
        if any(isinstance(one, bool) or not isinstance(one, int | float) for one in years):
            raise Unreadable
        units = {str(one.get("code") or one.get("unit") or "a").lower() for one in ends}
        known = units <= {"a", "y", "yr", "year", "years"} and not any("comparator" in one for one in ends)
        if not known or not 0 <= years[0] <= years[1] <= 130 or len(born) != 1 or None in born:
            return None
        birth = days(born.pop())
        outgrown = years_later(birth.last, int(years[1]) + 1)
        return Days(years_later(birth.first, int(years[0])), outgrown - timedelta(days=1))
    try:
        return days(condition.get("onsetString"))
    except Unreadable:
        return None


def years_later(day: date, count: int) -> date:
    try:
        return day.replace(year=day.year + count)
    except ValueError:
        return date(day.year + count, 3, 1)


def read_age(name: str, rule: Json, here: Here) -> Fact:
    spans: list[Value] = []
    patients = here.chart.records.get("Patient", [])
    if not patients:
        return Fact(rule, open="Patient" in here.chart.not_whole)
    died = next((one["deceasedDateTime"] for one in patients if one.get("deceasedDateTime")), None)
    until = min(days(died).last, here.chart.today) if died else here.chart.today
    for patient in patients:
        try:
            born = days(patient.get("birthDate"))
        except Unreadable:
            return Fact(rule)
        if born.first > until:
            return Fact(rule)
        low, high = (until.year - day.year - ((until.month, until.day) < (day.month, day.day)) for day in (min(born.last, until), born.first))
        spans.append((low, high))
    return Fact(rule, tuple(spans))


def read_measurement(name: str, rule: Json, here: Here) -> Fact:
    readings: list[Reading] = []
    is_open = answers_open(rule, here)
    if "codes" in rule:
        readings, _ = observations(rule, rule["codes"], here)
        computed = body_mass(rule, here)
        if computed and not any(one.when.last >= computed[0].when.first for one in readings):
            readings += computed
        is_open = is_open or "Observation" in here.chart.not_whole
    if "item" in rule:
        readings += attested(name, rule, here, number(rule))
    fact = of_newest(rule, readings)
    return fact._replace(open=fact.open or is_open)


def read_answer(name: str, rule: Json, here: Here) -> Fact:
    fact = of_newest(rule, attested(name, rule, here, yes_or_no))
    return fact._replace(open=fact.open or answers_open(rule, here))


def reduced(rule: Json, before: Fact, after: Fact, stated: list[Reading]) -> Fact:
    values: list[Value] = []
    for first, last in product(dict.fromkeys(before.values), dict.fromkeys(after.values)):
        if ANY in (first, last) or first[0] <= 0:
            values.append(ANY)
        else:
            values.append((round((1 - last[1] / first[0]) * 100, 9), round((1 - last[0] / first[1]) * 100, 9)))
    said = of_newest(rule, stated)
    return Fact(rule, (*values, *said.values), said.evidence, said.open)


def read_events(name: str, rule: Json, here: Here) -> Fact:
    chart, today = here.chart, here.chart.today
    spoiled = bool(set(rule["resources"]) & chart.not_whole) or answers_open(rule, here)
    sources: list[tuple[Days, dict[str, list[Reading]], bool, bool]] = []
    for kind in rule["resources"]:
        for one in chart.found(chart.sets[rule["codes"]], kind):
            try:
                placed = of_whom(one, here)
                if placed is False or one.beside_code or not counts(rule, one, chart):
                    continue
                written = date_of(one, today)
                if written is not None and too_old(None, written, today):
                    continue
                when = days(written) if written else Days(date.min, today)
                said = {}
                for title, attribute in rule["attributes"].items():
                    codes = chart.sets[attribute["codes"]] if "codes" in attribute else None
                    if codes and any(codes.label(key) for part in chart.parts[kind] if part.part is one.part for key in part.keys):
                        said[title] = [Reading(when, (True,), Evidence(one.reference, None))]
                sources.append((when, said, bool(placed) and written is not None, written is None))
            except Unreadable:
                spoiled = True
    for group in (one for one in here.groups if one.link == here.link(rule.get("item", ""))):
        sources += group_of(name, rule, group, here)
    by_day: dict[Any, list[Any]] = {}
    for number_of, source in enumerate(sources):
        by_day.setdefault(number_of if source[3] else source[0], []).append(source)
    events = []
    for group in by_day.values():
        certain = [source for source in group if source[2]]
        known: dict[str, Fact] = {}
        for title, attribute in rule["attributes"].items():
            readings = [one for source in certain or group for one in source[1].get(title, ())]
            if attribute["kind"] == "reduction":
                known[title] = reduced(attribute, known[attribute["from"]], known[attribute["to"]], readings)
            else:
                known[title] = of_newest(attribute, readings)
        events.append(Event(group[0][0], known, bool(certain)))
    return Fact(rule, open=spoiled, events=tuple(events))


def group_of(name: str, rule: Json, group: Answer, here: Here) -> list[Any]:
    """The one source that a group of answers is; none where it does not count."""
    today, begin = here.chart.today, f"{here.link(rule['item'])}."
    inner = [
        Answer(group.response, item["linkId"].removeprefix(begin), item)
        for item in items_in(group.item.get("item"), [])
        if item["linkId"].startswith(begin) and "answer" in item
    ]
    if too_old(None, group.response["authored"], today):
        return []
    stated = [answer for one in inner if one.link == "date" for answer in one.answers]
    try:
        found = {days(one_of(answer, "valueDate", "valueDateTime")) for answer in stated}
    except Unreadable:
        found = set()
    when = found.pop() if len(found) == 1 else None
    if when is not None and when.first > today + timedelta(days=1):
        return []
    allowed = here.attested_by[name] | ({"clinician"} if "staff" in here.attested_by[name] else set())
    kinds = [attester_of(group.response, answer, here.chart) for one in inner for answer in one.answers]
    if not any(kind in allowed for kind in kinds or [attester_of(group.response, {}, here.chart)]):
        return []
    day = when or Days(date.min, today)
    within = here._replace(given=inner, groups=[], part="")
    said = {}
    for title, attribute in rule["attributes"].items():
        read = {"answer": yes_or_no, "measurement": number(attribute), "reduction": percentage(attribute)}[attribute["kind"]]
        within.attested_by.setdefault(title, here.attested_by[name])
        said[title] = [one._replace(when=day) for one in attested(title, attribute, within, read)]
    return [(day, said, when is not None, when is None)]


KINDS = {
    "age": read_age,
    "answer": read_answer,
    "measurement": read_measurement,
    "record": read_record,
    "onset": read_onset,
    "since": read_since,
    "events": read_events,
    "order": lambda name, rule, here: Fact(rule),
    "parts": lambda name, rule, here: Fact(rule),
}
