"""Answers of a worker to requests that no application gets, or for which an application produced no answer."""

from cds_service.errors import RequestError

RETRY_SECONDS = 1
BUSY = RequestError(
    503,
    "throttled",
    f"More calls are waiting than can be answered in time, and this one was not read. Send it again in "
    f"{RETRY_SECONDS} s.",
    headers={"Retry-After": str(RETRY_SECONDS)},
)
TOO_SLOW = RequestError(408, "timeout", "The whole request did not arrive in time; send it all at once.")
BUG = RequestError(500, "exception", "The service failed and did not evaluate this call.")
