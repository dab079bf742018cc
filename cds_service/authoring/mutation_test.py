"""The mutation test: makes each mutation, runs the cases that can notice it until one does, and reports the rest."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cds_service.authoring import cases
from cds_service.authoring.case_requests import request_of
from cds_service.authoring.documents import Documents, at, edited
from cds_service.authoring.mutations import Mutation
from cds_service.authoring.near_cases import near
from cds_service.authoring.problems import Problem, error
from cds_service.authoring.reach import Reach, sets_of
from cds_service.authoring.two_processes import shared
from cds_service.errors import PolicyError
from cds_service.facts.vocabulary import Vocabulary
from cds_service.fhir.elements import Json
from cds_service.fhir.free_text import words
from cds_service.hooks.hook_request import PATIENT_VIEW
from cds_service.policy.codes import CodeSet
from cds_service.policy.loading.folder import Unchanged, policy_of
from cds_service.policy.model import FactRule, Policy, own_id
from cds_service.policy.places import Steps, path_of
from cds_service.service.guide import Guide

# Expectations about the card as a whole; any criterion can affect them.
_OF_THE_CARD = frozenset(("summary", "indicator", "says", "omits", "suggests", "refused", "pathway"))


@dataclass(frozen=True)
class Prepared:
    """A case with its request, which is made once for all mutations, and its expectations."""

    case: Mapping[str, Any]
    request: tuple[str, Json]

    @cached_property
    def criteria(self) -> frozenset[str]:
        """The criteria that the case expects something of, without the part or profile in a key."""
        return frozenset(key.partition(" ")[0].partition("@")[0] for key in self.case["expect"].get("criteria", ()))

    @cached_property
    def verdicts(self) -> frozenset[str]:
        """The verdicts that the case expects something of."""
        return frozenset(key.partition(" ")[0] for key in self.case["expect"].get("verdicts", ()))

    @cached_property
    def profile(self) -> str | None:
        """The profile that the case runs under."""
        return self.case.get("profile")

    @cached_property
    def of_the_card(self) -> bool:
        """Whether the case expects something of the card as a whole."""
        return not _OF_THE_CARD.isdisjoint(self.case["expect"])

    @cached_property
    def codes(self) -> frozenset[str]:
        """Every code in the request, in capitals and without a dot."""
        return frozenset(_plain(code) for code in _values(self.request[1], "code"))

    @cached_property
    def own(self) -> str:
        """The case as written, in capitals, without the shared chart that it changes."""
        return json.dumps(self.case).upper()

    @cached_property
    def words(self) -> str:
        """All words of the request."""
        return " | ".join(words(text) for name in ("text", "display") for text in _values(self.request[1], name))


def _values(value: Any, name: str) -> Iterator[str]:
    """Every string value of a member with this name, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name and isinstance(inner, str):
                yield inner
            else:
                yield from _values(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, name)


def _plain(code: str) -> str:
    return code.upper().replace(".", "")


class Trial:
    """The cases of one rule set, ready to run against its mutations; all cases must pass without a mutation."""

    def __init__(
        self, folder: Path, documents: Documents, policy: Policy, guide: Guide, vocabulary: Vocabulary
    ) -> None:
        self.folder = folder
        self.documents = documents
        self.guide = guide
        self.vocabulary = vocabulary
        self.policy = policy
        alone = cases.guide_of(policy, guide)
        self.today = cases.today_of(policy)
        self.cases = [Prepared(case, request_of(policy, case, alone)) for case in policy.cases.document["cases"]]
        self.holders = _holders(policy)
        self.read_by = {name: frozenset(sets_of(rule)) for name, rule in policy.facts.items()}

    def survivors(self, mutations: list[Mutation], tell: Callable[[int], None]) -> list[Mutation]:
        """The mutations that no case notices, in order; ``tell`` receives the number tried."""
        noticed = shared(self.notices, mutations, lambda done: tell(min(done, len(mutations))))
        return [mutation for mutation, is_noticed in zip(mutations, noticed, strict=True) if not is_noticed]

    def notices(self, mutation: Mutation) -> bool:
        """Whether some case fails under the mutation, or the loader rejects the mutated rule set."""
        try:
            mutated = edited(self.documents, mutation.edits)
            policy = policy_of(self.folder, mutated, self.vocabulary, self.unchanged(mutated))
        except PolicyError:
            return True
        alone = cases.guide_of(policy, self.guide)
        return any(
            cases.run_case(item.case, item.request, alone, self.today).differences for item in self.candidates(mutation)
        )

    def unchanged(self, mutated: Documents) -> Unchanged:
        """The code sets and the facts that a mutation does not change; they need not be built again."""
        code_sets = self._unchanged_sets(mutated)
        return Unchanged(code_sets, self._unchanged_facts(mutated, frozenset(code_sets.values())))

    def _unchanged_facts(self, mutated: Documents, code_sets: frozenset[CodeSet]) -> dict[str, FactRule]:
        """The facts whose entry, code sets and earlier facts a mutation does not change."""
        ours, theirs = self.documents["policy"], mutated["policy"]
        if ours.get("scope") is not theirs.get("scope"):
            return {}
        listed, found = theirs["facts"], dict[str, FactRule]()
        # Each fact refers only to facts before it.
        for name, rule in self.policy.facts.items():
            if listed.get(name) is not ours["facts"][name] or not code_sets.issuperset(self.read_by[name]):
                continue
            if all(earlier in found for earlier in (rule.start, rule.end) if earlier):
                found[name] = rule
        return found

    def _unchanged_sets(self, mutated: Documents) -> dict[str, CodeSet]:
        """The code sets that a mutation does not change."""
        ours, theirs = self.documents["codes"], mutated["codes"]
        if ours["systems"] is not theirs["systems"]:
            return {}
        listed = theirs["sets"]
        return {name: codes for name, codes in self.policy.code_sets.items() if listed.get(name) is ours["sets"][name]}

    def candidates(self, mutation: Mutation) -> list[Prepared]:
        """The cases that can notice a mutation, most likely first."""
        reach, place = mutation.reach, near(self.policy, mutation)
        verdicts = reach.verdicts.union(*(self.holders.get(name, frozenset()) for name in reach.criteria))
        ranked = []
        for item in filter(_contains_dropped(reach), self.cases):
            named = reach.criteria & item.criteria or reach.verdicts & item.verdicts
            if named or reach.whole_call or verdicts & item.verdicts or item.of_the_card:
                marked = sum(mark in item.own for mark in place.marks)
                elsewhere = place.profile is not None and item.profile != place.profile
                ranked.append((elsewhere, _is_far(item, reach), -marked, not named, len(item.own), item))
        return [item for *_, item in sorted(ranked, key=lambda row: row[:5])]


def _contains_dropped(reach: Reach) -> Callable[[Prepared], bool]:
    """Tells of a case whether it contains the code or phrase that a mutation drops."""
    if reach.phrase is not None:
        phrase = f" {reach.phrase} "
        return lambda item: phrase in item.words
    if reach.code is None:
        return lambda _: True
    code = _plain(reach.code)
    if code.endswith("-"):
        return lambda item: any(found.startswith(code[:-1]) for found in item.codes)
    return lambda item: code in item.codes


def _is_far(item: Prepared, reach: Reach) -> bool:
    """Whether the mutated code or phrase is only in the chart that many cases share."""
    wanted = reach.phrase if reach.code is None else reach.code.rstrip("-")
    if wanted is not None:
        return wanted.upper() not in item.own
    return reach.whole_call and not reach.criteria and item.case.get("hook") != PATIENT_VIEW


def _holders(policy: Policy) -> dict[str, frozenset[str]]:
    """Criterion -> the verdicts that can depend on it: those that list it, and every payer verdict."""
    found: dict[str, set[str]] = {rule.id: set() for rule in policy.criteria}
    for verdict in policy.verdicts:
        for name in list(found) if verdict.payer else map(own_id, verdict.criteria):
            found[name].add(verdict.id)
    return {name: frozenset(verdicts) for name, verdicts in found.items()}


def unnoticed(survivors: list[Mutation], documents: Documents) -> Iterator[Problem]:
    """A problem for each mutation that no case notices, with the case to add; mutations of one code set are grouped."""
    by_set: dict[Steps, list[Mutation]] = {}
    for mutation in survivors:
        if mutation.dropped is None:
            yield error(
                f"{mutation.file}.json: {path_of(mutation.steps)}",
                f"{mutation.change}, and no case notices: {mutation.advice}",
            )
        else:
            by_set.setdefault(mutation.steps[:3], []).append(mutation)
    for steps, group in by_set.items():
        if len(group) == 1:
            (mutation,) = group
            yield error(
                f"codes.json: {path_of(mutation.steps)}", f"{mutation.change}, and no case notices: {mutation.advice}"
            )
            continue
        whole = len(at(documents["codes"], steps))
        table = json.dumps([mutation.dropped for mutation in group], ensure_ascii=False)
        beginning = ", each row that ends in a dash with a code that begins so" if '-"' in table else ""
        says = (
            f"each of {len(group)} of these {whole} dropped, and no case notices: add a case for each{beginning}, or a "
        )
        phrases = all(mutation.reach.phrase for mutation in group)
        how = ', each as an item by its words alone: "condition": "", "text": "{code}"' if phrases else ""
        yield error(f"codes.json: {path_of(steps)}", f'{says}table with "for_each": {table}{how}')
