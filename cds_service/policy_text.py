"""A Policy in plain English, for its page: tests, readings, criteria and verdicts in words. Pure, no Flask."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from cds_service.payers import SEEN_WITHIN_DAYS
from cds_service.policy import CodeSet, Criterion, FactRule, Policy, Profile, Scope, Test, VerdictRule

VERIFIED = {"verbatim": "seen word for word", "paraphrase": "paraphrase only", "unverified": "unverified"}
NOT_CHECKED = "not yet checked by a named reviewer"


# --- tests -----------------------------------------------------------------------------------------------------------


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
        return Clause(f"{_capital(_number(test))} of these:", tuple(clause(part, facts) for part in test.parts))
    if test.word == "count":
        return _count_clause(test, facts)
    if test.word in _LIMITED:
        main, limit = _limited(test)
        held = clause(main, facts)
        return held._replace(beside=(*held.beside, _limit_clause(test.word, limit, facts)))
    return Clause(_COMBINED[test.word], tuple(clause(part, facts) for part in test.parts))


def _count_clause(test: Test, facts: Mapping[str, FactRule]) -> Clause:
    counted = _capital(_counted(test, facts))
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


def _capital(text: str) -> str:
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
        return f"{limits}, on a scale of {_span(rule)}"
    return f"{limits}\N{NO-BREAK SPACE}{rule.unit}"


def _span(rule: FactRule) -> str:
    return f"{rule.range[0]:g} to {rule.range[1]:g}"


# --- readings --------------------------------------------------------------------------------------------------------


class ReadingText(NamedTuple):
    """What one fact reads, in words; ``says`` is what is still missing in it where it is shown without settling.

    ``apart`` says that each part of the scope is read for itself, ``attributes`` what is asked about each event.
    """

    kind: str
    title: str
    origin: str
    sets: tuple[CodeSet, ...]
    age: str
    units: str
    absence: str
    says: str | None = None
    apart: str = ""
    attributes: tuple["ReadingText", ...] = ()


def reading(
    rule: FactRule, facts: Mapping[str, FactRule], says: str | None = None, scope: Scope | None = None
) -> ReadingText:
    """What a fact reads: from where, by which codes, how old it may be, in which units, and what its absence means.

    ``facts`` are the policy's, among which it may name others.
    """
    return ReadingText(
        rule.kind,
        rule.title,
        _origin(rule, facts),
        tuple(codes for codes in (rule.codes, rule.site, rule.reason) if codes is not None),
        _age_limit(rule),
        _units(rule),
        _absence(rule),
        says,
        _apart(rule, scope) if rule.per_part else "",
        tuple(_attribute(rule, attribute) for attribute in rule.attributes.values()),
    )


def _attribute(event: FactRule, rule: FactRule) -> ReadingText:
    """What is read of one event: it is as old as the event, and has no record of its own."""
    coded = ", or a code of the event itself" if rule.codes else ""
    sets = (rule.codes,) if rule.codes else ()
    origin = _origin(rule, event.attributes) + coded
    return ReadingText(rule.kind, rule.title, origin, sets, "as the event", _units(rule), "unknown")


def _apart(rule: FactRule, scope: Scope | None) -> str:
    if scope is None:
        return "for each part apart"
    linked = f" (answers: “{rule.item}.{scope.parts[0].id}” and so on)" if rule.item else ""
    return f"for each {scope.name} apart{linked}"


def _origin(rule: FactRule, facts: Mapping[str, FactRule]) -> str:
    answered = f"attested answer {_or([f'“{item}”' for item in rule.items])}" if rule.items else ""
    if rule.aliases:
        answered += " (names of one finding, which counts once)"
    if rule.kind == "age":
        return "the birth date of the Patient"
    if rule.kind == "order":
        return "the drafts of the call, by a code that is valid on the date of service, or by their words"
    if rule.kind == "parts":
        return "how many parts the order names"
    if rule.kind == "reduction":
        stated = f", or the percentage stated in {answered}; both must agree" if rule.item else ""
        return f"computed from “{facts[rule.start].title}” and “{facts[rule.end].title}”, never rounded{stated}"
    if rule.kind == "events":
        stated = f", and the attested groups {_or([f'“{item}”' for item in rule.items])}" if rule.item else ""
        return f"every {_types(rule)}{stated}; what is recorded twice for one day is one"
    if rule.kind == "since":
        return f"the newest {_types(rule)}{f' or {answered}' if rule.item else ''}"
    if rule.kind == "onset":
        return _onset_origin(rule, answered)
    if rule.kind == "measurement":
        return f"the newest Observation or {answered}" if rule.codes else f"the newest {answered}"
    if rule.kind == "answer":
        return f"the newest {answered}"
    where = " whose body site or words lie in the site listed" if rule.site else ""
    why = " for a reason that is listed" if rule.reason else ""
    return f"any {_types(rule)}{where}{why}"


def _onset_origin(rule: FactRule, answered: str) -> str:
    ended = f", to the date in “{rule.until}”" if rule.until else ""
    if rule.codes is None:
        return f"from the date in {answered}{ended}"
    recorded = f"the earliest onset of {_state(rule)} Condition"
    return f"{recorded}, and the newest {answered}{ended}; both must agree" if rule.item else recorded


def _types(rule: FactRule) -> str:
    types = [f"{_state(rule)} Condition" if name == "Condition" else name for name in rule.resources]
    return _or(types).removeprefix("a ").removeprefix("an ")


def _state(rule: FactRule) -> str:
    return "an active" if rule.state == "active" else "a"


def _or(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _age_limit(rule: FactRule) -> str:
    if rule.kind == "age":
        return "computed today"
    if rule.kind in ("order", "parts"):
        return "of this call"
    if rule.kind == "reduction" and not rule.item:
        return "as its two numbers"
    record = "no limit" if rule.look_back_days is None else f"{rule.look_back_days} days"
    if rule.answer_look_back_days == rule.look_back_days:
        return record
    return f"record: {record}; answer: {rule.answer_look_back_days} days"


def _units(rule: FactRule) -> str:
    if rule.kind == "age":
        return "years"
    if rule.kind == "reduction":
        return "percent"
    if rule.kind in ("onset", "since") and rule.in_months:
        return "calendar months, with the share of the month begun"
    if rule.kind != "measurement":
        return ""
    by_factors: dict[tuple[float, ...], list[str]] = {}
    for unit, factors in rule.units.items():
        by_factors.setdefault(factors, []).append(unit or "no unit")
    accepted = []
    for factors, units in by_factors.items():
        read_as = " or ".join("as it stands" if factor == 1 else f"times {factor:g}" for factor in factors)
        doubt = ", unknown where they disagree" if len(factors) > 1 else ""
        accepted.append(", ".join(units) + ("" if factors == (1.0,) else f" ({read_as}{doubt})"))
    if rule.item:
        accepted.append(f"answer: a number{f' ({rule.unit})' if rule.unit else ''}")
    return f"{'; '.join(accepted)}; values {_span(rule)}"


def _absence(rule: FactRule) -> str:
    if rule.kind == "order":
        return "no; unknown where no order is at hand"
    return "unknown" if rule.when_absent == "unknown" else f"no, because {rule.absent_because}"


# --- criteria and verdicts -------------------------------------------------------------------------------------------


class VariantText(NamedTuple):
    """A criterion as the rule of one source asks for it, in numbers or a test that are not the statement's own."""

    rule: Criterion
    profile: Profile
    sentence: str
    clause: Clause


class CriterionText(NamedTuple):
    """One criterion for its page; ``verdicts`` are those that count it, ``hints`` what is shown without settling it.

    ``profiles`` are the rules of single sources that ask for it, ``variants`` those that ask for it otherwise, and
    ``beside`` what only these read.
    """

    rule: Criterion
    sentence: str
    clause: Clause
    readings: tuple[ReadingText, ...]
    beside: tuple[ReadingText, ...]
    hints: tuple[ReadingText, ...]
    verdicts: tuple[VerdictRule, ...]
    profiles: tuple[Profile, ...]
    variants: tuple[VariantText, ...]

    @property
    def short(self) -> str:
        """The test on one line beside the title, which it does not repeat."""
        return short(self.rule, self.sentence)

    @property
    def look_back(self) -> str:
        """How old what settles the criterion may be, on one line."""
        if len({item.age for item in self.readings}) == 1:
            return self.readings[0].age
        return "; ".join(dict.fromkeys(f"{item.kind}: {item.age}" for item in self.readings))

    @property
    def pending(self) -> bool:
        """Whether the statement's own wording still has to be compared."""
        return self.rule.statement_text != "verified"


class Group(NamedTuple):
    """The criteria printed under one heading, which no earlier group holds.

    They are those of ``verdict``; without one, those that only the rules of single sources ask for (``lent``), or
    those that nothing counts. ``above`` are those of the verdict that stand under an earlier heading.
    """

    verdict: VerdictRule | None
    criteria: tuple[CriterionText, ...]
    above: tuple[CriterionText, ...]
    lent: bool = False

    @property
    def title(self) -> str:
        """The heading."""
        if self.verdict is not None:
            return self.verdict.title + (", in addition" if self.above else "")
        return "Only where a single source’s rule asks, in no verdict" if self.lent else "For review, in no verdict"


def short(rule: Criterion, said: str) -> str:
    """A test in words beside the criterion's title, which it does not repeat."""
    return _capital(said.removeprefix(f"{rule.title}: "))


def criterion(policy: Policy, rule: Criterion) -> CriterionText:
    """A criterion in words."""
    profiles = tuple(item for item in policy.profiles.values() if rule.id in map(own_id, item.criteria))
    variants = tuple(variant(policy, item) for item in policy.variants.values() if item.id == rule.id)
    own = dict.fromkeys(_behind(policy, rule.test.facts()))
    others = dict.fromkeys(_behind(policy, (name for item in variants for name in item.rule.test.facts())))
    return CriterionText(
        rule,
        sentence(rule.test, policy.facts),
        clause(rule.test, policy.facts),
        tuple(_read(policy, name) for name in own),
        tuple(_read(policy, name) for name in others if name not in own),
        tuple(_read(policy, hint.fact, hint.says) for hint in rule.hints),
        tuple(verdict for verdict in policy.verdicts if rule.id in map(own_id, verdict.criteria)),
        profiles,
        variants,
    )


def variant(policy: Policy, rule: Criterion) -> VariantText:
    """A criterion with the numbers or the test of a profile, in words."""
    said = sentence(rule.test, policy.facts)
    return VariantText(rule, policy.profiles[rule.profile], said, clause(rule.test, policy.facts))


def _read(policy: Policy, name: str, says: str | None = None) -> ReadingText:
    return reading(policy.facts[name], policy.facts, says, policy.scope)


def _behind(policy: Policy, names: Iterable[str]) -> Iterator[str]:
    """The facts of these names, and before each the facts that it is computed from."""
    for name in names:
        yield from filter(None, (policy.facts[name].start, policy.facts[name].end))
        yield name


def read_elsewhere(policy: Policy) -> list[ReadingText]:
    """What no criterion reads: the facts of scope, pathways, opened charts and limits of verdicts."""
    rules = (*policy.criteria, *policy.variants.values())
    tests = {name for rule in rules for name in _behind(policy, rule.test.facts())}
    hints = {hint.fact for hint in (*policy.for_review, *(hint for rule in rules for hint in rule.hints))}
    return [_read(policy, name) for name in policy.facts if name not in tests | hints]


def own_id(key: str) -> str:
    """The id of the statement's own criterion in the key of a criterion."""
    return key.partition("@")[0]


def groups(policy: Policy) -> list[Group]:
    """Every criterion exactly once: by the first verdict that counts it, else by whether any rule asks for it."""
    texts = {rule.id: criterion(policy, rule) for rule in policy.criteria}
    shown: set[str] = set()
    found = []
    for verdict in policy.verdicts:
        named = [own_id(key) for key in verdict.criteria]
        own = tuple(texts[name] for name in named if name not in shown)
        above = tuple(texts[name] for name in named if name in shown)
        shown |= set(named)
        if own or above:
            found.append(Group(verdict, own, above))
    rest = [text for name, text in texts.items() if name not in shown]
    lent = tuple(text for text in rest if text.profiles)
    uncounted = tuple(text for text in rest if not text.profiles)
    found += [Group(None, lent, (), lent=True)] if lent else []
    return [*found, Group(None, uncounted, ())] if uncounted else found


def composed(policy: Policy, verdict: VerdictRule) -> str:
    """How a verdict is made up, and where it does not apply."""
    return " ".join(_composed(policy, verdict))


def _composed(policy: Policy, verdict: VerdictRule) -> Iterator[str]:
    if verdict.payer:
        yield (
            "Met or not met only from the payer’s own text, in force and seen within "
            f"{SEEN_WITHIN_DAYS} days, matched by a listed identifier or its exact name; else unknown."
        )
        return
    if verdict.profile is not None and verdict.profile.pending is not None:
        yield f"Unknown for every patient: {verdict.profile.pending.removesuffix('.')}."
    else:
        rule = f"By the rule “{verdict.profile.title}”: met" if verdict.profile else "Met"
        number = len(verdict.criteria)
        every = f"all {number} criteria are met" if number > 1 else "its one criterion is met"
        yield f"{rule} when {every}; not met when one is not met; else unknown."
    if verdict.withholds_codes:
        yield "Billing codes are withheld while it is not met; unknown withholds nothing."
    if verdict.applies_unless is not None:
        yield f"Does not apply where: {sentence(verdict.applies_unless, policy.facts)}."


def pending(policy: Policy) -> list[str]:
    """The ids of the criteria whose statement text is still to be compared."""
    return [rule.id for rule in policy.criteria if rule.statement_text != "verified"]
