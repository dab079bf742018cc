"""The documents of a policy as written: places in them, their tests, what names what, and a copy with a place changed.

Everything here works on JSON that is sound by its schema, before the loader made a Policy of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cds_service.policy.places import Steps

Documents = Mapping[str, Any]

LIMITS = ("at_least", "at_most", "more_than", "less_than")
_SET_WORDS = ("codes", "site", "reason", "here", "unspecific", "weight", "height")


class Rooted(NamedTuple):
    """A whole test: where it stands, and what it decides: a criterion, a verdict, or (neither named) the whole call."""

    steps: Steps
    test: Mapping[str, Any]
    criterion: str = ""
    verdict: str = ""


class Node(NamedTuple):
    """One node of a test; ``events`` names the fact over whose events it speaks, inside a ``where``."""

    steps: Steps
    entry: Mapping[str, Any]
    events: str


@dataclass(frozen=True, slots=True)
class Edit:
    """One place of a document and what stands there instead; ``removes`` where nothing does."""

    file: str
    steps: Steps
    value: Any = None
    removes: bool = False


def at(document: Any, steps: Steps) -> Any:
    """What stands at a place."""
    for step in steps:
        document = document[step]
    return document


def edited(documents: Documents, edits: tuple[Edit, ...]) -> dict[str, Any]:
    """The documents with all edits made; what is not edited is shared with the originals."""
    changed = dict(documents)
    for edit in edits:
        changed[edit.file] = _edited(changed[edit.file], edit.steps, edit)
    return changed


def _edited(value: Any, steps: Steps, edit: Edit) -> Any:
    if not steps:
        return edit.value
    copied = value.copy()
    if len(steps) == 1 and edit.removes:
        del copied[steps[0]]
    elif len(steps) == 1 and isinstance(copied, list) and steps[0] == len(copied):
        copied.append(edit.value)
    else:
        inner = copied[steps[0]] if len(steps) > 1 else None
        copied[steps[0]] = _edited(inner, steps[1:], edit)
    return copied


def tests(policy: Mapping[str, Any]) -> Iterator[Rooted]:
    """Every whole test of policy.json."""
    for index, criterion in enumerate(policy["criteria"]):
        yield Rooted(("criteria", index, "test"), criterion["test"], criterion=criterion["id"])
    for name, profile in policy.get("profiles", {}).items():
        for criterion, replaced in profile.get("replaces", {}).items():
            if "test" in replaced:
                yield Rooted(("profiles", name, "replaces", criterion, "test"), replaced["test"], criterion=criterion)
    for index, verdict in enumerate(policy["verdicts"]):
        if "applies_unless" in verdict:
            yield Rooted(("verdicts", index, "applies_unless"), verdict["applies_unless"], verdict=verdict["id"])
    for index, row in enumerate(policy.get("pathways", ())):
        if "when" in row:
            yield Rooted(("pathways", index, "when"), row["when"])
    for index, part in enumerate(policy.get("scope", {}).get("parts", ())):
        if "when" in part:
            yield Rooted(("scope", "parts", index, "when"), part["when"])
    for word, test in policy.get("patient_view", {}).items():
        yield Rooted(("patient_view", word), test)


def nodes(test: Mapping[str, Any], steps: Steps, events: str = "") -> Iterator[Node]:
    """A test and every test inside it, outermost first."""
    yield Node(steps, test, events)
    # Whatever the word: an object inside a test is a test, and so is each of a list of them.
    for member, value in test.items():
        inner = test.get("count", events) if member == "where" else events
        if isinstance(value, dict):
            yield from nodes(value, (*steps, member), inner)
        elif isinstance(value, list):
            for index, part in enumerate(value):
                yield from nodes(part, (*steps, member, index), inner)


def facts_named(test: Mapping[str, Any]) -> Iterator[str]:
    """The facts that a test names, in order; the attributes of events are none."""
    for node in nodes(test, ()):
        if not node.events:
            yield from (node.entry[word] for word in ("fact", "count", "after") if word in node.entry)


def attributes_named(test: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(events, attribute) of each attribute that a test names."""
    return ((node.events, node.entry["fact"]) for node in nodes(test, ()) if node.events and "fact" in node.entry)


def parameters_named(test: Mapping[str, Any]) -> Iterator[str]:
    """The parameters that stand as limits in a test."""
    for node in nodes(test, ()):
        for word in LIMITS:
            if isinstance(limit := node.entry.get(word), str):
                yield limit.removeprefix("$")


def facts_behind(policy: Mapping[str, Any], names: Iterator[str] | tuple[str, ...]) -> set[str]:
    """Facts and all that they are made of: a reduction reads the two that it compares."""
    found: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in found and name in policy["facts"]:
            found.add(name)
            pending += [policy["facts"][name][end] for end in ("from", "to") if end in policy["facts"][name]]
    return found


def sets_named(value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, str]]:
    """(place, code set) of each code set that a part of policy.json names."""
    if isinstance(value, dict):
        for word, inner in value.items():
            if word in _SET_WORDS and isinstance(inner, str):
                yield (*steps, word), inner
            else:
                yield from sets_named(inner, (*steps, word))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from sets_named(inner, (*steps, index))


def readers(policy: Mapping[str, Any], name: str) -> frozenset[str] | None:
    """The criteria that a fact can touch; None where it can touch the whole call (view, scope, pathway)."""
    for root in tests(policy):
        if not root.criterion and name in facts_behind(policy, facts_named(root.test)):
            return None
    found = {root.criterion for root in tests(policy) if name in facts_behind(policy, facts_named(root.test))}
    for criterion in policy["criteria"]:
        if name in facts_behind(policy, tuple(hint["fact"] for hint in criterion.get("hints", ()))):
            found.add(criterion["id"])
    return frozenset(found)
