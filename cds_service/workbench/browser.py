"""The current request of a browser or an app: by which address it came, and the cookie of its session."""

from urllib.parse import urlsplit

from flask import Response, request

from cds_service.ehr.addresses import is_loopback
from cds_service.errors import RequestError

COOKIE = "cds-workbench"
COOKIE_SECONDS = 8 * 3600


def root_of(address: str) -> str:
    """Our address as the current request used it: ``address``, or another name of this machine.

    A browser keeps cookies by host, so that a launch must stay at the name that was opened. Any other Host header is
    the caller's to choose, and is not believed.
    """
    host = urlsplit(f"//{request.host}").hostname or ""
    return request.url_root.rstrip("/") if is_loopback(host) else address


def cookie() -> str:
    """The cookie of the session; empty where the browser sent none."""
    return request.cookies.get(COOKIE, "")


def set_cookie(answer: Response, value: str) -> None:
    """Has the browser keep its session; no script can read it, and no other site can have it sent with a form."""
    answer.set_cookie(
        COOKIE,
        value,
        max_age=COOKIE_SECONDS,
        path=f"{request.script_root}/workbench",
        httponly=True,
        secure=request.is_secure,
        samesite="Lax",
    )


def check_origin(address: str) -> None:
    """Raises RequestError 403 where a page of another origin sends the current request (Fetch, "Origin header").

    ``address`` is ours.
    """
    origin = request.headers.get("Origin")
    public = urlsplit(address)
    if origin not in (None, f"{request.scheme}://{request.host}", f"{public.scheme}://{public.netloc}"):
        raise RequestError(403, "forbidden", "This is answered to pages of the workbench alone.")
