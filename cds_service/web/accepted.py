"""The time when a request was accepted, from which its single deadline runs until the last byte of the answer.

The server passes the time in the WSGI environment, where a caller cannot set a name of this form.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from cds_service.clock import Deadline

KEY = "cds_service.accepted"


def deadline_of(
    environment: Mapping[str, Any], seconds: float, clock: Callable[[], float] = time.monotonic
) -> Deadline:
    """The deadline of a request: ``seconds`` from the acceptance in its WSGI environment, or from now if it has none.

    ``clock`` is the server's clock (``time.monotonic``).
    """
    found = environment.get(KEY)
    return Deadline(seconds, clock, start=found if isinstance(found, float) else None)
