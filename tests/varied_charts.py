"""Charts made at random from a seed for a rule set: of each fact's own codes and words, and written in many ways.

They know the limits, the statuses, partial dates and moments, units, contrary records, attested answers with their
authors, parts of a scope, and lists that came in part or not at all.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

from tests.second_reading.page import DRUGS, SYSTEMS, rule_set
from tests.shipped import BASE, TODAY

Json = dict[str, Any]
ME = {"reference": "Patient/p1"}
AGES = (-400, -2, -1, 0, 1, 30, 89, 90, 91, 92, 179, 180, 181, 182, 183, 184, 364, 365, 366, 400, 1000, 4000)
AGES_OF_FORMS = (-2, -1, 0, 0, 0, 1, 1, 7, 30, 60, 89, 90, 91, 120, 179, 180, 181, 182)
WORDED = (
    *("{}", "{}", "{}", "No {}", "{}?", "Rule out {}", "History of {}", "{}; fever ruled out", "Fever, chills or {}"),
    *("No fever, chills or {}", "Denies: fever, {}, chills", "{} - not present", "{}: no", "{}, denied", "w/o {}"),
    *("Mother had {}", "Family history of {}", "{} without relief", "Discussed {}", "Referral for {}", "After {}"),
    *(
        "Cannot exclude {}",
        "{} unlikely",
        "{} resolved",
        "Possible {} but no fever",
        "negative for {}. Fever",
        "{} absent today",
    ),
)
NUMBERS = (0, 1, 3.5, 4, 5, 6, 7, 9, 10, 11, 20, 21, 29, 30, 34.9, 35, 35.1, 44, 50, 60, 61, 100, 1.7, 170, 80, 105)
UNITS: tuple[Json, ...] = (
    *(
        {},
        {},
        {"unit": "{score}"},
        {"code": "%"},
        {"unit": "%"},
        {"unit": "/10"},
        {"unit": "{0-10}"},
        {"code": "mm", "unit": "mm"},
    ),
    *(
        {"code": "kg/m2"},
        {"unit": "kg/(m^2)"},
        {"code": "kg", "system": "http://unitsofmeasure.org"},
        {"unit": "cm"},
        {"unit": "m"},
    ),
    *(
        {"unit": "{points}", "code": "%"},
        {"unit": "mm", "code": "%"},
        {"unit": "BMI", "code": "kg/m2"},
        {"unit": "furlong"},
    ),
)
EACH_FACT = {"site": ("back", "low back", "knee", "right", "left", "bilateral", "sacroiliac")}
SIDES = {"right": "24028007", "left": "7771000", "both": "51440002"}


class Varied:
    """Makes the records of one chart for a rule set."""

    def __init__(self, random: Random, name: str) -> None:
        self.random, self.name = random, name
        files = rule_set(name)
        self.policy, self.codes = files["policy"], files["codes"]
        self.facts: Json = self.policy["facts"]

    def any_of(self, values: Sequence[Any]) -> Any:
        """One of several."""
        return values[int(self.random.random() * len(values))]

    def often(self, share: float) -> bool:
        """Yes, in a share of the cases."""
        return self.random.random() < share

    def day(self, ages: Sequence[int] = AGES) -> str:
        """A date near a limit: a day, now and then without its day or month, or with a time."""
        written = (TODAY - timedelta(days=self.any_of(ages))).isoformat()
        if self.often(0.2):
            return written + self.any_of(("T10:00:00Z", "T23:30:00-05:00", "T08:00:00+11:00", "T00:30:00+14:00"))
        if self.often(0.02):
            return "in spring"
        return written[: self.any_of((10, 10, 10, 10, 7, 4))]

    def dated(self, *names: str) -> Json:
        """One of these elements, with a date; or none of them."""
        name = self.any_of((*names, names[0], ""))
        if name.lower().endswith("period"):
            return {name: {end: self.day() for end in ("start", "end") if self.often(0.7)}}
        return {name: self.day()} if name else {}

    def coding(self, row: Json) -> Json:
        """A coding that falls under a row of a code set, with its system written in one of its ways."""
        uri = self.codes["systems"][row["system"]]["url"]
        code = self.any_of((row["code"], row.get("through", row["code"])))
        code = code.removesuffix("-").removesuffix(".") + (
            "" if not row["code"].endswith("-") else self.any_of(("", "1", "2A"))
        )
        written: Json = {"system": self.any_of((uri, uri, uri, *SYSTEMS[uri][:2]))}
        if self.often(0.05):
            written = {}
        if self.often(0.03):
            code = code.lower()
        return written | {"code": code if not self.often(0.01) else 5}

    def concept(self, named: str) -> Json:
        """A concept that a code set reads, or nearly: by a code, by words, or by words beside another code."""
        entry = self.codes["sets"][named]
        phrases = [*entry.get("text", ()), *entry.get("text_together", {}).get("any_of", ())]
        beside = entry.get("text_together", {}).get("beside", ())
        for drug in entry.get("ingredients", ()):
            known = DRUGS["drugs"][drug]
            phrases += [drug, *known["brands"][:1]]
        made: Json = {}
        if entry["codes"] and self.often(0.6):
            made["coding"] = [self.coding(self.any_of(entry["codes"]))]
        elif self.often(0.3):
            made["coding"] = [
                self.any_of(({"system": "urn:ehr", "code": "77"}, {"system": SNOMED, "code": "404684003"}))
            ]
        if phrases and (not made or self.often(0.4)):
            words = self.any_of(phrases)
            words += f" {self.any_of(beside)}" if beside and self.often(0.7) else ""
            words += f" {self.any_of(entry['unless'])}" if "unless" in entry and self.often(0.1) else ""
            said = self.any_of(WORDED).format(words)
            if made and self.often(0.5):
                made["coding"][0]["display"] = said
            else:
                made["text"] = said
        return made

    def status(self, kind: str) -> Json:
        """A status: mostly one that counts."""
        usual = {"Condition": (), "Observation": ("final",), "DiagnosticReport": ("final",), "Encounter": ("finished",)}
        usual |= {"Procedure": ("completed",), "MedicationRequest": ("active", "stopped")}
        usual |= {"MedicationStatement": ("active", "completed")}
        often = usual.get(kind, ("active",))
        rare = (
            "completed",
            "stopped",
            "in-progress",
            "entered-in-error",
            "not-done",
            "on-hold",
            "preliminary",
            "amended",
        )
        found = self.any_of((*often, *often, *often, *often, None, self.any_of(rare))) if often else None
        return {"status": found} if found else {}

    def sited(self) -> Json:
        """A body site and a reason, now and then."""
        made: Json = {}
        if self.often(0.35):
            side = self.any_of(tuple(SIDES))
            made["bodySite"] = [
                self.any_of(
                    ({"coding": [{"system": SNOMED, "code": SIDES[side]}]}, {"text": self.any_of(EACH_FACT["site"])})
                )
            ]
        if self.often(0.25):
            rows = self.codes["sets"].get("scoliosis", self.codes["sets"]["related"])["codes"]
            made["reasonCode"] = [
                self.any_of(({"coding": [self.coding(rows[0])]}, {"text": "scoliosis"}, {"text": "pain"}))
            ]
        elif self.often(0.1):
            made["reasonReference"] = [self.any_of(({"reference": "Condition/r1"}, {"display": "scoliosis"}))]
        return made

    def record(self) -> Json:
        """A record of one of the facts."""
        rules = [
            rule for rule in self.facts.values() if "resources" in rule or (rule["kind"] == "onset" and "codes" in rule)
        ]
        rule = self.any_of(rules)
        kind = self.any_of(rule.get("resources", ["Condition"]))
        made = {"resourceType": kind, **self.status(kind), **self._of_type(kind, rule["codes"])}
        if self.often(0.02):
            made |= self.any_of(({"modifierExtension": [{"url": "urn:not"}]}, {"implicitRules": "urn:rules"}))
        return made

    def _of_type(self, kind: str, named: str) -> Json:
        concept = self.concept(named)
        if kind == "Condition":
            return {"code": concept, **self.condition()}
        if kind == "Device":
            return {"type": concept}
        if kind == "Encounter":
            return {"type": [concept], **self.dated("period")}
        if kind == "CarePlan":
            detail = {"detail": {"code": concept, **self.status("CarePlan")}}
            return (
                {"activity": [detail], **self.dated("period", "created")}
                if self.often(0.5)
                else {"category": [concept]}
            )
        if kind in ("MedicationRequest", "MedicationStatement"):
            dates = (
                ("authoredOn",)
                if kind == "MedicationRequest"
                else ("effectiveDateTime", "effectivePeriod", "dateAsserted")
            )
            made = {"medicationCodeableConcept": concept, "intent": self.any_of(("order", "plan", "proposal"))}
            if self.often(0.06):
                made = {"medicationReference": self.any_of(({"display": "warfarin"}, {"reference": "Medication/away"}))}
            return made | self.dated(*dates)
        if kind == "ServiceRequest":
            more = {"doNotPerform": True} if self.often(0.1) else {}
            return {
                "code": concept,
                "intent": self.any_of(("order", "order", "plan")),
                **more,
                **self.dated("authoredOn"),
            }
        dates = (
            ("performedDateTime", "performedPeriod", "performedString")
            if kind == "Procedure"
            else ("effectiveDateTime", "effectivePeriod", "issued")
        )
        return {"code": concept, **self.dated(*dates), **self.sited()}

    def condition(self) -> Json:
        """The statuses and dates of a Condition."""
        made: Json = {}
        for name, usual, rare in (
            ("clinicalStatus", "active", ("resolved", "relapse", "inactive")),
            ("verificationStatus", "confirmed", ("refuted", "provisional", "entered-in-error")),
        ):
            found = self.any_of((usual, usual, usual, None, None, self.any_of(rare)))
            made |= {name: {"coding": [{"code": found}]}} if found else {}
        age = self.any_of((20, 40, 45, 46, 51))
        onset = (
            *({"onsetDateTime": self.day()}, {"onsetDateTime": self.day()}, {"onsetPeriod": {"start": self.day()}}, {}),
            *({"onsetAge": {"value": age, "unit": self.any_of(("years", "a", "mo"))}}, {"onsetString": self.day()}),
            {"onsetRange": {"low": {"value": age - self.any_of((0, 5))}, "high": {"value": age}}},
        )
        ended = (
            *(
                {"abatementDateTime": self.day()},
                {"abatementPeriod": {"start": self.day()}},
                {"abatementString": "over"},
            ),
            *({"abatementAge": {"value": 40}}, {"abatementBoolean": self.often(0.5)}),
        )
        made |= self.any_of(onset)
        made |= {"recordedDate": self.day()} if self.often(0.4) else {}
        made |= self.any_of(ended) if self.often(0.15) else {}
        if self.often(0.2):
            made["category"] = [{"coding": [{"code": self.any_of(("encounter-diagnosis", "problem-list-item"))}]}]
        return made

    def observation(self) -> Json:
        """A measurement of one of the facts."""
        names = []
        for rule in self.facts.values():
            names += (
                [rule["codes"], *rule.get("computed_from", {}).values()]
                if rule["kind"] == "measurement" and "codes" in rule
                else []
            )
        value = self.any_of(NUMBERS)
        sizes: tuple[Json, ...] = ({}, {}, {}, {}, {}, {"comparator": self.any_of(("<", "<=", ">", ">="))})
        values: tuple[Json, ...] = (
            *({"valueQuantity": {"value": value, **self.any_of(UNITS), **self.any_of(sizes)}},) * 6,
            *(
                {"valueInteger": int(value)},
                {"valueString": self.any_of(("7/10", "6-7 out of 10", "44 %", "severe", "30"))},
                {},
            ),
        )
        made = {"code": self.concept(self.any_of(names)), **self.any_of(values)}
        if self.often(0.1):
            made = {"code": {"text": "panel"}, "component": [made]}
        if self.often(0.05):
            made["derivedFrom"] = [{"reference": "QuestionnaireResponse/r2"}]
        dates = self.dated("effectiveDateTime", "effectiveDateTime", "effectivePeriod", "issued", "effectiveInstant")
        return {"resourceType": "Observation", **self.status("Observation"), **made, **dates, **self.sited()}

    def answer(self, rule: Json) -> Json:
        """An answer to the item of a fact."""
        made: Json
        if self.often(0.04):
            return self.any_of(
                ({"valueString": "see note"}, {"extension": [{"url": ABSENT, "valueCode": "asked-declined"}]})
            )
        if rule["kind"] == "answer":
            yes = self.often(0.85)
            coded = {"valueCoding": {"system": SNOMED, "code": "373066001" if yes else "373067005"}}
            made = coded if self.often(0.1) else {"valueBoolean": yes}
        elif rule["kind"] in ("onset", "since"):
            made = {self.any_of(("valueDate", "valueDateTime")): self.day()}
        elif rule["kind"] == "reduction":
            made = self.any_of(({"valueDecimal": 75}, {"valueString": "70-80%"}, {"valueInteger": 40}))
        else:
            value = self.any_of(NUMBERS)
            made = (
                {"valueQuantity": {"value": value, **self.any_of(UNITS)}}
                if self.often(0.2)
                else {"valueDecimal": value}
            )
        if self.often(0.05):
            source = {"url": "source", "valueCode": self.any_of(("auto-client", "manual"))}
            made["extension"] = [{"url": ORIGIN, "extension": [source]}]
        return made

    def items(self) -> list[Json]:
        """The items of a form, some with what stands beside them."""
        found = []
        for rule in self.facts.values():
            if "item" not in rule or self.often(0.35):
                continue
            item = self.any_of((rule["item"], rule["item"], *rule.get("aliases", ())))
            item += f".{self.any_of(('right', 'left'))}" if "per" in rule else ""
            if rule["kind"] == "events":
                found += [self.group(rule, item) for _ in range(self.any_of((1, 1, 2)))]
                continue
            found.append({"linkId": item, "answer": [self.answer(rule)]})
            if "until" in rule and self.often(0.8):
                found.append({"linkId": rule["until"], "answer": [{"valueDate": self.day()}]})
            if self.often(0.1):
                found.append({"linkId": f"{item}.observed", "answer": [{"valueDate": self.day()}]})
            if self.often(0.3):
                kind = self.any_of(("Condition", "Condition", "Condition", "Procedure", "MedicationRequest"))
                named = [{"valueReference": {"reference": f"{kind}/r{number}"}} for number in range(12)]
                found.append({"linkId": f"{item}.despite", "answer": named})
                found.append({"linkId": f"{item}.despite-why", "answer": [{"valueString": self.any_of(("mild", ""))}]})
        return found

    def group(self, rule: Json, item: str) -> Json:
        """A group of answers on one event."""
        inner = [{"linkId": f"{item}.date", "answer": [{"valueDate": self.day()}]}] if self.often(0.9) else []
        for attribute in rule["attributes"].values():
            if self.often(0.7):
                inner.append({"linkId": f"{item}.{attribute['item']}", "answer": [self.answer(attribute)]})
        return {"linkId": item, "item": inner}

    def form(self) -> Json:
        """A response: mostly a completed one of a clinician."""
        doctor = {
            "resourceType": "Practitioner",
            "id": "d",
            "qualification": [{"code": {"coding": [{"system": DEGREES, "code": self.any_of(("MD", "CRN", "XX"))}]}}],
        }
        authors: tuple[Json, ...] = (
            *({"author": {"reference": "Practitioner/dr"}},) * 6,
            *({"author": {"reference": "#d"}, "contained": [doctor]}, {"author": {"reference": "Patient/p1"}}),
            *({"author": {"reference": "Device/d"}}, {"author": {"reference": "RelatedPerson/x"}}, {}),
        )
        items: list[Any] = self.items()
        if self.often(0.1):
            role = {"valueCoding": {"system": NUCC, "code": self.any_of(("163W00000X", "207L00000X"))}}
            items.append({"linkId": "attester.role", "answer": [role]})
        if self.often(0.03):
            items.append("pain")
        edition = self.any_of((*("",) * 14, "|9", "none"))
        canonical = f"{BASE}/Questionnaire/{self.name}"
        made = {
            "resourceType": "QuestionnaireResponse",
            "questionnaire": canonical
            if edition == "none"
            else f"{canonical}{edition or '|' + self.policy['edition']}",
            "status": self.any_of((*("completed",) * 8, "amended", "in-progress")),
            **self.any_of(authors),
            "item": items,
        }
        made |= {} if self.often(0.03) else {"authored": self.day(AGES_OF_FORMS)}
        if self.often(0.02):
            made["modifierExtension"] = [{"url": "urn:not"}]
        return made

    def records(self) -> list[Json]:
        """The records of one chart, each with an id, the Patient first."""
        makers: tuple[Callable[[], Json], ...] = (
            *(self.record,) * 4,
            self.observation,
            self.observation,
            *(self.form,) * 3,
        )
        made = [self.any_of(makers)() | {"id": f"r{number}"} for number in range(self.random.randint(2, 10))]
        for record in made:
            whose = {"reference": "Patient/other"} if self.often(0.02) else ME
            record["patient" if record["resourceType"] == "Device" else "subject"] = whose
        born: Json = {"birthDate": self.any_of(("1980", "1975-05-05", "2004-11-24", "2004-11", "2030", "2004-11-23"))}
        died = {"deceasedDateTime": self.day()} if self.often(0.05) else {}
        return [{"resourceType": "Patient", "id": "p1", **born, **died}, *made]

    def sent(self, chart: Sequence[Json], keys: dict[str, str]) -> Json:
        """The chart under the published keys, whose lists mostly came whole."""
        found: Json = {}
        for key, kind in keys.items():
            entries: list[Json] = [{"resource": record} for record in chart if record["resourceType"] == kind]
            bundle: Json = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
            found[key] = self._broken(bundle) if self.often(0.012) and kind != "Patient" else bundle
        return {key: value for key, value in found.items() if value is not ...}

    def _broken(self, bundle: Json) -> Any:
        entries = bundle["entry"]
        error = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
        return self.any_of(
            (
                *(..., None, error, bundle | {"total": len(entries) + 1}, bundle | {"total": len(entries)}),
                bundle | {"link": [{"relation": "next", "url": "https://ehr.example/2"}]},
                bundle | {"entry": [*entries, {"response": {"status": "404"}}]},
                bundle | {"entry": [*entries, {"resource": error, "search": {"mode": "outcome"}}]},
            )
        )


SNOMED = "http://snomed.info/sct"
DEGREES = "http://terminology.hl7.org/CodeSystem/v2-0360"
NUCC = "http://nucc.org/provider-taxonomy"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
ORIGIN = "http://hl7.org/fhir/us/davinci-dtr/StructureDefinition/information-origin"
