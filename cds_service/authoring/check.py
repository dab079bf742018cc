"""The author's check: every rule set folder loads, its cases pass and notice every mutation, and its cards follow the
rules for cards."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cds_service.authoring import cases, lint, mutations, placeholders, reviews, unused
from cds_service.authoring.code_check import code_problems
from cds_service.authoring.mutation_test import Trial, unnoticed
from cds_service.authoring.placeholders import Placeholder
from cds_service.authoring.problems import Problem, Severity, error
from cds_service.authoring.two_processes import shared
from cds_service.card.guidance import Addresses
from cds_service.errors import PolicyError
from cds_service.facts.vocabulary import VOCABULARY, Vocabulary
from cds_service.fhir import models
from cds_service.fhir.elements import Json
from cds_service.library import Library, granted_to_nobody
from cds_service.policy import editions
from cds_service.policy.code_packs import CodePack
from cds_service.policy.loading.folder import load_policy, policy_of, read_all_documents
from cds_service.policy.model import Policy
from cds_service.policy.value_sets import ValueSet
from cds_service.questionnaire import problems as form
from cds_service.service.guide import Guide

TRUTHS = ("met", "not-met", "unknown")
# Two ways of being met that cases distinguish.
_COUNTS_AS = {"waived": "met", "does-not-apply": "met"}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What to check: on which day, whether to try mutations, and whether to include mutations of single phrases."""

    today: date
    mutations: bool = True
    phrases: bool = False


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The result for one folder: its problems and notes, the number of cases run, and the number of mutations tried.

    ``policy`` is None if the folder could not be read or has places ``to_fill``. ``mutation_count`` is None if no
    mutations were tried; ``why_no_slips`` then may say why.
    """

    folder: Path
    problems: tuple[Problem, ...]
    policy: Policy | None = None
    pending: tuple[str, ...] = ()
    case_count: int = 0
    mutation_count: int | None = None
    survivor_count: int = 0
    why_no_slips: str = ""
    to_fill: tuple[Placeholder, ...] = ()

    def of(self, severity: Severity) -> list[Problem]:
        """The problems of one severity."""
        return [problem for problem in self.problems if problem.severity is severity]

    @property
    def failed(self) -> bool:
        """Whether there is an error or a place to fill in."""
        return bool(self.of(Severity.ERROR) or self.to_fill)


Tell = Callable[[int, int, str], None]


def silent(done: int, total: int, what: str) -> None:
    """Reports no progress."""


def policy_folders(path: Path) -> tuple[list[Path], list[Path]]:
    """The rule set folders at a path (the path itself, or else the ones in it), and the other folders in it."""
    # A rule set's folder has the rule set's id as its name, and "." has no name.
    path = path.resolve() if path.name in ("", "..") else path
    if (path / "policy.json").exists():
        return [path], []
    folders = sorted(child for child in path.iterdir() if child.is_dir())
    policies = [folder for folder in folders if (folder / "policy.json").exists()]
    return policies, [folder for folder in folders if folder not in policies]


def check_folder(
    folder: Path,
    canonical_base: str,
    wishes: Wishes,
    tell: Tell = silent,
    packs: Sequence[CodePack] = (),
    value_sets: Sequence[ValueSet] = (),
    *,
    vocabulary: Vocabulary = VOCABULARY,
) -> CheckReport:
    """Checks one rule set folder, that the code packs contain the codes it uses, and that its value sets fit.

    ``tell`` receives the progress: number done, total, and what is counted. The cases run with the authors' own labels,
    because they test the rule set's decisions, whatever labels a deployment uses.
    """
    try:
        if unfinished := _unfinished(folder, vocabulary):
            return unfinished
        documents = read_all_documents(folder, vocabulary)
        policy = policy_of(folder, documents, vocabulary)
        if packs or value_sets:
            load_policy(folder, vocabulary, packs, value_sets)
    except PolicyError as refusal:
        return CheckReport(folder, tuple(error("", problem) for problem in refusal.problems))
    guide = Guide(Library((policy,), canonical_base), Addresses("http://127.0.0.1:8080", canonical_base), b"check")
    found = [error("policy.json", sentence) for sentence in granted_to_nobody(policy)]
    found += [*unused.unused(policy), *unused.dangling(policy)]
    found += [error(f"policy.json: {place}", says) for place, says in form.problems(policy)]
    found += code_problems(folder, documents, wishes.today)
    failing = list(_failing_cases(policy, guide, tell))
    found += failing
    found += _truths_without_case(policy)
    tried: list[mutations.Mutation] | None = None
    survivors: list[mutations.Mutation] = []
    if wishes.mutations and not failing:
        tried = mutations.mutations(documents, policy, phrases=wishes.phrases)
        trial = Trial(folder, documents, policy, guide, vocabulary)
        survivors = trial.survivors(tried, lambda done: tell(done, len(tried or ()), f"mutations of {folder.name}"))
        found += unnoticed(survivors, documents)
    found += reviews.overdue(policy, wishes.today)
    return CheckReport(
        folder=folder,
        problems=tuple(found),
        policy=policy,
        pending=tuple(item.id for item in policy.criteria if item.statement_text == "pending-verification"),
        case_count=len(policy.cases.document["cases"]),
        mutation_count=None if tried is None else len(tried),
        survivor_count=len(survivors),
        why_no_slips="mutations not tried while a case fails" if failing and wishes.mutations else "",
    )


def _unfinished(folder: Path, vocabulary: Vocabulary) -> CheckReport | None:
    """The report of a folder with places to fill in; only the completed parts are checked against their schema. None if
    nothing is left to fill in."""
    written = placeholders.read_as_written(folder)
    to_fill = placeholders.placeholders(written)
    if not to_fill:
        return None
    problems = placeholders.problems_beside(folder, written, to_fill, vocabulary)
    return CheckReport(folder, tuple(error("", problem) for problem in problems), to_fill=tuple(to_fill))


def across_folders(reports: Iterable[CheckReport]) -> list[Problem]:
    """Conflicts between rule sets that are each valid alone."""
    return [error("", says) for says in editions.overlaps([report.policy for report in reports if report.policy])]


def _failing_cases(policy: Policy, guide: Guide, tell: Tell) -> Iterator[Problem]:
    listed, alone, names = policy.cases.document["cases"], cases.guide_of(policy, guide), set[str]()

    def faults(case: Mapping[str, Any]) -> list[str]:
        """The faults of one case and of its cards."""
        result = cases.case_result(policy, case, alone)
        of_cards = (says for found in result.answers for says in (*lint.of_answer(found), *order_problems(found.card)))
        return [*result.differences, *(f"the card: {says}" for says in of_cards)]

    found = shared(faults, listed, lambda done: tell(min(done, len(listed)), len(listed), f"cases of {policy.id}"))
    for case, says in zip(listed, found, strict=True):
        place = f"{case['file']}: “{case['name']}”"
        if case["name"] in names:
            yield error(place, "two cases have this name")
        names.add(case["name"])
        yield from (error(place, fault) for fault in says)


def _truths_without_case(policy: Policy) -> Iterator[Problem]:
    """A problem for each truth of a criterion that no case expects, on any part.

    An expectation under a profile counts only for a criterion that only profiles use.
    """
    seen: dict[str, set[str]] = {criterion.id: set() for criterion in policy.criteria}
    own = {criterion.id for criterion in policy.always_evaluated}
    for case in policy.cases.document["cases"]:
        for key, truth in case["expect"].get("criteria", {}).items():
            name, _, profile = key.partition(" ")[0].partition("@")
            if name in seen and not (profile and name in own):
                seen[name].add(_COUNTS_AS.get(truth, truth))
    for name, truths in seen.items():
        missing = [truth for truth in TRUTHS if truth not in truths]
        if missing:
            yield error("cases.json", f"no case expects the criterion '{name}' to be {' or '.join(missing)}")


def order_problems(card: Json | None) -> Iterator[str]:
    """The errors that the FHIR R4B model finds in the orders that a card offers to create."""
    for suggestion in (card or {}).get("suggestions", ()):
        for action in suggestion["actions"]:
            if action["type"] == "create":
                for problem in models.problems(action["resource"]):
                    yield f"'{suggestion['label']}' is not a valid FHIR order: {problem}"
