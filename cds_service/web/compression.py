"""Gzip compression of answers for clients that ask for it (RFC 9110, section 8.4).

The size of a compressed answer can reveal its content to a page that adds to the request (BREACH). So only answers that
repeat nothing of the request are compressed: successful reads without a query.
"""

import gzip

from flask import Flask, Response, request

# Shorter answers fit into one packet uncompressed.
SHORTEST = 1400
_LEVEL = 5
_TYPES = frozenset({"application/json", "application/fhir+json", "image/svg+xml"})


def register(app: Flask) -> None:
    """Add compression; register it before other parts that change answers, so that it runs last."""

    @app.after_request
    def compressed(answer: Response) -> Response:
        if request.method not in ("GET", "HEAD") or request.query_string or answer.status_code != 200:
            return answer
        kind = answer.mimetype or ""
        if not (kind.startswith("text/") or kind in _TYPES) or "Content-Encoding" in answer.headers:
            return answer
        # Files are streams; this reads them to their end.
        answer.direct_passthrough = False
        close = getattr(answer.response, "close", None)
        body = answer.get_data()
        if close is not None:
            close()
        if len(body) < SHORTEST:
            return answer
        answer.vary.add("Accept-Encoding")
        if request.accept_encodings.quality("gzip") > 0:
            # Without a timestamp equal answers have equal bytes.
            answer.set_data(gzip.compress(body, _LEVEL, mtime=0))
            answer.content_encoding = "gzip"
            etag, _ = answer.get_etag()
            if etag is not None:
                # Another encoding is another representation, so the tag becomes a weak one (RFC 9110, section 8.8.3.3).
                answer.set_etag(etag, weak=True)
        return answer
