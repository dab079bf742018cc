"""What a policy defines and nothing reads, and what it names and nowhere defines."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cds_service.authoring.documents import (
    Documents,
    attributes_named,
    facts_behind,
    facts_named,
    parameters_named,
    sets_named,
    tests,
)
from cds_service.authoring.problems import Problem, error, warning

_PARTS_THAT_READ_SETS = ("facts", "orders", "scope", "pathways")


def unused(documents: Documents) -> Iterator[Problem]:
    """A problem for each fact, attribute, parameter, profile, code set and source that is defined in vain.

    A source that nothing cites is a warning: it may have been read and found silent.
    """
    policy = documents["policy"]
    for name in _without(policy["facts"], _facts_read(policy)):
        yield error(f"policy.json: $.facts.{name}", "no criterion, hint or rule reads this fact")
    for events, name in _without(_attributes(policy), _attributes_read(policy)):
        yield error(f"policy.json: $.facts.{events}.attributes.{name}", "no 'where' reads this attribute")
    for name in _without(policy.get("parameters", {}), _parameters_read(policy)):
        yield error(f"policy.json: $.parameters.{name}", f"no test reads this parameter; a limit would say '${name}'")
    for name in _without(policy.get("profiles", {}), _profiles_read(documents)):
        yield error(f"policy.json: $.profiles.{name}", "no verdict, payer or case uses this profile")
    read = {name for part in _PARTS_THAT_READ_SETS for _, name in sets_named(policy.get(part, {}))}
    for name, entry in documents["codes"]["sets"].items():
        if name not in read and not all("use" in row for row in entry["codes"]):
            says = "nothing reads this set, and not every code in it says its 'use'"
            yield error(f"codes.json: $.sets.{name}", says)
    for name in _without(policy["sources"], [*_sources_cited(policy), *_sources_cited(documents["payers"])]):
        yield warning(f"policy.json: $.sources.{name}", "nothing cites this source")


def dangling(documents: Documents) -> Iterator[Problem]:
    """A problem for each parameter, attribute and profile that is named and not defined."""
    policy = documents["policy"]
    parameters, profiles = policy.get("parameters", {}), policy.get("profiles", {})
    for name in _without(dict.fromkeys(_parameters_named(policy)), parameters):
        yield error("policy.json: $.parameters", f"'{name}' is no parameter; {_allowed(parameters)}")
    for events, name in _without(dict.fromkeys(_attributes_read(policy)), _attributes(policy)):
        allowed = policy["facts"].get(events, {}).get("attributes", {})
        yield error(f"policy.json: $.facts.{events}.attributes", f"'{name}' is no attribute; {_allowed(allowed)}")
    for name in _without(dict.fromkeys(_profiles_read(documents)), profiles):
        yield error("policy.json: $.profiles", f"'{name}' is no profile; {_allowed(profiles)}")


def _allowed(names: Iterable[str]) -> str:
    return f"allowed are {', '.join(sorted(names))}" if names else "there are none"


def _without(defined: Iterable[Any], read: Iterable[Any]) -> list[Any]:
    known = set(read)
    return [name for name in defined if name not in known]


def _facts_read(policy: Mapping[str, Any]) -> set[str]:
    named = [name for root in tests(policy) for name in facts_named(root.test)]
    hints = [*policy["for_review"], *(hint for entry in policy["criteria"] for hint in entry.get("hints", ()))]
    return facts_behind(policy, (*named, *(hint["fact"] for hint in hints)))


def _attributes(policy: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(events, name) for events, fact in policy["facts"].items() for name in fact.get("attributes", ())]


def _attributes_read(policy: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(events, attribute) of each that a test names, and of those that a reduction among them compares."""
    for root in tests(policy):
        for events, name in attributes_named(root.test):
            yield events, name
            attribute = policy["facts"].get(events, {}).get("attributes", {}).get(name, {})
            yield from ((events, attribute[end]) for end in ("from", "to") if end in attribute)


def _parameters_read(policy: Mapping[str, Any]) -> set[str]:
    return {name for root in tests(policy) for name in parameters_named(root.test)}


def _parameters_named(policy: Mapping[str, Any]) -> Iterator[str]:
    yield from (name for root in tests(policy) for name in parameters_named(root.test))
    for profile in policy.get("profiles", {}).values():
        yield from profile.get("parameters", ())


def _profiles_read(documents: Documents) -> Iterator[str]:
    yield from (verdict["profile"] for verdict in documents["policy"]["verdicts"] if "profile" in verdict)
    positions = [payer["position"] for payer in documents["payers"]["payers"]]
    yield from (position["profile"] for position in positions if "profile" in position)
    for case in documents["cases"]["cases"]:
        if "profile" in case:
            yield case["profile"]
        for key in case["expect"].get("criteria", ()):
            if "@" in key:
                yield key.partition("@")[2].partition(" ")[0]


def _sources_cited(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(source := value.get("source"), str):
            yield source
        for inner in value.values():
            yield from _sources_cited(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _sources_cited(inner)
