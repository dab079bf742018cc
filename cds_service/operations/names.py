"""The closed sets of names allowed in log lines, metrics and traces: ours or the operator's, never a caller's."""

from dataclasses import dataclass

# The statuses of the service's answers; any other is "other".
STATUSES = (200, 400, 401, 403, 404, 405, 406, 408, 412, 413, 414, 415, 422, 429, 500, 501, 503)


@dataclass(frozen=True, slots=True)
class Names:
    """Every name that the service or its operator chose, by kind; any other name came from outside.

    ``checks`` are the checks of the token verifier, ``self_checks`` those of the self-check, ``parts`` the parts of
    readiness.
    """

    services: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()
    criteria: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    clients: frozenset[str] = frozenset()
    checks: frozenset[str] = frozenset()
    self_checks: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset()
