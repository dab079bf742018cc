"""The service as a SMART app: its registration at one FHIR server (SMART App Launch 2.2, "App Registration")."""

from dataclasses import dataclass, field
from typing import Literal

from cds_service.ehr.addresses import Allowance

AuthMethod = Literal["client_secret_basic", "client_secret_post", "private_key_jwt"]
AUTH_METHODS: tuple[AuthMethod, ...] = ("client_secret_basic", "client_secret_post", "private_key_jwt")
# The resource types for an answered form, in the order of attempts.
WRITES = ("QuestionnaireResponse", "DocumentReference")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartApp:
    """The registration of the service at an EHR, as a confidential app (the table ``smart`` of a client's entry).

    ``secret`` is the client secret, or the private key in PEM if ``auth_method`` is private_key_jwt; ``algorithm`` and
    ``key_id`` belong to that key. ``writes`` are the resource types (WRITES) for an answered form, in the order of
    attempts; ``observations``: also write its numbers, as Observations.
    """

    client_id: str
    secret: str = field(default="", repr=False)
    auth_method: AuthMethod = "client_secret_basic"
    algorithm: str = "RS384"
    key_id: str = ""
    writes: tuple[str, ...] = WRITES
    observations: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRegistration:
    """The service's registration at one FHIR server; ``issuer`` is its base, without a trailing slash.

    ``client`` is the id of the server's entry. ``allowance`` permits calls to that server, ``frame_ancestors`` are the
    origins that may show the form in a frame, ``dates`` is the client's date format.
    """

    client: str
    issuer: str
    redirect_uri: str
    app: SmartApp
    allowance: Allowance
    frame_ancestors: tuple[str, ...] = ()
    dates: str = "us"
