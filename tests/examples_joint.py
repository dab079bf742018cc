"""The examples of the statement on sacroiliac joint fusion: each joint judged apart, events counted, other pathways."""

from functools import partial
from typing import Any

from tests.recipes import Recipe, example
from tests.synthetic import CANONICAL_BASE, Chart, Person, quantity

JOINT: dict[str, Recipe] = {}
joint_example = partial(example, into=JOINT)

QUESTIONNAIRE = f"{CANONICAL_BASE}/Questionnaire/isass-si-joint-fusion-2020|2020"
RIGHT = ("SNOMED CT", "24028007", "Right")
LEFT = ("SNOMED CT", "7771000", "Left")
BOTH = ("SNOMED CT", "51440002", "Bilateral")
WORDS = {"27279": "Minimally invasive sacroiliac joint fusion", "27278": "Intra-articular sacroiliac implant"}

# Answers about the patient, and about one joint; every one speaks for the procedure.
OF_THE_PATIENT: dict[str, Any] = {
    "approach": True,
    "conservative-care": "2025-05-12",
    "conservative-care-end": "2026-05-18",
    "care-failed": True,
    "imaging": True,
    "other-sources": True,
    "tumour": True,
    "infection": True,
    "unstable-fracture": True,
    "metal-allergy": True,
    "peripartum-onset": False,
}
OF_A_JOINT: dict[str, Any] = {
    "pain-location": True,
    "distraction": True,
    "compression": False,
    "thigh-thrust": True,
    "faber": True,
    "gaenslen": True,
    "joint-changes": True,
    "anatomy": True,
}
BLOCK = {"date": "2026-08-03", "guided": True, "intra-articular": True, "before": 8, "after": 2}


def structured(chart: Chart, payer: str = "Example Mutual") -> None:
    """What a chart with sacroiliac pain usually holds in structured form; nothing of it says which side."""
    chart.condition("sacroiliitis", "Sacroiliitis", "M46.1", "55146009", onset="2025-02", recorded="2025-03-11")
    for number, day in enumerate(("2025-10-20", "2025-11-03", "2025-11-17", "2025-12-15")):
        text = "Physical therapy evaluation" if number == 0 else "Physical therapy, exercises"
        chart.procedure(f"therapy-{number}", text, ("SNOMED CT", "91251008", None), day=day, site="Low back")
    score = {"valueQuantity": {"value": 7, "unit": "{score}"}}
    chart.observation("pain", "72514-3", "Pain severity, 0 to 10", "2026-11-02", score)
    chart.observation("odi", "97909-6", "Oswestry disability index score", "2026-10-20", quantity(44, "%"))
    chart.report(
        "si-mri", "MRI sacroiliac joints", ("LOINC", "36031-3", None), day="2026-09-01",
        category=("RAD", "Radiology"), conclusion="Degeneration of both joints. No tumour, no inflammation.",
    )  # fmt: skip
    chart.coverage("coverage", {"display": payer})


def block(chart: Chart, side: tuple[str, str, str], day: str = "2026-08-03") -> None:
    """An image-guided injection of one joint, as it is billed: neither its purpose nor its effect is in the code."""
    made = chart.procedure("block", "Sacroiliac joint injection", ("CPT", "27096", None), day=day)
    made["bodySite"] = [chart.concept(side, text=f"{side[2]} sacroiliac joint")]


def attested(chart: Chart, *sides: str, **more: Any) -> None:
    """A form in which everything is answered about the patient and about each of these joints."""
    of_joints = {f"{item}.{side}": given for side in sides for item, given in OF_A_JOINT.items()}
    chart.answers("form", OF_THE_PATIENT | of_joints | more, questionnaire=QUESTIONNAIRE)


def fusion(chart: Chart, side: tuple[str, str, str] | None, code: str = "27279") -> None:
    """The draft of the fusion, coded, with the diagnosis as its reason."""
    reason = chart.concept(("ICD-10-CM", "M46.1", "Sacroiliitis"), text="Sacroiliitis")
    text = WORDS[code]
    draft = chart.order("fusion", text, ("local:order", "SUR3120", text.upper()), ("CPT", code, None), reason=reason)
    if side is not None:
        draft["bodySite"] = [chart.concept(side, text=side[2])]


@joint_example(
    "A 47-year-old whose chart and form hold everything about her right joint.",
    "All label criteria met for the right joint; the studied population too, with the relief of one guided block.",
    Person("Imelda", "Sorensen", "female", "1979-03-18"),
)
def joint_all_documented(chart: Chart) -> None:
    structured(chart)
    block(chart, RIGHT)
    attested(chart, "right", **{"block.right": [BLOCK]})
    fusion(chart, RIGHT)


@joint_example(
    "A 52-year-old with a well-kept structured chart and nothing attested.",
    "Every label criterion to document. The injection on record is shown, with what it does not say.",
    Person("Aurelio", "Brandt", "male", "1974-08-25", 28.3, ("pressure", "lipids")),
)
def joint_typical_gaps(chart: Chart) -> None:
    structured(chart)
    block(chart, RIGHT)
    fusion(chart, RIGHT)


@joint_example(
    "A 44-year-old for whom both joints are ordered in one session; the left one is hardly documented.",
    "One order, two answers: the right joint met, the left one to document; the whole is as its weakest joint.",
    Person("Noor", "Castellan", "female", "1982-01-30", 25.1, ("rhinitis", "vitamin")),
)
def joint_both_sides(chart: Chart) -> None:
    structured(chart)
    attested(chart, "right", **{"block.right": [BLOCK], "pain-location.left": True})
    fusion(chart, BOTH)


@joint_example(
    "A 58-year-old whose order does not say which joint is meant.",
    "One question: which joint? No diagnosis code names a side, so that nothing is judged and nothing suggested.",
    Person("Tibor", "Halloran", "male", "1968-06-09", 27.0, ("pressure", "reflux")),
)
def joint_without_a_side(chart: Chart) -> None:
    structured(chart)
    attested(chart, "right", **{"block.right": [BLOCK]})
    fusion(chart, None)


@joint_example(
    "A 49-year-old insured under a published rule; the block on record was of the other joint.",
    "The left block proves nothing for the right joint. The payer line holds the case against the rule as reported.",
    Person("Saoirse", "Lindqvist", "female", "1977-10-02", 26.2, ("lipids", "thyroid")),
)
def joint_wrong_side_block(chart: Chart) -> None:
    structured(chart, payer="eviCore")
    block(chart, LEFT)
    attested(chart, "right", **{"block.left": [BLOCK]})
    fusion(chart, RIGHT)


@joint_example(
    "A 55-year-old for whom an intra-articular implant is ordered (CPT 27278).",
    "Another pathway: the criteria of the lateral procedure are not applied, and nothing is suggested.",
    Person("Giulia", "Ferron", "female", "1971-05-14"),
)
def joint_intra_articular(chart: Chart) -> None:
    structured(chart)
    fusion(chart, RIGHT, "27278")


@joint_example(
    "A 61-year-old whose right joint was fused before.",
    "Another pathway: a revision, by the fusion of that joint on record. Nothing is suggested.",
    Person("Henrik", "Valdez", "male", "1965-09-21", 29.4, ("pressure", "diabetes")),
)
def joint_fused_before(chart: Chart) -> None:
    structured(chart)
    made = chart.procedure("fused", "Sacroiliac joint fusion", ("CPT", "27279", None), day="2024-05-06")
    made["bodySite"] = [chart.concept(RIGHT, text="Right sacroiliac joint")]
    fusion(chart, RIGHT)
