"""All loaded rule sets, validated once at start: the records they read, the answers that count, and their orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from cds_service.card import overrides
from cds_service.card.ids import reason_system
from cds_service.card.outcomes import Outcome
from cds_service.chart.order_index import OrderIndex
from cds_service.chart.policy_reads import PolicyReadsIndex, types_of_opening
from cds_service.errors import PolicyError
from cds_service.facts import gather
from cds_service.facts.logic import Truth
from cds_service.facts.silence import SilentFacts, empty_chart
from cds_service.facts.vocabulary import VOCABULARY
from cds_service.policy import prefetch_templates
from cds_service.policy.code_packs import read_packs
from cds_service.policy.drafts import MARK, places_to_fill
from cds_service.policy.editions import overlaps
from cds_service.policy.json_files import FILES
from cds_service.policy.loading.folder import digest_of, documents_as_deployed, policy_of
from cds_service.policy.model import Policy
from cds_service.policy.released_codes import released_codes
from cds_service.policy.value_sets import read_value_sets, unplaced
from cds_service.verdicts import criteria, decisions


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A rule set folder that was not loaded, by name: an unfinished ``draft``, or one whose ``problems`` say why."""

    name: str
    problems: tuple[str, ...]
    draft: bool = False


class Silences(NamedTuple):
    """The facts and findings of one rule set for a chart without any of the records that it reads."""

    facts: SilentFacts
    findings: criteria.SilentFindings


@dataclass(frozen=True)
class Library:
    """The loaded rule sets, in the order of their ids; ``canonical_base`` is the base of our own canonical addresses.

    ``left_out`` are the folders that were not loaded; their orders get no answer. ``written`` is each rule set's
    policy.json, by id, for the page that prints it; no decision uses it. ``drafts`` are editions that are listed but
    never in force: they neither answer nor keep another edition from answering.
    """

    policies: tuple[Policy, ...]
    canonical_base: str
    left_out: tuple[LeftOut, ...] = ()
    written: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    drafts: tuple[Policy, ...] = ()

    @property
    def failed(self) -> tuple[LeftOut, ...]:
        """The folders that could not be loaded, without drafts."""
        return tuple(item for item in self.left_out if not item.draft)

    @cached_property
    def prefetch_keys(self) -> Mapping[str, str]:
        """Published prefetch key -> resource type."""
        return prefetch_templates.keys(self.policies)

    @cached_property
    def prefetch_templates(self) -> Mapping[str, str]:
        """Published prefetch key -> template."""
        return prefetch_templates.templates(self.policies)

    @cached_property
    def resource_types(self) -> frozenset[str]:
        """Every resource type that a rule set reads."""
        return frozenset(self.prefetch_keys.values())

    @cached_property
    def order_index(self) -> OrderIndex:
        """The index from orders to the rule sets that they concern."""
        return OrderIndex(self.policies)

    @cached_property
    def opened_on_patient_view(self) -> tuple[Policy, ...]:
        """The rule sets that may have something to say when a chart is opened."""
        return tuple(policy for policy in self.policies if policy.patient_view_when is not None)

    @cached_property
    def read_when_a_chart_is_opened(self) -> Mapping[str, frozenset[str]]:
        """Rule set id -> the resource types that decide whether the rule set has something to say on patient-view."""
        return {policy.id: types_of_opening(policy) for policy in self.opened_on_patient_view}

    @cached_property
    def policy_reads(self) -> PolicyReadsIndex:
        """The index of what rule sets read of a chart."""
        return PolicyReadsIndex(self.policies)

    @cached_property
    def _questionnaires(self) -> Mapping[str, frozenset[str]]:
        return {
            policy.statement: frozenset(
                f"{self.canonical_base}/Questionnaire/{other.id}|{other.edition}"
                for other in self.policies
                if other.statement == policy.statement
            )
            for policy in self.policies
        }

    @cached_property
    def _silences(self) -> dict[str, Silences]:
        return {}

    def silences(self, policy: Policy) -> Silences:
        """The facts and findings of a rule set for an empty chart; computed once, on first access."""
        if policy.id not in self._silences:
            facts = SilentFacts(policy, self.resource_types)
            self._silences[policy.id] = Silences(facts, criteria.silent_findings(policy, facts))
        return self._silences[policy.id]

    def questionnaires(self, policy: Policy) -> frozenset[str]:
        """The canonical addresses of the forms whose answers count for a rule set: those of all its editions."""
        return self._questionnaires[policy.statement]

    @cached_property
    def override_reasons(self) -> Mapping[str, str]:
        """The override reasons that cards offer or have offered: code -> label."""
        return overrides.known()

    @cached_property
    def topics(self) -> Mapping[str, str]:
        """The topics of cards, one for each therapy and outcome: code -> label."""
        return {
            f"{policy.phrases.topic}{outcome.topic}": f"{policy.procedure}: {outcome.value}"
            for policy in self.policies
            for outcome in Outcome
        }

    def reason_label(self, code: str, system: str) -> str | None:
        """The label of an override reason that our cards offer, otherwise None; an empty ``system`` stands for ours."""
        return self.override_reasons.get(code) if system in ("", reason_system(self.canonical_base)) else None

    @cached_property
    def statements(self) -> tuple[tuple[Policy, ...], ...]:
        """The rule sets by statement, each with all its editions."""
        found: dict[str, list[Policy]] = {}
        for policy in self.policies:
            found.setdefault(policy.statement, []).append(policy)
        return tuple(map(tuple, found.values()))

    def policy(self, policy_id: str) -> Policy | None:
        """The rule set with that id, or None."""
        return next((policy for policy in self.policies if policy.id == policy_id), None)


def load_library(
    folder: Path, canonical_base: str, codes: Path | None = None, value_sets: Path | None = None
) -> Library:
    """Load every rule set in ``folder``, with the code packs in ``codes`` and the value sets in ``value_sets``, if any.

    A folder that cannot be loaded, and a draft, are left out; the others load. Raises PolicyError with all problems if
    no rule set is left, or if the code packs or the value sets cannot be used.
    """
    packs, given, folders = read_packs(codes), read_value_sets(value_sets), _policy_folders(folder)
    if misplaced := unplaced(given, (path.name for path in folders)):
        raise PolicyError(misplaced)
    policies: list[Policy] = []
    drafts: list[Policy] = []
    written: dict[str, Mapping[str, Any]] = {}
    left_out: list[LeftOut] = []
    for path in folders:
        if number := places_to_fill(path):
            left_out.append(LeftOut(path.name, (f"{path}: is a draft; {number} texts still say {MARK}…",), draft=True))
            continue
        try:
            documents = documents_as_deployed(path, VOCABULARY, packs, given)
            policy = replace(
                policy_of(path, documents, VOCABULARY),
                digest=digest_of(documents),
                released_codes=released_codes(path, documents["codes"]["systems"]),
            )
            if granted := granted_to_nobody(policy):
                raise PolicyError([f"{path}: {sentence}" for sentence in granted])
            (drafts if policy.is_draft else policies).append(policy)
            written[policy.id] = documents["policy"]
        except PolicyError as error:
            left_out.append(LeftOut(path.name, tuple(error.problems)))
    disputed = _disputed(policies, folder)
    left_out += disputed
    kept = tuple(policy for policy in policies if policy.id not in {item.name for item in disputed})
    if not kept:
        raise PolicyError(
            list(dict.fromkeys(problem for item in left_out for problem in item.problems)) or [_none(folder)]
        )
    return Library(kept, canonical_base, tuple(sorted(left_out, key=lambda item: item.name)), written, tuple(drafts))


def _policy_folders(folder: Path) -> list[Path]:
    """The folders with any file of a rule set, even if policy.json is missing."""
    folders = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in folders if any((path / f"{name}.json").exists() for name in FILES)]


def _disputed(policies: Sequence[Policy], folder: Path) -> list[LeftOut]:
    """The editions whose days overlap with another edition of the same statement, so that neither can apply."""
    found = []
    for statement in dict.fromkeys(policy.statement for policy in policies):
        editions = [policy for policy in policies if policy.statement == statement]
        if problems := tuple(f"{folder}: {sentence}" for sentence in overlaps(editions)):
            found += [LeftOut(policy.id, problems) for policy in editions]
    return found


def _none(folder: Path) -> str:
    return f"{folder}: no rule set found; a rule set is a folder with a policy.json, and CDS_SERVICE_CARDS names where"


def granted_to_nobody(policy: Policy) -> list[str]:
    """A sentence for each criterion and verdict that an empty chart would meet: nothing known, nothing granted."""
    nobody = empty_chart(("Patient", *policy.resource_types))
    day = date(2000, 1, 1)
    known = gather.gather(policy, nobody, frozenset(), day)
    decision = decisions.decide(policy, nobody, known, None, day)
    met = [f"criterion '{name}'" for name, finding in decision.findings.items() if finding.truth is Truth.MET]
    met += [f"verdict '{verdict.rule.id}'" for verdict in decision.verdicts if verdict.truth is Truth.MET]
    lent = [item for item in policy.criteria if item not in policy.always_evaluated]
    for name, finding in criteria.find(policy, [*lent, *policy.variants.values()], known, nobody).items():
        if finding.truth is Truth.MET:
            met.append(f"criterion '{name}'")
    return [f"{what} is met by an empty chart; a rule set must not be met by an empty chart" for what in met]
