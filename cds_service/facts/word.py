"""What every word of tests does, beside being loaded: it is evaluated, explained, said in English, and mistaken."""

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
    """Why a comparison fails: whole, and without what the evidence already shows."""

    reason: str
    beside: str


class Excuse(NamedTuple):
    """A member that excuses a test, what stays where an author forgets it, and the case that tells the two apart."""

    member: str
    kept: str | None
    advice: str


class TestWord(LoadedWord):
    """A word of tests, whole.

    ``swapped_with`` is the word that an author may write by mistake in its place, ``exceptions`` the members that may
    be forgotten; the case that tells each apart is ``swap_advice`` or stands beside it.
    """

    swapped_with: ClassVar[str | None] = None
    swap_advice: ClassVar[str] = ""
    exceptions: ClassVar[tuple[Excuse, ...]] = ()
    # A comparison, or a count that is compared: what a reason is given for.
    is_leaf: ClassVar[bool] = False

    @abstractmethod
    def evaluate(self, test: Test, facts: Facts) -> Evaluated:
        """The test over facts. A fact with several possible values is settled only where all of them agree."""

    def manner(self, found: Evaluated) -> str:
        """How a test that is met is met: "" by what it asks, otherwise ``WAIVED`` or ``DOES_NOT_APPLY``."""
        return ""

    def asked(self, found: Evaluated) -> Sequence[Evaluated]:
        """The inner tests that a reason is looked for in: not what waives a test or voids its failing."""
        return found.inner

    def settled_by(self, found: Evaluated, truth: Truth) -> list[str]:
        """The facts by which a test has its truth, without those that say otherwise or nothing."""
        inner = () if self.is_leaf else found.inner
        return [name for each in inner for name in settled_by(each, truth)] or list(found.test.facts())

    def excuses(self, found: Evaluated, how: str) -> list[str]:
        """The facts by which the test is met in a ``manner`` that needs a word."""
        return []

    def contradicts_itself(self, found: Evaluated) -> bool:
        """Whether sources that should agree say yes and no."""
        return False

    def beside_when_met(self, found: Evaluated) -> str:
        """What is said beside the evidence of a test that is met; "" where the evidence says it all."""
        return ""

    def why_it_fails(self, found: Evaluated) -> Why:
        """Why a leaf is not met."""
        raise TypeError(f"'{self.name}' is not a leaf")

    def why_it_is_open(self, found: Evaluated) -> str:
        """Why a leaf is unknown despite what is on record; "" where the record says nothing of it."""
        return ""

    def what_is_open(self, found: Evaluated) -> list[str]:
        """What is not known of an event, in words, where this leaf of what is asked of it is unknown."""
        return []

    @abstractmethod
    def clause(self, test: Test, rules: Rules) -> Clause:
        """The test as a clause with those inside it, for a reader who wants the exact logic."""

    @abstractmethod
    def sentence(self, test: Test, rules: Rules) -> str:
        """The test on one line."""

    def at_limit(self, test: Test, value: int | float, rules: Rules, today: date) -> str:
        """The case that is at a limit of the test: "in which 3 of these 5 tests are met"."""
        raise TypeError(f"'{self.name}' has no limits")


def word_of(test: Test) -> TestWord:
    """The word of a test, with all that it does."""
    return cast(TestWord, test.word)


def evaluate(test: Test, facts: Facts) -> Evaluated:
    """A test over facts, in three-valued logic."""
    return word_of(test).evaluate(test, facts)


def manner_of(found: Evaluated) -> str:
    """How a test that is met is met: "" by what it asks, otherwise ``WAIVED`` or, where its condition fails,
    ``DOES_NOT_APPLY``."""
    return word_of(found.test).manner(found)


def settled_by(found: Evaluated, truth: Truth) -> list[str]:
    """The facts by which a test has a truth; none where it has another."""
    return word_of(found.test).settled_by(found, truth) if found.truth is truth else []


def leaves(found: Evaluated) -> Iterator[Evaluated]:
    """The comparisons of a test, a list of which so many must be met being one."""
    word = word_of(found.test)
    if word.is_leaf:
        yield found
    else:
        for each in word.asked(found):
            yield from leaves(each)


def nodes(found: Evaluated) -> Iterator[Evaluated]:
    """A test and every test inside it, outermost first; not what is asked of events."""
    yield found
    for each in found.inner:
        yield from nodes(each)


def clause(test: Test, rules: Rules) -> Clause:
    """A test as a clause with those inside it, for a reader who wants the exact logic."""
    return word_of(test).clause(test, rules)


def sentence(test: Test, rules: Rules) -> str:
    """A test on one line: "Body mass index: at most 35 kg/m2"."""
    return word_of(test).sentence(test, rules)


def inner_sentence(test: Test, rules: Rules) -> str:
    """A test inside another one, in brackets where it would run together with its neighbors."""
    said = sentence(test, rules)
    return said if test.word.name in ("fact", "not") else f"({said})"


def together(inner: Sequence[Evaluated], fold: Callable[[list[Truth]], Truth]) -> frozenset[Truth]:
    """All that inner tests may come to together, by a ``fold`` that does not look at their order.

    Each possible count of truths is folded once, so that many that are open stay cheap.
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
    """A word over a list of tests; ``heading`` is before them, ``separator`` between them on one line."""

    heading: ClassVar[str]
    separator: ClassVar[str]

    def load(self, entry: Mapping[str, Any], place: Steps, reader: TestReader) -> Test:
        return Test(self, reader.tests(entry[self.key], (*place, self.key)), place=place)

    def evaluate(self, test: Test, facts: Facts) -> Evaluated:
        inner = tuple(evaluate(each, facts) for each in test.inner)
        return Evaluated(test, together(inner, self.fold), inner)

    @abstractmethod
    def fold(self, truths: list[Truth]) -> Truth:
        """What the truths of the inner tests come to together."""

    def clause(self, test: Test, rules: Rules) -> Clause:
        return Clause(self.heading, tuple(clause(each, rules) for each in test.inner))

    def sentence(self, test: Test, rules: Rules) -> str:
        return self.separator.join(inner_sentence(each, rules) for each in test.inner)


class PairWord(TestWord):
    """A word over two tests under the names of ``members``, each with a role of its own."""

    members: ClassVar[tuple[str, str]]
    has_company = True

    def load(self, entry: Mapping[str, Any], place: Steps, reader: TestReader) -> Test:
        """The test of an object that has both members."""
        reader.only(entry, set(self.members), set(), place)
        return Test(self, reader.inside(entry, self.members, place), place=place)

    def evaluate(self, test: Test, facts: Facts) -> Evaluated:
        """All that the two may come to together."""
        inner = tuple(evaluate(each, facts) for each in test.inner)
        pairs = product(*(each.possible for each in inner))
        return Evaluated(test, frozenset(self.truth_of(*pair) for pair in pairs), inner)

    @abstractmethod
    def truth_of(self, first: Truth, second: Truth) -> Truth:
        """What the truths of the two come to."""


LIMIT_SCHEMAS: Mapping[str, dict[str, Any]] = {limit: {"$ref": "#/$defs/limit"} for limit in LIMITS}
_SO = {"all": "where all of these are so", "any": "where at least one of these is so"}


def list_clause(test: Test) -> tuple[tuple[Test, ...], str]:
    """The members of a list of tests and the word that joins them; otherwise the test alone."""
    return (test.inner, test.word.name) if test.word.name in _SO else ((test,), "")


def excused_clause(asked: Test, before: str, excuse: Test, behind: str, rules: Rules) -> Clause:
    """The clause of a test, and beside it that of what limits it: ``before``, where that is so, ``behind``."""
    inner, several = list_clause(excuse)
    beside = Clause(
        f"{before} {_SO.get(several, 'where this is so')}{behind}:", tuple(clause(each, rules) for each in inner)
    )
    held = clause(asked, rules)
    return held._replace(beside=(*held.beside, beside))


def why_it_fails(found: Evaluated) -> Why:
    """Why a test is not met: what fails in it, whole and without what the evidence already shows."""
    failing = [word_of(leaf.test).why_it_fails(leaf) for leaf in leaves(found) if leaf.truth is Truth.NOT_MET]
    reasons = dict.fromkeys(why.reason for why in failing)
    besides = dict.fromkeys(why.beside for why in failing if why.beside)
    return Why("; ".join(reasons) or "the chart says the opposite", "; ".join(besides))


def list_of_tests(fewest: int) -> dict[str, Any]:
    """The schema of a list of tests."""
    return {"type": "array", "minItems": fewest, "items": {"$ref": "#/$defs/test"}}


def best_manner(met: Sequence[Evaluated]) -> str:
    """Of several tests of which one is enough: one that is met by what it asks needs no waiver beside it."""
    manners = [manner_of(each) for each in met]
    return "" if "" in manners else next((how for how in (WAIVED, DOES_NOT_APPLY) if how in manners), "")
