"""All FHIR artifacts of the loaded rule sets, made once for each version, with read and search by URL."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from cds_service.fhir.elements import Json
from cds_service.policy.codes import CodeSet
from cds_service.policy.model import Policy
from cds_service.questionnaire.expansion import Contents, contents
from cds_service.questionnaire.plan_definition import plan_definition
from cds_service.questionnaire.rendering import questionnaire
from cds_service.questionnaire.terminology import (
    criteria_code_system,
    own_code_systems,
    value_set_id,
    value_sets,
)
from cds_service.questionnaire.versions import Version

# Library is listed although none exists until the logic is published as CQL.
TYPES = ("CodeSystem", "Library", "PlanDefinition", "Questionnaire", "ValueSet")


class Artifacts:
    """The artifacts of some rule sets.

    ``canonical_base`` is the base of our canonical URLs, ``reasons`` and ``topics`` map the codes of cards to their
    displays, and ``release`` is the version of the service.
    """

    def __init__(
        self,
        policies: Iterable[Policy],
        canonical_base: str,
        reasons: Mapping[str, str],
        topics: Mapping[str, str],
        release: str,
    ) -> None:
        self.policies = tuple(policies)
        self.canonical_base = canonical_base
        self._reasons, self._topics, self._release = reasons, topics, release

    def of_type(self, kind: str, version: Version) -> Sequence[Json]:
        """All artifacts of one of TYPES, in that version of DTR."""
        return self._forms[version] if kind == "Questionnaire" else self._others[kind]

    def read(self, kind: str, identity: str, version: Version) -> Json | None:
        """The artifact with an id, or None."""
        return next((item for item in self.of_type(kind, version) if item["id"] == identity), None)

    def search(self, kind: str, parameters: Mapping[str, str], version: Version) -> list[Json]:
        """The artifacts that match all parameters: ``url`` (which may end in ``|version``), ``version``, and
        ``_id``."""
        url, _, of_url = parameters.get("url", "").partition("|")
        wanted = {"url": url, "version": parameters.get("version", "") or of_url, "id": parameters.get("_id", "")}
        return [
            item
            for item in self.of_type(kind, version)
            if all(not value or item[name] == value for name, value in wanted.items())
            and not (of_url and item["version"] != of_url)
        ]

    def policy_of(self, canonical: str) -> Policy | None:
        """The rule set of the Questionnaire with a canonical URL, with or without its version; otherwise None.

        Editions of one statement do not conflict, because each rule set has its own URL.
        """
        url, _, edition = canonical.partition("|")
        beginning = f"{self.canonical_base}/Questionnaire/"
        for policy in self.policies:
            if url == beginning + policy.id and edition in ("", policy.edition):
                return policy
        return None

    def contents_of(self, identity: str) -> Contents:
        """The codes of the ValueSet with an id. Raises KeyError if there is none."""
        policy, codes = self._code_sets[identity]
        return contents(policy, codes)

    @cached_property
    def _code_sets(self) -> Mapping[str, tuple[Policy, CodeSet]]:
        return {
            value_set_id(policy, codes): (policy, codes)
            for policy in self.policies
            for codes in policy.code_sets.values()
        }

    @cached_property
    def _forms(self) -> Mapping[Version, Sequence[Json]]:
        return {
            version: [questionnaire(policy, self.canonical_base, version) for policy in self.policies]
            for version in Version
        }

    @cached_property
    def _others(self) -> Mapping[str, Sequence[Json]]:
        base = self.canonical_base
        criteria = [criteria_code_system(policy, base) for policy in self.policies]
        return {
            "CodeSystem": [*criteria, *own_code_systems(base, self._reasons, self._topics, self._release)],
            "Library": [],
            "PlanDefinition": [plan_definition(policy, base) for policy in self.policies],
            "ValueSet": [item for policy in self.policies for item in value_sets(policy, base)],
        }
