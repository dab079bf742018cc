"""Checks of the parts around the rules: the rule set files, the clock, pages, and documents."""

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import orjson
from flask import Flask

from cds_service.ehr.templates import UnresolvedError, resolve
from cds_service.errors import PolicyError
from cds_service.library import load_library
from cds_service.policy.model import Policy
from cds_service.web import probe
from cds_service.web.probe import Probe

# No installation runs this long without a new release.
YEARS = 20
SECONDS_OF_JUMP = 30.0
_CONTEXT = {"userId": "Practitioner/self-check", "patientId": "self-check"}


class Files:
    """The folders of rule sets, code packs and value sets at the time of loading, except the rule sets ``left_out``."""

    def __init__(
        self,
        cards: Path,
        codes: Path | None,
        canonical_base: str,
        left_out: Iterable[str] = (),
        value_sets: Path | None = None,
    ) -> None:
        self._cards, self._codes, self._value_sets, self._base = cards, codes, value_sets, canonical_base
        self._left_out = frozenset(left_out)
        self._loaded = self._last = self._digest()
        self._problems: list[str] = []

    def changed(self) -> bool:
        """Whether a restart would load something else, according to the latest call of ``problems``."""
        return self._last != self._loaded

    def problems(self) -> list[str]:
        """Sentences on why a restart would load less; the files are loaded again only after a change."""
        if (digest := self._digest()) != self._last:
            try:
                failed = load_library(self._cards, self._base, self._codes, self._value_sets).failed
                self._problems = [says for one in failed if one.name not in self._left_out for says in one.problems]
            except PolicyError as error:
                self._problems = list(error.problems)
            self._last = digest
        return self._problems

    def _digest(self) -> str:
        whole = hashlib.sha256()
        for folder in filter(None, (self._cards, self._codes, self._value_sets)):
            for path in sorted((*folder.rglob("*.json"), *folder.rglob("*.csv"))):
                try:
                    whole.update(f"{path.relative_to(folder)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
                except OSError as error:
                    whole.update(f"{path} {error.errno}".encode())
        return whole.hexdigest()


class Clock:
    """Plausibility checks of this machine's time.

    ``now`` gives seconds since 1970, ``monotonic`` seconds that no change of the clock affects, ``today`` the day on
    which calls are evaluated; ``not_before`` gives a day before the release.
    """

    def __init__(
        self,
        now: Callable[[], float],
        monotonic: Callable[[], float],
        today: Callable[[], date],
        not_before: Callable[[], date],
    ) -> None:
        self._now, self._monotonic, self._today, self._not_before = now, monotonic, today, not_before
        self._offset: float | None = None

    def problems(self) -> list[str]:
        """A sentence for each fault. A jump of the clock is reported once."""
        before = self._now()
        day, after = self._today(), self._now()
        found = []
        if day < (past := self._not_before()):
            found.append(f"the clock says {day}, which is before the rule sets were written ({past})")
        if day.year > past.year + YEARS:
            found.append(f"the clock says {day}, more than {YEARS} years after the rule sets were written")
        if not _day(before) <= day <= _day(after):
            found.append(f"calls are evaluated on {day}, and the clock says {_day(after)}")
        offset = after - self._monotonic()
        if self._offset is not None and abs(offset - self._offset) > SECONDS_OF_JUMP:
            found.append(f"the clock jumped by {offset - self._offset:.0f} s")
        self._offset = offset
        return found


def _day(seconds: float) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()


def discovery_problems(app: Flask, expected: bytes) -> list[str]:
    """A sentence for each fault: discovery changed since the start, or a template cannot be resolved."""
    answer = _get(app, "/cds-services")
    if answer[0] != 200 or answer[1] != "application/json":
        return [f"/cds-services came back with status {answer[0]} as {answer[1]}"]
    found = ["/cds-services is not what it was at the start"] if answer[2] != expected else []
    services = orjson.loads(answer[2]).get("services", [])
    if not services:
        found.append("/cds-services lists no service")
    for key, template in {item for one in services for item in one.get("prefetch", {}).items()}:
        try:
            resolve(template, _CONTEXT)
        except UnresolvedError as error:
            found.append(f"the template of {key} cannot be resolved: {error}")
    return found


def page_problems(app: Flask, policy: Policy) -> list[str]:
    """A sentence if the page of a rule set, to which its cards link, is missing."""
    status, kind, body = _get(app, f"/policies/{policy.id}")
    whole = status == 200 and kind == "text/html" and body.rstrip().endswith(b"</html>")
    return [] if whole else [f"/policies/{policy.id} came back with status {status} as {kind}"]


def metrics_problems(app: Flask) -> list[str]:
    """A sentence if the metrics cannot be read."""
    status, _, body = _get(app, "/metrics")
    return [] if status == 200 and b"cds_service_build_info" in body else [f"/metrics came back with status {status}"]


def _get(app: Flask, path: str) -> tuple[int, str, bytes]:
    sent = {probe.KEY: Probe(date.min)}
    answer = app.test_client().get(path, environ_overrides=sent)
    return answer.status_code, answer.mimetype or "nothing", answer.get_data()


def not_before(policies: Iterable[Policy]) -> date:
    """A past day: the earliest on which any rule set's cases are evaluated."""
    return date.fromisoformat(min(policy.cases.frame["today"] for policy in policies))
