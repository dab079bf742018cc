"""A form that is open in a browser: all that is kept of it, closed, between two requests."""

from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from cds_service.documentation.form import FormRow
from cds_service.documentation.resources import Signer
from cds_service.documentation.tokens import Access
from cds_service.fhir.elements import Json, list_of


@dataclass(slots=True, kw_only=True)
class OpenForm:
    """One form of one patient and one statement.

    ``issuer`` is the FHIR server, ``expires`` when the access ends (seconds since 1970), ``form`` the identifier of
    what is written, ``token`` what a post of this form must carry. ``banner`` names the patient, ``user`` the name of
    whoever signed in. ``rows`` are None until the chart was read. ``fields`` are the posted fields, ``role`` that of
    who signs, ``signed`` that the statement was confirmed. ``unread`` says which lists could not be read.
    ``before`` is the truth of each criterion when the form was opened.
    """

    issuer: str
    access: Access
    expires: int
    opened: int
    form: str
    token: str
    policy: str = ""
    banner: dict[str, str] = field(default_factory=dict)
    user: str = ""
    orders: tuple[str, ...] = ()
    coverages: tuple[str, ...] = ()
    rows: tuple[FormRow, ...] | None = None
    why_not: str = ""
    unread: dict[str, str] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)
    fields: dict[str, list[str]] = field(default_factory=dict)
    role: str = ""
    signed: bool = False
    posts: int = 0

    def attester(self, role: str) -> Signer:
        """Who signs: the user of the sign-in, in the role (its words) that they chose."""
        return Signer(self.access.user, self.user or self.access.user, self.role, role)

    def as_json(self) -> bytes:
        """As it is kept."""
        return orjson.dumps(asdict(self) | {"access": self.access._asdict()}, default=list)

    @classmethod
    def of_json(cls, kept: bytes) -> "OpenForm":
        """What ``as_json`` wrote."""
        read: dict[str, Any] = orjson.loads(kept)
        rows = read["rows"]
        return cls(
            **{
                **read,
                "access": Access(**read["access"]),
                "orders": tuple(read["orders"]),
                "coverages": tuple(read["coverages"]),
                "rows": tuple(map(FormRow.of_json, rows)) if rows is not None else None,
            }
        )


def banner_of(patient: Json | None) -> dict[str, str]:
    """The patient as a clinician tells them apart: name, birth date, and record number."""
    if patient is None:
        return {}
    names = [item for item in list_of(patient.get("name")) if isinstance(item, dict)]
    name = next((item for item in names if item.get("use") == "official"), names[0] if names else {})
    told = {
        "name": _name(name),
        "born": _text(patient.get("birthDate")),
        "number": next((text for item in list_of(patient.get("identifier")) if (text := _record_number(item))), ""),
    }
    return {key: value for key, value in told.items() if value}


def name_of(resource: Json | None) -> str:
    """The name of a Practitioner or Patient, "" where there is none."""
    names = [item for item in list_of((resource or {}).get("name")) if isinstance(item, dict)]
    return _name(names[0]) if names else ""


def _name(name: Json) -> str:
    given = [text for text in list_of(name.get("given")) if isinstance(text, str)]
    parts = [text for text in (*list_of(name.get("prefix")), *given, name.get("family")) if isinstance(text, str)]
    return " ".join(parts)[:120] or _text(name.get("text"))


def _record_number(identifier: Any) -> str:
    """The value of an identifier that says that it is a medical record number (HL7 v2 table 0203, MR)."""
    if not isinstance(identifier, dict) or not isinstance(kind := identifier.get("type"), dict):
        return ""
    codes = [item.get("code") for item in list_of(kind.get("coding")) if isinstance(item, dict)]
    return _text(identifier.get("value")) if "MR" in codes else ""


def _text(value: Any) -> str:
    return value[:120] if isinstance(value, str) else ""
