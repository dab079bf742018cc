"""The caller of an HTTP request: the called address, the caller of a valid token, and one answer for all others."""

from flask import request
from werkzeug.http import parse_list_header

from cds_service.clock import Deadline
from cds_service.errors import RequestError
from cds_service.installation import Installation
from cds_service.operations import logs
from cds_service.trust.checks import TrustUnavailableError, UntrustedError
from cds_service.trust.tokens import Verified, Verifier

# The same for every reason, so that guessing reveals nothing. `cds-service doctor token` shows operators the reason.
NOT_TRUSTED = "The call needs a valid token of a client that this service knows (Authorization: Bearer)."
NOT_NOW = "The service cannot check tokens now, so it did not evaluate this call. Call again later."


def who(verifier: Verifier, public_url: str, installation: Installation, deadline: Deadline) -> Verified:
    """The caller of the current request. Raises RequestError 401, or 503 if tokens cannot be validated now."""
    urls = addresses_called(public_url, installation.trusted_proxies)
    try:
        return verifier.verify(request.headers.get("Authorization"), urls, deadline)
    except UntrustedError as error:
        raise refused(error, installation) from None
    except TrustUnavailableError as error:
        raise not_now(error) from None


def refused(error: UntrustedError, installation: Installation) -> RequestError:
    """The error for a refused token; log and metrics get the name of the failed check."""
    logs.logger().warning("token-refused", check=error.check)
    installation.metrics.token_refused(error.check)
    return RequestError(401, "login", NOT_TRUSTED, headers={"WWW-Authenticate": "Bearer"})


def not_now(error: TrustUnavailableError) -> RequestError:
    """The error for a token that cannot be validated now."""
    # The key ring reports failures with keys itself, once per fetch.
    if error.part == "replay":
        logs.logger().error("store-failed", exc_info=error.__cause__)
    return RequestError(503, "transient", NOT_NOW, headers={"Retry-After": str(error.retry_seconds)})


def addresses_called(public_url: str, trusted_proxies: int) -> tuple[str, ...]:
    """The accepted spellings of the address that the current request called, without its query.

    The caller controls the Host header, which would make a token for another service valid here. So only the configured
    address counts, and the address that a trusted proxy reports.
    """
    ours = public_url + request.path
    forwarded = parse_list_header(request.headers.get("X-Forwarded-Host", ""))
    # With fewer values than proxies, werkzeug's ProxyFix leaves the Host header unchanged.
    believed = trusted_proxies and len(forwarded) >= trusted_proxies
    called = (ours, request.base_url) if believed else (ours,)
    # A trailing slash makes no difference to the address.
    return tuple(dict.fromkeys((*called, *(url.rstrip("/") for url in called))))
