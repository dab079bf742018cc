"""A call of the service to itself: the whole path over HTTP, without any report.

The probe comes in the WSGI environment, where a caller cannot set a name of this form.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from cds_service.service.statement import Answer

KEY = "cds_service.probe"


@dataclass(slots=True)
class Probe:
    """A probe: ``today`` is the day on which to evaluate the call; the call fills ``answers``."""

    today: date
    answers: list[Answer] = field(default_factory=list)


def of(environment: Mapping[str, Any]) -> Probe | None:
    """The probe in the WSGI environment of a request, if any."""
    found = environment.get(KEY)
    return found if isinstance(found, Probe) else None
