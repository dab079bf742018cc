"""Who is let in to a route that needs it to be known who calls, and how often."""

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

# Not among the headers that CORS lets pages of other origins send.
WORKBENCH_HEADER = "CDS-Service-Workbench"


class Admitted(NamedTuple):
    """Who calls, as it is kept, and the entry, which is the same for all where calls are open."""

    caller: Caller
    client: Client


class Gate:
    """Lets in trusted clients, or anyone where calls are open, each as often as it may. One for all routes.

    ``public_url`` is our address, without a slash at its end; ``access`` are the access tokens of the FHIR routes, None
    where calls are open.
    """

    def __init__(self, installation: Installation, public_url: str, access: AccessTokens | None = None) -> None:
        self._around, self._public_url, self.access = installation, public_url, access
        self._limits = ClientLimits(installation)

    def admit(self, timing: Timing, deadline: Deadline) -> Admitted:
        """Who makes the current request; ``count`` it then.

        Raises RequestError: 401, 429 for one who is refused too often, or 503 where tokens cannot be checked now.
        """
        admitted = self._trusted(timing, deadline)
        logs.describe_call(client=admitted.caller.client)
        return admitted

    def admit_to(self, kind: str, timing: Timing, deadline: Deadline) -> Admitted:
        """Who makes the current request to the FHIR routes of a type of resource, counted: by an access token, or as
        ``admit``.

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
        """Who signed an assertion for the token endpoint, counted. Raises RequestError 401, 429, or 503."""
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
        """Counts a request of a caller who is known by now. Raises RequestError 429 for one beyond the limit."""
        self._limits.count(admitted.caller.client, admitted.client.rate_limit or self._around.rate_limit)

    def count_feedback(self, admitted: Admitted, items: int) -> None:
        """Counts items of feedback of a caller who is known by now. Raises RequestError 413 or 429 for too many."""
        self._limits.count_feedback(admitted.caller.client, self._around.feedback_limit, items)

    def count_opening(self) -> None:
        """Counts an attempt to open an evidence page, by the address that it came from. Raises RequestError 429."""
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
    """Who makes an open call where the workbench is on: the workbench's own page says so of itself.

    A page of another origin cannot: a browser asks us first whether it may send that header, and gets a no. Whoever
    else sends it gains nothing: its calls are answered alike, and what it does counts with the demo calls.
    """
    return Caller(client=WORKBENCH) if request.headers.get(WORKBENCH_HEADER) == "demo" else Caller()


class ClientLimits:
    """The limits of calls, counted in this process. Each raises RequestError 429 where there was one call too many."""

    def __init__(self, installation: Installation) -> None:
        self._around = installation
        self._limiter: RateLimiter | None = None

    def count(self, client_id: str, limit: str) -> None:
        """Counts a call of a client; an empty limit is none."""
        wait = self._made().check(client_id, limit) if limit else None
        if wait is not None:
            self._around.metrics.rate_limited(client_id)
            raise _throttled(f"More calls than the limit of {limit}", wait)

    def count_feedback(self, client_id: str, limit: str, items: int) -> None:
        """Counts items of feedback of a client, all of them or none; an empty limit is none."""
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
            raise _throttled(f"More items of feedback than the limit of {limit}; nothing of it was kept", wait)

    def refused(self, address: str) -> None:
        """Counts a call that was not trusted, by the address that it came from."""
        wait = self._made().refused(address)
        if wait is not None:
            raise _throttled("Too many calls that were not trusted", wait)

    def opening(self, address: str) -> None:
        """Counts an attempt to open an evidence page."""
        wait = self._made().opening(address)
        if wait is not None:
            raise _throttled("Too many evidence pages were asked for", wait)

    def _made(self) -> RateLimiter:
        # Made at the first call: its thread would not live on in the workers.
        if self._limiter is None:
            self._limiter = RateLimiter()
        return self._limiter


def _throttled(what: str, wait: float) -> RequestError:
    seconds = max(1, ceil(wait))
    sentence = f"{what}; call again in {seconds} s."
    return RequestError(429, "throttled", sentence, headers={"Retry-After": str(seconds)})
