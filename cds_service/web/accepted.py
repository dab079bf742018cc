"""When a request was accepted: from there its one deadline runs, through reading and waiting to the last byte.

The server hands the moment over in the WSGI environment, where a caller can put nothing under a name of this form.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from cds_service.clock import Deadline

KEY = "cds_service.accepted"


def deadline_of(
    environment: Mapping[str, Any], seconds: float, clock: Callable[[], float] = time.monotonic
) -> Deadline:
    """The deadline of a request, by its WSGI environment: ``seconds`` from its acceptance, or from now without one.

    ``clock`` is that of the server (``time.monotonic``).
    """
    found = environment.get(KEY)
    return Deadline(seconds, clock, start=found if isinstance(found, float) else None)
