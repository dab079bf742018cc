"""The rest of a Policy for its page: scope, pathways, numbers, single-source rules, payers. Pure, no Flask."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from cds_service.facts import word
from cds_service.facts.clauses import Clause
from cds_service.policy.model import Criterion, Part, Pathway, Payer, Policy, Profile, own_id
from cds_service.policy.phrases import CardMessage
from cds_service.policy.sources import Citation
from cds_service.policy.walk import parameters_named, tests
from cds_service.publish import criteria
from cds_service.publish.criteria import VariantText
from cds_service.verdicts.payers import why_unknown

# --- scope and pathways ----------------------------------------------------------------------------------------------


class PartText(NamedTuple):
    """One part of a scope for its page: the words and attested facts that identify it."""

    rule: Part
    phrases: tuple[str, ...]
    when: str


def parts(policy: Policy) -> list[PartText]:
    """The parts of the scope; an empty list if there is no scope."""
    return [
        PartText(
            part,
            tuple(phrase.strip() for phrase in part.codes.phrases),
            word.sentence(part.when, policy.facts) if part.when else "",
        )
        for part in (policy.scope.parts if policy.scope else ())
    ]


class MessageText(NamedTuple):
    """A card without a decision: its summary, and its lines joined into one text."""

    summary: str
    detail: str


def message(policy: Policy, said: CardMessage) -> MessageText:
    """A message of the card with its placeholders filled, as far as they are the same in every call."""
    meant = f"{policy.scope.name} meant" if policy.scope else ""
    return MessageText(*(text.format(parts=meant).replace("**", "") for text in (said.summary, " ".join(said.lines))))


class PathwayText(NamedTuple):
    """A pathway for its page: how an order is recognized, and what its card says."""

    rule: Pathway
    phrases: tuple[str, ...]
    routing: tuple[str, ...]
    keeps: tuple[str, ...]
    when: str
    says: MessageText


def pathways(policy: Policy) -> list[PathwayText]:
    """The pathways in order; the first match applies."""
    return [
        PathwayText(
            rule=row,
            phrases=tuple(phrase.strip() for phrase in row.phrases),
            routing=tuple(phrase.strip() for phrase in row.routing),
            keeps=tuple(phrase.strip() for phrase in row.keeps),
            when=word.sentence(row.when, policy.facts) if row.when else "",
            says=message(policy, policy.phrases.pathways[row.says]),
        )
        for row in policy.orders.pathways
    ]


# --- numbers and the rules of single sources -------------------------------------------------------------------------


class NumberText(NamedTuple):
    """A number of the statement for its page: its source, the criteria that use it, and other rules' values."""

    id: str
    title: str
    value: str
    source: str
    place: str
    read_by: tuple[Criterion, ...]
    others: tuple[tuple[Profile, str], ...]


def numbers(policy: Policy) -> list[NumberText]:
    """The parameters in the rule set's order."""
    return [
        NumberText(
            id=name,
            title=number.title,
            value=f"{number.value:g}",
            source=number.source,
            place=number.place,
            read_by=tuple(_readers(policy, name)),
            others=tuple(
                (rule, f"{rule.parameters[name]:g}") for rule in policy.profiles.values() if name in rule.parameters
            ),
        )
        for name, number in policy.parameters.items()
    ]


def _readers(policy: Policy, name: str) -> Iterator[Criterion]:
    """The criteria whose test uses a parameter, even if only in a single-source rule."""
    reading = {root.criterion for root in tests(policy) if name in parameters_named(root.test)}
    return (rule for rule in policy.criteria if rule.id in reading)


class AskedText(NamedTuple):
    """One criterion of a profile: the statement's own in words, and the profile's variant if it differs.

    ``citations`` are only the ones from the profile's source.
    """

    own: Criterion
    short: str
    clause: Clause
    variant: VariantText | None
    citations: tuple[Citation, ...]


class ProfileText(NamedTuple):
    """A single-source rule for its page; ``numbers`` are (title, the rule's number, the statement's number)."""

    rule: Profile
    numbers: tuple[tuple[str, str, str], ...]
    asked: tuple[AskedText, ...]
    verdicts: tuple[str, ...]
    payers: tuple[Payer, ...]


def profiles(policy: Policy) -> list[ProfileText]:
    """The single-source rules in the rule set's order."""
    return [profile(policy, rule) for rule in policy.profiles.values()]


def profile(policy: Policy, rule: Profile) -> ProfileText:
    """A single-source rule: its requirements, and how they differ from the statement."""
    own = policy.parameters
    return ProfileText(
        rule,
        tuple((own[name].title, f"{value:g}", f"{own[name].value:g}") for name, value in rule.parameters.items()),
        tuple(_asked(policy, rule, key) for key in rule.criteria),
        tuple(verdict.id for verdict in policy.verdicts if verdict.profile is rule),
        tuple(payer for payer in policy.payers if payer.position.get("profile") == rule.id),
    )


def _asked(policy: Policy, profile: Profile, key: str) -> AskedText:
    own = policy.criterion(own_id(key))
    return AskedText(
        own,
        criteria.short(own, word.sentence(own.test, policy.facts)),
        word.clause(own.test, policy.facts),
        criteria.variant(policy, policy.variants[key]) if key in policy.variants else None,
        tuple(item for item in own.citations if item.source == profile.source),
    )


# --- payers ----------------------------------------------------------------------------------------------------------


class PayerText(NamedTuple):
    """A payer for its page; ``unknown_because`` is empty if its position can be met or not met.

    ``profile`` is the rule that the position refers to, if any.
    """

    rule: Payer
    position: str
    in_force: str
    unknown_because: tuple[str, ...]
    profile: Profile | None = None


def payer(policy: Policy, rule: Payer, today: date) -> PayerText:
    """A payer's position in words, and every reason why it is unknown on ``today``."""
    titles = {item.id: item.title for item in policy.criteria}
    position = rule.position
    profile = policy.profiles[position["profile"]] if "profile" in position else None
    if profile is not None:
        words = f"covered when all is met that the rule “{profile.title}” asks for"
    elif "covered_when_all" in position:
        words = f"covered when all are met: {'; '.join(titles[name] for name in position['covered_when_all'])}"
    else:
        words = "not covered" if "covered" in position else f"not written as criteria. {position['not_encoded']}"
    start = first_day(rule.in_force_from) if rule.in_force_from else "start not known"
    end = last_day(rule.in_force_until) if rule.in_force_until else "end not known"
    in_force = f"{start} to {end}" if rule.in_force_until else f"from {start}; {end}"
    return PayerText(rule, words, in_force, why_unknown(rule, today), profile)


def first_day(day: date) -> str:
    """A first day, only as precise as the source: the first of a month may stand for the month."""
    return day.isoformat()[: 4 if (day.month, day.day) == (1, 1) else 7 if day.day == 1 else 10]


def last_day(day: date) -> str:
    last_of_month = day.day == monthrange(day.year, day.month)[1]
    return day.isoformat()[: 4 if (day.month, day.day) == (12, 31) else 7 if last_of_month else 10]
