"""One fact of a chart, as each of ten systems writes it (FHIR R4). All people, notes and local codes are invented."""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

from tests.charts import CPT, HCPCS, ICD10CM, LOINC, RXNORM, SNOMED

Json = dict[str, Any]
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_NULL = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What is charted: a problem, drug, score, act, therapy, report, exam, payer or device.

    ``at`` is the criterion on which it bears; it is shown where its record is, and where that alone does not tell it,
    what matches ``said`` as well. With ``counts`` false it must not count as evidence there.
    """

    kind: str
    words: str
    at: str
    said: str = ""
    day: str = "2026-10-20"
    code: str = ""
    snomed: str = ""
    value: float = 0
    status: str = ""
    note: str = ""
    brand: str = ""
    counts: bool = True


@dataclass
class Manner:
    """US Core: standard codes with words. Each other manner says where it differs."""

    name: str = "US Core"
    subject: Json = field(default_factory=lambda: {"reference": "Patient/px-1"})
    intent: str = "plan"
    entries: list[Json] = field(default_factory=list)
    count: int = 0

    def add(self, kind: str, **members: Any) -> str:
        """Adds one resource; its reference."""
        self.count += 1
        name = f"{kind.lower()}-{self.count}"
        whose = "patient" if kind == "Device" else "beneficiary" if kind == "Coverage" else "subject"
        made = {"resourceType": kind, "id": name, whose: self.subject, **members}
        resource = {key: value for key, value in made.items() if value is not None}
        self.entries.append({"fullUrl": f"https://ehr.example/fhir/{kind}/{name}", "resource": resource})
        return f"{kind}/{name}"

    def coded(self, words: str, *codes: tuple[str, str]) -> Json:
        """A concept with all its codes and its words."""
        listed = [{"system": system, "code": code, "display": words} for system, code in codes if code]
        return ({"coding": listed} if listed else {}) | {"text": words}

    def day(self, day: str) -> str:
        """A day as this system writes dates."""
        return day

    def problem(self, fact: Fact) -> list[str]:
        """An entry of the problem list."""
        ended = fact.status == "ended"
        return [
            self.add(
                "Condition",
                clinicalStatus={"coding": [{"system": _CLINICAL, "code": "resolved" if ended else "active"}]},
                category=[{"coding": [{"system": _CATEGORY, "code": "problem-list-item"}]}],
                code=self.coded(fact.words, (SNOMED, fact.snomed), (ICD10CM, fact.code)),
                onsetDateTime=self.day(fact.day),
                abatementDateTime=self.day("2022-05-01") if ended else None,
            )
        ]

    def drug(self, fact: Fact) -> list[str]:
        """A prescription; a ``note`` is why it was stopped."""
        return [
            self.add(
                "MedicationRequest",
                status="stopped" if fact.note else "active",
                intent=self.intent,
                authoredOn=self.day(fact.day),
                statusReason={"text": fact.note} if fact.note else None,
                **self.medicine(fact),
            )
        ]

    def medicine(self, fact: Fact) -> Json:
        """What was prescribed."""
        return {"medicationCodeableConcept": self.coded(f"{fact.words} oral tablet", (RXNORM, fact.code))}

    def score(self, fact: Fact) -> list[str]:
        """A measurement."""
        return [
            self.add(
                "Observation",
                status="final",
                code=self.measured(fact),
                effectiveDateTime=self.day(fact.day),
                **self.number(fact),
            )
        ]

    def measured(self, fact: Fact) -> Json:
        """What was measured."""
        return self.coded(fact.words, (LOINC, fact.code))

    def number(self, fact: Fact) -> Json:
        """Its value."""
        return {"valueQuantity": {"value": fact.value, "unit": fact.note}}

    def act(self, fact: Fact) -> list[str]:
        """Something that was done."""
        return [
            self.add(
                "Procedure",
                status=fact.status or "completed",
                code=self.done(fact),
                performedDateTime=self.day(fact.day),
            )
        ]

    def done(self, fact: Fact) -> Json:
        """What was done."""
        return self.coded(fact.words, (CPT, fact.code), (SNOMED, fact.snomed))

    def therapy(self, fact: Fact) -> list[str]:
        """Sessions on four days."""
        return [ref for day in ("03", "10", "17", "24") for ref in self.act(_on(fact, f"2026-02-{day}"))]

    def report(self, fact: Fact) -> list[str]:
        """An imaging report; its ``note`` is what it concludes."""
        return [
            self.add(
                "DiagnosticReport",
                status="final",
                code=self.done(fact),
                effectiveDateTime=self.day(fact.day),
                **self.concluded(fact),
            )
        ]

    def concluded(self, fact: Fact) -> Json:
        """What the report says."""
        return {"conclusion": fact.note}

    def exam(self, fact: Fact) -> list[str]:
        """A finding of an examination."""
        code, day = {"text": fact.words}, self.day(fact.day)
        return [self.add("Observation", status="final", code=code, effectiveDateTime=day, valueString=fact.note)]

    def payer(self, fact: Fact) -> list[str]:
        """Who pays."""
        return [self.add("Coverage", status="active", payor=[{"display": fact.words}])]

    def device(self, fact: Fact) -> list[str]:
        """A device of the patient."""
        return [self.add("Device", status=fact.status or "active", type={"text": fact.words})]


class Epic(Manner):
    """Local OIDs beside standard codes, drugs by a reference that was not sent, impressions as Observations."""

    def coded(self, words: str, *codes: tuple[str, str]) -> Json:
        own = {"system": "urn:oid:1.2.840.114350.1.13.77.2.7.2.1", "code": f"77{len(words)}", "display": words.upper()}
        made = super().coded(words, *codes)
        return made | {"coding": [own, *made.get("coding", [])]}

    def measured(self, fact: Fact) -> Json:
        return self.coded({"72514-3": "R PAIN RATING", "97909-6": "OSWESTRY INDEX (%)"}.get(fact.code, fact.words))

    def medicine(self, fact: Fact) -> Json:
        called = f"{fact.words} ({fact.brand.upper()}) tablet"
        return {"medicationReference": {"reference": f"Medication/m-{self.count}", "display": called}}

    def report(self, fact: Fact) -> list[str]:
        impression = self.exam(_with_words(fact, "Impression"))
        made = self.add(
            "DiagnosticReport",
            status="final",
            code=self.done(fact),
            effectiveDateTime=self.day(fact.day),
            result=[{"reference": impression[0]}],
        )
        return [made, *impression]


class Oracle(Manner):
    """Code sets of its own, ``userSelected``, milliseconds with a zone."""

    def coded(self, words: str, *codes: tuple[str, str]) -> Json:
        own = {"system": "https://fhir.oracle.example/codeSet/72", "code": f"4{len(words)}", "userSelected": True}
        made = super().coded(words, *codes)
        return made | {"coding": [*made.get("coding", []), own]}

    def day(self, day: str) -> str:
        return f"{day}T15:04:05.000Z"


class Athena(Manner):
    """Vital signs under codes of its own; reports whose text is a form."""

    def measured(self, fact: Fact) -> Json:
        own = {"system": "https://athena.example/vitals", "code": f"VITALS.{len(fact.words)}", "display": fact.words}
        return {"coding": [own], "text": fact.words}

    def concluded(self, fact: Fact) -> Json:
        return {"presentedForm": [{"contentType": "text/plain", "data": b64encode(fact.note.encode()).decode()}]}


class EClinicalWorks(Manner):
    """ICD-10-CM alone, values as text, brand names, the month for the day."""

    def coded(self, words: str, *codes: tuple[str, str]) -> Json:
        return super().coded(words, *(item for item in codes if item[0] != SNOMED))

    def medicine(self, fact: Fact) -> Json:
        return {"medicationCodeableConcept": {"text": f"{fact.brand or fact.words} 1 tab"}}

    def number(self, fact: Fact) -> Json:
        unit = "/10" if fact.code == "72514-3" else f" {fact.note}"
        return {"valueString": f"{fact.value:g}{unit}"}

    def problem(self, fact: Fact) -> list[str]:
        return super().problem(_on(fact, fact.day[:7]))


class NextGen(Manner):
    """Codings without text, ICD-10-CM without its dot, NDC for drugs."""

    def coded(self, words: str, *codes: tuple[str, str]) -> Json:
        listed = super().coded(words, *((system, code.replace(".", "")) for system, code in codes))
        return {"coding": listed["coding"]} if "coding" in listed else listed

    def medicine(self, fact: Fact) -> Json:
        code = {"system": "http://hl7.org/fhir/sid/ndc", "code": "00000000000", "display": f"{fact.words} tablet"}
        return {"medicationCodeableConcept": {"coding": [code]}}


class Vista(Manner):
    """Bare codes, capitals, the code in the problem's words; height and weight in place of the index."""

    def coded(self, words: str, *codes: tuple[str, str]) -> Json:
        listed = [{"code": code} for system, code in codes if code and system in (ICD10CM, CPT)]
        number = next((code for system, code in codes if system == SNOMED and code), "")
        said = words.upper() + (f" (SCT {number})" if number else "")
        return ({"coding": listed} if listed else {}) | {"text": said}

    def score(self, fact: Fact) -> list[str]:
        if fact.code != "39156-5":
            return super().score(fact)
        heavy = Fact(kind="score", words="WEIGHT", at="", code="29463-7", value=fact.value * 3.0625, note="kg")
        tall = Fact(kind="score", words="HEIGHT", at="", code="8302-2", value=175, note="cm")
        return [ref for item in (heavy, tall) for ref in super(Vista, self).score(item)]

    def measured(self, fact: Fact) -> Json:
        return Manner.coded(self, fact.words, (LOINC, fact.code))


class Claims(Manner):
    """Codes without words, CPT under the system of HCPCS, no status of a diagnosis, no scores and no findings."""

    def coded(self, words: str, *codes: tuple[str, str]) -> Json:
        shown = [(HCPCS if system == CPT else system, code) for system, code in codes if code and system != SNOMED]
        return {"coding": [{"system": system, "code": code} for system, code in shown]}

    def problem(self, fact: Fact) -> list[str]:
        if not fact.code:
            return []
        category = [{"coding": [{"system": _CATEGORY, "code": "encounter-diagnosis"}]}]
        day = fact.day if fact.day >= "2026" else "2026-08-03"
        code = self.coded(fact.words, (ICD10CM, fact.code))
        return [self.add("Condition", category=category, code=code, recordedDate=day)]

    def act(self, fact: Fact) -> list[str]:
        return super().act(fact) if fact.code else []

    def score(self, fact: Fact) -> list[str]:
        return []

    def exam(self, fact: Fact) -> list[str]:
        return []

    def concluded(self, fact: Fact) -> Json:
        return {}


class Synthea(Manner):
    """SNOMED CT and RxNorm, subjects as ``urn:uuid``."""

    def __init__(self) -> None:
        super().__init__(subject={"reference": "urn:uuid:px-1"}, intent="order")

    def coded(self, words: str, *codes: tuple[str, str]) -> Json:
        first = [item for item in codes if item[1] and item[0] in (SNOMED, RXNORM, LOINC)]
        return super().coded(words, *(first or codes))


class Ccda(Manner):
    """Null flavors in place of codes, the words of the narrative, the month or year alone."""

    def coded(self, words: str, *codes: tuple[str, str]) -> Json:
        made = super().coded(words, *codes[:1])
        return made if made.get("coding") else {"coding": [{"system": _NULL, "code": "UNK"}], "text": words}

    def problem(self, fact: Fact) -> list[str]:
        return super().problem(_on(fact, fact.day[:4]))

    def concluded(self, fact: Fact) -> Json:
        html = f"<html><body><p>IMPRESSION:</p><p>{fact.note}</p></body></html>"
        return {"presentedForm": [{"contentType": "text/html", "data": b64encode(html.encode()).decode()}]}


MANNERS = {
    "Epic": Epic,
    "Oracle Health": Oracle,
    "athenahealth": Athena,
    "eClinicalWorks": EClinicalWorks,
    "NextGen": NextGen,
    "VistA": Vista,
    "claims": Claims,
    "Synthea": Synthea,
    "US Core": Manner,
    "C-CDA": Ccda,
}


def _on(fact: Fact, day: str) -> Fact:
    return Fact(**{**fact.__dict__, "day": day})


def _with_words(fact: Fact, words: str) -> Fact:
    return Fact(**{**fact.__dict__, "words": words})
