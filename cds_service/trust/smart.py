"""The service as a SMART app: how it is registered at one FHIR server (SMART App Launch 2.2, "App Registration")."""

from dataclasses import dataclass, field
from typing import Literal

from cds_service.ehr.addresses import Allowance

AuthMethod = Literal["client_secret_basic", "client_secret_post", "private_key_jwt"]
AUTH_METHODS: tuple[AuthMethod, ...] = ("client_secret_basic", "client_secret_post", "private_key_jwt")
# How an answered form is written, in the order in which it is tried.
WRITES = ("QuestionnaireResponse", "DocumentReference")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartApp:
    """What an EHR gave the service when it was registered there as a confidential app (the table ``smart`` of a
    client's entry).

    ``secret`` is the client secret, or the private key in PEM where ``auth_method`` is private_key_jwt; ``algorithm``
    and ``key_id`` are those of that key. ``writes`` are the resource types (WRITES) in which an answered form may be
    written, in the order in which they are tried; ``observations``: also its numbers, as Observations.
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
    """The service's registration at one FHIR server; ``issuer`` is its base, without a slash at its end.

    ``client`` is the id of the entry whose server it is. ``allowance`` is what may be called of that server,
    ``frame_ancestors`` the origins that may show the form in a frame, ``dates`` how the client's dates are written.
    """

    client: str
    issuer: str
    redirect_uri: str
    app: SmartApp
    allowance: Allowance
    frame_ancestors: tuple[str, ...] = ()
    dates: str = "us"
