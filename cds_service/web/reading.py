"""The body of a request, read within the limits, and how much one client may ask."""

from math import ceil

from flask import current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from cds_service import bodies
from cds_service.errors import RequestError
from cds_service.operations.rate import RateLimiter
from cds_service.surroundings import Surroundings


def body() -> bytes:
    """The bytes of the request at hand. Raises RequestError 415, RequestEntityTooLarge."""
    charset, encoding = request.mimetype_params.get("charset"), request.headers.get("Content-Encoding")
    bodies.check_media_type(request.mimetype, charset, encoding)
    data = request.get_data(cache=False)
    # A body sent in chunks is cut off at the limit without a word.
    if request.content_length is None and len(data) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    return data


class Gate:
    """How many calls a client may make; of this process."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._limiter: RateLimiter | None = None

    def pass_through(self, client: str) -> None:
        """Counts a call. Raises RequestError 429 for one beyond the limit."""
        around = self._around
        if not around.rate_limit:
            return
        # Made at the first call: its thread would not live on in the workers.
        if self._limiter is None:
            self._limiter = RateLimiter()
        wait = self._limiter.check(client, around.rate_limit)
        if wait is None:
            return
        if around.metrics is not None:
            around.metrics.rate_limited(client)
        seconds = max(1, ceil(wait))
        sentence = f"More calls than the limit of {around.rate_limit}; call again in {seconds} s."
        raise RequestError(429, "throttled", sentence, headers={"Retry-After": str(seconds)})
