"""Compares two editions: what was added and removed, and what changed in the rest, in sentences. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from cds_service.facts.word import sentence
from cds_service.policy.codes import Code, CodeSet
from cds_service.policy.model import FactRule, Kind, Policy, Profile, Test, Word

Item = TypeVar("Item")
Compare = Callable[[Item, Item], Iterable[str]]

# The names in policy.json of model members that have other names there.
_WRITTEN = {
    "absent_because": "when_absent",
    "citations": "sources",
    "criteria": "all",
    "end": "to",
    "in_months": "in",
    "per_part": "per",
    "start": "from",
}

# Members that other sentences report, or that carry no meaning.
_APART: dict[type, tuple[str, ...]] = {FactRule: ("attested_by", "criteria"), Test: ("place",)}


def by_id(items: Iterable[Any]) -> dict[str, Any]:
    """Items keyed by id."""
    return {item.id: item for item in items}


def title(item: Any) -> str:
    """An item's title."""
    return str(item.title)


def compare_all(
    noun: str, old: Mapping[str, Item], new: Mapping[str, Item], name: Callable[[Item], str], compare: Compare[Item]
) -> Iterator[str]:
    """What was added, removed and changed, in the order of the new edition."""
    yield from (f"{noun} added: {name(new[key])}." for key in new if key not in old)
    yield from (f"{noun} removed: {name(old[key])}." for key in old if key not in new)
    for key in new:
        if key in old:
            yield from (f"{noun} “{name(new[key])}”: {change}." for change in compare(old[key], new[key]))


def was(what: str, old: str, new: str) -> Iterator[str]:
    """A sentence if a text changed."""
    if old != new:
        yield f"{what} is now “{new}”; it was “{old}”"


def gone_and_come(what: str, old: Iterable[str], new: Iterable[str]) -> Iterator[str]:
    """A sentence for the added names, and one for the removed names."""
    old, new = list(dict.fromkeys(old)), list(dict.fromkeys(new))
    for word, names in (
        ("added", [name for name in new if name not in old]),
        ("removed", [name for name in old if name not in new]),
    ):
        if names:
            yield f"{what} {word}: {', '.join(names)}"


def also(names: Iterable[str]) -> Iterator[str]:
    """A sentence that names what else changed."""
    listed = ", ".join(name.replace("_", " ") for name in names)
    if listed:
        yield f"also changed: {listed}"


def or_names(sentences: Iterable[str], old: Any, new: Any) -> list[str]:
    """The sentences; if there are none although the two differ, the names of the differing members."""
    return list(sentences) or list(also(differing(old, new)))


def order(what: str, old: Iterable[Any], new: Iterable[Any]) -> Iterator[str]:
    """A sentence if the remaining items are in another order."""
    before, after = list(by_id(old)), list(by_id(new))
    if [name for name in before if name in after] != [name for name in after if name in before]:
        yield f"The {what} are in another order."


def test_changed(what: str, old: Policy, new: Policy, before: Test | None, after: Test | None) -> Iterator[str]:
    """The differences between two tests; None stands for no test."""
    texts = [sentence(test, policy.facts) if test else "nothing" for policy, test in ((old, before), (new, after))]
    yield from was(what, *texts)
    if before != after and texts[0] == texts[1]:
        yield f"{what} is composed differently"


def differing(old: Any, new: Any) -> list[str]:
    """The differing members of two model records, by their names in policy.json."""
    before, after = _members(old), _members(new)
    return list(dict.fromkeys(_WRITTEN.get(name, name) for name in after if before[name] != after[name]))


def plain(value: Any) -> Any:
    """A model value for comparison; names stand for code sets, kinds and words, ids for single-source rules."""
    match value:
        case CodeSet() | Kind() | Word():
            return value.name
        case Profile():
            return value.id
        case Code():
            return value.system, value.code
        case Mapping():
            return {name: plain(item) for name, item in value.items()}
        case tuple():
            return [plain(item) for item in value]
    return _members(value) if hasattr(value, "__dataclass_fields__") else value


def _members(record: Any) -> dict[str, Any]:
    """The members of a record, without a test's place in the file and without what criteria say of a fact."""
    apart = _APART.get(type(record), ())
    return {
        item.name: plain(getattr(record, item.name)) for item in fields(record) if item.init and item.name not in apart
    }
