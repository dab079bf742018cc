"""What changed between two editions of a statement, in sentences for a clinician. Pure; nothing is left out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from itertools import chain
from typing import Any, TypeVar

from cds_service import policy_text
from cds_service.policy import Code, CodeSet, Criterion, FactRule, Payer, Policy, VerdictRule

Item = TypeVar("Item")
Compare = Callable[[Item, Item], Iterable[str]]

# What an edition is called, and what the sentences below say one by one.
_IDENTITY = ("id", "statement", "edition", "effective", "review")
_TOLD = ("facts", "criteria", "verdicts", "sources")
_CRITERION_TOLD = ("id", "title", "test")
_PARTS = {
    "attributes": "the description of purpose and limits",
    "evidence": "the evidence",
    "for_review": "what is shown for review",
    "information": "the information beside it",
    "orders": "how an order is recognised",
    "patient_view": "when a chart that is opened gets a card",
    "procedure": "the name of the procedure",
    "title": "the title",
}
# The position of a payer reads the same on any day; only whether it is too old depends on it, and is not compared.
_ANY_DAY = date(2000, 1, 1)


def changes(old: Policy, new: Policy) -> list[str]:
    """What is different in ``new``, one sentence each; nothing changed is an empty list.

    In this order: criteria, verdicts, what is read, codes, sources, payers, and last all other parts by their names.
    """
    return list(
        chain(
            _compare("Criterion", _by_id(old.criteria), _by_id(new.criteria), _title, _criterion(old, new)),
            _order("criteria", old.criteria, new.criteria),
            _compare("Verdict", _by_id(old.verdicts), _by_id(new.verdicts), _title, _verdict(old, new)),
            _order("verdicts", old.verdicts, new.verdicts),
            _compare("Reading", old.facts, new.facts, _title, _fact(old, new)),
            _compare("Code set", old.code_sets, new.code_sets, _title, _code_set),
            _systems(old, new),
            _compare("Source", old.raw["sources"], new.raw["sources"], _cited, _source),
            _compare("Payer", _by_id(old.payers), _by_id(new.payers), lambda payer: payer.name, _payer(old, new)),
            _rest(old, new),
        )
    )


def _by_id(items: Iterable[Any]) -> dict[str, Any]:
    return {item.id: item for item in items}


def _title(item: Any) -> str:
    return str(item.title)


def _compare(
    noun: str, old: Mapping[str, Item], new: Mapping[str, Item], name: Callable[[Item], str], compare: Compare[Item]
) -> Iterator[str]:
    """What was added, removed, and is different in what stayed, in the order of the new edition."""
    yield from (f"{noun} added: {name(new[key])}." for key in new if key not in old)
    yield from (f"{noun} removed: {name(old[key])}." for key in old if key not in new)
    for key in new:
        if key in old:
            yield from (f"{noun} “{name(new[key])}”: {change}." for change in compare(old[key], new[key]))


def _was(what: str, old: str, new: str) -> Iterator[str]:
    if old != new:
        yield f"{what} is now “{new}”; it was “{old}”"


def _gone_and_come(what: str, old: Iterable[str], new: Iterable[str]) -> Iterator[str]:
    old, new = list(dict.fromkeys(old)), list(dict.fromkeys(new))
    for word, names in (
        ("added", [name for name in new if name not in old]),
        ("removed", [name for name in old if name not in new]),
    ):
        if names:
            yield f"{what} {word}: {', '.join(names)}"


def _also(names: Iterable[str]) -> Iterator[str]:
    listed = ", ".join(name.replace("_", " ") for name in names)
    if listed:
        yield f"also changed: {listed}"


def _or_names(sentences: Iterable[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The sentences; where there are none and the two are different all the same, the names of what is different."""
    return list(sentences) or list(_also(_differing(old, new)))


def _written(policy: Policy, part: str, item: Any) -> Mapping[str, Any]:
    """A criterion or verdict as policy.json has it."""
    entries: list[Mapping[str, Any]] = policy.raw[part]
    return next(entry for entry in entries if entry["id"] == item.id)


def _order(what: str, old: Iterable[Any], new: Iterable[Any]) -> Iterator[str]:
    before, after = list(_by_id(old)), list(_by_id(new))
    if [name for name in before if name in after] != [name for name in after if name in before]:
        yield f"The {what} stand in another order."


# --- criteria and verdicts -------------------------------------------------------------------------------------------


def _criterion(old: Policy, new: Policy) -> Compare[Criterion]:
    def compare(before: Criterion, after: Criterion) -> Iterator[str]:
        yield from _was("the title", before.title, after.title)
        sentences = [policy_text.sentence(before.test, old.facts), policy_text.sentence(after.test, new.facts)]
        yield from _was("the test", *sentences)
        if before.test != after.test and sentences[0] == sentences[1]:
            yield "the test is composed in another way"
        names = _differing(_written(old, "criteria", before), _written(new, "criteria", after))
        yield from _also(name for name in names if name not in _CRITERION_TOLD)

    return compare


def _verdict(old: Policy, new: Policy) -> Compare[VerdictRule]:
    titles = {rule.id: rule.title for rule in (*old.criteria, *new.criteria)}

    def told(before: VerdictRule, after: VerdictRule) -> Iterator[str]:
        yield from _was("the title", before.title, after.title)
        yield from _gone_and_come("criteria", *([titles[name] for name in rule.criteria] for rule in (before, after)))
        if before.withholds_codes != after.withholds_codes:
            yield f"billing codes are {'now' if after.withholds_codes else 'no longer'} withheld while it is not met"

    def compare(before: VerdictRule, after: VerdictRule) -> list[str]:
        return _or_names(told(before, after), _written(old, "verdicts", before), _written(new, "verdicts", after))

    return compare


# --- what is read ----------------------------------------------------------------------------------------------------


def _fact(old: Policy, new: Policy) -> Compare[FactRule]:
    def told(before: FactRule, after: FactRule) -> Iterator[str]:
        texts = [policy_text.reading(rule) for rule in (before, after)]
        yield from _was("the title", *(text.title for text in texts))
        yield from _was("the kind", *(text.kind for text in texts))
        yield from _was("the source of the reading", *(text.origin for text in texts))
        yield from _gone_and_come("code sets", *([codes.title for codes in text.sets] for text in texts))
        yield from _was("the oldest that counts", *(text.age for text in texts))
        yield from _was("what is accepted", *(text.units for text in texts))
        yield from _was("what nothing on record means", *(text.absence for text in texts))

    def compare(before: FactRule, after: FactRule) -> list[str]:
        return _or_names(told(before, after), old.raw["facts"][before.name], new.raw["facts"][after.name])

    return compare


# --- codes -----------------------------------------------------------------------------------------------------------


def _code_set(before: CodeSet, after: CodeSet) -> Iterator[str]:
    yield from _was("the title", before.title, after.title)
    old, new = _rows(before), _rows(after)
    yield from _gone_and_come(
        "codes",
        [_named(row) for key, row in old.items() if key not in new],
        [_named(row) for key, row in new.items() if key not in old],
    )
    for key, row in new.items():
        if key in old and old[key] != row:
            notes = [policy_text.code_notes(item) or "nothing" for item in (old[key], row)]
            what = f"{row.system_name} {policy_text.spelling(row)}"
            yield from _was(f"the label of {what}", old[key].label, row.label)
            yield from _was(f"what is noted of {what}", *notes)
            yield from _was(f"where {what} was seen", *(f"{item.seen}, {item.provenance}" for item in (old[key], row)))
    yield from _gone_and_come("words", *([phrase.strip() for phrase in codes.phrases] for codes in (before, after)))
    if before.words_beside_codes != after.words_beside_codes:
        yield f"its words are {'now' if after.words_beside_codes else 'no longer'} read beside codes"


def _rows(codes: CodeSet) -> dict[tuple[str, str], Code]:
    return {(row.system, policy_text.spelling(row)): row for row in codes.codes}


def _named(row: Code) -> str:
    return f"{row.system_name} {policy_text.spelling(row)} ({row.label})"


def _systems(old: Policy, new: Policy) -> Iterator[str]:
    names = _differing(old.code_systems, new.code_systems)
    if names:
        yield f"The version or notice of these code systems changed: {', '.join(names)}."


# --- sources and payers ----------------------------------------------------------------------------------------------


def _cited(source: Mapping[str, Any]) -> str:
    return f"{source['title']} ({source['citation']})"


def _source(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    yield from _also(_differing(before, after))


def _payer(old: Policy, new: Policy) -> Compare[Payer]:
    def compare(before: Payer, after: Payer) -> Iterator[str]:
        texts = (policy_text.payer(old, before, _ANY_DAY), policy_text.payer(new, after, _ANY_DAY))
        yield from _was("the name", before.name, after.name)
        # A criterion that is called otherwise is told once, and not again by each payer that names it.
        if before.position != after.position:
            yield from _was("the position", *(text.position for text in texts))
        yield from _was("the document", before.document, after.document)
        yield from _was("the time in force", *(text.in_force for text in texts))
        yield from _was("the day when last seen in force", *(str(rule.seen_in_force) for rule in (before, after)))
        others = ("identifiers", "aliases", "own_text", "background", "verified", "next_review")
        yield from _also(name for name in others if getattr(before, name) != getattr(after, name))

    return compare


# --- all else --------------------------------------------------------------------------------------------------------


def _rest(old: Policy, new: Policy) -> Iterator[str]:
    names = [name for name in _differing(old.raw, new.raw) if name not in (*_IDENTITY, *_TOLD)]
    parts = [_PARTS.get(name, name.replace("_", " ")) for name in names]
    if old.wording != new.wording:
        parts.append("the words of the card")
    if parts:
        yield f"Also changed: {'; '.join(parts)}."


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The names of the members that are different, added or removed."""
    return [name for name in dict.fromkeys([*new, *old]) if old.get(name) != new.get(name)]
