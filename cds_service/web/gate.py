"""Who is let in to a route that needs it to be known who calls, and how often."""

from math import ceil

from flask import request

from cds_service.errors import RequestError
from cds_service.operations import logs
from cds_service.operations.audit import Caller
from cds_service.operations.rate import RateLimiter
from cds_service.outgoing.deadline import Deadline
from cds_service.surroundings import Surroundings
from cds_service.trust.entries import Client
from cds_service.web import trusted
from cds_service.web.record import CallRecord

# The name of those who call where calls are open.
OPEN = "open"


class Gate:
    """Lets in trusted clients, or anyone where calls are open, each as often as it may. One for all routes.

    ``public_url`` is our address, without a slash at its end.
    """

    def __init__(self, around: Surroundings, public_url: str) -> None:
        self._around, self._public_url = around, public_url
        self._limits = Limits(around)

    def admit(self, record: CallRecord, deadline: Deadline) -> Client | None:
        """The client that makes the current request; None where calls are open. ``record`` then knows the caller.

        Raises RequestError: 401, 429, or 503 where tokens cannot be checked now.
        """
        client = self._trusted(record, deadline)
        name = client.id if client else OPEN
        logs.describe_call(client=name)
        self._limits.count(name, (client.rate_limit if client else "") or self._around.rate_limit)
        return client

    def _trusted(self, record: CallRecord, deadline: Deadline) -> Client | None:
        verifier = self._around.verifier
        if verifier is None:
            record.caller = Caller(OPEN)
            return None
        with record.timing.step("auth"):
            try:
                found = trusted.who(verifier, self._public_url, self._around, deadline)
            except RequestError as error:
                if error.status == 401:
                    self._limits.refused(request.remote_addr or "")
                raise
        record.caller = Caller(found.client.id, found.issuer, found.tenant, found.token_id, found.subject)
        return found.client


class Limits:
    """The limits of calls, counted in this process. Each raises RequestError 429 where there was one call too many."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._limiter: RateLimiter | None = None

    def count(self, client_id: str, limit: str) -> None:
        """Counts a call of a client; an empty limit is none."""
        wait = self._made().check(client_id, limit) if limit else None
        if wait is not None:
            if self._around.metrics is not None:
                self._around.metrics.rate_limited(client_id)
            raise _throttled(f"More calls than the limit of {limit}", wait)

    def refused(self, address: str) -> None:
        """Counts a call that was not trusted, by the address that it came from."""
        wait = self._made().refused(address)
        if wait is not None:
            raise _throttled("Too many calls that were not trusted", wait)

    def _made(self) -> RateLimiter:
        # Made at the first call: its thread would not live on in the workers.
        if self._limiter is None:
            self._limiter = RateLimiter()
        return self._limiter


def _throttled(what: str, wait: float) -> RequestError:
    seconds = max(1, ceil(wait))
    sentence = f"{what}; call again in {seconds} s."
    return RequestError(429, "throttled", sentence, headers={"Retry-After": str(seconds)})
