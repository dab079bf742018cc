"""The closed sets of names that may be in a log line, a metric or a trace: ours or the operator's, no caller's."""

from dataclasses import dataclass

# Statuses that the service answers with; any other is "other".
STATUSES = (200, 400, 401, 403, 404, 405, 406, 408, 412, 413, 414, 415, 422, 429, 500, 501, 503)


@dataclass(frozen=True, slots=True)
class Names:
    """Every name that the service or its operator made up, by kind; what is not among them came from outside.

    ``checks`` are those of the token verifier, ``self_checks`` those of the self-check, ``parts`` what readiness is
    made of.
    """

    services: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()
    criteria: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    clients: frozenset[str] = frozenset()
    checks: frozenset[str] = frozenset()
    self_checks: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset()
