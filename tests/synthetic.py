"""Synthetic charts as EHRs send them: what matters is written by hand in examples.py, the rest of a life is drawn here.

Everything is drawn from generators seeded by names, and no clock is read, so that the same chart comes out every time.
No person here exists. CPT codings carry no display: their descriptors are the AMA's.
"""

import uuid
from collections.abc import Iterable
from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple

TODAY = date(2026, 11, 23)
CANONICAL_BASE = "https://cds-service.example/fhir"
QUESTIONNAIRE = f"{CANONICAL_BASE}/Questionnaire/isass-restorative-neurostimulation-2023|2023"
TYPES = (
    "Condition", "Procedure", "Observation", "MedicationRequest", "MedicationStatement", "ServiceRequest",
    "DeviceRequest", "DiagnosticReport", "Device", "Coverage", "QuestionnaireResponse",
)  # fmt: skip

TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
CORE = "http://hl7.org/fhir/us/core/StructureDefinition"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

Coding = tuple[str, str, str | None]


class Ehr(NamedTuple):
    """How one EHR writes: its address, its code systems by short name, its local systems, whether its ids are long."""

    base: str
    systems: dict[str, str]
    local: str
    long_ids: bool = False


URIS = {
    "CPT": "http://www.ama-assn.org/go/cpt",
    "ICD-10-CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "HCPCS": "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
    "LOINC": "http://loinc.org",
    "SNOMED CT": "http://snomed.info/sct",
    "RxNorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
}
OIDS = {
    "CPT": "urn:oid:2.16.840.1.113883.6.12",
    "ICD-10-CM": "urn:oid:2.16.840.1.113883.6.90",
    "HCPCS": "urn:oid:2.16.840.1.113883.6.285",
    "LOINC": "urn:oid:2.16.840.1.113883.6.1",
    "SNOMED CT": "urn:oid:2.16.840.1.113883.6.96",
    "RxNorm": "urn:oid:2.16.840.1.113883.6.88",
}
PLAIN = Ehr("https://ehr.example.org/fhir/r4", URIS, "https://ehr.example.org/codes/")
EPIC_LIKE = Ehr("https://epic-like.example.org/api/FHIR/R4", OIDS, "urn:oid:1.2.840.114350.1.13.0.1.7.", long_ids=True)
SANDBOX = Ehr("https://sandbox.example.org/r4", URIS, "https://sandbox.example.org/codes/")


class Person(NamedTuple):
    """A synthetic patient. ``bmi`` is what the weights of the chart amount to; ``ills`` names rows of ILLS."""

    given: str
    family: str
    gender: str
    born: str
    bmi: float = 27.4
    ills: tuple[str, ...] = ("pressure", "lipids", "reflux", "rhinitis", "vitamin")


class Ill(NamedTuple):
    """A comorbidity with the medication taken for it: text, ICD-10-CM, SNOMED CT, onset; RxNorm, words, dose."""

    text: str
    icd: str
    snomed: str
    onset: str
    rxnorm: str | None = None
    drug: str | None = None
    dose: str | None = None


ILLS = {
    "pressure": Ill(
        "Essential hypertension", "I10", "59621000", "2017-04-11",
        "314076", "lisinopril 10 MG Oral Tablet", "Take 1 tablet once a day"
    ),
    "lipids": Ill(
        "Hyperlipidemia", "E78.5", "55822004", "2018",
        "617310", "atorvastatin 20 MG Oral Tablet", "Take 1 tablet once a day at bedtime"
    ),
    "diabetes": Ill(
        "Type 2 diabetes mellitus", "E11.9", "44054006", "2019-09",
        "861007", "metformin hydrochloride 500 MG Oral Tablet", "Take 1 tablet twice a day with meals",
    ),
    "reflux": Ill(
        "Gastroesophageal reflux disease", "K21.9", "235595009", "2015-06",
        "198051", "omeprazole 20 MG Delayed Release Oral Capsule", "Take 1 capsule once a day before breakfast",
    ),
    "rhinitis": Ill("Seasonal allergic rhinitis", "J30.2", "367498001", "2009"),
    "vitamin": Ill("Vitamin D deficiency", "E55.9", "34713006", "2021-02-17"),
    "anxiety": Ill(
        "Anxiety disorder", "F41.9", "197480006", "2016-05",
        "312941", "sertraline 50 MG Oral Tablet", "Take 1 tablet once a day"
    ),
    "thyroid": Ill("Hypothyroidism", "E03.9", "40930008", "2014-10-02"),
}  # fmt: skip

# Text, ICD-10-CM, SNOMED CT: over and done with.
OLD_ILLS = (
    ("Acute bronchitis", "J20.9", "10509002"),
    ("Acute sinusitis", "J01.90", "15805002"),
    ("Urinary tract infection", "N39.0", "68566005"),
    ("Sprain of ankle", "S93.401A", "44465007"),
    ("Acute pharyngitis", "J02.9", "363746003"),
)

# SNOMED CT, CPT, text, category.
OLD_PROCEDURES = (
    ("73761001", "45378", "Colonoscopy, screening", "103693007"),
    ("86198006", "90686", "Influenza vaccination", "409063005"),
    ("430193006", None, "Medication reconciliation", "409063005"),
    ("171207006", None, "Depression screening", "409063005"),
    ("86198006", "90686", "Influenza vaccination, next season", "409063005"),
    ("80146002", "44970", "Appendectomy", "387713003"),
)

# LOINC, text, low, high, UCUM unit, decimals.
LABS = (
    ("2345-7", "Glucose", 82, 118, "mg/dL", 0),
    ("2160-0", "Creatinine", 0.6, 1.1, "mg/dL", 2),
    ("2823-3", "Potassium", 3.6, 4.9, "mmol/L", 1),
    ("2951-2", "Sodium", 136, 143, "mmol/L", 0),
    ("4548-4", "Hemoglobin A1c", 5.2, 6.3, "%", 1),
    ("2093-3", "Cholesterol, total", 158, 226, "mg/dL", 0),
    ("2085-9", "Cholesterol in HDL", 41, 66, "mg/dL", 0),
    ("2571-8", "Triglycerides", 88, 190, "mg/dL", 0),
    ("718-7", "Hemoglobin", 12.4, 15.6, "g/dL", 1),
    ("6690-2", "White blood cells", 4.3, 9.8, "10*3/uL", 1),
    ("777-3", "Platelets", 168, 340, "10*3/uL", 0),
    ("3016-3", "Thyrotropin", 0.7, 3.9, "m[IU]/L", 2),
)
PANELS = (("24331-1", "Lipid panel"), ("51990-0", "Basic metabolic panel"), ("58410-2", "Complete blood count"))

SURGEONS = ("Ines Varga-Holt, MD", "Tobias Ankersen, MD")
CLINICIANS = ("Priya Ramanathan, DO", "Lucille Okafor, NP", "Hanne Delacroix, MD", "Samuel Brandvold, PA")

# linkId, the question in our own words, the answer that speaks for the therapy.
ATTESTED: tuple[tuple[str, str, Any], ...] = (
    ("pain-frequency", "Share of days with low back pain in the last 12 months", 0.9),
    ("multifidus-dysfunction", "Multifidus dysfunction shown by imaging or examination", True),
    ("physical-therapy", "Physical therapy tried and failed", True),
    ("pain-medication", "Pain medication tried and failed", True),
    ("medical-management", "Pain in spite of more than 90 days of medical management", True),
    ("not-surgical-candidate", "Not a candidate for spine surgery, imaging reviewed", True),
    ("axial-pain", "Pain mechanical and predominantly axial", True),
    ("can-operate-device", "Able to operate the device", True),
    ("fit-for-implant", "Fit for implant surgery", True),
    ("scoliosis", "No scoliosis that excludes, no surgery of scoliosis ever", True),
    ("structural-cause", "No structural or other source of the pain", True),
    ("prior-lumbar-surgery", "No surgery of the lumbar spine ever", True),
    ("leg-pain", "No dominant leg pain", True),
)
QUESTIONS = {link: question for link, question, _ in ATTESTED} | {"pain-duration": "Low back pain since"}


class Chart:
    """One patient's chart, built resource by resource. ``attested`` are the answers on the form, by linkId."""

    def __init__(self, name: str, person: Person, ehr: Ehr) -> None:
        self.name, self.person, self.ehr = name, person, ehr
        self.random = Random(name)
        self.resources: dict[str, dict[str, Any]] = {}
        self.entries: dict[str, list[Any]] = {}
        self.attested: dict[str, Any] = {}
        self.drafts: dict[str, dict[str, Any]] = {}
        self.clinicians = [self.random.choice(SURGEONS), *self.random.sample(CLINICIANS, 2)]
        self.patient_id = self.id(f"{person.given}-{person.family}".lower())
        self.encounter_id = self.id("visit-today")

    # --- the small parts of which every resource is made ---

    def id(self, name: str) -> str:
        """The id of what the example calls ``name``: the name itself, or in an EHR with long ids one of its making."""
        if not self.ehr.long_ids:
            return name
        drawn = Random(f"{self.name}/{name}")
        return "e" + "".join(drawn.choices(LETTERS, k=46)) + "-" + "".join(drawn.choices(LETTERS, k=28)) + "3"

    def drawn_id(self, name: str) -> str:
        """The id of a resource that no one points at by name."""
        if self.ehr.long_ids:
            return self.id(name)
        return str(uuid.UUID(int=Random(f"{self.name}/{name}").getrandbits(128), version=4))

    def concept(self, *codings: Coding, text: str | None = None) -> dict[str, Any]:
        """A CodeableConcept; each coding is (short name of the system or "local:…", code, display)."""
        made: dict[str, Any] = {}
        if codings:
            made["coding"] = [self.coding(*item) for item in codings]
        if text:
            made["text"] = text
        return made

    def coding(self, system: str, code: str, display: str | None = None) -> dict[str, Any]:
        """A Coding; a display is left out for CPT."""
        url = self.local(system[6:]) if system.startswith("local:") else self.ehr.systems.get(system, system)
        return {"system": url, "code": code} | ({"display": display} if display and system != "CPT" else {})

    def local(self, name: str) -> str:
        """The address of one of the EHR's own code or identifier systems."""
        if self.ehr.local.startswith("urn:oid:"):
            return f"{self.ehr.local}{2 + len(name) % 3}.{696000 + sum(map(ord, name))}"
        return self.ehr.local + name

    def patient_reference(self) -> dict[str, Any]:
        """The Reference that most resources carry as their subject; one in four also says the name."""
        made = {"reference": f"Patient/{self.patient_id}"}
        if self.random.random() < 0.25:
            made["display"] = f"{self.person.family}, {self.person.given}"
        return made

    def encounter_reference(self, name: str) -> dict[str, Any]:
        """A Reference to a visit."""
        made: dict[str, Any] = {"reference": f"Encounter/{self.drawn_id(name)}"}
        if self.ehr.long_ids:
            number = 10_000 + Random(f"{self.name}/{name}").randrange(80_000)
            made["identifier"] = {"use": "usual", "system": self.local("encounter"), "value": str(number)}
            made["display"] = "Office Visit"
        return made

    def clinician(self, number: int = 0) -> dict[str, Any]:
        """A Reference to one of the three clinicians of this patient; 0 is the surgeon."""
        display = self.clinicians[number % len(self.clinicians)]
        return {"reference": f"Practitioner/{self.drawn_id(display)[-12:]}", "display": display}

    def at(self, day: str, name: str) -> str:
        """A moment on a day; a partial date stays as it is."""
        if len(day) < 10:
            return day
        drawn = Random(f"{self.name}/{name}/{day}")
        return f"{day}T{drawn.randint(8, 16):02d}:{drawn.randrange(60):02d}:{drawn.randrange(60):02d}-05:00"

    def add(
        self, name: str, kind: str, when: str, drawn: bool, profile: str | None, body: dict[str, Any]
    ) -> dict[str, Any]:
        """Puts a resource on the chart in the frame that every resource has; returns it."""
        chance = Random(f"{self.name}/{name}/frame")
        day = when if len(when) >= 10 else "2026-06-15"
        meta: dict[str, Any] = {
            "versionId": str(chance.randint(1, 6)),
            "lastUpdated": self.at(day[:10], f"{name}/updated"),
        }
        if profile:
            meta["profile"] = [f"{CORE}/{profile}"]
        made: dict[str, Any] = {
            "resourceType": kind,
            "id": self.drawn_id(name) if drawn else self.id(name),
            "meta": meta,
        }
        if chance.random() < 0.2 and (words := _words(body)):
            made["text"] = {
                "status": "generated",
                "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{words}</p></div>',
            }
        if kind not in ("Observation", "Coverage") or chance.random() < 0.1:
            value = str(chance.randrange(10**7, 10**8))
            made["identifier"] = [{"use": "usual", "system": self.local(kind.lower()), "value": value}]
        self.resources[name] = made | body
        return self.resources[name]

    def drop(self, *names: str) -> None:
        """Takes resources off the chart again."""
        for name in names:
            del self.resources[name]

    # --- one method for each kind of resource ---

    def patient(self) -> dict[str, Any]:
        """The Patient resource."""
        person, drawn = self.person, Random(f"{self.name}/patient")
        phone = f"555-01{drawn.randrange(100):02d}"
        sex = "248152002" if person.gender == "female" else "248153007"
        return {
            "resourceType": "Patient",
            "id": self.patient_id,
            "meta": {
                "versionId": "14",
                "lastUpdated": self.at("2026-11-02", "patient"),
                "profile": [f"{CORE}/us-core-patient"],
            },
            "text": {
                "status": "generated",
                "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{person.given} {person.family}</div>',
            },
            "extension": [
                {"url": f"{CORE}/us-core-sex", "valueCode": sex},
                {"url": "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired", "valueBoolean": False},
            ],
            "identifier": [
                {
                    "use": "usual",
                    "type": self.concept((f"{TERMINOLOGY}/v2-0203", "MR", "Medical record number"), text="MRN"),
                    "system": self.local("mrn"),
                    "value": f"SYN{drawn.randrange(10**6, 10**7)}",
                },
                {"use": "secondary", "system": self.local("enterprise"), "value": f"E{drawn.randrange(10**5, 10**6)}"},
            ],
            "active": True,
            "name": [
                {
                    "use": "official",
                    "text": f"{person.given} {person.family}",
                    "family": person.family,
                    "given": [person.given],
                },
                {"use": "usual", "text": f"{person.given} {person.family}"},
            ],
            "telecom": [
                {"system": "phone", "value": phone, "use": "home"},
                {"system": "email", "value": f"{person.given}.{person.family}@example.com".lower(), "rank": 1},
            ],
            "gender": person.gender,
            "birthDate": person.born,
            "deceasedBoolean": False,
            "address": [
                {
                    "use": "home",
                    "line": [f"{drawn.randrange(10, 990)} Example Street"],
                    "city": "Sampleton",
                    "state": "OH",
                    "postalCode": "00000",
                    "country": "US",
                    "period": {"start": "2016-07-15"},
                }
            ],
            "maritalStatus": self.concept((f"{TERMINOLOGY}/v3-NullFlavor", "UNK", "unknown"), text="Not asked"),
            "communication": [
                {"language": self.concept(("urn:ietf:bcp:47", "en", "English"), text="English"), "preferred": True}
            ],
            "generalPractitioner": [self.clinician(1)],
            "managingOrganization": {
                "reference": f"Organization/{self.drawn_id('clinic')}",
                "display": "Sampleton Spine and Family Medicine",
            },
        }

    def condition(
        self,
        name: str,
        text: str,
        icd: str | None = None,
        snomed: str | None = None,
        *,
        onset: dict[str, Any] | str | None = None,
        recorded: str | None = None,
        clinical: str = "active",
        ended: str | None = None,
        category: str = "problem-list-item",
        drawn: bool = False,
    ) -> dict[str, Any]:
        """A Condition; without codes it carries text alone."""
        codings: list[Coding] = []
        if icd:
            codings.append(("ICD-10-CM", icd, text))
        if snomed:
            codings.append(("SNOMED CT", snomed, text))
            codings.append(("local:problem", str(Random(text).randrange(10_000, 99_999)), None))
        body: dict[str, Any] = {
            "clinicalStatus": self.concept((f"{TERMINOLOGY}/condition-clinical", clinical, clinical.capitalize())),
            "verificationStatus": self.concept((f"{TERMINOLOGY}/condition-ver-status", "confirmed", "Confirmed")),
            "category": [
                self.concept(
                    (f"{TERMINOLOGY}/condition-category", category, None),
                )
            ],
            "code": self.concept(*codings, text=text),
            "subject": self.patient_reference(),
            "encounter": self.encounter_reference(f"{name}/visit"),
        }
        if isinstance(onset, str):
            body["onsetDateTime"] = onset
        elif onset:
            body |= onset
        if ended:
            body["abatementDateTime"] = ended
        if recorded:
            body["recordedDate"] = recorded
        body["recorder"] = self.clinician(len(name))
        profile = "us-core-condition-problems-health-concerns"
        if category == "encounter-diagnosis":
            profile = "us-core-condition-encounter-diagnosis"
        return self.add(name, "Condition", recorded or "2026-06-15", drawn, profile, body)

    def observation(
        self,
        name: str,
        loinc: str | None,
        text: str,
        day: str,
        value: dict[str, Any],
        *,
        category: str = "survey",
        panel: str | None = None,
        drawn: bool = False,
    ) -> dict[str, Any]:
        """An Observation; ``value`` holds value[x] or components as they are sent."""
        codings: list[Coding] = [("LOINC", loinc, text)] if loinc else []
        if category != "laboratory":
            codings.append(("local:flowsheet", str(Random(text).randrange(1_000, 99_999)), None))
        moment = self.at(day, f"{name}/taken")
        body: dict[str, Any] = {
            "status": "final",
            "category": [self.concept((f"{TERMINOLOGY}/observation-category", category, None))],
            "code": self.concept(*codings, text=text),
            "subject": self.patient_reference(),
            "encounter": self.encounter_reference(f"visit/{day}"),
            "effectiveDateTime": moment,
        }
        if category != "vital-signs":
            body["issued"] = moment
            body["performer"] = [self.clinician(len(day) + len(text))]
        return self.add(name, "Observation", day, drawn, panel, body | value)

    def procedure(
        self, name: str, text: str, *codings: Coding, day: str, category: str | None = None, site: str | None = None,
        reason: dict[str, Any] | None = None, drawn: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """A completed Procedure."""
        body: dict[str, Any] = {"status": "completed"}
        if category:
            body["category"] = self.concept(("SNOMED CT", category, None))
        body |= {
            "code": self.concept(*codings, text=text),
            "subject": self.patient_reference(),
            "encounter": self.encounter_reference(f"visit/{day}"),
            "performedDateTime": self.at(day, f"{name}/done"),
            "performer": [{"actor": self.clinician(len(text))}],
        }
        if reason:
            body["reasonCode"] = [reason]
        if site:
            body["bodySite"] = [{"text": site}]
        return self.add(name, "Procedure", day, drawn, "us-core-procedure", body)

    def medication(
        self, name: str, text: str, *codings: Coding, day: str, dose: str, status: str = "active",
        route: Coding = ("SNOMED CT", "26643006", "Oral route"), drawn: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """A MedicationRequest with its dosage and supply."""
        body = {
            "status": status,
            "intent": "order",
            "category": [self.concept((f"{TERMINOLOGY}/medicationrequest-category", "community", "Community"))],
            "medicationCodeableConcept": self.concept(*codings, text=text),
            "subject": self.patient_reference(),
            "encounter": self.encounter_reference(f"visit/{day}"),
            "authoredOn": self.at(day, f"{name}/written"),
            "requester": self.clinician(len(name)),
            "recorder": self.clinician(len(name)),
            "dosageInstruction": [
                {
                    "sequence": 1,
                    "text": dose,
                    "route": self.concept(route),
                    "doseAndRate": [
                        {
                            "type": self.concept((f"{TERMINOLOGY}/dose-rate-type", "ordered", "Ordered")),
                            "doseQuantity": {"value": 1, "unit": "each"},
                        }
                    ],
                }
            ],
            "dispenseRequest": {
                "validityPeriod": {"start": day},
                "numberOfRepeatsAllowed": 3,
                "quantity": {"value": 90, "unit": "each"},
            },
        }
        return self.add(name, "MedicationRequest", day, drawn, "us-core-medicationrequest", body)

    def statement(self, name: str, text: str, day: str) -> dict[str, Any]:
        """A MedicationStatement by the patient, in words alone."""
        body = {
            "status": "active",
            "category": self.concept(
                (f"{TERMINOLOGY}/medication-statement-category", "patientspecified", "Patient specified")
            ),
            "medicationCodeableConcept": {"text": text},
            "subject": self.patient_reference(),
            "effectivePeriod": {"start": "2024-06"},
            "dateAsserted": self.at(day, name),
            "informationSource": self.patient_reference(),
            "dosage": [{"text": "as needed", "asNeededBoolean": True}],
        }
        return self.add(name, "MedicationStatement", day, True, None, body)

    def report(
        self, name: str, text: str, *codings: Coding, day: str, category: tuple[str, str] = ("LAB", "Laboratory"),
        results: Iterable[str] = (), conclusion: str | None = None, drawn: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """A final DiagnosticReport."""
        moment = self.at(day, f"{name}/read")
        body: dict[str, Any] = {
            "status": "final",
            "category": [self.concept((f"{TERMINOLOGY}/v2-0074", *category), text=category[1])],
            "code": self.concept(*codings, text=text),
            "subject": self.patient_reference(),
            "encounter": self.encounter_reference(f"visit/{day}"),
            "effectiveDateTime": moment,
            "issued": moment,
            "performer": [self.clinician(2)],
        }
        references = [{"reference": f"Observation/{self.resources[item]['id']}"} for item in results]
        if references:
            body["result"] = references
        if conclusion:
            body["conclusion"] = conclusion
        return self.add(name, "DiagnosticReport", day, drawn, "us-core-diagnosticreport-lab" if drawn else None, body)

    def coverage(self, name: str, payor: dict[str, Any]) -> dict[str, Any]:
        """An active Coverage by a payer."""
        drawn = Random(f"{self.name}/{name}")
        member = str(drawn.randrange(10**8, 10**9))
        body = {
            "identifier": [
                {
                    "type": self.concept((f"{TERMINOLOGY}/v2-0203", "MB", "Member Number")),
                    "system": self.local("member"),
                    "value": member,
                }
            ],
            "status": "active",
            "type": self.concept(("https://nahdo.org/sopt", "5", "Private health insurance"), text="Commercial"),
            "subscriber": self.patient_reference(),
            "subscriberId": member,
            "beneficiary": self.patient_reference(),
            "relationship": self.concept((f"{TERMINOLOGY}/subscriber-relationship", "self", "Self")),
            "period": {"start": "2026-01-01"},
            "payor": [payor],
            "class": [
                {
                    "type": self.concept((f"{TERMINOLOGY}/coverage-class", "group", "Group")),
                    "value": str(drawn.randrange(10_000, 99_999)),
                    "name": "Sampleton employees",
                }
            ],
            "order": 1,
        }
        return self.add(name, "Coverage", "2026-01-09", False, "us-core-coverage", body)

    def answers(
        self, name: str, answers: dict[str, Any], day: str = "2026-11-16", questionnaire: str = QUESTIONNAIRE
    ) -> dict[str, Any]:
        """A completed QuestionnaireResponse with attested answers by linkId; a list of objects is a group for each."""
        items = [item for link, given in answers.items() for item in _items(link, given)]
        moment = self.at(day, name)
        body = {
            "questionnaire": questionnaire,
            "status": "completed",
            "subject": self.patient_reference(),
            "encounter": self.encounter_reference(f"visit/{day}"),
            "authored": moment,
            "author": self.clinician(0),
            "item": items,
        }
        made = self.add(name, "QuestionnaireResponse", day, False, None, body)
        made["identifier"] = made["identifier"][0]  # one in R4, not a list
        return made

    def order(
        self, name: str, text: str | None, *codings: Coding, reason: dict[str, Any] | None = None,
        site: str | None = None, category: Coding | None = ("SNOMED CT", "387713003", "Surgical procedure"),
    ) -> dict[str, Any]:  # fmt: skip
        """A draft ServiceRequest in context.draftOrders."""
        body: dict[str, Any] = {
            "resourceType": "ServiceRequest",
            "id": self.id(name),
            "meta": {"lastUpdated": "2026-11-23T09:41:00-05:00"},
            "extension": [{"url": f"{self.ehr.base}/StructureDefinition/order-mode", "valueString": "Standard"}],
            "identifier": [
                {
                    "use": "usual",
                    "type": self.concept((f"{TERMINOLOGY}/v2-0203", "PLAC", "Placer Identifier")),
                    "system": self.local("order"),
                    "value": str(Random(f"{self.name}/{name}").randrange(10**8, 10**9)),
                }
            ],
            "status": "draft",
            "intent": "order",
            "priority": "routine",
            "code": self.concept(*codings, text=text),
            "subject": self.patient_reference(),
            "encounter": {"reference": f"Encounter/{self.encounter_id}"},
            "occurrenceDateTime": "2026-12-14",
            "authoredOn": "2026-11-23T09:41:00-05:00",
            "requester": self.clinician(0),
        }
        if category:
            body["category"] = [self.concept(category, text=category[2])]
        if reason:
            body["reasonCode"] = [reason]
        if site:
            body["bodySite"] = [{"text": site}]
        if "coverage" in self.resources:
            body["insurance"] = [{"reference": f"Coverage/{self.resources['coverage']['id']}"}]
        self.drafts[name] = body
        return body

    # --- the request ---

    def prefetch(self) -> dict[str, Any]:
        """The chart under its prefetch keys; what is not there is an empty searchset, for devices null."""
        filled: dict[str, Any] = {"patient": self.patient()}
        for kind in TYPES:
            key = kind[0].lower() + kind[1:]
            found = [item for item in self.resources.values() if item["resourceType"] == kind]
            Random(f"{self.name}/{kind}/sequence").shuffle(found)
            entries: list[Any] = [
                {
                    "fullUrl": f"{self.ehr.base}/{kind}/{item['id']}",
                    "resource": item,
                    "search": {"mode": "match"},
                }
                for item in found
            ] + self.entries.get(key, [])
            filled[key] = {
                "resourceType": "Bundle",
                "type": "searchset",
                "total": len(found),
                "link": [{"relation": "self", "url": f"{self.ehr.base}/{kind}?patient={self.patient_id}"}],
            }
            if entries:
                filled[key]["entry"] = entries
            elif kind == "Device":
                filled[key] = None
        return filled


def quantity(value: float, unit: str, code: str | None = None) -> dict[str, Any]:
    """valueQuantity with a UCUM unit."""
    return {
        "valueQuantity": {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": code or unit}
    }


def _items(link: str, given: Any) -> list[dict[str, Any]]:
    if isinstance(given, list):
        return [
            {
                "linkId": link,
                "item": [item for name, value in event.items() for item in _items(f"{link}.{name}", value)],
            }
            for event in given
        ]
    asked = {"text": QUESTIONS[link]} if link in QUESTIONS else {}
    return [{"linkId": link, **asked, "answer": [_answer(given)]}]


def _answer(given: Any) -> dict[str, Any]:
    if isinstance(given, bool):
        return {"valueBoolean": given}
    return {"valueDate": given} if isinstance(given, str) else {"valueDecimal": given}


def _words(body: dict[str, Any]) -> str:
    concept = body.get("code") or body.get("medicationCodeableConcept") or {}
    return str(concept.get("text", "")).replace("&", "&amp;").replace("<", "&lt;")


# --- the rest of a life ---


def noise(chart: Chart, years: int = 4, visits_a_year: int = 2) -> None:
    """Comorbidities, vital signs, laboratory values, medication and procedures of some years, up to this autumn."""
    days = _visits(chart, years, visits_a_year)
    _comorbidities(chart, days)
    _vital_signs(chart, days)
    _laboratory(chart, days)
    _past(chart, days)


def _visits(chart: Chart, years: int, visits_a_year: int) -> list[str]:
    drawn = Random(f"{chart.name}/visits")
    first = TODAY - timedelta(days=365 * years + 70)
    step = 365 // visits_a_year
    days = [first + timedelta(days=step * n + drawn.randrange(step // 2)) for n in range(years * visits_a_year)]
    return [(day - timedelta(days=max(0, day.weekday() - 4))).isoformat() for day in days]


def _comorbidities(chart: Chart, days: list[str]) -> None:
    for number, name in enumerate(chart.person.ills):
        ill = ILLS[name]
        recorded = days[number % len(days)]
        chart.condition(f"ill-{name}", ill.text, ill.icd, ill.snomed, onset=ill.onset, recorded=recorded, drawn=True)
        if ill.rxnorm and ill.drug and ill.dose:
            product: Coding = ("RxNorm", ill.rxnorm, ill.drug)
            chart.medication(f"drug-{name}", ill.drug, product, day=days[-1 - number % 3], dose=ill.dose, drawn=True)
    drawn = Random(f"{chart.name}/old-ills")
    for number, (text, icd, snomed) in enumerate(drawn.sample(OLD_ILLS, 3)):
        day = date.fromisoformat(days[number * 2 % len(days)])
        chart.condition(
            f"old-ill-{number}", text, icd, snomed, onset=day.isoformat(), recorded=day.isoformat(),
            clinical="resolved", ended=(day + timedelta(days=12)).isoformat(),
            category="encounter-diagnosis", drawn=True,
        )  # fmt: skip
    chart.condition(
        "words-alone", "Bilateral knee stiffness after running", onset={"onsetString": "as a teenager"},
        recorded=days[1], clinical="inactive", drawn=True,
    )  # fmt: skip
    chart.medication(
        "old-antibiotic", "amoxicillin 500 MG Oral Capsule", ("RxNorm", "308191", "amoxicillin 500 MG Oral Capsule"),
        day=days[2], dose="Take 1 capsule three times a day for 10 days", status="completed", drawn=True,
    )  # fmt: skip


def _vital_signs(chart: Chart, days: list[str]) -> None:
    drawn = Random(f"{chart.name}/vital-signs")
    height = 164 if chart.person.gender == "female" else 178
    for number, day in enumerate(days):
        weight = round(chart.person.bmi * (height / 100) ** 2 + drawn.uniform(-2.5, 2.5), 1)
        parts = [
            {"code": chart.concept(("LOINC", code, text), text=text), **quantity(drawn.randint(low, high), "mm[Hg]")}
            for code, text, low, high in (
                ("8480-6", "Systolic blood pressure", 116, 142),
                ("8462-4", "Diastolic blood pressure", 70, 90),
            )
        ]
        pressure = {"component": parts}
        chart.observation(
            f"pressure-{number}", "85354-9", "Blood pressure", day, pressure,
            category="vital-signs", panel="us-core-blood-pressure", drawn=True,
        )  # fmt: skip
        chart.observation(
            f"weight-{number}", "29463-7", "Body weight", day, quantity(weight, "kg"),
            category="vital-signs", panel="us-core-body-weight", drawn=True,
        )  # fmt: skip
        if number % 4 == 2:
            bmi = round(weight / (height / 100) ** 2, 1)
            chart.observation(
                f"bmi-{number}", "39156-5", "Body mass index", day, quantity(bmi, "kg/m2"),
                category="vital-signs", panel="us-core-bmi", drawn=True,
            )  # fmt: skip
        if number % 4 == 0:
            chart.observation(
                f"rate-{number}", "8867-4", "Heart rate", day, quantity(drawn.randint(58, 88), "/min"),
                category="vital-signs", panel="us-core-heart-rate", drawn=True,
            )  # fmt: skip


def _laboratory(chart: Chart, days: list[str]) -> None:
    drawn = Random(f"{chart.name}/laboratory")
    for number, day in enumerate(days[1::4]):
        names = []
        for loinc, text, low, high, unit, decimals in drawn.sample(LABS, 6):
            name = f"lab-{number}-{loinc}"
            value: float = round(drawn.uniform(low, high), decimals)
            result = quantity(int(value) if decimals == 0 else value, unit)
            result["referenceRange"] = [{"low": {"value": low, "unit": unit}, "high": {"value": high, "unit": unit}}]
            chart.observation(
                name, loinc, text, day, result, category="laboratory", panel="us-core-observation-lab", drawn=True
            )
            names.append(name)
        loinc, text = PANELS[number % len(PANELS)]
        chart.report(f"panel-{number}", text, ("LOINC", loinc, text), day=day, results=names, drawn=True)
    smoking = {
        "valueCodeableConcept": chart.concept(("SNOMED CT", "266919005", "Never smoked tobacco"), text="Never smoker")
    }
    chart.observation(
        "smoking", "72166-2", "Tobacco smoking status", days[-1], smoking, category="social-history", drawn=True
    )


def _past(chart: Chart, days: list[str]) -> None:
    young = chart.person.born >= "1981"
    for number, (snomed, cpt, text, category) in enumerate(OLD_PROCEDURES[1:] if young else OLD_PROCEDURES):
        codings: list[Coding] = [("SNOMED CT", snomed, text)]
        if cpt:
            codings.append(("CPT", cpt, None))
        day = "2017" if snomed == "80146002" else days[number * 2 % len(days)]
        chart.procedure(f"past-{number}", text, *codings, day=day, category=category, drawn=True)
    chart.report(
        "chest", "Chest radiograph, two views", ("LOINC", "36643-5", "XR Chest 2 Views"), day=days[0],
        category=("RAD", "Radiology"), conclusion="No acute finding.", drawn=True,
    )  # fmt: skip
    day = days[-2]
    body = {
        "questionnaire": f"{chart.ehr.base}/Questionnaire/annual-visit-intake",
        "status": "completed",
        "subject": chart.patient_reference(),
        "authored": chart.at(day, "intake"),
        "item": [
            {"linkId": "1", "text": "Do you feel safe at home?", "answer": [{"valueBoolean": True}]},
            {"linkId": "2", "text": "How many days a week do you exercise?", "answer": [{"valueInteger": 3}]},
            {
                "linkId": "3",
                "text": "Which pharmacy do you use?",
                "answer": [{"valueString": "Example Pharmacy, Sampleton"}],
            },
        ],
    }
    made = chart.add("intake", "QuestionnaireResponse", day, True, None, body)
    made["identifier"] = made["identifier"][0]
    body = {
        "status": "completed",
        "intent": "order",
        "priority": "routine",
        "code": chart.concept(("local:order", "LAB0412", "LIPID PANEL"), ("CPT", "80061", None), text="Lipid panel"),
        "subject": chart.patient_reference(),
        "encounter": chart.encounter_reference(f"visit/{day}"),
        "authoredOn": chart.at(day, "past-order"),
        "requester": chart.clinician(1),
        "reasonCode": [chart.concept(("ICD-10-CM", "E78.5", "Hyperlipidemia"), text="Hyperlipidemia")],
    }
    chart.add("past-order", "ServiceRequest", day, True, "us-core-servicerequest", body)
