"""The floor: our server and its settings around the least that a hook call costs, JSON parsed and a constant sent back.

Run as ``python -m tests.bench.floor PORT ANSWER_FILE``.
"""

import sys
from pathlib import Path

import orjson
from flask import Flask, Response, request

from cds_service.server.gunicorn_server import Server


def create_floor(answer: bytes) -> Flask:
    """An application that parses each body and answers ``answer``."""
    app = Flask(__name__)

    @app.get("/healthz")
    def healthz() -> Response:
        return Response(b"{}", mimetype="application/json")

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        orjson.loads(request.get_data(cache=False))
        return Response(answer, mimetype="application/json")

    return app


if __name__ == "__main__":
    Server(create_floor(Path(sys.argv[2]).read_bytes()), "127.0.0.1", int(sys.argv[1]), workers=1).run()
