"""policy.json, tests: each word loads its own tests; this module has what all words share."""

from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from cds_service.policy.loading.problems import Problems, Reader
from cds_service.policy.model import FactRule, Test, Word
from cds_service.policy.places import Steps, path_of

LIMITS = ("at_least", "at_most", "more_than", "less_than")


class LoadedWord(Word):
    """What the loader needs to know of a word.

    ``key`` is the member that identifies a test with this word. ``schema`` has the JSON Schema of each of its members.
    ``has_company`` says whether other members may stand next to the key.
    """

    key: ClassVar[str]
    schema: ClassVar[Mapping[str, dict[str, Any]]]
    has_company: ClassVar[bool] = False

    def recognizes(self, entry: Mapping[str, Any]) -> bool:
        """Whether a JSON object is a test with this word."""
        return self.key in entry

    @abstractmethod
    def load(self, entry: Mapping[str, Any], place: Steps, reader: "TestReader") -> Test:
        """The test of a schema-valid JSON object; the reader notes any other fault."""


class TestReader(Reader):
    """Reads tests over facts; ``numbers`` are the parameters that a limit may name as "$name"."""

    __test__ = False

    def __init__(
        self,
        problems: Problems,
        facts: Mapping[str, FactRule],
        numbers: Mapping[str, float],
        words: Mapping[str, LoadedWord],
    ) -> None:
        super().__init__(problems)
        self.facts = facts
        self.numbers = numbers
        self._words = words

    def test(self, entry: Mapping[str, Any], place: Steps) -> Test:
        """The test of a JSON object. Notes faults, and returns a test even then."""
        word = next((word for word in self._words.values() if word.has_company and word.recognizes(entry)), None)
        if word is None:
            if len(entry) != 1:
                self.fault(place, f"one word at a time; found {', '.join(sorted(entry))}")
            key = next(iter(entry))
            word = next((word for word in self._words.values() if not word.has_company and word.key == key), None)
            if word is None:
                self.fault(
                    place, f"'{key}' cannot be used alone; it needs a 'fact', 'of', 'count', or 'test' beside it"
                )
                return Test(self._words["all"], place=place)
        return word.load(entry, place, self)

    def within(self, attributes: Mapping[str, FactRule]) -> "TestReader":
        """A reader of tests over the attributes of events."""
        return TestReader(self._problems, attributes, self.numbers, self._words)

    def with_numbers(self, changed: Mapping[str, float]) -> "TestReader":
        """A reader of the same tests with other values for some parameters."""
        return TestReader(self._problems, self.facts, {**self.numbers, **changed}, self._words)

    def tests(self, entries: Sequence[Mapping[str, Any]], place: Steps) -> tuple[Test, ...]:
        """The tests in a list."""
        return tuple(self.test(entry, (*place, n)) for n, entry in enumerate(entries))

    def inside(self, entry: Mapping[str, Any], members: Iterable[str], place: Steps) -> tuple[Test, ...]:
        """The tests under these members; members that the entry lacks are skipped."""
        return tuple(self.test(entry[member], (*place, member)) for member in members if member in entry)

    def fault(self, place: Steps, sentence: str) -> None:
        """Notes a fault at a place in policy.json."""
        self.problem("policy", path_of(place), sentence)

    def named_fact(self, name: str, allowed: Collection[str], what: str, place: Steps) -> bool:
        """Whether a name is allowed; if not, notes the name and the allowed ones."""
        return self.known(name, allowed, what, "policy", path_of(place))

    def only(self, entry: Mapping[str, Any], allowed: set[str], optional: set[str], place: Steps) -> None:
        """Notes members that cannot be combined, and required members that are missing."""
        more = sorted(entry.keys() - allowed - optional)
        if more:
            together = ", ".join(sorted(allowed | optional))
            self.fault(place, f"{', '.join(more)} cannot be used here; {together} go together")
        for member in sorted(allowed - entry.keys()):
            self.fault(place, f"'{member}' is missing; {' and '.join(sorted(allowed))} go together")

    def limited(self, test: Test, entry: Mapping[str, Any], place: Steps) -> Test:
        """The test with the limits of its entry; notes an entry without limits."""
        if entry.keys().isdisjoint(LIMITS):
            self.fault(place, f"a number to compare with is missing; one of {', '.join(LIMITS)}")
        return self.with_limits(test, entry, place)

    def with_limits(self, test: Test, entry: Mapping[str, Any], place: Steps) -> Test:
        """The test with the limits of its entry."""
        limits = {word: self._number(entry[word], (*place, word)) for word in LIMITS if word in entry}
        if not limits:
            return test
        low = max((limits[word] for word in ("at_least", "more_than") if word in limits), default=float("-inf"))
        high = min((limits[word] for word in ("at_most", "less_than") if word in limits), default=float("inf"))
        if low > high:
            words = [word for word in LIMITS if word in limits]
            self.fault(place, f"{words[0]} is above {words[-1]}, so that nothing can ever meet it")
        return replace(
            test,
            at_least=limits.get("at_least"),
            at_most=limits.get("at_most"),
            more_than=limits.get("more_than"),
            less_than=limits.get("less_than"),
            parameters={word: entry[word].removeprefix("$") for word in limits if isinstance(entry[word], str)},
        )

    def _number(self, value: Any, place: Steps) -> float:
        if not isinstance(value, str):
            return float(value) if not isinstance(value, int) else value
        name = value.removeprefix("$")
        if not self.named_fact(name, self.numbers, "parameter", place):
            return 0
        return self.numbers[name]
