"""gunicorn's own log, sent through ours: its logger has no handler, so its records reach the root logger."""

from typing import Any

from gunicorn.glogging import Logger

# Skip gunicorn's wrapper and ours: by the caller's place the log distinguishes gunicorn's main process from its
# workers.
_SPEAKER = 3


class ThroughTheRoot(Logger):
    """The ``logger_class`` in the server's settings; the access log stays off."""

    def setup(self, cfg: Any) -> None:
        """Remove gunicorn's handlers. gunicorn calls this at start and at every reload of its configuration."""
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
        self.error_log.propagate = True

    def critical(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log as gunicorn does, with the place of gunicorn's caller."""
        super().critical(msg, *args, **{"stacklevel": _SPEAKER, **kwargs})

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log as gunicorn does, with the place of gunicorn's caller."""
        super().error(msg, *args, **{"stacklevel": _SPEAKER, **kwargs})

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log as gunicorn does, with the place of gunicorn's caller."""
        super().warning(msg, *args, **{"stacklevel": _SPEAKER, **kwargs})

    def info(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log as gunicorn does, with the place of gunicorn's caller."""
        super().info(msg, *args, **{"stacklevel": _SPEAKER, **kwargs})
