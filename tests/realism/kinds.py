"""What may be in a chart: kinds of a few facts, and what a careful reader makes of them, whoever writes it."""

from dataclasses import dataclass, field

from tests.charts import CPT, ICD10CM, SNOMED
from tests.realism.writers import Fact, Json

IMPLANT = "isass-restorative-neurostimulation-2023"
FUSION = "isass-si-joint-fusion-2020"
FORBIDDEN = ("64555", "64590", "27279")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of chart: its facts, the ``order``, which ``cards`` may come (verdict, ask, other, none) and the
    ``truths`` that a reader may give; ``forbidden`` codes must not be suggested, nor ``unsaid`` stand in a summary."""

    facts: tuple[Fact, ...] = ()
    policy: str = IMPLANT
    order: Json
    cards: tuple[str, ...] = ("verdict",)
    truths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    forbidden: tuple[str, ...] = ()
    unsaid: str = ""
    hook: str = "order-sign"
    patient: Json = field(default_factory=dict)


def problem(at: str, words: str, code: str = "", snomed: str = "", **more) -> Fact:
    more = {"day": "2023-03-14"} | more
    return Fact(kind="problem", at=at, words=words, code=code, snomed=snomed, **more)


def drug(at: str, words: str, brand: str, code: str, why_stopped: str = "") -> Fact:
    return Fact(kind="drug", at=at, words=words, said=why_stopped, brand=brand, code=code, note=why_stopped)


def pain(value: float, **more) -> Fact:
    return Fact(kind="score", at="pain-severity", words="Pain score", code="72514-3", value=value, **more)


def odi(value: float, **more) -> Fact:
    words = "Oswestry Disability Index"
    return Fact(kind="score", at="disability", words=words, code="97909-6", value=value, note="%", **more)


def bmi(value: float) -> Fact:
    return Fact(kind="score", at="bmi", words="BMI", code="39156-5", value=value, note="kg/m2")


def act(at: str, words: str, code: str = "", **more) -> Fact:
    return Fact(kind="act", at=at, words=words, code=code, **more)


def ordered(words: str, code: str, reason: str, **more) -> Json:
    return {
        "resourceType": "ServiceRequest",
        "id": "draft-1",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/px-1"},
        "code": {"coding": [{"system": CPT, "code": code}] if code else [], "text": words},
        "reasonCode": [{"coding": [{"system": ICD10CM, "code": reason}]}],
        **more,
    }


LEADS = ordered("Restorative neurostimulation of the multifidus, leads", "64555", "M54.59")
RIGHT = {"bodySite": [{"coding": [{"system": SNOMED, "code": "24028007"}], "text": "Right"}]}
JOINT = ordered("Lateral fusion of the sacroiliac joint", "27279", "M46.1", **RIGHT)
BACK = problem("pain-duration", "Chronic low back pain", "M54.59", "278860009")
SCORES = (pain(7), odi(44), bmi(27))
CARE = (
    Fact(
        kind="therapy",
        at="physical-therapy",
        words="Physical therapy exercise, lumbar",
        code="97110",
        snomed="229065009",
    ),
    drug("pain-medication", "naproxen", "Aleve", "849574", "Did not help"),
    drug("pain-medication", "gabapentin", "Neurontin", "310430"),
    Fact(kind="payer", at="payer", words="Humana Gold Choice", said="Humana"),
)
MRI = Fact(
    kind="report",
    at="multifidus-dysfunction",
    words="MRI lumbar spine without contrast",
    said="(?i)fatty infiltration",
    code="72148",
    day="2026-09-15",
    note="Marked fatty infiltration of the multifidus on both sides, L4 to S1.",
)
EXAM = Fact(
    kind="exam", at="multifidus-dysfunction", words="Prone instability test", said="(?i)positive", note="Positive"
)
# The truths of what is on record where it can be read; a system that sends no scores leaves them unknown.
KNOWN = {"pain-severity": ("met", "unknown"), "disability": ("met", "unknown"), "bmi": ("met", "unknown")}
OPEN = ("unknown",)
NOT_MET = ("not-met", "unknown")


def among(*facts: Fact, **more) -> Kind:
    """Facts in the midst of an ordinary chart."""
    truths = more.pop("truths", {})
    return Kind(facts=(BACK, *facts, *CARE[:2], SCORES[2]), order=LEADS, truths={"bmi": KNOWN["bmi"], **truths}, **more)


KINDS: dict[str, Kind] = {
    "ordinary": Kind(facts=(BACK, *SCORES, *CARE, MRI), order=LEADS, truths=KNOWN),
    "ordinary, worse": Kind(
        facts=(
            problem("pain-duration", "Low back pain", "M54.50", "279039007", day="2021-06-02"),
            *(pain(9, day="2026-11-02"), odi(58, day="2026-11-02"), bmi(31)),
            *(drug("pain-medication", "meloxicam", "Mobic", "41493"), *CARE[:1], CARE[3], EXAM),
        ),
        order=LEADS,
        truths=KNOWN,
    ),
    "limits passed": Kind(
        facts=(BACK, pain(3), odi(12), bmi(41)),
        order=LEADS,
        truths={"pain-severity": NOT_MET, "disability": NOT_MET, "bmi": NOT_MET},
        unsaid=r"^All \d",
    ),
    "surgery by code": among(
        act("prior-lumbar-surgery", "Lumbar discectomy L4-L5", "63030", day="2019-02-01"),
        truths={"prior-lumbar-surgery": NOT_MET},
    ),
    "surgery by words": among(
        problem("prior-lumbar-surgery", "S/p lumbar fusion L4-S1 2018", "M96.1"),
        truths={"prior-lumbar-surgery": NOT_MET},
    ),
    "infection": among(
        problem("fit-for-implant", "Discitis, lumbar region", "M46.46", day="2026-10-02"),
        truths={"fit-for-implant": NOT_MET},
    ),
    "structural": among(
        problem("structural-cause", "Spinal stenosis with claudication", "M48.062"),
        truths={"structural-cause": NOT_MET},
    ),
    "dementia": among(
        problem("can-operate-device", "Dementia", "F03.90", "52448006"),
        truths={"can-operate-device": NOT_MET},
    ),
    "blood thinner": among(
        drug("fit-for-implant", "apixaban", "Eliquis", "1364445"), truths={"fit-for-implant": NOT_MET}
    ),
    "scoliosis": among(
        problem("scoliosis", "Idiopathic scoliosis, lumbar", "M41.26"),
        truths={"scoliosis": NOT_MET},
    ),
    "leg pain": among(
        problem("leg-pain", "Radiculopathy, lumbar region", "M54.16"),
        truths={"leg-pain": NOT_MET},
    ),
    "denied": among(
        problem("leg-pain", "Low back pain without sciatica", counts=False),
        truths={"leg-pain": OPEN},
    ),
    "ended": among(problem("leg-pain", "Radiculopathy, lumbar region", "M54.16", "", status="ended", counts=False)),
    "another body part": among(act("physical-therapy", "Shoulder therapy after rotator cuff repair", counts=False)),
    "not a stimulator": among(Fact(kind="device", at="review", words="TENS unit, transcutaneous", counts=False)),
    "another device": Kind(
        facts=(BACK,),
        order=ordered("Spinal cord stimulator trial lead", "64555", "M54.59"),
        cards=("other", "ask", "none"),
        forbidden=FORBIDDEN,
    ),
    "a replacement": Kind(
        facts=(BACK,),
        order=ordered("Replacement of the generator, multifidus stimulator", "64590", "M54.59"),
        cards=("other", "ask", "none"),
        forbidden=FORBIDDEN,
    ),
    "another site": Kind(
        facts=(BACK,),
        order=ordered("Peripheral nerve stimulator lead", "64555", "M25.511"),
        cards=("none",),
        forbidden=FORBIDDEN,
    ),
    "not said which": Kind(
        facts=(BACK,),
        order=ordered("Percutaneous lead, peripheral nerve", "64555", "M54.59"),
        cards=("ask",),
        forbidden=FORBIDDEN,
    ),
    "dead": Kind(
        facts=(BACK, *SCORES),
        order=LEADS,
        cards=("verdict", "other"),
        patient={"deceasedDateTime": "2026-06-01"},
        forbidden=FORBIDDEN,
    ),
    "young": Kind(
        facts=(BACK, *SCORES), order=LEADS, patient={"birthDate": "2009-02-03"}, truths={"age": ("not-met",)}
    ),
    "joint, ordinary": Kind(
        facts=(
            problem("indication", "Sacroiliitis", "M46.1", "55146009"),
            *(pain(8), odi(46), CARE[3]),
        ),
        policy=FUSION,
        order=JOINT,
        truths={"pain-severity": ("met", "unknown"), "disability": ("met", "unknown")},
    ),
    "joint, infected": Kind(
        facts=(problem("infection", "Infective arthritis of the sacroiliac joint", "M46.28"),),
        policy=FUSION,
        order=JOINT,
        truths={"infection": NOT_MET},
    ),
    "joint, open": Kind(
        policy=FUSION,
        order=ordered("Open fusion of the right sacroiliac joint", "27280", "M46.1", **RIGHT),
        cards=("other",),
        forbidden=FORBIDDEN,
    ),
}
