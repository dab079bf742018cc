"""The interface of every word of tests beyond loading: evaluating, explaining, describing, and mutating it."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from typing import Any, ClassVar, NamedTuple, cast

from cds_service.facts.clauses import Clause
from cds_service.facts.evaluated import ALONE, DOES_NOT_APPLY, WAIVED, Evaluated, Facts
from cds_service.facts.kind import Rules
from cds_service.facts.logic import Truth
from cds_service.policy.loading.tests import LIMITS, LoadedWord, TestReader
from cds_service.policy.model import Test
from cds_service.policy.places import Steps


class Why(NamedTuple):
    """Why a comparison fails: in full, and without what the evidence already shows."""

    reason: str
    beside: str


class Excuse(NamedTuple):
    """A member that excuses a test, what remains if an author forgets it, and the case that notices the difference."""

    member: str
    kept: str | None
    advice: str


class TestWord(LoadedWord):
    """A word of tests, with everything that it does.

    ``swapped_with`` is the word that an author may write instead by mistake, and ``exceptions`` are the members that an
    author may forget; ``swap_advice``, or the advice of the exception, describes the case that notices the mistake.
    """

    swapped_with: ClassVar[str | None] = None
    swap_advice: ClassVar[str] = ""
    exceptions: ClassVar[tuple[Excuse, ...]] = ()
    # A comparison, or a count that is compared: a node that gets a reason.
    is_leaf: ClassVar[bool] = False

    @abstractmethod
    def evaluate(self, test: Test, facts: Facts) -> Evaluated:
        """The test over facts. A fact with several possible values is settled only if all of them agree."""

    def manner(self, found: Evaluated) -> str:
        """How a met test is met: "" by its own terms, otherwise ``WAIVED`` or ``DOES_NOT_APPLY``."""
        return ""

    def asked(self, found: Evaluated) -> Sequence[Evaluated]:
        """The inner tests to search for a reason: not those that waive the test or void its failure."""
        return found.inner

    def settled_by(self, found: Evaluated, truth: Truth) -> list[str]:
        """The facts that give a test its truth, without those that say otherwise or nothing."""
        inner = () if self.is_leaf else found.inner
        return [name for each in inner for name in settled_by(each, truth)] or list(found.test.facts())

    def excuses(self, found: Evaluated, how: str) -> list[str]:
        """The facts by which the test is met in a ``manner`` that needs an explanation."""
        return []

    def contradicts_itself(self, found: Evaluated) -> bool:
        """Whether sources that should agree say yes and no."""
        return False

    def beside_when_met(self, found: Evaluated) -> str:
        """The text beside the evidence of a met test; "" if the evidence is enough."""
        return ""

    def why_it_fails(self, found: Evaluated) -> Why:
        """Why a leaf is not met."""
        raise TypeError(f"'{self.name}' is not a leaf")

    def why_it_is_open(self, found: Evaluated) -> str:
        """Why a leaf is unknown despite records; "" if no record concerns it."""
        return ""

    def what_is_open(self, found: Evaluated) -> list[str]:
        """What is unknown about an event, in words, if this leaf of the event's test is unknown."""
        return []

    @abstractmethod
    def clause(self, test: Test, rules: Rules) -> Clause:
        """The test as a clause with the clauses inside it, for a reader who wants the exact logic."""

    @abstractmethod
    def sentence(self, test: Test, rules: Rules) -> str:
        """The test on one line."""

    def at_limit(self, test: Test, value: int | float, rules: Rules, today: date) -> str:
        """The case at a limit of the test: "in which 3 of these 5 tests are met"."""
        raise TypeError(f"'{self.name}' has no limits")


def word_of(test: Test) -> TestWord:
    """The word of a test, with everything that it does."""
    return cast(TestWord, test.word)


def evaluate(test: Test, facts: Facts) -> Evaluated:
    """A test over facts, in three-valued logic."""
    return word_of(test).evaluate(test, facts)


def manner_of(found: Evaluated) -> str:
    """How a met test is met: "" by its own terms, otherwise ``WAIVED`` or, if its condition fails,
    ``DOES_NOT_APPLY``."""
    return word_of(found.test).manner(found)


def settled_by(found: Evaluated, truth: Truth) -> list[str]:
    """The facts that give a test this truth; none if it has another."""
    return word_of(found.test).settled_by(found, truth) if found.truth is truth else []


def leaves(found: Evaluated) -> Iterator[Evaluated]:
    """The comparisons of a test; a list of which a number must be met is one leaf."""
    word = word_of(found.test)
    if word.is_leaf:
        yield found
    else:
        for each in word.asked(found):
            yield from leaves(each)


def nodes(found: Evaluated) -> Iterator[Evaluated]:
    """A test and every test inside it, outermost first; without the tests of events."""
    yield found
    for each in found.inner:
        yield from nodes(each)


def clause(test: Test, rules: Rules) -> Clause:
    """A test as a clause with the clauses inside it, for a reader who wants the exact logic."""
    return word_of(test).clause(test, rules)


def sentence(test: Test, rules: Rules) -> str:
    """A test on one line: "Body mass index: at most 35 kg/m2"."""
    return word_of(test).sentence(test, rules)


def inner_sentence(test: Test, rules: Rules) -> str:
    """A test inside another one, in brackets if it would run together with its neighbors."""
    said = sentence(test, rules)
    return said if test.word.name in ("fact", "not") else f"({said})"


def together(inner: Sequence[Evaluated], fold: Callable[[list[Truth]], Truth]) -> frozenset[Truth]:
    """All possible combined results of inner tests, by a ``fold`` that ignores their order.

    Each possible count of truths is folded once, so many open tests stay cheap.
    """
    if all(len(each.possible) == 1 for each in inner):
        return ALONE[fold([each.truth for each in inner])]
    counts = {(0, 0, 0)}
    for each in inner:
        counts = {
            (met + (truth is Truth.MET), not_met + (truth is Truth.NOT_MET), unknown + (truth is Truth.UNKNOWN))
            for met, not_met, unknown in counts
            for truth in each.possible
        }
    order = (Truth.MET, Truth.NOT_MET, Truth.UNKNOWN)
    return frozenset(
        fold([truth for truth, times in zip(order, counted, strict=True) for _ in range(times)]) for counted in counts
    )


class ListWord(TestWord):
    """A word over a list of tests; ``heading`` comes before them, ``separator`` between them on one line."""

    heading: ClassVar[str]
    separator: ClassVar[str]

    def load(self, entry: Mapping[str, Any], place: Steps, reader: TestReader) -> Test:
        return Test(self, reader.tests(entry[self.key], (*place, self.key)), place=place)

    def evaluate(self, test: Test, facts: Facts) -> Evaluated:
        inner = tuple(evaluate(each, facts) for each in test.inner)
        return Evaluated(test, together(inner, self.fold), inner)

    @abstractmethod
    def fold(self, truths: list[Truth]) -> Truth:
        """The combined truth of the inner tests."""

    def clause(self, test: Test, rules: Rules) -> Clause:
        return Clause(self.heading, tuple(clause(each, rules) for each in test.inner))

    def sentence(self, test: Test, rules: Rules) -> str:
        return self.separator.join(inner_sentence(each, rules) for each in test.inner)


class PairWord(TestWord):
    """A word over two tests, the ``members``, each with its own role."""

    members: ClassVar[tuple[str, str]]
    has_company = True

    def load(self, entry: Mapping[str, Any], place: Steps, reader: TestReader) -> Test:
        """The test of an object that has both members."""
        reader.only(entry, set(self.members), set(), place)
        return Test(self, reader.inside(entry, self.members, place), place=place)

    def evaluate(self, test: Test, facts: Facts) -> Evaluated:
        """All possible combined results of the two."""
        inner = tuple(evaluate(each, facts) for each in test.inner)
        pairs = product(*(each.possible for each in inner))
        return Evaluated(test, frozenset(self.truth_of(*pair) for pair in pairs), inner)

    @abstractmethod
    def truth_of(self, first: Truth, second: Truth) -> Truth:
        """The combined truth of the two."""


LIMIT_SCHEMAS: Mapping[str, dict[str, Any]] = {limit: {"$ref": "#/$defs/limit"} for limit in LIMITS}
_SO = {"all": "where all of these are so", "any": "where at least one of these is so"}


def list_clause(test: Test) -> tuple[tuple[Test, ...], str]:
    """The members of a list of tests and the word that joins them; otherwise the test alone."""
    return (test.inner, test.word.name) if test.word.name in _SO else ((test,), "")


def excused_clause(asked: Test, before: str, excuse: Test, behind: str, rules: Rules) -> Clause:
    """The clause of a test with a limiting clause beside it: ``before``, the excusing test, ``behind``."""
    inner, several = list_clause(excuse)
    beside = Clause(
        f"{before} {_SO.get(several, 'where this is so')}{behind}:", tuple(clause(each, rules) for each in inner)
    )
    held = clause(asked, rules)
    return held._replace(beside=(*held.beside, beside))


def why_it_fails(found: Evaluated) -> Why:
    """Why a test is not met: its failing parts, in full and without what the evidence already shows."""
    failing = [word_of(leaf.test).why_it_fails(leaf) for leaf in leaves(found) if leaf.truth is Truth.NOT_MET]
    reasons = dict.fromkeys(why.reason for why in failing)
    besides = dict.fromkeys(why.beside for why in failing if why.beside)
    return Why("; ".join(reasons) or "the chart says the opposite", "; ".join(besides))


def list_of_tests(fewest: int) -> dict[str, Any]:
    """The schema of a list of tests."""
    return {"type": "array", "minItems": fewest, "items": {"$ref": "#/$defs/test"}}


def best_manner(met: Sequence[Evaluated]) -> str:
    """The manner of several tests of which one is enough: a test met by its own terms needs no waiver."""
    manners = [manner_of(each) for each in met]
    return "" if "" in manners else next((how for how in (WAIVED, DOES_NOT_APPLY) if how in manners), "")
