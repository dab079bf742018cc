"""Rules for pages in web browsers: CORS, and for open calls the allowed hosts and origins.

If calls are open, any page that a user of this machine visits can try to call the service. Two checks stop it:

- A page can point its own name at this machine (DNS rebinding), so that the browser treats the service as part of the
  page's site. Such a call names the page's host. The service answers only its own hosts; others get 421 (RFC 9110,
  section 15.5.20, "Misdirected Request").
- A call that changes or fetches something names the origin of its page (Fetch Standard, "Origin header"). The service
  answers only its own origin and those in ``cors_origins``; others get 403 before the service reads, fetches, or stores
  anything.

A client that is not a browser sends no Origin header, so the second check does not affect it.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Flask, request
from flask_cors import CORS

from cds_service.ehr.addresses import is_loopback
from cds_service.errors import RequestError
from cds_service.operations import logs

# Monitoring may call these paths by any host name; their answers have no patient data.
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
ANY = "*"
_READS_ONLY = frozenset({"GET", "HEAD", "OPTIONS"})


def register(app: Flask, public_url: str, origins: Iterable[str], hosts: Iterable[str], *, open_calls: bool) -> None:
    """Add CORS and, if ``open_calls``, the two checks; register it before the routes, so that it runs first.

    ``public_url`` is our address. ``origins`` are the other web origins that may call, or ``*`` for any. ``hosts`` are
    names by which open calls may reach us, in addition to those of our address and this machine.
    """
    named = frozenset(origin.lower() for origin in (*origins, _origin_of(public_url)))
    CORS(
        app,
        # Only our own pages read feedback, evidence pages, and the workbench. The workbench's FHIR servers have
        # synthetic patients, so pages that may call the service may read them too.
        resources=[r"/(?!feedback|evidence|workbench(?!/fhir/)).*"],
        # Escaped patterns, because CORS reads a text with a bracket as a pattern.
        origins=ANY if ANY in named else [re.compile(rf"{re.escape(name)}\Z", re.IGNORECASE) for name in named],
        methods=["GET", "POST", "OPTIONS"],
        allow_headers=["Accept", "Authorization", "Content-Type"],
        expose_headers=["Retry-After", "Server-Timing"],
        # Without this, browsers block a page on the internet from calling a service on this machine.
        allow_private_network=True,
    )
    if not open_calls:
        return
    ours = frozenset(map(_host, (urlsplit(public_url).netloc, *hosts)))

    @app.before_request
    def of_a_known_page() -> None:
        if request.path in PROBES:
            return
        if not _is_ours(request.host, ours):
            raise _refused(
                421,
                f"The Host header does not name this service. Call {public_url}, or ask the operator to add the "
                "host to CDS_SERVICE_ALLOWED_HOSTS.",
            )
        origin = request.headers.get("Origin")
        if origin is None or request.method in _READS_ONLY or ANY in named:
            return
        if origin.lower() not in named and origin != f"{request.scheme}://{request.host}":
            raise _refused(
                403,
                "Web pages of this origin may not call the service. The operator can add the origin to "
                "CDS_SERVICE_CORS_ORIGINS.",
            )


def _origin_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _is_ours(authority: str, ours: frozenset[str]) -> bool:
    host = _host(authority)
    # Only pages of this machine have "localhost" or a loopback address as their host.
    return host in ours or is_loopback(host)


def _host(authority: str) -> str:
    """The host of ``host[:port]`` in lower case, without brackets; "" if it cannot be parsed."""
    try:
        return (urlsplit(f"//{authority}").hostname or "").removesuffix(".")
    except ValueError:
        return ""


def _refused(status: int, sentence: str) -> RequestError:
    logs.logger().info("refused", status=status)
    return RequestError(status, "forbidden", sentence)
