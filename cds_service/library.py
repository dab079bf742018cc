"""All loaded policies, checked once at start: what they read, which answers count where, what an order may concern."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

from cds_service import criteria, facts, prefetch, verdicts
from cds_service.chart import read_chart
from cds_service.code_packs import read_packs
from cds_service.editions import overlaps
from cds_service.errors import PolicyError
from cds_service.identity import reason_system
from cds_service.lexicon import Lexicon
from cds_service.loader import load_policy
from cds_service.logic import Truth
from cds_service.needs import NeedsIndex
from cds_service.order_index import OrderIndex
from cds_service.policy import Policy


@dataclass(frozen=True)
class Library:
    """The policies in the order of their ids; ``canonical_base`` is the base of our own canonical addresses."""

    policies: tuple[Policy, ...]
    canonical_base: str

    @cached_property
    def prefetch_keys(self) -> Mapping[str, str]:
        """Published prefetch key -> resource type."""
        return prefetch.keys(self.policies)

    @cached_property
    def prefetch_templates(self) -> Mapping[str, str]:
        """Published prefetch key -> template."""
        return prefetch.templates(self.policies)

    @cached_property
    def resource_types(self) -> frozenset[str]:
        """Every resource type that a policy reads."""
        return frozenset(self.prefetch_keys.values())

    @cached_property
    def order_index(self) -> OrderIndex:
        """Whose business an order is."""
        return OrderIndex(self.policies)

    @cached_property
    def opened_on_patient_view(self) -> tuple[Policy, ...]:
        """The policies that may have something to say when a chart is opened."""
        return tuple(policy for policy in self.policies if policy.patient_view_when is not None)

    @cached_property
    def read_when_a_chart_is_opened(self) -> Mapping[str, frozenset[str]]:
        """Policy id -> the resource types that tell whether that policy has something to say on patient-view."""
        return {policy.id: _types_of_opening(policy) for policy in self.opened_on_patient_view}

    @cached_property
    def needs(self) -> NeedsIndex:
        """What some of the policies read of a chart."""
        return NeedsIndex(self.policies)

    @cached_property
    def _questionnaires(self) -> Mapping[str, frozenset[str]]:
        return {
            policy.statement: frozenset(
                f"{self.canonical_base}/Questionnaire/{other.id}"
                for other in self.policies
                if other.statement == policy.statement
            )
            for policy in self.policies
        }

    def questionnaires(self, policy: Policy) -> frozenset[str]:
        """The canonical addresses (without version) whose answers count for a policy: those of all its editions."""
        return self._questionnaires[policy.statement]

    @cached_property
    def override_reasons(self) -> Mapping[str, str]:
        """The override reasons that cards of any policy offer: code -> what it is called."""
        return {
            item["code"]: item["display"] for policy in self.policies for item in policy.wording["override_reasons"]
        }

    def reason_label(self, code: str, system: str) -> str | None:
        """What an override reason is called if our cards offer it, or None; an empty ``system`` stands for ours."""
        return self.override_reasons.get(code) if system in ("", reason_system(self.canonical_base)) else None

    @cached_property
    def statements(self) -> tuple[tuple[Policy, ...], ...]:
        """The policies by statement, each with all of its editions."""
        found: dict[str, list[Policy]] = {}
        for policy in self.policies:
            found.setdefault(policy.statement, []).append(policy)
        return tuple(map(tuple, found.values()))

    def policy(self, policy_id: str) -> Policy | None:
        """The policy of that id, or None."""
        return next((policy for policy in self.policies if policy.id == policy_id), None)


def _types_of_opening(policy: Policy) -> frozenset[str]:
    tests = [test for test in (policy.patient_view_when, policy.patient_view_unless) if test is not None]
    rules = [policy.facts[name] for test in tests for name in test.facts()]
    rules += [policy.facts[name] for rule in rules for name in (rule.start, rule.end) if name]
    # A record may give its reason by a reference to a Condition.
    reasons = {"Condition"} if any(rule.reason is not None for rule in rules) else set()
    return frozenset[str]().union(*(rule.types() for rule in rules)) | (reasons & policy.resource_types)


def load_library(folder: Path, canonical_base: str, codes: Path | None = None) -> Library:
    """Loads every policy folder in ``folder``, with the code packs in the folder ``codes`` where there is one.

    Raises PolicyError with all problems of all of them.
    """
    packs = read_packs(codes)
    problems: list[str] = []
    policies: list[Policy] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if (path / "policy.json").exists():
            try:
                policies.append(load_policy(path, packs))
            except PolicyError as error:
                problems += error.problems
    if not policies and not problems:
        problems.append(f"{folder}: no policy found; a policy is a folder with a policy.json")
    for policy in policies:
        problems += [f"{folder / policy.id}: {sentence}" for sentence in granted_to_nobody(policy)]
    problems += [f"{folder}: {sentence}" for sentence in overlaps(policies)]
    if problems:
        raise PolicyError(problems)
    return Library(tuple(policies), canonical_base)


def granted_to_nobody(policy: Policy) -> list[str]:
    """A sentence for each criterion and verdict that an empty chart would meet: nothing known, nothing granted."""
    keys = prefetch.keys([policy])
    nobody = read_chart(dict.fromkeys(keys), keys, "nobody", policy.resource_types, Lexicon(()))
    day = date(2000, 1, 1)
    decision = verdicts.decide(policy, nobody, facts.gather(policy, nobody, frozenset(), day), None, day)
    met = [f"criterion '{name}'" for name, finding in decision.findings.items() if finding.truth is Truth.MET]
    met += [f"verdict '{verdict.rule.id}'" for verdict in decision.verdicts if verdict.truth is Truth.MET]
    known = facts.gather(policy, nobody, frozenset(), day)
    lent = [item for item in policy.criteria if item not in policy.always_evaluated]
    for name, finding in criteria.find(policy, [*lent, *policy.variants.values()], known, nobody).items():
        if finding.truth is Truth.MET:
            met.append(f"criterion '{name}'")
    return [f"{what} is met by an empty chart; a policy must not grant anything to nobody" for what in met]
