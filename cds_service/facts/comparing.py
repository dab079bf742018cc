"""Comparisons in three-valued logic: one value, or a count of several, with the limits of a test."""

from collections.abc import Iterable

from cds_service.facts import logic
from cds_service.facts.evidence import Value
from cds_service.facts.logic import Truth
from cds_service.fhir.elements import Interval
from cds_service.policy.model import Test

_LIMIT_WORDS = {"at_least": "at least", "more_than": "more than", "at_most": "at most", "less_than": "less than"}


def compare(test: Test, value: Value) -> Truth:
    """One comparison with one possible value: a boolean with ``is``, an interval with limits."""
    if isinstance(value, bool):
        return Truth.UNKNOWN if test.wanted is None else logic.from_bool(value is test.wanted)
    if test.wanted is not None:
        return Truth.UNKNOWN
    low, high = value
    if below(test, high) or above(test, low):
        return Truth.NOT_MET
    return Truth.UNKNOWN if below(test, low) or above(test, high) else Truth.MET


def below(test: Test, number: float) -> bool:
    """Whether a number misses a lower limit."""
    return (test.at_least is not None and number < test.at_least) or (
        test.more_than is not None and number <= test.more_than
    )


def above(test: Test, number: float) -> bool:
    """Whether a number misses an upper limit."""
    return (test.at_most is not None and number > test.at_most) or (
        test.less_than is not None and number >= test.less_than
    )


def how_many(truths: Iterable[Truth]) -> Interval:
    """How many are met: at least, and at most."""
    truths = list(truths)
    met = truths.count(Truth.MET)
    return (met, met + truths.count(Truth.UNKNOWN))


def limits_in_words(test: Test) -> str:
    """The limits of a comparison in words, such as "at least 21 and at most 60"."""
    limits = ((said, getattr(test, name)) for name, said in _LIMIT_WORDS.items())
    return " and ".join(f"{said} {limit:g}" for said, limit in limits if limit is not None)


def limit_of(test: Test) -> str:
    """The number that a count is compared with, as text."""
    limits = (test.at_least, test.more_than, test.at_most, test.less_than)
    return next(f"{limit:g}" for limit in limits if limit is not None)


def in_unit(number: str, unit: str) -> str:
    """A number, or limits, with the unit as people write it: "60%", "35 kg/m²"."""
    return f"{number}%" if unit == "%" else f"{number}\N{NO-BREAK SPACE}{unit.replace('m2', 'm²')}"
