"""Which rule sets an order concerns: one index of all their codes and phrases, which quickly excludes most orders.

The cost of an order depends on its own codes and words, not on the number of loaded rule sets.
"""

from collections.abc import Iterable, Iterator
from datetime import date

from cds_service.chart.orders import may_concern
from cds_service.fhir.concepts import billing_options, inline_concept
from cds_service.fhir.elements import Json, Key, concept_text, readable_keys
from cds_service.fhir.free_text import words
from cds_service.policy.codes import CodeSet
from cds_service.policy.model import OrderRule, Policy


class OrderIndex:
    """The rule sets by the codes and the phrases of their acts and pathways."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._policies = tuple(policies)
        self._exact: dict[Key, list[int]] = {}
        self._prefixes: dict[Key, list[int]] = {}
        self._prefix_lengths: dict[str, set[int]] = {}
        self._phrases: dict[str, list[int]] = {}
        # Phrases by their first word: most words of a text begin no phrase.
        self._beginning: dict[str, list[str]] = {}
        for place, policy in enumerate(self._policies):
            for codes in _code_sets(policy.orders):
                self._add_codes(codes, place)
            for phrase in _phrases(policy.orders):
                self._add_phrase(phrase, place)

    def concerned(self, drafts: Iterable[Json], today: date) -> tuple[Policy, ...]:
        """The rule sets for which ``orders.may_concern`` is true for one of the drafts, in the order they were given.

        ``drafts`` are the resources of a call; codes have their meaning on the date of service, or on ``today`` if an
        order names none.
        """
        found: set[int] = set()
        for resource in drafts:
            if resource.get("codeReference") is not None:
                return self._policies
            found |= {
                place
                for place in self._hinted(resource) - found
                if may_concern(self._policies[place].orders, resource, today)
            }
        return tuple(self._policies[place] for place in sorted(found))

    def _hinted(self, resource: Json) -> set[int]:
        """The indexes of the rule sets that have a code or a phrase of the draft, whatever its date and its denials."""
        concept = inline_concept(resource)
        concepts = (concept, *billing_options(concept))
        found: set[int] = set()
        for key in (key for one in concepts for key in readable_keys(one)):
            found.update(self._exact.get(key, ()))
            system, code = key
            for length in self._prefix_lengths.get(system, ()):
                found.update(self._prefixes.get((system, code[:length]), ()))
        text = words(" ".join(map(concept_text, concepts)))
        # A phrase without letters or digits matches only texts without them.
        if not text.strip():
            found.update(self._phrases.get("", ()))
        for word in set(text.split()):
            for phrase in self._beginning.get(word, ()):
                if f" {phrase} " in text:
                    found.update(self._phrases[phrase])
        return found

    def _add_codes(self, codes: CodeSet, place: int) -> None:
        for key in codes.exact:
            self._exact.setdefault(key, []).append(place)
        for row in codes.families:
            self._prefixes.setdefault((row.system, row.begins), []).append(place)
            self._prefix_lengths.setdefault(row.system, set()).add(len(row.begins))

    def _add_phrase(self, phrase: str, place: int) -> None:
        plain = " ".join(phrase.split())
        if plain and plain not in self._phrases:
            self._beginning.setdefault(plain.partition(" ")[0], []).append(plain)
        self._phrases.setdefault(plain, []).append(place)


def _code_sets(rule: OrderRule) -> Iterator[CodeSet]:
    yield from (act.codes for act in rule.acts)
    yield from (row.codes for row in rule.pathways if row.codes is not None)


def _phrases(rule: OrderRule) -> Iterator[str]:
    yield from rule.named_in_text
    for row in rule.pathways:
        yield from row.phrases
