"""Reads a rule set folder into a frozen Policy, or raises a PolicyError with file, place, fault and what is allowed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from cds_service.errors import PolicyError
from cds_service.fhir.dates import days
from cds_service.fhir.free_text import words
from cds_service.fhir.types import RECORDS, TYPES, WORDED
from cds_service.policy import code_packs, value_sets
from cds_service.policy.cases import CaseFiles
from cds_service.policy.code_packs import CodePack
from cds_service.policy.codes import CodeSet
from cds_service.policy.json_files import CASES, RULES, read_json, schema_problems
from cds_service.policy.loading.attesters import AttesterReader
from cds_service.policy.loading.code_sets import NO_CODES, CodeReader
from cds_service.policy.loading.criteria import CriterionReader, always_evaluated
from cds_service.policy.loading.facts import FactReader
from cds_service.policy.loading.orders import OrderReader
from cds_service.policy.loading.problems import Problems, Reader
from cds_service.policy.loading.sources import SourceReader
from cds_service.policy.loading.tests import TestReader
from cds_service.policy.loading.vocabulary import LoadedVocabulary, schema
from cds_service.policy.loading.wording import WordingReader
from cds_service.policy.model import FactRule, Part, Payer, Policy, Profile, Scope, Test
from cds_service.policy.payer_names import PayerNames
from cds_service.policy.places import Steps, path_of
from cds_service.policy.value_sets import ValueSet


def load_policy(
    folder: Path,
    vocabulary: LoadedVocabulary,
    packs: Sequence[CodePack] = (),
    given: Sequence[ValueSet] = (),
) -> Policy:
    """Reads one rule set folder. Codes of a pack's system take their words from the pack; the value sets add their
    codes.

    Raises PolicyError with all problems found, each naming its file and place.
    """
    return policy_of(folder, documents_as_deployed(folder, vocabulary, packs, given), vocabulary)


def documents_as_deployed(
    folder: Path, vocabulary: LoadedVocabulary, packs: Sequence[CodePack], given: Sequence[ValueSet]
) -> Mapping[str, Mapping[str, Any]]:
    """``read_documents``, with the words of the code packs and the codes of the value sets.

    Raises PolicyError with all problems found.
    """
    documents, missing = code_packs.apply(packs, read_documents(folder, vocabulary))
    documents, misplaced = value_sets.apply(given, folder.name, documents)
    problems = [*(f"{folder / 'codes.json'}: {problem}" for problem in missing), *misplaced]
    if problems:
        raise PolicyError(problems)
    return documents


def read_documents(folder: Path, vocabulary: LoadedVocabulary) -> dict[str, Any]:
    """The documents of a rule set folder that define its rules, by name, each valid against its schema.

    Raises PolicyError with all problems found.
    """
    documents = {name: read_json(folder / f"{name}.json") for name in RULES}
    problems = [
        problem
        for name, document in documents.items()
        for problem in schema_problems(schema(name, vocabulary), folder / f"{name}.json", document)
    ]
    # All rule sets share this file, so it is next to their folders.
    named = folder.parent / "payer-names.json"
    if named.exists():
        documents["payer-names"] = read_json(named)
        problems += schema_problems(schema("payer-names", vocabulary), named, documents["payer-names"])
    if problems:
        raise PolicyError(problems)
    return documents


def read_all_documents(folder: Path, vocabulary: LoadedVocabulary) -> dict[str, Any]:
    """``read_documents`` plus the cases of all case files, for authors. Raises PolicyError with all problems found."""
    documents: dict[str, Any] = {}
    problems: list[str] = []
    for read in (lambda: read_documents(folder, vocabulary), lambda: {CASES: CaseFiles(folder).read()}):
        try:
            documents |= read()
        except PolicyError as error:
            problems += error.problems
    if problems:
        raise PolicyError(problems)
    return documents


def digest_of(documents: Mapping[str, Any]) -> str:
    """The identifier of deployed rules: the SHA-256, in hexadecimal, of all documents except the cases."""
    written = {name: document for name, document in documents.items() if name != CASES}
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()


class Unchanged(NamedTuple):
    """What need not be built again: code sets and facts of a Policy whose documents differ in other parts only."""

    code_sets: Mapping[str, CodeSet] = MappingProxyType({})
    facts: Mapping[str, FactRule] = MappingProxyType({})


NOTHING_IS_UNCHANGED = Unchanged()


def policy_of(
    folder: Path,
    documents: Mapping[str, Any],
    vocabulary: LoadedVocabulary,
    unchanged: Unchanged = NOTHING_IS_UNCHANGED,
) -> Policy:
    """The Policy of schema-valid documents. Raises PolicyError for unresolved references.

    ``unchanged`` is what another Policy has of the same parts of the documents.
    """
    problems = Problems(folder)
    policy = _Builder(problems, documents, vocabulary, unchanged).build()
    if problems.sentences:
        raise PolicyError(list(dict.fromkeys(problems.sentences)))
    return policy


class _Builder(Reader):
    """Turns schema-valid documents into a Policy, and notes every unresolved reference."""

    def __init__(
        self,
        problems: Problems,
        documents: Mapping[str, Any],
        vocabulary: LoadedVocabulary,
        unchanged: Unchanged,
    ) -> None:
        super().__init__(problems)
        self.documents = documents
        self.written = written = documents["policy"]
        self.codes = CodeReader(problems, documents["codes"], unchanged.code_sets)
        scope = written.get("scope")
        name = scope["name"] if scope else None
        self.facts = FactReader(problems, self.codes, name, vocabulary.kinds, unchanged.facts).facts(written["facts"])
        numbers = {name: entry["value"] for name, entry in written.get("parameters", {}).items()}
        self.tests = TestReader(problems, self.facts, numbers, vocabulary.words)
        self.sources = SourceReader(problems, written["sources"])
        self.criteria = CriterionReader(problems, self.facts, self.sources, self.tests, written["criteria"])

    def build(self) -> Policy:
        """The Policy. If no problem was noted, all its references are valid."""
        written, card = self.written, self.documents["card"]
        self.names()
        phrases = WordingReader(self._problems).read(written, card)
        self.types()
        for name, system in self.documents["codes"]["systems"].items():
            if "source" in system:
                self.known(system["source"], self.sources.sources, "source", "codes", f"$.systems.{name}.source")
        evidence = self.sources.evidence(written["evidence"])
        parameters = self.sources.parameters(written.get("parameters", {}))
        attributes = self.sources.attributes(written["attributes"])
        review = self.sources.review(written["review"])
        self.criteria.read()
        profiles = {name: self.criteria.profile(name, entry) for name, entry in written.get("profiles", {}).items()}
        verdicts = tuple(
            self.criteria.verdict(index, entry, profiles) for index, entry in enumerate(written["verdicts"])
        )
        orders = OrderReader(self._problems, self.codes, self.tests, card.get("pathways", {}))
        own = tuple(self.criteria.criteria.values())
        for number, revision in enumerate(review.revisions):
            for place, name in enumerate(revision.turns):
                where = f"$.review.revisions[{number}].turns[{place}]"
                self.known(name, {item.id for item in own}, "criterion", "policy", where)
        return Policy(
            id=written["id"],
            statement=written["statement"],
            edition=written["edition"],
            title=written["title"],
            procedure=written["procedure"],
            effective_from=written["effective"]["from"],
            effective_until=written["effective"]["until"],
            review=review,
            attributes=attributes,
            sources=self.sources.sources,
            evidence=evidence,
            information=self.sources.information(written["information"]),
            code_systems=self.documents["codes"]["systems"],
            code_sets=self.codes.sets,
            facts=AttesterReader(self._problems).facts(self.facts, [*own, *self.criteria.variants.values()]),
            criteria=own,
            verdicts=verdicts,
            orders=orders.orders(written["orders"], written.get("pathways", ())),
            patient_view_when=self.opening("when"),
            patient_view_unless=self.opening("unless"),
            for_review=tuple(
                self.criteria.line(entry, f"$.for_review[{n}]") for n, entry in enumerate(written["for_review"])
            ),
            payers=tuple(
                self.payer(index, entry, profiles) for index, entry in enumerate(self.documents["payers"]["payers"])
            ),
            wording=card,
            phrases=phrases,
            cases=CaseFiles(self._problems.folder, self.documents.get(CASES)),
            resource_types=frozenset(name for rule in self.facts.values() for name in rule.types()).union(
                {"Coverage"} if self.documents["payers"]["payers"] else ()
            ),
            scope=self.scope(written["scope"]) if "scope" in written else None,
            parameters=parameters,
            profiles=profiles,
            variants=self.criteria.variants,
            always_evaluated=always_evaluated(own, verdicts, profiles.values()),
            payer_names=PayerNames(self.documents.get("payer-names", {"payers": []})),
            status=written.get("status", ""),
            superseded_by=self.sources.later_text(written.get("superseded_by")),
        )

    def names(self) -> None:
        """Notes an id that differs from the folder's name, and duplicate ids."""
        written, folder = self.written, self._problems.folder.name
        if written["id"] != folder:
            self.problem("policy", "$.id", f"is '{written['id']}' but the folder is named '{folder}'; they must agree")
        self.unique([entry["id"] for entry in written["criteria"]], "policy", "$.criteria")
        self.unique([entry["id"] for entry in written["verdicts"]], "policy", "$.verdicts")
        self.unique([entry["id"] for entry in written["orders"]["acts"]], "policy", "$.orders.acts")
        self.unique([entry["id"] for entry in self.documents["payers"]["payers"]], "payers", "$.payers")

    def opening(self, word: str) -> Test | None:
        """A test that runs when a user opens a chart; None if the rule set has none."""
        entries = self.written.get("patient_view", {})
        return self.criteria.of_the_whole(entries[word], ("patient_view", word)) if word in entries else None

    def types(self) -> None:
        """Notes unsupported resource types that facts read."""
        for name, rule in self.facts.items():
            place = f"$.facts.{name}"
            readable = WORDED if rule.kind.is_of_words else RECORDS
            for index, kind in enumerate(rule.resources):
                self.known(
                    kind, readable, "type of record that a fact can read", "policy", f"{place}.resources[{index}]"
                )
            for kind in sorted(rule.types().difference(rule.resources)):
                self.known(kind, TYPES, "type of resource that is read", "policy", f"{place}.kind")

    def scope(self, entry: Mapping[str, Any]) -> Scope:
        place = "$.scope.parts"
        self.unique([part["id"] for part in entry["parts"]], "policy", place)
        return Scope(
            entry["name"],
            tuple(
                Part(
                    part["id"],
                    part["label"],
                    self.codes.set_named(part["codes"], f"{place}[{n}].codes") or NO_CODES,
                    self.naming(part["when"], ("scope", "parts", n, "when")) if "when" in part else None,
                )
                for n, part in enumerate(entry["parts"])
            ),
        )

    def naming(self, entry: Mapping[str, Any], place: Steps) -> Test:
        """The test that names a part if the order does not. Notes facts that count parts, which are not known yet."""
        test = self.criteria.of_the_whole(entry, place)
        for name in test.facts():
            if name in self.facts and self.facts[name].kind.counts_parts:
                self.problem(
                    "policy", path_of(place), f"the fact '{name}' counts the parts, which this test has still to name"
                )
        return test

    def payer(self, index: int, entry: Mapping[str, Any], profiles: Mapping[str, Profile]) -> Payer:
        if "profile" in entry["position"]:
            applied = [name for name, profile in profiles.items() if profile.pending is None]
            named = entry["position"]["profile"]
            self.known(named, applied, "profile that can be applied", "payers", f"$.payers[{index}].position.profile")
        self.criteria.known_criteria(
            entry["position"].get("covered_when_all", ()), "payers", f"$.payers[{index}].position.covered_when_all"
        )
        in_force = entry["in_force"]
        for number, name in enumerate(entry.get("sources", ())):
            self.known(name, self.sources.sources, "source", "payers", f"$.payers[{index}].sources[{number}]")
        return Payer(
            id=entry["id"],
            name=entry["name"],
            identifiers=frozenset((item["system"], item["value"]) for item in entry["identifiers"]),
            aliases=frozenset(words(alias) for alias in (entry["name"], *entry["aliases"])),
            document=entry["document"],
            position=entry["position"],
            own_text=entry["own_text"],
            seen_in_force=date.fromisoformat(entry["seen_in_force"]) if entry["seen_in_force"] else None,
            in_force_from=days(in_force["from"]).first if in_force["from"] else None,
            in_force_until=days(in_force["until"]).last if in_force["until"] else None,
            background=entry["background"],
            verified=entry["verified"],
            next_review=entry["next_review"],
            sources=tuple(entry.get("sources", ())),
        )
