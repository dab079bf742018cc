"""Writes fhir_examples/: synthetic patients, the hook requests made for them, and the service's answers.

``python -m tests.examples`` writes everything anew; ``python -m tests.examples --requests`` leaves the answers alone.
Dates lie well away from every limit, because ``cds-service example`` moves them to the present day.
"""

import json
import re
import shutil
import sys
import uuid
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from tests.examples_joint import JOINT
from tests.recipes import RECIPES, example
from tests.synthetic import ATTESTED, EPIC_LIKE, SANDBOX, TODAY, Chart, Person, noise, quantity

FOLDER = Path(__file__).parent.parent / "fhir_examples"
PUBLIC_URL = "http://127.0.0.1:8080"

# Resources that are broken on purpose; every other resource of every example is valid FHIR.
BROKEN = {
    "broken-resources": frozenset(
        (
            "Condition/code-is-a-word", "Procedure/date-in-words", "Observation/value-in-words",
            "Observation/coding-no-list", "MedicationRequest/concept-no-object", "DiagnosticReport/without-code",
            "QuestionnaireResponse/answer-in-words", "Coverage/period-in-words",
        )
    ),
}  # fmt: skip


# --- what several charts share ---


def back_pain(chart: Chart, onset: str | None = "2023-02") -> None:
    """Chronic low back pain on the problem list, and an old encounter diagnosis of it."""
    text = "Chronic midline low back pain"
    if chart.ehr is EPIC_LIKE:
        text += " without sciatica"  # the words that a widely used interface terminology has for it
    chart.condition("low-back-pain", text, "M54.59", "278860009", onset=onset, recorded="2023-05-09")
    chart.condition(
        "low-back-pain-visit",
        "Low back pain",
        "M54.50",
        recorded="2023-05-09",
        category="encounter-diagnosis",
        drawn=True,
    )


def structured(chart: Chart, onset: str | None = "2023-02") -> None:
    """What a chart with low back pain usually holds in structured form; nothing of it is an outcome."""
    back_pain(chart, onset)
    chart.condition("multifidus", "Dysfunction of lumbar multifidus muscle", "M62.85", recorded="2025-01-10")
    for number, day in enumerate(
        ("2025-10-20", "2025-10-27", "2025-11-03", "2025-11-10", "2025-11-17", "2025-12-01", "2025-12-08", "2025-12-15")
    ):
        name = "therapy-evaluation" if number == 0 else f"therapy-{number}"
        text = "Physical therapy evaluation" if number == 0 else "Physical therapy, exercises"
        chart.procedure(name, text, ("CPT", "97161" if number == 0 else "97110", None), day=day, site="Low back")
    chart.medication(
        "naproxen", "naproxen 500 mg tablet",
        ("RxNorm", "198014", "naproxen 500 MG Oral Tablet"), ("RxNorm", "7258", "naproxen"),
        day="2025-03-04", dose="Take 1 tablet twice a day with food", status="stopped",
    )  # fmt: skip
    chart.medication(
        "duloxetine", "duloxetine 60 mg capsule",
        ("RxNorm", "596934", "duloxetine 60 MG Delayed Release Oral Capsule"), ("RxNorm", "72625", "duloxetine"),
        day="2025-08-19", dose="Take 1 capsule once a day",
    )  # fmt: skip
    chart.statement("over-the-counter", "Acetaminophen 500 mg over the counter", "2026-02-11")
    chart.observation("bmi", "39156-5", "Body mass index", "2026-10-20", quantity(chart.person.bmi, "kg/m2"),
                      category="vital-signs", panel="us-core-bmi")  # fmt: skip
    chart.observation("odi", "97909-6", "Oswestry disability index score", "2026-10-20", quantity(44, "%"))
    chart.observation("odi-earlier", "97909-6", "Oswestry disability index score", "2026-01-14", quantity(48, "%"))
    pain_score(chart, "pain", "2026-11-02", 7)
    pain_score(chart, "pain-earlier", "2026-01-14", 8)
    chart.coverage("coverage", {"display": "Example Mutual"})


def pain_score(chart: Chart, name: str, day: str, score: int) -> None:
    """A verbal pain score from 0 to 10, as nurses enter it."""
    chart.observation(
        name, "72514-3", "Pain severity, 0 to 10", day, {"valueQuantity": {"value": score, "unit": "{score}"}}
    )


def documented(chart: Chart, onset: str | None = "2023-02") -> None:
    """The structured chart with a lumbar MRI and every question of the form answered in favour."""
    structured(chart, onset)
    chart.report(
        "lumbar-mri", "MRI lumbar spine without contrast", ("LOINC", "30679-5", None), ("CPT", "72148", None),
        day="2026-06-18", category=("RAD", "Radiology"),
        conclusion="Fatty infiltration of the multifidus on both sides. No finding that calls for surgery.",
    )  # fmt: skip
    chart.attested = {link: answer for link, _, answer in ATTESTED}


def leads(chart: Chart, reason: str = "M62.85", text: str = "Neurostimulator leads, percutaneous") -> dict[str, Any]:
    """The draft of the leads, coded, with a diagnosis of the low back as its reason."""
    words = {"M62.85": "Dysfunction of lumbar multifidus muscle", "M54.5": "Low back pain"}[reason]
    return chart.order(
        "leads", text, ("local:order", "SUR2207", text.upper()), ("CPT", "64555", None),
        reason=chart.concept(("ICD-10-CM", reason, words), text=words),
    )  # fmt: skip


# --- the examples ---


@example(
    "A 48-year-old whose chart holds everything; her surgeon orders the therapy by its name, without a code.",
    "All 8 label criteria met. Two suggestions: CPT 64555 added to the draft, and a companion order with CPT 64590.",
    Person("Marisol", "Quintero", "female", "1978-06-14"),
)
def all_met(chart: Chart) -> None:
    documented(chart)
    text = "Restorative neurostimulation, percutaneous leads (ReActiv8)"
    words = "Dysfunction of lumbar multifidus muscle"
    chart.order(
        "leads", text, ("local:order", "SUR2231", "RESTORATIVE NEUROSTIM LEADS"),
        reason=chart.concept(("ICD-10-CM", "M62.85", words), text=words),
    )  # fmt: skip


@example(
    "A 48-year-old with a well-kept structured chart and nothing attested, as most charts are on the day of the order.",
    "6 of 8 label criteria undocumented: each row says what was found and what is missing. The generator is suggested.",
    Person("Rosalind", "Achterberg", "female", "1978-05-22"),
)
def typical_gaps(chart: Chart) -> None:
    structured(chart)
    leads(chart)


@example(
    "A 53-year-old whose diagnoses carry no date of onset.",
    "One label criterion to document: how long the pain has lasted. The date of recording is not taken for the onset.",
    Person("Anselm", "Ferreyra", "male", "1973-04-30", 28.6, ("pressure", "lipids", "diabetes", "rhinitis")),
)
def gap_pain_duration(chart: Chart) -> None:
    documented(chart, onset=None)
    leads(chart)


@example(
    "A 44-year-old with the diagnosis M62.85 and no test or image that shows by what it was found.",
    "One label criterion to document: a diagnosis of multifidus dysfunction alone does not show how it was found.",
    Person("Odile", "Marchetti", "female", "1982-07-08", 24.9, ("reflux", "rhinitis", "thyroid")),
)
def gap_multifidus_test(chart: Chart) -> None:
    documented(chart)
    chart.drop("lumbar-mri")
    del chart.attested["multifidus-dysfunction"]
    leads(chart)


@example(
    "A 57-year-old with eight sessions of physical therapy on record and no word on how they ended.",
    "One label criterion to document: the sessions are counted and dated, their outcome is asked for.",
    Person("Bertrand", "Osei-Lund", "male", "1969-05-19", 29.8, ("pressure", "lipids", "reflux", "vitamin")),
)
def gap_physical_therapy_outcome(chart: Chart) -> None:
    documented(chart)
    del chart.attested["physical-therapy"]
    leads(chart)


@example(
    "A 39-year-old with naproxen, duloxetine and acetaminophen on record and no word on their effect.",
    "One label criterion to document: the medication is named, its effect is asked for.",
    Person("Yewande", "Castellan", "female", "1987-06-27", 26.1, ("anxiety", "rhinitis", "vitamin")),
)
def gap_medication_outcome(chart: Chart) -> None:
    documented(chart)
    del chart.attested["pain-medication"]
    leads(chart)


@example(
    "A 61-year-old for whom no one has written down whether spine surgery is an option.",
    "One label criterion to document: not a candidate for spine surgery.",
    Person("Leopold", "Naidoo", "male", "1965-07-15", 27.9, ("pressure", "lipids", "diabetes", "reflux")),
)
def gap_surgical_candidacy(chart: Chart) -> None:
    documented(chart)
    del chart.attested["not-surgical-candidate"]
    leads(chart)


@example(
    "A 50-year-old without any Oswestry score.",
    "Label met, codes offered. The studied population stays open by one criterion, the disability score.",
    Person("Henrike", "Salonga", "female", "1976-05-05", 25.7, ("lipids", "thyroid", "vitamin")),
)
def gap_disability_score(chart: Chart) -> None:
    documented(chart)
    chart.drop("odi", "odi-earlier")
    leads(chart)


@example(
    "A 46-year-old whose last pain score is more than half a year old.",
    "Label met. Pain severity is to document: the row says that the old score is too old to count.",
    Person("Casimir", "Adeyemi", "male", "1980-06-03", 28.2, ("pressure", "reflux", "rhinitis")),
)
def gap_stale_pain_score(chart: Chart) -> None:
    documented(chart)
    chart.drop("pain")
    pain_score(chart, "pain-old", "2026-05-04", 7)
    leads(chart)


@example(
    "A 20-year-old, younger than the labelled indication, with everything else documented.",
    "Outside the label, a warning: the age and its limit. Codes are withheld and nothing is suggested.",
    Person("Tindra", "Holloway", "female", "2006-05-20", 22.8, ("rhinitis", "anxiety")),
)
def off_label_age_20(chart: Chart) -> None:
    documented(chart)
    leads(chart)


@example(
    "A 58-year-old with a lumbar fusion behind him, on record and attested.",
    "Label met, but not studied: earlier lumbar surgery. Codes are offered; the trials say nothing of such patients.",
    Person("Gideon", "Vasquez-Thorne", "male", "1968-06-11", 29.1, ("pressure", "lipids", "reflux", "vitamin")),
)
def outside_studied_population(chart: Chart) -> None:
    documented(chart)
    chart.procedure(
        "fusion", "Posterior lumbar fusion, L5-S1",
        ("CPT", "22612", None), ("SNOMED CT", "55705006", "Fusion of spine"),
        day="2016-09", category="387713003", site="Lumbar spine",
    )  # fmt: skip
    chart.condition("after-fusion", "Arthrodesis status", "Z98.1", recorded="2016-11-08", onset="2016-09")
    chart.attested["prior-lumbar-surgery"] = False
    leads(chart)


@example(
    "A 55-year-old under treatment for lumbar discitis.",
    "Outside the label, a warning: the active infection on record makes her unfit for the implant now. No codes.",
    Person("Philippa", "Drozdov", "female", "1971-05-28", 26.8, ("pressure", "diabetes", "lipids")),
)
def infection_red_flag(chart: Chart) -> None:
    documented(chart)
    chart.condition(
        "discitis", "Discitis of lumbar region", "M46.46", onset="2026-10-28", recorded="2026-10-30",
    )  # fmt: skip
    chart.medication(
        "antibiotic", "cefazolin 2 g intravenous", day="2026-10-30", dose="2 g intravenously every 8 hours for 6 weeks",
        route=("SNOMED CT", "47625008", "Intravenous route"),
    )  # fmt: skip
    del chart.attested["fit-for-implant"]
    del chart.attested["structural-cause"]
    leads(chart)


@example(
    "A 66-year-old with lumbar spinal stenosis whose surgeon attests that surgery is an option.",
    "Outside the label, a warning: attested as a candidate for spine surgery. No codes, no suggestions.",
    Person("Ambrose", "Kettleworth", "male", "1960-04-24", 28.8, ("pressure", "lipids", "diabetes", "reflux")),
)
def surgical_pathology(chart: Chart) -> None:
    documented(chart)
    chart.condition(
        "stenosis", "Spinal stenosis of lumbar region with neurogenic claudication", "M48.062", "18347007",
        onset="2025-07", recorded="2025-09-02",
    )  # fmt: skip
    chart.resources["lumbar-mri"]["conclusion"] = "Severe central stenosis at L4-L5."
    chart.attested |= {"not-surgical-candidate": False, "structural-cause": False, "leg-pain": False}
    leads(chart)


@example(
    "A 51-year-old who already carries a neurostimulator.",
    "All label criteria met, with a line for review: a neurostimulator is on record, so no second one is suggested.",
    Person("Solveig", "Abernathy", "female", "1975-06-19", 25.4, ("reflux", "thyroid", "vitamin")),
)
def already_implanted(chart: Chart) -> None:
    documented(chart)
    body = {
        "udiCarrier": [{"deviceIdentifier": "00000000000017", "carrierHRF": "(01)00000000000017(21)SYN0042"}],
        "status": "active",
        "distinctIdentifier": "SYN0042",
        "manufacturer": "Example Devices",
        "serialNumber": "SYN0042",
        "deviceName": [{"name": "Implanted neurostimulator system", "type": "user-friendly-name"}],
        "modelNumber": "N-1",
        "type": chart.concept(("SNOMED CT", "25937001", "Neurostimulator"), text="Neurostimulator"),
        "patient": chart.patient_reference(),
    }
    chart.add("stimulator", "Device", "2024-04-16", False, "us-core-implantable-device", body)
    chart.condition(
        "stimulator-status", "Presence of neurostimulator", "Z96.82", recorded="2024-04-18", onset="2024-04-16"
    )
    chart.procedure("stimulator-implant", "Implant of generator", ("CPT", "64590", None), day="2024-04-16")
    leads(chart)


@example(
    "A 63-year-old who is to have a nerve stimulator for shoulder pain and also has low back pain.",
    "Silence: the same CPT code, but the order points at the shoulder.",
    Person("Ottoline", "Brancusi", "female", "1963-07-02", 27.0, ("pressure", "lipids", "thyroid")),
)
def shoulder_stimulator(chart: Chart) -> None:
    structured(chart)
    text = "Peripheral nerve stimulator leads, suprascapular nerve"
    chart.order(
        "leads", text, ("local:order", "SUR2212", "PNS LEADS"), ("CPT", "64555", None), site="Right shoulder",
        reason=chart.concept(("ICD-10-CM", "M25.511", "Pain in right shoulder"), text="Pain in right shoulder"),
    )  # fmt: skip


@example(
    "A 48-year-old with low back pain for whom a lipid panel and an MRI of the knee are signed.",
    "Silence: no policy has anything to say about these orders.",
    Person("Evander", "Lindqvist", "male", "1978-04-18", 28.0, ("pressure", "lipids", "reflux", "rhinitis")),
)
def unrelated_order(chart: Chart) -> None:
    structured(chart)
    laboratory = ("SNOMED CT", "108252007", "Laboratory procedure")
    imaging = ("SNOMED CT", "363679005", "Imaging")
    chart.order(
        "lipids", "Lipid panel", ("local:order", "LAB0412", "LIPID PANEL"), ("CPT", "80061", None), category=laboratory,
        reason=chart.concept(("ICD-10-CM", "E78.5", "Hyperlipidemia"), text="Hyperlipidemia"),
    )  # fmt: skip
    chart.order(
        "knee-mri", "MRI of the left knee", ("local:order", "IMG0733", "MR KNEE LT WO"), ("CPT", "73721", None),
        reason=chart.concept(("ICD-10-CM", "M25.562", "Pain in left knee"), text="Pain in left knee"),
        category=imaging, site="Left knee",
    )  # fmt: skip


@example(
    "A 54-year-old whose order gives the header code M54.5 as its reason; M54.59 is confirmed on the problem list.",
    "The billable codes below M54.5 are listed, and the confirmed M54.59 is suggested for the order.",
    Person("Wilhelmina", "Obuya", "female", "1972-05-31", 26.3, ("pressure", "reflux", "vitamin")),
)
def header_diagnosis_code(chart: Chart) -> None:
    documented(chart)
    chart.drop("low-back-pain-visit")
    leads(chart, reason="M54.5", text="Restorative neurostimulator leads, percutaneous")


@example(
    "A 45-year-old insured with Anthem, whose change of position is on file from a report only.",
    "The payer line tells what is on file as dated background; the payer verdict stays unknown.",
    Person("Thaddeus", "Moreau", "male", "1981-06-08", 27.5, ("lipids", "rhinitis", "anxiety")),
)
def payer_with_position_on_file(chart: Chart) -> None:
    documented(chart)
    organization = chart.drawn_id("payer")
    chart.resources["coverage"]["payor"] = [{"reference": f"Organization/{organization}"}]
    chart.entries["coverage"] = [
        {
            "fullUrl": f"{chart.ehr.base}/Organization/{organization}",
            "resource": {
                "resourceType": "Organization",
                "id": organization,
                "identifier": [{"system": chart.local("payer"), "value": "P-0007"}],
                "active": True,
                "name": "Anthem",
            },
            "search": {"mode": "include"},
        }
    ]
    leads(chart)


@example(
    "A 49-year-old insured with Example Mutual, of whom nothing is on file.",
    "The payer line says that no position is on file; everything else is met.",
    Person("Isidora", "Penhallow", "female", "1977-07-21", 25.9, ("reflux", "thyroid", "rhinitis")),
)
def payer_without_position(chart: Chart) -> None:
    documented(chart)
    leads(chart)


@example(
    "A 52-year-old with two Oswestry scores of one day, two dates of onset, and a discectomy that the form denies.",
    "What disagrees is unknown, with both sides shown: pain duration, disability and earlier surgery are to document.",
    Person("Florian", "Mbeki-Strand", "male", "1974-05-12", 27.7, ("pressure", "lipids", "diabetes")),
)
def conflicting_data(chart: Chart) -> None:
    documented(chart)
    chart.observation("odi-again", "97909-6", "Oswestry disability index score", "2026-10-20", quantity(18, "%"))
    chart.procedure(
        "discectomy", "Lumbar discectomy, L4-L5", ("CPT", "63030", None), day="2018-03-27", category="387713003"
    )
    chart.attested["pain-duration"] = "2026-10-05"
    leads(chart)


@example(
    "A 47-year-old whose EHR sends some resources that cannot be read, and one of another patient.",
    "Each broken resource spoils its own criterion and no other: BMI and operating the device are to document.",
    Person("Clementine", "Varga", "female", "1979-06-25", 26.6, ("pressure", "rhinitis", "vitamin")),
)
def broken_resources(chart: Chart) -> None:
    documented(chart)
    del chart.attested["can-operate-device"]
    chart.condition("code-is-a-word", "Back spasm", recorded="2026-08-03")["code"] = "back spasm"
    broken = chart.observation(
        "value-in-words", "39156-5", "Body mass index", "2026-11-10", quantity(26, "kg/m2"), category="vital-signs"
    )
    broken["valueQuantity"]["value"] = "twenty-six"
    broken = chart.observation("coding-no-list", "8867-4", "Heart rate", "2026-08-03", quantity(71, "/min"))
    broken["code"]["coding"] = "8867-4"
    broken = chart.procedure("date-in-words", "Physical therapy, exercises", ("CPT", "97110", None), day="2026-04-14")
    broken["performedDateTime"] = "last spring"
    broken = chart.medication(
        "concept-no-object", "ibuprofen", day="2026-08-03", dose="Take 1 tablet three times a day"
    )
    broken["medicationCodeableConcept"] = ["ibuprofen 600 mg"]
    broken = chart.report("without-code", "Urinalysis", day="2026-08-03")
    del broken["code"]
    broken = chart.answers("answer-in-words", {"can-operate-device": True}, "2026-11-18")
    broken["item"][0]["answer"] = [{"valueBoolean": "on paper"}]
    broken = chart.coverage("period-in-words", {"display": "Placeholder Health"})
    broken["period"] = {"start": "since last year"}
    stranger = chart.observation(
        "someone-else", "97909-6", "Oswestry disability index score", "2026-11-12", quantity(12, "%")
    )
    stranger["subject"] = {"reference": "Patient/someone-else"}
    chart.entries["medicationStatement"] = ["not an entry"]
    chart.entries["deviceRequest"] = [{"fullUrl": f"{chart.ehr.base}/DeviceRequest/lost", "resource": None}]
    leads(chart)


@example(
    "A 56-year-old for whom CPT 64555 is ordered without reason or site.",
    "One question, asked in one line: is this the therapy meant? Nothing is suggested.",
    Person("Barnaby", "Sorensen-Diaz", "male", "1970-07-10", 28.4, ("pressure", "lipids", "reflux")),
)
def bare_code_asks(chart: Chart) -> None:
    structured(chart)
    chart.order("leads", "Neurostimulator leads, percutaneous", ("CPT", "64555", None))


@example(
    "A 50-year-old for whom CPT 64555 is ordered for low back pain, and nothing says which stimulator is meant.",
    "One question: other implanted and temporary stimulators share the code. Nothing is suggested.",
    Person("Lavinia", "Brightwater", "female", "1976-02-11", 27.1, ("pressure", "thyroid", "reflux")),
)
def shared_code_asks(chart: Chart) -> None:
    structured(chart)
    words = "Chronic low back pain"
    chart.order(
        "leads", "Peripheral nerve stimulator leads, percutaneous", ("CPT", "64555", None),
        reason=chart.concept(("ICD-10-CM", "M54.59", words), text=words),
    )  # fmt: skip


@example(
    "A 57-year-old for whom a lead for 60 days is ordered at the low back.",
    "The order goes another way: a temporary lead is not the implant that the criteria are written for.",
    Person("Thelonius", "Marchetti", "male", "1969-08-25", 29.2, ("lipids", "rhinitis", "vitamin")),
)
def temporary_lead(chart: Chart) -> None:
    structured(chart)
    words = "Chronic low back pain"
    chart.order(
        "leads", "Temporary peripheral nerve stimulation lead, 60 days, lumbar", ("CPT", "64555", None),
        reason=chart.concept(("ICD-10-CM", "M54.59", words), text=words),
    )  # fmt: skip


@example(
    "A 43-year-old with everything documented, for whom leads and generator are drafted together.",
    "One card for both drafts; nothing is suggested, because both codes are there.",
    Person("Guinevere", "Tamayo", "female", "1983-05-17", 24.6, ("rhinitis", "thyroid", "anxiety")),
)
def both_acts_drafted(chart: Chart) -> None:
    documented(chart)
    leads(chart)
    words = "Dysfunction of lumbar multifidus muscle"
    chart.order(
        "generator", "Neurostimulator generator, implant", ("CPT", "64590", None),
        reason=chart.concept(("ICD-10-CM", "M62.85", words), text=words),
    )  # fmt: skip


@example(
    "A 59-year-old for whom the leads are selected while a blood test of the same session is not.",
    "The hook order-select: only the selected order is commented on; the generator is suggested.",
    Person("Montgomery", "Ishikawa", "male", "1967-06-30", 27.2, ("pressure", "diabetes", "lipids", "reflux")),
    hook="order-select",
    selected=("leads",),
)
def order_select_leads(chart: Chart) -> None:
    documented(chart)
    leads(chart)
    chart.order(
        "metabolic-panel", "Basic metabolic panel", ("local:order", "LAB0015", "BMP"), ("CPT", "80048", None),
        reason=chart.concept(("ICD-10-CM", "I10", "Essential hypertension"), text="Essential hypertension"),
        category=("SNOMED CT", "108252007", "Laboratory procedure"),
    )  # fmt: skip


@example(
    "A 42-year-old with multifidus dysfunction whose chart is opened.",
    "The hook patient-view: the same tables as at the order, without codes and suggestions.",
    Person("Persephone", "Halvorsen", "female", "1984-06-06", 25.1, ("rhinitis", "reflux")),
    hook="patient-view",
)
def patient_view_multifidus(chart: Chart) -> None:
    structured(chart)


@example(
    "A 60-year-old with low back pain, without a diagnosis of multifidus dysfunction, whose chart is opened.",
    "Silence: on patient-view there is a card only where that diagnosis is on record.",
    Person("Archibald", "Nkemelu", "male", "1966-05-25", 29.4, ("pressure", "lipids", "diabetes", "reflux")),
    hook="patient-view",
)
def patient_view_silent(chart: Chart) -> None:
    structured(chart)
    chart.drop("multifidus")


@example(
    "A 54-year-old in an EHR that writes long ids and OIDs and puts a Medication among the draft orders.",
    "The same card as from any other EHR: OIDs are read, a warning in a searchset is no failure, long ids stay whole.",
    Person("Sebastiana", "Eriksdottir", "female", "1972-06-16", 26.9, ("pressure", "lipids", "reflux", "anxiety")),
    ehr=EPIC_LIKE,
)
def epic_like(chart: Chart) -> None:
    documented(chart)
    chart.add(
        "therapy-referral", "ServiceRequest", "2025-09-29", True, None,
        {
            "status": "completed",
            "intent": "order",
            "code": chart.concept(("local:order", "REF087", "REFERRAL TO PT"), text="Referral to physical therapy"),
            "subject": chart.patient_reference(),
            "authoredOn": "2025-09-29T10:14:03-05:00",
            "requester": chart.clinician(0),
        },
    )  # fmt: skip
    chart.entries["observation"] = [
        {
            "fullUrl": "urn:uuid:0f6f6f3e-6a3c-4f0e-9d0b-3f6f1a3f6c11",
            "resource": {
                "resourceType": "OperationOutcome",
                "issue": [
                    {
                        "severity": "warning",
                        "code": "informational",
                        "details": chart.concept(
                            ("local:error", "4119", "Holds what this user may see; the record may hold more.")
                        ),
                        "diagnostics": "Holds what this user may see; the record may hold more.",
                    }
                ],
            },
            "search": {"mode": "outcome"},
        }
    ]
    draft = leads(chart)
    absent = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    draft["requester"] = {"extension": [absent]}
    medication = chart.id("cefazolin")
    chart.drafts["cefazolin"] = {
        "resourceType": "Medication",
        "id": medication,
        "code": chart.concept(("local:medication", "10441", None), text="cefazolin 2 g injection"),
        "status": "active",
    }
    chart.drafts["prophylaxis"] = {
        "resourceType": "MedicationRequest",
        "id": chart.id("prophylaxis"),
        "status": "draft",
        "intent": "order",
        "medicationReference": {"reference": f"Medication/{medication}", "display": "cefazolin 2 g injection"},
        "subject": chart.patient_reference(),
        "encounter": {"reference": f"Encounter/{chart.encounter_id}"},
        "authoredOn": "2026-11-23T09:42:00-05:00",
        "requester": {"extension": [absent]},
        "dosageInstruction": [{"text": "once, within an hour before incision"}],
    }


@example(
    "A 41-year-old for whom an order form has just been opened and nothing is filled in.",
    "Silence, and no error: an order without code and reason, in a Bundle without type, as a public sandbox sends it.",
    Person("Daniela", "Testperson", "female", "1985-06-09", 24.2, ("rhinitis", "vitamin")),
    hook="order-select",
    selected=("example-request-id",),
    ehr=SANDBOX,
)
def sandbox_empty_order(chart: Chart) -> None:
    structured(chart)
    chart.drafts["example-request-id"] = {
        "resourceType": "ServiceRequest",
        "id": "example-request-id",
        "status": "draft",
        "intent": "plan",
        "code": {"coding": [{}]},
        "subject": {"reference": f"Patient/{chart.patient_id}"},
        "reasonCode": [],
    }


# The examples of the second statement stand behind those of the first.
RECIPES.update(JOINT)


# --- writing ---


def request_of(name: str) -> dict[str, Any]:
    """The hook request of an example."""
    recipe = RECIPES[name]
    chart = Chart(name, recipe.person, recipe.ehr)
    noise(chart)
    recipe.make(chart)
    if chart.attested:
        chart.answers("answers", chart.attested)
    role = "PractitionerRole" if recipe.ehr.long_ids else "Practitioner"
    context: dict[str, Any] = {
        "userId": f"{role}/{chart.clinician()['reference'].partition('/')[2]}",
        "patientId": chart.patient_id,
        "encounterId": chart.encounter_id,
    }
    if recipe.selected is not None:
        drafts = (chart.drafts[item] for item in recipe.selected)
        context["selections"] = [f"{draft['resourceType']}/{draft['id']}" for draft in drafts]
    if chart.drafts:
        bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "collection"}
        if recipe.ehr is SANDBOX:
            del bundle["type"]
        context["draftOrders"] = bundle | {"entry": [{"resource": draft} for draft in chart.drafts.values()]}
    return {
        "hook": recipe.hook,
        "hookInstance": str(uuid.UUID(int=Random(f"{name}/call").getrandbits(128), version=4)),
        "context": context,
        "prefetch": chart.prefetch(),
    }


def about(name: str) -> dict[str, str]:
    """What ``about.json`` says of an example."""
    recipe = RECIPES[name]
    return {
        "title": recipe.title,
        "hook": recipe.hook,
        "service": f"coverage-guidance-{recipe.hook}",
        "today": TODAY.isoformat(),
        "shows": recipe.shows,
    }


@cache
def _client() -> Any:
    from cds_service.app import create_app
    from cds_service.settings.settings import Settings
    from tests.shipped import library

    return create_app(Settings(), library(), PUBLIC_URL, lambda: TODAY).test_client()


def answer_of(name: str, folder: Path = FOLDER) -> Any:
    """What the real application answers to an example's request on the example's own day."""
    said = json.loads((folder / name / "about.json").read_text(encoding="utf-8"))
    sent = (folder / name / "request.json").read_bytes()
    answer = _client().post(f"/cds-services/{said['service']}", data=sent, content_type="application/json")
    if answer.status_code != 200:
        raise SystemExit(f"{name}: the service answers {answer.status_code}: {answer.get_data(as_text=True)}")
    return answer.get_json()


def as_text(value: Any) -> str:
    """JSON as it is written to the files: indented, but each entry of a Bundle on a line of its own."""
    lines: list[str] = []

    def set_aside(part: Any) -> Any:
        if isinstance(part, dict):
            if isinstance(part.get("entry"), list):
                kept = []
                for entry in part["entry"]:
                    kept.append(f"line {len(lines)}")
                    lines.append(json.dumps(entry, ensure_ascii=False))
                return part | {"entry": kept}
            return {key: set_aside(item) for key, item in part.items()}
        return [set_aside(item) for item in part] if isinstance(part, list) else part

    text = json.dumps(set_aside(value), indent=1, ensure_ascii=False)
    return re.sub(r'"line (\d+)"', lambda found: lines[int(found[1])], text) + "\n"


def write_requests(folder: Path = FOLDER) -> None:
    """Writes every request and what is said about it; removes examples that are no more."""
    for path in folder.glob("*/about.json"):
        if path.parent.name not in RECIPES:
            shutil.rmtree(path.parent)
    for name in RECIPES:
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "about.json").write_text(as_text(about(name)), encoding="utf-8")
        (place / "request.json").write_text(as_text(request_of(name)), encoding="utf-8")
    (folder / "README.md").write_text(readme(), encoding="utf-8")


def write_responses(folder: Path = FOLDER) -> None:
    """Writes the answer to every request."""
    for name in RECIPES:
        (folder / name / "response.json").write_text(as_text(answer_of(name, folder)), encoding="utf-8")


def readme() -> str:
    """The README of the folder, with its table of examples."""
    rows = (
        f"| [{name}]({name}/) | {recipe.hook} | {recipe.title} | {recipe.shows} |" for name, recipe in RECIPES.items()
    )
    return _README.format(table="\n".join(rows))


_README = """\
# Examples

Synthetic patients, the hook requests that an EHR would send for them, and the answers of this service. No person here
exists; names, numbers, payers' member data and devices are made up.

Each folder holds

- `about.json`: who the patient is, which hook and service are called, and the day on which the request was made
- `request.json`: the whole CDS Hooks request, with the chart as prefetch
- `response.json`: the answer on that day; the tests replay every request and compare

## Try one

Start the service (`make run`), then in another terminal:

```sh
.venv/bin/cds-service example all-met | curl -sS http://127.0.0.1:8080/cds-services/coverage-guidance-order-sign \\
  -H 'Content-Type: application/json' -d @-
```

`cds-service example` prints the request with its dates moved to today, so that the answer stays the same in later years
(but for its dates and ids). For an example of another hook, put the hook's name at the end of the address:
`coverage-guidance-order-select` or `coverage-guidance-patient-view`. Without a running service:

```sh
.venv/bin/cds-service example typical-gaps | .venv/bin/cds-service explain -
```

## The examples

| Example | Hook | Patient | What you see |
|---|---|---|---|
{table}

Every resource is valid FHIR R4, except those that `broken-resources` breaks on purpose. The files are written by
`make examples`; change the charts in `tests/examples.py` and `tests/examples_joint.py`, not here.
"""


if __name__ == "__main__":
    write_requests()
    if "--requests" not in sys.argv[1:]:
        write_responses()
