"""policy.json, criteria: whose answers count for the facts that each criterion reads."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from cds_service.policy.loading.problems import Reader
from cds_service.policy.model import CLINICIANS, Criterion, FactRule
from cds_service.policy.places import path_of


class AttesterReader(Reader):
    """Gives each fact the people whose answers count, taken from the criteria that read the fact."""

    def facts(self, facts: Mapping[str, FactRule], criteria: Iterable[Criterion]) -> dict[str, FactRule]:
        """The facts, with who may attest to them and which criteria read them.

        Notes a fact whose criteria accept different people, because each fact is read only once. A fact that no
        criterion reads accepts the answers of clinicians.
        """
        readers: dict[str, dict[str, Criterion]] = {}
        for criterion in criteria:
            for name in _behind(facts, criterion.test.facts()):
                readers.setdefault(name, {})[criterion.id] = criterion
        found = {}
        for name, rule in facts.items():
            asking = list(readers.get(name, {}).values())
            accepted = {criterion.attested_by for criterion in asking}
            if rule.items and len(accepted) > 1:
                named = ", ".join(f"'{criterion.id}'" for criterion in asking)
                self.problem(
                    "policy", path_of(("facts", name)), f"{named} read it, so 'attested_by' must be the same in each"
                )
            found[name] = _asked(rule, accepted.pop() if accepted else CLINICIANS, tuple(item.id for item in asking))
        return found


def _behind(facts: Mapping[str, FactRule], names: Iterable[str]) -> Iterator[str]:
    """The facts with these names, each preceded by the facts that it is computed from."""
    for name in names:
        if name in facts:
            yield from filter(None, (facts[name].start, facts[name].end))
            yield name


def _asked(rule: FactRule, attested_by: frozenset[str], criteria: tuple[str, ...]) -> FactRule:
    if rule.attested_by == attested_by and rule.criteria == criteria:
        # The attributes of a fact always say the same as the fact.
        return rule
    attributes = {name: _asked(inner, attested_by, criteria) for name, inner in rule.attributes.items()}
    return replace(rule, attested_by=attested_by, criteria=criteria, attributes=attributes)
