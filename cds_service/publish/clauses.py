"""Tests in plain English: as clauses for a reader who wants the exact logic, and on one line. Pure, no Flask."""

from collections.abc import Mapping
from typing import NamedTuple

from cds_service.policy.model import FactRule, Test


class Clause(NamedTuple):
    """A test in words; ``parts`` are the clauses that ``text`` speaks of (none for a single comparison).

    ``beside`` are the clauses that limit it: when it is asked at all, what waives it, what makes its no no answer.
    """

    text: str
    parts: tuple["Clause", ...] = ()
    beside: tuple["Clause", ...] = ()


_LIMIT_WORDS = {"at_least": "at least", "more_than": "more than", "at_most": "at most", "less_than": "less than"}
_COMBINED = {
    "all": "All of these:",
    "any": "At least one of these:",
    "first": "The first that is on record decides:",
    "agree": "All that speak agree; one that is silent leaves it to the others, and contradiction is unknown:",
    "not": "The opposite of this:",
}
_JOINED = {"all": "; and ", "any": "; or ", "agree": ". ", "first": "; else "}
# A word that limits a test, as it stands before the list of what must be so, and on one line.
_LIMITED = {
    "if": ("Only asked", "; elsewhere it does not apply, and counts as met", "only asked where"),
    "waived": ("Waived, counted as met and shown as waived,", "", "waived where"),
    "voided": ("A no is no answer, and leaves it unknown,", "", "a no is no answer where"),
}
_SO = {"all": "where all of these are so", "any": "where at least one of these is so"}


def clause(test: Test, facts: Mapping[str, FactRule]) -> Clause:
    """A test as a clause with its parts, for a reader who wants the exact logic."""
    if test.word == "fact":
        return Clause(_comparison(test, facts[test.fact]))
    if test.word == "of":
        return Clause(f"{capital(_number(test))} of these:", tuple(clause(part, facts) for part in test.parts))
    if test.word == "count":
        return _count_clause(test, facts)
    if test.word in _LIMITED:
        main, limit = _limited(test)
        held = clause(main, facts)
        return held._replace(beside=(*held.beside, _limit_clause(test.word, limit, facts)))
    return Clause(_COMBINED[test.word], tuple(clause(part, facts) for part in test.parts))


def _count_clause(test: Test, facts: Mapping[str, FactRule]) -> Clause:
    counted = capital(_counted(test, facts))
    if not test.parts:
        return Clause(counted)
    parts, several = _spread(test.parts[0])
    each = {"all": ", each with all of these:", "any": ", each with at least one of these:"}.get(
        several, ", each with:"
    )
    return Clause(counted + each, tuple(clause(part, facts[test.fact].attributes) for part in parts))


def _limit_clause(word: str, limit: Test, facts: Mapping[str, FactRule]) -> Clause:
    before, behind, _ = _LIMITED[word]
    parts, several = _spread(limit)
    so = _SO.get(several, "where this is so")
    return Clause(f"{before} {so}{behind}:", tuple(clause(part, facts) for part in parts))


def _limited(test: Test) -> tuple[Test, Test]:
    """What a conditional, waived or voided test asks, and what limits it."""
    first, second = test.parts
    return (second, first) if test.word == "if" else (first, second)


def _spread(test: Test) -> tuple[tuple[Test, ...], str]:
    """The members of a list of tests and the word that joins them; else the test alone."""
    return (test.parts, test.word) if test.word in _SO else ((test,), "")


def sentence(test: Test, facts: Mapping[str, FactRule]) -> str:
    """A test on one line: "Body mass index: at most 35 kg/m2"."""
    if test.word == "fact":
        return _comparison(test, facts[test.fact])
    if test.word == "not":
        return f"not ({sentence(test.parts[0], facts)})"
    if test.word == "count":
        each = [f", each with {_inner(part, facts[test.fact].attributes)}" for part in test.parts]
        return _counted(test, facts) + "".join(each)
    if test.word == "of":
        return f"{_number(test)} of: {'; '.join(_inner(part, facts) for part in test.parts)}"
    if test.word in _LIMITED:
        main, limit = _limited(test)
        return f"{_inner(main, facts)}, {_LIMITED[test.word][2]} {_inner(limit, facts)}"
    return _JOINED[test.word].join(_inner(part, facts) for part in test.parts)


def _inner(test: Test, facts: Mapping[str, FactRule]) -> str:
    """A test inside another one, in brackets where it would run together with its neighbours."""
    said = sentence(test, facts)
    return said if test.word in ("fact", "not") else f"({said})"


def _comparison(test: Test, rule: FactRule) -> str:
    return f"{rule.title}: {_yes_or_no(test, rule) if test.wanted is not None else _limits(test, rule)}"


def _number(test: Test) -> str:
    """The limits of a comparison in words, such as "at least 21 and at most 60"."""
    limits = ((said, getattr(test, name)) for name, said in _LIMIT_WORDS.items())
    return " and ".join(f"{said} {limit:g}" for said, limit in limits if limit is not None)


def capital(text: str) -> str:
    """A text that begins with a capital letter."""
    return text[0].upper() + text[1:]


def _counted(test: Test, facts: Mapping[str, FactRule]) -> str:
    rule = facts[test.fact]
    after = f", after the newest “{facts[test.after].title}”" if test.after else ""
    one, many = rule.noun or (rule.title, rule.title)
    number = _number(test)
    return f"{number} {one if number == 'at least 1' else f'{many} on different days'}{after}"


def _yes_or_no(test: Test, rule: FactRule) -> str:
    if rule.kind == "answer":
        coded = " or said by its code" if rule.codes else ""
        return f"attested yes{coded}" if test.wanted else "attested no"
    if rule.kind == "order":
        return "ordered" if test.wanted else "not ordered"
    if test.wanted:
        return "on record"
    return "none on record" if rule.when_absent == "no" else "speaks against it where on record"


def _limits(test: Test, rule: FactRule) -> str:
    limits = _number(test)
    if rule.kind == "age":
        return f"{limits} years"
    if rule.kind in ("onset", "since"):
        return f"{limits} {'months' if rule.in_months else 'days'}{'' if rule.until else ' ago'}"
    if rule.kind == "parts":
        return limits
    if rule.kind == "reduction":
        return f"{limits}\N{NO-BREAK SPACE}%"
    if not rule.unit or rule.unit in rule.title.lower():
        return f"{limits}, on a scale of {span(rule)}"
    return f"{limits}\N{NO-BREAK SPACE}{rule.unit}"


def span(rule: FactRule) -> str:
    """The values that are possible."""
    return f"{rule.range[0]:g} to {rule.range[1]:g}"
