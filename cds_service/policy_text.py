"""A Policy in plain English, for its page: tests, readings, criteria, codes and payers in words. Pure, no Flask."""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import groupby
from typing import NamedTuple

from cds_service.payers import SEEN_WITHIN_DAYS, why_unknown
from cds_service.policy import FROM_PACK, Act, Code, CodeSet, Criterion, FactRule, Payer, Policy, Test, VerdictRule

VERIFIED = {"verbatim": "seen word for word", "paraphrase": "paraphrase only", "unverified": "unverified"}
SEEN = {
    "verbatim": "seen word for word",
    "third-party": "seen on third parties’ pages",
    "unverified": "unverified",
    FROM_PACK: "from this deployment’s code pack",
}
NOT_CHECKED = "not yet checked by a named reviewer"


# --- tests -----------------------------------------------------------------------------------------------------------


class Clause(NamedTuple):
    """A test in words; ``parts`` are the clauses that ``text`` speaks of (none for a single comparison)."""

    text: str
    parts: tuple["Clause", ...] = ()


_LIMIT_WORDS = {"at_least": "at least", "more_than": "more than", "at_most": "at most", "less_than": "less than"}
_COMBINED = {
    "all": "All of these:",
    "any": "At least one of these:",
    "first": "The first that is on record decides:",
    "agree": "All that speak agree; one that is silent leaves it to the others, and contradiction is unknown:",
    "not": "The opposite of this:",
    "if": "Only where the first is so, the second is asked; else it does not apply:",
    "waived": "The first; where the second is so, it is waived, and shown as waived:",
    "voided": "The first; where the second is so, a no is no answer:",
}
_JOINED = {"all": "; and ", "any": "; or ", "agree": ". ", "first": "; else "}


def clause(test: Test, facts: Mapping[str, FactRule]) -> Clause:
    """A test as a clause with its parts, for a reader who wants the exact logic."""
    if test.word == "fact":
        return Clause(_comparison(test, facts[test.fact]))
    if test.word == "of":
        return Clause(f"{_capital(_number(test))} of these:", tuple(clause(part, facts) for part in test.parts))
    if test.word == "count":
        inner = facts[test.fact].attributes
        return Clause(f"{_counted(test, facts)}, each:", tuple(clause(part, inner) for part in test.parts))
    return Clause(_COMBINED[test.word], tuple(clause(part, facts) for part in test.parts))


def sentence(test: Test, facts: Mapping[str, FactRule]) -> str:
    """A test on one line: "Body mass index: at most 35 kg/m2"."""
    if test.word == "fact":
        return _comparison(test, facts[test.fact])
    if test.word == "not":
        return f"not ({sentence(test.parts[0], facts)})"
    if test.word == "count":
        inner = facts[test.fact].attributes
        each = [f" with {sentence(part, inner)}" for part in test.parts]
        return _counted(test, facts) + "".join(each)
    said = [sentence(part, facts) for part in test.parts]
    if test.word == "of":
        return f"{_number(test)} of: {'; '.join(said)}"
    if test.word == "if":
        return f"if ({said[0]}) then ({said[1]})"
    if test.word in ("waived", "voided"):
        return f"{said[0]}, {'waived' if test.word == 'waived' else 'a no is no answer'} where ({said[1]})"
    parts = [
        f"({sentence(part, facts)})" if part.word in ("all", "any") else sentence(part, facts) for part in test.parts
    ]
    return _JOINED[test.word].join(parts)


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
    after = f", after {facts[test.after].title}" if test.after else ""
    return f"{_number(test)} {rule.noun[1] if rule.noun else rule.title} on different days{after}"


def _yes_or_no(test: Test, rule: FactRule) -> str:
    if rule.kind == "answer":
        return "attested yes" if test.wanted else "attested no"
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
    """What one fact reads, in words; ``says`` is what is still missing in it where it is shown without settling."""

    kind: str
    title: str
    origin: str
    sets: tuple[CodeSet, ...]
    age: str
    units: str
    absence: str
    says: str | None = None


def reading(rule: FactRule, says: str | None = None) -> ReadingText:
    """What a fact reads: from where, by which codes, how old it may be, in which units, and what its absence means."""
    sets = tuple(codes for codes in (rule.codes, rule.site, rule.reason) if codes is not None)
    return ReadingText(rule.kind, rule.title, _origin(rule), sets, _age_limit(rule), _units(rule), _absence(rule), says)


def _origin(rule: FactRule) -> str:
    answered = f"attested answer {_or([f'“{item}”' for item in rule.items])}" if rule.items else ""
    if rule.kind == "age":
        return "the birth date of the Patient"
    if rule.kind == "order":
        return "the drafts of the order, by their codes on the date of service or by their words"
    if rule.kind == "parts":
        return "how many parts the order names"
    if rule.kind == "reduction":
        stated = f", or {answered}" if rule.item else ""
        return f"computed from two numbers{stated}"
    if rule.kind == "events":
        stated = f", and the attested groups “{rule.item}”" if rule.item else ""
        return f"every {_or(list(rule.resources))}{stated}; what is recorded twice for one day counts once"
    if rule.kind == "since":
        stated = f" or {answered}" if rule.item else ""
        return f"the newest {_or(list(rule.resources))}{stated}"
    if rule.kind == "onset" and rule.codes is None:
        return f"the dates in {answered}{f' and “{rule.until}”' if rule.until else ''}"
    if rule.kind == "onset":
        recorded = f"the earliest onset of {_state(rule)} Condition"
        return f"{recorded}, and the newest {answered}; both must agree" if rule.item else recorded
    if rule.kind == "measurement":
        return f"the newest Observation or {answered}" if rule.codes else f"the newest {answered}"
    if rule.kind == "answer":
        return f"the newest {answered}"
    where = " whose body site or words lie in the site listed" if rule.site else ""
    why = " for a reason that is listed" if rule.reason else ""
    types = [f"{_state(rule)} Condition" if name == "Condition" else name for name in rule.resources]
    return f"any {_or(types).removeprefix('a ').removeprefix('an ')}{where}{why}"


def _state(rule: FactRule) -> str:
    return "an active" if rule.state == "active" else "a"


def _or(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _age_limit(rule: FactRule) -> str:
    if rule.kind == "age":
        return "computed today"
    record = "no limit" if rule.look_back_days is None else f"{rule.look_back_days} days"
    if rule.answer_look_back_days == rule.look_back_days:
        return record
    return f"record: {record}; answer: {rule.answer_look_back_days} days"


def _units(rule: FactRule) -> str:
    if rule.kind == "age":
        return "years"
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
    return "unknown" if rule.when_absent == "unknown" else f"no, because {rule.absent_because}"


# --- criteria and verdicts -------------------------------------------------------------------------------------------


class CriterionText(NamedTuple):
    """One criterion for its page; ``verdicts`` are those that count it, ``hints`` what is shown without settling it."""

    rule: Criterion
    sentence: str
    clause: Clause
    readings: tuple[ReadingText, ...]
    hints: tuple[ReadingText, ...]
    verdicts: tuple[VerdictRule, ...]

    @property
    def short(self) -> str:
        """The test on one line beside the title, which it does not repeat."""
        rest = self.sentence.removeprefix(f"{self.rule.title}: ")
        return rest[0].upper() + rest[1:]

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
    """The criteria printed under one heading: those of ``verdict`` that no earlier group holds, or those of none."""

    verdict: VerdictRule | None
    criteria: tuple[CriterionText, ...]
    above: tuple[CriterionText, ...]


def criterion(policy: Policy, rule: Criterion) -> CriterionText:
    """A criterion in words."""
    return CriterionText(
        rule,
        sentence(rule.test, policy.facts),
        clause(rule.test, policy.facts),
        tuple(reading(policy.facts[name]) for name in dict.fromkeys(rule.test.facts())),
        tuple(reading(policy.facts[hint.fact], hint.says) for hint in rule.hints),
        tuple(verdict for verdict in policy.verdicts if rule.id in verdict.criteria),
    )


def groups(policy: Policy) -> list[Group]:
    """Every criterion exactly once: by the first verdict that counts it, and last those that none counts."""
    texts = {rule.id: criterion(policy, rule) for rule in policy.criteria}
    shown: set[str] = set()
    found = []
    for verdict in policy.verdicts:
        own = tuple(texts[name] for name in verdict.criteria if name not in shown)
        above = tuple(texts[name] for name in verdict.criteria if name in shown)
        shown |= set(verdict.criteria)
        if own or above:
            found.append(Group(verdict, own, above))
    rest = tuple(text for name, text in texts.items() if name not in shown)
    return [*found, Group(None, rest, ())] if rest else found


def composed(verdict: VerdictRule) -> str:
    """How a verdict is made up."""
    if verdict.payer:
        return (
            "Met or not met only from the payer’s own text, in force and seen within "
            f"{SEEN_WITHIN_DAYS} days, matched by a listed identifier or its exact name; else unknown."
        )
    withheld = " Billing codes are withheld while it is not met; unknown withholds nothing." * verdict.withholds_codes
    return (
        f"Met when all {len(verdict.criteria)} criteria are met; not met when one is not met; else unknown.{withheld}"
    )


def pending(policy: Policy) -> list[str]:
    """The ids of the criteria whose statement text is still to be compared."""
    return [rule.id for rule in policy.criteria if rule.statement_text != "verified"]


# --- codes -----------------------------------------------------------------------------------------------------------


class CodeGroup(NamedTuple):
    """Codes of one system that were seen in the same way."""

    system: str
    version: str
    seen: str
    provenance: str
    codes: tuple[Code, ...]


class CodeSetText(NamedTuple):
    """A code set for its page: its rows by provenance, the words it also reads, and what reads it."""

    name: str
    title: str
    groups: tuple[CodeGroup, ...]
    phrases: tuple[str, ...]
    beside_codes: bool
    read_by: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many codes the set has."""
        return sum(len(group.codes) for group in self.groups)

    @property
    def unverified(self) -> int:
        """How many of its codes are unverified."""
        return sum(len(group.codes) for group in self.groups if group.seen == "unverified")


def code_sets(policy: Policy) -> list[CodeSetText]:
    """The code sets in the order of the policy."""
    return [
        CodeSetText(
            codes.name,
            codes.title,
            tuple(_code_groups(policy, codes)),
            tuple(phrase.strip() for phrase in codes.phrases),
            codes.words_beside_codes,
            tuple(_read_by(policy, codes.name)),
        )
        for codes in policy.code_sets.values()
    ]


def _code_groups(policy: Policy, codes: CodeSet) -> Iterator[CodeGroup]:
    order = {key: index for index, key in reversed(list(enumerate(map(_row_kind, codes.codes))))}
    rows = sorted(codes.codes, key=lambda row: order[_row_kind(row)])
    for (system, seen, provenance), members in groupby(rows, key=_row_kind):
        yield CodeGroup(system, policy.code_systems[system]["version"], seen, provenance, tuple(members))


def _row_kind(row: Code) -> tuple[str, str, str]:
    return row.system_name, row.seen, row.provenance


def _read_by(policy: Policy, name: str) -> Iterator[str]:
    orders = policy.orders
    for act in orders.acts:
        if act.codes.name == name:
            yield f"order recognition: {act.label}"
    if orders.here.name == name:
        yield "order recognition: the site meant"
    if orders.unspecific.name == name:
        yield "order recognition: reasons that name no site"
    for rule in policy.facts.values():
        for codes, part in ((rule.codes, ""), (rule.site, " (site)"), (rule.reason, " (reason)")):
            if codes is not None and codes.name == name:
                yield f"“{rule.title}”{part}"


def spelling(row: Code) -> str:
    """A code as its file writes it: with a dash at its end where it stands for all that begin so."""
    return f"{row.code}-" if row.prefix else row.code


def code_notes(row: Code) -> str:
    """What else is known of one code: validity, billable leaves, remark, use."""
    notes = []
    if row.valid_from:
        notes.append(f"valid from {row.valid_from}")
    if row.valid_until:
        notes.append(f"valid until {row.valid_until}")
    if row.prefix:
        notes.append("stands for every code that begins so")
    notes += [note for note in (row.remark, row.use) if note]
    if row.leaves:
        notes.append(f"billable: {', '.join(row.leaves)}")
    return "; ".join(notes)


def suggested(act: Act) -> str:
    """The one code that is suggested for an act, with its system."""
    return f"{act.code.system_name} {act.code.code}"


# --- payers ----------------------------------------------------------------------------------------------------------


class PayerText(NamedTuple):
    """A payer for its page; ``unknown_because`` is empty where its position can be met or not met."""

    rule: Payer
    position: str
    in_force: str
    unknown_because: tuple[str, ...]


def payer(policy: Policy, rule: Payer, today: date) -> PayerText:
    """A payer's position in words, and every reason for which it is unknown on ``today``."""
    titles = {item.id: item.title for item in policy.criteria}
    position = rule.position
    if "covered_when_all" in position:
        words = f"covered when all are met: {'; '.join(titles[name] for name in position['covered_when_all'])}"
    else:
        words = "not covered" if "covered" in position else f"not written as criteria. {position['not_encoded']}"
    start = first_day(rule.in_force_from) if rule.in_force_from else "start not known"
    end = last_day(rule.in_force_until) if rule.in_force_until else "end not known"
    return PayerText(
        rule, words, f"{start} to {end}" if rule.in_force_until else f"from {start}; {end}", why_unknown(rule, today)
    )


def first_day(day: date) -> str:
    """A first day no finer than it was written for certain: the first of a month may stand for the month."""
    return day.isoformat()[: 4 if (day.month, day.day) == (1, 1) else 7 if day.day == 1 else 10]


def last_day(day: date) -> str:
    last_of_month = day.day == monthrange(day.year, day.month)[1]
    return day.isoformat()[: 4 if (day.month, day.day) == (12, 31) else 7 if last_of_month else 10]
