"""The route /.well-known/security.txt (RFC 9116), which says where to report vulnerabilities."""

from collections.abc import Callable
from datetime import date, timedelta

from flask import Flask, Response

from cds_service.errors import RequestError

# RFC 9116, section 2.5.5: less than a year from now; the file is made for each request.
VALID = timedelta(days=180)
PATH = "/.well-known/security.txt"


def register(app: Flask, contact: str, policy: str, public_url: str, clock: Callable[[], date]) -> None:
    """Add the route.

    ``contact`` is a mailto: or https: address, ``policy`` the https: address of a page; each may be empty. ``clock``
    gives the UTC day, ``public_url`` is our own address.
    """

    @app.get(PATH)
    def security_txt() -> Response:
        if not contact:
            sentence = "No contact for security is named here; the operator sets CDS_SERVICE_SECURITY_CONTACT."
            raise RequestError(404, "not-found", sentence)
        return Response(security_text(contact, policy, public_url, clock()), content_type="text/plain; charset=utf-8")


def security_text(contact: str, policy: str, public_url: str, today: date) -> str:
    """The text of the file. It has ``Canonical`` only for https, as section 2.5.2 requires."""
    fields = [
        ("Contact", contact),
        ("Expires", f"{today + VALID}T00:00:00Z"),
        ("Preferred-Languages", "en"),
        ("Canonical", f"{public_url}{PATH}" if public_url.startswith("https://") else ""),
        ("Policy", policy),
    ]
    return "".join(f"{name}: {value}\n" for name, value in fields if value)
