"""The messages of Authlib's server at the demo EHR, without a framework: parameters, the client, a code, an answer.

The first authorization loads this module and Authlib.
"""

import hmac
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749 import ClientMixin, OAuth2Payload, OAuth2Request
from authlib.oidc.core import AuthorizationCodeMixin

from cds_service.workbench import smart_scopes
from cds_service.workbench.own_app import AUTH_METHODS, OwnApp
from cds_service.workbench.smart_documents import SIGNED_BY

Parameters = Sequence[tuple[str, str]]


@dataclass(slots=True)
class OAuthAnswer:
    """An HTTP answer; ``body`` is a JSON object or empty, ``location`` the address to which it sends the user."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def location(self) -> str | None:
        """The address to which the answer sends the user, if any."""
        return self.headers.get("Location")

    @location.setter
    def location(self, address: str) -> None:
        self.headers["Location"] = address


class Payload(OAuth2Payload):
    """Parameters as sent; ``data`` holds the first value of each, and Authlib refuses repeats where they matter."""

    def __init__(self, parameters: Parameters) -> None:
        self._data: dict[str, str] = {}
        self._all: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in parameters:
            self._data.setdefault(name, value)
            self._all[name].append(value)

    @property
    def data(self) -> dict[str, str]:
        return self._data

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        return self._all


class SmartRequest(OAuth2Request):
    def __init__(
        self, method: str, address: str, parameters: Parameters, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(method, address, headers=headers)
        self.payload: Payload = Payload(parameters)

    @property
    def args(self) -> dict[str, str]:
        return self.payload.data

    @property
    def form(self) -> dict[str, str]:
        return self.payload.data


class RegisteredApp(ClientMixin):
    """The only client of the demo EHR, with Authlib's interface."""

    # OpenID Connect's name for the algorithm that signs a client's id_tokens.
    id_token_signed_response_alg = SIGNED_BY

    def __init__(self, app: OwnApp) -> None:
        self._app = app

    def get_client_id(self) -> str:
        return self._app.client_id

    def get_default_redirect_uri(self) -> None:
        """None: the server refuses a request without a redirect address."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        return smart_scopes.granted(scope or "") or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self._app.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return hmac.compare_digest(client_secret.encode(), self._app.client_secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in AUTH_METHODS

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


class TakenCode(AuthorizationCodeMixin):
    """A code that the session no longer holds; ``key`` is its hash."""

    def __init__(self, key: str, opens: Mapping[str, Any]) -> None:
        self.key, self.opens = key, opens
        self.code_challenge, self.code_challenge_method = opens["challenge"], "S256"

    def get_redirect_uri(self) -> str:
        return str(self.opens["redirect_uri"])

    def get_scope(self) -> str:
        return str(self.opens["scope"])

    def get_nonce(self) -> str | None:
        nonce: str | None = self.opens["nonce"]
        return nonce

    def get_auth_time(self) -> int:
        return int(self.opens["auth_time"])
