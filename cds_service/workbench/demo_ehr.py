"""The demo EHR: a FHIR server for each example patient, the data that a browser wrote there, and access control."""

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from uuid import UUID

from cds_service.errors import RequestError
from cds_service.fhir.elements import Json, relative
from cds_service.fhir.types import subject_of
from cds_service.workbench import smart_scopes
from cds_service.workbench.fhir import FhirServer
from cds_service.workbench.own_app import OwnApp
from cds_service.workbench.patients import Opened, Patients
from cds_service.workbench.session import ACCESS, Session, begun, name_of, secret_of
from cds_service.workbench.smart_documents import Endpoints
from cds_service.workbench.writing import Stamp, WritableChart

if TYPE_CHECKING:
    from cds_service.store.workbench_sessions import WorkbenchSessions

# A token for the service itself, such as an EHR sends with a call (CDS Hooks 2.0, "FHIR Authorization").
SERVICE, SERVICE_SCOPE = "cds-service", "patient/*.rs"
_USER = "workbench-clinician"
_INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
_INSUFFICIENT = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}

Result = TypeVar("Result")


class AppAccess(NamedTuple):
    """The access of a token: its session, its scope, and the address of the user's own record."""

    session: Session
    scope: str
    user: str

    def require(self, kind: str, interaction: str) -> None:
        """Raise RequestError 403 if the scope does not cover an interaction (a letter of ``cruds``)."""
        if not smart_scopes.allows(self.scope, kind, interaction):
            raise RequestError(
                403,
                "forbidden",
                f"The granted scope does not cover '{interaction}' of {kind[:40]}.",
                headers=_INSUFFICIENT,
            )


class DemoEhr:
    """Example patients, with the data that sessions wrote. ``app`` is the only SMART app that the EHR knows.

    ``clock`` gives the day to which the examples are moved.
    """

    def __init__(
        self, patients: Patients, clock: Callable[[], date], sessions: "WorkbenchSessions", app: OwnApp
    ) -> None:
        self._patients, self._clock, self._sessions, self.app = patients, clock, sessions, app
        self.random = sessions.random

    @property
    def now(self) -> int:
        """The time in seconds since 1970."""
        return self._sessions.seconds()

    def opened(self, name: str) -> Opened:
        """An example patient. Raises RequestError 404."""
        return opened(self._patients, name, self._clock())

    def chart(self, name: str, session: Session) -> WritableChart:
        """The writable chart of a patient, as a session sees it."""
        found = self.opened(name)
        return WritableChart(found.patient_id, tuple(session.chart(name, found.resources)))

    def stamp(self) -> Stamp:
        """A source of new ids, and the current instant."""
        return Stamp(lambda: str(UUID(bytes=self.random(16), version=4)), self._sessions.instant())

    def user(self, name: str, root: str) -> str:
        """The address of the record of the demo EHR's user."""
        return f"{Endpoints(root, name).base}/Practitioner/{_user_id(self.opened(name))}"

    # --- sessions ---

    def session(self, token: str) -> Session | None:
        """The session that a token or a cookie names; None if it is missing or expired. Raises StoreError."""
        name = name_of(token)
        content = self._sessions.read(name)
        return Session.read(name, content) if content is not None else None

    def of_browser(self, cookie: str) -> Session | None:
        """The session of the browser with this cookie; None if it has none. Raises StoreError."""
        session = self.session(cookie) if cookie else None
        return session if session is not None and session.is_of(secret_of(cookie)) else None

    def begin(self) -> str:
        """Begin a session and return the cookie for its browser. Raises StoreError."""
        session, secret = begun(self.random)
        return f"{self._sessions.begin(session.content())}.{secret}"

    def change(self, token: str, work: Callable[[Session], Result]) -> Result | None:
        """Let ``work`` change the session that a token names, and return its result; None if there is no such session.

        An exception in ``work`` leaves the session unchanged. Raises StoreError.
        """
        name = name_of(token)

        def changed(content: bytes) -> tuple[bytes, Result]:
            session = Session.read(name, content)
            result = work(session)
            return session.content(), result

        return self._sessions.change(name, changed)

    def signing_key(self, make: Callable[[], bytes]) -> bytes:
        """The key that signs id_tokens; the first call makes it with ``make``. Raises StoreError."""
        return self._sessions.shared(make)

    # --- access ---

    def granted(self, header: str, name: str) -> AppAccess:
        """The access that an Authorization header grants to a patient's server. Raises RequestError 401."""
        scheme, _, token = header.partition(" ")
        session = self.session(token.strip()) if scheme.lower() == "bearer" else None
        grant = session.granted(ACCESS, token.strip(), self.now) if session is not None else None
        if session is None or grant is None or grant["patient"] != name:
            sentence = "The access token is unknown, over, or of another FHIR server."
            raise RequestError(401, "login", sentence, headers=_INVALID)
        return AppAccess(session, grant["scope"], grant["user"])

    def grant_to_service(self, session: Session, name: str) -> Json:
        """``fhirAuthorization`` for a call to the service about a patient."""
        seconds = session.refusals.access_seconds()
        token = session.grant(
            ACCESS,
            self.now + seconds,
            self.now,
            self.random,
            patient=name,
            scope=SERVICE_SCOPE,
            client=SERVICE,
            user="",
        )
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": seconds,
            "scope": SERVICE_SCOPE,
            "subject": SERVICE,
            "patient": self.opened(name).patient_id,
        }


def opened(patients: Patients, name: str, today: date) -> Opened:
    """An example patient. Raises RequestError 404."""
    found = patients.opened(name, today)
    if found is None:
        raise RequestError(404, "not-found", f"There is no patient '{name[:60]}'; the start page lists them.")
    return found


def server_of(found: Opened, base: str, session: Session | None) -> FhirServer:
    """The FHIR server of a patient, with the record of the demo EHR's user."""
    records = found.resources if session is None else tuple(session.chart(found.name, found.resources))
    user = _user(found)
    known = any(item["resourceType"] == user["resourceType"] and item.get("id") == user["id"] for item in records)
    return FhirServer(base, records if known else (*records, user), found.beside)


def only_of(server: FhirServer, patient_id: str) -> FhirServer:
    """The same server without the records of other patients."""
    mine = f"Patient/{patient_id}"
    kept = tuple(
        item for item in server.resources if _whose(item) in (mine, None) and not _is_another(item, patient_id)
    )
    return FhirServer(server.base, kept, server.beside)


def _is_another(resource: Json, patient_id: str) -> bool:
    return resource["resourceType"] == "Patient" and resource.get("id") != patient_id


def _whose(resource: Json) -> str | None:
    subject = resource.get(subject_of(resource["resourceType"]))
    named = subject.get("reference") if isinstance(subject, dict) else None
    return relative(named) if isinstance(named, str) else None


def _user_id(found: Opened) -> str:
    kind, _, identity = str(found.context.get("userId", "")).partition("/")
    return identity if kind == "Practitioner" and identity else _USER


def _user(found: Opened) -> Json:
    degree = {"system": "http://terminology.hl7.org/CodeSystem/v2-0360", "code": "MD", "display": "Doctor of Medicine"}
    name = {"text": "Dr. Alex Example", "family": "Example", "given": ["Alex"], "prefix": ["Dr."]}
    return {
        "resourceType": "Practitioner",
        "id": _user_id(found),
        "active": True,
        "name": [name],
        "qualification": [{"code": {"coding": [degree], "text": "Physician"}}],
    }
