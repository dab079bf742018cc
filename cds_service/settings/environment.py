"""CDS_SERVICE_* variables that are not settings: misspelled ones, and ones that orchestrators inject."""

import re
from collections.abc import Iterable, Iterator, Mapping

from cds_service.spelling import nearest

PREFIX = "CDS_SERVICE_"
# Kubernetes describes each service of a namespace to each container (kubernetes.io/docs/concepts/services-networking/
# service, "Environment variables"), and Docker's links do the same for each container. If a service is named
# cds-service, or its name begins with cds-service (cds-service-db), the injected names look like our settings.
_INJECTED_NAME = re.compile(
    r"CDS_SERVICE_(\w+_)?("
    r"SERVICE_HOST|SERVICE_PORT(_\w+)?|ENV_\w+"
    r"|PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO)|(_PORT)?_(START|END))?"
    r")"
)
# These two names may be misspellings, so their values identify injected ones.
_INJECTED_VALUE = (
    (re.compile(r"CDS_SERVICE_(\w+_)?PORT"), re.compile(r"(tcp|udp|sctp)://\S+")),
    (re.compile(r"CDS_SERVICE_(\w+_)?NAME"), re.compile(r"/\S+/\S+")),
)
# Command-line options that people mistake for settings.
_OPTIONS = {"HOST": "--host", "PORT": "--port", "WORKERS": "--workers"}


def unknown_variables(environment: Mapping[str, str], settings: Iterable[str]) -> Iterator[str]:
    """A sentence for each variable that begins with CDS_SERVICE_ and is neither a setting nor injected.

    ``settings`` are the names of the settings, in lower case and without the prefix. No sentence contains a value.
    """
    allowed = [f"{PREFIX}{name.upper()}" for name in settings]
    for name, value in environment.items():
        written = name.upper()
        if written.startswith(PREFIX) and written not in allowed and not is_injected(written, value):
            option = _OPTIONS.get(written.removeprefix(PREFIX))
            hint = f"the option {option} of `cds-service serve` sets it" if option else nearest(written, allowed)
            yield f"{name} is not a setting; {hint}."


def is_injected(name: str, value: str) -> bool:
    """Whether Kubernetes or a Docker link sets the variable for a service whose name begins like our prefix."""
    if _INJECTED_NAME.fullmatch(name):
        return True
    return any(names.fullmatch(name) and values.fullmatch(value) for names, values in _INJECTED_VALUE)
