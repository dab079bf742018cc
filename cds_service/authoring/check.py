"""The author's check: every policy folder loads, its cases come out as written, its cards read as cards must."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cds_service import fhir_models
from cds_service.authoring import cases, lint
from cds_service.card import Addresses
from cds_service.code_packs import CodePack
from cds_service.elements import Json
from cds_service.errors import PolicyError
from cds_service.library import Library, granted_to_nobody
from cds_service.loader import load_policy
from cds_service.policy import Policy
from cds_service.service import Guide

TRUTHS = ("met", "not-met", "unknown")


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome for one folder: what is wrong, what a reader must know, the cases run, the policy if it loads."""

    folder: Path
    problems: tuple[str, ...]
    pending: tuple[str, ...]
    case_count: int
    policy: Policy | None = None


def policy_folders(path: Path) -> tuple[list[Path], list[Path]]:
    """The policy folders at a path (the path itself where it is one, else those in it), and the other folders there."""
    if (path / "policy.json").exists():
        return [path], []
    folders = sorted(child for child in path.iterdir() if child.is_dir())
    policies = [folder for folder in folders if (folder / "policy.json").exists()]
    return policies, [folder for folder in folders if folder not in policies]


def check_folder(folder: Path, canonical_base: str, packs: Sequence[CodePack] = ()) -> Report:
    """Checks one policy folder, and that the code packs hold what it uses.

    The cases run with the authors' own words: they hold what the policy decides, whatever a deployment calls its codes.
    """
    try:
        load_policy(folder, packs)
        policy = load_policy(folder)
    except PolicyError as error:
        return Report(folder, tuple(error.problems), (), 0)
    guide = Guide(Library((policy,), canonical_base), Addresses("http://127.0.0.1:8080", canonical_base), b"check")
    found = [f"{folder}: {sentence}" for sentence in granted_to_nobody(policy)]
    found += unused(policy, folder)
    try:
        found += _case_problems(policy, guide, folder / "cases.json")
    except PolicyError as error:
        found += [f"{folder}: {problem}" for problem in error.problems]
    pending = tuple(item.id for item in policy.criteria if item.statement_text == "pending-verification")
    return Report(folder, tuple(found), pending, len(policy.cases["cases"]), policy)


def _case_problems(policy: Policy, guide: Guide, file: Path) -> Iterator[str]:
    names: set[str] = set()
    seen: dict[str, set[str]] = {criterion.id: set() for criterion in policy.criteria}
    for result, case in zip(cases.run_cases(policy, guide), policy.cases["cases"], strict=True):
        if result.name in names:
            yield f"{file}: two cases are named '{result.name}'"
        names.add(result.name)
        yield from (f"{file}: {result.name}: {difference}" for difference in result.differences)
        for card in result.cards:
            yield from (f"{file}: {result.name}: the card: {problem}" for problem in lint.problems(card))
            yield from (f"{file}: {result.name}: the card: {problem}" for problem in order_problems(card))
        for name, truth in case["expect"].get("criteria", {}).items():
            seen.setdefault(name, set()).add(truth)
    for name, truths in seen.items():
        for truth in TRUTHS:
            if truth not in truths:
                yield f"{file}: no case expects the criterion '{name}' to be {truth}"


def order_problems(card: Json) -> Iterator[str]:
    """What the FHIR R4B model finds wrong with the orders that a card offers to create."""
    for suggestion in card.get("suggestions", ()):
        for action in suggestion["actions"]:
            if action["type"] == "create":
                for problem in fhir_models.problems(action["resource"]):
                    yield f"'{suggestion['label']}' is no valid FHIR order: {problem}"


def unused(policy: Policy, folder: Path) -> list[str]:
    """A sentence for each fact and code set that nothing reads."""
    read = {name for criterion in policy.criteria for name in criterion.test.facts()}
    read |= {hint.fact for criterion in policy.criteria for hint in criterion.hints}
    read |= {hint.fact for hint in policy.for_review}
    for test in (policy.patient_view_when, policy.patient_view_unless):
        read |= set(test.facts()) if test else set()
    sentences = [
        f"{folder / 'policy.json'}: $.facts.{name}: no criterion, hint or rule reads this fact"
        for name in policy.facts
        if name not in read
    ]
    used = {rule.name for fact in policy.facts.values() for rule in (fact.codes, fact.site, fact.reason) if rule}
    used |= {act.codes.name for act in policy.orders.acts} | {policy.orders.here.name, policy.orders.unspecific.name}
    for name, codes in policy.code_sets.items():
        if name not in used and not all(code.use for code in codes.codes):
            sentences.append(
                f"{folder / 'codes.json'}: $.sets.{name}: "
                "nothing reads this set, and not every code in it says its 'use'"
            )
    return sentences
