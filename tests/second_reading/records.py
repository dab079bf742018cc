"""The records of a patient: what arrived, whose it is, what it is, and whether it counts."""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from tests.second_reading.codes import (
    DENIED,
    ICD10PCS,
    MENTIONED,
    PAST,
    REPORTED,
    CodeSet,
    UnreadableError,
    code_sets,
    codings,
    key_of,
    keys_of,
    manner_beside_code,
    manner_of,
    plain,
    texts_of,
)
from tests.second_reading.page import DATES, SPEAKS_AGAINST, STATUSES, SUBJECTS, Json, forms, rule_set

DRUGS = ("MedicationRequest", "MedicationStatement")
OF_A_LIST = {name for name in STATUSES if name not in ("Patient", "Coverage", "QuestionnaireResponse")}


class Days(NamedTuple):
    """A date: its first and last day."""

    first: date
    last: date


@cache
def days(text: Any) -> Days:
    """The days that a date may be."""
    if not isinstance(text, str) or not re.fullmatch(r"\d{4}(-\d{2}(-\d{2}(T.{0,40})?)?)?", text, re.ASCII):
        raise UnreadableError
    try:
        first = date.fromisoformat(f"{text[:10]}-01-01"[:10])
    except ValueError:
        raise UnreadableError from None
    if len(text) == 4:
        return Days(first, date(first.year, 12, 31))
    return Days(first, first.replace(day=monthrange(first.year, first.month)[1]) if len(text) == 7 else first)


def future(text: str, today: date) -> bool:
    first = days(text).first
    if first > today and len(text) > 10:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return True
        return moment.tzinfo is None or moment.astimezone(UTC).date() > today
    return first > today + timedelta(days=1)


def one_of(resource: Json, *names: str) -> Any:
    return next((resource[name] for name in names if resource.get(name) is not None), None)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def status_of(concept: Any) -> str | None:
    if concept is None or isinstance(concept, str):
        return concept
    return next((item["code"] for item in codings(concept) if isinstance(item.get("code"), str)), None)


def concept_of(part: Json, kind: str) -> Any:
    """What a record, or a part of it, is."""
    if kind == "CarePlan" and "resourceType" in part:
        said = [
            *listed(part.get("category")),
            *({"text": part[name]} for name in ("title", "description") if name in part),
        ]
        return joined(said)
    if kind == "Encounter":
        return joined([*listed(part.get("type")), *listed(part.get("serviceType"))])
    if kind in DRUGS:
        found = one_of(part, "medicationCodeableConcept", "medication")
        referred = part.get("medicationReference")
        if found is None and referred is not None:
            if not referred.get("display"):
                raise UnreadableError
            return {"text": referred["display"]}
        return found
    name = {"Device": "type", "DeviceRequest": "codeCodeableConcept"}.get(kind, "code")
    return part.get(name if "resourceType" in part else "code")


def joined(concepts: list[Any]) -> Any:
    if not concepts:
        return None
    texts = [one["text"] for one in concepts if isinstance(one.get("text"), str)]
    both = {"coding": [coding for one in concepts for coding in codings(one)]}
    return both | ({"text": ", ".join(dict.fromkeys(texts))} if texts else {})


class Found(NamedTuple):
    """A record in which a code set found something: in which part, by a code's label or by words."""

    kind: str
    record: Json
    part: Json
    label: str | None
    manner: int
    beside_code: bool
    drug: str

    @property
    def reference(self) -> str:
        return f"{self.kind}/{self.record.get('id')}"


class Part(NamedTuple):
    """A part of a record with its codes and words; ``coded``: a code of a standard system stands beside the words."""

    kind: str
    record: Json
    part: Json
    keys: tuple[tuple[str, str], ...]
    texts: tuple[str, ...]
    coded: bool


class Chart:
    """What is on record for one patient on one day, as one rule set reads it."""

    def __init__(self, name: str, sent: Json, keys: dict[str, str], patient: str, today: date, base: str) -> None:
        self.policy, self.sets = rule_set(name)["policy"], code_sets(name)
        self.today, self.forms = today, forms(name, base)
        self.not_whole: set[str] = set()
        self.records: dict[str, list[Json]] = {}
        self.stated_roles: dict[int, list[Json]] = {}
        self._found: dict[tuple[int, str], list[Found]] = {}
        for key, kind in keys.items():
            arrived, whole = self._arrived(sent.get(key, ...), kind)
            self.not_whole |= set() if whole else {kind}
            for resource in arrived:
                own = resource.get("id") if kind == "Patient" else None
                subject = one_of(resource, SUBJECTS[kind], "subject", "patient") or {}
                if patient == own or re.search(f"(^|/)Patient/{patient}$", subject.get("reference", "")):
                    self.records.setdefault(kind, []).append(resource)
        self.parts = {kind: list(self._parts(kind)) for kind in OF_A_LIST & set(self.records)}

    def _arrived(self, value: Any, kind: str) -> tuple[list[Json], bool]:
        """The resources under a key, and whether they are all there is."""
        if value is ... or (isinstance(value, dict) and value.get("resourceType") == "OperationOutcome"):
            return [], False
        if value is None:
            return [], True
        if value["resourceType"] != "Bundle":
            return [value], value["resourceType"] == kind
        came, whole, matches = [], not any(link["relation"] == "next" for link in value.get("link", ())), 0
        for entry in value.get("entry", ()):
            if not str(entry.get("response", {}).get("status", "200")).startswith("2"):
                whole = False
                continue
            resource = entry.get("resource")
            matches += entry.get("search", {}).get("mode", "match") == "match"
            if resource is None or resource["resourceType"] == "OperationOutcome":
                issues = resource["issue"] if resource else []
                whole = (
                    whole and all(issue["severity"] not in ("fatal", "error") for issue in issues) and bool(resource)
                )
            else:
                came.append(resource)
        return came, whole and value.get("total", 0) <= matches

    def _parts(self, kind: str) -> Iterator[Part]:
        for record in self.records[kind]:
            parts = [record, *record.get("component", ())] if kind == "Observation" else [record]
            if kind == "CarePlan":
                details = [one["detail"] for one in record.get("activity", ()) if "detail" in one]
                counted = (None, "in-progress", "on-hold", "completed", "stopped")
                parts += [one for one in details if one.get("status") in counted]
            for part in parts:
                try:
                    concept = concept_of(part, kind)
                    all_keys, broken = self._readable(concept)
                except UnreadableError:
                    self.not_whole.add(kind)
                    break
                texts = [] if broken else texts_of(concept)
                coded = any(uri != ICD10PCS or self._lists((uri, code)) for uri, code in all_keys)
                has_codes = any(coding.get("code") is not None for coding in codings(concept)) if not broken else False
                unknown = not texts and has_codes and not any(self._lists(key) for key in all_keys)
                if broken or (unknown and kind != "Observation" and (kind in DRUGS or not all_keys)):
                    self.not_whole.add(kind)
                yield Part(kind, record, part, tuple(all_keys), tuple(texts), coded)
                if broken:
                    break

    def _readable(self, concept: Any) -> tuple[list[tuple[str, str]], bool]:
        """The keys of a concept up to the first coding that cannot be read, and whether one cannot."""
        found = []
        for coding in codings(concept):
            system, code = coding.get("system"), coding.get("code")
            if not isinstance(code, str | None) or not isinstance(system, str | None):
                return found, True
            key = key_of(system, code) if code is not None else None
            found += [key] if key else []
        return found, False

    def _lists(self, key: tuple[str, str]) -> bool:
        return any(codes.label(key) is not None for codes in self.sets.values())

    def found(self, codes: CodeSet, kind: str) -> list[Found]:
        """The records of a type that a code set finds, in the words of the page."""
        known = self._found.get((id(codes), kind))
        if known is not None:
            return known
        made = []
        for one in self.parts.get(kind, ()):
            labels = [(key, label) for key in one.keys if (label := codes.label(key)) is not None]
            if labels:
                made.append(Found(kind, one.record, one.part, min(labels)[1], REPORTED, False, ""))
            elif one.texts:
                manner = codes.manner(list(one.texts), ordered=kind == "ServiceRequest")
                if manner is not None:
                    beside = one.coded and not codes.words_beside_codes
                    drug = codes.drugs_in(list(one.texts)) or one.texts[0]
                    made.append(Found(kind, one.record, one.part, None, manner, beside, drug))
        self._found[id(codes), kind] = made
        return made

    def speaks(self, kinds: set[str]) -> bool:
        """Whether one of these lists is not all there is, and may contradict something."""
        return bool(kinds & self.not_whole & SPEAKS_AGAINST)


# --- what counts ------------------------------------------------------------------------------------------------------


def concept_in(concept: Any, codes: CodeSet) -> bool:
    keys = keys_of(concept)
    if keys:
        return any(codes.label(key) is not None for key in keys)
    return manner_of(texts_of(concept), codes.phrases) in (REPORTED, PAST)


def counts(fact: Json, found: Found, chart: Chart) -> bool:
    """Whether a record counts for a fact, but for its date. Raises UnreadableError where that cannot be known."""
    record, kind, codes = found.record, found.kind, chart.sets[fact["codes"]]
    if record.get("modifierExtension") or record.get("implicitRules"):
        raise UnreadableError
    active = fact.get("state", "active" if fact["kind"] == "onset" else "ever") == "active"
    manner = found.manner
    if found.label is not None:
        manner = manner_beside_code(texts_of(concept_of(found.part, kind)), codes.phrases)
    if kind == "Condition":
        if not _condition_counts(record, active, manner, chart.today):
            return False
    elif not _status_counts(record, kind, active, chart.today) or manner not in (REPORTED, PAST, MENTIONED):
        return False
    if "site" in fact and fact["kind"] != "measurement" and _at(record, kind, chart.sets[fact["site"]]) is not True:
        return False
    if "reason" in fact and not any(
        concept_in(reason, chart.sets[fact["reason"]]) for reason in _reasons(record, chart)
    ):
        return False
    if "elsewhere" in fact and _is_elsewhere(found, chart.sets[fact["elsewhere"]], chart):
        return False
    wanted = [chart.sets[name] for name in fact.get("only_for", ())]
    systems = {uri for codes in wanted for uri, *_ in codes.families}
    given = [
        one
        for part in _own_and_part(found)
        for one in (_reasons(part, chart) if wanted else ())
        if " ".join(texts_of(one)) or any(uri in systems for uri, _ in _keys(one))
    ]
    return not given or any(_lies_in(one, codes) for one in given for codes in wanted)


def _own_and_part(found: Found) -> list[Json]:
    return [found.record] if found.part is found.record else [found.record, found.part]


def _keys(concept: Any) -> list[tuple[str, str]]:
    try:
        return keys_of(concept)
    except UnreadableError:
        return []


def _lies_in(concept: Any, codes: CodeSet) -> bool:
    """By its codes where the set lists families of their systems, otherwise by any code or by its words."""
    systems = {uri for uri, *_ in codes.families}
    decided = [key for key in _keys(concept) if key[0] in systems]
    if decided:
        return all(codes.label(key) is not None for key in decided)
    text = plain(" ".join(texts_of(concept)))
    return any(codes.label(key) is not None for key in _keys(concept)) or codes.manner([text]) is not None


def _is_elsewhere(found: Found, elsewhere: CodeSet, chart: Chart) -> bool:
    """Whether a record names, as its sites, in its words or as its reasons, nothing but what lies elsewhere."""
    sites = [site for part in _own_and_part(found) for site in listed(part.get("bodySite"))]
    if sites:
        return all(_lies_in(site, elsewhere) for site in sites)
    if any(_lies_in(concept_of(part, found.kind), elsewhere) for part in _own_and_part(found)):
        return True
    reasons = [one for part in _own_and_part(found) for one in _reasons(part, chart)]
    return bool(reasons) and all(_lies_in(one, elsewhere) for one in reasons)


def _condition_counts(record: Json, active: bool, manner: int, today: date) -> bool:
    if status_of(record.get("verificationStatus")) not in (None, "confirmed"):
        return False
    if manner not in (REPORTED, PAST, MENTIONED):
        return False
    if active and not _is_present(record, today):
        return False
    if active and manner == PAST:
        return False
    for name in ("recordedDate", *(("onsetDateTime",) if active else ())):
        if record.get(name) is not None and future(record[name], today):
            raise UnreadableError
    return True


def _is_present(record: Json, today: date) -> bool:
    clinical = status_of(record.get("clinicalStatus"))
    if clinical not in STATUSES["Condition"]:
        return False
    if _has_ended(record, today):
        if clinical is not None:
            raise UnreadableError
        return False
    categories = {status_of(item) for item in listed(record.get("category"))}
    of_a_visit = "encounter-diagnosis" in categories and not categories & {"problem-list-item", "health-concern"}
    if clinical is not None or not of_a_visit:
        return True
    asserted = [one["valueDateTime"] for one in record.get("extension", ()) if one["url"].endswith("assertedDate")]
    written = one_of(record, "recordedDate") or (asserted[0] if asserted else record.get("onsetDateTime"))
    limit = today - timedelta(days=365)
    if written is None or days(written).first < limit <= days(written).last:
        raise UnreadableError
    return days(written).last >= limit


def _has_ended(record: Json, today: date) -> bool:
    for name in ("abatementDateTime", "abatementPeriod", "abatementAge", "abatementRange", "abatementString"):
        value = record.get(name)
        if value is None:
            continue
        if name == "abatementPeriod":
            value = one_of(value, "start", "end")
        if name not in ("abatementDateTime", "abatementPeriod") or value is None:
            return True
        if future(value, today):
            return False
        if days(value).last > today:
            raise UnreadableError
        return True
    return record.get("abatementBoolean") is True


def _status_counts(record: Json, kind: str, active: bool, today: date) -> bool:
    status, intent = record.get("status"), record.get("intent")
    if status not in STATUSES[kind] or record.get("doNotPerform") is True or intent == "proposal":
        return False
    if intent == "plan" and kind in ("ServiceRequest", "DeviceRequest"):
        return False
    if not active or kind not in DRUGS:
        return True
    end = (record.get("effectivePeriod") or {}).get("end") if kind == "MedicationStatement" else None
    over = status in ("completed", "stopped")
    if end is None and not over:
        return True
    written = end or one_of(record, *(name for name in DATES[kind] if name != "effectivePeriod"), "authoredOn")
    if written is None:
        return False
    return (end is not None and days(end).last >= today and not over) or days(written).last >= today - timedelta(
        days=90
    )


def _at(record: Json, kind: str, site: CodeSet) -> bool | None:
    """Whether a record is at a site: True, False, or None where it does not say."""
    concepts = listed(record.get("bodySite"))
    if any(concept_in(concept, site) for concept in concepts):
        return True
    if any(keys_of(concept) or texts_of(concept) for concept in concepts):
        return manner_of([" ".join(" ".join(texts_of(one)) for one in concepts)], site.phrases) not in (None, DENIED)
    return manner_of([" ".join(texts_of(concept_of(record, kind)))], site.phrases) not in (None, DENIED) or None


def names_another_site(record: Json, kind: str, site: CodeSet) -> bool:
    return _at(record, kind, site) is False


def _reasons(record: Json, chart: Chart) -> Iterator[Any]:
    yield from listed(record.get("reasonCode"))
    for reference in listed(record.get("reasonReference")):
        target = next(
            (
                one
                for one in chart.records.get("Condition", ())
                if reference.get("reference") == f"Condition/{one['id']}"
            ),
            None,
        )
        if target is not None and status_of(target.get("verificationStatus")) not in ("entered-in-error", "refuted"):
            yield target.get("code")
        elif target is None and reference.get("display"):
            yield {"text": reference["display"]}


def date_of(found: Found, today: date) -> str | None:
    """The date of a record, as written."""
    record = found.record
    for name in DATES[found.kind]:
        value = record.get(name.split(" ")[0])
        if value is None:
            continue
        if name.lower().endswith("period"):
            bounds = [value[end] for end in ("end", "start") if value.get(end) is not None]
            past = [bound for bound in bounds if not future(bound, today)]
            if bounds:
                return str((past or bounds)[0])
            continue
        try:
            days(value)
        except UnreadableError:
            if name == "performedString":
                return None
            raise
        return str(value)
    return None


def parts_of(record: Json, kind: str, chart: Chart) -> list[str]:
    """The parts of the scope that a record names."""
    scope = chart.policy["scope"]["parts"]

    def named(concept: Any) -> list[str]:
        try:
            keys = keys_of(concept)
        except UnreadableError:
            keys = []
        text = plain(" ".join(texts_of(concept)))
        sets = {part["id"]: chart.sets[part["codes"]] for part in scope}
        return [
            name
            for name, codes in sets.items()
            if any(codes.label(key) is not None for key in keys)
            or any(f" {phrase} " in text for phrase in codes.phrases)
        ]

    by_site = [name for site in listed(record.get("bodySite")) for name in named(site)]
    return by_site or named(concept_of(record, kind))
