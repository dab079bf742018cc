"""Unused definitions of a rule set, and undefined profiles that its cases name."""

from collections.abc import Iterable, Iterator
from typing import Any

from cds_service.authoring.problems import Problem, error, warning
from cds_service.authoring.reach import sets_read
from cds_service.policy.model import Policy
from cds_service.policy.walk import attributes_named, parameters_named, tests


def unused(policy: Policy) -> Iterator[Problem]:
    """A problem for each unused fact, attribute, parameter, profile, code set and source.

    An uncited source is only a warning, because its text may have nothing to cite.
    """
    for name in _without(policy.facts, _facts_read(policy)):
        yield error(f"policy.json: $.facts.{name}", "no criterion, hint or rule reads this fact")
    for events, name in _without(_attributes(policy), _attributes_read(policy)):
        yield error(f"policy.json: $.facts.{events}.attributes.{name}", "no 'where' reads this attribute")
    read = (name for root in tests(policy) for name in parameters_named(root.test))
    for name in _without(policy.parameters, read):
        yield error(f"policy.json: $.parameters.{name}", f"no test reads this parameter; a limit would say '${name}'")
    for name in _without(policy.profiles, _profiles_read(policy)):
        yield error(f"policy.json: $.profiles.{name}", "no verdict, payer or case uses this profile")
    sets = {codes.name for codes, _ in sets_read(policy)}
    for name, entry in policy.code_sets.items():
        if name not in sets and not all(row.use is not None for row in entry.codes):
            says = "nothing reads this set, and not every code in it says its 'use'"
            yield error(f"codes.json: $.sets.{name}", says)
    for name in _without(policy.sources, _sources_cited(policy)):
        yield warning(f"policy.json: $.sources.{name}", "nothing cites this source")


def dangling(policy: Policy) -> Iterator[Problem]:
    """A problem for each undefined profile that cases name."""
    names = ", ".join(sorted(policy.profiles))
    for name in _without(dict.fromkeys(_profiles_of_cases(policy)), policy.profiles):
        allowed = f"allowed: {names}" if names else "there are none"
        yield error("policy.json: $.profiles", f"'{name}' is not a profile; {allowed}")


def _without(defined: Iterable[Any], read: Iterable[Any]) -> list[Any]:
    known = set(read)
    return [name for name in defined if name not in known]


def _facts_read(policy: Policy) -> Iterator[str]:
    named = (name for root in tests(policy) for name in root.test.facts())
    yield from policy.behind(named)
    yield from policy.behind(line.fact for line in policy.for_review)
    yield from policy.behind(name for rule in policy.criteria for name in rule.beside)


def _attributes(policy: Policy) -> list[tuple[str, str]]:
    return [(events, name) for events, rule in policy.facts.items() for name in rule.attributes]


def _attributes_read(policy: Policy) -> Iterator[tuple[str, str]]:
    """(events, attribute) of each attribute that a test names, and of the two that a named reduction compares."""
    for root in tests(policy):
        for events, name in attributes_named(root.test):
            yield events, name
            attribute = policy.facts[events].attributes[name]
            yield from ((events, end) for end in (attribute.start, attribute.end) if end)


def _profiles_read(policy: Policy) -> Iterator[str]:
    yield from (verdict.profile.id for verdict in policy.verdicts if verdict.profile)
    yield from (payer.position["profile"] for payer in policy.payers if "profile" in payer.position)
    yield from _profiles_of_cases(policy)


def _profiles_of_cases(policy: Policy) -> Iterator[str]:
    for case in policy.cases.document["cases"]:
        if "profile" in case:
            yield case["profile"]
        for key in case["expect"].get("criteria", ()):
            if "@" in key:
                yield key.partition("@")[2].partition(" ")[0]


def _sources_cited(policy: Policy) -> Iterator[str]:
    yield from (citation.source for rule in policy.criteria for citation in rule.citations)
    yield from (number.source for number in policy.parameters.values())
    yield from (profile.source for profile in policy.profiles.values())
    yield from (result.source for result in policy.evidence)
    yield from (name for payer in policy.payers for name in payer.sources)
    yield from (system["source"] for system in policy.code_systems.values() if "source" in system)
    yield from (note.source for note in policy.information if note.source)
    if policy.superseded_by and policy.superseded_by.source:
        yield policy.superseded_by.source
    attributes = policy.attributes
    yield from (funded.source for funded in (attributes.funding_of_statement, *attributes.funding_of_studies))
