"""The OAuth server of the demo EHR: Authlib, plus the demands of SMART App Launch 2.2 that Authlib leaves open.

- Every client must use PKCE with S256, checked at the authorization endpoint. Authlib lets a confidential client omit
  PKCE, and accepts ``plain``.
- ``aud`` must be the FHIR server. The redirect address is required and must match exactly.
- The session drops a code before the server examines it, so a code works only once, even if its request fails.
- Every answer names its issuer (RFC 9207). No app gets a refresh token.

One ``AuthorizationContext`` answers one request and changes only its session. The first authorization loads this
module, so a process without one never loads Authlib.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer, InvalidRequestError, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidScopeError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core.errors import ConsentRequiredError
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import RSAKey

from cds_service.workbench.oauth_messages import OAuthAnswer, Parameters, RegisteredApp, SmartRequest, TakenCode
from cds_service.workbench.own_app import AUTH_METHODS, OwnApp
from cds_service.workbench.session import ACCESS, CODE, LAUNCH, Random, Session, hash_of
from cds_service.workbench.smart_documents import SIGNED_BY, Endpoints

CODE_SECONDS = 60
ID_TOKEN_SECONDS = 300
_KEY_BITS = 2048
_ONCE = ("aud", "launch", "nonce", "code_challenge", "code_challenge_method")


def new_signing_key() -> bytes:
    """A key that signs id_tokens, as PEM."""
    return RSAKey.generate_key(_KEY_BITS).as_pem(private=True)


def key_set(signing_key: bytes) -> dict[str, Any]:
    """The JSON Web Key Set (RFC 7517) with which an app verifies id_tokens."""
    return {"keys": [_public(_imported(signing_key))]}


@lru_cache(maxsize=2)
def _imported(signing_key: bytes) -> RSAKey:
    # OpenSSL validates each key that it imports, which takes longer than the rest of a launch.
    return RSAKey.import_key(signing_key)


def _public(key: RSAKey) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": key.thumbprint(), "use": "sig", "alg": SIGNED_BY}


class NotAuthorizedError(Exception):
    """An authorization request whose user must not be sent back, because the client or its address is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationContext:
    """The data that answers one request.

    ``patient`` is the name of the example, ``patient_id`` the id of its Patient, ``user`` the address of the user's own
    record. ``now`` is in seconds since 1970.
    """

    session: Session
    app: OwnApp
    endpoints: Endpoints
    patient: str
    patient_id: str
    user: str
    signing_key: bytes
    now: int
    random: Random

    def check_request(self, parameters: Parameters) -> str | OAuthAnswer:
        """Check an authorization request.

        Returns the scopes that the user can grant, or an answer that sends the user back with an error. Raises
        NotAuthorizedError if the client or its address is unknown, because no user may be sent there.
        """
        request, server = self._begun(parameters), _Server(self)
        try:
            server.get_consent_grant(request, end_user=self.user)
            if request.payload.data.get("prompt") == "none":
                raise ConsentRequiredError(redirect_uri=request.payload.redirect_uri, state=request.payload.state)
        except OAuth2Error as error:
            return self._error(server, request, error)
        # Authlib raises ValueError if a request's characters do not fit its error messages.
        except ValueError:
            raise NotAuthorizedError("The request holds characters that OAuth does not allow.") from None
        return str(request.scope)

    def answer_request(self, parameters: Parameters, scope: str | None) -> OAuthAnswer:
        """The answer to a checked request, for the scopes that the user granted (None: denied).

        Raises NotAuthorizedError as ``check_request`` does.
        """
        request, server = self._begun(parameters), _Server(self)
        if scope is not None:
            request.payload.data["scope"] = scope
        try:
            grant = server.get_authorization_grant(request)
            answer: OAuthAnswer = server.create_authorization_response(
                request, grant_user=self.user if scope is not None else None, grant=grant
            )
        except OAuth2Error as error:
            return self._error(server, request, error)
        except ValueError:
            raise NotAuthorizedError("The request holds characters that OAuth does not allow.") from None
        if answer.location is None:
            raise NotAuthorizedError(str(answer.body.get("error_description") or answer.body.get("error")))
        return answer

    def exchange_code(self, form: Parameters, headers: Mapping[str, str]) -> OAuthAnswer:
        """The answer of the token endpoint; removes the request's code from the session."""
        code = next((value for name, value in form if name == "code"), "")
        taken = self.session.take(CODE, code, self.now)
        if taken is None:
            # The code is used or unknown: revoke the tokens that came from it.
            self.session.revoke(code)
        server = _Server(self, TakenCode(hash_of(code), taken) if taken else None)
        try:
            request = SmartRequest("POST", self.endpoints.token, form, headers)
            answer: OAuthAnswer = server.create_token_response(request)
        # A raised error would restore the code.
        except (OAuth2Error, ValueError):
            return OAuthAnswer(400, {"error": "invalid_request"})
        return answer

    def _begun(self, parameters: Parameters) -> "SmartRequest":
        try:
            return SmartRequest("GET", self.endpoints.authorize, parameters)
        except OAuth2Error:
            raise NotAuthorizedError("Apps are launched over https, or from this machine alone.") from None

    def _error(self, server: "_Server", request: "SmartRequest", error: OAuth2Error) -> OAuthAnswer:
        if not error.redirect_uri:
            raise NotAuthorizedError(error.get_error_description() or str(error.error)) from None
        error.state = request.payload.state
        answer: OAuthAnswer = server.handle_error_response(request, error)
        _Issuer(self.endpoints.base).add_issuer_parameter(server, answer)
        return answer


class _Server(AuthorizationServer):
    def __init__(self, context: AuthorizationContext, code: TakenCode | None = None) -> None:
        super().__init__()
        self.context, self.code = context, code
        self.register_grant(_Grant, [_S256(required=True), _OfThisServer(), _IdToken(context)])
        self.register_extension(_Issuer(context.endpoints.base))

    def query_client(self, client_id: str) -> RegisteredApp | None:
        return RegisteredApp(self.context.app) if client_id == self.context.app.client_id else None

    def generate_token(self, *arguments: Any, **values: Any) -> dict[str, Any]:
        context, code = self.context, self.code
        assert code is not None
        seconds, scope = context.session.refusals.access_seconds(), code.get_scope()
        token = context.session.grant(
            ACCESS,
            context.now + seconds,
            context.now,
            context.random,
            patient=context.patient,
            scope=scope,
            client=context.app.client_id,
            user=context.user if "fhirUser" in scope.split() else "",
            code=code.key,
        )
        app_context = code.opens["app_context"]
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": seconds,
            "scope": scope,
            "patient": context.patient_id,
            # The app has its own tab, where nothing else names the patient.
            "need_patient_banner": True,
            **({"appContext": app_context} if app_context is not None else {}),
        }

    def save_token(self, token: Mapping[str, Any], request: OAuth2Request) -> None:
        """Do nothing: ``generate_token`` already stores the token."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the service has no listeners."""

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Sequence[tuple[str, str]]) -> OAuthAnswer:
        return OAuthAnswer(status, dict(body) if body else {}, dict(headers))


class _Grant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = list(AUTH_METHODS)  # noqa: RUF012 - Authlib's name for it
    server: _Server

    @staticmethod
    def validate_authorization_redirect_uri(request: OAuth2Request, client: RegisteredApp) -> str:
        """The redirect address of the request; Authlib's own message would repeat a wrong address."""
        address = request.payload.redirect_uri
        if not address or not client.check_redirect_uri(address):
            raise InvalidRequestError("The redirect_uri is not the one that the app is registered with.")
        return str(address)

    def generate_authorization_code(self) -> str:
        context, data = self.server.context, self.request.payload.data
        launched = context.session.take(LAUNCH, data.get("launch", ""), context.now) or {}
        return context.session.grant(
            CODE,
            context.now + CODE_SECONDS,
            context.now,
            context.random,
            client=context.app.client_id,
            patient=context.patient,
            redirect_uri=self.request.payload.redirect_uri,
            scope=self.request.scope,
            challenge=data["code_challenge"],
            nonce=data.get("nonce"),
            auth_time=context.now,
            app_context=launched.get("app_context"),
        )

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        """Do nothing: ``generate_authorization_code`` already stores the code."""

    def query_authorization_code(self, code: str, client: RegisteredApp) -> TakenCode | None:
        found = self.server.code
        here = self.server.context.patient
        if found is None or found.opens["client"] != client.get_client_id() or found.opens["patient"] != here:
            return None
        return found

    def delete_authorization_code(self, authorization_code: TakenCode) -> None:
        """Do nothing: ``exchange_code`` already took the code."""

    def authenticate_user(self, authorization_code: TakenCode) -> str:
        return self.server.context.user


class _S256(CodeChallenge):
    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]  # noqa: RUF012 - Authlib's name for it
    CODE_CHALLENGE_METHODS = {"S256": CodeChallenge.CODE_CHALLENGE_METHODS["S256"]}  # noqa: RUF012 - Authlib's name for it

    def validate_code_challenge(self, grant: _Grant, redirect_uri: Any) -> None:
        data = grant.request.payload.data
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("A code_challenge by the method S256 is required.")
        super().validate_code_challenge(grant, redirect_uri)


class _OfThisServer:
    """SMART's additions to a request: ``aud`` is this server, and a launch belongs to this browser and patient."""

    def __call__(self, grant: _Grant) -> None:
        grant.register_hook("after_validate_authorization_request_payload", self.check)

    def check(self, grant: _Grant, result: Any) -> None:
        payload, context = grant.request.payload, grant.server.context
        if any(len(payload.datalist.get(name, ())) > 1 for name in _ONCE):
            raise InvalidRequestError(f"Each of {', '.join(_ONCE)} may be sent only once.")
        if payload.data.get("aud", "").rstrip("/") != context.endpoints.base:
            raise InvalidRequestError("The aud must be the address of this FHIR server.")
        launch, asked = payload.data.get("launch"), (payload.scope or "").split()
        if launch is None:
            if "launch" in asked:
                raise InvalidRequestError("The scope launch needs the parameter launch of an EHR launch.")
            return
        if "launch" not in asked:
            raise InvalidScopeError("An EHR launch needs the scope launch.")
        found = context.session.granted(LAUNCH, launch, context.now)
        if found is None or found["patient"] != context.patient:
            raise InvalidRequestError("The launch is unknown, over, or of another browser or patient.")


class _IdToken(OpenIDCode):
    def __init__(self, context: AuthorizationContext) -> None:
        super().__init__()
        self._context = context

    def resolve_client_private_key(self, client: RegisteredApp) -> RSAKey:
        return _imported(self._context.signing_key)

    def get_client_claims(self, client: RegisteredApp) -> dict[str, Any]:
        context = self._context
        return {
            "iss": context.endpoints.base,
            "aud": client.get_client_id(),
            "iat": context.now,
            "exp": context.now + ID_TOKEN_SECONDS,
        }

    def get_encode_header(self, client: RegisteredApp) -> dict[str, str]:
        return {"alg": SIGNED_BY, "kid": self.resolve_client_private_key(client).thumbprint()}

    def exists_nonce(self, nonce: str, request: OAuth2Request) -> bool:
        """False: a code works only once, and so does the nonce in its token."""
        return False

    def generate_user_info(self, user: str, scope: str) -> dict[str, str]:
        claims = {"sub": user.rpartition("/")[2]}
        return claims | ({"fhirUser": user} if "fhirUser" in scope.split() else {})


class _Issuer(IssuerParameter):
    def __init__(self, issuer: str) -> None:
        self._issuer = issuer

    # Authlib creates an extension from its class, but this extension needs the issuer first.
    def __call__(self, server: Any) -> "_Issuer":
        super().__call__(server)
        return self

    def get_issuer(self) -> str:
        return self._issuer
