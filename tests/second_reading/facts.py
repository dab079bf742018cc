"""Facts: what each may be, and whether more may be on record. One function for each kind."""

from calendar import monthrange
from datetime import date, timedelta
from itertools import product
from math import inf
from typing import Any, NamedTuple

from tests.second_reading.answers import (
    Answer,
    Event,
    Evidence,
    Fact,
    Here,
    Reading,
    answers_open,
    attested,
    attester_of,
    items_in,
    maybe_too_old,
    newest,
    number,
    of_newest,
    percentage,
    too_old,
    yes_or_no,
)
from tests.second_reading.codes import UnreadableError
from tests.second_reading.numbers import ANY, Value, in_unit
from tests.second_reading.page import BODY_MASS, Json
from tests.second_reading.records import (
    Chart,
    Days,
    Found,
    counts,
    date_of,
    days,
    names_another_site,
    one_of,
    parts_of,
)


def observations(rule: Json, codes: str, chart: Chart) -> list[Reading]:
    """The readings of the Observations in a code set."""
    readings = []
    for found in chart.found(chart.sets[codes], "Observation"):
        one = reading_of(rule | {"codes": codes}, found, chart)
        readings += [one] if one is not None else []
    return readings


def reading_of(rule: Json, found: Found, chart: Chart) -> Reading | None:
    """The reading of one Observation; None where it is silent. What cannot be read is a number of any value."""
    record, today = found.record, chart.today
    unread = None if found.beside_code else Reading(Days(date.min, today), (ANY,), Evidence(found.reference, None))
    try:
        broken = False
        if not counts(rule, found, chart):
            return None
    except UnreadableError:
        broken = True
    try:
        written = one_of(record, "effectiveDateTime", "effectiveInstant")
        if written is None and "effectivePeriod" in record:
            written = one_of(record["effectivePeriod"], "end", "start")
        written = one_of(record, "issued") if written is None else written
        if written is not None and too_old(rule["look_back_days"], written, today):
            return None
        when = days(written) if written is not None else Days(date.min, today)
    except UnreadableError:
        return unread
    unread = unread and unread._replace(when=when)
    try:
        if broken:
            return unread
        if "site" in rule and names_another_site(record, "Observation", chart.sets[rule["site"]]):
            return None
        if not any(name.startswith("value") and found.part[name] is not None for name in found.part):
            return None
        values = in_unit(rule, found.part)
    except UnreadableError:
        return unread
    if written is None:
        return unread
    doubt = maybe_too_old(rule["look_back_days"], written, today)
    return Reading(when, values, Evidence(found.reference, None), doubt)


def copies(chart: Chart) -> set[str]:
    """The references of the Observations that are derived from a response to one of the forms."""
    ours = {
        f"QuestionnaireResponse/{one['id']}"
        for one in chart.records.get("QuestionnaireResponse", ())
        if is_ours(one, chart)
    }
    return {
        f"Observation/{record['id']}"
        for record in chart.records.get("Observation", ())
        if any(one.get("reference") in ours for one in record.get("derivedFrom", ()))
    }


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
        read[name] = newest(observations(asked, rule["computed_from"][name], here.chart))
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


# --- kinds ------------------------------------------------------------------------------------------------------------


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
            except UnreadableError:
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
        return Fact(rule, (), tuple(evidence for _, evidence in found.may), True, only_by_words=not found.spoiled)
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
        raise UnreadableError
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
                    raise UnreadableError
                spans.append(elapsed(rule, onset, Days(today, today)))
        except UnreadableError:
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
        if "until" in rule and here.link(rule["item"]) in here.given:
            ends = newest(
                attested(
                    name,
                    rule,
                    here,
                    lambda answer: (days(one_of(answer, "valueDate", "valueDateTime")),),
                    [rule["until"]],
                )
            )
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
        raise UnreadableError
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
            raise UnreadableError
        units = {str(one.get("code") or one.get("unit") or "a").lower() for one in ends}
        known = units <= {"a", "y", "yr", "year", "years"} and not any("comparator" in one for one in ends)
        if not known or not 0 <= years[0] <= years[1] <= 130 or len(born) != 1 or None in born:
            return None
        birth = days(born.pop())
        outgrown = years_later(birth.last, int(years[1]) + 1)
        return Days(years_later(birth.first, int(years[0])), outgrown - timedelta(days=1))
    try:
        return days(condition.get("onsetString"))
    except UnreadableError:
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
    try:
        until = min(days(died).last, here.chart.today) if died else here.chart.today
    except UnreadableError:
        until = here.chart.today
    for patient in patients:
        try:
            born = days(patient.get("birthDate"))
        except UnreadableError:
            return Fact(rule)
        if born.first > until:
            return Fact(rule)
        low, high = (
            until.year - day.year - ((until.month, until.day) < (day.month, day.day))
            for day in (min(born.last, until), born.first)
        )
        spans.append((low, high))
    return Fact(rule, tuple(spans))


def read_measurement(name: str, rule: Json, here: Here) -> Fact:
    readings: list[Reading] = []
    is_open = answers_open(rule, here)
    if "codes" in rule:
        copied = copies(here.chart)
        found = observations(rule, rule["codes"], here.chart)
        readings = [one for one in found if one.evidence.reference not in copied]
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
                    if codes and any(
                        codes.label(key) for part in chart.parts[kind] if part.part is one.part for key in part.keys
                    ):
                        said[title] = [Reading(when, (True,), Evidence(one.reference, None))]
                sources.append((when, said, bool(placed) and written is not None, written is None))
            except UnreadableError:
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
        one
        for item in items_in(group.item.get("item"), [])
        if item["linkId"].startswith(begin)
        and (one := Answer(group.response, item["linkId"].removeprefix(begin), item))
        and ("answer" in item or one.withdrawn)
    ]
    if too_old(None, group.response["authored"], today):
        return []
    stated = [answer for one in inner if one.link == "date" for answer in one.answers]
    try:
        found = {days(one_of(answer, "valueDate", "valueDateTime")) for answer in stated}
    except UnreadableError:
        found = set()
    when = found.pop() if len(found) == 1 else None
    if when is not None and when.first > today + timedelta(days=1):
        return []
    allowed = here.attested_by[name] | ({"clinician"} if "staff" in here.attested_by[name] else set())
    kinds = [attester_of(group.response, answer, here.chart) for one in inner for answer in one.answers]
    if not any(kind in allowed for kind in kinds or [attester_of(group.response, {}, here.chart)]):
        return []
    day = when or Days(date.min, today)
    by = dict.fromkeys(rule["attributes"], here.attested_by[name])
    by_link: dict[str, list[Answer]] = {}
    for one in inner:
        by_link.setdefault(one.link, []).append(one)
    within = here._replace(given=by_link, groups=[], part="", attested_by=by)
    said = {}
    for title, attribute in rule["attributes"].items():
        read = {"answer": yes_or_no, "measurement": number(attribute), "reduction": percentage(attribute)}[
            attribute["kind"]
        ]
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
    # The words of reports are shown, and settle nothing.
    "words": lambda name, rule, here: Fact(rule, open=here.chart.speaks(set(rule["resources"]))),
}
