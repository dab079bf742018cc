"""A form that is open in a browser: its entire state between two requests, stored encrypted."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from cds_service.card.style import Style
from cds_service.documentation import form_words as words
from cds_service.documentation.earlier import EarlierForm, own_fields, said_in, same_person
from cds_service.documentation.form import FormRow
from cds_service.documentation.resources import Signer
from cds_service.documentation.tokens import Access
from cds_service.documentation.writing import Stored
from cds_service.fhir.elements import Json, list_of
from cds_service.questionnaire.questions import FormQuestion


@dataclass(slots=True, kw_only=True)
class OpenForm:
    """One form of one patient and one statement.

    ``issuer`` is the FHIR server, ``expires`` the end of the access (seconds since 1970), ``form`` the identifier of
    the written resources, ``token`` the token that a post of this form must carry. ``banner`` identifies the patient,
    ``user`` is the name of the signed-in user. ``rows`` are None until the chart is read. ``fields`` are the posted
    fields, ``role`` is the signer's, ``signed`` means that the signer confirmed the statement. ``unread`` names the
    lists that could not be read. ``before`` is the truth of each criterion at the opening. ``drafts`` are the forms
    that wait in the chart, ``attested`` the earlier answers in words, by linkId. ``stored`` is the draft in the EHR
    that the next write replaces, ``saves`` the number of saved drafts, ``resumed`` the words for the resumed draft.
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
    drafts: tuple[EarlierForm, ...] = ()
    attested: dict[str, str] = field(default_factory=dict)
    stored: Stored | None = None
    saves: int = 0
    resumed: str = ""

    def attester(self, role: str) -> Signer:
        """The signer: the signed-in user, in the chosen role (``role`` is its name)."""
        return Signer(self.access.user, self.user or self.access.user, self.role, role)

    def resume(self, reference: str, asked: Sequence[FormQuestion], style: Style, *, may_update: bool) -> bool:
        """Fill in a draft from the chart again; returns False if no draft has that reference.

        Fields that the user already filled in stay. ``may_update``: the next write replaces that draft.
        """
        draft = next((item for item in self.drafts if item.reference == reference), None)
        if draft is None:
            return False
        typed = {name: values for name, values in self.fields.items() if any(values)}
        self.fields = own_fields(draft, asked, self.access.user) | typed
        is_own = same_person(draft.author, self.access.user)
        if not is_own:
            self.attested |= said_in(draft, asked, style, words.IN_THE_DRAFT)
        when = style.date(draft.authored[:10])
        self.resumed = words.own_draft(when) if is_own else words.draft_of(draft.by, when)
        if may_update:
            self.stored, self.form = Stored(draft.reference, draft.version), draft.form or self.form
        return True

    @property
    def names(self) -> dict[str, str]:
        """The labels of the records shown with the questions, by reference."""
        return {item.reference: item.label for row in self.rows or () for item in (*row.contrary, *row.bases)}

    @property
    def written_as(self) -> str:
        """The identifier of the written resources; a new one if a draft was saved that the form cannot replace."""
        return f"{self.form}.{self.saves}" if self.saves and self.stored is None else self.form

    def as_json(self) -> bytes:
        """The form as its session stores it."""
        return orjson.dumps(asdict(self) | {"access": self.access._asdict()}, default=list)

    @classmethod
    def of_json(cls, kept: bytes) -> "OpenForm":
        """The form that ``as_json`` serialized."""
        read: dict[str, Any] = orjson.loads(kept)
        rows = read["rows"]
        return cls(
            **{
                **read,
                "access": Access(**read["access"]),
                "orders": tuple(read["orders"]),
                "coverages": tuple(read["coverages"]),
                "drafts": tuple(EarlierForm(*item) for item in read["drafts"]),
                "stored": Stored(*read["stored"]) if read["stored"] is not None else None,
                "rows": tuple(map(FormRow.of_json, rows)) if rows is not None else None,
            }
        )


def banner_of(patient: Json | None) -> dict[str, str]:
    """The details by which a clinician identifies a patient: name, birth date, and record number."""
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
    """The name of a Practitioner or Patient; "" if there is none."""
    names = [item for item in list_of((resource or {}).get("name")) if isinstance(item, dict)]
    return _name(names[0]) if names else ""


def _name(name: Json) -> str:
    given = [text for text in list_of(name.get("given")) if isinstance(text, str)]
    parts = [text for text in (*list_of(name.get("prefix")), *given, name.get("family")) if isinstance(text, str)]
    return " ".join(parts)[:120] or _text(name.get("text"))


def _record_number(identifier: Any) -> str:
    """The value of an identifier whose type is a medical record number (HL7 v2 table 0203, MR)."""
    if not isinstance(identifier, dict) or not isinstance(kind := identifier.get("type"), dict):
        return ""
    codes = [item.get("code") for item in list_of(kind.get("coding")) if isinstance(item, dict)]
    return _text(identifier.get("value")) if "MR" in codes else ""


def _text(value: Any) -> str:
    return value[:120] if isinstance(value, str) else ""
