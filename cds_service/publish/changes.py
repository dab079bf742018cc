"""What changed between two editions of a statement, in sentences for a clinician. Pure; nothing is left out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from itertools import chain
from typing import Any, TypeVar

from cds_service.facts.word import sentence
from cds_service.policy.codes import Code, CodeSet
from cds_service.policy.model import Criterion, FactRule, Part, Pathway, Payer, Policy, Profile, Test, VerdictRule
from cds_service.publish import codes as code_text
from cds_service.publish import criteria
from cds_service.publish import rules as rule_text
from cds_service.publish.criteria import ReadingText

Item = TypeVar("Item")
Compare = Callable[[Item, Item], Iterable[str]]

# What an edition is called, and what the sentences below say one by one.
_IDENTITY = ("id", "statement", "edition", "effective", "review")
_TOLD = ("facts", "criteria", "verdicts", "sources", "profiles", "parameters", "scope", "pathways")
_CRITERION_TOLD = ("id", "title", "test")
_PARTS = {
    "attributes": "the description of purpose, funding and limits",
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

    In this order: criteria, verdicts, rules of single sources, numbers, what is judged apart, what goes another way,
    what is read, codes, sources, payers, and last all other parts by their names.
    """
    return list(
        chain(
            _compare("Criterion", _by_id(old.criteria), _by_id(new.criteria), _title, _criterion(old, new)),
            _order("criteria", old.criteria, new.criteria),
            _compare("Verdict", _by_id(old.verdicts), _by_id(new.verdicts), _title, _verdict(old, new)),
            _order("verdicts", old.verdicts, new.verdicts),
            _compare("Rule", old.profiles, new.profiles, _title, _profile(old, new)),
            _order("rules", old.profiles.values(), new.profiles.values()),
            _compare("Number", _numbers(old), _numbers(new), _number_title, _number(old, new)),
            _scope(old, new),
            _compare("Pathway", _by_id(old.orders.pathways), _by_id(new.orders.pathways), _title, _pathway(old, new)),
            _order("pathways", old.orders.pathways, new.orders.pathways),
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
    """A criterion, verdict or pathway as policy.json has it."""
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
        yield from _test("the test", old, new, before.test, after.test)
        names = _differing(_written(old, "criteria", before), _written(new, "criteria", after))
        yield from _also(name for name in names if name not in _CRITERION_TOLD)

    return compare


def _test(what: str, old: Policy, new: Policy, before: Test | None, after: Test | None) -> Iterator[str]:
    texts = [sentence(test, policy.facts) if test else "nothing" for policy, test in ((old, before), (new, after))]
    yield from _was(what, *texts)
    if before != after and texts[0] == texts[1]:
        yield f"{what} is composed in another way"


def _called(old: Policy, new: Policy) -> Callable[[str], str]:
    """What a criterion is called, by its key; by its newer title where both editions have it."""
    titles = {rule.key: rule.title for policy in (old, new) for rule in (*policy.criteria, *policy.variants.values())}
    return titles.__getitem__


def _verdict(old: Policy, new: Policy) -> Compare[VerdictRule]:
    called = _called(old, new)

    def rule_of(verdict: VerdictRule) -> str:
        if verdict.profile is not None:
            return f"the rule of a single source, {verdict.profile.title}"
        return "the position of the payer" if verdict.payer else "its criteria"

    def told(before: VerdictRule, after: VerdictRule) -> Iterator[str]:
        yield from _was("the title", before.title, after.title)
        yield from _was("what it rests on", rule_of(before), rule_of(after))
        if rule_of(before) == rule_of(after) and not after.profile:
            yield from _gone_and_come("criteria", *(map(called, rule.criteria) for rule in (before, after)))
        yield from _test("where it does not apply", old, new, before.applies_unless, after.applies_unless)
        if before.withholds_codes != after.withholds_codes:
            yield f"billing codes are {'now' if after.withholds_codes else 'no longer'} withheld while it is not met"

    def compare(before: VerdictRule, after: VerdictRule) -> list[str]:
        return _or_names(told(before, after), _written(old, "verdicts", before), _written(new, "verdicts", after))

    return compare


# --- rules of single sources, numbers, scope, pathways ---------------------------------------------------------------


def _profile(old: Policy, new: Policy) -> Compare[Profile]:
    called = _called(old, new)

    def told(before: Profile, after: Profile) -> Iterator[str]:
        yield from _was("the title", before.title, after.title)
        yield from _was(
            "the source", *(_cited(item.raw["sources"][rule.source]) for item, rule in ((old, before), (new, after)))
        )
        if before.pending != after.pending:
            yield f"it is pending: {after.pending}" if after.pending else "it is pending no longer, and can be applied"
        own = [[criteria.own_id(key) for key in rule.criteria] for rule in (before, after)]
        yield from _gone_and_come("criteria", *(map(called, names) for names in own))
        texts = [rule_text.profile(policy, rule) for policy, rule in ((old, before), (new, after))]
        yield from _its_numbers(*({title: value for title, value, _ in text.numbers} for text in texts))
        keys = [dict(zip(names, rule.criteria, strict=True)) for names, rule in zip(own, (before, after), strict=True)]
        for name in own[1]:
            if name in keys[0] and any("@" in found[name] for found in keys):
                rules = [policy.criterion(found[name]) for policy, found in zip((old, new), keys, strict=True)]
                yield from _its_criterion(called(name), *rules)

    def _its_criterion(title: str, before: Criterion, after: Criterion) -> Iterator[str]:
        yield from _test(f"what it asks as “{title}”", old, new, before.test, after.test)
        yield from _was(f"what it calls “{title}”", before.title, after.title)
        yield from _was(f"what a card says where “{title}” is not met", before.fails_as, after.fails_as)
        yield from _was(f"what settles “{title}” for it", before.settled_by, after.settled_by)

    def compare(before: Profile, after: Profile) -> list[str]:
        sentences = list(told(before, after))
        if before.next_review != after.next_review:
            sentences += _also(["next review"])
        return _or_names(sentences, old.raw["profiles"][before.id], new.raw["profiles"][after.id])

    return compare


def _its_numbers(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for title in dict.fromkeys([*after, *before]):
        yield from _was(
            f"its number for “{title}”", *(found.get(title, "the statement’s own") for found in (before, after))
        )


def _numbers(policy: Policy) -> Mapping[str, Mapping[str, Any]]:
    numbers: Mapping[str, Mapping[str, Any]] = policy.raw.get("parameters", {})
    return numbers


def _number_title(number: Mapping[str, Any]) -> str:
    return str(number["title"])


def _number(old: Policy, new: Policy) -> Compare[Mapping[str, Any]]:
    def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
        yield from _was("the title", before["title"], after["title"])
        yield from _was("the number", f"{before['value']:g}", f"{after['value']:g}")
        sources = [
            f"{policy.raw['sources'][number['source']]['title']}, {number['place']}"
            for policy, number in ((old, before), (new, after))
        ]
        yield from _was("its source", *sources)

    return compare


def _scope(old: Policy, new: Policy) -> Iterator[str]:
    """What is judged apart, and how each part is recognised."""
    before, after = old.scope, new.scope
    if before is None and after is not None:
        yield f"Each {after.name} is now judged apart: {', '.join(part.label for part in after.parts)}."
    elif before is not None and after is None:
        yield f"Each {before.name} is judged apart no longer."
    elif before is not None and after is not None:
        if before.name != after.name:
            yield f"What is judged apart is now called “{after.name}”; it was “{before.name}”."
        yield from _compare("Part", _by_id(before.parts), _by_id(after.parts), lambda part: part.label, _part(old, new))
        yield from _order("parts", before.parts, after.parts)


def _part(old: Policy, new: Policy) -> Compare[Part]:
    def compare(before: Part, after: Part) -> Iterator[str]:
        yield from _was("the label", before.label, after.label)
        yield from _was("the code set", before.codes.title, after.codes.title)
        yield from _test("what names it where the order does not", old, new, before.when, after.when)

    return compare


def _pathway(old: Policy, new: Policy) -> Compare[Pathway]:
    def told(before: Pathway, after: Pathway) -> Iterator[str]:
        yield from _was("the title", before.title, after.title)
        yield from _gone_and_come("code sets", *([row.codes.title] if row.codes else [] for row in (before, after)))
        yield from _gone_and_come("words", *((phrase.strip() for phrase in row.phrases) for row in (before, after)))
        yield from _test("by what is known", old, new, before.when, after.when)
        yield from _was("what the card says", *(_says(item, row) for item, row in ((old, before), (new, after))))

    def compare(before: Pathway, after: Pathway) -> list[str]:
        written = [_written(policy, "pathways", row) for policy, row in ((old, before), (new, after))]
        return _or_names(told(before, after), *written)

    return compare


def _says(policy: Policy, row: Pathway) -> str:
    return str(policy.wording["pathways"][row.says]["summary"])


# --- what is read ----------------------------------------------------------------------------------------------------


# What the sentences below say of a fact, whatever else they say.
_FACT_TOLD = (
    *(
        "kind",
        "title",
        "codes",
        "item",
        "aliases",
        "resources",
        "state",
        "site",
        "reason",
        "until",
        "from",
        "to",
        "unit",
    ),
    *("units", "range", "in", "per", "look_back_days", "answer_look_back_days", "when_absent", "attributes"),
)


def _fact(old: Policy, new: Policy) -> Compare[FactRule]:
    def told(before: FactRule, after: FactRule) -> Iterator[str]:
        texts = [criteria.reading(rule, item.facts) for item, rule in ((old, before), (new, after))]
        yield from _was("the title", *(text.title for text in texts))
        yield from _was("the kind", *(text.kind for text in texts))
        yield from _was("the source of the reading", *(text.origin for text in texts))
        yield from _gone_and_come("code sets", *([codes.title for codes in text.sets] for text in texts))
        yield from _was("the oldest that counts", *(text.age for text in texts))
        yield from _was("what is accepted", *(text.units for text in texts))
        yield from _was("what nothing on record means", *(text.absence for text in texts))
        if before.per_part != after.per_part:
            yield "it is now read for each part apart" if after.per_part else "it is no longer read for each part apart"
        asked = [{item.title: item for item in text.attributes} for text in texts]
        yield from _gone_and_come("what is asked of each", *asked)
        for name in asked[1]:
            if name in asked[0]:
                yield from _asked(name, asked[0][name], asked[1][name])

    def compare(before: FactRule, after: FactRule) -> list[str]:
        written = old.raw["facts"][before.name], new.raw["facts"][after.name]
        beside = _also(name for name in _differing(*written) if name not in _FACT_TOLD)
        return _or_names([*told(before, after), *beside], *written)

    return compare


def _asked(name: str, before: ReadingText, after: ReadingText) -> Iterator[str]:
    """What is different in what is asked of each event."""
    yield from _was(f"how “{name}” is answered", before.origin, after.origin)
    yield from _gone_and_come(
        f"code sets of “{name}”", *([codes.title for codes in item.sets] for item in (before, after))
    )
    yield from _was(f"what is accepted as “{name}”", before.units, after.units)


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
            notes = [code_text.code_notes(item) or "nothing" for item in (old[key], row)]
            what = f"{row.system_name} {code_text.spelling(row)}"
            yield from _was(f"the label of {what}", old[key].label, row.label)
            yield from _was(f"what is noted of {what}", *notes)
            yield from _was(f"where {what} was seen", *(f"{item.seen}, {item.provenance}" for item in (old[key], row)))
    yield from _gone_and_come("words", *([phrase.strip() for phrase in codes.phrases] for codes in (before, after)))
    if before.words_beside_codes != after.words_beside_codes:
        yield f"its words are {'now' if after.words_beside_codes else 'no longer'} read beside codes"


def _rows(codes: CodeSet) -> dict[tuple[str, str], Code]:
    return {(row.system, code_text.spelling(row)): row for row in codes.codes}


def _named(row: Code) -> str:
    return f"{row.system_name} {code_text.spelling(row)} ({row.label})"


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
        texts = (rule_text.payer(old, before, _ANY_DAY), rule_text.payer(new, after, _ANY_DAY))
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
