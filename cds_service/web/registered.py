"""Where this service is registered as a SMART app: at the FHIR servers of the clients file, and at its own demo EHR."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from cds_service.ehr.addresses import Allowance
from cds_service.hooks.client_names import WORKBENCH
from cds_service.trust.entries import Client
from cds_service.trust.smart import AppRegistration, SmartApp

CALLBACK_PATH = "/smart/callback"


class DemoRegistration(Protocol):
    """What the demo EHR says of one of its bases."""

    @property
    def issuer(self) -> str: ...

    @property
    def client_id(self) -> str: ...

    @property
    def client_secret(self) -> str: ...

    @property
    def redirect_uri(self) -> str: ...


class DemoRegistrations(Protocol):
    """What is needed of the demo EHR (``workbench.own_app``)."""

    def registration(self, iss: str) -> DemoRegistration | None:
        """The registration at a base; None where that is none of its own."""


class Registered:
    """Finds the registration at a FHIR server; ``public_url`` is our address, without a slash at its end."""

    def __init__(self, clients: Iterable[Client], demo: DemoRegistrations | None, public_url: str) -> None:
        redirect = public_url + CALLBACK_PATH
        self._known: Mapping[str, AppRegistration] = {
            item.issuer: item for client in clients for item in client.registrations(redirect)
        }
        self._demo = demo

    def at(self, issuer: str) -> AppRegistration | None:
        """The registration at a FHIR server, by its base as the EHR writes it; None where there is none."""
        base = issuer.rstrip("/")
        if (known := self._known.get(base)) is not None or self._demo is None:
            return known
        found = self._demo.registration(base)
        if found is None:
            return None
        return AppRegistration(
            client=WORKBENCH,
            issuer=found.issuer,
            redirect_uri=found.redirect_uri,
            app=SmartApp(client_id=found.client_id, secret=found.client_secret),
            # The demo EHR is on this machine, wherever else nobody may have us call it.
            allowance=Allowance((found.issuer,), loopback=True),
        )
