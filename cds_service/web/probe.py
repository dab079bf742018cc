"""A call of the service to itself: the whole way over HTTP, and told to nobody.

It is handed over in the WSGI environment, where a server puts nothing that a caller sends under a name of this form.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from cds_service.service.statement import Answer

KEY = "cds_service.probe"


@dataclass(slots=True)
class Probe:
    """``today`` is the day on which the call is evaluated; ``answers`` are filled by the call."""

    today: date
    answers: list[Answer] = field(default_factory=list)


def of(environment: Mapping[str, Any]) -> Probe | None:
    """The probe of a request, by its WSGI environment."""
    found = environment.get(KEY)
    return found if isinstance(found, Probe) else None
