"""The codes of a Policy in plain English: sets, rows by provenance, and what reads each set. Pure, no Flask."""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from cds_service.policy.codes import FROM_PACK, FROM_VALUE_SET, Code, CodeSet
from cds_service.policy.model import Act, FactRule, Policy

SEEN = {
    "verbatim": "seen word for word",
    "third-party": "seen on third parties’ pages",
    "unverified": "unverified",
    FROM_PACK: "from this deployment’s code pack",
    FROM_VALUE_SET: "from a value set of this deployment",
}


class CodeGroup(NamedTuple):
    """Codes of one system with the same provenance."""

    system: str
    version: str
    seen: str
    provenance: str
    codes: tuple[Code, ...]


class CodeSetText(NamedTuple):
    """A code set for its page: its rows by provenance, the words it also matches, and what reads it."""

    name: str
    title: str
    groups: tuple[CodeGroup, ...]
    phrases: tuple[str, ...]
    unless: tuple[str, ...]
    beside_codes: bool
    read_by: tuple[str, ...]

    @property
    def size(self) -> int:
        """The number of codes in the set."""
        return sum(len(group.codes) for group in self.groups)

    @property
    def unverified(self) -> int:
        """The number of unverified codes in the set."""
        return sum(len(group.codes) for group in self.groups if group.seen == "unverified")


def code_sets(policy: Policy) -> list[CodeSetText]:
    """The code sets in the rule set's order."""
    return [
        CodeSetText(
            name=codes.name,
            title=codes.title,
            groups=tuple(_code_groups(policy, codes)),
            phrases=tuple(_phrases(codes)),
            unless=tuple(phrase.strip() for phrase in codes.unless),
            beside_codes=codes.words_beside_codes,
            read_by=tuple(_read_by(policy, codes.name)),
        )
        for codes in policy.code_sets.values()
    ]


def _phrases(codes: CodeSet) -> Iterator[str]:
    """The words that a set matches; a word that counts only together with others is followed by these."""
    beside = ", ".join(phrase.strip() for phrase in codes.beside)
    for phrase in codes.phrases:
        yield f"{phrase.strip()} (in one text with any of: {beside})" if phrase in codes.together else phrase.strip()


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
    if orders.known_by is not None and orders.known_by.name == name:
        yield "order recognition: the therapy meant"
    for row in orders.pathways:
        if name in [codes.name for codes in (row.codes, row.reasons) if codes is not None]:
            yield f"another pathway: {row.title}"
    for part in policy.scope.parts if policy.scope else ():
        if part.codes.name == name:
            yield f"which part is meant: {part.label}"
    for rule in policy.facts.values():
        yield from _read_by_fact(rule, name)


def _read_by_fact(rule: FactRule, name: str) -> Iterator[str]:
    parts = (rule.codes, ""), (rule.site, " (site)"), (rule.reason, " (reason)")
    computed = (rule.weight, " (its weight)"), (rule.height, " (its height)")
    more = ((rule.elsewhere, " (elsewhere)"), *((codes, " (its reasons)") for codes in rule.only_for))
    for codes, part in (*parts, *computed, *more, *((codes, " (left out)") for codes in rule.not_in)):
        if codes is not None and codes.name == name:
            yield f"“{rule.title}”{part}"
    for attribute in rule.attributes.values():
        if attribute.codes is not None and attribute.codes.name == name:
            yield f"“{rule.title}: {attribute.title}”"


def validity(row: Code) -> str:
    """When a code has this meaning, if limited; otherwise ""."""
    dates = (("from", row.valid_from), ("until", row.valid_until))
    said = " ".join(f"{word} {day}" for word, day in dates if day)
    return f"valid {said}" if said else ""


def code_notes(row: Code) -> str:
    """Other notes on one code: validity, billable leaves, remark, use."""
    notes = [validity(row)] if validity(row) else []
    if row.prefix:
        notes.append("stands for every code that begins so")
    if row.through:
        notes.append("stands for every code in the range")
    if row.exceptions:
        notes.append(f"except {', '.join(row.exceptions)}")
    notes += [note for note in (row.remark, row.use) if note]
    if row.leaves:
        notes.append(f"billable: {', '.join(row.leaves)}")
    return "; ".join(notes)


def suggested(act: Act) -> str:
    """The one code that is suggested for an act, with its system."""
    return f"{act.code.system_name} {act.code.code}"
