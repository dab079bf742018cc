"""The evidence page of a card over HTTP; the secret of its link stays in the browser.

``GET`` answers the same small page for every known id. Its script posts the secret from the URL fragment, which
browsers never send (RFC 9110, section 4.2.5). ``POST`` answers the content of the page.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

import orjson
from flask import Flask, Response, render_template, request

from cds_service import json_bodies
from cds_service.card.evidence_page import VERSION
from cds_service.clock import Deadline
from cds_service.errors import RequestError
from cds_service.installation import Installation
from cds_service.library import Library
from cds_service.operations import logs
from cds_service.store.failures import StoreError
from cds_service.store.sealed_pages import NotShown, OpenedPage, cookie_text
from cds_service.web import accepted, reading
from cds_service.web.errors import SECONDS_TO_WAIT
from cds_service.web.evidence_links import RuleSetParts
from cds_service.web.evidence_view import view
from cds_service.web.evidence_words import ELSEWHERE, GONE, NOT_NOW, TOO_MANY, Message
from cds_service.web.gate import Gate
from cds_service.web.packet import Packet
from cds_service.web.packets import Packets
from cds_service.web.record import note_opened

COOKIE = "cds-evidence"
LONGEST_BODY = 1000
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors {}"
)


def register(  # noqa: C901 - the branches are those of its routes, which are functions within it
    app: Flask,
    library: Library,
    parts: RuleSetParts,
    installation: Installation,
    gate: Gate,
    packets: Packets,
    *,
    public_url: str,
) -> None:
    """Add ``/evidence/{id}`` if any client has pages; ``public_url`` is our address, without a trailing slash.

    ``packets`` encrypts the material for the letter of a page.
    """
    pages = installation.evidence_pages
    if pages is None:
        return
    entries = {entry.id: entry for entry in installation.clients()}
    everyone = tuple(dict.fromkeys(origin for entry in entries.values() for origin in entry.frame_ancestors))
    address = urlsplit(public_url)

    def framed(client: str | None) -> tuple[str, ...]:
        """The origins that may frame a client's page; for no client, those of all clients."""
        entry = entries.get(client or "")
        return everyone if client is None else entry.frame_ancestors if entry else ()

    def answered(html: str, status: int, client: str | None) -> Response:
        answer = Response(html, status, mimetype="text/html")
        answer.headers["Content-Security-Policy"] = _POLICY.format(" ".join(framed(client)) or "'none'")
        # Without any referrer a browser would post the packet form with the origin null.
        answer.headers["Referrer-Policy"] = "strict-origin"
        return answer

    def told(message: Message, template: str) -> Response:
        return answered(render_template(template, root="../", message=message), message.status, None)

    def refused(error: StoreError | RequestError, template: str) -> Response:
        if isinstance(error, StoreError):
            logs.logger().error("store-failed", exc_info=error)
            installation.metrics.store_failed()
            answer = told(NOT_NOW, template)
            answer.headers["Retry-After"] = SECONDS_TO_WAIT
            return answer
        if error.status != TOO_MANY.status:
            raise error
        answer = told(TOO_MANY, template)
        answer.headers.extend(error.headers)
        return answer

    @app.get("/evidence/<name>")
    def ask(name: str) -> Response:
        try:
            gate.count_opening()
            client = pages.client_of(name, _deadline())
        except (StoreError, RequestError) as error:
            return refused(error, "evidence.html")
        if client is None:
            return told(GONE, "evidence.html")
        return answered(render_template("evidence.html", root="../", message=None), 200, client)

    @app.post("/evidence/<name>")
    def show(name: str) -> Response:
        request.max_content_length = LONGEST_BODY
        try:
            gate.count_opening()
            found = pages.open(name, _secret(), request.cookies.get(COOKIE, ""), _deadline())
        except (StoreError, RequestError) as error:
            return refused(error, "evidence_message.html")
        if isinstance(found, NotShown):
            return told(GONE if found is NotShown.GONE else ELSEWHERE, "evidence_message.html")
        html = _rendered(found)
        if html is None:
            return told(GONE, "evidence_message.html")
        note_opened(installation, found.card, found.client)
        answer = answered(html, 200, found.client)
        _set_cookie(answer, found)
        return answer

    def _rendered(found: OpenedPage) -> str | None:
        """The page; None if its rule set is no longer loaded or another program version made it."""
        page = orjson.loads(found.content)
        policy = library.policy(page["policy"])
        if policy is None or page["version"] != VERSION:
            return None
        closed = packets.closed(Packet(page=page))
        return render_template("evidence_page.html", root="../", page=view(page, parts.of(policy)), packet=closed)

    def _set_cookie(answer: Response, found: OpenedPage) -> None:
        in_frames = bool(framed(found.client))
        answer.set_cookie(
            COOKIE,
            cookie_text(found.cookie),
            max_age=24 * 3600,
            path=f"{address.path}/evidence",
            httponly=True,
            # Browsers keep only secure cookies in a frame of another site.
            secure=in_frames or address.scheme == "https",
            samesite="None" if in_frames else "Strict",
            partitioned=in_frames,
        )

    def _deadline() -> Deadline:
        return accepted.deadline_of(request.environ, installation.call_seconds)


def _secret() -> str:
    """The secret that the script sends; "" for any other body. Raises RequestError."""
    body = json_bodies.read_json(reading.body())
    secret = body.get("secret") if isinstance(body, Mapping) else None
    return secret if isinstance(secret, str) else ""
