"""The current request of a browser or an app: the address that it used, and its session cookie."""

from urllib.parse import urlsplit

from flask import Response, request

from cds_service.ehr.addresses import is_loopback
from cds_service.errors import RequestError

COOKIE = "cds-workbench"
COOKIE_SECONDS = 8 * 3600


def root_of(address: str) -> str:
    """Our address as the current request used it: ``address``, or another name of this machine.

    A browser keeps cookies by host, so a launch must stay on the host name that the user opened. The caller can choose
    any other Host header, so the service ignores it.
    """
    host = urlsplit(f"//{request.host}").hostname or ""
    return request.url_root.rstrip("/") if is_loopback(host) else address


def cookie() -> str:
    """The session cookie; empty if the browser sent none."""
    return request.cookies.get(COOKIE, "")


def set_cookie(answer: Response, value: str) -> None:
    """Set the session cookie; scripts cannot read it, and forms of other sites cannot send it."""
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
    """Raise RequestError 403 if a page of another origin sent the current request (Fetch, "Origin header").

    ``address`` is ours.
    """
    origin = request.headers.get("Origin")
    public = urlsplit(address)
    if origin not in (None, f"{request.scheme}://{request.host}", f"{public.scheme}://{public.netloc}"):
        raise RequestError(403, "forbidden", "This is answered to pages of the workbench alone.")
