"""What changed in the readings and their sources: facts, codes, sources and payers. Pure."""

from collections.abc import Iterator
from datetime import date

from cds_service.policy.codes import Code, CodeSet
from cds_service.policy.model import FactRule, Payer, Policy
from cds_service.policy.sources import Source
from cds_service.publish import codes as code_text
from cds_service.publish import criteria
from cds_service.publish import rules as rule_text
from cds_service.publish.criteria import ReadingText
from cds_service.publish.differences import (
    Compare,
    also,
    by_id,
    compare_all,
    differing,
    gone_and_come,
    or_names,
    title,
    was,
)

# A payer's position reads the same on any day; only its age depends on the day, and age is not compared.
_ANY_DAY = date(2000, 1, 1)


def in_readings(old: Policy, new: Policy) -> Iterator[str]:
    """Readings of facts: added, removed, changed."""
    yield from compare_all("Reading", old.facts, new.facts, title, _fact(old, new))


def in_codes(old: Policy, new: Policy) -> Iterator[str]:
    """Code sets and code systems: added, removed, changed."""
    yield from compare_all("Code set", old.code_sets, new.code_sets, title, _code_set)
    before, after = old.code_systems, new.code_systems
    names = [name for name in dict.fromkeys([*after, *before]) if before.get(name) != after.get(name)]
    if names:
        yield f"The version, notice or source of these code systems changed: {', '.join(names)}."


def in_sources(old: Policy, new: Policy) -> Iterator[str]:
    """The register of sources."""
    yield from compare_all("Source", old.sources, new.sources, cited, _source)


def in_payers(old: Policy, new: Policy) -> Iterator[str]:
    """The positions of payers."""
    yield from compare_all("Payer", by_id(old.payers), by_id(new.payers), lambda payer: payer.name, _payer(old, new))


def _fact(old: Policy, new: Policy) -> Compare[FactRule]:
    def told(before: FactRule, after: FactRule) -> Iterator[str]:
        texts = [criteria.reading(rule, item.facts) for item, rule in ((old, before), (new, after))]
        yield from was("the title", *(text.title for text in texts))
        yield from was("the kind", *(text.kind for text in texts))
        yield from was("the source of the reading", *(text.origin for text in texts))
        yield from gone_and_come("code sets", *([codes.title for codes in text.sets] for text in texts))
        yield from was("the oldest that counts", *(text.age for text in texts))
        yield from was("what is accepted", *(text.units for text in texts))
        yield from was("what nothing on record means", *(text.absence for text in texts))
        if before.per_part != after.per_part:
            yield "it is now read for each part apart" if after.per_part else "it is no longer read for each part apart"
        asked = [{item.title: item for item in text.attributes} for text in texts]
        yield from gone_and_come("what is asked of each", *asked)
        for name in asked[1]:
            if name in asked[0]:
                yield from _asked(name, asked[0][name], asked[1][name])

    def compare(before: FactRule, after: FactRule) -> list[str]:
        # No sentence reports the noun of an event.
        beside = also(name for name in differing(before, after) if name == "noun")
        return or_names([*told(before, after), *beside], before, after)

    return compare


def _asked(name: str, before: ReadingText, after: ReadingText) -> Iterator[str]:
    """The differences in one attribute of events."""
    yield from was(f"how “{name}” is answered", before.origin, after.origin)
    yield from gone_and_come(
        f"code sets of “{name}”", *([codes.title for codes in item.sets] for item in (before, after))
    )
    yield from was(f"what is accepted as “{name}”", before.units, after.units)


def _code_set(before: CodeSet, after: CodeSet) -> Iterator[str]:
    yield from was("the title", before.title, after.title)
    old, new = _rows(before), _rows(after)
    yield from gone_and_come(
        "codes",
        [_named(row) for key, row in old.items() if key not in new],
        [_named(row) for key, row in new.items() if key not in old],
    )
    for key, row in new.items():
        if key in old and old[key] != row:
            notes = [code_text.code_notes(item) or "nothing" for item in (old[key], row)]
            what = f"{row.system_name} {row.spelling}"
            yield from was(f"the label of {what}", old[key].label, row.label)
            yield from was(f"what is noted of {what}", *notes)
            yield from was(f"where {what} was found", *(f"{item.seen}, {item.provenance}" for item in (old[key], row)))
    yield from gone_and_come("words", *([phrase.strip() for phrase in codes.phrases] for codes in (before, after)))
    yield from gone_and_come("words that void it", *(map(str.strip, codes.unless) for codes in (before, after)))
    if before.words_beside_codes != after.words_beside_codes:
        yield f"its words are {'now' if after.words_beside_codes else 'no longer'} read beside codes"


def _rows(codes: CodeSet) -> dict[tuple[str, str], Code]:
    return {(row.system, row.spelling): row for row in codes.codes}


def _named(row: Code) -> str:
    return f"{row.system_name} {row.spelling} ({row.label})"


def cited(source: Source) -> str:
    """A source's name: title and citation."""
    return f"{source.title} ({source.citation})"


def _source(before: Source, after: Source) -> Iterator[str]:
    yield from also(differing(before, after))


def _payer(old: Policy, new: Policy) -> Compare[Payer]:
    def compare(before: Payer, after: Payer) -> Iterator[str]:
        texts = (rule_text.payer(old, before, _ANY_DAY), rule_text.payer(new, after, _ANY_DAY))
        yield from was("the name", before.name, after.name)
        # A renamed criterion is reported once, not again for each payer that names it.
        if before.position != after.position:
            yield from was("the position", *(text.position for text in texts))
        yield from was("the document", before.document, after.document)
        yield from was("the time in force", *(text.in_force for text in texts))
        yield from was("the day when last seen in force", *(str(rule.seen_in_force) for rule in (before, after)))
        others = ("identifiers", "aliases", "sources", "own_text", "background", "verified", "next_review")
        yield from also(name for name in others if getattr(before, name) != getattr(after, name))

    return compare
