"""Answers compressed with gzip for clients that ask for it (RFC 9110, section 8.4).

The size of a compressed answer tells a page that can add to the request what else is in the answer (BREACH), so
that only answers in which nothing of the request is repeated are compressed: successful reads without a query.
"""

import gzip

from flask import Flask, Response, request

# Shorter answers fit into one packet as they are.
SHORTEST = 1400
_LEVEL = 5
_TYPES = frozenset({"application/json", "application/fhir+json", "image/svg+xml"})


def register(app: Flask) -> None:
    """Adds compression; register it before other parts that change answers, so that it comes last."""

    @app.after_request
    def compressed(answer: Response) -> Response:
        if request.method not in ("GET", "HEAD") or request.query_string or answer.status_code != 200:
            return answer
        kind = answer.mimetype or ""
        if not (kind.startswith("text/") or kind in _TYPES) or "Content-Encoding" in answer.headers:
            return answer
        # Files come as streams, and are read to their end here.
        answer.direct_passthrough = False
        close = getattr(answer.response, "close", None)
        body = answer.get_data()
        if close is not None:
            close()
        if len(body) < SHORTEST:
            return answer
        answer.vary.add("Accept-Encoding")
        if request.accept_encodings.quality("gzip") > 0:
            # Without a time the same answer has the same bytes.
            answer.set_data(gzip.compress(body, _LEVEL, mtime=0))
            answer.content_encoding = "gzip"
            etag, _ = answer.get_etag()
            if etag is not None:
                # Another encoding is another representation: the tag is then a weak one (RFC 9110, section 8.8.3.3).
                answer.set_etag(etag, weak=True)
        return answer
