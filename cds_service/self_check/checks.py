"""One run of all self-checks, and its reports to readiness, metrics, and log."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import orjson
from flask import Flask

from cds_service.errors import PolicyError
from cds_service.installation import Installation
from cds_service.operations import logs
from cds_service.operations.audit import AuditError
from cds_service.operations.check_names import WARNINGS
from cds_service.operations.readiness import READY, Concern
from cds_service.policy.model import Policy
from cds_service.self_check import surfaces
from cds_service.self_check.known_answers import Examiner, KeptAnswers, KnownAnswer, known_answers
from cds_service.self_check.stores import StoreCheck
from cds_service.service.guide import Guide
from cds_service.settings.settings import Settings
from cds_service.store import activity
from cds_service.store.failures import StoreError
from cds_service.web.discovery import discovery_document

# Each run evaluates a covering set of the known answers, and one in PARTS of the others: all within half an hour.
PARTS = 30
# Seconds between two known answers in which other calls go first.
PAUSE = 0.005
# The log event for a rule set that a check concerns.
_EVENTS = {"silence": "silent-policy", "left-out": "policy-left-out"}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The faults that one check found: sentences, the rule sets concerned, and their cases (policy, name)."""

    sentences: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    cases: tuple[tuple[str, str], ...] = ()

    def concerns(self, check: str) -> Iterator[Concern]:
        """The concerns for readiness: each case, and each rule set without a case."""
        for policy in self.policies:
            cases = [Concern(check, policy, name) for owner, name in self.cases if owner == policy]
            yield from cases or [Concern(check, policy)]


class SelfCheck:
    """All checks of one application. Made before the workers fork; each worker runs them itself.

    ``clock`` gives the UTC day on which calls are evaluated; ``now`` and ``monotonic`` give seconds.
    """

    def __init__(
        self,
        app: Flask,
        settings: Settings,
        guide: Guide,
        installation: Installation,
        clock: Callable[[], date],
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        library = guide.library
        lean, fetches = settings.prefetch == "lean", installation.fetcher.fetches
        self._app, self._guide, self._around = app, guide, installation
        self._readiness = installation.readiness
        self._silent_days, self._today = settings.silent_days, clock
        self._discovery = orjson.dumps(discovery_document(library, lean=lean, fetches=fetches))
        self._left_out = tuple(item.name for item in library.failed)
        self._files = surfaces.Files(
            settings.cards, settings.codes, settings.canonical_base, self._left_out, settings.value_sets
        )
        self._clock = surfaces.Clock(now, monotonic, clock, partial(surfaces.not_before, library.policies))
        self._examiner = Examiner(app)
        self._store_check = StoreCheck(installation.store, monotonic) if installation.store is not None else None
        self._kept: Sequence[KeptAnswers] | None = None
        self._unreadable: dict[str, Sequence[str]] = {}
        self._turn = 0
        self._status = ""
        # Load now what the first run needs, so that workers share it.
        app.test_client()
        app.jinja_env.get_template("policy.html")

    def run(self, pause: Callable[[float], bool] = lambda seconds: False) -> dict[str, CheckResult]:
        """Run every check, report the results, and return them by name.

        ``pause`` is called between two known answers; if it returns True, the run stops and reports nothing.
        """
        found = {name: self._guarded(check) for name, check in self._checks(pause).items()}
        if not pause(0):
            self._tell(found)
        self._turn += 1
        return found

    def _checks(self, pause: Callable[[float], bool]) -> dict[str, Callable[[], CheckResult]]:
        return {
            "store": self._store,
            "threads": self._threads,
            "answers": lambda: self._answers(pause),
            "discovery": lambda: CheckResult(tuple(surfaces.discovery_problems(self._app, self._discovery))),
            "pages": self._pages,
            "metrics": lambda: CheckResult(
                tuple(surfaces.metrics_problems(self._app) if self._around.metrics.kept else ())
            ),
            "clock": lambda: CheckResult(tuple(self._clock.problems())),
            "audit": self._audit,
            # Reads the files for "changed" too, so it comes first.
            "policies": lambda: CheckResult(tuple(self._files.problems())),
            "changed": self._changed,
            "left-out": lambda: CheckResult(tuple(f"{name} is left out" for name in self._left_out), self._left_out),
            "silence": self._silence,
        }

    def _guarded(self, check: Callable[[], CheckResult]) -> CheckResult:
        try:
            return check()
        except (StoreError, AuditError) as error:
            return CheckResult((str(error),))
        # A check that raises has failed, whatever the error.
        except Exception as error:
            logs.logger().error("background-failed", exc_info=error)
            return CheckResult((f"the check broke with {type(error).__name__}",))

    def _answers(self, pause: Callable[[float], bool]) -> CheckResult:
        sentences: list[str] = []
        policies: dict[str, None] = {}
        failing: list[tuple[str, str]] = []
        for case in self._due():
            wrong = [f"{case.policy}: {case.name} {problem}" for problem in self._examiner.problems(case)]
            if wrong:
                sentences += wrong
                policies[case.policy] = None
                failing.append(case.key)
            if pause(PAUSE):
                break
        for policy, problems in self._unreadable.items():
            sentences += problems
            policies[policy] = None
        return CheckResult(tuple(sentences), tuple(policies), tuple(failing))

    def _due(self) -> Iterator[KnownAnswer]:
        if self._kept is None:
            self._kept = [KeptAnswers(list(self._answers_of(policy)), PARTS) for policy in self._guide.library.policies]
        for kept in self._kept:
            yield from kept.first()
        for kept in self._kept:
            yield from kept.part(self._turn)

    def _answers_of(self, policy: Policy) -> Iterator[KnownAnswer]:
        try:
            yield from known_answers(policy, self._guide)
        except PolicyError as error:
            self._unreadable[policy.id] = error.problems

    def _pages(self) -> CheckResult:
        policies = self._guide.library.policies
        return CheckResult(tuple(surfaces.page_problems(self._app, policies[self._turn % len(policies)])))

    def _store(self) -> CheckResult:
        return CheckResult(tuple(self._store_check.problems() if self._store_check is not None else ()))

    def _threads(self) -> CheckResult:
        """Report threads that ended unexpectedly, and restart them."""
        problem = self._around.ledger.revive()
        return CheckResult((problem,) if problem else ())

    def _audit(self) -> CheckResult:
        self._around.audit.check()
        return CheckResult()

    def _changed(self) -> CheckResult:
        return (
            CheckResult(("the files on disk are not those that were loaded",))
            if self._files.changed()
            else CheckResult()
        )

    def _silence(self) -> CheckResult:
        """Rule sets with orders but no card; a store that cannot be read is left to its own check."""
        store, metrics = self._around.store, self._around.metrics
        if store is None:
            return CheckResult()
        try:
            silences = activity.silence(store, self._today())
        except StoreError:
            return CheckResult()
        silent = []
        for policy in self._guide.library.policies:
            days = silences[policy.id].days if policy.id in silences else 0
            metrics.days_without_a_card(policy.id, days)
            if days >= self._silent_days:
                silent.append(policy.id)
        return CheckResult(tuple(f"{name} has had orders and given no card" for name in silent), tuple(silent))

    def _tell(self, found: Mapping[str, CheckResult]) -> None:
        log, metrics = logs.logger(), self._around.metrics
        for policy in self._left_out:
            metrics.policy_left_out(policy)
        for name, result in found.items():
            failing = bool(result.sentences)
            metrics.self_check(name, failing)
            if name not in WARNINGS:
                metrics.ready(name, not failing)
            if name in self._readiness.degrading:
                metrics.degraded(name, failing)
            if failing:
                level = log.warning if name in WARNINGS else log.error
                level("self-check-failed", check=name, failing=len(result.sentences))
                for policy in result.policies:
                    level(_EVENTS.get(name, "self-check-failed"), check=name, policy=policy)
        failing_now = [name for name, item in found.items() if item.sentences and name not in WARNINGS]
        if self._status != (status := self._readiness.status_of(failing_now)):
            (log.info if status == READY else log.error)(status, failing=len(failing_now))
        self._status = status
        concerns = [item for name, result in found.items() for item in result.concerns(name)]
        self._readiness.say(failing_now, concerns=concerns)
