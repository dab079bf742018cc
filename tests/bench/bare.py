"""The service with nothing around it: no tokens, no audit log, no metrics, no store, no self-check.

Run as ``python -m tests.bench.bare PORT``.
"""

import sys

from cds_service.app import create_app
from cds_service.clock import utc_today
from cds_service.server.gunicorn_server import Server, load
from cds_service.settings.settings import Settings

if __name__ == "__main__":
    settings, port = Settings(), int(sys.argv[1])
    app = create_app(settings, load(settings), f"http://127.0.0.1:{port}", utc_today)
    Server(app, "127.0.0.1", port, workers=1).run()
