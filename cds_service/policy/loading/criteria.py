"""policy.json, criteria, profiles and verdicts: the criteria and how they combine."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from cds_service.fhir.types import TYPES
from cds_service.policy.loading.problems import Problems, Reader
from cds_service.policy.loading.sources import SourceReader
from cds_service.policy.loading.tests import TestReader
from cds_service.policy.model import (
    CLINICIANS,
    Contrary,
    Criterion,
    FactRule,
    Hint,
    Profile,
    ReviewLine,
    Test,
    VerdictRule,
    own_id,
)
from cds_service.policy.places import Steps, path_of

_HOLE = re.compile(r"\{([a-z][a-z0-9-]*)\}")


class CriterionReader(Reader):
    """Reads the criteria, the profiles, and the verdicts.

    ``criteria`` are keyed by id, ``variants`` (criteria that a profile changes) by key; ``entries`` are the criteria of
    policy.json.
    """

    def __init__(
        self,
        problems: Problems,
        facts: Mapping[str, FactRule],
        sources: SourceReader,
        tests: TestReader,
        entries: Sequence[Mapping[str, Any]],
    ) -> None:
        super().__init__(problems)
        self._facts = facts
        self._sources = sources
        self._tests = tests
        self._entries = entries
        self._places = {entry["id"]: index for index, entry in reversed(list(enumerate(entries)))}
        self.criteria: dict[str, Criterion] = {}
        self.variants: dict[str, Criterion] = {}

    def read(self) -> None:
        """Reads the rule set's own criteria."""
        self.criteria = {entry["id"]: self._criterion(index, entry) for index, entry in enumerate(self._entries)}

    def _criterion(self, index: int, entry: Mapping[str, Any]) -> Criterion:
        place = f"$.criteria[{index}]"
        citations = self._sources.citations(entry["sources"], f"{place}.sources")
        test = self._tests.test(entry["test"], ("criteria", index, "test"))
        hints = tuple(self._hint(hint, f"{place}.hints[{n}]") for n, hint in enumerate(entry.get("hints", ())))
        cited = [citation.source for citation in citations]
        contrary = tuple(
            self._contrary(item, cited, f"{place}.contrary[{n}]") for n, item in enumerate(entry.get("contrary", ()))
        )
        return Criterion(
            id=entry["id"],
            title=self._filled(entry["title"], self._tests.numbers, f"{place}.title"),
            fails_as=entry["fails_as"],
            test=test,
            hints=hints,
            contrary=contrary,
            attested_by=frozenset(entry.get("attested_by", CLINICIANS)),
            settled_by=entry["settled_by"],
            citations=citations,
            statement_text=entry["statement_text"],
            product_choice=entry.get("product_choice"),
            note=entry.get("note"),
            next_review=entry["next_review"],
            per_part=self._per_part(test, (*hints, *contrary)),
            types=self._types(test, hints, contrary),
        )

    def profile(self, name: str, entry: Mapping[str, Any]) -> Profile:
        """One profile; the criteria that the profile changes are added to ``variants``."""
        place = f"$.profiles.{name}"
        self._sources.known_source(entry["source"], f"{place}.source")
        pending, members = entry.get("pending"), entry.get("all", ())
        if (pending is None) == (not members):
            self.problem("policy", place, "a profile has either 'all' (criteria) or 'pending' (why it is not applied)")
        changed = entry.get("parameters", {})
        for parameter in changed:
            self.known(parameter, self._tests.numbers, "parameter", "policy", f"{place}.parameters")
        for replaced in entry.get("replaces", {}):
            self.known(replaced, members, "criterion of this profile", "policy", f"{place}.replaces")
        keys = [
            self._variant(name, entry, self.criteria[member])
            for member in members
            if self.known(member, self._places, "criterion", "policy", f"{place}.all")
        ]
        return Profile(
            id=name,
            title=entry["title"],
            source=entry["source"],
            pending=pending,
            criteria=tuple(keys),
            next_review=entry["next_review"],
            parameters=changed,
        )

    def _variant(self, name: str, entry: Mapping[str, Any], own: Criterion) -> str:
        """The key of a criterion in a profile: its own key if the profile does not change the criterion."""
        index = self._places[own.id]
        written = self._entries[index]
        replaced = entry.get("replaces", {}).get(own.id, {})
        reader = self._tests.with_numbers(entry.get("parameters", {}))
        place: Steps = ("criteria", index, "test")
        if replaced:
            place = ("profiles", name, "replaces", own.id, "test")
        test = reader.test(replaced.get("test", written["test"]), place)
        if not replaced and test == own.test:
            return own.key
        source = entry["source"]
        cited = tuple(item for item in own.citations if item.source == source)
        titled = path_of((*place[:-1], "title")) if "title" in replaced else f"$.criteria[{index}].title"
        variant = Criterion(
            id=own.id,
            title=self._filled(replaced.get("title", written["title"]), reader.numbers, titled),
            fails_as=replaced.get("fails_as", own.fails_as),
            test=test,
            hints=own.hints,
            contrary=own.contrary,
            attested_by=own.attested_by,
            settled_by=replaced.get("settled_by", own.settled_by),
            citations=cited or own.citations,
            statement_text=own.statement_text,
            product_choice=own.product_choice,
            note=own.note,
            next_review=entry["next_review"],
            profile=name,
            per_part=self._per_part(test, (*own.hints, *own.contrary)),
            types=self._types(test, own.hints, own.contrary),
        )
        if not cited:
            self.problem(
                "policy",
                f"$.criteria[{index}].sources",
                f"the profile '{name}' changes this criterion, and nothing here is cited from its source '{source}'",
            )
        self.variants[variant.key] = variant
        return variant.key

    def _types(self, test: Test, hints: Iterable[Hint], contrary: Iterable[Contrary]) -> tuple[str, ...]:
        """The resource types that a criterion's test, its contrary records and its hints read.

        Types that are only shown for confirmation leave nothing open, so they are not among them.
        """
        hinted = (item.fact for item in hints if item.fact in self._facts)
        names = (
            *test.facts(),
            *(item.fact for item in contrary if not item.to_confirm),
            *(name for name in hinted if not self._facts[name].kind.is_of_words),
        )
        read = frozenset[str]().union(*(self._facts[name].types() for name in names if name in self._facts))
        # A type without a row is refused where the facts are checked.
        return tuple(sorted(name for name in read & TYPES.keys() if not TYPES[name].only_shown))

    def _per_part(self, test: Test, beside: Iterable[Hint | Contrary]) -> bool:
        names = (*test.facts(), *(item.fact for item in beside))
        return any(self._facts[name].per_part for name in names if name in self._facts)

    def _filled(self, title: str, numbers: Mapping[str, float], place: str) -> str:
        """A title with its placeholders ({tests-least}) filled from the parameters; notes an unknown placeholder."""
        for name in _HOLE.findall(title):
            self.known(name, sorted(numbers), "parameter", "policy", place)
        return _HOLE.sub(lambda hole: str(numbers.get(hole[1], hole[0])), title)

    def _hint(self, entry: Mapping[str, Any], place: str) -> Hint:
        self.known(entry["fact"], self._facts, "fact", "policy", f"{place}.fact")
        unless = tuple(entry.get("unless", ()))
        for number, name in enumerate(unless):
            self.known(name, self._facts, "fact", "policy", f"{place}.unless[{number}]")
        return Hint(entry["fact"], entry["says"], entry.get("settled_by", ""), unless)

    def _contrary(self, entry: Mapping[str, Any], cited: Collection[str], place: str) -> Contrary:
        """A fact that contradicts a criterion. Notes a fact that is not yes/no, and an uncited source."""
        name = entry["fact"]
        if self.known(name, self._facts, "fact", "policy", f"{place}.fact"):
            kind = self._facts[name].kind
            if kind.compared_by != "is":
                self.problem(
                    "policy",
                    f"{place}.fact",
                    f"the fact '{name}' is of kind '{kind.name}'; only a fact that is yes or no can contradict",
                )
        self.known(entry["source"], cited, "source of this criterion", "policy", f"{place}.source")
        return Contrary(name, entry["says"], entry["source"], "own_reading" in entry, "to_confirm" in entry)

    def verdict(self, index: int, entry: Mapping[str, Any], profiles: Mapping[str, Profile]) -> VerdictRule:
        """One verdict."""
        place = f"$.verdicts[{index}]"
        if len(entry.keys() & {"all", "payer", "profile"}) != 1:
            self.problem("policy", place, "a verdict has either 'all' (criteria) or 'payer': true, or a 'profile'")
        self.known_criteria(entry.get("all", ()), "policy", f"{place}.all")
        profile = None
        if "profile" in entry and self.known(entry["profile"], profiles, "profile", "policy", f"{place}.profile"):
            profile = profiles[entry["profile"]]
        unless = entry.get("applies_unless")
        return VerdictRule(
            id=entry["id"],
            title=entry["title"],
            criteria=profile.criteria if profile else tuple(entry.get("all", ())),
            payer="payer" in entry,
            profile=profile,
            applies_unless=self.of_the_whole(unless, ("verdicts", index, "applies_unless")) if unless else None,
            as_far_as=entry.get("as_far_as", ""),
        )

    def known_criteria(self, names: Collection[str], file: str, place: str) -> None:
        """Notes names that are not criteria."""
        for name in names:
            self.known(name, self._places, "criterion", file, place)

    def of_the_whole(self, entry: Mapping[str, Any], place: Steps) -> Test:
        """A test over the whole scope; notes facts in the test that are read for each part."""
        test = self._tests.test(entry, place)
        self._whole(test.facts(), path_of(place))
        return test

    def line(self, entry: Mapping[str, Any], place: str) -> ReviewLine:
        """A line for review, which covers the whole scope."""
        self._whole([entry["fact"]], f"{place}.fact")
        self.known(entry["fact"], self._facts, "fact", "policy", f"{place}.fact")
        return ReviewLine(entry["fact"], entry["says"], "withholds_codes" in entry)

    def _whole(self, names: Iterable[str], place: str) -> None:
        """Notes facts that are read for each part although the test covers the whole scope."""
        for name in names:
            if name in self._facts and self._facts[name].per_part:
                self.problem("policy", place, f"the fact '{name}' is read for each part, and here the whole is asked")


def always_evaluated(
    criteria: Iterable[Criterion], verdicts: Iterable[VerdictRule], profiles: Iterable[Profile]
) -> tuple[Criterion, ...]:
    """The criteria that every call evaluates: all except those that only a profile uses."""
    own = {key for verdict in verdicts if verdict.profile is None for key in verdict.criteria}
    lent = {own_id(key) for profile in profiles for key in profile.criteria} - own
    return tuple(item for item in criteria if item.id not in lent)
