"""Runs the service with a clock that a file moves: ``python -m tests.chaos.moved_clock serve ...``.

``MOVED_CLOCK`` names a file with the seconds by which the time of day is off. The clock that only runs forward stays.
"""

import datetime
import os
import runpy
import time
from pathlib import Path
from typing import Any

_FILE = Path(os.environ["MOVED_CLOCK"])
_time, _datetime = time.time, datetime.datetime


def moved() -> float:
    """Seconds since 1970, moved."""
    return _time() + float(_FILE.read_text() or 0)


class _Kind(type):
    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, _datetime)


class Moved(_datetime, metaclass=_Kind):
    """The library's class but for the moment that is now."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        """The moved moment, as the library's own class."""
        return _datetime.fromtimestamp(moved(), tz)


if __name__ == "__main__":
    time.time = moved
    datetime.datetime = Moved
    runpy.run_module("cds_service", run_name="__main__", alter_sys=True)
