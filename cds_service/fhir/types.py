"""One row for each FHIR R4 resource type that the service reads: what counts, its date, its patient, how to request it.

Code that needs a property of a type reads its row. The service does not read a type without a row, and does not load a
rule set that names one. Elements with the same name in every type (``bodySite``, ``reasonCode``, ``reasonReference``)
are read for all types, and are in no row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Ordered(Enum):
    """What an order of a type requests: an act, a device for one, or a drug."""

    ACT = "act"
    DEVICE = "device"
    DRUG = "drug"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceType:
    """How one type of FHIR R4 resource is read; ``called`` is the name of its list on a card.

    Whose it is: ``subject`` is the element that refers to the patient.

    What it is: ``concept`` is the element that says so. If the concept may be in another resource, ``concept_at``
    refers to that resource, ``concept_in`` is its type, and ``there`` is the element in it; ``concept_in_r5`` is the
    name of the element in FHIR R5, if it differs. ``concept_too`` are further elements that say what it is.
    ``coded_within`` is the path to the elements inside it that have their own code. ``coded``: it is found by codes and
    words.

    What counts: ``is_record``: a fact may name it among its ``resources``. ``statuses`` are the statuses (None: not
    stated) with which it is evidence; for a Condition, the clinical statuses of a current one. ``reasons`` are the
    types that its ``reasonReference`` may name and that are read as its reasons.

    When it was: the first of ``dates``, or else ``period``, or else ``recorded`` (the date of recording); if its date
    may be in words, ``date_in_words``.

    What it orders: ``orders``, if it is an order that a call may draft.

    How to request it: ``search`` is the parameter that names the patient (empty: it is read by id), ``narrowed``
    further restricts the search; ``by_code``: search only for the codes that are read, because there may be very many
    records; ``lean``: request it even if most types are fetched only when needed; ``only_shown``: its content is shown
    and contradicts nothing, so a missing list leaves nothing open; ``unasked``: it is read if an EHR sends it, and
    never requested.

    Its free text: ``words`` are the elements with text, and ``results`` the element that refers to Observations whose
    words count as its own. ``named_in_words``: the words refer to the name of the resource ("Lift test": "positive"),
    which does not hold for reports.
    """

    name: str
    called: str
    subject: str = "subject"
    concept: str = "code"
    concept_at: str = ""
    concept_in: str = ""
    concept_in_r5: str = ""
    there: str = "code"
    concept_too: tuple[str, ...] = ()
    coded_within: tuple[str, ...] = ()
    coded: bool = True
    is_record: bool = False
    statuses: tuple[str | None, ...] = ()
    reasons: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    period: str = ""
    recorded: tuple[str, ...] = ()
    date_in_words: str = ""
    orders: Ordered | None = None
    search: str = "patient"
    narrowed: str = ""
    by_code: bool = False
    lean: bool = False
    only_shown: bool = False
    unasked: bool = False
    words: tuple[str, ...] = ()
    results: str = ""
    named_in_words: bool = False

    @property
    def of_drugs(self) -> bool:
        """Whether it is a record of medication."""
        return self.concept_in == "Medication"


_REASONS = ("Condition",)

TYPES: Mapping[str, ResourceType] = MappingProxyType(
    {
        row.name: row
        for row in (
            ResourceType(
                name="CarePlan",
                called="care plans",
                concept="category",
                concept_too=("title", "description"),
                coded_within=("activity", "detail"),
                is_record=True,
                statuses=(None, "active", "on-hold", "completed"),
                period="period",
                recorded=("created",),
                only_shown=True,
            ),
            ResourceType(
                name="Condition",
                called="problem list",
                is_record=True,
                # http://hl7.org/fhir/R4/valueset-condition-clinical.html
                statuses=(None, "active", "recurrence", "relapse"),
                dates=("onsetDateTime",),
                period="onsetPeriod",
                recorded=("recordedDate",),
                words=("note",),
                named_in_words=True,
            ),
            ResourceType(
                name="Coverage",
                called="coverage",
                subject="beneficiary",
                coded=False,
                statuses=(None, "active"),
                period="period",
                lean=True,
            ),
            ResourceType(
                name="Device",
                called="devices",
                subject="patient",
                concept="type",
                is_record=True,
                statuses=(None, "active"),
            ),
            ResourceType(
                name="DeviceRequest",
                called="device orders",
                concept="codeCodeableConcept",
                concept_at="codeReference",
                concept_in="Device",
                concept_in_r5="code",
                there="type",
                is_record=True,
                statuses=(None, "active", "completed", "on-hold"),
                reasons=_REASONS,
                dates=("authoredOn",),
                orders=Ordered.DEVICE,
            ),
            ResourceType(
                name="DiagnosticReport",
                called="reports",
                is_record=True,
                statuses=(None, "final", "amended", "corrected", "appended", "preliminary", "partial"),
                dates=("effectiveDateTime",),
                period="effectivePeriod",
                recorded=("issued",),
                by_code=True,
                words=("conclusion", "conclusionCode", "presentedForm"),
                results="result",
            ),
            ResourceType(
                name="DocumentReference",
                called="documents",
                concept="type",
                is_record=True,
                statuses=(None, "current"),
                dates=("date",),
                only_shown=True,
                unasked=True,
                words=("description", "content"),
            ),
            ResourceType(
                name="Encounter",
                called="visits",
                concept="type",
                concept_too=("serviceType",),
                is_record=True,
                statuses=(None, "arrived", "in-progress", "finished"),
                reasons=_REASONS,
                period="period",
                narrowed="status=arrived,in-progress,finished",
                only_shown=True,
            ),
            ResourceType(
                name="MedicationRequest",
                called="prescriptions",
                concept="medicationCodeableConcept",
                concept_at="medicationReference",
                concept_in="Medication",
                concept_in_r5="medication",
                is_record=True,
                statuses=(None, "active", "completed", "stopped", "on-hold"),
                reasons=_REASONS,
                dates=("authoredOn",),
                # US Core: "plan" is for what the patient reports to take.
                narrowed="intent=order,plan",
                orders=Ordered.DRUG,
            ),
            ResourceType(
                name="MedicationStatement",
                called="medication list",
                concept="medicationCodeableConcept",
                concept_at="medicationReference",
                concept_in="Medication",
                concept_in_r5="medication",
                is_record=True,
                statuses=(None, "active", "completed", "stopped", "on-hold"),
                reasons=_REASONS,
                dates=("effectiveDateTime",),
                period="effectivePeriod",
                recorded=("dateAsserted",),
            ),
            ResourceType(
                name="Observation",
                called="measurements",
                coded_within=("component",),
                statuses=(None, "final", "amended", "corrected"),
                dates=("effectiveDateTime", "effectiveInstant"),
                period="effectivePeriod",
                recorded=("issued",),
                by_code=True,
                words=("valueString", "valueCodeableConcept", "interpretation", "note"),
                named_in_words=True,
            ),
            ResourceType(name="Patient", called="patient", coded=False, search="", lean=True),
            ResourceType(
                name="Procedure",
                called="procedures",
                is_record=True,
                statuses=(None, "completed", "in-progress"),
                reasons=_REASONS,
                # FHIR R5 names the element occurrence.
                dates=("performedDateTime", "occurrenceDateTime"),
                period="performedPeriod",
                date_in_words="performedString",
                words=("outcome", "note"),
                named_in_words=True,
            ),
            ResourceType(
                name="QuestionnaireResponse",
                called="attested answers",
                coded=False,
                statuses=("completed", "amended"),
                dates=("authored",),
            ),
            ResourceType(
                name="ServiceRequest",
                called="orders",
                is_record=True,
                statuses=(None, "active", "completed", "on-hold"),
                reasons=_REASONS,
                dates=("authoredOn",),
                orders=Ordered.ACT,
            ),
        )
    }
)

# The types that a fact may name among its resources.
RECORDS = tuple(name for name, row in TYPES.items() if row.is_record)
# The types whose words a fact may read.
WORDED = tuple(name for name, row in TYPES.items() if row.words)
# What each type orders, for types that a call may draft.
ORDERS: Mapping[str, Ordered] = MappingProxyType({name: row.orders for name, row in TYPES.items() if row.orders})

# The statuses of drafts that are no orders, or no longer. A completed order was carried out and needs nothing.
WITHDRAWN = ("entered-in-error", "revoked", "completed")


def subject_of(name: str) -> str:
    """The element by which a resource of a type refers to its patient; "subject" for a type without a row."""
    row = TYPES.get(name)
    return row.subject if row else "subject"
