"""The body of a request, read within the limits."""

from flask import current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from cds_service import bodies


def body() -> bytes:
    """The bytes of the request at hand. Raises RequestError 415, RequestEntityTooLarge."""
    charset, encoding = request.mimetype_params.get("charset"), request.headers.get("Content-Encoding")
    bodies.check_media_type(request.mimetype, charset, encoding)
    data = request.get_data(cache=False)
    # A body sent in chunks is cut off at the limit without a word.
    if request.content_length is None and len(data) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    return data
