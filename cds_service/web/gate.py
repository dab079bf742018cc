"""Access to routes that require a known caller, and its rate limits."""

from math import ceil
from typing import NamedTuple

from flask import request

from cds_service.clock import Deadline
from cds_service.errors import RequestError
from cds_service.hooks.client_names import WORKBENCH
from cds_service.installation import Installation
from cds_service.operations import logs
from cds_service.operations.audit import Caller
from cds_service.operations.rate import RateLimiter, limit_of
from cds_service.operations.timing import Timing
from cds_service.trust.backend_services import AccessTokens, Granted
from cds_service.trust.checks import TrustUnavailableError, UntrustedError
from cds_service.trust.entries import Client
from cds_service.web import trusted

# CORS does not allow pages of other origins to send this header.
WORKBENCH_HEADER = "CDS-Service-Workbench"


class Admitted(NamedTuple):
    """The caller for the records, and its entry; open calls all share one entry."""

    caller: Caller
    client: Client


class Gate:
    """Admits trusted clients, or anyone if calls are open, up to their rate limits. One gate serves all routes.

    ``public_url`` is our address, without a trailing slash; ``access`` are the access tokens of the FHIR routes, None
    if calls are open.
    """

    def __init__(self, installation: Installation, public_url: str, access: AccessTokens | None = None) -> None:
        self._around, self._public_url, self.access = installation, public_url, access
        self._limits = ClientLimits(installation)

    def admit(self, timing: Timing, deadline: Deadline) -> Admitted:
        """The caller of the current request; ``count`` the request afterwards.

        Raises RequestError: 401, 429 after too many refusals, or 503 if tokens cannot be validated now.
        """
        admitted = self._trusted(timing, deadline)
        logs.describe_call(client=admitted.caller.client)
        return admitted

    def admit_to(self, kind: str, timing: Timing, deadline: Deadline) -> Admitted:
        """The counted caller of a request to the FHIR routes of type ``kind``, by access token or as in ``admit``.

        Raises RequestError as ``admit`` and ``count`` do, and 403 for an access token that does not cover the type.
        """
        sent = request.headers.get("Authorization")
        if self.access is None or not self.access.is_one(sent):
            admitted = self.admit(timing, deadline)
        else:
            with timing.step("auth"):
                granted = self._granted(self.access, sent)
            caller = Caller(client=granted.client.id, issuer=granted.client.issuer, token_id=granted.token_id)
            admitted = Admitted(caller, granted.client)
            logs.describe_call(client=caller.client)
            if granted.types.isdisjoint((kind, "*")):
                sentence = f"The access token does not cover {kind}; ask for the scope system/{kind}.rs."
                raise RequestError(403, "forbidden", sentence)
        self.count(admitted)
        return admitted

    def client_of(self, access: AccessTokens, assertion: str, timing: Timing, deadline: Deadline) -> Admitted:
        """The counted signer of an assertion for the token endpoint. Raises RequestError 401, 429, or 503."""
        urls = trusted.addresses_called(self._public_url, self._around.trusted_proxies)
        with timing.step("auth"):
            try:
                found = access.client_of(assertion, urls, deadline)
            except UntrustedError as error:
                self._limits.refused(request.remote_addr or "")
                raise trusted.refused(error, self._around) from None
            except TrustUnavailableError as error:
                raise trusted.not_now(error) from None
        admitted = Admitted(Caller(client=found.client.id, issuer=found.issuer, token_id=found.token_id), found.client)
        logs.describe_call(client=admitted.caller.client)
        self.count(admitted)
        return admitted

    def _granted(self, access: AccessTokens, authorization: str | None) -> Granted:
        try:
            return access.granted(authorization)
        except UntrustedError as error:
            self._limits.refused(request.remote_addr or "")
            raise trusted.refused(error, self._around) from None

    def count(self, admitted: Admitted) -> None:
        """Count a request of an admitted caller. Raises RequestError 429 over the limit."""
        self._limits.count(admitted.caller.client, admitted.client.rate_limit or self._around.rate_limit)

    def count_feedback(self, admitted: Admitted, items: int) -> None:
        """Count feedback items of an admitted caller. Raises RequestError 413 or 429 for too many."""
        self._limits.count_feedback(admitted.caller.client, self._around.feedback_limit, items)

    def count_opening(self) -> None:
        """Count an attempt to open an evidence page, by remote address. Raises RequestError 429."""
        self._limits.opening(request.remote_addr or "")

    def _trusted(self, timing: Timing, deadline: Deadline) -> Admitted:
        verifier = self._around.verifier
        if verifier is None:
            return Admitted(_demo() if self._around.workbench else Caller(), self._around.open_client)
        with timing.step("auth"):
            try:
                found = trusted.who(verifier, self._public_url, self._around, deadline)
            except RequestError as error:
                if error.status == 401:
                    self._limits.refused(request.remote_addr or "")
                raise
        caller = Caller(
            client=found.client.id,
            issuer=found.issuer,
            tenant=found.tenant,
            token_id=found.token_id,
            subject=found.subject,
        )
        return Admitted(caller, found.client)


def _demo() -> Caller:
    """The caller of an open call with the workbench on; the workbench's own page identifies itself by a header.

    A page of another origin cannot send that header: the browser asks us first, and we refuse. Another program that
    sends it gains nothing: it gets the same answers, and its calls count with the demo calls.
    """
    return Caller(client=WORKBENCH) if request.headers.get(WORKBENCH_HEADER) == "demo" else Caller()


class ClientLimits:
    """Rate limits, counted in this process. Each method raises RequestError 429 over the limit."""

    def __init__(self, installation: Installation) -> None:
        self._around = installation
        self._limiter: RateLimiter | None = None

    def count(self, client_id: str, limit: str) -> None:
        """Count a call of a client; an empty limit means no limit."""
        wait = self._made().check(client_id, limit) if limit else None
        if wait is not None:
            self._around.metrics.rate_limited(client_id)
            raise _throttled(f"More calls than the limit of {limit}", wait)

    def count_feedback(self, client_id: str, limit: str, items: int) -> None:
        """Count a client's feedback items, all or none; an empty limit means no limit.

        Raises RequestError 413 for more items than the limit.
        """
        if not limit or not items:
            return
        most = limit_of(limit).amount
        if items > most:
            raise RequestError(
                413, "too-long", f"The request has {items} items of feedback; a client may send {limit}.", "feedback"
            )
        wait = self._made().feedback(client_id, limit, items)
        if wait is not None:
            self._around.metrics.rate_limited(client_id)
            raise _throttled(f"More items of feedback than the limit of {limit}; the service stored none of them", wait)

    def refused(self, address: str) -> None:
        """Count an untrusted call, by remote address."""
        wait = self._made().refused(address)
        if wait is not None:
            raise _throttled("Too many calls without a trusted token", wait)

    def opening(self, address: str) -> None:
        """Count an attempt to open an evidence page."""
        wait = self._made().opening(address)
        if wait is not None:
            raise _throttled("Too many requests for evidence pages", wait)

    def _made(self) -> RateLimiter:
        # Made at the first call, because its thread would not survive the fork into workers.
        if self._limiter is None:
            self._limiter = RateLimiter()
        return self._limiter


def _throttled(what: str, wait: float) -> RequestError:
    seconds = max(1, ceil(wait))
    sentence = f"{what}; call again in {seconds} s."
    return RequestError(429, "throttled", sentence, headers={"Retry-After": str(seconds)})
