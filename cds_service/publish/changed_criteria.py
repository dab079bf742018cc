"""What changed in the requirements: criteria, verdicts, single-source rules, numbers, parts and pathways. Pure."""

from collections.abc import Callable, Iterator, Mapping

from cds_service.policy.model import Contrary, Criterion, Part, Pathway, Policy, Profile, VerdictRule, own_id
from cds_service.policy.sources import Parameter
from cds_service.publish import criteria
from cds_service.publish import rules as rule_text
from cds_service.publish.changed_readings import cited
from cds_service.publish.differences import (
    Compare,
    also,
    by_id,
    compare_all,
    differing,
    gone_and_come,
    or_names,
    order,
    test_changed,
    title,
    was,
)

# Members that a criterion's own sentences already report, or that follow from the reported ones.
_CRITERION_TOLD = ("id", "title", "test", "contrary", "attested_by", "per", "profile")


def in_criteria(old: Policy, new: Policy) -> Iterator[str]:
    """Criteria: added, removed, changed, reordered."""
    yield from compare_all("Criterion", by_id(old.criteria), by_id(new.criteria), title, _criterion(old, new))
    yield from order("criteria", old.criteria, new.criteria)


def in_verdicts(old: Policy, new: Policy) -> Iterator[str]:
    """Verdicts: added, removed, changed, reordered."""
    yield from compare_all("Verdict", by_id(old.verdicts), by_id(new.verdicts), title, _verdict(old, new))
    yield from order("verdicts", old.verdicts, new.verdicts)


def in_profiles(old: Policy, new: Policy) -> Iterator[str]:
    """Rules of single sources: added, removed, changed, reordered."""
    yield from compare_all("Rule", old.profiles, new.profiles, title, _profile(old, new))
    yield from order("rules", old.profiles.values(), new.profiles.values())


def in_numbers(old: Policy, new: Policy) -> Iterator[str]:
    """Numbers of the statement."""
    yield from compare_all("Number", old.parameters, new.parameters, title, _number(old, new))


def in_pathways(old: Policy, new: Policy) -> Iterator[str]:
    """Pathways: added, removed, changed, reordered."""
    before, after = old.orders.pathways, new.orders.pathways
    yield from compare_all("Pathway", by_id(before), by_id(after), title, _pathway(old, new))
    yield from order("pathways", before, after)


def _criterion(old: Policy, new: Policy) -> Compare[Criterion]:
    def compare(before: Criterion, after: Criterion) -> Iterator[str]:
        yield from was("the title", before.title, after.title)
        yield from test_changed("the test", old, new, before.test, after.test)
        yield from gone_and_come("what contradicts it", *map(_contradicting, (old, new), (before, after)))
        yield from was("who may attest to it", *map(criteria.attested_by, (before, after)))
        yield from also(name for name in differing(before, after) if name not in _CRITERION_TOLD)

    return compare


def _contradicting(policy: Policy, rule: Criterion) -> list[str]:
    """The facts that contradict a criterion, each with its note and source."""
    return [f"{policy.facts[item.fact].title} ({_how(policy, item)})" for item in rule.contrary]


def _how(policy: Policy, item: Contrary) -> str:
    reading = ", our reading" if item.own_reading else ""
    return f"{item.says}; {policy.sources[item.source].title}{reading}"


def _called(old: Policy, new: Policy) -> Callable[[str], str]:
    """Returns the title of a criterion for its key; the newer title if both editions have the criterion."""
    titles = {rule.key: rule.title for policy in (old, new) for rule in (*policy.criteria, *policy.variants.values())}
    return titles.__getitem__


def _verdict(old: Policy, new: Policy) -> Compare[VerdictRule]:
    called = _called(old, new)

    def rule_of(verdict: VerdictRule) -> str:
        if verdict.profile is not None:
            return f"the rule of a single source, {verdict.profile.title}"
        return "the position of the payer" if verdict.payer else "its criteria"

    def told(before: VerdictRule, after: VerdictRule) -> Iterator[str]:
        yield from was("the title", before.title, after.title)
        yield from was("what it rests on", rule_of(before), rule_of(after))
        if rule_of(before) == rule_of(after) and not after.profile:
            yield from gone_and_come("criteria", *(map(called, rule.criteria) for rule in (before, after)))
        yield from test_changed("where it does not apply", old, new, before.applies_unless, after.applies_unless)

    def compare(before: VerdictRule, after: VerdictRule) -> list[str]:
        # The rule of a single source reports its own requirements.
        names = (name for name in differing(before, after) if name != "all" or after.profile is None)
        return list(told(before, after)) or list(also(names))

    return compare


def _profile(old: Policy, new: Policy) -> Compare[Profile]:
    called = _called(old, new)

    def told(before: Profile, after: Profile) -> Iterator[str]:
        yield from was("the title", before.title, after.title)
        sources = (old.sources[before.source], new.sources[after.source])
        yield from was("the source", *map(cited, sources))
        if before.pending != after.pending:
            yield f"it is pending: {after.pending}" if after.pending else "it is pending no longer, and can be applied"
        own = [[own_id(key) for key in rule.criteria] for rule in (before, after)]
        yield from gone_and_come("criteria", *(map(called, names) for names in own))
        texts = [rule_text.profile(policy, rule) for policy, rule in ((old, before), (new, after))]
        yield from _its_numbers(*({title: value for title, value, _ in text.numbers} for text in texts))
        keys = [dict(zip(names, rule.criteria, strict=True)) for names, rule in zip(own, (before, after), strict=True)]
        for name in own[1]:
            if name in keys[0] and any("@" in found[name] for found in keys):
                rules = [policy.criterion(found[name]) for policy, found in zip((old, new), keys, strict=True)]
                yield from _its_criterion(called(name), *rules)

    def _its_criterion(title: str, before: Criterion, after: Criterion) -> Iterator[str]:
        yield from test_changed(f"what it asks as “{title}”", old, new, before.test, after.test)
        yield from was(f"what it calls “{title}”", before.title, after.title)
        yield from was(f"what a card says where “{title}” is not met", before.fails_as, after.fails_as)
        yield from was(f"what settles “{title}” for it", before.settled_by, after.settled_by)

    def compare(before: Profile, after: Profile) -> list[str]:
        sentences = list(told(before, after))
        if before.next_review != after.next_review:
            sentences += also(["next review"])
        return or_names(sentences, before, after)

    return compare


def _its_numbers(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys([*after, *before]):
        yield from was(
            f"its number for “{name}”", *(found.get(name, "the statement’s own") for found in (before, after))
        )


def _number(old: Policy, new: Policy) -> Compare[Parameter]:
    def compare(before: Parameter, after: Parameter) -> Iterator[str]:
        yield from was("the title", before.title, after.title)
        yield from was("the number", f"{before.value:g}", f"{after.value:g}")
        numbers = ((old, before), (new, after))
        yield from was(
            "its source", *(f"{item.sources[number.source].title}, {number.place}" for item, number in numbers)
        )

    return compare


def in_scope(old: Policy, new: Policy) -> Iterator[str]:
    """What is judged separately, and how an order names each part."""
    before, after = old.scope, new.scope
    if before is None and after is not None:
        yield f"Each {after.name} is now evaluated separately: {', '.join(part.label for part in after.parts)}."
    elif before is not None and after is None:
        yield f"Each {before.name} is no longer evaluated separately."
    elif before is not None and after is not None:
        if before.name != after.name:
            yield f"What is evaluated separately is now called “{after.name}”; it was “{before.name}”."
        yield from compare_all(
            "Part", by_id(before.parts), by_id(after.parts), lambda part: part.label, _part(old, new)
        )
        yield from order("parts", before.parts, after.parts)


def _part(old: Policy, new: Policy) -> Compare[Part]:
    def compare(before: Part, after: Part) -> Iterator[str]:
        yield from was("the label", before.label, after.label)
        yield from was("the code set", before.codes.title, after.codes.title)
        yield from test_changed("what names it where the order does not", old, new, before.when, after.when)

    return compare


def _pathway(old: Policy, new: Policy) -> Compare[Pathway]:
    def told(before: Pathway, after: Pathway) -> Iterator[str]:
        yield from was("the title", before.title, after.title)
        yield from gone_and_come("code sets", *([row.codes.title] if row.codes else [] for row in (before, after)))
        yield from gone_and_come("words", *(map(str.strip, row.phrases) for row in (before, after)))
        yield from gone_and_come(
            "words beside the procedure", *(map(str.strip, row.routing) for row in (before, after))
        )
        yield from gone_and_come("words that keep it", *(map(str.strip, row.keeps) for row in (before, after)))
        yield from gone_and_come("reasons", *([row.reasons.title] if row.reasons else [] for row in (before, after)))
        yield from test_changed("by what is known", old, new, before.when, after.when)
        yield from was("what the card says", *(_says(item, row) for item, row in ((old, before), (new, after))))

    def compare(before: Pathway, after: Pathway) -> list[str]:
        return or_names(told(before, after), before, after)

    return compare


def _says(policy: Policy, row: Pathway) -> str:
    return policy.phrases.pathways[row.says].summary
