"""Reads the body of a request, within the limits."""

from flask import current_app, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from cds_service import json_bodies
from cds_service.clock import Deadline
from cds_service.errors import RequestError


def body(deadline: Deadline | None = None) -> bytes:
    """The bytes of the current request. Raises RequestError 408 or 415, RequestEntityTooLarge.

    408 is for a body that is incomplete, or late for the ``deadline``.
    """
    charset, encoding = request.mimetype_params.get("charset"), request.headers.get("Content-Encoding")
    json_bodies.check_media_type(request.mimetype, charset, encoding)
    length = request.content_length
    try:
        data = request.get_data(cache=False) if length is None else _announced(length)
    # The caller disconnected or was too slow; a server reports that by one of these errors, or by a short body.
    except (ClientDisconnected, OSError):
        raise _cut_off() from None
    if length is not None and len(data) < length:
        raise _cut_off()
    # A chunked body is cut off at the limit without an error.
    if length is None and len(data) >= current_app.config["MAX_CONTENT_LENGTH"]:
        raise RequestEntityTooLarge
    if deadline is not None and deadline.left() <= 0:
        raise _cut_off()
    return data


def _announced(length: int) -> bytes:
    """The announced number of bytes, in one read: werkzeug's stream would copy the body four times."""
    # A route may allow less than the application does.
    if (most := request.max_content_length) is not None and length > most:
        raise RequestEntityTooLarge
    data: bytes = request.environ["wsgi.input"].read(length)
    return data


def _cut_off() -> RequestError:
    sentence = "The whole body did not arrive in time; send as many bytes as the headers announce."
    return RequestError(408, "timeout", sentence, headers={"Connection": "close"})
