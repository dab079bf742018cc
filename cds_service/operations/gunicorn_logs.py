"""gunicorn's own log, through ours: its logger brings no handler, so that what it says reaches the root's."""

from typing import Any

from gunicorn.glogging import Logger


class ThroughTheRoot(Logger):
    """The ``logger_class`` of the server's settings; the access log stays off."""

    def setup(self, cfg: Any) -> None:
        """Called by gunicorn at start and at every reload of its configuration."""
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
        self.error_log.propagate = True
