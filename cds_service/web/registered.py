"""The registrations of this service as a SMART app: at the FHIR servers of the clients file, and at its demo EHR."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from cds_service.ehr.addresses import Allowance
from cds_service.hooks.client_names import WORKBENCH
from cds_service.trust.entries import Client
from cds_service.trust.smart import AppRegistration, SmartApp

CALLBACK_PATH = "/smart/callback"


class DemoRegistration(Protocol):
    """A registration at a base of the demo EHR."""

    @property
    def issuer(self) -> str: ...

    @property
    def client_id(self) -> str: ...

    @property
    def client_secret(self) -> str: ...

    @property
    def redirect_uri(self) -> str: ...


class DemoRegistrations(Protocol):
    """The interface to the demo EHR (``workbench.own_app``)."""

    def registration(self, iss: str) -> DemoRegistration | None:
        """The registration at a base; None for a base that is not the demo EHR's."""


class Registered:
    """Finds the registration at a FHIR server; ``public_url`` is our address, without a trailing slash."""

    def __init__(self, clients: Iterable[Client], demo: DemoRegistrations | None, public_url: str) -> None:
        redirect = public_url + CALLBACK_PATH
        self._known: Mapping[str, AppRegistration] = {
            item.issuer: item for client in clients for item in client.registrations(redirect)
        }
        self._demo = demo

    def at(self, issuer: str) -> AppRegistration | None:
        """The registration at a FHIR server, by its base URL as the EHR writes it; None if there is none."""
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
            # The demo EHR runs on this machine; only for it does the service call a loopback address.
            allowance=Allowance((found.issuer,), loopback=True),
        )
