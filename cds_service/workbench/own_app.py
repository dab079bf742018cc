"""The SMART app of this service as a client of its own demo EHR, without any configuration.

If the workbench is on, each example patient has a FHIR server with SMART App Launch at
``{address}/workbench/fhir/{name}``. The server knows one client: the app that this service serves at ``/smart/launch``
and ``/smart/callback``. The installation makes the app's secret before any worker forks, and writes it nowhere:

    own = OwnApp(public_url, installation.own_app_secret)

The demo EHR registers this app as its only client. For the ``iss`` of a launch, the app tries this registration before
the clients file:

    registration = own.registration(iss)     # None: not a base of the demo EHR

``iss`` is a base of the demo EHR if it is below our own address, or below the same port of this machine under another
name (``localhost`` for ``127.0.0.1``). The app may then call that base although it is on this machine. It
authenticates at the token endpoint with ``client_secret_basic`` or ``client_secret_post``, and sends ``redirect_uri``
exactly as returned here. Pure.
"""

import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from cds_service.ehr.addresses import is_loopback
from cds_service.web.registered import CALLBACK_PATH
from cds_service.workbench.words import APP

CLIENT_ID = "cds-service-app"
AUTH_METHODS = ("client_secret_basic", "client_secret_post")
_NAME = re.compile(r"/workbench/fhir/[A-Za-z0-9-]{1,80}/?", re.ASCII)
_PORTS = {"http": 80, "https": 443}


class Registration(NamedTuple):
    """The registration of a SMART app at one FHIR server; ``issuer`` is its base without a trailing slash."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    auth_method: str = AUTH_METHODS[0]


class OwnApp(NamedTuple):
    """The app as the demo EHR knows it; ``address`` is the service's own, without a trailing slash."""

    address: str
    client_secret: str
    client_id: str = CLIENT_ID
    name: str = APP

    @property
    def redirect_uri(self) -> str:
        """The only address to which the demo EHR sends a user back."""
        return self.address + CALLBACK_PATH

    def registration(self, iss: str) -> Registration | None:
        """The registration at the demo EHR for the ``iss`` of a launch; None if ``iss`` is not one of its bases."""
        ours = urlsplit(self.address)
        try:
            given = urlsplit(iss)
            is_ours = _same_service(given, ours)
        except ValueError:
            return None
        path = given.path.removeprefix(ours.path.rstrip("/"))
        if not is_ours or given.query or given.fragment or not _NAME.fullmatch(path):
            return None
        return Registration(iss.rstrip("/"), self.client_id, self.client_secret, self.redirect_uri)


def _same_service(given: SplitResult, ours: SplitResult) -> bool:
    """True for two addresses of one service: same origin, or same port of this machine. Raises ValueError."""
    if given.scheme != ours.scheme or given.username is not None or _port(given) != _port(ours):
        return False
    host, own = given.hostname or "", ours.hostname or ""
    return host == own or (is_loopback(host) and is_loopback(own))


def _port(address: SplitResult) -> int | None:
    return address.port or _PORTS.get(address.scheme)
