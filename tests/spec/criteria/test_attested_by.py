"""The member `attested_by` of criteria."""

from tests.spec.pieces import HUM, is_yes
from tests.spec.tables import Row, Table, also, held


def said(by: str) -> dict:
    return {"form": {"answers": {"hum": True}, "date": "2026-03-01", "by": by}}


ATTESTED_BY = Table(
    "attested_by",
    "Whose answers count: `clinician`, `staff`, `patient`; by default, only clinicians' answers. A clinician may "
    "answer whatever staff may. An answer by nobody, or by a device, never counts.",
    {"hum": HUM},
    is_yes("hum"),
    (
        Row("by staff", said("staff"), "met"),
        Row("by a clinician", said("clinician"), "met"),
        Row("by the patient", said("patient"), "unknown"),
        Row("by a device", said("device"), "unknown"),
        Row("by nobody", said("nobody"), "unknown", reason="not attested by a person: no author"),
    ),
    shows={"attested_by": ["clinician", "staff"]},
    beside={"attested_by": ["staff"]},
)
BY_DEFAULT = also(
    ATTESTED_BY.facts,
    ATTESTED_BY.test,
    Row("by a clinician, where nobody is named", said("clinician"), "met"),
    Row("by staff, where nobody is named", said("staff"), "unknown"),
)
BY_THE_PATIENT = also(
    ATTESTED_BY.facts,
    ATTESTED_BY.test,
    Row("by the patient, who may", said("patient"), "met"),
    Row("by staff, who may not", said("staff"), "unknown"),
    beside={"attested_by": ["patient"]},
)
TABLES = (ATTESTED_BY, BY_DEFAULT, BY_THE_PATIENT)

test_rows = held(*TABLES)
